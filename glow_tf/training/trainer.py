"""`Trainer`: an experiment in a run folder, on one device, several GPUs or several machines alike."""

import concurrent.futures
import contextlib
import dataclasses
import time
from collections.abc import Iterable, Iterator

import keras
import tensorflow as tf

from glow_tf.config import Experiment, RunOptions
from glow_tf.errors import ConfigError
from glow_tf.runs import MetricsTable
from glow_tf.training import devices
from glow_tf.training.agreement import Agreement, take_weights_of_first_machine
from glow_tf.training.batches import ExperimentBatches
from glow_tf.training.cluster import read_cluster
from glow_tf.training.initial_weights import load_initial_weights, recorded_weights, warn_of_other_classes
from glow_tf.training.loop import EpochLoop
from glow_tf.training.old_splits import check_old_split
from glow_tf.training.run_folder import open_run_folder, with_split_record
from glow_tf.training.signals import StopSignals
from glow_tf.training.state import TrainingState
from glow_tf.training.step import TrainingStep
from glow_tf.training.validation import Validation


class Trainer:
    """A training of an experiment in a run folder, from the start or from its last checkpoint.

    Args:
        experiment: the experiment; on resume it may differ in `run_folder.FIELDS_THAT_MAY_CHANGE_ON_RESUME` only.
        options: the options of the run.
        strategy: the strategy that has the devices (see `devices.strategy`).

    Raises:
        ConfigError: the batch does not divide among the replicas, or the networks are to compute in float16, or flow
            steps that recompute are to be unrolled, or the run in the folder started from other weights than
            `options.init_from`.
    """

    def __init__(
        self,
        experiment: Experiment,
        options: RunOptions,
        strategy: tf.distribute.Strategy,
    ) -> None:
        self.options, self.strategy = options, strategy
        self.callbacks: Iterable[keras.callbacks.Callback] = ()
        """Keras callbacks (see `EpochLoop`)."""
        self.training = experiment.training.anchored(experiment.model.image_shape)
        self.chief = read_cluster().is_chief
        if experiment.model.network_dtype == "float16":
            raise ConfigError(
                "network_dtype: float16 needs a loss scale, which this training does not have, as its gradients would "
                "be rounded to zero; use bfloat16."
            )
        if options.jit_compile == "unrolled" and experiment.model.recomputes:
            raise ConfigError(
                "jit_compile: unrolled keeps the activations that recompute saves; use on, or recompute False."
            )
        devices.check_batch_size(strategy, self.training.batch_size)
        self.run = open_run_folder(options.run_dir, experiment)
        experiment = dataclasses.replace(experiment, initial_weights=recorded_weights(self.run, experiment, options))
        # Another run's record, in an experiment that was read from its folder, is not of this run's images.
        earlier_data = self.run.experiment().data if self.run.exists else None
        experiment = with_split_record(experiment, earlier_data and earlier_data.split_record)
        self.batches = ExperimentBatches(experiment, cache=options.cache, cache_dir=options.cache_dir)
        self.source = self.batches.source
        if earlier_data is not None:
            check_old_split(self.run, earlier_data, self.source)
        self.experiment = experiment = with_split_record(experiment, self.source.split_record)
        self.state = state = TrainingState(experiment, self.run, strategy, self.chief, options.keep_checkpoints)
        self.jit_compile = devices.on_gpu(strategy) if options.jit_compile == "auto" else options.jit_compile != "off"
        self.step = TrainingStep(
            state.model,
            state.optimizer,
            state.ema,
            state.counters,
            strategy,
            self.training.batch_size,
            self.jit_compile,
            unroll=options.jit_compile == "unrolled",
        )
        self.validation = Validation(state.model, strategy)
        self.table = MetricsTable(self.run.metrics_path)
        self.restored: bool | None = None
        """True if a checkpoint was restored; None before `restore`."""
        self.stop = StopSignals(Agreement(strategy))
        self.start_seconds: dict[str, float] = {}
        """Seconds of the parts of a fresh start: `initialization`, `trace`, and `both`, which run side by side."""

    @property
    def finished(self) -> bool:
        """Return whether training has completed."""
        epochs = self.training.epochs
        return epochs is not None and self.state.steps >= epochs * self.training.epoch_steps

    def restore(self) -> bool:
        """Restore the newest readable checkpoint of the folder; return whether there was one.

        If there was none, the weights that the run is to start from are loaded, if any are given.
        """
        self.restored = self.state.restore()
        if not self.restored and self.experiment.initial_weights:
            record = load_initial_weights(self.state.model, self.experiment.initial_weights)
            if self.experiment.model.classes:
                warn_of_other_classes(record, self.experiment.data)
            self.experiment = dataclasses.replace(self.experiment, initial_weights=record)
        return self.restored

    def train(self) -> int:
        """Train until the last epoch, a signal or a callback's stop; return its number (see `signals`), or 0.

        Goes on from the newest checkpoint, also where nobody called `restore`.
        """
        if self.restored is None:  # asked once: another machine may have written a checkpoint since
            self.restore()
        with self.stop.caught():
            dataset = self.prepare()
            if self.chief:
                self.run.write_config(self.experiment)
                self.state.checkpoints.move_damaged_aside()
                self.table.cut_back(self.state.steps)
                self.state.checkpoints.remove_leftovers()
            EpochLoop(self, self.callbacks).run(iter(dataset))
        return self.stop.agreed

    def prepare(self) -> tf.data.Dataset | tf.distribute.DistributedDataset:
        """Return the (distributed) training batches, after a fresh run's initialization.

        The initialization computes in TensorFlow, and tracing the step is work of Python: at K=32 both take seconds,
        so both run at once. `start_seconds` then holds how long each took.
        """
        dataset = devices.distribute(self.strategy, self.local_training_batches, self.training.batch_size)
        if not self.restored:
            with self._timed("both"), concurrent.futures.ThreadPoolExecutor(1) as pool:
                initialization = pool.submit(self.initialize)
                with self._timed("trace"):
                    self.step.trace(dataset.element_spec)
                initialization.result()
            if devices.machine_count(self.strategy) > 1:
                take_weights_of_first_machine(self.strategy, self.state.model.trainable_variables)
                self.state.ema.reset()
        self.step.load()
        return dataset

    @contextlib.contextmanager
    def _timed(self, part: str) -> Iterator[None]:
        start = time.monotonic()
        yield
        self.start_seconds[part] = time.monotonic() - start

    def initialize(self) -> None:
        """Initialize from data, unless `restore` loaded weights, and set the EMA to the weights that result."""
        if self.experiment.initial_weights:
            self.state.ema.reset()
        else:
            self.initialize_from_data()

    def initialize_from_data(self) -> None:
        """Set the actnorms from `training.init_images` images, and the EMA to the weights that result.

        Runs outside the replicas: a cross-replica assignment reaches all replicas of this machine.
        """
        with self._timed("initialization"):
            batch = next(iter(self.batches.training(self.training.init_images)))
            labels = batch["label"] if self.experiment.model.classes else None
            self.state.model.initialize(batch["image"], labels, noise=batch["noise"])
            self.state.ema.reset()

    def local_training_batches(self, input_pipelines: int, input_pipeline_id: int) -> tf.data.Dataset:
        """Return the training batches of one of several input pipelines, from the present step on."""
        return self.batches.training(
            self.training.batch_size,
            start_step=self.state.steps,
            input_pipelines=input_pipelines,
            input_pipeline_id=input_pipeline_id,
        )
