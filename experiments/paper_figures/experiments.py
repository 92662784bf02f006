"""The training runs: one per configuration and seed.

The runs of one seed are paired: they see the same images in the same order with the same noise, are initialized from
the same batch and validated with the same noise.
"""

import dataclasses

from glow_tf.config import DataConfig, Experiment, ModelConfig, TrainingConfig

PERMUTATIONS = ("reverse", "shuffle", "1x1")
COUPLINGS = ("additive", "affine")

SEED_STRIDE = 1000
"""Distance between the `init_seed` of two seeds: a model's layers take consecutive seeds from `init_seed` on."""


@dataclasses.dataclass(frozen=True)
class Size:
    """Sizes of the models and trainings.

    Args:
        width: hidden channels of every coupling network.
        epochs: epochs of every training; each ends with a validation.
        ablation: (L, K) of the models of the ablation.
        ablation_steps: steps per epoch of the ablation.
        depths: (L, K) of the models that are compared by depth.
        depth_steps: steps per epoch of the comparison by depth.
    """

    width: int = 32
    epochs: int = 10
    ablation: tuple = (3, 4)
    ablation_steps: int = 60
    depths: tuple = ((3, 1), (3, 2), (3, 4), (3, 8), (2, 4), (1, 4))
    depth_steps: int = 100


SIZES = {
    "small": Size(),
    "tiny": Size(width=8, epochs=1, ablation=(1, 1), ablation_steps=2, depths=((1, 1), (2, 1)), depth_steps=2),
}


@dataclasses.dataclass(frozen=True)
class TrainingRun:
    """One training run.

    Args:
        name: name of the configuration, such as "1x1 affine" or "L=3 K=8".
        seed: seed of weights, data order and noise.
        model: a `ModelConfig`.
        data: a `DataConfig`.
        steps: steps per epoch.
        epochs: number of epochs.
    """

    name: str
    seed: int
    model: ModelConfig
    data: DataConfig
    steps: int
    epochs: int

    @property
    def experiment(self):
        """The run as an `Experiment`."""
        return Experiment(
            dataclasses.replace(self.model, init_seed=SEED_STRIDE * self.seed),
            self.data,
            TrainingConfig(
                batch_size=32,
                learning_rate=3e-3,  # the paper's 1e-3 is for networks 16 times as wide
                beta2=0.99,
                epoch_steps=self.steps,
                warmup_steps=100,
                epochs=self.epochs,
                init_images=128,
                seed=self.seed,
            ),
            self.folder,
        )

    @property
    def folder(self):
        """Name of the run folder."""
        return f"{self.name} seed={self.seed}".replace(" ", "_")


def all_runs(size, seeds):
    """Return every run of a `Size`, seed by seed, so that an interrupted session leaves whole seeds."""
    return [run for seed in range(seeds) for run in (*ablation_runs(size, seed), *depth_runs(size, seed))]


def ablation_runs(size, seed):
    """Return one run per coupling and permutation (paper, figure 3)."""
    photos = DataConfig("bundled:photos", fit="random_crop", flip=True)
    runs = []
    for coupling in COUPLINGS:
        for permutation in PERMUTATIONS:
            model = ModelConfig((16, 16, 3), 8, *size.ablation, size.width, permutation=permutation, coupling=coupling)
            runs.append(TrainingRun(f"{permutation} {coupling}", seed, model, photos, size.ablation_steps, size.epochs))
    return runs


def depth_runs(size, seed):
    """Return one run per depth (L, K) of a `Size` (paper, figure 9)."""
    digits = DataConfig("bundled:mnist", fit="resize")
    runs = []
    for levels, depth in size.depths:
        model = ModelConfig((16, 16, 1), 5, levels, depth, size.width)
        runs.append(TrainingRun(depth_name(levels, depth), seed, model, digits, size.depth_steps, size.epochs))
    return runs


def depth_name(levels, depth):
    """Return the name of a run of the comparison by depth."""
    return f"L={levels} K={depth}"


def parse_depth(name):
    """Return (L, K) of the name of a depth run, or None for a run of the ablation."""
    return tuple(int(part[2:]) for part in name.split()) if name.startswith("L=") else None
