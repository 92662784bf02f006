"""One TensorFlow operation for the update of a weight with its two moments, and one for that of its EMA.

The operations take resource handles: an assignment to a distributed variable would ask all replicas, and every replica
makes the same update anyway.
"""

from typing import Any, NamedTuple

import tensorflow as tf

from glow_tf.types import Tensor


class StepScalars(NamedTuple):
    """Scalar tensors of one step, the same for all weights; t counts steps from 1."""

    learning_rate: tf.Tensor
    beta1_power: tf.Tensor
    """beta1^t"""
    beta2_power: tf.Tensor
    """beta2^t"""
    beta1: tf.Tensor
    beta2: tf.Tensor
    epsilon: tf.Tensor


class WeightHandles(NamedTuple):
    """Resource handles, in this replica, of a weight and of all that changes with it."""

    weight: Any
    first_moment: Any
    second_moment: Any
    shadow: Any = None
    """EMA of the weight, or None."""


def move_shadow(handles: WeightHandles, rate: Tensor | float, dtype: tf.DType) -> None:
    """Move the EMA of a weight by the share `rate = 1 - decay` of its difference from the weight.

    Call it before the weight is updated.
    """
    shadow = tf.raw_ops.ReadVariableOp(resource=handles.shadow, dtype=dtype)
    difference = shadow - tf.raw_ops.ReadVariableOp(resource=handles.weight, dtype=dtype)
    # One pass for the product and the subtraction.
    tf.raw_ops.ResourceApplyGradientDescent(
        var=handles.shadow, alpha=tf.convert_to_tensor(rate, dtype), delta=difference
    )


def scale_weight(handles: WeightHandles, factor: Tensor | float, dtype: tf.DType) -> None:
    """Multiply a weight by a number."""
    weight = tf.raw_ops.ReadVariableOp(resource=handles.weight, dtype=dtype)
    tf.raw_ops.AssignVariableOp(resource=handles.weight, value=factor * weight)


def apply_adamax(gradient: Tensor, handles: WeightHandles, scalars: StepScalars) -> None:
    """Update a weight and its moments by `optimizers.Adamax`, in one operation."""
    tf.raw_ops.ResourceApplyAdaMax(
        var=handles.weight,
        m=handles.first_moment,
        v=handles.second_moment,
        beta1_power=scalars.beta1_power,
        # The operation itself divides by 1 - beta1^t only.
        lr=scalars.learning_rate * tf.sqrt(1 - scalars.beta2_power),
        beta1=scalars.beta1,
        beta2=scalars.beta2,
        epsilon=scalars.epsilon,
        grad=gradient,
    )


def apply_adam(gradient: Tensor, handles: WeightHandles, scalars: StepScalars) -> None:
    """Update a weight and its moments by `optimizers.Adam`, in one operation."""
    tf.raw_ops.ResourceApplyAdam(
        var=handles.weight,
        m=handles.first_moment,
        v=handles.second_moment,
        beta1_power=scalars.beta1_power,
        beta2_power=scalars.beta2_power,
        lr=scalars.learning_rate,
        beta1=scalars.beta1,
        beta2=scalars.beta2,
        epsilon=scalars.epsilon,
        grad=gradient,
    )
