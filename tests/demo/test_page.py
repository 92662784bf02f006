"""Test the page in headless Chromium, driven by Playwright."""

import base64
import shutil
import sys
import time

import numpy as np
import pytest
from PIL import Image

from helpers.commands import environment
from helpers.forks import Fork
from helpers.uploads import INVALID_FILES, encode_image

pytest.importorskip("uvicorn", reason="the page's extra: pip install 'glow_tf[demo]'")
playwright = pytest.importorskip("playwright.sync_api", reason="drives the browser: pip install 'glow_tf[dev]'")
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
CHROMIUM_FLAGS = (
    "--no-sandbox --disable-gpu --no-first-run --disable-background-networking --disable-component-update "
    "--disable-sync"
).split()

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium (apt-get install chromium)"),
]


@pytest.fixture(scope="module")
def address(tiny_run):
    """Run the command; give its address."""
    process = Fork([sys.executable, "-m", "glow_tf.demo", tiny_run, "--port", "0", "--no-browser"], environment())
    while "(Ctrl-C ends it)" not in process.output()[0]:
        assert process.poll() is None, process.output()
        time.sleep(0.02)
    yield process.output()[0].partition("the page: ")[2].split()[0]
    process.terminate()
    process.wait()


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
    page.wait_for_selector("#attributes .result img")
    yield page
    page.close()
    assert not foreign and not errors


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
    page.locator(selector).evaluate(
        "(e, value) => { e.value = value; e.dispatchEvent(new Event('input', { bubbles: true })); }", str(value)
    )


def download(page, button):
    """Return the downloaded PNG as a gray array, and its name."""
    with page.expect_download() as arriving:
        page.click(button)
    return np.asarray(Image.open(arriving.value.path()).convert("L")), arriving.value.suggested_filename


def open_tab(page, name):
    page.click(f"#tab-{name}")
    settle(page)


def test_page_samples_match_the_model(page, session):
    page.click("#tab-samples")
    np.testing.assert_array_equal(read_images(page, "#samples .sheet"), session.sample(16, 0.7, 0).images)
    for temperature in np.linspace(0, 0.5, 40):  # faster than any model: only the last one counts
        slide(page, "#samples [name=temperature]", round(temperature, 2))
    np.testing.assert_array_equal(read_images(page, "#samples .sheet"), session.sample(16, 0.5, 0).images)
    assert page.inner_text("#samples output") == "0.50"
    page.fill("#samples [name=seed]", "7")
    expected = session.sample(16, 0.5, 7).images
    np.testing.assert_array_equal(read_images(page, "#samples .sheet"), expected)
    held = []
    page.route("**/api/samples", lambda route: held.append(route))
    page.fill("#samples [name=seed]", "77")  # whose answer does not come before the download
    saved, name = download(page, "#samples .download")
    assert name == "glow-samples-t0.5-seed7.png" and saved.shape == (4 * 132 - 4, 4 * 132 - 4)
    tiles = [saved[y * 132 : y * 132 + 128 : 16, x * 132 : x * 132 + 128 : 16] for y in range(4) for x in range(4)]
    np.testing.assert_array_equal(np.stack(tiles), expected[..., 0])
    held[0].continue_()
    page.unroute("**/api/samples")
    settle(page)
    assert download(page, "#samples .download")[1] == "glow-samples-t0.5-seed77.png"
    page.fill("#samples [name=seed]", "")
    assert "Give a whole number" in page.inner_text("#samples .problem")
    page.click("#samples .another")
    assert np.any(read_images(page, "#samples .sheet") != expected)
    assert not page.inner_text("#samples .problem")


