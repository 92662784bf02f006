"""How the original's variables are called, and which variable of ours each one is.

Our variables have the original's shapes, so importing is renaming:

| original | ours (`flow` is `model.flow`, `i` the level, `k` the step) |
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

The original also stores `shuffle/indices_inverse`, which follows from `indices`.
"""

from glow_tf.layers.permutation import InvertibleConv1x1, Shuffle


def original_names(model):
    """`{original's name: keras.Variable}` of a `Glow`, the trainable ones in the original's order of creation."""
    flow, names = model.flow, {}
    for level in range(flow.levels):
        for k, step in enumerate(flow.steps(level)):
            names |= _step(f"model/{level}/{k}", step)
        if flow.split(level):
            names |= _zero(f"model/pool{level}/conv", flow.split(level).conv)
    if flow.prior.learned:
        names |= _zero("model/prior/p", flow.prior.conv)
    if flow.prior.classes:
        names |= _zero("model/prior/y_emb", flow.prior.embedding)
    if hasattr(model, "classifier"):
        names |= _zero("model/classifier", model.classifier)
    return names


def _step(name, step):
    network = step.coupling.network
    return {
        **_actnorm(name, step.actnorm),
        **_permutation(name, step.permutation),
        f"{name}/f1/l_1/W": network.W_1,
        **_actnorm(f"{name}/f1/l_1", network.actnorm_1),
        f"{name}/f1/l_2/W": network.W_2,
        **_actnorm(f"{name}/f1/l_2", network.actnorm_2),
        **_zero(f"{name}/f1/l_last", network.conv_3),
    }


def _permutation(name, layer):
    if isinstance(layer, Shuffle):
        return {f"{name}/shuffle/indices": layer.indices}
    if isinstance(layer, InvertibleConv1x1):
        parts = ("P", "L", "sign_S", "log_S", "U") if layer.lu else ("W",)
        return {f"{name}/invconv/{part}": getattr(layer, part) for part in parts}
    return {}


def _actnorm(name, layer):
    return {f"{name}/actnorm_center/b": layer.b, f"{name}/actnorm_scale/logs": layer.logs}


def _zero(name, layer):
    return {f"{name}/{part}": getattr(layer, part) for part in ("W", "b", "logs")}
