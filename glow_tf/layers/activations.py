"""Keep the coupling networks' activations of the forward pass for the backward pass of a compiled loop.

A loop with its own backward pass (`layers/compiled_steps.py`) calls a flow step twice: to compute, and again to
differentiate. The expensive part, the matrix products of the coupling network, should be computed once. So the first
call runs within `recording()`, the second within `replaying(activations)`. Outside of both, `activations` just
computes.
"""

import contextlib
import contextvars
from collections.abc import Callable, Iterator, Sequence
from typing import TypeAlias

from glow_tf.layers.context_values import value_set
from glow_tf.types import Tensor

_State: TypeAlias = tuple[Callable[[Sequence[Tensor]], None] | None, Iterator[Tensor] | None]

_store: contextvars.ContextVar[_State | None] = contextvars.ContextVar("activations", default=None)


@contextlib.contextmanager
def recording() -> Iterator[list[Tensor]]:
    """Collect the tensors that `activations` computes within the context; yield the list of them."""
    recorded = []
    with value_set(_store, (recorded.extend, None)):
        yield recorded


@contextlib.contextmanager
def replaying(recorded: Sequence[Tensor]) -> Iterator[None]:
    """Let `activations` return these tensors, in the order in which they were recorded, instead of computing.

    Raises:
        RuntimeError: not all of them were asked for.
    """
    remaining = iter(recorded)
    with value_set(_store, (None, remaining)):
        yield
    if next(remaining, None) is not None:
        raise RuntimeError("a layer computed fewer activations than were recorded.")


def activations(compute: Callable[[], Sequence[Tensor]], count: int) -> Sequence[Tensor]:
    """Return the `count` tensors of `compute()`, or, within `replaying`, those recorded by the matching call."""
    record, remaining = _store.get() or (None, None)
    if remaining is not None:
        return [next(remaining) for _ in range(count)]
    tensors = compute()
    if record is not None:
        record(tensors)
    return tensors
