"""Check the labels of a conditional model, by one rule wherever they come in.

A model of `classes` classes takes integers from 0 to `classes - 1`: one per image `[n]`, a column `[n, 1]` (as Keras's
own data sets have them), or one for all images, `[]` or `[1]`. Booleans, floats (whole ones too), one-hot rows and
dictionaries are refused with a sentence that says what to give.

`tf.one_hot` turns a label out of range into zeros without a word. Three guards keep it from becoming a number: values
that are known when Python runs (eager code, constants of a graph) are an error there; in a graph an assertion stops
the call; under XLA, where TensorFlow drops assertions, the label becomes `INVALID` and the numbers of its image NaN (a
decoded uint8 image, which has no NaN, is black).
"""

import tensorflow as tf

from glow_tf.arguments import refuse_masked
from glow_tf.counts import counted
from glow_tf.errors import DataError
from glow_tf.io import describe_error
from glow_tf.types import Tensor, TensorLike

INVALID = -1
"""The label that stands for one out of range where no error can be raised."""


def require_labels(labels: TensorLike | None, classes: int, name: str) -> None:
    """Raise a `ValueError` if a conditional model gets no labels, or an unconditional one some."""
    if labels is not None and not classes:
        raise ValueError(f"{name}: this model is unconditional and takes no labels.")
    if labels is None and classes:
        raise ValueError(
            f"{name}: this model is conditional on {counted(classes, 'class', 'classes')}; give labels from 0 to "
            f"{classes - 1}, one per image (as_bijector takes them too)."
        )


def labels_per_image(labels: TensorLike | None, classes: int, n: int | Tensor, name: str) -> Tensor | None:
    """Check labels and return one per image, int32 `[n]`, or None for an unconditional model.

    Args:
        labels: int `[n]`, `[n, 1]`, `[1]` or `[]`; None for an unconditional model.
        classes: number of classes; 0 for an unconditional model.
        n: number of images.
        name: name of the caller, for the error message.

    Raises:
        TypeError: the labels are not integers.
        ValueError: labels are missing, or not wanted.
        DataError: their shape or a value is wrong (a `ValueError` too); in a graph, an assertion fails.

    Example:
        >>> labels_per_image(3, classes=10, n=2, name="sample").numpy().tolist()
        [3, 3]
    """
    vector = label_vector(labels, classes, name)
    if vector is None:
        return None
    expected, size, count = f"{name}: expected one label per image, or one for all", tf.size(vector), n
    static_size, static_count = tf.get_static_value(size), tf.get_static_value(count)
    if static_size is not None and static_count is not None:
        if static_size not in (1, static_count):
            raise DataError(f"{expected}; got {static_size} for {counted(int(static_count), 'image')}.")
    elif static_size != 1:
        assertion = tf.debugging.Assert((size == 1) | (size == count), [f"{expected}; labels, images:", size, count])
        with tf.control_dependencies([assertion]):
            vector = tf.identity(vector)
    return tf.broadcast_to(vector, [n])


def label_vector(labels: TensorLike | None, classes: int, name: str) -> Tensor | None:
    """Check labels and return them as int32 `[n]`, or `[]` where one is given, or None for an unconditional model.

    Arguments and errors are those of `labels_per_image`.
    """
    require_labels(labels, classes, name)
    if labels is None:
        return None
    tensor = to_tensor(labels, classes, name)
    shape = tensor.shape
    if shape.rank is None or (shape.rank == 2 and shape[1] == 1):
        tensor = tf.reshape(tensor, [-1])
    elif shape.rank > 1:
        raise DataError(
            f"{name}: expected labels [n], one integer per image, got the shape {list(shape)}; "
            "for one-hot rows give tf.argmax(labels, -1)."
        )
    return check_range(tensor, classes, name)


def labels_of_any_shape(labels: TensorLike | None, classes: int, name: str) -> Tensor | None:
    """Check labels and return them as int32 in their shape, or None for an unconditional model.

    Arguments and errors are those of `labels_per_image`.
    """
    require_labels(labels, classes, name)
    return None if labels is None else check_range(to_tensor(labels, classes, name), classes, name)


def to_tensor(labels: TensorLike, classes: int, name: str) -> Tensor:
    """Return labels as a tensor of integers of any shape; raise a `TypeError` for anything else."""
    rule = f"{name}: expected integer labels from 0 to {classes - 1}"
    if isinstance(labels, dict):
        raise TypeError(f"{rule}, got a dictionary of {', '.join(map(str, labels))}; give the entry that has them.")
    refuse_masked(labels, name)
    try:
        tensor = tf.convert_to_tensor(labels)
    except (TypeError, ValueError, OverflowError) as error:
        raise TypeError(f"{rule}, got a {type(labels).__name__}: {describe_error(error)}.") from error
    if not hasattr(labels, "dtype") and tensor.shape.num_elements() == 0:
        return tf.zeros(tensor.shape, tf.int32)  # an empty list has no type of its own
    if not tensor.dtype.is_integer:
        got = f"{tensor.dtype.name} {list(tensor.shape) if tensor.shape.rank is not None else ''}".strip()
        raise TypeError(f"{rule}, got {got}; convert them to int, one-hot rows by tf.argmax(labels, -1).")
    return tensor


def check_range(labels: Tensor, classes: int, name: str) -> Tensor:
    """Check that integer labels lie in range and return them as int32, `INVALID` where they do not (see above)."""
    rule = f"{name}: expected labels from 0 to {classes - 1}, got"
    values = tf.get_static_value(labels)
    if values is not None:
        if values.size and not (values.min() >= 0 and values.max() < classes):
            raise DataError(f"{rule} {values.min()} to {values.max()}.")
        return tf.cast(labels, tf.int32)
    wide = tf.cast(labels, tf.int64)  # uint64 that does not fit becomes negative
    valid = (wide >= 0) & (wide < classes)
    labels = tf.where(valid, tf.cast(labels, tf.int32), INVALID)
    shown = tf.cast(tf.clip_by_value(wide, tf.int32.min, tf.int32.max), tf.int32)
    with tf.control_dependencies([tf.debugging.Assert(tf.reduce_all(valid), [rule, shown], summarize=8)]):
        return tf.identity(labels)


def nan_where_invalid(values: Tensor, labels: Tensor) -> Tensor:
    """Return `values` `[n, ...]` with NaN in the rows whose label is `INVALID`; the others keep every bit."""
    valid = tf.reshape(labels >= 0, tf.concat([tf.shape(labels), tf.ones([tf.rank(values) - 1], tf.int32)], 0))
    # No constant: `tf.debugging.enable_check_numerics` stops at any NaN, needed or not.
    return tf.where(valid, values, tf.sqrt(tf.cast(valid, values.dtype) - 1))
