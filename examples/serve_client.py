"""Send image files to an exported Glow: `python examples/serve_client.py SAVED_MODEL A.png B.jpg`.

It prints the bits/dim of each image and writes what the model decodes from its latents to `FILE.decoded.png` beside it.
Images of another size are resized and cropped to the model's. It needs TensorFlow alone, not glow_tf. TensorFlow does
not read EXIF data: a photograph that is rotated by them is sent as it lies in the file, unlike in glow_tf.
"""

import sys

import tensorflow as tf


def load(folder):
    """Return the signatures of a SavedModel and the shape `[H, W, C]` of its images."""
    try:
        signatures = tf.saved_model.load(folder).signatures
        shape = signatures["reconstruct"].structured_outputs["images"].shape[1:]
    except (OSError, KeyError) as error:
        sys.exit(f"expected an exported Glow (python -m glow_tf.export RUN {folder}): {str(error).splitlines()[0]}")
    if "labels" in signatures["reconstruct"].structured_input_signature[1]:
        sys.exit(f"{folder} is a conditional model, which takes a label for each image; this example sends none.")
    return signatures, shape.as_list()


def read(file, shape):
    """Read an image file as uint8 `[H, W, C]`: the shorter side resized, the center cropped where it does not fit."""
    height, width, channels = shape
    try:
        # BMP and GIF are decoded in color alone.
        image = tf.io.decode_image(tf.io.read_file(file), 3 if channels == 1 else channels, expand_animations=False)
    except tf.errors.OpError as error:
        sys.exit(f"{file} cannot be read as an image: {error.message.splitlines()[0]}")
    if channels == 1:
        image = tf.image.rgb_to_grayscale(image)
    if image.shape[:2] == [height, width]:
        return image
    print(f"{file}: resized and cropped from {image.shape[0]}x{image.shape[1]} to the model's {height}x{width}")
    scale = max(height / image.shape[0], width / image.shape[1])
    size = [max(height, round(image.shape[0] * scale)), max(width, round(image.shape[1] * scale))]
    resized = tf.image.resize(image, size, method="area")
    cropped = tf.image.resize_with_crop_or_pad(resized, height, width)
    return tf.cast(tf.round(cropped), tf.uint8)


def main(arguments):
    """Send the files in the words of a command line."""
    if len(arguments) < 2:
        sys.exit("expected SAVED_MODEL and at least one image file.")
    folder, *files = arguments
    signatures, shape = load(folder)
    images = tf.stack([read(file, shape) for file in files])
    bits = signatures["bits_per_dim"](images=images, seed=tf.constant([0, 0]))["bits_per_dim"]
    decoded = signatures["reconstruct"](images=images)["images"]
    for file, b, image in zip(files, bits, decoded, strict=True):
        out = f"{file}.decoded.png"
        tf.io.write_file(out, tf.io.encode_png(image))
        print(f"{file}: {float(b):.3f} bits/dim, decoded again in {out}")


if __name__ == "__main__":
    main(sys.argv[1:])
