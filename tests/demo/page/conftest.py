"""Provide a page over a run of digits, in headless Chromium; all tests here share the server and the browser."""

import shutil

import pytest

from helpers.commands import start_demo

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
CHROMIUM_FLAGS = (
    "--no-sandbox --disable-gpu --no-first-run --disable-background-networking --disable-component-update "
    "--disable-sync"
).split()


@pytest.fixture(scope="package")
def browser():
    if CHROMIUM is None:
        pytest.skip("needs Chromium (apt-get install chromium)")
    playwright = pytest.importorskip("playwright.sync_api", reason="drives the browser: pip install 'glow_tf[dev]'")
    with playwright.sync_playwright() as driver:
        yield driver.chromium.launch(executable_path=CHROMIUM, args=CHROMIUM_FLAGS)


@pytest.fixture(scope="package")
def address(tiny_run):
    """Run the command; give its address."""
    pytest.importorskip("uvicorn", reason="the page's extra: pip install 'glow_tf[demo]'")
    process, address = start_demo(tiny_run)
    yield address
    process.terminate()
    process.wait()


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
