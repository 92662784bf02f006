"""The computations behind the page: sample, blend, move along attributes, redraw levels. Independent of HTTP."""

import dataclasses
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from glow_tf import presets
from glow_tf.attributes import Attributes, load_attributes
from glow_tf.data.splits import spread_positions
from glow_tf.demo import edits
from glow_tf.demo.compiled_model import CompiledModel
from glow_tf.demo.directions import Directions
from glow_tf.demo.edits import Pictures
from glow_tf.demo.held_out_images import HeldOutImages, read_packaged_images, read_test_images
from glow_tf.demo.image_store import ImageStore, StoredImage
from glow_tf.errors import DataError, GlowError
from glow_tf.evaluation.context import open_context
from glow_tf.evaluation.target_options import TargetOptions
from glow_tf.evaluation.trained_model import EvaluationContext
from glow_tf.io import describe_error
from glow_tf.latents import flatten_latents
from glow_tf.model import Glow
from glow_tf.model_files import is_packaged, packaged_attributes, warn_of_other_weights
from glow_tf.runs import is_keras_file, load_model
from glow_tf.types import TensorLike

COMPARED_IMAGES = 16
"""Test images whose bits/dim a visitor's picture is compared with."""


class DemoSession:
    """A model with images to work on; any thread may call, and one computation runs at a time.

    Images have ids such as `"test-3"`; results are `Pictures`.

    Args:
        model: the model behind the page.
        name: the title of the page.
        context: the model's data, or None.
        attributes: directions to use instead of those of the data, or None.
        test_images: images to choose from instead of those of the data, or None.
    """

    def __init__(
        self,
        model: Glow,
        name: str = "glow",
        *,
        context: EvaluationContext | None = None,
        attributes: Attributes | None = None,
        test_images: HeldOutImages | None = None,
    ) -> None:
        self.model, self.name = model, name
        self.compiled = CompiledModel(model)
        self.images = ImageStore(model.config.bits)
        self.class_names = tuple(map(str, range(model.config.classes)))
        self.test_names: list[str] = []
        self.credits, self.noun = "", "picture"
        self.data_error: str | None = None
        if test_images is None:
            test_images = self._read_test_images(context)
        if test_images is not None:
            self._add_test_images(test_images)
        self.directions = Directions(attributes, None if self.data_error else context, self.compiled.encode)

    def _read_test_images(self, context: EvaluationContext | None) -> HeldOutImages | None:
        """Return the test images of the data, or set `data_error`."""
        if context is None:
            self.data_error = "There are no test images with this model; start the page with --data."
            return None
        try:
            return read_test_images(context)
        except (GlowError, tf.errors.OpError) as error:
            reason = describe_error(error)
            self.data_error = f"There are no test images: {reason}; give the page another source by --data."
            return None

    def _add_test_images(self, test_images: HeldOutImages) -> None:
        """Store test images, their credits and the names of the classes."""
        self.credits, self.noun = test_images.credits, test_images.noun
        if len(test_images.class_names) == self.model.config.classes:
            self.class_names = test_images.class_names
        for i, (image, label) in enumerate(zip(test_images.images, test_images.labels, strict=True)):
            self.images.add_test_image(image, int(label) if self.class_names else None)
            words = test_images.words[i].replace("_", " ")
            self.test_names.append(f"test image {i + 1}{': ' if words else ''}{words}")

    def describe(self) -> dict[str, Any]:
        """Return the facts about the model that the page shows, as plain values."""
        config = self.model.config
        return {
            "name": self.name,
            "image_shape": list(config.image_shape),
            "bits": config.bits,
            "depth": config.depth,
            "latent_shapes": [list(map(int, shape)) for shape in self.model.latent_shapes],
            "parameters": int(self.model.count_params()),
            "classes": list(self.class_names),
            "test_images": self.images.test_ids,
            "test_names": self.test_names,
            "test_labels": [self.images.get(name).label for name in self.images.test_ids],
            "data_error": self.data_error,
            "credits": self.credits,
            "noun": self.noun,
        }

    def own_image(self, image: TensorLike, label: int | None = None) -> StoredImage:
        """Return a visitor's image, which `add` stores.

        Args:
            image: uint8 `[H, W, C]`.
            label: its class in a conditional model; None is class 0.

        Raises:
            DataError: there is no such class.
        """
        label = (label or 0) if self.class_names else None
        self._check_label(label)
        return self.images.quantized(image, label)

    def add(self, stored: StoredImage) -> str:
        """Store the result of `own_image` or `draw` and return its id."""
        return self.images.add(stored)

    def explain(self, stored: StoredImage) -> str:
        """Return a sentence on a picture that is far from the data, an empty one for others.

        It is far if its bits/dim exceed those of the test images by more than these spread, above their median.
        """
        test_ids = self.images.test_ids
        if not test_ids:
            return ""
        test_ids = [test_ids[i] for i in spread_positions(len(test_ids), COMPARED_IMAGES)]
        bits = edits.bits_per_dim(self.compiled, stored)
        usual = [edits.bits_per_dim(self.compiled, self.images.get(name)) for name in test_ids]
        low, median, high = np.min(usual), np.median(usual), np.max(usual)
        if bits <= high + (high - median):
            return ""
        number = f"{bits:.1f}" if np.isfinite(bits) else "no finite number of"
        return (
            f"This picture is far from what the model has learned: it takes {number} bits/dim, test images take "
            f"{low:.1f} to {high:.1f}. Changes to it will hardly look like pictures."
        )

    def draw(self, temperature: float, seed: int, label: int | None = None) -> StoredImage:
        """Return one sample, by temperature, seed and class, to work on, which `add` stores.

        Raises:
            DataError: the sample is no picture, or there is no such class.
        """
        labels = self._sample_labels(1, label)
        eps = [e.numpy() for e in self.model.sample_latents(1, temperature, seed=seed)]
        drawn = edits.decode(self.compiled, eps, labels)
        if drawn.outside[0]:
            raise DataError("The model drew no picture this time; draw again, or lower the temperature.")
        label = None if labels is None else int(labels[0])
        return StoredImage(drawn.images[0], label, flatten_latents(eps)[0], kind="sample")

    def image(self, image_id: str) -> np.ndarray:
        """Return the image uint8 `[H, W, C]` of an id."""
        return self.images.get(image_id).image

    def sample(self, count: int, temperature: float, seed: int, label: int | None = None) -> Pictures:
        """Return `count` samples, of one class or, if a conditional model gets no label, of each class in turn."""
        labels = self._sample_labels(count, label)
        return edits.decode(self.compiled, self.model.sample_latents(count, temperature, seed=seed), labels)

    def blend(self, first: str, second: str, weights: Sequence[float]) -> Pictures:
        """Return images between two, given by their ids, one per weight: 0 gives the first, 1 the second."""
        return edits.blend(self.compiled, self.images.get(first), self.images.get(second), weights)

    def move(self, image_id: str, strengths: Mapping[str, float]) -> Pictures:
        """Return the image moved along attributes, `{name: strength}`, as far as it stays one; several add up."""
        if not strengths:  # which needs no directions, so that there is a picture before there are any
            return Pictures(self.image(image_id)[None], np.zeros(1, bool))
        if self.directions.attributes is None:
            raise DataError(self.directions.error or "The attributes are still being computed; wait a moment.")
        return edits.move(self.compiled, self.images.get(image_id), self.directions.attributes, strengths)

    def redraw(self, image_id: str, levels: Sequence[int], temperature: float, seed: int, count: int) -> Pictures:
        """Return `count` variants of an image: some levels of its latents are drawn again, the others are kept.

        Args:
            image_id: id of the image.
            levels: the levels that are drawn, 0 the finest.
            temperature: standard deviation of the drawn latents.
            seed: seed of the drawn latents.
            count: number of variants.

        Raises:
            DataError: there is no such level.
        """
        invalid = [level for level in levels if not 0 <= level < self.model.config.levels]
        if invalid:
            raise DataError(f"levels: expected 0 to {self.model.config.levels - 1}, got {invalid[0]}.")
        drawn_eps = self.model.sample_latents(count, temperature, seed=seed)
        return edits.redraw(self.compiled, self.images.get(image_id), levels, drawn_eps)

    def _sample_labels(self, count: int, label: int | None) -> np.ndarray | None:
        if not self.class_names:
            if label is not None:
                raise DataError("class: this model is unconditional and takes none.")
            return None
        self._check_label(label)
        return np.arange(count) % len(self.class_names) if label is None else edits.repeat_label(label, count)

    def _check_label(self, label: int | None) -> None:
        if label is not None and not 0 <= label < len(self.class_names):
            raise DataError(f"class: expected 0 to {len(self.class_names) - 1}, got {label}.")


