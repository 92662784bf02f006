"""Tests of the page in headless Chromium, driven by Playwright; one process runs them all (see `tests/conftest.py`)."""
