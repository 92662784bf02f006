"""Frozen graphs with the original's names come in; what does not fit the public model is named."""

import numpy as np
import parity
import pytest
import tensorflow as tf
from originals import assert_is_the_original, freeze, options, run_import, weights
from parity import case

from glow_tf.openai.errors import OpenaiError
from glow_tf.runs import Run

SMALL = case("case2_additive_1x1_5bit")


@pytest.mark.parametrize("name", parity.FORWARD_CASES)
def test_a_graph_of_every_kind(name, tmp_path):
    c = case(name)
    inputs = [("input/image", (None, *c["x"].shape[1:])), ("Placeholder", (None, *c.eps()[0].shape[1:]))]
    freeze(tmp_path / "graph.pb", weights(c), inputs=inputs)
    run_import(tmp_path / "graph.pb", tmp_path / "run", *options(c))
    run = Run.open(tmp_path / "run")
    assert run.experiment().model == c.config
    assert_is_the_original(run.model(), c)


def refused(tmp_path, message, *more):
    with pytest.raises(OpenaiError, match=message):
        run_import(tmp_path / "graph.pb", tmp_path / "run", *options(SMALL), *more)
    assert not (tmp_path / "run").exists()


def test_missing_weights_are_named(tmp_path):
    freeze(tmp_path / "graph.pb", {n: v for n, v in weights(SMALL).items() if n != "model/pool0/conv/b"})
    refused(tmp_path, "1 missing: model/pool0/conv/b")


def test_variables_that_the_model_has_not_are_named(tmp_path):
    freeze(tmp_path / "graph.pb", {**weights(SMALL), "model/attention/W": np.ones([4, 4], np.float32)})
    refused(tmp_path, "1 left over: model/attention/W")


def test_arrays_that_the_model_has_not_are_named(tmp_path):
    """Such as a matrix with which images are whitened, which is no variable. The edge channel is one, of 0 and 1."""

    def use(name, weight):
        if name == "model/0/0/actnorm_center/b":
            edge = tf.constant(
                np.pad(np.zeros([1, 8, 8, 1]), [(0, 0), (1, 1), (1, 1), (0, 0)], constant_values=1), name="e"
            )
            mean = tf.constant(np.linspace(0, 1, 12, dtype=np.float32), name="mean")
            return 1.0 + weight + mean + tf.cast(edge[:, 0, 0], tf.float32)

    freeze(tmp_path / "graph.pb", weights(SMALL), use)
    refused(tmp_path, "1 left over: mean")
    run_import(tmp_path / "graph.pb", tmp_path / "run", *options(SMALL), "--ignore", "mean")
    assert_is_the_original(Run.open(tmp_path / "run").model(), SMALL)


def test_a_shuffle_that_is_not_undone_is_named(tmp_path):
    c = case("case3_affine_shuffle")
    name = "model/0/0/shuffle/indices_inverse"
    freeze(tmp_path / "graph.pb", {**weights(c), name: weights(c)[name][::-1].copy()})
    with pytest.raises(OpenaiError, match=f"{name} is not the inverse of model/0/0/shuffle/indices"):
        run_import(tmp_path / "graph.pb", tmp_path / "run", *options(c))
    assert [p.name for p in tmp_path.iterdir()] == ["graph.pb"]


def test_another_use_of_a_weight_is_named(tmp_path):
    """A normalised kernel has the name and the shape of a plain one."""

    def use(name, weight):
        if name == "model/1/0/f1/l_2/W":
            return tf.nn.conv2d(tf.zeros([1, 8, 8, 20]), tf.square(weight, name="norm/Square"), 1, "SAME")

    freeze(tmp_path / "graph.pb", weights(SMALL), use)
    refused(
        tmp_path,
        r"operations that the public model has not: norm/Square \(Square of model/1/0/f1/l_2/W, expected Conv2D\)",
    )
    run_import(tmp_path / "graph.pb", tmp_path / "run", *options(SMALL), "--ignore", "norm/Square")


@pytest.mark.parametrize("name", ["model/1/0/actnorm_scale/logs", "model/prior/p/logs"])
def test_another_factor_of_logs_is_named(name, tmp_path):
    """With it the same weights would be another model."""

    def use(weight_name, weight):
        if weight_name == name:
            return tf.multiply(weight, 2.0, name="part/mul")

    freeze(tmp_path / "graph.pb", weights(SMALL), use)
    refused(tmp_path, f"part/mul \\({name} times 2, expected 3\\)")
    run_import(tmp_path / "graph.pb", tmp_path / "run", *options(SMALL), "--ignore", "part/mul")


def test_a_foreign_input_is_named(tmp_path):
    freeze(tmp_path / "graph.pb", weights(SMALL), inputs=[("low_resolution", (None, 4, 4, 3)), ("rate", ())])
    refused(tmp_path, r"inputs that the public model has not: low_resolution \[n, 4, 4, 3\]")
    refused(tmp_path, "asked to ignore what is not in .*: lowres", "--ignore", "lowres")
    run_import(tmp_path / "graph.pb", tmp_path / "run", *options(SMALL), "--ignore", "low_resolution")
    assert_is_the_original(Run.open(tmp_path / "run").model(), SMALL)


def test_what_is_not_compared_is_said(tmp_path, capsys):
    freeze(tmp_path / "graph.pb", weights(SMALL))
    run_import(tmp_path / "graph.pb", tmp_path / "run", *options(SMALL))
    assert "the rest of its operations is not" in capsys.readouterr().out


@pytest.mark.parametrize("content", ["cut", "text", "empty"])
def test_a_damaged_graph_leaves_nothing_behind(content, tmp_path):
    freeze(tmp_path / "graph.pb", weights(SMALL))
    whole = (tmp_path / "graph.pb").read_bytes()
    (tmp_path / "graph.pb").write_bytes({"cut": whole[: len(whole) // 2], "text": b"weights", "empty": b""}[content])
    refused(tmp_path, "holds no weights" if content == "empty" else "cannot be read as a frozen GraphDef")
    assert [p.name for p in tmp_path.iterdir()] == ["graph.pb"]


def test_images_that_are_not_square(tmp_path):
    freeze(tmp_path / "graph.pb", weights(SMALL))
    run_import(tmp_path / "graph.pb", tmp_path / "run", "--bits", 5, "--image-size", 16, 24)
    assert Run.open(tmp_path / "run").model().sample(1, seed=0).shape == (1, 16, 24, 3)
