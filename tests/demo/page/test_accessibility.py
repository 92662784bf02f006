"""Test names, contrast and sizes of the page's controls, what a screen reader is told, and that it fits a phone."""

import pytest

from helpers.browser import open_tab, settle, wait_until, watch

pytestmark = pytest.mark.slow

ACCESSIBLE_NAMES = {
    "attributes": ["smiling", "long hair", "Temperature of random pictures"],
    "blend": ["From the first to the second"],
    "samples": ["Temperature"],
    "levels": ["Temperature"],
}
LAST_CONTROLS = {
    "attributes": "#attribute-19",
    "blend": "#blend-weight",
    "samples": ".another",
    "levels": ".another",
}
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
    for tab, last in LAST_CONTROLS.items():
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
