"""Test that the page starts in every browser and at every address."""

import pytest

pytestmark = pytest.mark.slow


def test_page_works_where_the_browser_stores_nothing(page):
    page.add_init_script("Object.defineProperty(window, 'localStorage', { get() { throw new Error('denied'); } })")
    page.reload()
    page.wait_for_selector("#attributes .result img", timeout=10_000)
    page.check("#smooth")
    assert page.evaluate("document.documentElement.matches('.smooth')")


def test_page_opens_its_first_tab_if_the_address_names_none(page):
    for name in ("nothing", "toString"):
        page.evaluate(f"location.hash = '{name}'")
        page.reload()
        page.wait_for_selector("#attributes .result img", timeout=10_000)
