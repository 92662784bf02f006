/* Wells, which hold the picture a panel works on, and the dialog that fills them. */

import { $, $$, randomSeed } from "./controls.js";
import { ask, fail, post } from "./live.js";
import { fill, model, shownWidth } from "./pictures.js";

const dialog = document.getElementById("chooser");
const file = $("input[type=file]", dialog);
const label = $("select[name=label]", dialog);
const progress = $(".progress", dialog);
const sending = progress.parentElement;
let open = null; // the well that the dialog is for
let taking = null; // the AbortController of the choice that the dialog waits for

const url = (id) => `api/images/${encodeURIComponent(id)}`;

/**
 * A picture to work on: its id on the server, its name in files, its description, its class in a conditional model, and
 * notes on what was changed.
 */
const testPicture = (i) => ({
  id: model.test_images[i],
  name: `test${i + 1}`,
  alt: model.test_names[i],
  label: model.test_labels[i] ?? "",
  notes: [],
});

/** Sends an image file and returns the picture; `signal` gives it up, so that the server need not keep it. */
export async function upload(blob, name, alt, cls, signal) {
  if (blob.size > model.max_bytes) {
    // Checked here too, because a browser shows no answer that comes before it has sent everything.
    const size = Math.round(model.max_bytes / 1e6);
    throw new Error(`This file has more than ${size} MB; give one of at most ${size} MB.`);
  }
  const query = cls === "" ? "" : `?label=${cls}`;
  const { id, notes } = await ask(`api/images${query}`, { method: "POST", body: blob, signal });
  return { id, name, alt, label: cls, notes };
}

const uploadFile = (own, signal) =>
  upload(own, `own-${own.name.replace(/\.\w+$/, "")}`, `your picture ${own.name}`, label.value, signal);

/** Draws a sample and returns the picture. */
async function draw(temperature, signal) {
  const seed = randomSeed();
  const cls = model.classes.length ? Math.floor(Math.random() * model.classes.length) : null;
  const { id } = await post("api/draw", { temperature, seed, label: cls }, { signal });
  const kind = cls === null ? "" : `-class-${model.classes[cls]}`;
  const name = `random${kind}-t${temperature}-seed${seed}`;
  const alt = `random ${model.noun}, temperature ${temperature}, seed ${seed}`;
  return { id, name, alt, label: cls ?? "", notes: [] };
}

export class Well {
  /**
   * A button that shows a picture and opens the dialog, and one that draws a picture at random.
   *
   * `changed()` is called for a new picture; `temperature()` gives that of the drawing.
   */
  constructor(box, changed, temperature = () => 0.7) {
    Object.assign(this, { box, changed, temperature, picture: null, figure: box.parentElement });
    const make = (tag, values) => Object.assign(document.createElement(tag), values);
    this.button = make("button", { type: "button" });
    this.button.append(new Image(), make("span"));
    this.nameButton("Choose a picture, or drop a file", box.dataset.label);
    this.button.addEventListener("click", () => show(this));
    const random = make("button", { type: "button", className: "random", textContent: `Random ${model.noun}` });
    random.setAttribute("aria-label", `${random.textContent} (${box.dataset.label})`);
    random.addEventListener("click", () => this.random());
    box.append(this.button);
    box.after(make("figcaption", { textContent: box.dataset.label }), random);
    this.notes = make("p", { className: "notes" });
    this.notes.setAttribute("role", "status");
    const stage = box.closest(".stage");
    stage.nextElementSibling.prepend(this.notes);
    this.failures = make("div", { className: "failures" });
    this.failures.setAttribute("role", "group");
    this.failures.setAttribute("aria-label", box.dataset.label);
    stage.append(this.failures);
    for (const kind of ["dragover", "dragleave", "drop"]) box.addEventListener(kind, (event) => this.drag(event));
  }

  get id() {
    return this.picture?.id;
  }

  /** Sets the text on the button, and its accessible name, which begins with that text and tells which button it is. */
  nameButton(text, which) {
    this.button.lastElementChild.textContent = text;
    this.button.setAttribute("aria-label", `${text} (${which})`);
  }

  set(picture) {
    this.picture = picture;
    this.taking?.abort();
    this.taking = null;
    fail(this.failures);
    this.figure.removeAttribute("aria-busy");
    const image = this.button.firstElementChild;
    image.src = url(picture.id);
    image.alt = "";
    this.nameButton("Change …", `${this.box.dataset.label}: ${picture.alt}`);
    this.button.classList.add("full");
    this.notes.textContent = picture.notes.join(" ");
    this.changed();
  }

