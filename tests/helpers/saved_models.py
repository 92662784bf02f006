"""Call SavedModels where nothing but TensorFlow can be imported, and compare their numbers with the model's."""

import subprocess
import sys

import numpy as np

from glow_tf.interpolation import interpolate
from helpers.commands import ROOT, environment

CALL_SIGNATURES = """
import sys
from importlib.machinery import PathFinder

FOREIGN = ("glow_tf", "keras", "tf_keras", "tensorflow_probability")

class Others(PathFinder):
    @classmethod
    def find_spec(cls, name, path=None, target=None):
        return None if name.split(".")[0] in FOREIGN else super().find_spec(name, path, target)

sys.meta_path[sys.meta_path.index(PathFinder)] = Others  # before TensorFlow, which imports Keras where it finds it

import runpy

import numpy as np
import tensorflow as tf

client, out, image, *folders = sys.argv[1:]
runpy.run_path(client)["main"]([folders[0], out, image])
tf.config.optimizer.set_experimental_options({"disable_meta_optimizer": True})  # the client has called with it
for folder in folders:
    all_inputs = dict(np.load(f"{folder}.in.npz"))
    signatures = tf.saved_model.load(folder).signatures
    outputs = {}
    for key in sorted({k.split("/")[0] for k in all_inputs}):
        inputs = {k.split("/")[1]: tf.constant(v) for k, v in all_inputs.items() if k.startswith(key + "/")}
        for name, value in signatures[key](**inputs).items():
            outputs[f"{key}/{name}"] = value.numpy()
    np.savez(f"{folder}.out.npz", **outputs)
assert not [m for m in sys.modules if m.split(".")[0] in FOREIGN]
"""


def call_in_process_without_packages(inputs, image):
    """Call the signatures of SavedModels with `{folder: {signature/input: array}}` in a process without our packages,
    after the example client, which sends an image file to the first; return the outputs, `{folder: {signature/output:
    array}}`, and what the client printed."""
    for folder, arrays in inputs.items():
        np.savez(f"{folder}.in.npz", **arrays)
    client, out = ROOT / "examples" / "serve_client.py", image.parent / "decoded"
    command = [sys.executable, "-c", CALL_SIGNATURES, client, out, image, *inputs]
    done = subprocess.run([*map(str, command)], env=environment(), cwd=image.parent, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "custom gradients" not in done.stderr, "what only training needs was exported"
    return {folder: dict(np.load(f"{folder}.out.npz")) for folder in inputs}, done.stdout


def make_inputs(model):
    """Return inputs of all signatures of an export of a model, `{signature/input: array}`."""
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (5, 8, 8, 1), np.uint8)
    seed = np.array([3, 4], np.int32)
    inputs = {
        "bits_per_dim/images": images,
        "bits_per_dim/seed": seed,
        "log_prob/images": images,
        "log_prob/seed": seed,
        "encode/images": images,
        **{f"decode/eps_{i}": e.numpy() for i, e in enumerate(model.sample_latents(5, 0.8, seed=1))},
        "sample/count": np.int32(5),
        "sample/temperature": np.float32(0.7),
        "sample/seed": seed,
        "reconstruct/images": images,
        "interpolate/first": images[:2],
        "interpolate/second": images[2:4],
        "interpolate/steps": np.int32(4),
    }
    if model.config.classes:
        labels = np.arange(5, dtype=np.int32)
        inputs.update({f"{key}/labels": labels for key in {k.split("/")[0] for k in inputs}})
        inputs["interpolate/labels"] = labels[:2]
    return inputs


def check_numbers(model, inputs, outputs):
    """Compare the outputs of the SavedModel with those of the model in this process."""
    images, labels, seed = (inputs.get(name) for name in ("encode/images", "encode/labels", "sample/seed"))
    eps = [inputs[f"decode/eps_{i}"] for i in range(len(model.latent_shapes))]
    bits = model.bits_per_dim(images, labels, seed=seed)
    np.testing.assert_allclose(outputs["bits_per_dim/bits_per_dim"], bits, rtol=0, atol=1e-5)
    np.testing.assert_allclose(outputs["log_prob/log_prob"], model.log_prob(images, labels, seed=seed), rtol=1e-5)
    for i, e in enumerate(model.encode(images, labels)):
        np.testing.assert_allclose(outputs[f"encode/eps_{i}"], e, atol=2e-4)
    np.testing.assert_allclose(outputs["decode/x"], model.flow.decode(eps, labels)[0], rtol=0, atol=2e-4)
    assert_same_images(outputs["decode/images"], model.decode(eps, labels))
    assert_same_images(outputs["sample/images"], model.sample(5, 0.7, labels, seed=seed))
    drawn = model.flow.decode(model.sample_latents(5, 0.7, seed=seed), labels)[0]
    np.testing.assert_allclose(outputs["sample/x"], drawn, rtol=0, atol=2e-4)
    np.testing.assert_array_equal(outputs["reconstruct/images"], images // 16 * 16)
    np.testing.assert_allclose(outputs["reconstruct/x"], model.dequantize(images, noise=0.5), rtol=0, atol=2e-4)
    first_labels = None if labels is None else labels[:2]
    interpolated = interpolate(model, images[:2], images[2:4], 4, first_labels)
    assert interpolated.shape == (2, 4, 8, 8, 1) and np.any(interpolated[:, 1] != interpolated[:, 0])
    assert_same_images(outputs["interpolate/images"], interpolated)
    np.testing.assert_array_equal(interpolated[:, 0], images[:2] // 16 * 16)


def assert_same_images(images, expected):
    difference = np.abs(images.astype(int) - np.asarray(expected))
    assert difference.max() <= 16 and np.mean(difference > 0) <= 0.005, "4 bits: one level is 16"
