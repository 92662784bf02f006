/* Showing pictures enlarged by whole factors, and saving what is shown. */

export const model = {};

/** The width at which a picture is shown: near `target`, and a whole multiple of its own if it is smaller. */
export function shownWidth(target) {
  const width = model.image_shape[1];
  return width > target ? target : Math.floor(target / width) * width;
}

/** Fills `box` with one <img> per URL, reusing those that are there. */
export function fill(box, urls, alt, target) {
  while (box.children.length > urls.length) box.lastElementChild.remove();
  while (box.children.length < urls.length) box.append(new Image());
  urls.forEach((url, i) => {
    const image = box.children[i];
    image.src = url;
    image.alt = urls.length > 1 ? `${alt} ${i + 1}` : alt;
  });
  if (target) box.style.setProperty("--tile", `${shownWidth(target)}px`);
}

export const smooth = document.getElementById("smooth");

function remember() {
  document.documentElement.classList.toggle("smooth", smooth.checked);
  localStorage.setItem("smooth", smooth.checked ? "1" : "");
}

smooth.checked = Boolean(localStorage.getItem("smooth"));
smooth.addEventListener("change", remember);
remember();

/** Saves <img> elements as one PNG, row by row, enlarged as they are on the page. */
export async function download(images, columns, name) {
  images = [...images].filter((image) => image.src);
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
  link.download = `${name}.png`;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}
