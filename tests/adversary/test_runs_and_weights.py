"""Test run folders and weights files that were moved, copied, edited or mixed up: the right number, or one sentence."""

import dataclasses
import json
import shutil

import numpy as np
import pytest

from glow_tf import Glow, ModelConfig, Run, load_model
from glow_tf.errors import GlowError
from glow_tf.evaluation.context import open_context
from glow_tf.experiment_file import FORMAT
from glow_tf.metrics_table import MetricsTable
from glow_tf.training.state import TrainingState
from helpers.tiny_runs import TINY

pytestmark = pytest.mark.slow

CONFIG = ModelConfig(image_shape=(8, 8, 1), bits=4, levels=1, depth=1, width=8)
FORMAT_LINE = f'"format": {FORMAT}'
IMAGES = np.random.default_rng(0).integers(0, 256, (3, 8, 8, 1), np.uint8)


@pytest.fixture(scope="module")
def weights_file(tmp_path_factory):
    """Write the weights of a model of `CONFIG`, all different; return the file and the bits/dim of the images."""
    model, path = Glow(CONFIG), tmp_path_factory.mktemp("weights") / "m.weights.h5"
    model.set_weights([np.arange(w.size, dtype=w.dtype).reshape(w.shape) / 500 for w in model.get_weights()])
    model.flow.step_0_0.permutation.W.assign(np.eye(4) * 1.5)
    model.save_weights(path)
    return path, bits(model)


@pytest.fixture(scope="module")
def whole(tiny_run):
    """Give the weights of the run that the tests copy."""
    return load_model(tiny_run).get_weights()


@pytest.fixture
def run(tiny_run, tmp_path):
    """Copy a run folder."""
    return Run(shutil.copytree(tiny_run, tmp_path / "run"))


def bits(model):
    return model.bits_per_dim(IMAGES, noise=0.5).numpy()


def changed(**changes):
    return dataclasses.replace(CONFIG, **changes)


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"bits": 8}, "holds the weights of a model of another configuration: this model has bits 8, not 4"),
        ({"scale": "exp"}, "this model has scale exp, not sigmoid"),
        ({"image_shape": (16, 16, 1)}, r"image_shape \[16, 16, 1\], not \[8, 8, 1\]"),
        ({"permutation": "lu"}, "permutation lu, not 1x1"),
    ],
    ids=lambda part: "-".join(part) if isinstance(part, dict) else "",
)
def test_weights_of_a_model_of_the_same_shapes_are_refused_by_another(changes, sentence, weights_file):
    model = Glow(changed(**changes))
    before = [w.copy() for w in model.get_weights()]
    with pytest.raises(GlowError, match=sentence):
        model.load_weights(weights_file[0])
    for weight, expected in zip(model.get_weights(), before, strict=True):
        np.testing.assert_array_equal(weight, expected)


@pytest.mark.parametrize("changes", [{"init_seed": 7}, {"recompute": True}, {"network_dtype": "bfloat16"}], ids=str)
def test_weights_serve_a_model_that_differs_in_no_number(changes, weights_file):
    model = Glow(changed(**changes))
    model.load_weights(weights_file[0])
    np.testing.assert_allclose(bits(model), weights_file[1], rtol=1e-6)


def link(run):
    (run.path.parent / "link").symlink_to(run.path)
    return run.path.parent / "link"


def renamed(run):
    return run.path.rename(run.path.parent / "moved to a name with spaces é")


def edited(change):
    """Return a function that changes the text of config.json."""

    def edit(run):
        run.config_path.write_bytes(change(run.config_path.read_text()).encode())
        return run.path

    return edit


PLACES = {
    "symbolic link": link,
    "path with ..": lambda run: run.path / ".." / run.path.name,
    "text with a slash at its end": lambda run: f"{run.path}/",
    "renamed folder": renamed,
    "configuration with Windows line ends": edited(lambda text: text.replace("\n", "\r\n")),
    "configuration with a BOM": edited(lambda text: "\ufeff" + text),
}


@pytest.mark.parametrize("case", PLACES)
def test_run_at_an_unusual_place_gives_its_weights(case, run, whole):
    for weight, expected in zip(load_model(PLACES[case](run)).get_weights(), whole, strict=True):
        np.testing.assert_array_equal(weight, expected)


