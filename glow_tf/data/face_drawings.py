"""Drawn faces: their features, their attributes, and their pixels, each a function of the number of a face.

DiceBear (`dicebear-core`) draws them in its style "toon-head" (`dicebear-styles`), and resvg (`resvg-py`) makes pixels
of a drawing. What cannot be told apart at 32x32 pixels is left out: the style's closed mouth that smiles, beside the
one that does not, a tuft on the chin, sad eyebrows, hair that ends at the neck, and clothes.

Run as a program (`python face_drawings.py FIRST STEP COUNT`), this file writes the pixels of the faces FIRST,
FIRST + STEP, ... below COUNT to standard output. It imports nothing of this package, so that such a process does not
wait for TensorFlow.
"""

import hashlib
import importlib.resources
import io
import json
import signal
import sys
from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np
from PIL import Image

STYLE = "toon-head"
CREDITS = (
    'Faces drawn by DiceBear: remix of "ToonHead" (https://www.figma.com/community/file/1589627891082866389) by Johan '
    "Melin, licensed under CC BY 4.0 (https://creativecommons.org/licenses/by/4.0/), cropped."
)
"""Author, source and license of the drawings, to be named where they are shown."""
SIZE = 64
"""Height and width of a face in pixels."""
BACKGROUND = "b6e3f4"
ZOOM, DOWN = 1.375, 8.2
"""Factor, and percentage of the drawing's height to move it down, by which the head fills the image."""

BLACK, BROWN, RED, GOLDEN, BLOND = "2c1b18", "724133", "a55728", "b58143", "d6b370"
"""Colors of hair."""
DARK_BROWN_SKIN, BROWN_SKIN, ROSY_SKIN, TAN_SKIN, PALE_SKIN = "5c3829", "a36b4f", "c68e7a", "b98e6a", "f1c3a5"

Features: TypeAlias = dict[str, str | None]
"""A value of each feature of a face, by DiceBear's names; None: the face has none."""

FEATURES: dict[str, tuple[str | None, ...]] = {
    "mouth": ("laugh", "laugh", "agape", "angry", "sad"),
    "eyes": ("bow", "happy", "humble", "wide", "wink"),
    "eyebrows": ("angry", "happy", "neutral", "raised"),
    "hair": ("bun", "sideComed", "spiky", "undercut"),
    "rearHair": (None, None, None, "longStraight", "longWavy", "shoulderHigh"),
    "beard": (None, None, None, None, "chinMoustache", "moustacheTwirl", "fullBeard", "longBeard"),
    "hairColor": (BLACK, BROWN, RED, GOLDEN, BLOND),
    "skinColor": (DARK_BROWN_SKIN, BROWN_SKIN, ROSY_SKIN, TAN_SKIN, PALE_SKIN),
}
"""Values of each feature, by DiceBear's names, all equally likely and independent; None: the face has none."""

ATTRIBUTES: dict[str, tuple[str, tuple[str, ...]]] = {
    "smiling": ("mouth", ("laugh",)),
    "beard": ("beard", ("fullBeard", "longBeard")),
    "moustache": ("beard", ("chinMoustache", "moustacheTwirl")),  # without a full beard
    "long hair": ("rearHair", ("longStraight", "longWavy", "shoulderHigh")),
    "bun": ("hair", ("bun",)),
    "winking": ("eyes", ("wink",)),
    "frowning": ("mouth", ("angry",)),
    "dark skin": ("skinColor", (DARK_BROWN_SKIN, BROWN_SKIN)),
    "dark hair": ("hairColor", (BLACK, BROWN)),
    "blond": ("hairColor", (GOLDEN, BLOND)),
    "red hair": ("hairColor", (RED,)),
    "pale skin": ("skinColor", (PALE_SKIN,)),
    "spiky hair": ("hair", ("spiky",)),
    "undercut": ("hair", ("undercut",)),
    "parted hair": ("hair", ("sideComed",)),
    "eyes closed": ("eyes", ("bow", "humble")),
    "eyes wide": ("eyes", ("wide",)),
    "mouth open": ("mouth", ("laugh", "agape", "angry")),
    "angry eyebrows": ("eyebrows", ("angry",)),
}
"""For each attribute a feature, and the values with which a face has the attribute."""


def list_features(count: int) -> list[Features]:
    """Return the features of the first `count` faces; no two are alike."""
    seen: dict[tuple[str | None, ...], Features] = {}
    number = 0
    while len(seen) < count:
        features = _draw_features(number)
        seen.setdefault(tuple(features.values()), features)
        number += 1
    return list(seen.values())


def attributes_of(faces: Sequence[Features]) -> np.ndarray:
    """Return which attributes faces have: bool `[len(faces), len(ATTRIBUTES)]`."""
    return np.array([[face[feature] in values for feature, values in ATTRIBUTES.values()] for face in faces])


def recipe() -> str:
    """Return a text that differs where the same number would give another drawing."""
    return repr((STYLE, SIZE, FEATURES, [_options(features) for features in list_features(3)]))


class Painter:
    """Draw faces as images."""

    def __init__(self) -> None:
        from dicebear import Style

        text = (importlib.resources.files("dicebear_styles") / f"{STYLE}.json").read_text("utf-8")
        self.style = Style(json.loads(text))

    def __call__(self, features: Features) -> np.ndarray:
        """Return the image of a face, uint8 `[SIZE, SIZE, 3]`.

        Args:
            features: the features of the face, such as those of `list_features`.
        """
        import resvg_py
        from dicebear import Avatar

        drawing = str(Avatar(self.style, _options(features)))
        png = resvg_py.svg_to_bytes(svg_string=drawing, width=SIZE, height=SIZE, skip_system_fonts=True)
        return np.asarray(Image.open(io.BytesIO(png)).convert("RGB"))


def _draw_features(number: int) -> Features:
    """Return features that depend on a number only, on no generator whose stream a new version may change."""
    digest = hashlib.sha256(f"glow_tf faces {number}".encode()).digest()
    draws = np.frombuffer(digest, ">u4")  # one for each feature
    return {name: values[int(draw) % len(values)] for (name, values), draw in zip(FEATURES.items(), draws, strict=True)}


def _options(features: Features) -> dict[str, Any]:
    """Return DiceBear's options that draw a face."""
    options: dict[str, Any] = {"seed": "glow_tf", "backgroundColor": [BACKGROUND], "scale": ZOOM, "translateY": DOWN}
    options["clothesVariant"] = "tShirt"  # below the image
    for name, value in features.items():
        if name.endswith("Color"):
            options[name] = [value]
        else:
            options[f"{name}Probability"] = 0 if value is None else 100
            options |= {} if value is None else {f"{name}Variant": value}
    return options


def main(first: int, step: int, count: int) -> None:
    """Write the pixels of the faces `first`, `first + step`, ... below `count` to standard output."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # Ctrl-C: the process that reads says so
    paint = Painter()
    for features in list_features(count)[first::step]:
        sys.stdout.buffer.write(paint(features).tobytes())


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
