"""Test that the page says where and why something failed, and goes on afterwards."""

import pytest

from helpers.browser import REFUSALS, download, open_tab, refuse, settle, slide

pytestmark = pytest.mark.slow


def test_page_tries_the_newest_state_again_and_names_a_mix_as_it_was_sent(page):
    open_tab(page, "samples")
    refuse(page, "**/api/samples")
    page.click("#samples .another")
    page.wait_for_selector("#samples .failure button")
    settle(page)
    with page.expect_response("**/api/samples"):
        page.press("#samples .failure button", "Enter")
    settle(page)
    assert page.evaluate("document.activeElement.textContent") == "Try again", "the focus stays where it was"
    held = []  # the first request from now on
    page.route("**/api/samples", lambda route: route.continue_() if held else held.append(route))
    slide(page, "#samples [name=temperature]", 0.2)
    page.click("#samples .failure button")
    with page.expect_request("**/api/samples") as sent:
        held[0].continue_()
    assert sent.value.post_data_json["temperature"] == 0.2, "and not that of the failure"
    settle(page)

    open_tab(page, "blend")
    refuse(page, "**/api/images")
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


def test_page_stops_playing_at_a_failure_and_keeps_that_of_a_well(page):
    open_tab(page, "blend")
    refuse(page, "**/api/draw")
    page.click("#blend .random >> nth=0")
    page.wait_for_selector("#blend .failures[aria-label=First] .failure")
    slide(page, "#blend [name=weight]", 0.3)
    settle(page)
    assert page.is_visible("#blend .failures .failure"), "the picture was not drawn, whatever else succeeds"
    page.unroute("**/api/draw")
    page.click("#blend .failures .failure button")
    page.wait_for_selector("#blend .failures .failure", state="detached")
    settle(page)

    refuse(page, "**/api/blend")
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


def test_page_says_where_and_why_something_failed(page, session):
    open_tab(page, "samples")
    for status, sentence in REFUSALS.items():
        refuse(page, "**/api/samples", status)
        page.click("#samples .another")
        page.wait_for_selector(f"#samples .stage .failure:has-text('{sentence}')")
        settle(page)
        page.unroute("**/api/samples")
        assert page.is_visible("#samples .failure button") == (status in (408, 503)), "where trying again may help"
    page.route("**/api/samples", lambda route: route.fulfill(body='{"images": ['))
    page.click("#samples .another")
    page.wait_for_selector("#samples .failure:has-text('gave no answer that can be read (200)')")
    settle(page)
    page.unroute("**/api/samples")
    page.click("#samples .failure button")
    page.wait_for_selector("#samples .failure", state="detached")
    outside = {"images": ["data:,"] * 16, "outside": [0, 3], "share": 1}
    page.route("**/api/samples", lambda route: route.fulfill(json=outside))
    page.click("#samples .another")
    page.wait_for_selector("#samples .remark:has-text('2 of 16 are left out')")
    page.unroute("**/api/samples")

    reason = "There is no data to compute attributes from; start the page with --data or --attributes."
    page.route("**/api/attributes", lambda route: route.fulfill(json={"state": "unavailable", "reason": reason}))
    none = {**session.describe(), "test_images": [], "data_error": reason, "max_bytes": 100}
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
    assert page.is_disabled("#attributes .play") and page.is_disabled("#attributes .zero")
    assert page.locator("#attributes .status code").all_inner_texts() == ["--data", "--attributes"]
    assert "random picture" in page.get_attribute("#attributes [data-well] button", "aria-label")
