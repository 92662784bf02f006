"""The work that is timed, the same for every implementation."""

import dataclasses
import json

TEMPERATURE = 0.7
LEARNING_RATE = 1e-3
EMA_DECAY = 0.999


@dataclasses.dataclass(frozen=True)
class Work:
    """A Glow on square color images, and the batch that is processed at once.

    Args:
        size: height and width of an image.
        levels: number of levels, L.
        depth: flow steps per level, K.
        width: hidden channels of the coupling networks.
        batch: images at once.
        coupling: "affine" or "additive".
        bits: bits per channel.
    """

    size: int = 32
    levels: int = 3
    depth: int = 8
    width: int = 512
    batch: int = 16
    coupling: str = "affine"
    bits: int = 8

    @property
    def shape(self):
        """Shape of an image, `(H, W, C)`."""
        return self.size, self.size, 3

    def model(self):
        """Return the keyword arguments of `glow_tf.ModelConfig`."""
        return {
            "image_shape": self.shape,
            **{name: getattr(self, name) for name in ("bits", "levels", "depth", "width", "coupling")},
        }

    def convolutions(self):
        """Count multiply-adds of the coupling networks' convolutions for one batch, forward, without edge markers."""
        total, size, channels = 0, self.size, 3
        for _ in range(self.levels):
            size, channels = size // 2, channels * 4
            half, outputs = channels // 2, channels if self.coupling == "affine" else channels // 2
            step = 9 * half * self.width + self.width**2 + 9 * self.width * outputs
            total += self.depth * size**2 * step
            channels //= 2
        return total * self.batch

    def operations(self, task):
        """Count floating point operations of the convolutions in a task.

        A multiply-add is two operations; a gradient takes two more products.
        """
        return 2 * self.convolutions() * (3 if task.startswith("train") else 1)

    def deeper(self, depth, batch=None):
        """Return the work at another depth K, and at another batch if one is given."""
        return dataclasses.replace(self, depth=depth, batch=batch or self.batch)

    def larger(self, size):
        """Return the work at another image size, with fewer flow steps and images."""
        return dataclasses.replace(self, size=size, depth=4, batch=4)

    def to_json(self):
        """Return the work as text."""
        return json.dumps(dataclasses.asdict(self))

    @classmethod
    def from_json(cls, text):
        """Return the work that `to_json` wrote."""
        return cls(**json.loads(text))


PAPER = Work()
"""32x32x3, L=3, K=8, width 512, affine, batch 16."""
CELEBAHQ = Work(size=256, levels=6, depth=32, batch=1, coupling="additive", bits=5)
"""The paper's largest model."""
SMALL = Work(size=8, levels=1, depth=1, width=8, batch=2)
"""A work that only tests the benchmark itself."""
