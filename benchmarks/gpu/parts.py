"""The parts of the measurement on a GPU: generators of rows."""

import contextlib
import dataclasses
import gc
import time

import numpy as np
import tensorflow as tf

from benchmarks.gpu.measure import LARGE, first_call_seconds, milliseconds, peak_mib, product_rate
from benchmarks.gpu.profile import kernel_times
from benchmarks.work import EMA_DECAY, LEARNING_RATE, PAPER, SMALL, TEMPERATURE
from glow_tf import Glow, ModelConfig, gpus
from glow_tf.layers import convolutions
from glow_tf.layers.matrices import inverse_and_log_abs_det
from glow_tf.optimizers import Adamax
from glow_tf.training.ema import ExponentialMovingAverage
from glow_tf.training.fused_update import WeightUpdate
from glow_tf.training.stacked_state import StackedState
from glow_tf.training.step import Counters, TrainingStep


def set_up_card():
    """Switch TF32 off and let memory grow, as train.py does."""
    tf.config.experimental.enable_tensor_float_32_execution(False)
    gpus.let_memory_grow()


def describe_card():
    """Return card, versions and date."""
    cards = tf.config.list_physical_devices("GPU")
    names = [tf.config.experimental.get_device_details(card).get("device_name") for card in cards]
    return {"card": names[0] if names else "CPU", "tensorflow": tf.__version__, "date": time.strftime("%Y-%m-%d")}


def rates(args):
    """Rates of matrix products, large and of the coupling network's shape, by precision."""
    rows = 256 if args.small else LARGE
    for dtype in ("float32", "bfloat16"):
        for tf32 in (False, True) if dtype == "float32" else (False,):
            with tensor_float_32(tf32):
                for shape in ((rows, rows, rows), (2 * rows, 512, 512)):
                    rate = product_rate(dtype, *shape, args.calls)
                    yield {"dtype": dtype, "tf32": tf32, "shape": shape, "tflops": round(rate, 1)}


@contextlib.contextmanager
def tensor_float_32(active):
    """Allow TF32 within the context, or not."""
    tf.config.experimental.enable_tensor_float_32_execution(active)
    try:
        yield
    finally:
        tf.config.experimental.enable_tensor_float_32_execution(False)


def step(args):
    """Training steps with EMA and Adamax: seconds to the end of the first, ms, images/s, Tflop/s, memory."""
    for form in args.forms:
        for dtype in args.dtypes:
            for batch in args.batches:
                work = _work(args, batch)
                yield {
                    "form": form,
                    "dtype": dtype,
                    "batch": batch,
                    "depth": work.depth,
                    **_step(work, form, dtype, args),
                }


def tf32(args):
    """The compiled training step with TF32."""
    with tensor_float_32(True):
        for batch in args.batches:
            work = _work(args, batch)
            yield {"batch": batch, "depth": work.depth, **_step(work, "xla", "float32", args)}


def profile(args):
    """The kernels of a training step that take most of its time, by TensorFlow's profiler."""
    for form in args.forms:
        for dtype in args.dtypes:
            work = _work(args, args.batches[-1])
            run = _training_run(work, form, dtype)[0]
            first_call_seconds(run)
            about = {"form": form, "dtype": dtype, "batch": work.batch, "depth": work.depth}
            for row in kernel_times(run, args.calls):
                yield {**about, **row}


def _step(work, form, dtype, args, recompute=False):
    gc.collect()  # the variables of the last one
    peak_mib()
    run, counters, seconds = _training_run(work, form, dtype, recompute)
    first = first_call_seconds(run)
    run()
    elapsed = milliseconds(run, args.calls)
    return {
        **seconds,
        "first_call_s": round(first, 1),
        "ms": round(elapsed, 2),
        "images_per_s": round(1e3 * work.batch / elapsed),
        "tflops": round(1e-9 * work.operations("train") / elapsed, 2),
        "peak_mib": peak_mib(),
        "skipped": int(counters.skipped),
        "mean_loss": round(float(counters.sums[0] / counters.sums[-1]), 4),
    }


def _training_run(work, form, dtype, recompute=False):
    """Return a function that takes a training step, the step's counters, and the seconds of building and tracing."""
    start = time.monotonic()
    glow, batch = _model_and_batch(work, dtype, recompute)
    ema = ExponentialMovingAverage(glow, EMA_DECAY)
    counters = Counters(glow.term_names)
    strategy, jit_compile, unroll = tf.distribute.get_strategy(), form != "graph", form == "unrolled"
    training = TrainingStep(glow, Adamax(LEARNING_RATE), ema, counters, strategy, work.batch, jit_compile, unroll)
    built = time.monotonic()
    training.trace(tf.nest.map_structure(lambda v: tf.TensorSpec(v.shape, v.dtype), batch))
    seconds = {"build_s": round(built - start, 1), "trace_s": round(time.monotonic() - built, 1)}

    def run():
        training(batch)
        return counters.step.read_value()

    return run, counters, seconds


def _model_and_batch(work, dtype="float32", recompute=False):
    network_dtype = None if dtype == "float32" else dtype
    glow = Glow(ModelConfig(**work.model(), network_dtype=network_dtype, recompute=recompute, init_seed=0))
    rng = np.random.default_rng(0)
    images = tf.constant(rng.integers(0, 256, (work.batch, *work.shape), np.uint8))
    noise = tf.constant(rng.random((work.batch, *work.shape), np.float32))
    return glow, {"image": images, "noise": noise}


