"""The two kinds of file that hold the original's weights, under one interface: names and shapes, values one by one.

Neither kind is run: a checkpoint is a table of tensors, and of a frozen graph only the constants are read.
"""

import pathlib
import re

import tensorflow as tf

from glow_tf.errors import GlowError

AVERAGE = "/ExponentialMovingAverage"


class OpenaiError(GlowError):
    """A file of the original's that cannot be imported; the message says why and what to do."""


class Checkpoint:
    """A TF1 checkpoint, as the original's `m.save` and `m.save_ema` write it.

    Args:
        path: the prefix (`model_best_loss.ckpt`), one of its files, or a folder that holds one checkpoint.
    """

    def __init__(self, path):
        self.prefix = _prefix(pathlib.Path(path))
        self._reader = self._guarded(tf.train.load_checkpoint, str(self.prefix))
        self.shapes = {n: tuple(s) for n, s in self._guarded(self._reader.get_variable_to_shape_map).items()}
        self.inputs = {}

    def read(self, name):
        return self._guarded(self._reader.get_tensor, name)

    def _guarded(self, function, *args):
        try:
            return function(*args)
        except (tf.errors.OpError, ValueError, RuntimeError, OSError, IndexError) as error:
            first_line = str(error).strip().split("\n")[0]
            raise OpenaiError(
                f"checkpoint {self.prefix} cannot be read, it is damaged or incomplete: {first_line}"
            ) from error


class FrozenGraph:
    """A frozen GraphDef, as the original's face demo ships it: its weights are constants under the variables' names.

    A constant counts as a weight if a node reads it as a variable (`<name>/read`) or if it stands where the
    public model has one. `inputs` are the graph's placeholders, `{name: shape}`, None where the size is free.
    """

    def __init__(self, path):
        graph = tf.compat.v1.GraphDef()
        try:
            graph.ParseFromString(pathlib.Path(path).read_bytes())
        except Exception as error:  # the parser's DecodeError is not public
            raise OpenaiError(
                f"{path} cannot be read as a frozen GraphDef, it is damaged or of another kind: {error}"
            ) from error
        readers = {n.name.removesuffix(end) for n in graph.node for end in _READERS if n.name.endswith(end)}
        self._path = path
        self._constants = {
            n.name: n.attr["value"].tensor
            for n in graph.node
            if n.op == "Const" and (n.name in readers or _WEIGHT.fullmatch(n.name))
        }
        self.shapes = {
            name: tuple(int(d.size) for d in tensor.tensor_shape.dim) for name, tensor in self._constants.items()
        }
        self.inputs = {n.name: _placeholder_shape(n) for n in graph.node if n.op.startswith("Placeholder")}

    def read(self, name):
        try:
            return tf.make_ndarray(self._constants[name])
        except (TypeError, ValueError) as error:
            raise OpenaiError(f"{self._path}: the constant {name} is damaged: {error}") from error


_READERS = ("/read", "/Read/ReadVariableOp", "/ReadVariableOp")
_WEIGHT = re.compile(
    r"model/(\d+/\d+/.*|pool\d+/conv/|prior/(p|y_emb)/|classifier/)(b|logs|W|L|U|P|log_S|sign_S|indices|indices_inverse)"
)


def _placeholder_shape(node):
    shape = node.attr["shape"].shape
    return None if shape.unknown_rank else tuple(None if d.size < 0 else int(d.size) for d in shape.dim)


def open_source(path):
    """The file as a `Checkpoint`, or a `FrozenGraph` where it ends in `.pb`."""
    source = (FrozenGraph if pathlib.Path(path).suffix == ".pb" else Checkpoint)(path)
    if not source.shapes:
        raise OpenaiError(f"{path} holds no weights.")
    return source


def _prefix(path):
    if path.is_dir():
        found = sorted(path.glob("*.index"))
        if len(found) != 1:
            names = ", ".join(p.stem for p in found) or "none"
            raise OpenaiError(f"{path} holds {len(found)} checkpoints, expected one: {names}; name the one to import.")
        return found[0].with_suffix("")
    prefix = pathlib.Path(re.sub(r"\.(index|meta|data-\d{5}-of-\d{5})$", "", str(path)))
    if not prefix.with_name(prefix.name + ".index").is_file():
        raise OpenaiError(f"there is no checkpoint {prefix}: expected {prefix.name}.index and {prefix.name}.data-*.")
    return prefix
