"""Send image files to an exported Glow: `python examples/serve_client.py SAVED_MODEL OUT A.png B.jpg`.

It prints the bits/dim of each image and writes what the model decodes from its latents into the folder OUT, not beside
the image, where a training would read it too. Images are read as glow_tf reads them: upright by their EXIF data,
transparent pixels on white, and of another size than the model's resized and cropped. It needs TensorFlow and Pillow,
not glow_tf.
"""

import pathlib
import sys

import numpy as np
import tensorflow as tf
from PIL import Image, ImageOps


def load(folder):
    """Return the signatures of a SavedModel and the shape `[H, W, C]` of its images."""
    try:
        signatures = tf.saved_model.load(folder).signatures
        shape = signatures["reconstruct"].structured_outputs["images"].shape[1:]
    except (OSError, KeyError) as error:
        sys.exit(f"expected an exported Glow (python -m glow_tf.export RUN {folder}): {str(error).splitlines()[0]}")
    if "labels" in signatures["reconstruct"].structured_input_signature[1]:
        sys.exit(f"{folder} is a conditional model, which takes a label for each image; this example sends none.")
    if shape[-1] not in (1, 3):
        sys.exit(f"expected a model of gray or RGB images, that in {folder} takes {shape[-1]} channels.")
    return signatures, shape.as_list()


def read(file, shape):
    """Read an image file as uint8 `[H, W, C]`: the shorter side resized, the center cropped where it does not fit."""
    height, width, channels = shape
    try:
        with Image.open(file) as opened:
            opened.filename = ""  # else Pillow maps the file, which garbles gray TIFFs that EXIF data rotate
            image = ImageOps.exif_transpose(opened)
            if image.mode.startswith(("I", "F")):
                raise ValueError("its gray pixels have more than 8 bits; save it with 8")
            image = image.convert("RGBA")
    except Exception as error:  # Pillow raises many kinds for damaged files
        sys.exit(f"{file} cannot be read as an image: {error}")
    image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
    image = image.convert("L" if channels == 1 else "RGB")
    if image.size != (width, height):
        print(f"{file}: resized and cropped from {image.height}x{image.width} to the model's {height}x{width}")
        image = ImageOps.fit(image, (width, height), Image.Resampling.BOX)
    return np.asarray(image).reshape(shape)


def main(arguments):
    """Send the files in the words of a command line."""
    if len(arguments) < 3:
        sys.exit("expected SAVED_MODEL, OUT (a folder for what it decodes) and at least one image file.")
    folder, out, *files = arguments
    signatures, shape = load(folder)
    images = tf.constant(np.stack([read(file, shape) for file in files]))
    try:
        pathlib.Path(out).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        sys.exit(f"expected OUT to be a folder to write into: {error}")
    bits = signatures["bits_per_dim"](images=images, seed=tf.constant([0, 0]))["bits_per_dim"]
    decoded = signatures["reconstruct"](images=images)["images"]
    for number, (file, b, image) in enumerate(zip(files, bits, decoded, strict=True), 1):
        path = f"{out}/{number}_{pathlib.Path(file).stem}.png"
        tf.io.write_file(path, tf.io.encode_png(image))
        print(f"{file}: {float(b):.3f} bits/dim, decoded again in {path}")


if __name__ == "__main__":
    main(sys.argv[1:])
