"""Fixtures of the tests that drive a browser."""

import pytest

from ..training.training_runs import recipe, write_pairs
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


@pytest.fixture(scope="session")
def trained_run(tmp_path_factory):
    """A run of four steps with two validations of two pictures."""
    from lfdeblur_models.training.train import train

    root = tmp_path_factory.mktemp("run")
    data = write_pairs(root / "pairs")
    config = recipe(
        data,
        validation={"kind": "folders", "root": str(data), "pictures": 2},
        run={"validate_every": 2, "checkpoint_every": 2},
    )
    train(config, root / "out")
    return root / "out"