def test_page_mixes_an_uploaded_image_and_a_test_image(page, session, tmp_path):
    image = np.random.default_rng(5).integers(0, 256, (8, 8), np.uint8)
    (tmp_path / "own.png").write_bytes(encode_image(image))
    senders = set()
    page.on("request", lambda r: senders.add(r.headers["x-panel"]) if r.url.endswith("/api/blend") else None)
    page.click("#tab-blend")
    assert len(senders) == 2, "the slider's picture must not supersede the strip"
    page.click("#blend [data-well=first] button")
    page.set_input_files("dialog input[type=file]", tmp_path / "own.png")
    page.wait_for_selector("dialog", state="hidden")
    page.click("#blend [data-well=second] button")
    page.click("#test-thumbs button:nth-child(4)")
    own = session.add(image[..., None])
    slide(page, "#blend [name=weight]", 0.3)
    np.testing.assert_array_equal(read_images(page, "#blend .result"), session.blend(own, "test-3", [0.3]).images)
    strip = session.blend(own, "test-3", np.linspace(0, 1, 9)).images
    np.testing.assert_array_equal(read_images(page, "#blend .strip"), strip)
    assert download(page, "#blend .download")[1] == "glow-mix-30pct-of-own-own-and-test4.png"
    page.click("#blend .strip button:nth-child(9)")
    np.testing.assert_array_equal(read_images(page, "#blend .result")[0], session.image("test-3"))
    assert page.get_attribute("#blend .strip button:nth-child(9)", "aria-pressed") == "true"
    saved, _ = download(page, "#blend .download")
    np.testing.assert_array_equal(saved[::64, ::64], session.image("test-3")[..., 0])
    page.click("#blend .play")
    page.wait_for_selector("#blend .strip button:nth-child(9)[aria-pressed=false]")
    page.click("#blend .play")
    page.click("#blend .random >> nth=0")
    settle(page)
    page.click("#blend .edit")
    page.wait_for_selector("#attributes [data-well] button[aria-label*='mix of two']")
    mixed = read_images(page, "#blend .result")[0] // 16 * 16  # 255, where a mix is cut off, is 240 to the model
    np.testing.assert_array_equal(read_images(page, "#attributes .result")[0], mixed)


def test_page_moves_several_attributes(page, session):
    page.wait_for_selector("#attributes .sliders .slider:nth-child(10)")
    np.testing.assert_array_equal(read_images(page, "#attributes .result")[0], session.image("test-0"))
    slide(page, "#attributes [name='9']", 0.6)
    slide(page, "#attributes [name='6']", -0.8)
    session.directions.wait()
    moved = session.move("test-0", {"9": 0.6, "6": -0.8}).images
    difference = np.abs(read_images(page, "#attributes .result").astype(int) - moved)
    assert difference.max() <= 16 and np.mean(difference > 0) < 0.05, "directions are sums, whose order may differ"
    assert np.any(read_images(page, "#attributes .result")[0] != session.image("test-0"))
    assert download(page, "#attributes .download")[1] == "glow-test1_6-0.80_9+0.60.png"
    picture = page.get_attribute("#attributes .result img", "src")
    answer = {"images": [picture], "outside": [], "share": 0.5}
    page.route("**/api/move", lambda route: route.fulfill(json=answer))
    slide(page, "#attributes [name='9']", 1.5)
    page.wait_for_selector("#attributes .share:has-text('50 % of these strengths')")
    assert "decodes no picture" in page.inner_text("#attributes .remark")
    watch(page, "#attributes .remark")
    answer["share"] = 0.4
    slide(page, "#attributes [name='9']", 1.4)
    page.wait_for_selector("#attributes .share:has-text('40 % of these strengths')")
    assert page.evaluate("changes.length") == 0, "a screen reader would read it at each step of the slider"
    answer["share"] = 0.5
    slide(page, "#attributes [name='9']", 1.5)
    page.wait_for_selector("#attributes .share:has-text('50 % of these strengths')")
    assert download(page, "#attributes .download")[1] == "glow-test1_6-0.40_9+0.75.png"
    page.unroute("**/api/move")
    page.click("#attributes .zero")
    np.testing.assert_array_equal(read_images(page, "#attributes .result")[0], session.image("test-0"))
    slide(page, "#attributes-temperature", 0.4)
    page.click("#attributes .random")
    page.wait_for_selector("#attributes [data-well] button[aria-label*='temperature 0.4']")
    settle(page)
    assert download(page, "#attributes .download")[1].startswith("glow-random-t0.4-seed")


def test_page_redraws_the_chosen_levels(page, session):
    page.focus("#tab-attributes")
    page.keyboard.press("ArrowLeft")  # from the first tab round to the last
    page.keyboard.press("Tab")
    np.testing.assert_array_equal(read_images(page, "#levels .sheet"), session.redraw("test-0", [0], 0.7, 0, 9).images)
    page.check("#levels [value='1']")
    page.uncheck("#levels [value='0']")
    np.testing.assert_array_equal(read_images(page, "#levels .sheet"), session.redraw("test-0", [1], 0.7, 0, 9).images)
    page.uncheck("#levels [value='1']")
    np.testing.assert_array_equal(read_images(page, "#levels .sheet"), session.image("test-0")[None])
    assert "choose one" in page.inner_text("#levels .remark")


