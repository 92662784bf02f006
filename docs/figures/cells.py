"""The cells: what is trained, a configuration and a seed each, and how one cell becomes a row of results.

The cells of one seed are paired: they see the same images in the same order with the same noise, are initialised from
the same batch and validated with the same noise.
"""

import contextlib
import dataclasses
import gc
import io
import json

from glow_tf.config import DataConfig, Experiment, ModelConfig, RunOptions, TrainingConfig
from glow_tf.runs import write_atomically

PERMUTATIONS = ("reverse", "shuffle", "1x1")
COUPLINGS = ("additive", "affine")

SEED_STRIDE = 1000
"""A model's layers take consecutive seeds from `init_seed` on; so far apart, those of two cells never meet."""


@dataclasses.dataclass(frozen=True)
class Size:
    """How large everything is.

    Args:
        width: of every coupling network.
        epochs: of every cell; each ends with a validation.
        ablation, depths: (L, K) of the ablation; of the models that are compared by depth.
        ablation_steps, depth_steps: steps an epoch.
    """

    width: int = 32
    epochs: int = 10
    ablation: tuple = (3, 4)
    ablation_steps: int = 60
    depths: tuple = ((3, 1), (3, 2), (3, 4), (3, 8), (2, 4), (1, 4))
    depth_steps: int = 100


SIZES = {
    "small": Size(),
    "tiny": Size(8, 1, (1, 1), 2, ((1, 1), (2, 1)), 2),
}


@dataclasses.dataclass(frozen=True)
class Cell:
    """One training: `name` is its configuration's, such as "1x1 affine" or "L=3 K=8"."""

    name: str
    seed: int
    model: ModelConfig
    data: DataConfig
    steps: int
    epochs: int

    @property
    def experiment(self):
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
        return f"{self.name} seed={self.seed}".replace(" ", "_")


def all_cells(size, seeds):
    """Every cell, seed by seed, so that what is stopped early leaves whole seeds."""
    photos = DataConfig("bundled:photos", fit="random_crop", flip=True)
    digits = DataConfig("bundled:mnist", fit="resize")
    cells = []
    for seed in range(seeds):
        for coupling in COUPLINGS:
            for permutation in PERMUTATIONS:
                model = ModelConfig(
                    (16, 16, 3), 8, *size.ablation, size.width, permutation=permutation, coupling=coupling
                )
                name = f"{permutation} {coupling}"
                cells.append(Cell(name, seed, model, photos, size.ablation_steps, size.epochs))
        for levels, depth in size.depths:
            model = ModelConfig((16, 16, 1), 5, levels, depth, size.width)
            cells.append(Cell(depth_name(levels, depth), seed, model, digits, size.depth_steps, size.epochs))
    return cells


def depth_name(levels, depth):
    return f"L={levels} K={depth}"


def depth_of(name):
    """(L, K) of a depth cell's name; None of an ablation cell's."""
    return tuple(int(part[2:]) for part in name.split()) if name.startswith("L=") else None


def prepare_process():
    """Settings of a process that trains cells, before TensorFlow's first operation."""
    import tensorflow as tf

    # Operations this small do not gain from a second thread; two processes of one thread each do.
    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)


def train(cell, runs):
    """Trains a cell in `runs`/folder, from where it was left; returns its row, or None if a signal stopped it."""
    import keras

    from glow_tf.training import session
    from glow_tf.training.loop import Trainer

    options = RunOptions(str(runs / cell.folder), devices="cpu")
    trainer = Trainer(cell.experiment, options, session.set_up(options))
    trainer.restore()
    with contextlib.redirect_stdout(io.StringIO()):  # the trainer's line an epoch
        if not trainer.finished and trainer.train():
            return None
    table = trainer.table.rows()
    row = {
        "name": cell.name,
        "seed": cell.seed,
        "steps": [int(r["step"]) for r in table],
        "training": [r["bits_x"] for r in table],
        "validation": [r["val_bits_x"] for r in table],
        "validation_average": [r["val_bits_x_average"] for r in table],
        "parameters": trainer.state.model.count_params(),
        "experiment": as_json(cell.experiment),
    }
    del trainer
    keras.backend.clear_session()
    gc.collect()
    return row


def as_json(experiment):
    """An `Experiment` as a row holds it."""
    return json.loads(json.dumps(experiment.to_dict()))


class Results:
    """The rows of finished cells: a file of JSON lines, one a cell.

    Args:
        path: of the file; it need not exist.
    """

    def __init__(self, path):
        self.path = path
        self.rows = [json.loads(line) for line in path.read_text().splitlines()] if path.is_file() else []

    def missing(self, cells):
        """The cells without a row of exactly their experiment."""
        found = [row["experiment"] for row in self.rows]
        return [cell for cell in cells if as_json(cell.experiment) not in found]

    def add(self, row):
        key = row["name"], row["seed"]
        self.rows = [r for r in self.rows if (r["name"], r["seed"]) != key] + [row]
        text = "".join(json.dumps(r) + "\n" for r in self.rows)
        write_atomically(self.path, lambda p: p.write_text(text))
