"""Attribute directions of a run's own data, made behind the page while it is used."""

import threading
import time

import tensorflow as tf

from glow_tf.attributes import difference_of_means
from glow_tf.errors import GlowError
from glow_tf.evaluation.batched import flat_latents
from glow_tf.evaluation.tagged import pool

LIMIT = 2000
"""Training images that directions are made of."""
PART = 32


class Directions:
    """Attributes that are there, or are being made, or cannot be.

    Args:
        attributes: an `Attributes` read from a file, or None.
        subject: a `Subject` whose labels or tags they are made from; None if there is no data.
        encode: `(images, labels) -> eps`.
    """

    def __init__(self, attributes=None, subject=None, encode=None):
        self.attributes, self.error = attributes, None
        self._subject, self._encode = subject, encode
        self._done = self._total = 0
        self._thread, self._starting = None, threading.Lock()
        if attributes is None and subject is None:
            self.error = "There is no data to make attributes from; start the page with --data or --attributes."

    def start(self):
        """Begins to make them, in a thread, unless that was done before."""
        with self._starting:
            if self.attributes is None and self.error is None and self._thread is None:
                self._thread = threading.Thread(target=self._make, daemon=True)
                self._thread.start()

    def wait(self):
        """Starts, and returns when they are there or cannot be."""
        self.start()
        if self._thread is not None:
            self._thread.join()

    def state(self):
        """`{"state": "ready", "names"}`, `{"state": "none", "reason"}` or `{"state": "making", "done", "total"}`."""
        if self.attributes is not None:
            return {"state": "ready", "names": list(self.attributes.names)}
        if self.error is not None:
            return {"state": "none", "reason": self.error}
        return {"state": "making", "done": self._done, "total": self._total}

    def update(self, count):
        """Counts images that are encoded, as a progress bar does."""
        self._done += count
        time.sleep(0.005)  # whoever waits for the model gets it now

    def _make(self):
        try:
            known = pool(self._subject, "train", LIMIT)
            self._total = len(known.images)
            z = flat_latents(self._encode, known.images, known.labels, PART, bar=self)
            both = known.tags.any(0) & ~known.tags.all(0)  # of a rare class there may be no image among these
            names = tuple(name for name, some in zip(known.names, both, strict=True) if some)
            self.attributes = difference_of_means(z, known.tags[:, both], names)
        except (GlowError, tf.errors.OpError) as error:
            self.error = str(error).strip().splitlines()[0]
