"""Peak memory of training, and the largest model of the paper at one image.

`python -m benchmarks.memory WORK RECOMPUTE SAMPLE` prints, as JSON, the peak resident memory of a process that takes
two training steps (and then samples an image, if asked) and the seconds of the second.
"""

import json
import resource
import sys
import time

from benchmarks.work import TEMPERATURE, Work


def main(work, recompute, sample):
    import numpy as np
    import tensorflow as tf

    from glow_tf import Adamax, Glow, ModelConfig
    from glow_tf.config import RunOptions
    from glow_tf.training import session
    from glow_tf.training.average import MovingAverage
    from glow_tf.training.step import Counters, TrainingStep, terms_of

    session.set_up(RunOptions())  # as train.py begins
    glow = Glow(ModelConfig(**work.model(), recompute=recompute))
    average, counters = MovingAverage(glow, 0.999), Counters(terms_of(glow))
    step = TrainingStep(glow, Adamax(1e-3), average, counters, tf.distribute.get_strategy(), work.batch)
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (work.batch, *work.shape), np.uint8)
    batch = {"image": tf.constant(images), "noise": tf.constant(rng.random(images.shape, np.float32))}

    def seconds(call):
        began = time.perf_counter()
        call()
        return time.perf_counter() - began

    def train():
        step(batch)
        counters.step.numpy()

    result = {"first_step_s": seconds(train), "step_s": seconds(train), "training_mib": peak()}
    if sample:
        draw = tf.function(lambda seed: glow.sample(1, TEMPERATURE, seed=seed), autograph=False)
        result["first_sample_s"] = seconds(lambda: draw(tf.constant([0, 0])).numpy())
        result["sample_s"] = seconds(lambda: draw(tf.constant([0, 1])).numpy())
        result["peak_mib"] = peak()
    result["parameters"] = glow.count_params()
    print(json.dumps(result))


def peak():
    """Peak resident memory of this process so far, MiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


if __name__ == "__main__":
    main(Work.from_json(sys.argv[1]), *(flag == "True" for flag in sys.argv[2:]))