ACCESSIBLE_NAMES = {
    "attributes": ["smiling", "long hair", "Temperature of random pictures"],
    "blend": ["From the first to the second"],
    "samples": ["Temperature"],
    "levels": ["Temperature"],
}
LAST_CONTROLS = {"attributes": "#attribute-19", "blend": "input", "samples": ".another", "levels": ".another"}
NAMES = [*(f"attribute {i}" for i in range(18)), "long_hair", "smiling"]
CONTRAST = """() => {
    const canvas = document.createElement("canvas").getContext("2d");
    const luminance = (color) => {
        canvas.fillStyle = color;
        canvas.fillRect(0, 0, 1, 1);
        const parts = [...canvas.getImageData(0, 0, 1, 1).data].slice(0, 3).map((v) => v / 255);
        const [r, g, b] = parts.map((v) => (v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4));
        return 0.2126 * r + 0.7152 * g + 0.0722 * b;
    };
    const ratio = (a, b) => (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    const root = getComputedStyle(document.documentElement);
    const grounds = ["--paper", "--card"].map((name) => luminance(root.getPropertyValue(name)));
    const controls = [...document.querySelectorAll("button.zero, input[type=number], .file span, .well button")];
    const colors = controls.map((control) => getComputedStyle(control).borderTopColor);
    colors.push(...["--edge", "--accent", "--bad"].map((name) => root.getPropertyValue(name)));
    return Math.min(...colors.flatMap((color) => grounds.map((ground) => ratio(luminance(color), ground))));
}"""


OVERLAP = """() => {
    const stage = document.querySelector("[role=tabpanel]:not([hidden]) .stage").getBoundingClientRect();
    const focused = document.activeElement.getBoundingClientRect();
    return Math.min(stage.bottom, focused.bottom) - Math.max(stage.top, focused.top, 0);
}"""
MISNAMED_BUTTONS = """(buttons) => buttons
    .filter((button) => button.offsetParent && !button.matches(".close"))
    .filter((button) => !button.getAttribute("aria-label").startsWith(button.innerText.trim()))
    .map((button) => button.outerHTML)"""


def find_small_targets(page, size):
    """Return what is visible, can be tapped and is less high than `size` pixels."""
    return page.eval_on_selector_all(
        "button, input, select, summary, .choices label",
        """(elements, size) => elements.filter((e) => e.offsetParent && !e.matches(":is(label, .file) > input")
            && e.getBoundingClientRect().height < size).map((e) => e.outerHTML)""",
        size,
    )


def test_page_names_its_controls_and_fits_a_phone(page):
    tree = page.context.new_cdp_session(page)
    page.route("**/api/attributes", lambda route: route.fulfill(json={"state": "ready", "names": NAMES}))
    page.reload()
    page.wait_for_selector("#attributes .sliders input")
    for tab, names in ACCESSIBLE_NAMES.items():
        open_tab(page, tab)
        assert not find_small_targets(page, 24), tab
        nodes = [n for n in tree.send("Accessibility.getFullAXTree")["nodes"] if not n["ignored"]]
        by_role = {
            role: [n for n in nodes if n["role"]["value"] == role]
            for role in ("slider", "spinbutton", "status", "button")
        }
        buttons = [n["name"]["value"] for n in by_role["button"]]
        assert len(buttons) >= 2 and len(set(buttons)) == len(buttons), buttons
        assert not page.eval_on_selector_all("button[aria-label]", MISNAMED_BUTTONS), tab
        heard = [n["name"]["value"] for n in by_role["slider"]]
        assert set(names) <= set(heard) and all(heard), heard
        assert all(n["name"]["value"] == "Seed" for n in by_role["spinbutton"])
        for node in by_role["status"]:
            live = {p["name"]: p["value"]["value"] for p in node["properties"]}.get("live")
            assert live == "off" or not node["name"]["value"], "a slider's number must not be announced at each step"
    page.click("#tab-attributes")
    page.click("label[for=attribute-0]")
    assert page.evaluate("document.activeElement.name") == "smiling", "it comes first, and its name is a label"
    page.click("summary")
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        assert page.evaluate(CONTRAST) >= 3, scheme
    page.set_viewport_size({"width": 360, "height": 700})
    for tab, last in {
        "attributes": "#attribute-19",
        "blend": "#blend-weight",
        "samples": ".another",
        "levels": ".another",
    }.items():
        open_tab(page, tab)
        assert page.evaluate("document.documentElement.scrollWidth") <= 360
        assert not find_small_targets(page, 44), tab
        page.locator(f"#{tab} {last}").scroll_into_view_if_needed()
        box = page.locator(f"#{tab} .stage").bounding_box()
        assert box["y"] >= 0 and box["y"] + box["height"] < 0.75 * 700, "the picture stays in sight"