def network(args):
    """The coupling network's three convolutions, forward and backward: as matrix products, and by cuDNN."""
    batch, width = args.batches[0], 8 if args.small else 512
    for channels, size in ((12, 16), (24, 8), (48, 4)):
        for dtype in args.dtypes:
            half = channels // 2
            shapes = (
                (3, 3, half + 1, width),
                (width,),
                (1, 1, width, width),
                (width,),
                (3, 3, width + 1, channels),
                (channels,),
            )
            weights = [tf.cast(0.05 * tf.random.normal(shape), dtype) for shape in shapes]
            x = tf.cast(tf.random.normal([batch, size, size, half]), dtype)
            for name, function in (
                ("products", convolutions.three_convolutions),
                ("convolutions", _plain_convolutions),
            ):
                for jit in (False, True):
                    run = _with_gradients(function, [x, *weights], jit)
                    row = {"channels": channels, "size": size, "batch": batch, "dtype": dtype, "form": name, "xla": jit}
                    yield {**row, "ms": round(milliseconds(run, args.calls), 3)}


def _plain_convolutions(x, kernel_1, bias_1, kernel_2, bias_2, kernel_3, bias_3):
    h = tf.nn.relu(convolutions.conv3x3(x, kernel_1) + bias_1)
    h = tf.nn.relu(tf.nn.conv2d(h, kernel_2, 1, "SAME") + bias_2)
    return convolutions.conv3x3(h, kernel_3) + bias_3


def _with_gradients(function, arguments, jit, repeats=8):
    """Return a compiled function that computes `function` and its gradients by all arguments, `repeats` times."""

    upstream = tf.Variable(tf.cast(tf.random.normal(function(*arguments).shape), arguments[0].dtype))

    @tf.function(autograph=False, jit_compile=jit)
    def run():
        total = tf.zeros([], arguments[0].dtype)
        for _ in range(repeats):
            first = arguments[0] + total  # one after another
            with tf.GradientTape() as tape:
                tape.watch([first, *arguments[1:]])
                y = function(first, *arguments[1:])
            gradients = tape.gradient(y, [first, *arguments[1:]], upstream.read_value())
            total = tf.cast(0.0, y.dtype) * tf.add_n([tf.reduce_sum(g) for g in gradients])
        return total

    return run


def determinants(args):
    """Inverses and log-determinants of a level's K matrices at once."""
    for channels in (12, 24, 48, 96):
        w = tf.linalg.qr(tf.random.normal([args.depth, channels, channels])).q
        for jit in (False, True):
            run = tf.function(lambda w=w: inverse_and_log_abs_det(w)[0], jit_compile=jit, autograph=False)
            first = first_call_seconds(run)
            ms = round(milliseconds(run, args.calls), 3)
            yield {"channels": channels, "count": args.depth, "xla": jit, "first_call_s": round(first, 2), "ms": ms}


def update(args):
    """The update of all weights by Adamax and EMA: of a plain graph, and compiled over stacked weights."""
    glow, _ = _model_and_batch(_work(args, args.batches[0]))
    optimizer = Adamax(LEARNING_RATE)
    optimizer.build(glow.trainable_variables)
    ema = ExponentialMovingAverage(glow, EMA_DECAY)
    stacked = StackedState(glow, optimizer, ema, tf.distribute.get_strategy())
    plain = WeightUpdate(glow, optimizer, ema), [v.value for v in glow.trainable_variables]
    for form, (apply, weights) in {"graph": plain, "xla": (stacked.update, stacked.weights())}.items():
        gradients = [1e-3 * tf.ones_like(w) for w in weights]
        run = tf.function(lambda apply=apply, g=gradients: apply(g, tf.constant(1.0))[0], autograph=False)
        first = first_call_seconds(run)
        yield {"form": form, "first_call_s": round(first, 1), "ms": round(milliseconds(run, args.calls), 2)}


def inference(args):
    """Log-likelihood and sampling: ms and images/s; and the largest error of `decode(encode(x))`."""
    for batch in args.batches:
        work = _work(args, batch)
        glow, inputs = _model_and_batch(work)
        glow.initialize(inputs["image"][:16], noise=inputs["noise"][:16])
        x = glow.dequantize(inputs["image"], noise=inputs["noise"])
        for jit in (False, True):
            functions = {
                "log_prob": lambda g=glow, i=inputs: g.log_prob(i["image"], noise=i["noise"]),
                "sample": lambda g=glow, b=batch: tf.cast(g.sample(b, TEMPERATURE, seed=[0, 1]), tf.int32),
                "round_trip": lambda g=glow, x=x: tf.reduce_max(tf.abs(g.flow.decode(g.flow.encode(x)[0])[0] - x)),
            }
            for name, function in functions.items():
                run = tf.function(function, autograph=False, jit_compile=jit)
                row = {"batch": batch, "depth": work.depth, "xla": jit, "task": name}
                first = first_call_seconds(run)
                row |= {"first_call_s": round(first, 1), "ms": round(milliseconds(run, args.calls), 2)}
                if name == "round_trip":
                    row["largest_error"] = float(run())
                yield row


def memory(args):
    """Peak memory of a compiled training step with and without recomputation, at 32x32 and 256x256."""
    works = [_work(args, args.batches[-1])]
    if not args.small:
        works.append(
            dataclasses.replace(PAPER, size=256, levels=6, depth=args.depth, batch=8, coupling="additive", bits=5)
        )
    for work in works:
        for recompute in (True, False):
            row = {"size": work.size, "batch": work.batch, "depth": work.depth, "recompute": recompute}
            yield {**row, **_step(work, "xla", "bfloat16", args, recompute)}


def _work(args, batch):
    return dataclasses.replace(SMALL, batch=batch) if args.small else PAPER.deeper(args.depth, batch)


PARTS = {part.__name__: part for part in (rates, determinants, network, update, step, tf32, profile, inference, memory)}
