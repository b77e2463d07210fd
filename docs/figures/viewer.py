"""The pictures of docs/viewer.md and the README's, of the real page: ``python -m docs.figures.viewer``.

Needs the extras ``web`` and ``test`` and a Chromium on the PATH (``make test-web`` installs Debian's).
"""

import io
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from PIL import Image

from benchmarks.viewer import browser

ROOT = Path(__file__).parents[2]
OUT = ROOT / "docs" / "pictures"
PHOTOGRAPH = ROOT / "models" / "assets" / "stack" / "input" / "depthmap_380_754_4.webp"
SHOTS = {"narrow": (360, 780, 2), "middle": (1280, 800, 1), "wide": (3840, 2160, 1)}
NEAR, FAR = (0.72, 0.62), (0.5, 0.12)  # of the picture's width and height


@contextmanager
def page_of(opened, paths, width, height, scale=1, scheme="dark") -> Iterator:
    """A page of a server of its own."""
    command = [sys.executable, "-m", "lfdeblur_models.cli", "view", "--no-browser", *map(str, paths)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        address = re.match(r"\S+", process.stdout.readline())[0]
        size = {"width": width, "height": height}
        context = opened.new_context(viewport=size, device_scale_factor=scale, color_scheme=scheme)
        page = context.new_page()
        page.goto(address)
        yield page
        context.close()
    finally:
        process.terminate()
        process.wait(30)


def at(page, place, canvas="canvas >> nth=0"):
    box = page.locator(canvas).bounding_box()
    return box["x"] + place[0] * box["width"], box["y"] + place[1] * box["height"]


def measured(page):
    """Once the disparity map is there."""
    page.get_by_label("Disparity in focus", exact=True).wait_for()
    page.wait_for_function("() => !document.body.innerText.includes('Measuring depth')", timeout=60_000)
    page.wait_for_timeout(800)


def light_field(opened) -> None:
    for name, (width, height, scale) in SHOTS.items():
        for scheme in ("dark", "light") if name == "middle" else ("dark",):
            with page_of(opened, [], width, height, scale, scheme) as page:
                measured(page)
                page.mouse.click(*at(page, NEAR))
                page.wait_for_timeout(1500)
                if scheme == "light":
                    page.get_by_label("Disparity map", exact=True).check()
                    page.get_by_label("Epipolar slices", exact=True).check()
                    page.mouse.move(*at(page, (0.55, 0.55)))
                    page.wait_for_timeout(1500)
                save(page.screenshot(), f"viewer_{name}" + ("_depth" if scheme == "light" else ""))


def animation(opened) -> None:
    """Focus here, focus there, look around."""
    frames: list[Image.Image] = []
    with page_of(opened, [], 1000, 560) as page:
        measured(page)

        def take(count, milliseconds=70):
            for _ in range(count):
                page.wait_for_timeout(milliseconds)
                frames.append(Image.open(io.BytesIO(page.screenshot(type="jpeg", quality=95))).convert("RGB"))

        take(3)
        for place in (NEAR, FAR, (0.33, 0.55)):
            page.mouse.click(*at(page, place))
            take(8)
        x, y = at(page, (0.5, 0.5))
        page.mouse.move(x, y)
        page.mouse.down()
        for step in range(24):
            page.mouse.move(x + 170 * wave(step / 24), y)
            take(1, 40)
        page.mouse.up()
        take(8)
    first, *rest = (frame.resize((800, 448), Image.Resampling.LANCZOS) for frame in frames)
    first.save(OUT / "viewer.webp", save_all=True, append_images=rest, duration=110, loop=0, quality=62, method=6)


def wave(share: float) -> float:
    """Right, left and back, without a jump."""
    return 1 - abs(((4 * share + 1) % 4) - 2)


def photograph(opened) -> None:
    with page_of(opened, [PHOTOGRAPH], 1280, 800) as page:
        page.wait_for_timeout(6000)
        save(page.screenshot(), "viewer_photograph")


def save(shot: bytes, name: str) -> None:
    image = Image.open(io.BytesIO(shot)).convert("RGB")
    if image.width > 1600:
        image = image.resize((1600, round(image.height * 1600 / image.width)), Image.Resampling.LANCZOS)
    image.save(OUT / f"{name}.jpg", quality=82, optimize=True)


def main() -> None:
    with browser() as opened:
        light_field(opened)
        animation(opened)
        photograph(opened)


if __name__ == "__main__":
    main()
