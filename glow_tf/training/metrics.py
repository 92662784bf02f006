"""Numbers of an epoch: means over its training steps, and the check that they are finite."""

from __future__ import annotations

from typing import TYPE_CHECKING, NoReturn

import numpy as np

from glow_tf.errors import RunError
from glow_tf.metrics_table import Row

if TYPE_CHECKING:
    from glow_tf.training.state import TrainingState


def epoch_means(state: TrainingState) -> dict[str, float]:
    """Return the means over the finite steps of the present epoch, NaN before the first.

    Args:
        state: the state of the training.

    Returns:
        The means of the loss's terms and of `grad_norm`, by name.
    """
    names = [*state.model.term_names, "grad_norm"]
    sums = state.counters.sums.numpy()
    means = sums[:-1] / sums[-1] if sums[-1] else np.full(len(names), np.nan)
    return dict(zip(names, means, strict=True))


def training_metrics(state: TrainingState, epoch: int, batch_size: int, images_per_second: float) -> Row:
    """Return the columns of metrics.csv that training itself fills; None stands for a mean that is not finite.

    The learning rate is that of the last update; the optimizer has the next one already.
    """
    last_update = max(state.updates - 1, 0)
    return {
        "epoch": epoch,
        "step": state.steps,
        "images": state.steps * batch_size,
        "learning_rate": float(state.schedule(last_update)),
        **{name: mean if np.isfinite(mean) else None for name, mean in epoch_means(state).items()},
        "skipped": int(state.counters.skipped.numpy()),
        "images_per_second": images_per_second,
    }


def too_many_bad_steps(state: TrainingState, patience: int) -> bool:
    """Return whether the last `patience` steps or more were not finite."""
    return int(state.counters.bad_in_a_row.numpy()) >= patience


def stop_with_good_weights(state: TrainingState) -> NoReturn:
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
