"""Test that many requests are answered or refused at once, and that nothing of them stays in memory."""

import asyncio
import collections
import gc
import time
import tracemalloc
from types import SimpleNamespace

import numpy as np
import pytest

pytest.importorskip("fastapi", reason="the page's extra: pip install 'glow_tf[demo]'")
pytest.importorskip("httpx", reason="asks the application: pip install 'glow_tf[dev]'")

import httpx

from glow_tf.demo.app import create_app
from glow_tf.demo.edits import Pictures
from glow_tf.demo.uploads import MAX_BYTES

AT_ONCE, IN_A_ROW, ROUNDS = 100, 150, 3


class SlowSession:
    """A session whose model draws black images, slowly."""

    model = SimpleNamespace(image_shape=(8, 8, 1))

    def sample(self, count, *_):
        time.sleep(0.002)
        return Pictures(np.zeros((count, 64, 64, 3), np.uint8), np.zeros(count, bool))

    def add(self, *_):
        raise AssertionError("there was no picture to add")


def count_bytes():
    """Return the bytes that Python and NumPy have allocated, without garbage."""
    gc.collect()
    return tracemalloc.get_traced_memory()[0]


async def count_answers(client, *requests):
    """Send requests at once; return the number of answers by status. Refusals must say when to come again."""
    answers = await asyncio.gather(*[client.post(path, **options) for path, options in requests])
    assert all(answer.headers["retry-after"] == "1" for answer in answers if answer.status_code == 503)
    return collections.Counter(answer.status_code for answer in answers)


@pytest.mark.slow
def test_many_requests_are_answered_or_refused_and_leave_no_memory():
    draw = ("/api/samples", {"json": {"count": 1}})

    async def scenario():
        transport = httpx.ASGITransport(create_app(SlowSession()))
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
            at_once = await count_answers(client, *[draw] * AT_ONCE)
            tracemalloc.start()
            in_a_row, allocated = collections.Counter(), [count_bytes()]
            for _ in range(ROUNDS):
                for _ in range(IN_A_ROW // ROUNDS):
                    in_a_row += await count_answers(client, draw)
                allocated.append(count_bytes())
            tracemalloc.stop()
            return at_once, in_a_row, np.diff(allocated)

    at_once, in_a_row, growth = asyncio.run(scenario())
    assert set(at_once) == {200, 503} and sum(at_once.values()) == AT_ONCE
    assert at_once[200] >= 17, "one is computed and 16 wait"
    assert in_a_row == {200: IN_A_ROW}
    # A module imported meanwhile, or a thread of another test, allocates once; a leak does so in every round.
    assert min(growth) < IN_A_ROW // ROUNDS * 1000, "less than a twelfth of a picture for each request"


def test_many_uploads_at_once_are_refused_before_they_are_in_memory():
    upload = ("/api/images", {"content": bytes(MAX_BYTES)})

    async def scenario():
        transport = httpx.ASGITransport(create_app(SlowSession()))
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
            return await count_answers(client, *[upload] * 40)

    assert asyncio.run(scenario()) == {415: 4, 503: 36}
