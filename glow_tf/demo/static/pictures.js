/* Showing pictures enlarged by whole factors, and saving what is shown under a name that says what it is. */

export const model = {};

/** A transparent picture. */
const NOTHING = "data:image/gif;base64,R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7";

/** The width at which a picture is shown: near `target`, and a whole multiple of its own if it is smaller. */
export function shownWidth(target) {
  const width = model.image_shape[1];
  return width > target ? target : Math.floor(target / width) * width;
}

/** Fills `box` with one <img> per URL, reusing those that are there; those `outside` are no pictures and say so. */
export function fill(box, urls, alt, target, outside = []) {
  for (const other of [...box.children]) if (other.tagName !== "IMG") other.remove();
  while (box.children.length > urls.length) box.lastElementChild.remove();
  while (box.children.length < urls.length) box.append(new Image());
  urls.forEach((url, i) => {
    const image = box.children[i];
    const name = urls.length > 1 ? `${alt} ${i + 1}` : alt;
    image.classList.toggle("outside", outside.includes(i));
    image.src = outside.includes(i) ? NOTHING : url;
    image.alt = outside.includes(i) ? `${name}: no picture` : name;
  });
  if (target) box.style.setProperty("--tile", `${shownWidth(target)}px`);
}

/** Keeps the place of `count` pictures that are still to come. */
export function reserve(box, count, target) {
  const hole = () => Object.assign(document.createElement("span"), { className: "hole" });
  box.replaceChildren(...Array.from({ length: count }, hole));
  if (target) box.style.setProperty("--tile", `${shownWidth(target)}px`);
}

/** A sentence on pictures that are left out of an answer, or "". */
export function explainOutside({ images, outside }) {
  if (!outside.length) return "";
  const which = images.length > 1 ? `${outside.length} of ${images.length} are left out` : "The picture is left out";
  return `${which}: the model decodes to values far outside the range of a picture.`;
}

export const smooth = document.getElementById("smooth");

/** What `access(localStorage)` returns, or null where the browser keeps no data of sites, so that the access throws. */
function withStorage(access) {
  try {
    return access(localStorage);
  } catch {
    return null;
  }
}

function remember() {
  document.documentElement.classList.toggle("smooth", smooth.checked);
  withStorage((storage) => storage.setItem("smooth", smooth.checked ? "1" : ""));
}

smooth.checked = Boolean(withStorage((storage) => storage.getItem("smooth")));
smooth.addEventListener("change", remember);
remember();

/** Makes a button save the pictures in `box`; `offer(columns, name)` says what they are, whenever they change. */
export function saver(button, box) {
  let [columns, name] = [1, ""];
  button.disabled = true;
  button.addEventListener("click", () => save([...box.querySelectorAll("img")], columns, name));
  return (...shown) => {
    [columns, name] = shown;
    button.disabled = false;
  };
}

/** Saves <img> elements as one PNG, row by row, enlarged by a whole factor, smooth or not as on the page. */
async function save(shown, columns, name) {
  // Copies, lest a newer answer changes the pictures between here and the drawing.
  const images = shown.map((image) => Object.assign(new Image(), { src: image.src }));
  await Promise.all(images.map((image) => image.decode()));
  const [height, width] = model.image_shape;
  const factor = Math.max(1, Math.round((images.length > 1 ? 128 : 512) / Math.max(height, width)));
  const gap = images.length > 1 ? 4 : 0;
  const canvas = document.createElement("canvas");
  const rows = Math.ceil(images.length / columns);
  canvas.width = Math.min(columns, images.length) * (width * factor + gap) - gap;
  canvas.height = rows * (height * factor + gap) - gap;
  const context = canvas.getContext("2d");
  context.fillStyle = "white";
  context.fillRect(0, 0, canvas.width, canvas.height);
  context.imageSmoothingEnabled = smooth.checked;
  context.imageSmoothingQuality = "high";
  images.forEach((image, i) => {
    const x = (i % columns) * (width * factor + gap);
    const y = Math.floor(i / columns) * (height * factor + gap);
    context.drawImage(image, x, y, width * factor, height * factor);
  });
  const link = document.createElement("a");
  link.href = URL.createObjectURL(await new Promise((done) => canvas.toBlob(done, "image/png")));
  link.download = `glow-${name.replace(/[^\w.+-]+/g, "-").slice(0, 150)}.png`;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}
