"""Test that files which commit fae9002 wrote are still read, in a process that imports `glow_tf` alone.

`tests/stored/fae9002.tar.xz` was written by `tests/stored/make_stored_files.py` at that commit: run folders (one of
them stopped midway), Keras's files, an export, directions, latents, an imported checkpoint, and the numbers that belong
to them.
"""

import json
import shutil
import subprocess
import sys
import tarfile

import numpy as np
import pytest
import tensorflow as tf

from glow_tf import Glow, WarmUp
from glow_tf.config import ModelConfig
from glow_tf.optimizers import Adamax
from helpers.commands import ROOT, call_train, environment, largest_difference, weights

ARCHIVE = ROOT / "tests" / "stored" / "fae9002.tar.xz"

FRESH_PROCESS = """
import json
import pathlib
import sys

import glow_tf  # alone: everything below is found after this import
import keras
import numpy as np

folder = pathlib.Path(sys.argv[1])
expected = dict(np.load(folder / "expected.npz"))
images, noise, labels = (expected[k] for k in ("images", "noise", "labels"))
differences = {}


def compare(name, value, key=None):
    value, stored = np.asarray(value, np.float64), np.asarray(expected[key or name], np.float64)
    assert value.shape == stored.shape, (name, value.shape, stored.shape)
    differences[name] = float(np.max(np.abs(value - stored)))


def compare_glow(name, model):
    used = labels if model.config.classes else None
    compare(f"{name}/bits_per_dim", model.bits_per_dim(images, used, noise=noise))
    samples = np.asarray(model.sample(2, 0.7, None if used is None else used[:2], seed=5), int)
    differences[f"{name}/sample"] = float(np.mean(np.abs(samples - expected[f"{name}/sample"]) > 0))


for run in ("1x1", "lu", "shuffle", "conditional"):
    for kind in ("raw", "average"):
        name = f"runs/{run}/{kind}"
        compare_glow(name, glow_tf.load_model(folder / "runs" / run, ema=kind == "average"))
model = glow_tf.load_model(folder / "runs" / "imported")
inputs = expected["imported/images"], labels % 3
compare("imported/bits_per_dim", model.bits_per_dim(*inputs, noise=expected["imported/noise"]))

model = keras.saving.load_model(folder / "conditional.keras")
compare_glow("conditional.keras", model)
model.fit(images, labels, batch_size=3, epochs=1, verbose=0)
compare_glow("conditional.keras fitted on", model)

model = glow_tf.Glow(glow_tf.Run.open(folder / "runs" / "1x1").experiment().model)
model.load_weights(folder / "1x1.weights.h5")
compare("1x1.weights.h5", model.bits_per_dim(images, noise=noise), "runs/1x1/raw/bits_per_dim")

model = keras.saving.load_model(folder / "functional.keras")
z, log_det = model(expected["functional/x"])
compare("functional/z", z)
compare("functional/log_det", log_det)
for variable in model.trainable_variables:
    variable.assign(0 * variable)
model.load_weights(folder / "functional.weights.h5")
compare("functional.weights.h5", model(expected["functional/x"])[0], "functional/z")

from glow_tf.attributes import load_attributes
from glow_tf.latents import load_latents

model = glow_tf.load_model(folder / "runs" / "1x1")
compare("attributes/directions", load_attributes(folder / "attributes.npz", 64).directions)
for i, eps in enumerate(load_latents(folder / "z.npy", model)):
    differences[f"z.npy/{i}"] = float(np.max(np.abs(eps - model.encode(images)[i])))
print(json.dumps(differences))
"""


@pytest.fixture(scope="module")
def stored(tmp_path_factory):
    """Unpack the stored files; tests must not change them."""
    folder = tmp_path_factory.mktemp("stored")
    with tarfile.open(ARCHIVE) as archive:
        archive.extractall(folder)
    return folder


@pytest.fixture(scope="module")
def differences(stored):
    """Return how far the numbers of the loaded files are from those that were stored with them, by name."""
    command = [sys.executable, "-c", FRESH_PROCESS, str(stored)]
    done = subprocess.run(command, env=environment(PYTHONPATH=str(ROOT)), capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


@pytest.mark.slow
def test_every_stored_file_gives_its_numbers_in_a_fresh_process(differences):
    assert len(differences) == 28, "every file has its numbers"
    bounds = {name: 0.02 if "sample" in name else 1e-4 for name in differences}
    largest = {name: value for name, value in differences.items() if not value <= bounds[name]}  # NaN is not below it
    assert not largest


@pytest.mark.slow
def test_stored_export_is_served(stored):
    signatures = tf.saved_model.load(str(stored / "export")).signatures
    images = np.zeros((2, 2, 2, 1), np.uint8)
    assert signatures["encode"](images=tf.constant(images))["eps_0"].shape == (2, 1, 1, 4)
    np.testing.assert_array_equal(signatures["reconstruct"](images=tf.constant(images))["images"], images)


@pytest.mark.slow
def test_stored_run_that_was_stopped_midway_ends_in_the_weights_of_the_whole_run(stored, tmp_path):
    run = tmp_path / "run"
    shutil.copytree(stored / "runs" / "conditional_stopped", run)
    rows = (run / "metrics.csv").read_text().splitlines()
    assert len(rows) == 2, "a header and one of two epochs"
    call_train("--run-dir", run)
    for kind in ("last", "last_average"):
        difference = largest_difference(weights(run, kind), weights(stored / "runs" / "conditional", kind))
        assert difference < 1e-5, kind


@pytest.mark.parametrize(
    ("permutation", "coupling", "classes"), [("1x1", "affine", 0), ("lu", "additive", 0), ("shuffle", "affine", 3)]
)
def test_initial_weights_and_their_order_are_as_stored(stored, permutation, coupling, classes):
    expected = np.load(stored / "expected.npz")
    config = ModelConfig(
        image_shape=(8, 8, 3),
        levels=2,
        depth=2,
        width=4,
        permutation=permutation,
        coupling=coupling,
        classes=classes,
        weight_y=0.1 if classes else 0.0,
        init_seed=7,
    )
    model, optimizer = Glow(config), Adamax(WarmUp(1e-3, 2.0))
    optimizer.build(model.trainable_variables)
    order = json.loads(str(expected[f"order/{permutation}"]))
    assert [v.path.split("/", 1)[1] for v in model.variables] == order["variables"]
    assert [v.path.split("/", 1)[1] for v in model.trainable_variables] == order["trainable"]
    assert [v.path.split("/", 1)[1] for v in optimizer.variables] == order["optimizer"]
    for i, variable in enumerate(model.variables):
        value, target = variable.numpy(), expected[f"initial/{permutation}/{i:03d}"]
        if "/permutation/" in variable.path and value.dtype == np.float32:
            # A QR or LU decomposition may round otherwise on another processor.
            np.testing.assert_allclose(value, target, rtol=0, atol=1e-5, err_msg=variable.path)
        elif value.dtype == np.float32:
            # Bit for bit on one processor; logarithm and sine in a normal number may end in other bits on another.
            np.testing.assert_array_max_ulp(value, target, maxulp=8)
        else:
            np.testing.assert_array_equal(value, target, err_msg=variable.path)
