"""The paper's qualitative experiments (section 6; code, README): large 5-bit images, additive coupling.

Each of the three LSUN categories has a preset at 96x96 and one at 128x128 pixels, which differ in the image shape and
the batch size. The shorter side of an LSUN image is resized by area, then the center is cropped (`fit="resize"`).
"""

from glow_tf.config import DataConfig, Experiment, ModelConfig, TrainingConfig

EXPERIMENTS = (
    Experiment(
        name="celebahq256",
        about="CelebA-HQ 256x256, 5 bits (paper, section 6; code, README)",
        model=ModelConfig(
            image_shape=(256, 256, 3),
            bits=5,
            levels=6,
            depth=32,
            width=512,
            coupling="additive",
        ),
        data=DataConfig(
            source="tfds:celeb_a_hq/256",
            flip=True,
        ),
        training=TrainingConfig(batch_size=40),  # one image on each of 40 GPUs
    ),
    Experiment(
        name="lsun_bedroom96",
        about="LSUN bedroom 96x96, center crop, 5 bits (paper, section 6; code, README)",
        model=ModelConfig(
            image_shape=(96, 96, 3),
            bits=5,
            levels=5,
            depth=64,
            width=512,
            coupling="additive",
        ),
        data=DataConfig(
            source="lsun-lmdb:data/bedroom",
            fit="resize",
        ),
        training=TrainingConfig(batch_size=280),  # 40 GPUs with 7 images each (code, README)
    ),
    Experiment(
        name="lsun_bedroom128",
        about="LSUN bedroom 128x128, center crop, 5 bits (paper, section 6; code, README)",
        model=ModelConfig(
            image_shape=(128, 128, 3),
            bits=5,
            levels=5,
            depth=64,
            width=512,
            coupling="additive",
        ),
        data=DataConfig(
            source="lsun-lmdb:data/bedroom",
            fit="resize",
        ),
        training=TrainingConfig(batch_size=160),  # 40 GPUs with 4 images each
    ),
    Experiment(
        name="lsun_tower96",
        about="LSUN tower 96x96, center crop, 5 bits (paper, section 6; code, README)",
        model=ModelConfig(
            image_shape=(96, 96, 3),
            bits=5,
            levels=5,
            depth=64,
            width=512,
            coupling="additive",
        ),
        data=DataConfig(
            source="lsun-lmdb:data/tower",
            fit="resize",
        ),
        training=TrainingConfig(batch_size=280),  # 40 GPUs with 7 images each (code, README)
    ),
    Experiment(
        name="lsun_tower128",
        about="LSUN tower 128x128, center crop, 5 bits (paper, section 6; code, README)",
        model=ModelConfig(
            image_shape=(128, 128, 3),
            bits=5,
            levels=5,
            depth=64,
            width=512,
            coupling="additive",
        ),
        data=DataConfig(
            source="lsun-lmdb:data/tower",
            fit="resize",
        ),
        training=TrainingConfig(batch_size=160),  # 40 GPUs with 4 images each
    ),
    Experiment(
        name="lsun_church96",
        about="LSUN church 96x96, center crop, 5 bits (paper, section 6; code, README)",
        model=ModelConfig(
            image_shape=(96, 96, 3),
            bits=5,
            levels=5,
            depth=64,
            width=512,
            coupling="additive",
        ),
        data=DataConfig(
            source="lsun-lmdb:data/church_outdoor",  # LSUN's name of the category
            fit="resize",
        ),
        training=TrainingConfig(batch_size=280),  # 40 GPUs with 7 images each (code, README)
    ),
    Experiment(
        name="lsun_church128",
        about="LSUN church 128x128, center crop, 5 bits (paper, section 6; code, README)",
        model=ModelConfig(
            image_shape=(128, 128, 3),
            bits=5,
            levels=5,
            depth=64,
            width=512,
            coupling="additive",
        ),
        data=DataConfig(
            source="lsun-lmdb:data/church_outdoor",  # LSUN's name of the category
            fit="resize",
        ),
        training=TrainingConfig(batch_size=160),  # 40 GPUs with 4 images each
    ),
)
