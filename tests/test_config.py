"""Test that invalid configurations are rejected with one sentence."""

import dataclasses

import pytest

from glow_tf.config import DataConfig, Experiment, ModelConfig, RunOptions, TrainingConfig
from glow_tf.errors import ConfigError


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: ModelConfig(image_shape=(30, 32, 3)), r"multiples of 8, got 30x32; .* height 24 or 32, width 32"),
        (lambda: ModelConfig(image_shape=(28, 28, 1)), r"or at most 2 levels"),
        (lambda: ModelConfig(image_shape=(32, 32)), r"expected height, width, channels"),
        (lambda: ModelConfig(bits=9), r"bits: expected 1 to 8, got 9"),
        (lambda: ModelConfig(levels=0), r"levels: expected at least 1"),
        (lambda: ModelConfig(weight_y=0.1), r"weight_y=0.1 needs a conditional model"),
        (lambda: ModelConfig(permutation="rotate"), r"permutation: expected one of 1x1, lu, shuffle, reverse"),
        (lambda: ModelConfig(coupling="cubic"), r"coupling: expected one of affine, additive, got 'cubic'"),
        (lambda: ModelConfig(scale="tanh"), r"scale: expected one of sigmoid, exp, got 'tanh'"),
        (lambda: ModelConfig(network_dtype="int8"), r"network_dtype: expected one of None, float32, bfloat16, float16"),
        (lambda: DataConfig("cifar10"), r"source: expected kind:where .* got 'cifar10'"),
        (lambda: DataConfig("ftp:x"), r"source: expected kind:where"),
        (lambda: DataConfig(validation=1.0), r"validation: expected a share between 0 and 1"),
        (lambda: DataConfig(fit="stretch"), r"fit: expected one of"),
        (lambda: DataConfig(augment="mixup"), r"augment: expected one of none, shift, full, got 'mixup'"),
        (lambda: DataConfig(on_damaged="retry"), r"on_damaged: expected one of stop, skip, got 'retry'"),
        (lambda: TrainingConfig(batch_size=0), r"batch_size: expected at least 1"),
        (lambda: TrainingConfig(learning_rate=0.0), r"learning_rate: expected more than 0"),
        (lambda: TrainingConfig(beta2=1.0), r"beta2: expected 0 <= beta2 < 1"),
        (lambda: TrainingConfig(optimizer="sgd"), r"optimizer: expected one of adamax, adam, got 'sgd'"),
        (lambda: TrainingConfig(schedule="linear"), r"schedule: expected one of constant, cosine, got 'linear'"),
        (lambda: TrainingConfig(schedule="cosine"), r"needs epochs"),
        (lambda: RunOptions(checkpoint_minutes=0), r"checkpoint_minutes: expected more than 0"),
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
