"""Test the page in headless Chromium, driven by Playwright.

With `GLOW_TF_SCREENSHOTS=RUN` screenshots of that run are written to docs/pictures, for the README.
"""

import io
import os
import pathlib
import shutil

import numpy as np
import pytest
from PIL import Image

from glow_tf.demo.session import open_session
from helpers.commands import ROOT, demo_page
from helpers.uploads import INVALID_FILES, encode_image

pytest.importorskip("uvicorn", reason="the page's extra: pip install 'glow_tf[demo]'")
playwright = pytest.importorskip("playwright.sync_api", reason="drives the browser: pip install 'glow_tf[dev]'")
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
CHROMIUM_FLAGS = (
    "--no-sandbox --disable-gpu --no-first-run --disable-background-networking --disable-component-update "
    "--disable-sync"
).split()
SCREENSHOT_RUN = os.environ.get("GLOW_TF_SCREENSHOTS")

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium (apt-get install chromium)"),
]


@pytest.fixture(scope="module")
def run(tiny_run):
    return pathlib.Path(SCREENSHOT_RUN) if SCREENSHOT_RUN else tiny_run


@pytest.fixture(scope="module")
def address(run):
    """Run the command; give its address."""
    with demo_page(run) as address:
        yield address


@pytest.fixture(scope="module")
def session(run):
    """Open the same model in this process, to compare with."""
    return open_session(run)


@pytest.fixture(scope="module")
def browser():
    with playwright.sync_playwright() as driver:
        yield driver.chromium.launch(executable_path=CHROMIUM, args=CHROMIUM_FLAGS)


@pytest.fixture
def page(browser, address):
    """Open a page; check after the test that it asked nothing of other hosts and raised no error."""
    page = browser.new_page(viewport={"width": 1120, "height": 780})
    foreign, errors = [], []
    page.on("request", lambda r: foreign.append(r.url) if not r.url.startswith((address, "data:", "blob:")) else None)
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.goto(address)
    page.wait_for_selector("#samples .sheet img:nth-child(16)")
    yield page
    page.close()
    assert not foreign and not errors


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    """Give the folder of the screenshots."""
    return ROOT / "docs" / "pictures" if SCREENSHOT_RUN else tmp_path_factory.mktemp("pictures")


def settle(page):
    """Wait until no request is open and every image is loaded, by polling: the page's policy allows no eval."""
    script = "!document.querySelector('[aria-busy]') && [...document.images].every((i) => i.complete)"
    for _ in range(600):
        if page.evaluate(script):
            return
        page.wait_for_timeout(50)
    pytest.fail("the page is still busy after 30 seconds")


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
    page.locator(selector).evaluate(
        "(e, value) => { e.value = value; e.dispatchEvent(new Event('input', { bubbles: true })); }", str(value)
    )


def download(page, button):
    """Return the downloaded PNG as a gray array, and its name."""
    with page.expect_download() as arriving:
        page.click(button)
    return np.asarray(Image.open(arriving.value.path()).convert("L")), arriving.value.suggested_filename


def screenshot(page, pictures, name):
    settle(page)
    page.mouse.move(0, 0)
    path = pictures / f"demo_{name}.png"
    data = page.screenshot(animations="disabled")
    Image.open(io.BytesIO(data)).convert("RGB").quantize(96, dither=Image.Dither.NONE).save(path, optimize=True)
    assert Image.open(path).size == (1120, 780)


def test_page_samples_match_the_model(page, session, pictures):
    np.testing.assert_array_equal(read_images(page, "#samples .sheet"), session.sample(16, 0.7, 0).images)
    for temperature in np.linspace(0, 0.5, 40):  # faster than any model: only the last one counts
        slide(page, "#samples [name=temperature]", round(temperature, 2))
    np.testing.assert_array_equal(read_images(page, "#samples .sheet"), session.sample(16, 0.5, 0).images)
    assert page.inner_text("#samples output") == "0.50"
    page.fill("#samples [name=seed]", "7")
    expected = session.sample(16, 0.5, 7).images
    np.testing.assert_array_equal(read_images(page, "#samples .sheet"), expected)
    screenshot(page, pictures, "samples")
    saved, name = download(page, "#samples .download")
    assert name == "glow-samples-t0.5-seed7.png" and saved.shape == (4 * 132 - 4, 4 * 132 - 4)
    tiles = [saved[y * 132 : y * 132 + 128 : 16, x * 132 : x * 132 + 128 : 16] for y in range(4) for x in range(4)]
    np.testing.assert_array_equal(np.stack(tiles), expected[..., 0])
    page.click("#samples .another")
    assert np.any(read_images(page, "#samples .sheet") != expected)


def test_page_blends_an_uploaded_image_and_a_test_image(page, session, pictures, tmp_path):
    image = np.random.default_rng(5).integers(0, 256, (8, 8), np.uint8)
    (tmp_path / "own.png").write_bytes(encode_image(image))
    senders = set()
    page.on("request", lambda r: senders.add(r.headers["x-panel"]) if r.url.endswith("/api/blend") else None)
    page.click("#tab-blend")
    screenshot(page, pictures, "blend")
    assert len(senders) == 2, "the slider's picture must not supersede the strip"
    page.click("#blend [data-well=first] button")
    page.set_input_files("dialog input[type=file]", tmp_path / "own.png")
    page.wait_for_selector("dialog", state="hidden")
    page.click("#blend [data-well=second] button")
    page.click("#test-thumbs button:nth-child(4)")
    own = session.add(image[..., None])
    slide(page, "#blend [name=weight]", 0.3)
    np.testing.assert_array_equal(read_images(page, "#blend .result"), session.blend(own, "test-3", [0.3]).images)
    np.testing.assert_array_equal(
        read_images(page, "#blend .strip"), session.blend(own, "test-3", np.linspace(0, 1, 9)).images
    )
    page.click("#blend .strip button:nth-child(9)")
    np.testing.assert_array_equal(read_images(page, "#blend .result")[0], session.image("test-3"))
    saved, _ = download(page, "#blend .download")
    np.testing.assert_array_equal(saved[::64, ::64], session.image("test-3")[..., 0])
    page.click("#blend [data-well=first] button")
    page.click("#sample-thumbs button:nth-child(2)")
    page.wait_for_selector("dialog", state="hidden")
    sample = session.sample(16, 0.7, 0).images[1] // 16 * 16  # 255, where a sample is cut off, is 240 to the model
    np.testing.assert_array_equal(read_images(page, "#blend [data-well=first]")[0], sample)


