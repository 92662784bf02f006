"""Write the stored files of `tests/stored/fae9002` with the code of that commit.

Run it in a checkout of commit fae9002: `python make_stored_files.py OUT`. It is kept to show how they were made; later
code reads them (`tests/test_stored_files.py`) and never writes them again.
"""

import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import time

os.environ["CUDA_VISIBLE_DEVICES"] = "-1"

import keras
import numpy as np

import glow_tf
from glow_tf.attributes import difference_of_means
from glow_tf.config import ModelConfig
from glow_tf.export import export
from glow_tf.latents import flatten_latents, save_latents
from glow_tf.training.schedule import WarmUp

OUT = pathlib.Path(sys.argv[1]).resolve()
TRAIN = (
    "--levels 2 --width 4 --batch-size 16 --epoch-steps 4 --epochs 2 --warmup-steps 2 --init-images 32 --devices cpu "
    "--keep-checkpoints 1"
).split()
RUNS = {
    "1x1": ["--depth", "2"],
    "lu": ["--depth", "1", "--permutation", "lu", "--optimizer", "adam"],
    "shuffle": ["--depth", "1", "--permutation", "shuffle", "--coupling", "additive"],
    "conditional": ["--depth", "1", "--preset", "digits_conditional"],
}
rng = np.random.default_rng(0)
IMAGES = rng.integers(0, 256, (3, 8, 8, 1), np.uint8)
NOISE = rng.random(IMAGES.shape, np.float32)
LABELS = np.array([0, 3, 9], np.int32)
numbers = {"images": IMAGES, "noise": NOISE, "labels": LABELS}


def train(name, *options, folder):
    command = [sys.executable, "train.py", *TRAIN, *RUNS[name], "--run-dir", str(folder), *options]
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def bits(model, prefix):
    labels = LABELS if model.config.classes else None
    numbers[f"{prefix}/bits_per_dim"] = model.bits_per_dim(IMAGES, labels, noise=NOISE).numpy()
    numbers[f"{prefix}/sample"] = model.sample(2, 0.7, labels[:2] if labels is not None else None, seed=5).numpy()


def slim(run):
    for part in ("pictures", "tensorboard", "evaluation"):
        shutil.rmtree(run / part, ignore_errors=True)


shutil.rmtree(OUT, ignore_errors=True)
for name in RUNS:
    assert train(name, folder=OUT / "runs" / name).wait() == 0
    for average in (False, True):
        bits(glow_tf.load_model(OUT / "runs" / name, average=average), f"runs/{name}/{'average' if average else 'raw'}")

# A run that a signal stopped in its second epoch; the whole run "conditional" says where it must end.
stopped = OUT / "runs" / "conditional_stopped"
process = train("conditional", "--epoch-steps", "4", folder=stopped)
while not (stopped / "metrics.csv").is_file():
    time.sleep(0.01)
process.send_signal(signal.SIGINT)
assert process.wait() == 128 + signal.SIGINT, "it had finished already"
for run in (OUT / "runs").iterdir():
    slim(run)
shutil.rmtree(OUT / "runs" / "conditional" / "checkpoints")
shutil.rmtree(OUT / "runs" / "lu" / "checkpoints")

# Keras's files.
model = glow_tf.load_model(OUT / "runs" / "conditional")
model.compile(glow_tf.Adamax(WarmUp(1e-3, 2.0), beta2=0.99))
model.fit(IMAGES, LABELS, batch_size=3, epochs=2, verbose=0)
model.save(OUT / "conditional.keras")
bits(model, "conditional.keras")
model.fit(IMAGES, LABELS, batch_size=3, epochs=1, verbose=0)
bits(model, "conditional.keras fitted on")
model = glow_tf.load_model(OUT / "runs" / "1x1")
model.save_weights(OUT / "1x1.weights.h5")

network = keras.Sequential([keras.layers.Dense(8, activation="tanh"), keras.layers.Dense(4)], name="mine")
chain = glow_tf.Serial([glow_tf.Actnorm(), glow_tf.InvertibleConv1x1(seed=1)], name="chain")
inputs = keras.Input((4,))
h, log_det_1 = glow_tf.Actnorm()(inputs)
h, log_det_2 = chain(h)
h, log_det_3 = glow_tf.Coupling(network=network)(h)
functional = keras.Model(inputs, [h, log_det_1 + log_det_2 + log_det_3])
for variable in functional.trainable_variables:
    variable.assign_add(0.1 * rng.normal(size=variable.shape))
x = rng.normal(size=(3, 4)).astype("float32")
numbers["functional/x"], (numbers["functional/z"], numbers["functional/log_det"]) = (
    x,
    (v.numpy() for v in functional(x)),
)
functional.save(OUT / "functional.keras")
functional.save_weights(OUT / "functional.weights.h5")

# An export, directions, latents, an import.
export(glow_tf.Glow(ModelConfig(image_shape=(2, 2, 1), levels=1, depth=1, width=2)), OUT / "export")
model = glow_tf.load_model(OUT / "runs" / "1x1")
eps = [e.numpy() for e in model.encode(IMAGES)]
save_latents(OUT / "z.npy", eps)
difference_of_means(flatten_latents(eps), np.array([[True], [False], [True]]), ("bright",)).save(OUT / "attributes.npz")
numbers["attributes/directions"] = np.load(OUT / "attributes.npz")["directions"]
case = pathlib.Path("tests/parity/case5_affine_1x1_ycond")
golden = np.load(case / "golden.npz")
command = [sys.executable, "-m", "glow_tf.openai", str(case / "ckpt" / "model.ckpt"), str(OUT / "runs" / "imported")]
size = golden["x"].shape[1]
subprocess.run([*command, "--bits", "8", "--image-size", str(size)], check=True, stdout=subprocess.DEVNULL)
shutil.rmtree(OUT / "runs" / "imported" / "checkpoints")
model = glow_tf.load_model(OUT / "runs" / "imported")
numbers["imported/images"] = golden["x"][:3]
numbers["imported/noise"] = rng.random(golden["x"][:3].shape, np.float32)
numbers["imported/bits_per_dim"] = model.bits_per_dim(
    golden["x"][:3], LABELS % 3, noise=numbers["imported/noise"]
).numpy()

# Initial weights by seed, and the order of variables and of the optimizer's.
for permutation, coupling, classes in (("1x1", "affine", 0), ("lu", "additive", 0), ("shuffle", "affine", 3)):
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
    model = glow_tf.Glow(config)
    optimizer = glow_tf.Adamax(WarmUp(1e-3, 2.0))
    optimizer.build(model.trainable_variables)
    for i, variable in enumerate(model.variables):
        numbers[f"initial/{permutation}/{i:03d}"] = variable.numpy()
    order = {
        "variables": [v.path.split("/", 1)[1] for v in model.variables],
        "trainable": [v.path.split("/", 1)[1] for v in model.trainable_variables],
        "optimizer": [v.path.split("/", 1)[1] for v in optimizer.variables],
    }
    numbers[f"order/{permutation}"] = np.array(json.dumps(order))
np.savez_compressed(OUT / "expected.npz", **numbers)
