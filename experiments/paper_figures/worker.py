"""The worker processes: they train runs, each of which becomes a row of the results.

Nothing of glow_tf is imported at the top: it starts quietly only in a process that has declared itself a command (see
glow_tf/cli/quiet.py), and `prepare_process` declares it.
"""

import contextlib
import gc
import io
import sys


def prepare_process():
    """Configure a worker process, before TensorFlow's first operation."""
    sys.modules["__main__"].GLOW_TF_COMMAND = True
    from glow_tf.cli.command import start_tensorflow

    start_tensorflow()
    import tensorflow as tf

    # Operations this small do not gain from a second thread; two processes of one thread each do.
    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)


def train(run, folder):
    """Train a run in its run folder, or resume it there.

    Args:
        run: a `TrainingRun`.
        folder: folder of all run folders.

    Returns:
        Row of the results, a dictionary, or None if a signal stopped the training.
    """
    import keras

    from experiments.paper_figures.results import experiment_as_json
    from glow_tf.config import RunOptions
    from glow_tf.training import session
    from glow_tf.training.trainer import Trainer

    options = RunOptions(str(folder / run.folder), devices="cpu")
    trainer = Trainer(run.experiment, options, session.set_up(options))
    trainer.restore()
    with contextlib.redirect_stdout(io.StringIO()):  # the trainer prints a line per epoch
        if not trainer.finished and trainer.train():
            return None
    table = trainer.table.rows()
    row = {
        "name": run.name,
        "seed": run.seed,
        "steps": [int(r["step"]) for r in table],
        "training": [r["bits_x"] for r in table],
        "validation": [r["val_bits_x"] for r in table],
        "validation_average": [r["val_bits_x_average"] for r in table],
        "parameters": trainer.state.model.count_params(),
        "experiment": experiment_as_json(run.experiment),
    }
    del trainer
    keras.backend.clear_session()
    gc.collect()
    return row
