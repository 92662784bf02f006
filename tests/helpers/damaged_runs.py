"""Resume runs that were damaged, and list the files of a finished one, by the commands that read them."""

import tensorflow as tf

from glow_tf.runs import MetricsTable, Run
from glow_tf.training.run_folder import claimed

CHECKPOINTS = {f"checkpoints/ckpt-{step}.{part}" for step in (0, 2, 4) for part in ("index", "data-00000-of-00001")}

READS = {
    "resume": {"config.json", "metrics.csv", "checkpoints/checkpoint", *CHECKPOINTS, "weights/last.weights.h5"},
    "evaluate": {"config.json", "weights/best.weights.h5"},
    "evaluate --ema": {"config.json", "weights/best_average.weights.h5"},
    "last weights": {"config.json", "weights/last.weights.h5"},
    "last EMA weights": {"config.json", "weights/last_average.weights.h5"},
    "export": {"config.json", "weights/best.weights.h5"},
    "page": {"config.json", "weights/best.weights.h5"},
}
"""The commands on a run folder, and the files that each reads."""

FILES = set().union(*READS.values(), {"pictures/samples.png", "tensorboard/events"})


def point(trainer, path):
    """Give a trainer another run folder, and leave nothing of the last one in its weights."""
    trainer.run = trainer.state.run = Run(path)
    trainer.table = MetricsTable(trainer.run.metrics_path)
    trainer.state.checkpoints.directory = trainer.run.checkpoints
    trainer.state.counters.step.assign(-1)
    for variable in (*trainer.state.model.weights, *trainer.state.ema.shadows):
        variable.assign(tf.zeros_like(variable))


def resume(trainer, path):
    """Restore as a training does at its start; return the state's weights and its step."""
    point(trainer, path)
    trainer.run.experiment()
    with claimed(trainer.run):
        trainer.restore()
    trainer.table.warn_of_missing_rows(trainer.state.steps // 2)
    return trainer.state.model.get_weights(), trainer.state.steps
