"""Test that frozen graphs with the original names are imported, and that anything else in them is reported.

`test_parity.py` shows that a model with the original weights computes what the original does.
"""

import numpy as np
import pytest
import tensorflow as tf

from glow_tf.errors import ConversionError
from glow_tf.runs import Run
from helpers.golden import FORWARD_CASES, case
from helpers.openai_checkpoints import assert_weights, freeze, options, run_import, weights

SMALL = case("case2_additive_1x1_5bit")


@pytest.mark.parametrize("name", FORWARD_CASES)
def test_imported_frozen_graph_matches_the_original(name, tmp_path):
    golden = case(name)
    inputs = [("input/image", (None, *golden["x"].shape[1:])), ("Placeholder", (None, *golden.eps()[0].shape[1:]))]
    freeze(tmp_path / "graph.pb", weights(golden), inputs=inputs)
    run_import(tmp_path / "graph.pb", tmp_path / "run", *options(golden))
    run = Run.open(tmp_path / "run")
    assert run.experiment().model == golden.config
    assert_weights(run.model(), golden, "var/")


def assert_rejected(tmp_path, message, *more_options):
    with pytest.raises(ConversionError, match=message):
        run_import(tmp_path / "graph.pb", tmp_path / "run", *options(SMALL), *more_options)
    assert not (tmp_path / "run").exists()


def test_frozen_graph_with_missing_weights_is_rejected(tmp_path):
    freeze(tmp_path / "graph.pb", {n: v for n, v in weights(SMALL).items() if n != "model/pool0/conv/b"})
    assert_rejected(tmp_path, "1 missing: model/pool0/conv/b")


def test_frozen_graph_with_unknown_variables_is_rejected(tmp_path):
    freeze(tmp_path / "graph.pb", {**weights(SMALL), "model/attention/W": np.ones([4, 4], np.float32)})
    assert_rejected(tmp_path, "1 left over: model/attention/W")


def test_frozen_graph_with_unknown_constants_is_rejected(tmp_path):
    """Report a constant such as the mean of images, but not the edge-marker channel of 0 and 1."""

    def use(name, weight):
        if name == "model/0/0/actnorm_center/b":
            edge = tf.constant(
                np.pad(np.zeros([1, 8, 8, 1]), [(0, 0), (1, 1), (1, 1), (0, 0)], constant_values=1), name="e"
            )
            mean = tf.constant(np.linspace(0, 1, 12, dtype=np.float32), name="mean")
            return 1.0 + weight + mean + tf.cast(edge[:, 0, 0], tf.float32)

    freeze(tmp_path / "graph.pb", weights(SMALL), use)
    assert_rejected(tmp_path, "1 left over: mean")
    run_import(tmp_path / "graph.pb", tmp_path / "run", *options(SMALL), "--ignore", "mean")
    assert_weights(Run.open(tmp_path / "run").model(), SMALL, "var/")


def test_frozen_graph_with_a_wrong_inverse_shuffle_is_rejected(tmp_path):
    golden = case("case3_affine_shuffle")
    name = "model/0/0/shuffle/indices_inverse"
    freeze(tmp_path / "graph.pb", {**weights(golden), name: weights(golden)[name][::-1].copy()})
    with pytest.raises(ConversionError, match=f"{name} is not the inverse of model/0/0/shuffle/indices"):
        run_import(tmp_path / "graph.pb", tmp_path / "run", *options(golden))
    assert [p.name for p in tmp_path.iterdir()] == ["graph.pb"]


def test_frozen_graph_whose_shuffle_loses_channels_is_rejected(tmp_path):
    golden = case("case3_affine_shuffle")
    name = "model/0/0/shuffle/indices"
    values = {n: v for n, v in weights(golden).items() if not n.endswith("_inverse")}
    freeze(tmp_path / "graph.pb", {**values, name: np.zeros_like(values[name])})
    with pytest.raises(ConversionError, match=f"{name} is not a permutation of the channels"):
        run_import(tmp_path / "graph.pb", tmp_path / "run", *options(golden))


def test_frozen_graph_with_another_use_of_a_weight_is_rejected(tmp_path):
    """Report a normalized kernel, which has the name and the shape of a plain one."""

    def use(name, weight):
        if name == "model/1/0/f1/l_2/W":
            return tf.nn.conv2d(tf.zeros([1, 8, 8, 20]), tf.square(weight, name="norm/Square"), 1, "SAME")

    freeze(tmp_path / "graph.pb", weights(SMALL), use)
    assert_rejected(
        tmp_path,
        r"operations that the public model does not have: norm/Square "
        r"\(Square of model/1/0/f1/l_2/W, expected Conv2D\)",
    )
    run_import(tmp_path / "graph.pb", tmp_path / "run", *options(SMALL), "--ignore", "norm/Square")


@pytest.mark.parametrize(
    ("name", "factor", "text"),
    [
        ("model/1/0/actnorm_scale/logs", 2.0, "2"),
        ("model/prior/p/logs", 2.0, "2"),
        ("model/prior/p/logs", [3.0], "no constant scalar"),
    ],
)
def test_frozen_graph_with_another_factor_of_logs_is_rejected(name, factor, text, tmp_path):
    """Report a factor with which the same weights would be another model."""

    def use(weight_name, weight):
        if weight_name == name:
            return tf.multiply(weight, factor, name="part/mul")

    freeze(tmp_path / "graph.pb", weights(SMALL), use)
    assert_rejected(tmp_path, f"part/mul \\({name} times {text}, expected 3\\)")
    run_import(tmp_path / "graph.pb", tmp_path / "run", *options(SMALL), "--ignore", "part/mul")


def test_frozen_graph_with_unknown_inputs_is_rejected(tmp_path):
    freeze(tmp_path / "graph.pb", weights(SMALL), inputs=[("low_resolution", (None, 4, 4, 3)), ("rate", ())])
    assert_rejected(tmp_path, r"inputs that the public model does not have: low_resolution \[n, 4, 4, 3\]")
    assert_rejected(tmp_path, "asked to ignore what is not in .*: lowres", "--ignore", "lowres")
    run_import(tmp_path / "graph.pb", tmp_path / "run", *options(SMALL), "--ignore", "low_resolution")
    assert_weights(Run.open(tmp_path / "run").model(), SMALL, "var/")


def test_frozen_graph_import_notes_which_operations_are_not_compared(tmp_path, capsys):
    freeze(tmp_path / "graph.pb", weights(SMALL))
    run_import(tmp_path / "graph.pb", tmp_path / "run", *options(SMALL))
    assert "the rest of its operations is not" in capsys.readouterr().out


@pytest.mark.parametrize("content", ["cut", "text", "empty"])
def test_damaged_frozen_graph_leaves_no_files(content, tmp_path):
    freeze(tmp_path / "graph.pb", weights(SMALL))
    whole = (tmp_path / "graph.pb").read_bytes()
    (tmp_path / "graph.pb").write_bytes({"cut": whole[: len(whole) // 2], "text": b"weights", "empty": b""}[content])
    assert_rejected(tmp_path, "holds no weights" if content == "empty" else "cannot be read as a frozen GraphDef")
    assert [p.name for p in tmp_path.iterdir()] == ["graph.pb"]


def test_frozen_graph_import_of_non_square_images(tmp_path):
    freeze(tmp_path / "graph.pb", weights(SMALL))
    run_import(tmp_path / "graph.pb", tmp_path / "run", "--bits", 5, "--image-size", 16, 24)
    assert Run.open(tmp_path / "run").model().sample(1, seed=0).shape == (1, 16, 24, 3)
