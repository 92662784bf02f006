/* The panel of attributes: a picture, and a slider for each attribute of the data. */

import { Well } from "./chooser.js";
import { $, $$, markAll, number, player, say, signed, slider, whenChanged } from "./controls.js";
import { ask, fail, live } from "./live.js";
import { fill, reserve, saver } from "./pictures.js";

const SHOWN = 8; // attributes before "more"
const STRENGTH = 1.5;
const POLL = 400; // milliseconds

/** What people try first, in this order; all others follow in the order of the data. */
const FIRST = ["smiling", "beard", "moustache", "long hair", "dark skin", "blond", "eyeglasses", "male", "young"];

const inWords = (name) => name.replaceAll("_", " ");
const rank = (name) => (FIRST.indexOf(inWords(name).toLowerCase()) + FIRST.length + 1) % (FIRST.length + 1);
let well = null;

export function attributes(panel) {
  const form = $("form", panel);
  const result = $(".result", panel);
  const stage = $(".stage", panel);
  const offer = saver($(".download", panel), result);
  const all = () => $$(".sliders input", panel);
  let current = null; // the slider that was moved last, which is the one to play
  reserve(result, 1, 288);
  const request = live("api/move", stage, (answer, sent) => {
    const applied = Object.entries(sent.strengths).map(([name, strength]) => [name, strength * answer.share]);
    const words = applied.map(([name, strength]) => `${inWords(name)} ${signed(strength)}`);
    fill(result, answer.images, ["changed picture", ...words].join(", "), 288, answer.outside);
    const weaker = answer.share < 1;
    say($(".remark", panel), weaker ? "The model decodes no picture at these strengths; a weaker change is shown." : "");
    $(".share", panel).textContent = weaker ? `Shown: ${Math.floor(100 * answer.share)} % of these strengths.` : "";
    offer(1, [sent.name, ...words.map((text) => text.replace(" +", "+").replace(" \u2212", "-"))].join("_"));
  });
  const send = () => {
    if (!well.id) return;
    const moved = all().filter((input) => Number(input.value));
    const strengths = Object.fromEntries(moved.map((input) => [input.name, Number(input.value)]));
    return request({ image: well.id, strengths }, { name: well.picture.name });
  };
  well = new Well($("[data-well]", panel), send, () => number(form, "temperature"));
  whenChanged(form, () => {});
  $(".sliders", panel).addEventListener("input", (event) => {
    current = event.target;
    send();
  });
  const [play, zero] = [$(".play", panel), $(".zero", form)];
  zero.addEventListener("click", () => {
    for (const input of all()) input.value = 0;
    markAll(form);
    send();
  });
  player(play, () => current ?? all()[0], send);
  play.disabled = zero.disabled = true;
  well.start(0);
  waitForAttributes(panel, (names) => {
    addSliders(panel, names);
    play.disabled = zero.disabled = false;
    markAll(form);
  });
}

/** Takes the picture of `give(signal)` as the one to change. */
attributes.edit = (give) => well.take("Reading the picture …", give);

function addSliders(panel, names) {
  const sorted = [...names].sort((a, b) => rank(a) - rank(b));
  const rows = sorted.map((name, i) =>
    slider(`attribute-${i}`, inWords(name), { name, min: -STRENGTH, max: STRENGTH, step: 0.01, value: 0 }),
  );
  const shown = rows.length > SHOWN + 2 ? SHOWN : rows.length;
  $(".sliders", panel).replaceChildren(...rows.slice(0, shown));
  if (shown === rows.length) return;
  const more = document.createElement("details");
  const summary = document.createElement("summary");
  more.append(summary, ...rows.slice(shown));
  const title = () => (summary.textContent = more.open ? "Fewer attributes" : `${rows.length - shown} more attributes`);
  more.addEventListener("toggle", title);
  title();
  $(".sliders", panel).append(more);
}

async function waitForAttributes(panel, ready) {
  const [status, count] = [$(".status", panel), $(".count", panel)];
  fail(status.parentElement);
  try {
    const answer = await ask("api/attributes");
    if (answer.state === "computing") {
      say(status, "Finding the directions of the attributes …");
      count.textContent = answer.total ? `${answer.done} of ${answer.total} images` : "reading the images";
      setTimeout(() => waitForAttributes(panel, ready), POLL);
      return;
    }
    status.textContent = count.textContent = "";
    if (answer.state === "ready") return ready(answer.names);
    status.replaceChildren(...withOptions(answer.reason));
  } catch (error) {
    status.textContent = count.textContent = "";
    fail(status.parentElement, error, () => waitForAttributes(panel, ready));
  }
}

/** The parts of a sentence, with options such as --data as code, which does not wrap. */
function withOptions(text) {
  return text
    .split(/(--\w+)/)
    .map((part) => (part.startsWith("--") ? Object.assign(document.createElement("code"), { textContent: part }) : part));
}
