"""A chain of flow bijectors."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from typing import Any, overload

from glow_tf import layers
from glow_tf.bijector import LayerBijector
from glow_tf.bijectors.own_layer import OwnLayerBijector


class Chain(OwnLayerBijector):
    """Chain flow bijectors, over a `FlowSequential` of their layers.

    The order is that of `tfb.Chain`: `forward` runs the last bijector first, `inverse` runs the first one first. Unlike
    `tfb.Chain`, this chain never returns values from before an update of the weights, and it runs each network once in
    a `log_prob`.

    `len(chain)`, iteration and `chain[i]` give the bijectors. In TFP, `bijector[i]` slices the batch shape, but no part
    of this chain has one.

    Args:
        bijectors: bijectors from this package or from `layer.as_bijector()`, without labels.
        validate_args: check in every call, in graphs too, that values are finite.
        name: name of the bijector.
        layer: a chain of the bijectors' layers to share in place of a new one.

    Raises:
        TypeError: an element of `bijectors` is not a flow bijector, or has labels.

    Source: equations 6 and 7 of https://arxiv.org/abs/1807.03039: the log-determinants of a sequence of maps add.

    Example:
        >>> import tensorflow as tf
        >>> from glow_tf.bijectors import ActNorm, Coupling
        >>> chain = Chain([ActNorm(event_shape=[2]), Coupling(event_shape=[2], width=8)])
        >>> len(chain), chain[0].name, chain.inverse(tf.ones([3, 2])).shape
        (2, 'act_norm', TensorShape([3, 2]))
    """

    def __init__(
        self,
        bijectors: Sequence[LayerBijector],
        *,
        validate_args: bool = False,
        name: str = "chain",
        layer: layers.FlowSequential | None = None,
    ) -> None:
        parameters = dict(locals())
        self._bijectors = tuple(bijectors)
        wrong = [b for b in self._bijectors if not isinstance(b, LayerBijector) or b.condition is not None]
        if wrong:
            raise TypeError(
                f"{name}: expected flow bijectors without labels, got {wrong[0]!r}; tfb.Chain takes any bijector."
            )
        super().__init__(_make_chain, parameters)

    def copy(self, **overrides: Any) -> Chain:
        """Return a copy with other arguments; a copy with another layer has bijectors over the parts of that layer."""
        if overrides.get("layer") is not None:
            parts = zip(self._bijectors, overrides["layer"], strict=True)
            overrides.setdefault("bijectors", [bijector.copy(layer=layer) for bijector, layer in parts])
        return super().copy(**overrides)

    def __deepcopy__(self, memo: dict[int, Any]) -> Chain:
        # As Keras copies layers by their files, copied parts would not be the parts of the copied chain.
        memo[id(self)] = self.copy(layer=copy.deepcopy(self.layer, memo))
        return memo[id(self)]

    def __reduce__(self) -> tuple[Any, ...]:
        return _chain_over, (self.layer, self._bijectors, self.validate_args, self.name)

    @property
    def bijectors(self) -> tuple[LayerBijector, ...]:
        """The bijectors of the chain, as in `tfb.Chain`."""
        return self._bijectors

    def __len__(self) -> int:
        return len(self._bijectors)

    def __bool__(self) -> bool:
        return True

    def __iter__(self) -> Iterator[LayerBijector]:
        return iter(self._bijectors)

    @overload
    def __getitem__(self, index: int) -> LayerBijector: ...

    @overload
    def __getitem__(self, index: slice) -> Chain: ...

    def __getitem__(self, index: int | slice) -> LayerBijector:
        if isinstance(index, slice):
            layer = _settled(self.layer[index])
            return Chain(self._bijectors[index], validate_args=self.validate_args, layer=layer)
        return self._bijectors[index]


def _chain_over(
    layer: layers.FlowSequential, bijectors: Sequence[LayerBijector], validate_args: bool, name: str
) -> Chain:
    """Return a chain that was pickled: as Keras pickles layers by their files, it was pickled apart from its parts."""
    parts = [bijector.copy(layer=part) for bijector, part in zip(bijectors, layer, strict=True)]
    return Chain(parts, validate_args=validate_args, name=name, layer=layer)


def _make_chain(bijectors: Sequence[LayerBijector]) -> layers.FlowSequential:
    return _settled(layers.FlowSequential([bijector.layer for bijector in bijectors]))


def _settled(chain: layers.FlowSequential) -> layers.FlowSequential:
    """Return a chain, settled for the event of its first layer."""
    if len(chain):
        chain.event_ndims = chain[0].event_ndims
        chain.settle_event(chain[0].event_shape)
    return chain
