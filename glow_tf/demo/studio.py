"""What the page can do, over a model: draw, blend, move along attributes, redraw levels. Knows nothing of HTTP."""

import collections
import dataclasses
import hashlib
import pathlib
import threading

import numpy as np
import tensorflow as tf

from glow_tf import quantization
from glow_tf.attributes import load_attributes
from glow_tf.demo.directions import Directions
from glow_tf.errors import GlowError
from glow_tf.evaluation.subject import Target, open_subject
from glow_tf.interpolation import between
from glow_tf.latents import flatten_latents, unflatten_latents
from glow_tf.runs import load_model

TEST_IMAGES = 48
"""Test images to choose from."""
KEPT = 64
"""Images of its users that the page holds; the oldest goes first."""


class StudioError(GlowError):
    """Something that this model cannot do as asked; the message says why and what to do."""


class UnknownImage(StudioError):
    """An image that is not held, or not any more."""


@dataclasses.dataclass
class Held:
    """An image that can be named in a call.

    Args:
        image: uint8 `[H, W, C]`, quantised: all that the model knows of it.
        label: its class in a conditional model, else None.
        z: its flat latents `[D]`, once they were needed.
    """

    image: np.ndarray
    label: int | None = None
    z: np.ndarray | None = None


class Studio:
    """A model with images to act on. Any thread may call; one computation runs at a time.

    Args:
        model: a `Glow`.
        name: what the page calls it.
        subject: a `Subject` with its data, or None.
        attributes: an `Attributes` instead of those of the data.

    Images are named by ids such as `"test-3"`; results are uint8 `[n, H, W, C]`.
    """

    def __init__(self, model, name="glow", subject=None, attributes=None):
        self.model, self.name = model, name
        self._lock = threading.Lock()
        self._own = collections.OrderedDict()
        self._compile()
        self.class_names = tuple(map(str, range(model.config.classes)))
        self._test, self.data_error = {}, "There is no data with this model; start the page with --data."
        if subject is not None:
            self._read_test_images(subject)
        self.directions = Directions(attributes, None if self.data_error else subject, self.encode)

    def _compile(self):
        """`encode` and `decode` as one graph each, for any number of images."""
        model, shape = self.model, self.model.image_shape
        labels = [tf.TensorSpec([None], tf.int32)] if model.config.classes else []
        eps = [tf.TensorSpec([None, *s], model.compute_dtype) for s in model.latent_shapes]
        options = dict(autograph=False, reduce_retracing=False)
        self._encode = tf.function(
            lambda images, labels=None: model.encode(images, labels),
            input_signature=[tf.TensorSpec([None, *shape], tf.uint8), *labels],
            **options,
        )
        self._decode = tf.function(
            lambda eps, labels=None: model.decode(eps, labels), input_signature=[eps, *labels], **options
        )

    def _read_test_images(self, subject):
        try:
            images, labels, _ = subject.arrays("test", TEST_IMAGES)
            names = subject.source.class_names
        except (GlowError, tf.errors.OpError) as error:
            self.data_error = f"There are no test images here: {str(error).strip().splitlines()[0]}"
            return
        self.data_error = None
        if len(names) == self.model.config.classes:
            self.class_names = names
        for i, (image, label) in enumerate(zip(images, labels, strict=True)):
            self._test[f"test-{i}"] = self._held(image, int(label) if self.class_names else None)

    def warm_up(self):
        """Traces and runs both directions once, so that the first slider moves as fast as the last."""
        z = self._latents(self._held(np.zeros(self.model.image_shape, np.uint8), 0 if self.class_names else None))
        self.decode(unflatten_latents(z[None], self.model), np.zeros(1, int) if self.class_names else None)

    # Images by name.

    @property
    def test_images(self):
        """The ids of the test images that can be chosen."""
        return list(self._test)

    def add(self, image, label=None):
        """Holds a user's image uint8 `[H, W, C]` and returns its id; the same image has the same id.

        Args:
            label: its class, for a conditional model; None is class 0.
        """
        held = self._held(image, (label or 0) if self.class_names else None)
        self._check_label(held.label)
        name = f"own-{hashlib.sha256(held.image.tobytes()).hexdigest()[:12]}-{held.label}"
        self._own[name] = self._own.pop(name, held)
        while len(self._own) > KEPT:
            self._own.popitem(last=False)
        return name

    def image(self, name):
        """The image uint8 `[H, W, C]` of an id."""
        return self._named(name).image

    def _held(self, image, label):
        return Held(quantization.quantize(image, self.model.config.bits).numpy(), label)

    def _named(self, name):
        held = self._test.get(name) or self._own.get(name)
        if held is None:
            raise UnknownImage("This image is not held here any more; choose it again.")
        return held

    def _latents(self, held):
        if held.z is None:
            held.z = flatten_latents(self.encode(held.image[None], self._labels(held.label, 1)))[0]
        return held.z

    # The model, one call at a time.

    def encode(self, images, labels=None):
        """`Glow.encode`, compiled; `eps` as NumPy arrays."""
        with self._lock:
            return [e.numpy() for e in self._encode(images, *self._given(labels))]

    def decode(self, eps, labels=None):
        """`Glow.decode`, compiled; uint8 as a NumPy array."""
        with self._lock:
            return self._decode(list(eps), *self._given(labels)).numpy()

    def _given(self, labels):
        return () if labels is None else (np.asarray(labels, np.int32),)

    def _labels(self, label, n):
        return None if label is None else np.full(n, label)

    def _check_label(self, label):
        if label is not None and not 0 <= label < len(self.class_names):
            raise StudioError(f"class: expected 0 to {len(self.class_names) - 1}, got {label}.")

    # What the page shows.

    def sample(self, count, temperature, seed, label=None):
        """Draws images; of a conditional model without a label each of the next class."""
        labels = None
        if self.class_names:
            self._check_label(label)
            labels = np.arange(count) % len(self.class_names) if label is None else np.full(count, label)
        elif label is not None:
            raise StudioError("class: this model is unconditional and takes none.")
        return self.decode(self.model.sample_latents(count, temperature, seed=seed), labels)

    def blend(self, first, second, weights):
        """Images between two, an image per weight; 0 is the first, 1 the second.

        Both ends of a conditional model are encoded with the first's class, under which either is exact.
        """
        a, b = self._named(first), self._named(second)
        if a.label != b.label:
            b = Held(b.image, a.label)
        ends = (unflatten_latents(self._latents(held)[None], self.model) for held in (a, b))
        return self.decode(between(*ends, weights), self._labels(a.label, len(weights)))

    def move(self, name, strengths):
        """The image moved along attributes, `{attribute: strength}`; several add up."""
        if self.directions.attributes is None:
            raise StudioError(self.directions.error or "The attributes are still being made; wait a moment.")
        held = self._named(name)
        z = self.directions.attributes.apply(self._latents(held)[None], strengths)
        return self.decode(unflatten_latents(z, self.model), self._labels(held.label, 1))

    def redraw(self, name, levels, temperature, seed, count):
        """Variants of an image: the latents of some levels drawn anew, those of the others kept.

        Args:
            levels: which are drawn, 0 the finest.
        """
        wrong = [level for level in levels if not 0 <= level < self.model.config.levels]
        if wrong:
            raise StudioError(f"levels: expected 0 to {self.model.config.levels - 1}, got {wrong[0]}.")
        held = self._named(name)
        own = unflatten_latents(np.repeat(self._latents(held)[None], count, 0), self.model)
        fresh = self.model.sample_latents(count, temperature, seed=seed)
        mixed = [fresh[i] if i in levels else eps for i, eps in enumerate(own)]
        return self.decode(mixed, self._labels(held.label, count))

    def describe(self):
        """What the page needs to know of the model, as plain values."""
        config = self.model.config
        return {
            "name": self.name,
            "image_shape": list(config.image_shape),
            "bits": config.bits,
            "depth": config.depth,
            "latent_shapes": [list(map(int, shape)) for shape in self.model.latent_shapes],
            "parameters": int(self.model.count_params()),
            "classes": list(self.class_names),
            "test_images": self.test_images,
            "data_error": self.data_error,
        }


def open_studio(path, data=None, averaged=False, attributes=None):
    """The `Studio` of a run folder or a `.keras` file.

    Args:
        path: of either; a `.keras` file without `data` has no test images.
        data: a source such as "bundled:digits" instead of the run's own.
        averaged: the averaged weights.
        attributes: a file that `load_attributes` reads, instead of making them.

    Raises:
        GlowError: something that was asked for is not there. Data that only the run names may be missing.
    """
    if str(path).endswith(".keras") and data is None:
        subject, model = None, load_model(path, averaged)
    else:
        subject = open_subject(Target(str(path), data, average=averaged))
        model = subject.model
    found = None if attributes is None else load_attributes(attributes, model.config.dims)
    studio = Studio(model, pathlib.Path(path).stem, subject, found)
    if data is not None and studio.data_error:
        raise StudioError(studio.data_error)
    return studio
