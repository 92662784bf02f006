"""Attribute directions of a run's own data, computed in a background thread while the page is in use."""

import logging
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from glow_tf.attributes import Attributes, difference_of_means
from glow_tf.batched import flat_latents
from glow_tf.counts import counted
from glow_tf.errors import DataError, GlowError
from glow_tf.evaluation.labeled_images import read_labeled_images
from glow_tf.evaluation.trained_model import EvaluationContext
from glow_tf.io import describe_error

logger = logging.getLogger(__name__)

MAX_TRAIN_IMAGES = 2000
"""Training images from which directions are computed."""
CHUNK_IMAGES = 32
"""Images that are encoded at once; a request of the page waits for one chunk at most."""
YIELD_SECONDS = 0.005
"""Pause after each chunk, in which a waiting request gets the model."""


class Directions:
    """Attribute directions in one of three states: ready, being computed in a background thread, or unavailable.

    Args:
        attributes: directions that were read from a file, or None.
        context: the data whose labels or tags they are computed from, or None without data.
        encode: function `(images, labels) -> eps`; without `attributes` a context needs it.
    """

    def __init__(
        self,
        attributes: Attributes | None = None,
        context: EvaluationContext | None = None,
        encode: Callable[..., Sequence[np.ndarray]] | None = None,
    ) -> None:
        self.attributes: Attributes | None = None
        self.error: str | None = None
        self._context, self._encode = context, encode
        self._done = self._total = 0
        self._thread: threading.Thread | None = None
        self._start_lock = threading.Lock()
        if attributes is not None:
            self._finish(lambda: attributes)
        elif context is None:
            self.error = "There is no data to compute attributes from; start the page with --data or --attributes."

    def start(self) -> None:
        """Start the computation in a thread, unless it was started before or nothing is to be computed."""
        with self._start_lock:
            if self.attributes is None and self.error is None and self._thread is None:
                thread = threading.Thread(target=self._finish, args=[self._compute], daemon=True)
                try:
                    thread.start()
                except RuntimeError as error:  # no more threads
                    self.error = f"The attributes could not be computed ({error}); start the page again."
                else:
                    self._thread = thread

    def wait(self) -> None:
        """Start the computation, and wait until the directions are ready or unavailable."""
        self.start()
        if self._thread is not None:
            self._thread.join()

    def status(self) -> dict[str, Any]:
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

    def update(self, count: int) -> None:
        """Add `count` encoded images, as `update` of a progress bar does."""
        self._done += count
        time.sleep(YIELD_SECONDS)

    def _finish(self, compute: Callable[[], Attributes]) -> None:
        """Set the attributes that `compute()` returns, or the reason why there are none, whatever goes wrong."""
        try:
            self.attributes = compute()
        except (GlowError, tf.errors.OpError) as error:
            self.error = f"{describe_error(error)}."
        except Exception as error:
            logger.exception("the attributes could not be computed")
            name = type(error).__name__
            self.error = f"The attributes could not be computed ({name}); the terminal that runs the page says more."

    def _compute(self) -> Attributes:
        assert self._context is not None  # without it there is an error from the start
        assert self._encode is not None
        labeled = read_labeled_images(self._context, "train", MAX_TRAIN_IMAGES)
        self._total = len(labeled.images)
        # A direction needs images with and without its attribute; of a rare one there may be none among these.
        usable = np.flatnonzero(labeled.tags.any(0) & ~labeled.tags.all(0))
        if not len(usable):
            raise DataError(
                f"Each attribute needs images with and without it, and among {counted(self._total, 'training image')} "
                f"none of the {len(labeled.names)} has both; start the page with other --data, or with --attributes."
            )
        z = flat_latents(self._encode, labeled.images, labeled.labels, CHUNK_IMAGES, bar=self)
        return difference_of_means(z, labeled.tags[:, usable], tuple(labeled.names[i] for i in usable))
