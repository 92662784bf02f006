/* Wells, which hold the picture a panel works on, and the dialog that fills them. */

import { ask, notice } from "./live.js";
import { fill, model, shownWidth } from "./pictures.js";

const dialog = document.getElementById("chooser");
const file = dialog.querySelector("input[type=file]");
const label = dialog.querySelector("select[name=label]");
const error = dialog.querySelector(".error");
let open = null; // the well that the dialog is for

const url = (id) => `api/images/${encodeURIComponent(id)}`;

/** Sends an image file and returns its id on the server. */
async function upload(blob, cls = label.value) {
  if (blob.size > model.max_bytes) {
    // Checked here too, because a browser shows no answer that comes before it has sent everything.
    const size = Math.round(model.max_bytes / 1e6);
    throw new Error(`This file has more than ${size} MB; give one of at most ${size} MB.`);
  }
  const query = cls === "" ? "" : `?label=${cls}`;
  return (await ask(`api/images${query}`, { method: "POST", body: blob })).id;
}

export class Well {
  /** A button that shows a picture and opens the dialog; `changed()` is called for a new one. */
  constructor(box, changed) {
    this.id = null;
    this.changed = changed;
    this.button = document.createElement("button");
    this.button.type = "button";
    this.button.append(new Image(), Object.assign(document.createElement("span"), { textContent: "Choose …" }));
    this.button.setAttribute("aria-label", `${box.dataset.label}: choose another`);
    this.button.addEventListener("click", () => show(this));
    const caption = Object.assign(document.createElement("figcaption"), { textContent: box.dataset.label });
    box.append(this.button);
    box.after(caption);
    for (const kind of ["dragover", "dragleave", "drop"]) box.addEventListener(kind, (event) => this.drag(event));
  }

  get image() {
    return this.button.firstElementChild;
  }

  set(id) {
    this.id = id;
    this.image.src = url(id);
    this.image.alt = "";
    this.button.classList.add("full");
    this.changed();
  }

  async drag(event) {
    event.preventDefault();
    this.button.classList.toggle("over", event.type === "dragover");
    if (event.type !== "drop" || !event.dataTransfer.files.length) return;
    notice();
    try {
      this.set(await upload(event.dataTransfer.files[0]));
    } catch (problem) {
      notice(problem.message);
    }
  }
}

function show(well) {
  open = well;
  say("");
  file.value = "";
  const samples = [...document.querySelectorAll("#samples .sheet img")];
  const thumbs = document.getElementById("sample-thumbs");
  thumbs.replaceChildren(
    ...samples.map((image, i) =>
      thumb(image.src, `sample ${i + 1}`, async () => {
        const blob = await (await fetch(image.src)).blob();
        return upload(blob, model.classes.length ? (image.dataset.label ?? "0") : "");
      }),
    ),
  );
  thumbs.previousElementSibling.hidden = !samples.length;
  dialog.showModal();
}

function say(message) {
  error.textContent = message;
  error.hidden = !message;
}

/** Puts what `give()` promises into the well, or says why not. */
async function take(give) {
  const well = open;
  say("");
  dialog.setAttribute("aria-busy", "true");
  try {
    const id = await give();
    dialog.close();
    well.set(id);
    notice();
  } catch (problem) {
    say(problem.message);
  } finally {
    dialog.removeAttribute("aria-busy");
    file.value = ""; // so that the same file can be given again
  }
}

function thumb(src, alt, give) {
  const button = Object.assign(document.createElement("button"), { type: "button" });
  fill(button, [src], alt);
  button.addEventListener("click", () => take(give));
  return button;
}

/** Fills the dialog once the model is known. */
export function prepare() {
  const none = dialog.querySelector(".none");
  none.textContent = model.data_error ?? "";
  none.hidden = !model.data_error;
  dialog.style.setProperty("--tile", `${shownWidth(56)}px`);
  const thumbs = model.test_images.map((id, i) => thumb(url(id), `test image ${i + 1}`, async () => id));
  document.getElementById("test-thumbs").replaceChildren(...thumbs);
  file.addEventListener("change", () => file.files.length && take(() => upload(file.files[0])));
  // A click on what lies around the dialog closes it.
  dialog.addEventListener("click", (event) => event.target === dialog && dialog.close());
}
