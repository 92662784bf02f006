"""Numbers of an epoch: means over its training steps, and the check that they are finite."""

import numpy as np

from glow_tf.errors import RunError


def epoch_means(state):
    """Return the means over the finite steps of the present epoch, NaN before the first.

    Args:
        state: a `TrainingState`.

    Returns:
        Dictionary of the loss's terms and `grad_norm` to floats.
    """
    names = [*state.model.term_names, "grad_norm"]
    sums = state.counters.sums.numpy()
    means = sums[:-1] / sums[-1] if sums[-1] else np.full(len(names), np.nan)
    return dict(zip(names, means, strict=True))


def training_metrics(state, epoch, batch_size, images_per_second):
    """Return the columns of metrics.csv that training itself fills; None stands for a mean that is not finite."""
    return {
        "epoch": epoch,
        "step": state.steps,
        "images": state.steps * batch_size,
        "learning_rate": float(state.optimizer.learning_rate),
        **{name: mean if np.isfinite(mean) else None for name, mean in epoch_means(state).items()},
        "skipped": int(state.counters.skipped.numpy()),
        "images_per_second": images_per_second,
    }


def too_many_bad_steps(state, patience):
    """Return whether the last `patience` steps or more were not finite."""
    return int(state.counters.bad_in_a_row.numpy()) >= patience


def stop_with_good_weights(state):
    """Save the weights, which are those before the first non-finite step, and raise.

    Raises:
        RunError: always.
    """
    state.save_weights("last")
    raise RunError(
        f"the loss or its gradient was not finite for {int(state.counters.bad_in_a_row.numpy())} steps in a row; "
        f"stopped at step {state.steps:,} with the last good weights in {state.run.weights_path('last')}. "
        "Try a smaller --learning-rate or a longer warm-up in a new --run-dir."
    )
