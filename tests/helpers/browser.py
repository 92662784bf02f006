"""Drive the page of the demo in a browser: wait, slide, download, and read what it shows."""

import numpy as np
import pytest
from PIL import Image

REFUSALS = {
    403: "Requests of other web sites are refused; open this page itself.",
    408: "The request did not come whole within 30 seconds; send it again.",
    413: "This request has more than 64 kB; send less.",
    422: "temperature: input should be a finite number.",
    503: "The model has too much to do; try again in a moment.",
}
"""Sentences of the server's refusals, by their status."""


def refuse(page, path, status=503):
    """Refuse the requests to a path from now on, with one of `REFUSALS`."""
    page.route(path, lambda route: route.fulfill(status=status, json={"error": REFUSALS[status]}))


def wait_until(page, script):
    """Wait until a script gives true, by polling: the page's policy allows no eval."""
    for _ in range(600):
        if page.evaluate(script):
            return
        page.wait_for_timeout(50)
    pytest.fail(f"not true within 30 seconds: {script}")


def settle(page):
    """Wait until no request is open and every image is loaded."""
    wait_until(page, "!document.querySelector('[aria-busy]') && [...document.images].every((i) => i.complete)")


def watch(page, selector):
    """Count the changes of an element's text from now on, as `changes.length` in the page."""
    script = """(element) => {
        window.changes = [];
        const observer = new MutationObserver((records) => changes.push(...records));
        observer.observe(element, { childList: true, characterData: true, subtree: true });
    }"""
    page.locator(selector).evaluate(script)


def read_images(page, selector):
    """Return the images in a part of the page, uint8 `[n, 8, 8, 1]`."""
    settle(page)
    script = """images => images.map(image => {
        const canvas = document.createElement("canvas");
        [canvas.width, canvas.height] = [image.naturalWidth, image.naturalHeight];
        const context = canvas.getContext("2d");
        context.drawImage(image, 0, 0);
        return [...context.getImageData(0, 0, canvas.width, canvas.height).data].filter((_, i) => i % 4 == 0);
    })"""
    return np.array(page.eval_on_selector_all(f"{selector} img", script), np.uint8).reshape(-1, 8, 8, 1)


def slide(page, selector, value):
    """Move a slider to a value."""
    page.locator(selector).evaluate(
        "(e, value) => { e.value = value; e.dispatchEvent(new Event('input', { bubbles: true })); }", str(value)
    )


def download(page, button):
    """Return the downloaded PNG as a gray array, and its name."""
    with page.expect_download() as arriving:
        page.click(button)
    return np.asarray(Image.open(arriving.value.path()).convert("L")), arriving.value.suggested_filename


def open_tab(page, name):
    """Open a tab and wait until its pictures are there."""
    page.click(f"#tab-{name}")
    settle(page)
