"""The loop: one for one device, several GPUs and several machines, taken up where it was left."""

import concurrent.futures
import contextlib
import itertools
import pathlib
import signal
import time

import keras
import numpy as np
import tensorflow as tf

from glow_tf import presets
from glow_tf.config import ConfigError
from glow_tf.data import open_source
from glow_tf.data.pipeline import evaluation_batches, training_batches
from glow_tf.errors import GlowError
from glow_tf.pictures import sample_sheet, save_png
from glow_tf.runs import Run
from glow_tf.training import devices
from glow_tf.training.logs import MetricsTable, ProgressBar, TensorBoard, tensorboard_available
from glow_tf.training.state import TrainingState
from glow_tf.training.step import TrainingStep, Validation

MAY_DIFFER = ("training.epochs", "training.patience", "model.recompute")
"""What of an experiment may differ when a run is taken up again; of the `RunOptions`, everything may."""

LOOK_SECONDS = 0.3
"""Reading a number waits for the device, so the bar is not brought up to date more often than this."""

HEALTH_STEPS = 10
"""Steps between two looks at the skipped ones: by count, so that several machines stop at the same step."""


class TrainingError(GlowError):
    """Training cannot go on; the message says why and what to do."""


class Trainer:
    """Trains an experiment in a run folder, from the start or from its last checkpoint.

    Args:
        experiment: an `Experiment`; of a run that is taken up again it may differ only in `MAY_DIFFER`.
        options: `RunOptions`.
        strategy: a `tf.distribute` strategy (see `devices.strategy`).
    """

    def __init__(self, experiment, options, strategy):
        self.experiment, self.options, self.strategy = experiment, options, strategy
        self.training = experiment.training.anchored(experiment.model.image_shape)
        self.chief = devices.is_chief(strategy)
        devices.check_batch_size(strategy, self.training.batch_size)
        self.run = self._open_run()
        self.source = open_source(experiment.data, experiment.model.image_shape)
        self._check_labels()
        self.state = TrainingState(experiment, self.run, strategy, self.chief, options.keep_checkpoints)
        self.step = TrainingStep(
            self.state.model,
            self.state.optimizer,
            self.state.average,
            self.state.counters,
            strategy,
            self.training.batch_size,
            options.jit_compile,
        )
        self.validation = Validation(self.state.model, strategy)
        self.table = MetricsTable(self.run.metrics_path)
        self.tensorboard = None
        self.restored = False
        self.agreement = devices.Agreement(strategy)
        self.signal = 0
        self.stop_signal = 0
        self.start_seconds = {}
        """Seconds of the parts of a fresh start: `initialization`, `trace`, and `both`, which run side by side."""

    def _open_run(self):
        run = Run(pathlib.Path(self.options.run_dir or f"runs/{self.experiment.name}"))
        if run.config_path.is_file():
            lines = presets.differences(run.experiment(), self.experiment, MAY_DIFFER)
            if lines:
                raise ConfigError(
                    f"{run.path} holds a run of another configuration; the difference: {'; '.join(lines)}. "
                    "Give another --run-dir, or the same options."
                )
        elif run.path.exists() and (not run.path.is_dir() or any(run.path.iterdir())):
            raise ConfigError(f"{run.path} exists and is not a run folder; give another --run-dir.")
        return run

    def _check_labels(self):
        wanted, found = self.experiment.model.classes, self.source.classes
        if wanted and wanted != found:
            raise ConfigError(f"classes={wanted}, but {self.experiment.data.source} has {found} classes of labels.")

    @property
    def finished(self):
        """Whether the last epoch is behind us."""
        epochs = self.training.epochs
        return epochs is not None and self.state.steps >= epochs * self.training.epoch_steps

    def restore(self):
        """Takes up the newest checkpoint of the folder; whether there was one."""
        self.restored = self.state.restore()
        return self.restored

    def train(self):
        """Runs until the last epoch or a signal; returns the signal's number, or 0 when finished."""
        with self._signals():
            dataset = self.prepare()
            if self.chief:
                self.run.write_config(self.experiment)
                self.table.cut_back(self.state.steps)
                self.state.checkpoints.remove_leftovers()
            self._loop(iter(dataset))
        return self.stop_signal

    def prepare(self):
        """Return the (distributed) training batches, after a fresh run's initialization from data.

        The initialization computes in TensorFlow, and tracing the step is work of Python: at K=32 both take seconds,
        so both run at once. `start_seconds` then holds how long each took.
        """
        dataset = devices.distribute(self.strategy, self.local_training_batches, self.training.batch_size)
        if not self.restored:
            with self._timed("both"), concurrent.futures.ThreadPoolExecutor(1) as pool:
                initialized = pool.submit(self.initialize_from_data)
                with self._timed("trace"):
                    self.step.trace(dataset.element_spec)
                initialized.result()
        return dataset

    @contextlib.contextmanager
    def _timed(self, part):
        began = time.monotonic()
        yield
        self.start_seconds[part] = time.monotonic() - began

    def initialize_from_data(self):
        """Set the actnorms from `training.init_images` images, and the EMA to the weights that result.

        Runs outside the replicas: a cross-replica assignment reaches all of them.
        """
        with self._timed("initialization"):
            batch = next(iter(self._batches(self.training.init_images)))
            labels = batch["label"] if self.experiment.model.classes else None
            self.state.model.initialize(batch["image"], labels, noise=batch["noise"])
            self.state.average.reset()

    def _loop(self, batches):
        callbacks = [ProgressBar(self.training.epochs, self.training.epoch_steps, self.training.batch_size)]
        if self.chief and tensorboard_available():
            self.tensorboard = TensorBoard(self.run.path / "tensorboard")
            callbacks.append(self.tensorboard)
        callbacks = keras.callbacks.CallbackList(callbacks if self.chief else [], model=self.state.model)
        callbacks.on_train_begin()
        self.saved_at = time.monotonic()
        for epoch in itertools.count(self.state.steps // self.training.epoch_steps):
            if self.finished or self.stop_signal:
                break
            self._epoch(epoch, batches, callbacks)
        callbacks.on_train_end()

    def _epoch(self, epoch, batches, callbacks):
        epoch_steps = self.training.epoch_steps
        done = self.state.steps - epoch * epoch_steps
        callbacks.on_epoch_begin(epoch, {"done": done})
        began, looked = time.monotonic(), 0.0
        for k in range(done, epoch_steps):
            self.step(next(batches))
            logs = None
            if time.monotonic() - looked > LOOK_SECONDS:
                looked, logs = time.monotonic(), self._means()
            if (k + 1) % HEALTH_STEPS == 0:
                self._check_health()
            callbacks.on_train_batch_end(k, logs)
            due = self._must_save()
            if due and k < epoch_steps - 1:
                self.state.save_checkpoint()
                self.saved_at = time.monotonic()
                if self.stop_signal:
                    return
        self._check_health()
        rate = (epoch_steps - done) * self.training.batch_size / (time.monotonic() - began)
        callbacks.on_epoch_end(epoch, self._end_of_epoch(epoch, rate))

    def _must_save(self):
        """Whether a checkpoint is due: by time, or by a signal, on which several machines agree."""
        self.stop_signal = self.agreement(self.signal)
        return self.stop_signal or time.monotonic() - self.saved_at > 60 * self.options.checkpoint_minutes

    def _means(self):
        sums = self.state.counters.sums.numpy()
        names = [*self.step.terms, "grad_norm"]
        return dict(zip(names, sums[:-1] / sums[-1] if sums[-1] else np.full(len(names), np.nan), strict=True))

    def _check_health(self):
        bad = int(self.state.counters.bad_in_a_row.numpy())
        if bad >= self.training.patience:
            self.state.save_weights("last")
            raise TrainingError(
                f"the loss or its gradient was not finite for {bad} steps in a row; stopped at step "
                f"{self.state.steps:,} with the last good weights in {self.run.weights_path('last')}. "
                "Try a smaller --learning-rate or a longer warm-up in a new --run-dir."
            )

    def _end_of_epoch(self, epoch, rate):
        """Validates, keeps weights, row and checkpoint; returns the row. The checkpoint comes last: killed before it,
        the same end of the epoch is reached again."""
        state = self.state
        row = {
            "epoch": epoch + 1,
            "step": state.steps,
            "images": state.steps * self.training.batch_size,
            "learning_rate": float(state.optimizer.learning_rate),
            **{k: v if np.isfinite(v) else None for k, v in self._means().items()},
            "skipped": int(state.counters.skipped.numpy()),
            "images_per_second": rate,
        }
        last = self.training.epochs is not None and epoch + 1 >= self.training.epochs
        if (epoch + 1) % self.options.validate_every == 0 or last:
            row.update(self._validate())
        state.counters.sums.assign(tf.zeros_like(state.counters.sums))
        state.save_weights("last")
        if self.chief:
            self.table.append(row)
            if self.options.sample_every and (epoch + 1) % self.options.sample_every == 0:
                self._draw_samples(epoch + 1)
        state.save_checkpoint()
        self.saved_at = time.monotonic()
        return row

    def _validate(self):
        """Validation of the raw and of the averaged weights; the best of each are kept."""
        result, best = {}, self.state.counters.best.numpy()
        for i, average in enumerate((False, True)):
            with self.state.weights(average):
                means = self.validation(
                    devices.distribute(self.strategy, self._validation_part, self.training.batch_size)
                )
            result.update({f"val_{k}{'_average' if average else ''}": v for k, v in means.items() if k != "loss"})
            if means["loss"] < best[i]:
                best[i] = means["loss"]
                self.state.save_weights("best", averages=(average,))
        self.state.counters.best.assign(best)
        return result

    def _draw_samples(self, epoch):
        page = sample_sheet(self.state.model)
        save_png(self.run.pictures / f"samples_epoch_{epoch:04d}.png", page)
        if self.tensorboard:
            self.tensorboard.image("samples", page, self.state.steps)

    # The data of this machine.

    def _batches(self, batch_size, **options):
        return training_batches(
            self.source,
            self.experiment.data,
            image_shape=self.experiment.model.image_shape,
            batch_size=batch_size,
            seed=self.training.seed,
            **options,
        )

    def local_training_batches(self, pipelines, pipeline_id):
        """Return the training batches of input pipeline `pipeline_id` of `pipelines`, from the present step on."""
        return self._batches(
            self.training.batch_size,
            start_step=self.state.steps,
            input_pipelines=pipelines,
            input_pipeline_id=pipeline_id,
        )

    def _validation_part(self, pipelines, pipeline_id):
        batches = evaluation_batches(
            self.source,
            "validation",
            self.experiment.data,
            image_shape=self.experiment.model.image_shape,
            batch_size=self.training.batch_size,
            seed=self.training.seed,
        )
        return batches.rebatch(self.training.batch_size // pipelines).shard(pipelines, pipeline_id)

    @contextlib.contextmanager
    def _signals(self):
        """Ctrl-C and SIGTERM end training after the present step, with a checkpoint."""

        def remember(number, frame):
            self.signal = number

        before = {s: signal.signal(s, remember) for s in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)
