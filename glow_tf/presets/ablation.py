"""The paper's ablation (section 5, figure 3): three permutations with two couplings, on CIFAR-10.

The paper trains each of the six with three seeds. Apart from permutation and coupling they are the preset `cifar10`.
"""

from glow_tf.config import DataConfig, Experiment, ModelConfig, TrainingConfig

EXPERIMENTS = (
    Experiment(
        name="ablation_reverse_additive",
        about="CIFAR-10, reverse, additive (paper, section 5, figure 3)",
        model=ModelConfig(
            image_shape=(32, 32, 3),
            bits=8,
            levels=3,
            depth=32,
            width=512,
            permutation="reverse",
            coupling="additive",
        ),
        data=DataConfig(
            source="tfds:cifar10",
            augment="shift",
        ),
        training=TrainingConfig(batch_size=512),
    ),
    Experiment(
        name="ablation_reverse_affine",
        about="CIFAR-10, reverse, affine (paper, section 5, figure 3)",
        model=ModelConfig(
            image_shape=(32, 32, 3),
            bits=8,
            levels=3,
            depth=32,
            width=512,
            permutation="reverse",
            coupling="affine",
        ),
        data=DataConfig(
            source="tfds:cifar10",
            augment="shift",
        ),
        training=TrainingConfig(batch_size=512),
    ),
    Experiment(
        name="ablation_shuffle_additive",
        about="CIFAR-10, shuffle, additive (paper, section 5, figure 3)",
        model=ModelConfig(
            image_shape=(32, 32, 3),
            bits=8,
            levels=3,
            depth=32,
            width=512,
            permutation="shuffle",
            coupling="additive",
        ),
        data=DataConfig(
            source="tfds:cifar10",
            augment="shift",
        ),
        training=TrainingConfig(batch_size=512),
    ),
    Experiment(
        name="ablation_shuffle_affine",
        about="CIFAR-10, shuffle, affine (paper, section 5, figure 3)",
        model=ModelConfig(
            image_shape=(32, 32, 3),
            bits=8,
            levels=3,
            depth=32,
            width=512,
            permutation="shuffle",
            coupling="affine",
        ),
        data=DataConfig(
            source="tfds:cifar10",
            augment="shift",
        ),
        training=TrainingConfig(batch_size=512),
    ),
    Experiment(
        name="ablation_1x1_additive",
        about="CIFAR-10, 1x1, additive (paper, section 5, figure 3)",
        model=ModelConfig(
            image_shape=(32, 32, 3),
            bits=8,
            levels=3,
            depth=32,
            width=512,
            permutation="1x1",
            coupling="additive",
        ),
        data=DataConfig(
            source="tfds:cifar10",
            augment="shift",
        ),
        training=TrainingConfig(batch_size=512),
    ),
    Experiment(
        name="ablation_1x1_affine",
        about="CIFAR-10, 1x1, affine (paper, section 5, figure 3)",
        model=ModelConfig(
            image_shape=(32, 32, 3),
            bits=8,
            levels=3,
            depth=32,
            width=512,
            permutation="1x1",
            coupling="affine",
        ),
        data=DataConfig(
            source="tfds:cifar10",
            augment="shift",
        ),
        training=TrainingConfig(batch_size=512),
    ),
)
