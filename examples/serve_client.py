"""Send PNG files to an exported Glow: `python examples/serve_client.py SAVED_MODEL A.png B.png`.

It needs TensorFlow alone, not glow_tf.
"""

import pathlib
import sys

import tensorflow as tf

folder, *files = sys.argv[1:]
model = tf.saved_model.load(folder)
channels = model.signatures["reconstruct"].structured_outputs["images"].shape[-1]
images = tf.stack([tf.io.decode_png(tf.io.read_file(file), channels) for file in files])
bits = model.signatures["bits_per_dim"](images=images, seed=tf.constant([0, 0]))["bits_per_dim"]
decoded = model.signatures["reconstruct"](images=images)["images"]
for file, b, image in zip(files, bits, decoded, strict=True):
    out = pathlib.Path(file).with_suffix(".decoded.png")
    tf.io.write_file(str(out), tf.io.encode_png(image))
    print(f"{file}: {float(b):.3f} bits/dim, decoded again in {out}")
