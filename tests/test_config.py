"""Test that invalid configurations are rejected with one sentence."""

import dataclasses
import inspect
import math
import pathlib
import typing

import numpy as np
import pytest

from glow_tf.cli import convert, demo, export
from glow_tf.config import MAX_SEED, DataConfig, Experiment, ModelConfig, RunOptions, TrainingConfig
from glow_tf.data import random_streams
from glow_tf.errors import ConfigError
from glow_tf.evaluation.commands import COMMANDS
from glow_tf.fields import Between, Utf8, check, check_arguments


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: ModelConfig(image_shape=(30, 32, 3)), r"multiples of 8, got 30x32; .* height 24 or 32, width 32"),
        (lambda: ModelConfig(image_shape=(28, 28, 1)), r"or at most 2 levels"),
        (lambda: ModelConfig(image_shape=(32, 32)), r"image_shape: expected 3 values, got \(32, 32\)"),
        (lambda: ModelConfig(bits=9), r"bits: expected 1 to 8, got 9"),
        (lambda: ModelConfig(levels=0), r"levels: expected 1 to 12, got 0"),
        (lambda: ModelConfig(weight_y=0.1), r"weight_y=0.1 needs a conditional model"),
        (lambda: ModelConfig(permutation="rotate"), r"permutation: expected one of 1x1, lu, shuffle, reverse"),
        (lambda: ModelConfig(coupling="cubic"), r"coupling: expected one of affine, additive, got 'cubic'"),
        (lambda: ModelConfig(scale="tanh"), r"scale: expected one of sigmoid, exp, got 'tanh'"),
        (lambda: ModelConfig(network_dtype="int8"), r"network_dtype: expected one of float32, bfloat16, float16"),
        (lambda: DataConfig("cifar10"), r"source: expected kind:where .* got 'cifar10'"),
        (lambda: DataConfig("ftp:x"), r"source: expected kind:where"),
        (lambda: DataConfig(validation=1.0), r"validation: expected more than 0 and less than 1, got 1.0"),
        (lambda: DataConfig(fit="stretch"), r"fit: expected one of"),
        (lambda: DataConfig(augment="mixup"), r"augment: expected one of none, shift, full, got 'mixup'"),
        (lambda: DataConfig(on_damaged="retry"), r"on_damaged: expected one of stop, skip, got 'retry'"),
        (lambda: TrainingConfig(batch_size=0), r"batch_size: expected 1 to 1,000,000, got 0"),
        (lambda: TrainingConfig(learning_rate=0.0), r"learning_rate: expected more than 0 and at most 1,000, got 0.0"),
        (lambda: TrainingConfig(beta2=1.0), r"beta2: expected at least 0 and less than 1"),
        (lambda: TrainingConfig(optimizer="sgd"), r"optimizer: expected one of adamax, adam, got 'sgd'"),
        (lambda: TrainingConfig(schedule="linear"), r"schedule: expected one of constant, cosine, got 'linear'"),
        (lambda: TrainingConfig(schedule="cosine"), r"needs epochs"),
        (lambda: RunOptions(checkpoint_minutes=0), r"checkpoint_minutes: expected more than 0"),
        (lambda: ModelConfig(levels=2.5), r"levels: expected a whole number, 1 to 12, got 2\.5"),
        (lambda: ModelConfig(depth="3"), r"depth: expected a whole number, 1 to 1,024, got '3'"),
        (lambda: ModelConfig(width=True), r"width: expected a whole number, .* got True"),
        (lambda: ModelConfig(image_shape=(8, 8)), r"image_shape: expected 3 values, got \(8, 8\)"),
        (lambda: ModelConfig(image_shape=(8, math.nan, 1)), r"image_shape: expected a whole number, .* got nan"),
        (lambda: ModelConfig(image_shape="881"), r"image_shape: expected 3 values, got '881'"),
        (lambda: ModelConfig(levels=10**6), r"levels: expected 1 to 12, got 1000000"),
        (lambda: ModelConfig(depth=10**5000), r"depth: .* got a number of thousands of digits"),
        (lambda: ModelConfig(learn_top="no"), r"learn_top: expected True or False, got 'no'"),
        (lambda: ModelConfig(permutation="revers"), r"got 'revers'\. Did you mean reverse\?"),
        (lambda: DataConfig("fodler:x"), r"got 'fodler:x'\. Did you mean folder\?"),
        (lambda: TrainingConfig(epochs=-1), r"epochs: expected 1 to 1,000,000,000, got -1"),
        (lambda: TrainingConfig(learning_rate=math.nan), r"learning_rate: expected a finite number, .* got nan"),
        (lambda: TrainingConfig(weight_decay=math.inf), r"weight_decay: expected a finite number, .* got inf"),
        (lambda: TrainingConfig(weight_decay=-1), r"weight_decay: expected more than 0 and at most 1, got -1.0"),
        (lambda: TrainingConfig(weight_decay=1e-4), r"weight_decay: .* \(1 turns it off, .* is 0.9999\), got 0.0001"),
        (lambda: TrainingConfig(seed=10**14), r"seed: expected -8,796,093,022,207 to 8,796,093,022,207"),
        (lambda: RunOptions(run_dir=""), r"run_dir: expected something, got ''"),
        (lambda: RunOptions(run_dir="z\udcff"), r"run_dir: expected a name in UTF-8, got 'z.udcff'"),
        (lambda: RunOptions(devices="0"), r"devices: expected auto, cpu or a number from 1 to 9,999, got '0'"),
        (lambda: Experiment({}, DataConfig(), TrainingConfig()), r"model: expected ModelConfig, got \{\}"),
        (
            lambda: Experiment(ModelConfig(), DataConfig(), TrainingConfig(batch_size=10**6)),
            r"batch_size: expected at most 699,050 images of 32x32x3, got 1,000,000",
        ),
        (
            lambda: Experiment(ModelConfig(classes=10), DataConfig(), TrainingConfig()),
            r"classes=10 makes the model conditional, so the data needs labels=True",
        ),
    ],
)
def test_invalid_configuration_is_rejected(make, message):
    with pytest.raises(ConfigError, match=message):
        make()


