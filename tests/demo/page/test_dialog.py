"""Test how pictures are chosen: the dialog, and files that are dropped."""

import base64

import numpy as np
import pytest

from helpers.browser import open_tab, settle, wait_until
from helpers.uploads import INVALID_FILES, encode_image

pytestmark = pytest.mark.slow


def test_page_closes_the_dialog_only_at_a_click_beside_it(page):
    page.click("#attributes [data-well] button")
    box = page.locator("dialog").bounding_box()
    page.mouse.click(box["x"] + 8, box["y"] + box["height"] / 2)  # in the padding of the dialog
    assert page.is_visible("dialog")
    page.mouse.click(box["x"] - 8, box["y"] + box["height"] / 2)
    page.wait_for_selector("dialog", state="hidden")


def test_page_gives_up_an_upload_when_the_dialog_is_closed(page, tmp_path):
    open_tab(page, "blend")
    (tmp_path / "own.png").write_bytes(encode_image(np.zeros((8, 8), np.uint8)))
    page.route("**/api/images", lambda route: None)  # the server does not answer yet
    page.click("#blend [data-well=first] button")
    page.set_input_files("dialog input[type=file]", tmp_path / "own.png")
    page.wait_for_selector("dialog .progress:has-text('Reading own.png')")
    with page.expect_event("requestfailed") as upload:
        page.click("dialog .close")
    assert upload.value.url.endswith("/api/images"), "the server, which notices that the client is gone, stores nothing"
    page.click("#blend [data-well=second] button")
    assert not page.is_visible("dialog .progress") and not page.locator("dialog[aria-busy]").count()
    page.wait_for_timeout(100)
    assert page.is_visible("dialog") and not page.is_visible("dialog .failure")
    page.click("#test-thumbs button:nth-child(6)")
    settle(page)
    names = [page.get_attribute(f"#blend [data-well={which}] button", "aria-label") for which in ("first", "second")]
    assert "test image 1:" in names[0] and "test image 6:" in names[1]
    page.route("**/api/draw", lambda route: None)
    page.click("#blend .random >> nth=0")
    with page.expect_event("requestfailed"):
        page.click("#blend .random >> nth=0")


def test_page_reads_the_sample_that_the_dialog_shows(page):
    open_tab(page, "samples")
    held = []
    page.route("**/api/samples", lambda route: held.append(route))
    page.click("#samples .another")
    page.click("#tab-blend")
    page.click("#blend [data-well=first] button")
    shown = page.get_attribute("#sample-thumbs img >> nth=0", "src")
    held[0].continue_()
    wait_until(page, f"document.querySelector('#samples .sheet img').src != '{shown}'")
    with page.expect_request("**/api/images") as sent:
        page.click("#sample-thumbs button >> nth=0")
    assert sent.value.post_data_buffer == base64.b64decode(shown.split(",")[1])
    settle(page)


def test_page_shows_why_an_upload_is_rejected(page, tmp_path):
    open_tab(page, "blend")
    page.click("#blend [data-well=first] button")
    for name in ("text", "100 MB", "1x1", "cmyk", "animated", "truncated png", "bomb"):
        data, _, part = INVALID_FILES[name]
        (tmp_path / name).write_bytes(data)
        page.set_input_files("dialog input[type=file]", tmp_path / name)
        page.wait_for_selector(f"dialog .failure:has-text('{part}')")
    held = []
    page.route("**/api/images", lambda route: held.append(route))
    (tmp_path / "own.png").write_bytes(encode_image(np.zeros((16, 24, 3), np.uint8)))
    page.set_input_files("dialog input[type=file]", tmp_path / "own.png")
    page.wait_for_selector("dialog .progress:has-text('Reading own.png')")
    assert not page.is_visible("dialog .failure"), "the error of the file before"
    held[0].abort()
    page.wait_for_selector("dialog .failure:has-text('does not answer')")
    page.unroute("**/api/images")
    page.click("dialog .failure button")
    page.wait_for_selector("dialog", state="hidden")
    notes = page.inner_text("#blend .after")
    assert "middle square of your 24x16 pixels" in notes and "become gray" in notes
    settle(page)


def test_page_stays_if_a_file_is_dropped_beside_a_well(page):
    script = """() => {
        const dataTransfer = new DataTransfer();
        dataTransfer.items.add(new File(["text"], "own.png"));
        const drop = (kind) => new DragEvent(kind, { dataTransfer, bubbles: true, cancelable: true });
        return ["dragover", "drop"].map((kind) => document.querySelector("h1").dispatchEvent(drop(kind)));
    }"""
    assert page.evaluate(script) == [False, False], "else the browser opens it"
