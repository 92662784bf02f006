"""The work that is timed, the same for every side."""

import dataclasses
import json

TEMPERATURE = 0.7


@dataclasses.dataclass(frozen=True)
class Work:
    """A Glow with affine couplings on square colour images, and how much of it is done at once.

    Args:
        size: height and width of an image.
        levels, depth, width: L, K and the hidden channels of the coupling networks.
        batch: images at once.
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
        """Of an image, `(H, W, C)`."""
        return self.size, self.size, 3

    def model(self):
        """Keywords of `glow_tf.ModelConfig`."""
        return {
            "image_shape": self.shape,
            **{name: getattr(self, name) for name in ("bits", "levels", "depth", "width", "coupling")},
        }

    def convolutions(self):
        """Multiply-adds of the coupling networks' convolutions for one batch, forward; edge markers not counted."""
        total, size, channels = 0, self.size, 3
        for _ in range(self.levels):
            size, channels = size // 2, channels * 4
            half, outputs = channels // 2, channels if self.coupling == "affine" else channels // 2
            step = 9 * half * self.width + self.width**2 + 9 * self.width * outputs
            total += self.depth * size**2 * step
            channels //= 2
        return total * self.batch

    def operations(self, figure):
        """Floating point operations of the convolutions in a figure: a multiply-add is two, a gradient two products."""
        return 2 * self.convolutions() * (3 if figure.startswith("train") else 1)

    def deeper(self, depth, batch=None):
        """The same at another K, and at another batch if one is given."""
        return dataclasses.replace(self, depth=depth, batch=batch or self.batch)

    def larger(self, size):
        """The same at another image size, with fewer steps and images."""
        return dataclasses.replace(self, size=size, depth=4, batch=4)

    def to_json(self):
        return json.dumps(dataclasses.asdict(self))

    @classmethod
    def from_json(cls, text):
        return cls(**json.loads(text))


PAPER = Work()
"""32x32x3, L=3, K=8, width 512, affine, batch 16."""
CELEBAHQ = Work(size=256, levels=6, depth=32, batch=1, coupling="additive", bits=5)
"""The paper's largest model."""
SMALL = Work(size=8, levels=2, depth=1, width=8, batch=2)