def open_session(
    path: pathlib.Path | str,
    *,
    data: str | None = None,
    ema: bool = False,
    attributes: pathlib.Path | str | None = None,
) -> DemoSession:
    """Return the `DemoSession` of a run folder, a `.keras` file or a preset whose weights come with the package.

    Test images and attributes of a preset come with the package too, so that no data are needed.

    Args:
        path: run folder, or `.keras` file, which without `data` has no test images, or name of a preset.
        data: source such as "bundled:digits" instead of the run's own, or None; images of another source than the
            run's are resized.
        ema: use the EMA weights.
        attributes: path of a file that `load_attributes` reads, or None to compute them from the data.

    Raises:
        GlowError: the model, `data` or `attributes` cannot be read. Data that only the run names may be missing.
    """
    if is_keras_file(path) and data is None:
        context, model = None, load_model(path, ema=ema)
    else:
        target = TargetOptions(str(path), data, ema=ema, on_damaged="skip")
        context = _with_fitted_images(open_context(target, tf.distribute.get_strategy()))
        model = context.model
    if attributes is not None:
        warn_of_other_weights(attributes, path)
    test_images = None
    if data is None and is_packaged(path) and (packaged := packaged_attributes(str(path))):
        test_images = read_packaged_images(str(path))
        attributes = packaged if attributes is None else attributes
    path = pathlib.Path(path)
    session = DemoSession(
        model,
        path.stem if is_keras_file(path) else path.resolve().name,
        context=context,
        attributes=None if attributes is None else load_attributes(attributes, model.config.dims),
        test_images=test_images,
    )
    if data is not None and session.data_error:
        raise DataError(session.data_error)
    return session


def _with_fitted_images(context: EvaluationContext) -> EvaluationContext:
    """Return a context whose images are fitted as in training if they are the model's own, else resized."""
    own = context.experiment or (presets.get(str(context.path)) if is_packaged(context.path) else None)
    if own is not None and context.data.source == own.data.source:
        return context
    return dataclasses.replace(context, data=dataclasses.replace(context.data, fit="resize"))
