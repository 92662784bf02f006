/* The page: its start, and its tabs. */

import { prepare } from "./chooser.js";
import { $, $$, mark, markAll } from "./controls.js";
import { ask, fail } from "./live.js";
import { panels } from "./panels.js";
import { model } from "./pictures.js";

const started = new Set();

/** Opens a tab and notes it in the address. */
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
    panels[name]($(`#${name}`), openTab);
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
  openTab(Object.hasOwn(panels, name) ? name : "attributes");
}

/** Gives the style sheet the height of the visible stage, so that it can keep a focused control below that stage. */
function measureStages() {
  const observer = new ResizeObserver((changes) => {
    for (const { target } of changes) {
      if (target.offsetParent) document.documentElement.style.setProperty("--stage", `${target.offsetHeight}px`);
    }
  });
  for (const stage of $$(".stage")) observer.observe(stage);
}

/** A number and its noun, in the singular or the plural. */
function counted(count, noun, plural = `${noun}s`) {
  return `${count} ${count === 1 ? noun : plural}`;
}

function describe() {
  const [height, width, channels] = model.image_shape;
  const colors = channels === 1 ? "gray" : "color";
  const levels = model.latent_shapes.length;
  const million = (model.parameters / 1e6).toFixed(model.parameters < 1e6 ? 2 : 1);
  const kinds = model.classes.length ? `, ${counted(model.classes.length, "class", "classes")}` : "";
  $("#run").textContent = model.name;
  $("#facts").textContent =
    `${width} × ${height} ${colors}, ${counted(model.bits, "bit")}${kinds} · ` +
    `${counted(levels, "level")} of ${counted(model.depth, "step")} · ` +
    `${million} million parameters`;
  document.title = `${model.name} · Glow`;
  document.documentElement.style.setProperty("--ratio", `${width} / ${height}`);
  for (const select of $$(".classes select")) {
    select.append(...model.classes.map((name, i) => new Option(name, i)));
    select.closest(".classes").hidden = !model.classes.length;
  }
  $("#credits").replaceChildren(...withLinks(model.credits));
}

/** The parts of a text, with addresses as links. */
function withLinks(text) {
  return text.split(/([a-z]+:\/\/[^\s)]+)/).map((part) => {
    if (!part.includes("://")) return part;
    return Object.assign(document.createElement("a"), { href: part, textContent: part, rel: "noreferrer" });
  });
}

async function start() {
  const loading = $("#loading");
  fail(loading.parentElement);
  loading.hidden = false;
  try {
    Object.assign(model, await ask("api/model"));
  } catch (error) {
    loading.hidden = true;
    return fail(loading.parentElement, error, start);
  }
  loading.hidden = true;
  $(".bar").hidden = false;
  describe();
  prepare();
  markAll(document);
  measureStages();
  prepareTabs();
}

document.addEventListener("input", (event) => event.target.type === "range" && mark(event.target));
// A file that is dropped beside a well would take the place of the page.
for (const kind of ["dragover", "drop"]) {
  document.addEventListener(kind, (event) => event.dataTransfer.types.includes("Files") && event.preventDefault());
}
start();
