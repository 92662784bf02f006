"""Frozen graphs of the original code, read as tables of constants and never run."""

import collections
import pathlib
import re
from collections.abc import Collection, Iterator, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from glow_tf.convert.openai_glow.names import list_names
from glow_tf.errors import ConversionError
from glow_tf.layers.actnorm import LOG_SCALE_FACTOR
from glow_tf.model import Glow

_READ_SUFFIXES = ("/read", "/Read/ReadVariableOp", "/ReadVariableOp")
"""Endings of the nodes that read a variable; freezing leaves them in place, reading the constant."""

_WEIGHT = re.compile(
    r"model/(\d+/\d+/.*|pool\d+/conv/|prior/(p|y_emb)/|classifier/)(b|logs|W|L|U|P|log_S|sign_S|indices|indices_inverse)"
)

_ALLOWED_OPERATIONS = (
    (r".*/invconv/W", ("Reshape", "Cast", "MatrixInverse")),
    (r"model/(prior/y_emb|classifier)/W", ("MatMul",)),
    (r".*/W", ("Conv2D",)),
    (r".*/b", ("Add", "AddV2", "BiasAdd", "Sub")),
    (r".*/logs", ("Mul",)),
    (r".*/indices(_inverse)?", ("Gather", "GatherV2")),
)
"""Operations of the public model on a weight, by a pattern of its name; the first pattern that fits counts.

A different consumer means a different architecture (e.g. a weight-normalized kernel has the same name and shape)."""


class FrozenGraph:
    """A frozen GraphDef, such as that of the original code's face demo: weights are constants, named as the variables.

    A constant counts as a weight if a node reads it as a variable (`<name>/read`), if it has the name of a weight of
    the public model, or if it is an array of numbers other than 0 and 1, which the public graph holds nowhere else.

    Args:
        path: path of the `.pb` file.

    Attributes:
        shapes: weight name -> shape.

    Raises:
        ConversionError: the file is damaged, or is not a GraphDef.
    """

    def __init__(self, path: pathlib.Path | str) -> None:
        graph = tf.compat.v1.GraphDef()
        try:
            graph.ParseFromString(pathlib.Path(path).read_bytes())
        except Exception as error:  # the parser's DecodeError is not public
            raise ConversionError(
                f"{path} cannot be read as a frozen GraphDef, it is damaged or of another kind: {error}"
            ) from error
        self._path = path
        self._nodes: dict[str, Any] = {node.name: node for node in graph.node}
        self._consumers: dict[str, list[Any]] = collections.defaultdict(list)
        for node in graph.node:
            for source in node.input:
                self._consumers[source.removeprefix("^").split(":")[0]].append(node)
        self.shapes: dict[str, tuple[int, ...]] = {
            node.name: tuple(int(axis.size) for axis in node.attr["value"].tensor.tensor_shape.dim)
            for node in graph.node
            if node.op == "Const" and self._is_weight(node.name)
        }

    def read(self, name: str) -> np.ndarray:
        """Return the value of a constant, as NumPy."""
        try:
            return tf.make_ndarray(self._nodes[name].attr["value"].tensor)
        except (TypeError, ValueError) as error:
            raise ConversionError(f"{self._path}: the constant {name} is damaged: {error}") from error

    def check(self, model: Glow, ignore: Collection[str] = ()) -> None:
        """Compare the graph's inputs, and its operations on each weight, with the public model.

        Args:
            model: a model of the graph's architecture.
            ignore: names of nodes that may differ.

        Raises:
            ConversionError: inputs or operations differ; the message names the nodes.
        """
        for kind, nodes in (("inputs", self._foreign_inputs(model)), ("operations", self._foreign_operations())):
            foreign = [description for name, description in nodes if name not in ignore]
            if foreign:
                raise ConversionError(
                    f"the graph has {kind} that the public model does not have: {list_names(foreign)}; if it is the "
                    "public model all the same, name them with --ignore, and compare bits/dim with --check."
                )

    def __contains__(self, name: object) -> bool:
        return name in self._nodes

    def _is_weight(self, name: str) -> bool:
        readers = {name + suffix for suffix in _READ_SUFFIXES}
        if _WEIGHT.fullmatch(name) or any(node.name in readers for node in self._consumers[name]):
            return True
        if self._nodes[name].attr["dtype"].type not in (tf.float32.as_datatype_enum, tf.float64.as_datatype_enum):
            return False
        value = self.read(name)
        # Constants of 0 and 1 are the edge-marker channel of padded images, and zeros.
        return value.size > 1 and not np.all(np.isin(value, (0, 1)))

    def _foreign_inputs(self, model: Glow) -> Iterator[tuple[str, str]]:
        """Yield `(name, description)` of inputs with four axes that hold neither images nor latents of the model."""
        shapes = [model.image_shape, *model.latent_shapes]
        for name, node in self._nodes.items():
            axes = node.attr["shape"].shape.dim if node.op.startswith("Placeholder") else ()
            event_shape = [int(axis.size) for axis in axes][1:]
            if len(axes) == 4 and not any(_is_compatible(event_shape, shape) for shape in shapes):
                yield name, f"{name} [n, {', '.join('?' if size < 0 else str(size) for size in event_shape)}]"

    def _foreign_operations(self) -> Iterator[tuple[str, str]]:
        """Yield `(name, description)` of nodes whose operation on a weight is not that of the public model."""
        for weight in self.shapes:
            allowed = next((ops for pattern, ops in _ALLOWED_OPERATIONS if re.fullmatch(pattern, weight)), ())
            for node in self._operations(weight) if allowed else ():
                if node.op not in allowed:
                    yield node.name, f"{node.name} ({node.op} of {weight}, expected {' or '.join(allowed)})"
                elif node.op == "Mul":
                    factor = self._factor(node)
                    if factor != LOG_SCALE_FACTOR:
                        operand = "no constant scalar" if factor is None else f"{factor:g}"
                        yield node.name, f"{node.name} ({weight} times {operand}, expected {LOG_SCALE_FACTOR:g})"

    def _operations(self, name: str) -> Iterator[Any]:
        """Yield the nodes that compute with a weight, beyond those that only read it."""
        for node in self._consumers[name]:
            if node.op in ("Identity", "ReadVariableOp"):
                yield from self._operations(node.name)
            else:
                yield node

    def _factor(self, node: Any) -> float | None:
        """Return the constant scalar in a product, or None."""
        for source in node.input:
            operand = self._nodes.get(source.split(":")[0])
            if operand is not None and operand.op == "Const" and operand.name not in self.shapes:
                value = self.read(operand.name)
                return float(value) if value.ndim == 0 else None
        return None


def _is_compatible(sizes: Sequence[int], shape: Sequence[int]) -> bool:
    """Return True if the sizes of a placeholder, -1 where unknown, fit a shape."""
    return all(size in (-1, expected) for size, expected in zip(sizes, shape, strict=True))
