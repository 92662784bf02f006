"""Peak memory of training, and the paper's largest model at batch 1.

`python -m benchmarks.memory WORK RECOMPUTE SAMPLE` prints, as JSON, the peak resident memory of a process that takes
two training steps (and then samples an image, if SAMPLE is True) and the seconds of the second step.
"""

import json
import resource
import sys
import time

from benchmarks.work import EMA_DECAY, LEARNING_RATE, TEMPERATURE, Work


def main(work, recompute, sample):
    """Train two steps and print the measurements.

    Args:
        work: a `Work`.
        recompute: whether each flow step recomputes its activations.
        sample: whether to sample an image too.
    """
    import numpy as np
    import tensorflow as tf

    from glow_tf import Glow, ModelConfig
    from glow_tf.config import RunOptions
    from glow_tf.optimizers import Adamax
    from glow_tf.training import session
    from glow_tf.training.ema import ExponentialMovingAverage
    from glow_tf.training.step import Counters, TrainingStep

    session.set_up(RunOptions())  # as train.py does
    glow = Glow(ModelConfig(**work.model(), recompute=recompute))
    ema, counters = ExponentialMovingAverage(glow, EMA_DECAY), Counters(glow.term_names)
    step = TrainingStep(glow, Adamax(LEARNING_RATE), ema, counters, tf.distribute.get_strategy(), work.batch)
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (work.batch, *work.shape), np.uint8)
    batch = {"image": tf.constant(images), "noise": tf.constant(rng.random(images.shape, np.float32))}

    def train():
        step(batch)
        counters.step.numpy()  # waits for the step

    result = {"first_step_s": seconds(train), "step_s": seconds(train), "training_mib": peak_mib()}
    if sample:
        draw = tf.function(lambda seed: glow.sample(1, TEMPERATURE, seed=seed), autograph=False)
        result["first_sample_s"] = seconds(lambda: draw(tf.constant([0, 0])).numpy())
        result["sample_s"] = seconds(lambda: draw(tf.constant([0, 1])).numpy())
        result["peak_mib"] = peak_mib()
    result["parameters"] = glow.count_params()
    print(json.dumps(result))


def seconds(function):
    """Return the seconds of one call of a function without arguments."""
    start = time.perf_counter()
    function()
    return time.perf_counter() - start


def peak_mib():
    """Return the peak resident memory of this process so far, MiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


if __name__ == "__main__":
    main(Work.from_json(sys.argv[1]), *(flag == "True" for flag in sys.argv[2:]))
