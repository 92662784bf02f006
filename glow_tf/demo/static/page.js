/* The page: tabs, and what each of the four panels sends and shows. */

import { Well, prepare } from "./chooser.js";
import { ask, live, notice } from "./live.js";
import { download, fill, model } from "./pictures.js";

const $ = (selector, within = document) => within.querySelector(selector);
const $$ = (selector, within = document) => [...within.querySelectorAll(selector)];
const started = new Set();
const STEPS = 9;

const panels = { samples, blend, attributes, levels };

// Tabs, with the arrow keys, and the one that is open in the address.

function openTab(name) {
  for (const tab of $$("[role=tab]")) {
    const chosen = tab.id === `tab-${name}`;
    tab.setAttribute("aria-selected", chosen);
    tab.tabIndex = chosen ? 0 : -1;
    $(`#${tab.getAttribute("aria-controls")}`).hidden = !chosen;
  }
  history.replaceState(null, "", `#${name}`);
  if (!started.has(name)) {
    started.add(name);
    panels[name]($(`#${name}`));
  }
}

function prepareTabs() {
  const tabs = $$("[role=tab]");
  for (const [i, tab] of tabs.entries()) {
    tab.addEventListener("click", () => openTab(tab.getAttribute("aria-controls")));
    tab.addEventListener("keydown", (event) => {
      const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
      if (!step) return;
      const next = tabs[(i + step + tabs.length) % tabs.length];
      next.focus();
      next.click();
    });
  }
  const name = location.hash.slice(1);
  openTab(name in panels ? name : "samples");
}

// What several panels share.

/** Keeps a slider's number and the colored part of its track in step with it. */
function mark(input) {
  const [low, high] = [Number(input.min), Number(input.max)];
  const at = (value) => (100 * (value - low)) / (high - low);
  const ends = [at(Number(input.value)), at(low < 0 ? 0 : low)].sort((a, b) => a - b);
  input.style.setProperty("--from", `${ends[0]}%`);
  input.style.setProperty("--to", `${ends[1]}%`);
  const output = $("output", input.closest("label"));
  if (output) output.textContent = (low < 0 && input.value > 0 ? "+" : "") + Number(input.value).toFixed(2);
}

function markAll(within) {
  for (const input of $$("input[type=range]", within)) mark(input);
}

/** Calls `send` whenever a valid control of the form changes, and once now. */
function whenChanged(form, send) {
  form.addEventListener("submit", (event) => event.preventDefault());
  form.addEventListener("input", () => form.checkValidity() && send());
  const another = $(".another", form);
  another?.addEventListener("click", () => {
    form.elements.seed.value = Math.floor(Math.random() * 1e6);
    send();
  });
}

const number = (form, name) => Number(form.elements[name].value);

// Samples.

function samples(panel) {
  const form = $("form", panel);
  const sheet = $(".sheet", panel);
  const request = live("api/samples", panel, (images, sent) => {
    fill(sheet, images, "sample", 112);
    $$("img", sheet).forEach((image, i) => {
      if (model.classes.length) image.dataset.label = sent.label ?? i % model.classes.length;
    });
  });
  const send = () => {
    const label = form.elements.label.value;
    request({
      count: 16,
      temperature: number(form, "temperature"),
      seed: number(form, "seed"),
      label: label === "" ? null : Number(label),
    });
  };
  whenChanged(form, send);
  $(".download", panel).addEventListener("click", () =>
    download($$("img", sheet), 4, `glow-samples-t${form.elements.temperature.value}-seed${form.elements.seed.value}`),
  );
  send();
}

// Blend.

function blend(panel) {
  const slider = $("input", panel);
  const result = $(".result", panel);
  const strip = $(".strip", panel);
  const one = live("api/blend", $(".triptych", panel), (images) => fill(result, images, result.dataset.alt, 256));
  const all = live("api/blend", strip, (images) => fillStrip(images));
  const ends = () => ({ first: first.id, second: second.id });
  const send = () => first.id && second.id && one({ ...ends(), weights: [Number(slider.value)] });
  const steps = Array.from({ length: STEPS }, (_, i) => i / (STEPS - 1));
  const changed = () => {
    if (!first.id || !second.id) return;
    send();
    all({ ...ends(), weights: steps });
  };
  const first = new Well($("[data-well=first]", panel), changed);
  const second = new Well($("[data-well=second]", panel), changed);

  function fillStrip(images) {
    if (!strip.children.length) {
      steps.forEach((weight) => {
        const button = Object.assign(document.createElement("button"), { type: "button" });
        button.addEventListener("click", () => {
          slider.value = weight;
          mark(slider);
          send();
        });
        strip.append(button);
      });
    }
    images.forEach((url, i) => fill(strip.children[i], [url], `${Math.round(100 * steps[i])} % of the second`));
  }

  slider.addEventListener("input", send);
  $(".download", panel).addEventListener("click", () =>
    download($$("img", result), 1, `glow-blend-${Math.round(100 * slider.value)}`),
  );
  $(".download-strip", panel).addEventListener("click", () => download($$("img", strip), STEPS, "glow-blend-strip"));
  setFirst([first, second]);
}

