"""A frozen graph of the original's, read as a table of constants and never run."""

import collections
import pathlib
import re

import numpy as np
import tensorflow as tf

from glow_tf.layers.actnorm import LOG_SCALE_FACTOR
from glow_tf.openai.errors import OpenaiError, listed

_READ = ("/read", "/Read/ReadVariableOp", "/ReadVariableOp")
"""Endings of the nodes that read a variable; freezing leaves them over the constant."""

_WEIGHT = re.compile(
    r"model/(\d+/\d+/.*|pool\d+/conv/|prior/(p|y_emb)/|classifier/)(b|logs|W|L|U|P|log_S|sign_S|indices|indices_inverse)"
)

_USES = (
    (r".*/invconv/W", ("Reshape", "Cast", "MatrixInverse")),
    (r"model/(prior/y_emb|classifier)/W", ("MatMul",)),
    (r".*/W", ("Conv2D",)),
    (r".*/b", ("Add", "AddV2", "BiasAdd", "Sub")),
    (r".*/logs", ("Mul",)),
    (r".*/indices(_inverse)?", ("Gather", "GatherV2")),
)
"""What the public model does with a weight, by name. Another operation means another model: a normalised kernel, say,
has the same name and shape."""


class FrozenGraph:
    """A frozen GraphDef, as the original's face demo ships it: weights are constants under the variables' names.

    A constant counts as a weight if a node reads it as a variable (`<name>/read`), if it stands where the public model
    has one, or if it is an array of numbers other than 0 and 1, which the public graph has nowhere else.

    `shapes` is `{name: shape}` of the weights.

    Raises:
        OpenaiError: the file is damaged or no GraphDef.
    """

    def __init__(self, path):
        graph = tf.compat.v1.GraphDef()
        try:
            graph.ParseFromString(pathlib.Path(path).read_bytes())
        except Exception as error:  # the parser's DecodeError is not public
            raise OpenaiError(
                f"{path} cannot be read as a frozen GraphDef, it is damaged or of another kind: {error}"
            ) from error
        self._path, self._nodes = path, {n.name: n for n in graph.node}
        self._users = collections.defaultdict(list)
        for node in graph.node:
            for source in node.input:
                self._users[source.removeprefix("^").split(":")[0]].append(node)
        self.shapes = {
            n.name: tuple(int(d.size) for d in n.attr["value"].tensor.tensor_shape.dim)
            for n in graph.node
            if n.op == "Const" and self._is_weight(n.name)
        }

    def read(self, name):
        """The value of a constant, as NumPy."""
        try:
            return tf.make_ndarray(self._nodes[name].attr["value"].tensor)
        except (TypeError, ValueError) as error:
            raise OpenaiError(f"{self._path}: the constant {name} is damaged: {error}") from error

    def check(self, model, ignore=()):
        """Compares the graph's inputs, and what it does with each weight, with the public model.

        Args:
            model: a `Glow` that has the graph's weights.
            ignore: names of nodes to leave out.

        Raises:
            OpenaiError: they differ; names the nodes.
        """
        for what, nodes in (("inputs", self._foreign_inputs(model)), ("operations", self._foreign_uses())):
            foreign = [text for name, text in nodes if name not in ignore]
            if foreign:
                raise OpenaiError(
                    f"the graph has {what} that the public model has not: {listed(foreign)}; if it is the public model "
                    "all the same, name them with --ignore, and compare bits/dim with --check."
                )

    def __contains__(self, name):
        return name in self._nodes

    def _is_weight(self, name):
        if _WEIGHT.fullmatch(name) or any(u.name == name + end for u in self._users[name] for end in _READ):
            return True
        if self._nodes[name].attr["dtype"].type not in (tf.float32.as_datatype_enum, tf.float64.as_datatype_enum):
            return False
        value = self.read(name)
        return value.size > 1 and not np.all(np.isin(value, (0, 1)))  # 0 and 1: the edge channel, and zeros

    def _foreign_inputs(self, model):
        """Yields `(name, text)` of the inputs with four axes that are neither images nor latents of the model."""
        known = [model.image_shape, *model.latent_shapes]
        for name, node in self._nodes.items():
            shape = node.attr["shape"].shape.dim if node.op.startswith("Placeholder") else ()
            size = [int(d.size) for d in shape][1:]
            if len(shape) == 4 and not any(all(s in (-1, k) for s, k in zip(size, e, strict=True)) for e in known):
                yield name, f"{name} [n, {', '.join('?' if s < 0 else str(s) for s in size)}]"

    def _foreign_uses(self):
        """Yields `(name, text)` of the nodes that do to a weight what the public model does not."""
        for weight in self.shapes:
            allowed = next((ops for pattern, ops in _USES if re.fullmatch(pattern, weight)), None)
            for node in self._uses(weight) if allowed else ():
                factor = self._factor(node)
                if node.op not in allowed:
                    yield node.name, f"{node.name} ({node.op} of {weight}, expected {' or '.join(allowed)})"
                elif factor is not None and factor != LOG_SCALE_FACTOR:
                    yield node.name, f"{node.name} ({weight} times {factor:g}, expected {LOG_SCALE_FACTOR:g})"

    def _factor(self, node):
        """The constant number in a product, or None."""
        for source in node.input if node.op == "Mul" else ():
            other = self._nodes.get(source.split(":")[0])
            if other is not None and other.op == "Const" and other.name not in self.shapes:
                value = self.read(other.name)
                return float(value) if value.ndim == 0 else None

    def _uses(self, name):
        for node in self._users[name]:
            if node.op in ("Identity", "ReadVariableOp"):
                yield from self._uses(node.name)
            else:
                yield node
