"""Class-conditional experiments (code, README): 5-bit images, additive coupling, `weight_y` = 0.01."""

from glow_tf.config import DataConfig, Experiment, ModelConfig, TrainingConfig

EXPERIMENTS = (
    Experiment(
        name="cifar10_conditional",
        about="CIFAR-10 by class, 5 bits (code, README)",
        model=ModelConfig(
            image_shape=(32, 32, 3),
            bits=5,
            levels=3,
            depth=32,
            width=512,
            coupling="additive",
            classes=10,
            weight_y=0.01,
        ),
        data=DataConfig(
            source="tfds:cifar10",
            augment="shift",
            labels=True,
        ),
        training=TrainingConfig(batch_size=512),
    ),
    Experiment(
        name="imagenet32_conditional",
        about="ImageNet 32x32 (labeled, center crop, area resize) by class, 5 bits (code, README)",
        model=ModelConfig(
            image_shape=(32, 32, 3),
            bits=5,
            levels=3,
            depth=48,
            width=512,
            coupling="additive",
            classes=1000,
            weight_y=0.01,
        ),
        data=DataConfig(
            source="folder:data/imagenet32",  # one folder of images per class; "oord" has no labels
            fit="resize",
            labels=True,
        ),
        training=TrainingConfig(batch_size=512),
    ),
)
