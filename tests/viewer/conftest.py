"""Fixtures of the tests that drive a browser."""

import pytest

from .servers import chromium, serving


@pytest.fixture(scope="session")
def browser():
    with chromium() as opened:
        yield opened


@pytest.fixture(scope="module")
def server():
    """One that shows the light field that ships."""
    with serving() as running:
        yield running


@pytest.fixture
def page(browser, server):
    """A page of ``server`` at 1280 x 800; an error in its console fails the test."""
    context = browser.new_context(viewport={"width": 1280, "height": 800}, accept_downloads=True)
    opened = context.new_page()
    errors = []
    opened.on("pageerror", lambda error: errors.append(str(error)))
    opened.on("console", lambda message: errors.append(message.text) if message.type == "error" else None)
    opened.goto(server.url)
    yield opened
    context.close()
    assert errors == []
