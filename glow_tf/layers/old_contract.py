"""Old method names of the layer contract: a layer that uses them works for one release, and warns once."""

import functools
from collections.abc import Callable
from typing import Any

from glow_tf.deprecation import warn_renamed
from glow_tf.layers.keras_contract import LayerMixin
from glow_tf.types import EventShape, ShapeLike

RENAMED = {"latent_shape": "encoded_shape", "image_shape": "decoded_shape"}


class OldContract(LayerMixin):
    """Mixin of `FlowLayer` that serves its old method names, and layers that define them."""

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        for old, new in RENAMED.items():
            if old in cls.__dict__ and new not in cls.__dict__:
                warn_renamed(f"FlowLayer.{old}", f"FlowLayer.{new}")
                setattr(cls, new, cls.__dict__[old])
            elif new in cls.__dict__ and old not in cls.__dict__:
                setattr(cls, old, _under_old_name(old, new, cls.__dict__[new]))

    def _settle(self, input_shape: ShapeLike) -> int:
        """Run the base class's `build` and return the number of channels, as a `build` used to begin."""
        warn_renamed("FlowLayer._settle(input_shape)", "super().build(input_shape)")
        flow_layer = next(base for base in type(self).__mro__ if OldContract in base.__bases__)
        flow_layer.build(self, input_shape)
        return self.channels


def _under_old_name(
    old: str, new: str, method: Callable[[Any, EventShape], EventShape]
) -> Callable[[Any, EventShape], EventShape]:
    """Return a method that warns and calls `method`; bound to its class, so that `super()` finds the right one."""

    @functools.wraps(method)
    def renamed(self: Any, event_shape: EventShape) -> EventShape:
        warn_renamed(f"FlowLayer.{old}", f"FlowLayer.{new}")
        return method(self, event_shape)

    return renamed
