"""Attribute directions of a run's own data, computed in a background thread while the page is in use."""

import itertools
import threading
import time

import tensorflow as tf

from glow_tf.attributes import difference_of_means
from glow_tf.batched import flat_latents
from glow_tf.errors import GlowError
from glow_tf.evaluation.labeled_images import read_labeled_images

MAX_TRAIN_IMAGES = 2000
"""Training images from which directions are computed."""
CHUNK_IMAGES = 32
"""Images that are encoded at once; a request of the page waits for one chunk at most."""
YIELD_SECONDS = 0.005
"""Pause after each chunk, in which a waiting request gets the model."""


class Directions:
    """Attribute directions in one of three states: ready, being computed in a background thread, or unavailable.

    Args:
        attributes: `Attributes` read from a file, or None.
        context: `EvaluationContext` whose labels or tags they are computed from, or None without data.
        encode: function `(images, labels) -> eps`.
    """

    def __init__(self, attributes=None, context=None, encode=None):
        self.attributes, self.error = attributes, None
        self._context, self._encode = context, encode
        self._done = self._total = 0
        self._thread, self._start_lock = None, threading.Lock()
        if attributes is None and context is None:
            self.error = "There is no data to compute attributes from; start the page with --data or --attributes."

    def start(self):
        """Start the computation in a thread, unless it was started before or nothing is to be computed."""
        with self._start_lock:
            if self.attributes is None and self.error is None and self._thread is None:
                self._thread = threading.Thread(target=self._compute, daemon=True)
                self._thread.start()

    def wait(self):
        """Start the computation, and wait until the directions are ready or unavailable."""
        self.start()
        if self._thread is not None:
            self._thread.join()

    def status(self):
        """Return the state as plain values.

        Returns:
            `{"state": "ready", "names"}`, `{"state": "computing", "done", "total"}` (images) or
            `{"state": "unavailable", "reason"}`.
        """
        if self.attributes is not None:
            return {"state": "ready", "names": list(self.attributes.names)}
        if self.error is not None:
            return {"state": "unavailable", "reason": self.error}
        return {"state": "computing", "done": self._done, "total": self._total}

    def update(self, count):
        """Add `count` encoded images, as `update` of a progress bar does."""
        self._done += count
        time.sleep(YIELD_SECONDS)

    def _compute(self):
        try:
            labeled = read_labeled_images(self._context, "train", MAX_TRAIN_IMAGES)
            self._total = len(labeled.images)
            z = flat_latents(self._encode, labeled.images, labeled.labels, CHUNK_IMAGES, bar=self)
            # A direction needs images with and without its attribute; of a rare one there may be none among these.
            mask = labeled.tags.any(0) & ~labeled.tags.all(0)
            names = tuple(itertools.compress(labeled.names, mask))
            self.attributes = difference_of_means(z, labeled.tags[:, mask], names)
        except (GlowError, tf.errors.OpError) as error:
            self.error = str(error).strip().splitlines()[0]
