"""The paper's likelihood experiments (section 5, Tables 2 and 4): 8-bit images, affine coupling.

What is not written here is a default of the configuration: invertible 1x1 convolutions, a learned top prior, the
original code's Adamax at a learning rate of 1e-3, and the anchor rule for epochs, warm-up and `beta2`.
"""

from glow_tf.config import DataConfig, Experiment, ModelConfig, TrainingConfig

EXPERIMENTS = (
    Experiment(
        name="cifar10",
        about="CIFAR-10, 3.35 bits/dim (paper, table 2; code, README)",
        model=ModelConfig(
            image_shape=(32, 32, 3),
            bits=8,
            levels=3,
            depth=32,
            width=512,
            coupling="affine",
        ),
        data=DataConfig(
            source="tfds:cifar10",
            augment="shift",  # the original code shifts CIFAR-10 and MNIST, nothing else
        ),
        training=TrainingConfig(batch_size=512),  # 8 GPUs with 64 images each
    ),
    Experiment(
        name="imagenet32",
        about='ImageNet 32x32 ("oord"), 4.09 bits/dim (paper, table 2; code, README)',
        model=ModelConfig(
            image_shape=(32, 32, 3),
            bits=8,
            levels=3,
            depth=48,
            width=512,
            coupling="affine",
        ),
        data=DataConfig(source="tfds:downsampled_imagenet/32x32"),  # "oord"; imagenet_resized is another, easier set
        training=TrainingConfig(batch_size=512),
    ),
    Experiment(
        name="imagenet64",
        about='ImageNet 64x64 ("oord"), 3.81 bits/dim (paper, table 2; code, README)',
        model=ModelConfig(
            image_shape=(64, 64, 3),
            bits=8,
            levels=4,
            depth=48,
            width=512,
            coupling="affine",
        ),
        data=DataConfig(source="tfds:downsampled_imagenet/64x64"),
        training=TrainingConfig(batch_size=128),  # 8 GPUs with 16 images each
    ),
    Experiment(
        name="lsun_bedroom",
        about=(
            "LSUN bedroom, random 64x64 crops of 96 px images, 2.38 bits/dim (paper, table 2; L=3 by the code's README)"
        ),
        model=ModelConfig(
            image_shape=(64, 64, 3),
            bits=8,
            levels=3,  # as in the code's README
            depth=48,
            width=512,
            coupling="affine",
        ),
        data=DataConfig(
            source="tfrecord:data/lsun_bedroom_96",
            fit="random_crop",
        ),
        training=TrainingConfig(batch_size=128),
    ),
    Experiment(
        name="lsun_tower",
        about=(
            "LSUN tower, random 64x64 crops of 96 px images, 2.46 bits/dim (paper, table 2; L=3 by the code's README)"
        ),
        model=ModelConfig(
            image_shape=(64, 64, 3),
            bits=8,
            levels=3,  # as in the code's README
            depth=48,
            width=512,
            coupling="affine",
        ),
        data=DataConfig(
            source="tfrecord:data/lsun_tower_96",
            fit="random_crop",
        ),
        training=TrainingConfig(batch_size=128),
    ),
    Experiment(
        name="lsun_church",
        about=(
            "LSUN church, random 64x64 crops of 96 px images, 2.67 bits/dim (paper, table 2; L=3 by the code's README)"
        ),
        model=ModelConfig(
            image_shape=(64, 64, 3),
            bits=8,
            levels=3,  # as in the code's README
            depth=48,
            width=512,
            coupling="affine",
        ),
        data=DataConfig(
            source="tfrecord:data/lsun_church_outdoor_96",  # LSUN's name of the category
            fit="random_crop",
        ),
        training=TrainingConfig(batch_size=128),
    ),
)

PAPER_BITS = {
    "cifar10": 3.35,
    "imagenet32": 4.09,
    "imagenet64": 3.81,
    "lsun_bedroom": 2.38,
    "lsun_tower": 2.46,
    "lsun_church": 2.67,
}
"""Bits/dim on the test split (paper, Table 2), by name of preset."""