  random() {
    return this.take("Drawing …", (signal) => draw(this.temperature(), signal));
  }

  drag(event) {
    event.preventDefault();
    this.button.classList.toggle("over", event.type === "dragover");
    const own = event.type === "drop" && event.dataTransfer.files[0];
    if (own) this.take(`Reading ${own.name} …`, (signal) => uploadFile(own, signal));
  }

  /** Puts the picture of `give(signal)` into the well, or says below the pictures why not. */
  async take(doing, give) {
    this.taking?.abort();
    const ticket = (this.taking = new AbortController());
    fail(this.failures);
    this.notes.textContent = doing;
    this.figure.setAttribute("aria-busy", "true");
    try {
      const picture = await give(ticket.signal);
      if (this.taking === ticket) this.set(picture); // else a newer one is on its way
    } catch (error) {
      if (this.taking !== ticket) return;
      this.notes.textContent = "";
      fail(this.failures, error, () => this.take(doing, give));
    } finally {
      if (this.taking === ticket) this.figure.removeAttribute("aria-busy");
    }
  }

  /** Starts with a test image, counted from the end if negative, or a random picture where there are none. */
  start(index) {
    const count = model.test_images.length;
    if (count) this.set(testPicture((index + count) % count));
    else this.random();
  }
}

function show(well) {
  open = well;
  fail(sending);
  const samples = $$("#samples .sheet img:not(.outside)");
  const thumbs = document.getElementById("sample-thumbs");
  thumbs.replaceChildren(
    ...samples.map((image) => {
      // Constants, because a newer answer may change the image while the dialog is open.
      const { src, alt } = image;
      const { file: name, label: cls = "" } = image.dataset;
      return thumb(src, alt, "Reading the sample …", async (signal) => {
        const blob = await (await fetch(src)).blob();
        return { ...(await upload(blob, name, alt, cls, signal)), notes: [] };
      });
    }),
  );
  thumbs.previousElementSibling.hidden = !samples.length;
  dialog.showModal();
}

/** Puts the picture of `give(signal)` into the well that is open, or says why not, unless the dialog is closed. */
async function take(doing, give) {
  const well = open;
  taking?.abort();
  const ticket = (taking = new AbortController());
  fail(sending);
  progress.textContent = doing;
  progress.hidden = !doing;
  sending.scrollIntoView({ block: "nearest" });
  dialog.setAttribute("aria-busy", "true");
  try {
    const picture = await give(ticket.signal);
    if (taking !== ticket) return; // the dialog was closed, or a newer choice is on its way
    dialog.close();
    well.set(picture);
  } catch (error) {
    if (taking !== ticket) return;
    fail(sending, error, () => take(doing, give));
    sending.scrollIntoView({ block: "nearest" });
  } finally {
    if (taking === ticket) stopWaiting();
  }
}

/** Makes the dialog wait for no choice any more, and the server work for none. */
function stopWaiting() {
  taking?.abort();
  taking = null;
  progress.hidden = true;
  dialog.removeAttribute("aria-busy");
  file.value = ""; // so that the same file can be given again
}

function thumb(src, alt, doing, give) {
  const button = Object.assign(document.createElement("button"), { type: "button" });
  fill(button, [src], alt);
  button.addEventListener("click", () => take(doing, give));
  return button;
}

/** Fills the dialog once the model is known. */
export function prepare() {
  const none = $(".none", dialog);
  none.textContent = model.data_error ?? "";
  none.hidden = !model.data_error;
  dialog.style.setProperty("--tile", `${shownWidth(64)}px`);
  const thumbs = model.test_images.map((id, i) => thumb(url(id), model.test_names[i], "", async () => testPicture(i)));
  document.getElementById("test-thumbs").replaceChildren(...thumbs);
  file.addEventListener("change", () => {
    const own = file.files[0];
    if (own) take(`Reading ${own.name} …`, (signal) => uploadFile(own, signal));
  });
  dialog.addEventListener("close", stopWaiting);
  // A click on what lies around the dialog closes it. The dialog is the target of clicks on its own padding, too.
  dialog.addEventListener("click", (event) => {
    const { left, right, top, bottom } = dialog.getBoundingClientRect();
    const [x, y] = [event.clientX, event.clientY];
    const inside = left <= x && x <= right && top <= y && y <= bottom;
    if (event.target === dialog && !inside) dialog.close();
  });
}
