/* Sliders with their numbers, forms, seeds, and playing a slider up and down. */

export const $ = (selector, within = document) => within.querySelector(selector);
export const $$ = (selector, within = document) => [...within.querySelectorAll(selector)];
export const number = (form, name) => Number(form.elements[name].value);
export const randomSeed = () => Math.floor(Math.random() * 1e6);

/** A number with its sign, a true minus, and two places. */
export const signed = (value) => (value > 0 ? "+" : value < 0 ? "\u2212" : "") + Math.abs(value).toFixed(2);

/** Puts a text into a live region. A text that is there already is not set again, which would read it aloud again. */
export function say(region, text) {
  if (region.textContent !== text) region.textContent = text;
}

/** Keeps a slider's number and the colored part of its track in step with it. */
export function mark(input) {
  const [low, high] = [Number(input.min), Number(input.max)];
  const at = (value) => (100 * (value - low)) / (high - low);
  const ends = [at(Number(input.value)), at(low < 0 ? 0 : low)].sort((a, b) => a - b);
  input.style.setProperty("--from", `${ends[0]}%`);
  input.style.setProperty("--to", `${ends[1]}%`);
  const text = low < 0 ? signed(Number(input.value)) : Number(input.value).toFixed(2);
  $(`output[for="${input.id}"]`).textContent = text;
  input.setAttribute("aria-valuetext", text);
}

export function markAll(within) {
  for (const input of $$("input[type=range]", within)) mark(input);
}

/** A row of a label, a slider and its number. The number is no live region: a slider says its value itself. */
export function slider(id, text, attributes) {
  const row = Object.assign(document.createElement("div"), { className: "slider" });
  const label = Object.assign(document.createElement("label"), { htmlFor: id, textContent: text });
  const input = Object.assign(document.createElement("input"), { type: "range", id, ...attributes });
  const output = document.createElement("output");
  output.htmlFor = id;
  output.setAttribute("aria-live", "off");
  row.append(label, input, output);
  return row;
}

/** Calls `send` whenever a valid control of the form changes. An invalid seed is explained below it. */
export function whenChanged(form, send) {
  form.addEventListener("submit", (event) => event.preventDefault());
  form.addEventListener("input", () => {
    const valid = form.checkValidity();
    const problem = $(".problem", form);
    if (problem) say(problem, valid ? "" : "Give a whole number from 0 to 2147483647; until then the pictures stay.");
    if (valid) send();
  });
  $(".another", form)?.addEventListener("click", () => {
    form.elements.seed.value = randomSeed();
    form.dispatchEvent(new Event("input"));
  });
}

/**
 * Makes a button play a slider from end to end and back until it is pressed again or a picture fails.
 *
 * `choose()` gives the slider; `send()` asks for the picture of its value and promises false if there is none. The next
 * value waits for that promise, so no model is asked faster than it answers.
 */
export function player(button, choose, send) {
  let playing = null;
  const stop = () => {
    playing = null;
    button.textContent = "Play";
  };
  stop();
  button.addEventListener("click", async () => {
    if (playing) return stop();
    const input = choose();
    if (!input) return;
    const run = (playing = {});
    button.textContent = "Stop";
    const [low, high] = [Number(input.min), Number(input.max)];
    let step = (high - low) / 40;
    while (playing === run && button.offsetParent) {
      const next = Number(input.value) + step;
      if (next > high || next < low) step = -step;
      input.value = Math.min(high, Math.max(low, next));
      mark(input);
      if ((await send()) === false) break;
      await new Promise((done) => setTimeout(done, 40));
    }
    if (playing === run) stop(); // the panel was left, or a picture failed
  });
}
