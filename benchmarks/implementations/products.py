"""The machine's float32 rate: one large matrix product, by each library's routine."""

import numpy as np

SIZE = 2048
OPERATIONS = 2 * SIZE**3


class NumpyProducts:
    """`numpy.matmul`."""

    def __init__(self, work):
        self.versions = {"numpy": np.__version__}
        a, b = np.random.default_rng(0).normal(size=(2, SIZE, SIZE)).astype(np.float32)
        self.tasks = {"products": lambda: a @ b}


class TensorFlowProducts:
    """`tf.matmul`."""

    def __init__(self, work):
        import tensorflow as tf

        self.versions = {"tensorflow": tf.__version__}
        a, b = tf.unstack(tf.random.normal([2, SIZE, SIZE]))
        self.tasks = {"products": lambda: tf.matmul(a, b).numpy()}


class TorchProducts:
    """`torch.matmul`."""

    def __init__(self, work):
        import torch

        self.versions = {"torch": torch.__version__}
        a, b = torch.randn(2, SIZE, SIZE)
        self.tasks = {"products": lambda: a @ b}