def test_page_on_a_phone_does_not_hide_the_focused_control(page):
    page.route("**/api/attributes", lambda route: route.fulfill(json={"state": "ready", "names": NAMES}))
    page.set_viewport_size({"width": 360, "height": 700})
    page.reload()
    page.click("#attributes summary")
    page.focus("#attributes .play")
    for _ in range(21):
        page.keyboard.press("Shift+Tab")
        assert page.evaluate(OVERLAP) <= 0, page.evaluate("document.activeElement.id")
    page.set_viewport_size({"width": 667, "height": 375})
    page.focus("#attributes .play")
    settle(page)
    box = page.locator("#attributes .stage").bounding_box()
    assert box["y"] + box["height"] < 375 / 2, "the picture must leave the window to the controls"


def test_page_announces_the_search_for_attributes_once(page):
    asked = []

    def answer(route):
        asked.append(route)
        route.fulfill(json={"state": "computing", "done": 100 * len(asked), "total": 2000})

    page.route("**/api/attributes", answer)
    page.reload()
    page.wait_for_selector("#attributes .count:not(:empty)")
    assert page.inner_text("#attributes .status") == "Finding the directions of the attributes …"
    watch(page, "#attributes .status")
    first = page.inner_text("#attributes .count")
    wait_until(page, f"document.querySelector('#attributes .count').textContent > '{first}'")
    assert page.evaluate("changes.length") == 0 and page.is_visible("#attributes .count:has-text('of 2000 images')")


def test_page_works_where_the_browser_stores_nothing(page):
    page.add_init_script("Object.defineProperty(window, 'localStorage', { get() { throw new Error('denied'); } })")
    page.reload()
    page.wait_for_selector("#attributes .result img", timeout=10_000)
    page.check("#smooth")
    assert page.evaluate("document.documentElement.matches('.smooth')")


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
    held = []
    page.route("**/api/images", lambda route: held.append(route))
    for _ in range(2):
        page.click("#blend [data-well=first] button")
        page.set_input_files("dialog input[type=file]", tmp_path / "own.png")
        page.wait_for_selector("dialog .progress:has-text('Reading own.png')")
        page.click("dialog .close")
    page.click("#blend [data-well=second] button")
    assert not page.is_visible("dialog .progress") and not page.locator("dialog[aria-busy]").count()
    with page.expect_response("**/api/images"):
        held[0].fulfill(json={"id": "test-4", "notes": []})
    with page.expect_event("requestfailed"):
        held[1].abort()
    page.wait_for_timeout(100)
    assert page.is_visible("dialog") and not page.is_visible("dialog .failure")
    page.click("#test-thumbs button:nth-child(6)")
    settle(page)
    names = [page.get_attribute(f"#blend [data-well={which}] button", "aria-label") for which in ("first", "second")]
    assert "test image 1:" in names[0] and "test image 6:" in names[1]


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


def test_page_tries_the_newest_state_again_and_names_a_mix_as_it_was_sent(page):
    open_tab(page, "samples")
    refusal = {"status": 503, "json": {"error": REFUSALS[503]}}
    page.route("**/api/samples", lambda route: route.fulfill(**refusal))
    page.click("#samples .another")
    page.wait_for_selector("#samples .failure button")
    settle(page)
    held = []  # the first request from now on
    page.route("**/api/samples", lambda route: route.continue_() if held else held.append(route))
    slide(page, "#samples [name=temperature]", 0.2)
    page.click("#samples .failure button")
    with page.expect_request("**/api/samples") as sent:
        held[0].continue_()
    assert sent.value.post_data_json["temperature"] == 0.2, "and not that of the failure"
    settle(page)

    open_tab(page, "blend")
    page.route("**/api/images", lambda route: route.fulfill(**refusal))
    page.click("#blend .edit")
    page.wait_for_selector("#attributes .failures .failure")
    page.unroute("**/api/images")
    page.click("#tab-blend")
    slide(page, "#blend [name=weight]", 0.9)
    open_tab(page, "blend")
    page.click("#tab-attributes")
    page.click("#attributes .failures .failure button")
    page.wait_for_selector("#attributes [data-well] button[aria-label*='mix of two']")
    settle(page)
    assert download(page, "#attributes .download")[1].startswith("glow-mix-50pct")


