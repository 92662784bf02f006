"""Test that each panel shows the model's pictures, and saves what it shows."""

import numpy as np
import pytest

from helpers.browser import download, open_tab, read_images, settle, slide, wait_until, watch
from helpers.uploads import encode_image

pytestmark = pytest.mark.slow


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
    own = session.add(session.own_image(image[..., None]))
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


def test_page_edits_a_mix_as_of_the_first_pictures_class_and_keeps_the_focus(page, session):
    described = {**session.describe(), "classes": ["zero", "one"], "max_bytes": 10**6}
    described["test_labels"] = [1] * len(described["test_images"])
    page.route("**/api/model", lambda route: route.fulfill(json=described))
    page.reload()
    open_tab(page, "blend")
    with page.expect_request("**/api/images?label=1"):
        page.click("#blend .edit")
    page.wait_for_selector("#attributes [data-well] button[aria-label*='mix of two']")
    assert page.evaluate("document.activeElement.id") == "tab-attributes", "the button is hidden"
    settle(page)
