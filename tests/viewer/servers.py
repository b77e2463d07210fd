"""A server of ``lfdeblur view`` within the tests' process, and pages of it in Debian's Chromium."""

import asyncio
import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


@dataclass(frozen=True)
class Server:
    """``url`` without a slash at its end; ``app``: its parts stand in ``app.state``."""

    url: str
    app: object


@contextmanager
def serving(paths=(), weights=(), **told) -> Iterator[Server]:
    """A server that shows the paths, on a free port of this machine, until the block ends."""
    import uvicorn

    from lfdeblur_models.data import ReadOptions
    from lfdeblur_models.networks.shipped import COMPACT, weights_file
    from lfdeblur_models.viewer.app import make_app
    from lfdeblur_models.viewer.exhibits import find_exhibits
    from lfdeblur_models.viewer.serve import bind, settings_of_server

    exhibits = find_exhibits([Path(path) for path in paths], ReadOptions())
    known = {COMPACT: weights_file(None)} | {Path(path).name: Path(path) for path in weights}
    app = make_app(exhibits, known, **told)
    listening = bind("127.0.0.1", None)
    server = uvicorn.Server(settings_of_server(app))
    thread = threading.Thread(target=lambda: asyncio.run(server.serve([listening])), daemon=True)
    thread.start()
    try:
        while not server.started:
            assert thread.is_alive()
            thread.join(0.01)
        yield Server(f"http://127.0.0.1:{listening.getsockname()[1]}", app)
    finally:
        server.should_exit = True
        thread.join(30)
        listening.close()


@contextmanager
def chromium() -> Iterator[object]:
    """Playwright's handle of Debian's Chromium; the test is skipped where there is none."""
    playwright = pytest.importorskip("playwright.sync_api", reason="needs playwright: make test-web installs it")
    if CHROMIUM is None:
        pytest.skip("needs a Chromium on the PATH: make test-web installs Debian's")
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-dev-shm-usage"])
        try:
            yield browser
        finally:
            browser.close()