def other_files_name(source, target):
    """Return a function that gives one file of the run the place of another, and loads that."""

    def load(run):
        path = run.path / target
        if source.endswith(".keras"):
            run.model().save(path.with_name("m.keras"))
            path.with_name("m.keras").replace(path)
        else:
            shutil.copy(run.path / source, path)
        return load_model(path) if target.endswith(".keras") else run.model()

    return load


def checkpoints_of_another_width(run):
    other = Run(run.path.parent / "other")
    TrainingState(TINY, other).save_checkpoint()
    shutil.copytree(other.checkpoints, run.checkpoints)
    with pytest.warns(UserWarning, match="damaged and left out"):
        TrainingState(run.experiment(), run).restore()


REFUSED = {
    "format 0": (edited(lambda text: text.replace(FORMAT_LINE, '"format": 0')), "format: expected .* from 1, got 0"),
    "format 1.5": (edited(lambda text: text.replace(FORMAT_LINE, '"format": 1.5')), "format: expected .* got 1.5"),
    "format in quotes": (edited(lambda text: text.replace(FORMAT_LINE, '"format": "2"')), "format: .* got '2'"),
    "format of true": (edited(lambda text: text.replace(FORMAT_LINE, '"format": true')), "format: .* got True"),
    "field that is there twice": (
        edited(lambda text: text.replace('"bits": 4', '"bits": 4, "bits": 8')),
        "config.json cannot be read as a configuration: bits is there twice",
    ),
    "configuration cut by a merge": (
        edited(lambda text: text.replace('"model"', "<<<<<<< HEAD\n")),
        "cannot be read as a configuration",
    ),
    "Keras file in the place of weights": (other_files_name("m.keras", "weights/best.weights.h5"), "best.weights.h5"),
    "weights in the place of a Keras file": (
        other_files_name("weights/best.weights.h5", "m.keras"),
        "m.keras cannot be read as a Keras model",
    ),
    "part of a run": (lambda run: load_model(run.weights), "weights is not a run folder"),
    "weights file as a run": (lambda run: load_model(run.weights_path()), "best.weights.h5 is not a run folder"),
    "weights named with a capital letter": (lambda run: run.model("Best"), "which: expected best or last, got 'Best'"),
    "checkpoints of another width": (checkpoints_of_another_width, "are damaged or not finite, or of another model"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_mixed_up_run_is_refused_in_one_sentence(case, run):
    load, sentence = REFUSED[case]
    with pytest.raises(GlowError, match=sentence) as caught:
        load_model(load(run))
    assert "\n" not in str(caught.value)


def test_run_of_a_text_is_that_of_a_path(run):
    assert Run(str(run.path)) == run and Run(str(run.path)).experiment() == run.experiment()


def test_run_created_over_another_leaves_that_as_it_is(run):
    before = run.config_path.read_bytes()
    with pytest.raises(GlowError, match="holds a run of another configuration, which would be lost"):
        Run.create(run.path, TINY)
    assert run.config_path.read_bytes() == before


def test_run_created_again_with_its_own_configuration_stays(run):
    assert Run.create(run.path, run.experiment()).experiment() == run.experiment()


def test_folder_that_is_renamed_while_it_is_evaluated_gives_its_numbers(run):
    context = open_context(run.path)
    expected = bits(context.model)
    renamed(run)
    np.testing.assert_array_equal(bits(context.model), expected)
    assert json.loads(context.write_json("a.json", {"b": 1}).read_text())["b"] == 1


@pytest.mark.parametrize("change", [lambda t: t.replace("\n", "\r\n"), lambda t: "\ufeff" + t], ids=["CRLF", "BOM"])
def test_metrics_that_another_program_saved_are_read(change, tmp_path):
    table = MetricsTable(tmp_path / "metrics.csv")
    table.append({"epoch": 1, "step": 4, "bits_x": 3.25})
    table.path.write_bytes(change(table.path.read_text()).encode())
    table.append({"epoch": 2, "step": 8, "bits_x": 2.5})
    assert [row["bits_x"] for row in table.rows()] == [3.25, 2.5]
