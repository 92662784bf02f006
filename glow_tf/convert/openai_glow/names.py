"""Names of the variables of the original code, and the variables of a `Glow` that they belong to.

Our variables have the shapes of the original code, so conversion is renaming:

| original name (`i` the level, `k` the step) | variable (`flow` is `model.flow`) |
|---|---|
| `model/i/k/actnorm_center/b`, `actnorm_scale/logs` | `flow.step_i_k.actnorm.b`, `.logs` |
| `model/i/k/invconv/W`, or `L`, `log_S`, `U`, `P`, `sign_S` | `flow.step_i_k.permutation.W`, or the LU form's |
| `model/i/k/shuffle/indices` | `flow.step_i_k.permutation.indices` |
| `model/i/k/f1/l_1/W`, `f1/l_2/W` | `flow.step_i_k.coupling.network.W_1`, `.W_2` |
| `model/i/k/f1/l_1/actnorm_center/b`, `actnorm_scale/logs`, same in `l_2` | `...network.actnorm_1`, `.actnorm_2` |
| `model/i/k/f1/l_last/W`, `b`, `logs` | `...network.conv_3` |
| `model/pool<i>/conv/W`, `b`, `logs` | `flow.split_i.conv` |
| `model/prior/p/W`, `b`, `logs` | `flow.prior.conv` (learned top prior) |
| `model/prior/y_emb/W`, `b`, `logs` | `flow.prior.embedding` (label condition) |
| `model/classifier/W`, `b`, `logs` | `model.classifier` |

The original code also stores `shuffle/indices_inverse`, which follows from `indices`.
"""

import re
from collections.abc import Collection, Iterable
from typing import NamedTuple, TypeAlias

import keras

from glow_tf.layers import ActNorm, CouplingNetwork, FlowLayer, FlowStep, ZeroConv3x3, ZeroDense
from glow_tf.layers.invertible_conv import InvertibleConv1x1
from glow_tf.layers.permutation import Shuffle
from glow_tf.model import Glow

Variables: TypeAlias = dict[str, keras.Variable]
"""Variables by original name."""

EMA_SUFFIX = "/ExponentialMovingAverage"
"""Ending of a key that holds the EMA of a weight."""

_SLOT = re.compile(r"Variable(_\d+)?")
_UNTRAINED = re.compile(r".*/(shuffle/indices(_inverse)?|invconv/(P|sign_S))")
"""Untrained variables have no EMA; `m.save_ema` stores them under their plain names, next to the EMA of the others."""


def original_names(model: Glow) -> Variables:
    """Return `{original name: variable}` of a `Glow`; trainable ones are in the order of creation of the original code.

    Args:
        model: the model whose variables are named.

    Example:
        >>> from glow_tf import Glow, ModelConfig
        >>> names = original_names(Glow(ModelConfig(image_shape=(8, 8, 1), levels=1, depth=1, width=4)))
        >>> list(names)[:3]
        ['model/0/0/actnorm_center/b', 'model/0/0/actnorm_scale/logs', 'model/0/0/invconv/W']
    """
    flow = model.flow
    names: Variables = {}
    for level in range(flow.levels):
        for k, step in enumerate(flow.steps(level)):
            names |= _step_names(f"model/{level}/{k}", step)
        split = flow.split(level)
        if split is not None:
            names |= _zero_layer_names(f"model/pool{level}/conv", split.conv)
    if flow.prior.learned:
        names |= _zero_layer_names("model/prior/p", flow.prior.conv)
    if flow.prior.classes:
        names |= _zero_layer_names("model/prior/y_emb", flow.prior.embedding)
    if model.classifier is not None:
        names |= _zero_layer_names("model/classifier", model.classifier)
    return names


def _step_names(name: str, step: FlowStep) -> Variables:
    network = step.coupling.network
    assert isinstance(network, CouplingNetwork)  # a layer of the user's own is no part of a Glow
    return {
        **_actnorm_names(name, step.actnorm),
        **_permutation_names(name, step.permutation),
        f"{name}/f1/l_1/W": network.W_1,
        **_actnorm_names(f"{name}/f1/l_1", network.actnorm_1),
        f"{name}/f1/l_2/W": network.W_2,
        **_actnorm_names(f"{name}/f1/l_2", network.actnorm_2),
        **_zero_layer_names(f"{name}/f1/l_last", network.conv_3),
    }


def _permutation_names(name: str, layer: FlowLayer) -> Variables:
    if isinstance(layer, Shuffle):
        return {f"{name}/shuffle/indices": layer.indices}
    if isinstance(layer, InvertibleConv1x1):
        parts = ("P", "L", "sign_S", "log_S", "U") if layer.lu else ("W",)
        return {f"{name}/invconv/{part}": getattr(layer, part) for part in parts}
    return {}


def _actnorm_names(name: str, layer: ActNorm) -> Variables:
    return {f"{name}/actnorm_center/b": layer.b, f"{name}/actnorm_scale/logs": layer.logs}


def _zero_layer_names(name: str, layer: ZeroConv3x3 | ZeroDense) -> Variables:
    return {f"{name}/{part}": getattr(layer, part) for part in ("W", "b", "logs")}


class SortedKeys(NamedTuple):
    """Keys of a file, sorted by `sort_keys`."""

    weights: dict[str, str]
    """Original name -> key of the weight."""
    ema: dict[str, str]
    """Original name -> key of its EMA; empty if the file holds one set of weights."""
    slots: list[str | None]
    """Keys of the optimizer's state in order of creation; None where one is missing."""
    ema_only: bool
    """True if the file holds trained weights under EMA keys alone, which are then in `weights`."""


def sort_keys(keys: Collection[str]) -> SortedKeys:
    """Sort the keys of a file into weights, EMA weights and slots of the optimizer.

    The optimizer's variables have no names of their own: TF1 calls the first such variable `Variable` and numbers the
    next ones in order of creation. For example:

        model/0/0/actnorm_center/b                             a weight, the first trainable one
        model/0/0/actnorm_center/b/ExponentialMovingAverage    its EMA
        model/0/0/actnorm_scale/logs                           the second trainable weight
        Variable                                               step counter
        Variable_1, Variable_2                                 second and first moment of the first trainable weight
        Variable_3, Variable_4                                 second and first moment of the second trainable weight

    The number of such keys, here five, thus gives the slots: `Variable` to `Variable_4`.

    Args:
        keys: the names in a file.

    Example:
        >>> sort_keys({"model/prior/p/b", "Variable"}).slots
        ['Variable']
    """
    ema = {key.removesuffix(EMA_SUFFIX): key for key in keys if key.endswith(EMA_SUFFIX)}
    plain = {key: key for key in keys if not key.endswith(EMA_SUFFIX)}
    ema_only = all(_UNTRAINED.fullmatch(key) for key in plain)
    if ema_only:
        plain, ema = plain | ema, {}
    weights = {name: key for name, key in plain.items() if not _SLOT.fullmatch(name)}
    slot_names = ["Variable" if i == 0 else f"Variable_{i}" for i in range(len(plain) - len(weights))]
    return SortedKeys(weights, ema, [plain.get(name) for name in slot_names], ema_only)


def list_names(names: Iterable[str], limit: int = 8) -> str:
    """Return names as text for a message: the first `limit` in alphabetical order, and how many more there are."""
    names = sorted(names)
    return ", ".join(names[:limit]) + (f" and {len(names) - limit} more" if len(names) > limit else "")
