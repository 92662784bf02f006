"""Classes that are made of the attributes of a source, for a model conditional on them."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from glow_tf.data.source import Source
from glow_tf.errors import DataError, did_you_mean
from glow_tf.types import ImageShape, Tensor


class AttributeClasses(Source):
    """A source whose classes are the combinations of some attributes of another, `2 ** len(names)` of them.

    Bit i of a label is 1 if the image has the attribute `names[i]`.

    Args:
        source: a source with attributes.
        names: names of attributes.

    Raises:
        DataError: the source has no such attribute.
    """

    def __init__(self, source: Source, names: Sequence[str]) -> None:
        self.source, self.skips_damaged = source, source.skips_damaged
        self._columns = [_column(source, name) for name in names]
        super().__init__(
            source.name,
            source.rows,
            class_names(names),
            source.attribute_names,
            source.variant,
            source.split_record,
            source.credits,
        )

    def image(self, row: int) -> np.ndarray | None:
        """Return the image of a record of the source, or None if it is damaged."""
        return self.source.image(row)

    def describe_cache(self) -> str:
        """Describe the files of decoded images of the source, or return "" if there are none."""
        return self.source.describe_cache()

    def read(self, row: Tensor) -> Any:
        """Read a raw record of the source."""
        return self.source.read(row)

    def decode(self, record: Any) -> dict[str, Tensor]:
        """Decode a raw record; its label is made of its attributes."""
        return self._with_labels(self.source.decode(record))

    def can_gather(self, rows: Tensor, image_shape: ImageShape) -> Tensor | bool:
        """Return whether the source can gather these records."""
        return self.source.can_gather(rows, image_shape)

    def gather(self, rows: Tensor) -> dict[str, Tensor]:
        """Return records of the source; their labels are made of their attributes."""
        return self._with_labels(self.source.gather(rows))

    def _with_labels(self, records: dict[str, Tensor]) -> dict[str, Tensor]:
        """Set the labels of one record or of several."""
        present = tf.cast(tf.gather(records["attributes"], self._columns, axis=-1) > 0, tf.int32)
        bits = tf.constant([2**i for i in range(len(self._columns))], tf.int32)
        return {**records, "label": tf.reduce_sum(present * bits, -1)}


def class_names(names: Sequence[str]) -> tuple[str, ...]:
    """Return the names of the classes that attributes make, in the order of their labels."""
    return tuple(combination(names, label) for label in range(2 ** len(names)))


def combination(names: Sequence[str], label: int) -> str:
    """Return the name of the class in which the attributes of the label's bits are present, such as "bun + beard"."""
    present = [name for i, name in enumerate(names) if label >> i & 1]
    return " + ".join(present) or f"no {' or '.join(names)}"


def _column(source: Source, name: str) -> int:
    if not source.attribute_names:
        raise DataError(
            f"{source.name} has no attributes, and the classes are made of {name}; give a source that has it."
        )
    if name not in source.attribute_names:
        names = ", ".join(source.attribute_names)
        hint = did_you_mean(name, source.attribute_names)
        raise DataError(f"{source.name}: class_attributes: expected some of {names}; got {name!r}.{hint}")
    return source.attribute_names.index(name)
