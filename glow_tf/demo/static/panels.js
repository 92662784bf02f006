/* What each of the four panels sends and shows. */

import { Well, upload } from "./chooser.js";
import { $, $$, mark, number, player, say, whenChanged } from "./controls.js";
import { live } from "./live.js";
import { explainOutside, fill, model, reserve, saver } from "./pictures.js";
import { attributes } from "./attributes.js";

const SAMPLES = 16;
const VARIANTS = 9;
const STEPS = 9;

/** Each panel's function, called when it is first opened with the panel and `openTab(name)`. */
export const panels = { attributes, blend, samples, levels };

function samples(panel) {
  const form = $("form", panel);
  const sheet = $(".sheet", panel);
  const offer = saver($(".download", panel), sheet);
  reserve(sheet, SAMPLES, 112);
  const request = live("api/samples", $(".stage", panel), (answer, sent) => {
    const cls = sent.label === null ? "" : `-class-${model.classes[sent.label]}`;
    const name = `samples${cls}-t${sent.temperature}-seed${sent.seed}`;
    fill(sheet, answer.images, `sample of temperature ${sent.temperature}, seed ${sent.seed}, number`, 112, answer.outside);
    $$("img", sheet).forEach((image, i) => {
      image.dataset.file = `${name}-n${i + 1}`;
      if (model.classes.length) image.dataset.label = sent.label ?? i % model.classes.length;
    });
    say($(".remark", panel), explainOutside(answer));
    offer(4, name);
  });
  const send = () => {
    const label = form.elements.label.value;
    const chosen = label === "" ? null : Number(label);
    const [temperature, seed] = [number(form, "temperature"), number(form, "seed")];
    return request({ count: SAMPLES, temperature, seed, label: chosen });
  };
  whenChanged(form, send);
  send();
}

function blend(panel, openTab) {
  const input = $("[name=weight]", panel);
  const result = $(".result", panel);
  const caption = $(".result + figcaption", panel);
  const strip = $(".strip", panel);
  const stage = $(".stage", panel);
  const offer = saver($(".download", panel), result);
  const offerStrip = saver($(".download-strip", panel), strip);
  const edit = $(".edit", panel);
  const steps = Array.from({ length: STEPS }, (_, i) => i / (STEPS - 1));
  const percent = (weight) => Math.round(100 * weight);
  let mixed = null; // the name of what the result shows, and its class, which is that of the first picture
  reserve(result, 1, 256);
  reserve(strip, STEPS);
  const markStep = (weight) => {
    for (const [i, button] of $$("button", strip).entries()) {
      button.setAttribute("aria-pressed", Math.abs(steps[i] - weight) < 1e-6);
    }
  };
  const one = live("api/blend", stage, (answer, sent) => {
    const text = `${percent(sent.weights[0])} % of the second`;
    fill(result, answer.images, `mix, ${text}`, 256, answer.outside);
    caption.textContent = text;
    const name = `mix-${percent(sent.weights[0])}pct-of-${sent.names.join("-and-")}`;
    mixed = { name, label: sent.label };
    offer(1, name);
    edit.disabled = answer.outside.length > 0;
    say($(".remark", panel), explainOutside(answer));
    markStep(sent.weights[0]);
  });
  const all = live("api/blend", $(".row", panel), (answer, sent) => {
    fillStrip(answer);
    offerStrip(STEPS, `mix-strip-of-${sent.names.join("-and-")}`);
    markStep(Number(input.value));
  });
  const ask = (request, weights) => {
    if (!first.id || !second.id) return;
    const names = [first.picture.name, second.picture.name];
    return request({ first: first.id, second: second.id, weights }, { names, label: first.picture.label });
  };
  const send = () => ask(one, [Number(input.value)]);
  const changed = () => {
    send();
    ask(all, steps);
  };
  const first = new Well($("[data-well=first]", panel), changed);
  const second = new Well($("[data-well=second]", panel), changed);

  function fillStrip(answer) {
    if (!$("button", strip)) {
      strip.replaceChildren(
        ...steps.map((weight) => {
          const button = Object.assign(document.createElement("button"), { type: "button" });
          button.addEventListener("click", () => {
            input.value = weight;
            mark(input);
            send();
          });
          return button;
        }),
      );
    }
    answer.images.forEach((url, i) => {
      const outside = answer.outside.includes(i) ? [0] : [];
      fill(strip.children[i], [url], `${percent(steps[i])} % of the second`, null, outside);
    });
  }

  input.addEventListener("input", send);
  player($(".play", panel), () => input, send);
  edit.addEventListener("click", async () => {
    // Constants, because a newer answer may change the result while this one is read.
    const [source, { name, label }] = [$("img", result).src, mixed];
    openTab("attributes");
    $("#tab-attributes").focus(); // the button that had the focus is hidden now
    await panels.attributes.edit(async (signal) =>
      upload(await (await fetch(source)).blob(), name, "mix of two pictures", label, signal),
    );
  });
  first.start(0);
  second.start(-1);
}

function levels(panel) {
  const form = $("form", panel);
  const sheet = $(".sheet", panel);
  const choices = $(".choices", panel);
  const caption = $(".sheet + figcaption", panel);
  const offer = saver($(".download", panel), sheet);
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
  reserve(sheet, VARIANTS, 112);
  const request = live("api/redraw", $(".stage", panel), (answer, sent) => {
    fill(sheet, answer.images, sent.levels.length ? "variant" : "the picture itself", 112, answer.outside);
    sheet.classList.toggle("one", !sent.levels.length);
    caption.textContent = sent.levels.length ? "Variants" : "The picture itself";
    const none = "No level is drawn anew, so nothing changes; choose one.";
    say($(".remark", panel), sent.levels.length ? explainOutside(answer) : none);
    const drawn = sent.levels.map((level) => level + 1).join("+") || "none";
    offer(3, `levels-${drawn}-of-${sent.name}-t${sent.temperature}-seed${sent.seed}`);
  });
  const send = () => {
    if (!well.id) return;
    const chosen = $$("input", choices).filter((input) => input.checked);
    const body = {
      image: well.id,
      levels: chosen.map((input) => Number(input.value)),
      count: chosen.length ? VARIANTS : 1,
      temperature: number(form, "temperature"),
      seed: number(form, "seed"),
    };
    return request(body, { name: well.picture.name });
  };
  const well = new Well($("[data-well]", panel), send);
  whenChanged(form, send);
  well.start(0);
}