def test_experiment_json_round_trip():
    experiment = Experiment(ModelConfig(image_shape=[8, 8, 1], levels=2), DataConfig(), TrainingConfig(epochs=3))
    assert Experiment.from_dict(experiment.to_dict()) == experiment
    assert experiment.model.image_shape == (8, 8, 1) and experiment.model.dims == 64


def test_configurations_are_frozen():
    with pytest.raises(dataclasses.FrozenInstanceError):
        ModelConfig().width = 3


def test_recomputation_defaults_to_on_from_64_pixels():
    assert not ModelConfig().recomputes
    assert ModelConfig(image_shape=(64, 64, 3)).recomputes
    assert not ModelConfig(image_shape=(64, 64, 3), recompute=False).recomputes


OWNERS = (ModelConfig, DataConfig, TrainingConfig, RunOptions, convert.Options, demo.command, export.command)
OPTIONS = [
    (owner.__qualname__, name, annotation)
    for owner in (*OWNERS, *COMMANDS.values())
    for name, annotation in typing.get_type_hints(owner, include_extras=True).items()
]
"""Every option of every command, and every field of the configurations."""


def types_in(annotation):
    """Return the plain types in an annotation, and the instances in its metadata."""
    parts = typing.get_args(annotation)
    return [annotation] if not parts else [part for inner in parts for part in types_in(inner)]


NUMBERS = [option for option in OPTIONS if {int, float} & {t for t in types_in(option[2]) if isinstance(t, type)}]


def test_options_of_every_command_are_known():
    assert len(NUMBERS) > 35 and {owner for owner, _, _ in OPTIONS} >= {"samples", "Options", "ModelConfig"}


@pytest.mark.parametrize(("owner", "name", "annotation"), NUMBERS, ids=lambda part: str(part)[:30])
def test_every_number_has_bounds_and_no_bad_value_passes(owner, name, annotation):
    assert any(isinstance(part, Between) for part in types_in(annotation))
    is_tuple = "tuple" in str(annotation)
    for value in (math.inf, -math.inf, math.nan, 10**400, -(10**400), 1e30, -1e30, True, "3", [], 1j):
        with pytest.raises(ConfigError, match=f"^{name}: expected .*got"):
            check((value,) * 3 if is_tuple else value, annotation, name)


def test_numbers_of_numpy_become_those_of_python():
    config = ModelConfig(image_shape=np.array([8, 8, 1]), levels=np.int64(2), recompute=np.bool_(True))
    assert config.image_shape == (8, 8, 1) and type(config.image_shape[0]) is type(config.levels) is int
    assert config.recompute is True
    training = TrainingConfig(learning_rate=np.float64(0.5), weight_decay=1, batch_size=np.uint8(3))
    assert (training.learning_rate, training.batch_size) == (0.5, 3) and type(training.weight_decay) is float
    assert RunOptions(devices=2).devices == "2"


def test_paths_and_switches_of_earlier_versions_are_taken():
    assert RunOptions(run_dir=pathlib.Path("runs") / "a").run_dir == "runs/a"
    for value, expected in ((True, "on"), (False, "off"), ("auto", "auto")):
        assert RunOptions(jit_compile=value).jit_compile == expected
    with pytest.raises(ConfigError, match="names: expected a name in UTF-8, got 'z.udcff'"):
        check(("a", "z\udcff"), typing.Annotated[tuple[str, ...], Utf8()], "names")


@pytest.mark.parametrize("seed", [MAX_SEED, -MAX_SEED])
def test_greatest_seed_has_streams_of_its_own(seed):
    last_stream = random_streams.EVALUATION + 10**5
    assert (
        random_streams.stream_seed(TrainingConfig(seed=seed).seed, last_stream, 0)[0] == seed * 1_000_003 + last_stream
    )


def test_arguments_of_a_command_are_checked_by_the_names_of_its_options():
    @check_arguments
    def draw(run: str, /, *, batch_size: typing.Annotated[int, Between(1, 8)] = 2):
        return run, batch_size

    assert draw("a", batch_size=np.int8(3)) == ("a", 3) and "batch_size" in inspect.signature(draw).parameters
    with pytest.raises(ConfigError, match="--batch-size: expected 1 to 8, got 0"):
        draw("a", batch_size=0)
    with pytest.raises(ConfigError, match="RUN: expected text, got 5"):
        draw(5)