/** Starts wells with the first and the last of the test images, where there are some. */
function setFirst(wells) {
  wells.forEach((well, i) => model.test_images.length && well.set(model.test_images.at(-i)));
}

// Attributes.

function attributes(panel) {
  const form = $("form", panel);
  const sliders = $(".sliders", panel);
  const result = $(".result", panel);
  const request = live("api/move", panel, (images) => fill(result, images, result.dataset.alt, 288));
  const send = () => {
    const moved = $$("input", sliders).filter((input) => Number(input.value));
    const strengths = Object.fromEntries(moved.map((input) => [input.name, Number(input.value)]));
    if (well.id && sliders.children.length) request({ image: well.id, strengths });
  };
  const well = new Well($("[data-well]", panel), send);
  whenChanged(form, send);
  $(".zero", form).addEventListener("click", () => {
    for (const input of $$("input", sliders)) input.value = 0;
    markAll(sliders);
    send();
  });
  $(".download", panel).addEventListener("click", () => download($$("img", result), 1, "glow-attributes"));
  setFirst([well]);
  waitForAttributes(panel, (names) => {
    for (const name of names) sliders.append(attributeSlider(name));
    markAll(sliders);
    send();
  });
}

function attributeSlider(name) {
  const label = Object.assign(document.createElement("label"), { className: "slider" });
  const input = document.createElement("input");
  Object.assign(input, { type: "range", name, min: -1.5, max: 1.5, step: 0.01, value: 0 });
  label.append(`${name.replaceAll("_", " ")} `, document.createElement("output"), input);
  return label;
}

async function waitForAttributes(panel, ready) {
  const status = $(".status", panel);
  try {
    const answer = await ask("api/attributes");
    if (answer.state === "ready") {
      status.textContent = "";
      return ready(answer.names);
    }
    if (answer.state === "unavailable") {
      status.textContent = answer.reason;
      return;
    }
    status.textContent = `Finding the directions: ${answer.done} of ${answer.total || "…"} images`;
    setTimeout(() => waitForAttributes(panel, ready), 400);
  } catch (error) {
    status.textContent = error.message;
  }
}

// Levels.

function levels(panel) {
  const form = $("form", panel);
  const sheet = $(".sheet", panel);
  const choices = $(".choices", panel);
  const count = model.latent_shapes.length;
  model.latent_shapes.forEach((shape, i) => {
    const label = document.createElement("label");
    const input = Object.assign(document.createElement("input"), { type: "checkbox", name: "level", value: i });
    input.checked = i === 0;
    const kind = count === 1 ? "" : i === 0 ? ", the finest" : i === count - 1 ? ", the coarsest" : "";
    const size = Object.assign(document.createElement("small"), { textContent: shape.join(" × ") });
    label.append(input, `Level ${i + 1}${kind} `, size);
    choices.append(label);
  });
  const request = live("api/redraw", panel, (images) => fill(sheet, images, "variant", 112));
  const send = () => {
    if (!well.id) return;
    const chosen = $$("input", choices).filter((input) => input.checked);
    request({
      image: well.id,
      levels: chosen.map((input) => Number(input.value)),
      count: 9,
      temperature: number(form, "temperature"),
      seed: number(form, "seed"),
    });
  };
  const well = new Well($("[data-well]", panel), send);
  whenChanged(form, send);
  $(".download", panel).addEventListener("click", () => download($$("img", sheet), 3, "glow-levels"));
  setFirst([well]);
}

// The start.

function describe() {
  const [height, width, channels] = model.image_shape;
  const colors = channels === 1 ? "gray" : "color";
  const levels = model.latent_shapes.length;
  const million = (model.parameters / 1e6).toFixed(1);
  const kinds = model.classes.length ? `, ${model.classes.length} classes` : "";
  $("#run").textContent = model.name;
  $("#facts").textContent =
    `${width} × ${height} ${colors}, ${model.bits} bits${kinds} · ${levels} levels of ${model.depth} steps · ` +
    `${million} million parameters`;
  document.title = `${model.name} · Glow`;
  for (const select of $$(".classes select")) {
    select.append(...model.classes.map((name, i) => new Option(name, i)));
    select.closest(".classes").hidden = !model.classes.length;
  }
}

document.addEventListener("input", (event) => event.target.type === "range" && mark(event.target));
$("#notice button").addEventListener("click", () => notice());

try {
  Object.assign(model, await ask("api/model"));
  describe();
  prepare();
  markAll(document);
  prepareTabs();
} catch (error) {
  notice(error.message);
}
