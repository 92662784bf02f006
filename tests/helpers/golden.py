"""Read the stored arrays of the original code (tests/parity/README.md), and load its weights into a `Glow`.

"The original code" is defined in `glow_tf.convert.openai_glow`.
"""

import dataclasses
import functools
import json
import pathlib

import numpy as np

from glow_tf.config import ModelConfig
from glow_tf.convert.openai_glow import original_names
from glow_tf.model import Glow

PARITY_FOLDER = pathlib.Path(__file__).parents[1] / "parity"
FORWARD_CASES = (
    "case1_affine_1x1",
    "case2_additive_1x1_5bit",
    "case3_affine_shuffle",
    "case4_additive_reverse",
    "case5_affine_1x1_ycond",
    "case6_affine_lu",
)
TRAINING_CASES = ("case7_train_adamax", "case7_train_adam")


class Case:
    """One case of the original code: its arrays by name, its configuration, and models with its weights."""

    def __init__(self, name):
        self.name = name
        self.golden = dict(np.load(PARITY_FOLDER / name / "golden.npz", allow_pickle=False))
        self.hps = json.loads(str(self.golden["hps"]))
        self.trainable_names = self.names("trainable_names")

    def __getitem__(self, key):
        return self.golden[key]

    def __contains__(self, key):
        return key in self.golden

    def names(self, key):
        """Return a stored list of names."""
        return json.loads(str(self[key]))

    @functools.cached_property
    def ddi(self):
        """Read the arrays of the data-dependent initialization."""
        return dict(np.load(PARITY_FOLDER / self.name / "ddi.npz", allow_pickle=False))

    @property
    def checkpoint(self):
        """Return the prefix of the stored checkpoint."""
        return PARITY_FOLDER / self.name / "ckpt" / "model.ckpt"

    @property
    def config(self):
        """Return the `ModelConfig` of the case."""
        return model_config(self.hps)

    @property
    def labels(self):
        """Return the stored labels, or None for an unconditional model."""
        return self["y"] if self.hps["ycond"] else None

    @property
    def noise(self):
        """Return the stored noise as `Glow` takes it, in [0, 1): the original code divides it by the number of bins."""
        return self["noise"] * np.float32(self.hps["n_bins"])

    def eps(self, prefix="eps"):
        """Return the latents stored under `prefix`, finest level first."""
        return [self[f"{prefix}/{i}"] for i in range(self.hps["n_levels"])]

    def model(self, prefix="var/", arrays=None, **changes):
        """Return a `Glow` with the weights stored under `prefix`.

        Args:
            prefix: what precedes the original names.
            arrays: dictionary that holds them; None takes this case's.
            **changes: fields of the configuration that differ.
        """
        model = Glow(dataclasses.replace(self.config, **changes))
        load_variables(model, arrays or self.golden, prefix)
        return model


@functools.cache
def case(name):
    """Return the `Case` of a name, read once."""
    return Case(name)


def model_config(hps):
    """Convert the options `hps` of the original code to a `ModelConfig`."""
    convolution = "lu" if hps["lu_decomposed"] else "1x1"
    return ModelConfig(
        image_shape=(hps["image_size"], hps["image_size"], 3),
        bits=hps["n_bits_x"],
        levels=hps["n_levels"],
        depth=hps["depth"],
        width=hps["width"],
        permutation=("reverse", "shuffle", convolution)[hps["flow_permutation"]],
        coupling=("additive", "affine")[hps["flow_coupling"]],
        learn_top=hps["learntop"],
        classes=hps["n_y"] if hps["ycond"] else 0,
        weight_y=hps["weight_y"] if hps["ycond"] else 0.0,
    )


def load_variables(model, arrays, prefix):
    """Assign `arrays[prefix + original name]` to every variable; fail if an array or a variable is left over."""
    names = original_names(model)
    stored = {k.removeprefix(prefix) for k in arrays if k.startswith(prefix) and not k.endswith("indices_inverse")}
    assert stored == set(names), stored ^ set(names)
    for name, variable in names.items():
        variable.assign(arrays[prefix + name])


def assert_close(actual, expected, tolerance, name=""):
    """Check that the largest difference is at most `tolerance` times the largest entry."""
    actual, expected = np.asarray(actual), np.asarray(expected)
    assert actual.shape == expected.shape, f"{name}: {actual.shape} != {expected.shape}"
    error = np.max(np.abs(actual - expected)) / max(np.max(np.abs(expected)), 1e-30)
    assert error <= tolerance, f"{name}: off by {error:.2g} of the largest entry, allowed {tolerance:g}"