def test_page_moves_several_attributes(page, session, pictures):
    page.click("#tab-attributes")
    page.wait_for_selector("#attributes .sliders label:nth-child(10)")
    np.testing.assert_array_equal(read_images(page, "#attributes .result")[0], session.image("test-0"))
    slide(page, "#attributes [name='9']", 0.6)
    slide(page, "#attributes [name='6']", -0.8)
    session.directions.wait()
    difference = np.abs(
        read_images(page, "#attributes .result").astype(int) - session.move("test-0", {"9": 0.6, "6": -0.8}).images
    )
    assert difference.max() <= 16 and np.mean(difference > 0) < 0.05, "directions are sums, whose order may differ"
    assert np.any(read_images(page, "#attributes .result")[0] != session.image("test-0"))
    screenshot(page, pictures, "attributes")
    page.click("#attributes .zero")
    np.testing.assert_array_equal(read_images(page, "#attributes .result")[0], session.image("test-0"))


def test_page_redraws_the_chosen_levels(page, session, pictures):
    page.click("#tab-samples")
    page.keyboard.press("ArrowLeft")  # from the first tab round to the last
    page.keyboard.press("Tab")
    np.testing.assert_array_equal(read_images(page, "#levels .sheet"), session.redraw("test-0", [0], 0.7, 0, 9).images)
    screenshot(page, pictures, "levels")
    page.check("#levels [value='1']")
    page.uncheck("#levels [value='0']")
    np.testing.assert_array_equal(read_images(page, "#levels .sheet"), session.redraw("test-0", [1], 0.7, 0, 9).images)
    page.uncheck("#levels [value='1']")
    np.testing.assert_array_equal(read_images(page, "#levels .sheet"), np.stack([session.image("test-0")] * 9))


@pytest.mark.parametrize("name", ["text", "100 MB", "1x1", "cmyk", "animated", "truncated png", "bomb"])
def test_page_shows_why_an_upload_is_rejected(page, name, tmp_path):
    data, _, part = INVALID_FILES[name]
    (tmp_path / "file").write_bytes(data)
    page.click("#tab-blend")
    page.click("#blend [data-well=first] button")
    page.set_input_files("dialog input[type=file]", tmp_path / "file")
    page.wait_for_selector("dialog .error")
    assert part in page.inner_text("dialog .error")
    page.keyboard.press("Escape")
    assert not page.is_visible("dialog")


def test_page_fits_a_narrow_screen(page):
    page.set_viewport_size({"width": 360, "height": 700})
    for tab in ("samples", "blend", "attributes", "levels"):
        page.click(f"#tab-{tab}")
        settle(page)
        assert page.evaluate("document.documentElement.scrollWidth") <= 360


def test_page_reports_an_unreachable_server(page):
    page.route("**/api/samples", lambda route: route.abort())
    slide(page, "#samples [name=temperature]", 0.3)
    page.wait_for_selector("#notice")
    assert "The server does not answer" in page.inner_text("#notice")
    page.unroute("**/api/samples")
    slide(page, "#samples [name=temperature]", 0.4)
    page.wait_for_selector("#notice", state="hidden")


REFUSALS = {
    403: "Requests of other web sites are refused; open this page itself.",
    408: "The request did not come whole within 30 seconds; send it again.",
    413: "This request has more than 64 kB; send less.",
    422: "temperature: input should be a finite number.",
    503: "The model has too much to do; try again in a moment.",
}


@pytest.mark.parametrize("status", REFUSALS)
def test_page_shows_the_sentence_of_each_refusal(page, status, tmp_path):
    sentence = REFUSALS[status]
    page.route("**/api/samples", lambda route: route.fulfill(status=status, json={"error": sentence}))
    page.route("**/api/images", lambda route: route.fulfill(status=status, json={"error": sentence}))
    slide(page, "#samples [name=temperature]", 0.3)
    page.wait_for_selector("#notice")
    assert sentence in page.inner_text("#notice")
    settle(page)
    (tmp_path / "own.png").write_bytes(encode_image(np.zeros((8, 8), np.uint8)))
    page.click("#tab-blend")
    page.click("#blend [data-well=first] button")
    page.set_input_files("dialog input[type=file]", tmp_path / "own.png")
    page.wait_for_selector("dialog .error")
    assert page.inner_text("dialog .error") == sentence
    page.unroute("**/api/images")
    page.set_input_files("dialog input[type=file]", tmp_path / "own.png")  # the same file, given again
    page.wait_for_selector("dialog", state="hidden")
    settle(page)


def test_page_shows_why_there_are_no_attributes(page):
    reason = "The attributes could not be computed (MemoryError); the terminal that runs the page says more."
    page.route("**/api/attributes", lambda route: route.fulfill(json={"state": "unavailable", "reason": reason}))
    page.click("#tab-attributes")
    page.wait_for_selector("#attributes .status:not(:empty)")
    assert page.inner_text("#attributes .status") == reason