def test_page_dims_the_steps_while_new_ones_are_computed(page):
    open_tab(page, "blend")
    held = []
    page.route(
        "**/api/blend",
        lambda route: held.append(route) if len(route.request.post_data_json["weights"]) > 1 else route.continue_(),
    )
    page.click("#blend .random >> nth=0")
    wait_until(page, "getComputedStyle(document.querySelector('#blend .strip')).opacity < 1")
    held[0].continue_()
    settle(page)


def test_page_stops_playing_at_a_failure_and_keeps_that_of_a_well(page):
    open_tab(page, "blend")
    refusal = {"status": 503, "json": {"error": REFUSALS[503]}}
    page.route("**/api/draw", lambda route: route.fulfill(**refusal))
    page.click("#blend .random >> nth=0")
    page.wait_for_selector("#blend .failures[aria-label=First] .failure")
    slide(page, "#blend [name=weight]", 0.3)
    settle(page)
    assert page.is_visible("#blend .failures .failure"), "the picture was not drawn, whatever else succeeds"
    page.unroute("**/api/draw")
    page.click("#blend .failures .failure button")
    page.wait_for_selector("#blend .failures .failure", state="detached")
    settle(page)

    page.route("**/api/blend", lambda route: route.fulfill(**refusal))
    page.click("#blend .play")
    page.wait_for_selector("#blend .stage > .failure")
    settle(page)
    assert page.inner_text("#blend .play") == "Play"
    page.unroute("**/api/blend")
    slide(page, "#blend [name=weight]", 1)
    page.wait_for_selector("#blend .strip button:nth-child(9)[aria-pressed=true]")
    assert not page.is_visible("#blend .failure")
    page.click("#blend .play")
    page.wait_for_selector("#blend .strip button:nth-child(9)[aria-pressed=false]")
    assert page.inner_text("#blend .play") == "Stop" and not page.get_attribute("#blend .play", "aria-pressed")


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


REFUSALS = {
    403: "Requests of other web sites are refused; open this page itself.",
    408: "The request did not come whole within 30 seconds; send it again.",
    413: "This request has more than 64 kB; send less.",
    422: "temperature: input should be a finite number.",
    503: "The model has too much to do; try again in a moment.",
}


def test_page_says_where_and_why_something_failed(page, session):
    open_tab(page, "samples")
    for status, sentence in REFUSALS.items():
        refusal = {"status": status, "json": {"error": sentence}}
        page.route("**/api/samples", lambda route, _, refusal=refusal: route.fulfill(**refusal))
        page.click("#samples .another")
        page.wait_for_selector(f"#samples .stage .failure:has-text('{sentence}')")
        settle(page)
        page.unroute("**/api/samples")
        assert page.is_visible("#samples .failure button") == (status in (408, 503)), "where trying again may help"
    page.click("#samples .failure button")
    page.wait_for_selector("#samples .failure", state="detached")
    outside = {"images": ["data:,"] * 16, "outside": [0, 3], "share": 1}
    page.route("**/api/samples", lambda route: route.fulfill(json=outside))
    page.click("#samples .another")
    page.wait_for_selector("#samples .remark:has-text('2 of 16 are left out')")
    page.unroute("**/api/samples")

    reason = "There is no data to compute attributes from; start the page with --data or --attributes."
    page.route("**/api/attributes", lambda route: route.fulfill(json={"state": "unavailable", "reason": reason}))
    none = {**session.describe(), "test_images": [], "test_names": [], "data_error": reason, "max_bytes": 100}
    page.route("**/api/model", lambda route: route.abort())
    page.reload()
    page.wait_for_selector("main > .failure:has-text('does not answer')")
    assert not page.is_visible("[role=tablist]") and not page.is_visible("#loading")
    page.unroute("**/api/model")
    page.route("**/api/model", lambda route: route.fulfill(json=none))
    page.click("main > .failure button")
    page.click("#tab-attributes")
    page.wait_for_selector("#attributes .result img")
    settle(page)
    assert page.inner_text("#attributes .status") == reason
    assert page.locator("#attributes .status code").all_inner_texts() == ["--data", "--attributes"]
    assert "random picture" in page.get_attribute("#attributes [data-well] button", "aria-label")
