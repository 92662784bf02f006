"""Check, at the start of a training on several machines, that all of them go on from the same."""

from glow_tf.data.hold_out import digest
from glow_tf.errors import RunError
from glow_tf.training.agreement import Agreement
from glow_tf.training.trainer import Trainer

NO_CHECKPOINT = -1
"""Step, in the comparison of machines, of one that found no checkpoint."""


def check_same_step(trainer: Trainer) -> None:
    """Raise a `RunError` on all machines if one restored another step: then they do not see the same run folder.

    The chief, which writes the next checkpoint, waits here until all machines have read theirs.
    """
    step = trainer.state.steps if trainer.restored else NO_CHECKPOINT
    lowest, highest = _range(trainer, step)
    if lowest != highest:
        other = highest if step == lowest else lowest
        raise RunError(
            f"{trainer.run.path} {_describe_step(step)} on this machine and {_describe_step(other)} on another; "
            "give a --run-dir that all machines share."
        )


def check_same_images(trainer: Trainer) -> None:
    """Raise a `RunError` on all machines if one has other images, or other splits of them."""
    source = trainer.source
    parts = [part for split in sorted(source.rows) for part in (split, source.rows[split])]
    if _differ(trainer, digest(repr(source.split_record), *parts)):
        raise RunError(f"{source.name} holds other images on another machine; give all machines the same ones.")


def check_same_weights(trainer: Trainer) -> None:
    """Raise a `RunError` on all machines if one started from other weights."""
    record = trainer.experiment.initial_weights
    if trainer.restored or record is None:
        return
    assert record.digest is not None  # as `Trainer.restore` has read the weights
    if _differ(trainer, record.digest):
        raise RunError(f"{record.path} holds other weights on another machine; give a file that all machines share.")


def _differ(trainer: Trainer, hexadecimal: str) -> bool:
    """Return whether the machines hold different digests."""
    lowest, highest = _range(trainer, int(hexadecimal[:7], 16))  # in int32
    return lowest != highest


def _range(trainer: Trainer, value: int) -> tuple[int, int]:
    """Return the lowest and the highest `value` of all machines."""
    agree = Agreement(trainer.strategy, every=1)
    return -agree(-value), agree(value)


def _describe_step(step: int) -> str:
    return "has no checkpoint" if step == NO_CHECKPOINT else f"is at step {step:,}"
