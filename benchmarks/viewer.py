"""The viewer from end to end: a slider dragged in Chromium, frames drawn by the server, painted on the page.

    python -m benchmarks.viewer [LF...] [--seconds 10] [--json FILE]     frames a second, latency
    python -m benchmarks.viewer --soak MINUTES [LF...]                   memory of the process under random use
    python -m benchmarks.viewer --encoders                               a frame as JPEG and WebP
    python -m benchmarks.viewer --page                                   the results that are kept, into docs/viewer.md

Needs the extras ``web`` and ``test`` and a Chromium on the PATH (``make test-web`` installs Debian's).
"""

import argparse
import io
import json
import random
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import psutil

from lfdeblur_models.viewer.exhibits import DEMO

from ._machine import describe
from ._tables import between, machine_line

RESULTS = Path(__file__).parents[1] / "docs" / "data" / "viewer.json"
PAGE = Path(__file__).parents[1] / "docs" / "viewer.md"
# What the page notes: when the slider moved, and every frame with when it was asked for and painted.
WATCH = """() => {
  window.moves = []; window.frames = [];
  addEventListener('input', () => moves.push(performance.now()), true);
  for (const canvas of document.querySelectorAll('canvas'))
    canvas.addEventListener('frame', (event) => frames.push(event.detail));
}"""
TOLD = "() => ({moves: window.moves, frames: window.frames})"


@contextmanager
def server(paths: Sequence[Path]) -> Iterator[tuple[str, psutil.Process]]:
    """The command as a user starts it: its address, and its process."""
    command = [sys.executable, "-m", "lfdeblur_models.cli", "view", "--no-browser", *map(str, paths)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        yield process.stdout.readline().split()[0], psutil.Process(process.pid)
    finally:
        process.terminate()
        process.wait(30)


@contextmanager
def browser():
    """Debian's Chromium, without a window."""
    from playwright.sync_api import sync_playwright

    found = shutil.which("chromium") or shutil.which("google-chrome")
    if found is None:
        raise SystemExit("no Chromium on the PATH: make test-web installs Debian's")
    with sync_playwright() as driver:
        opened = driver.chromium.launch(executable_path=found, args=["--no-sandbox"])
        yield opened
        opened.close()


def drag(page, address: str, seconds: float) -> dict[str, float]:
    """Drag the disparity to and fro; frames a second and milliseconds from a move of the slider to its frame."""
    page.goto(address)
    slider = page.get_by_label("Disparity in focus", exact=True)
    slider.wait_for(timeout=60_000)
    with page.expect_response("**/disparity", timeout=120_000):  # the map is made once, when the page is opened
        page.reload()
    page.wait_for_timeout(2000)
    page.evaluate(WATCH)
    box = slider.bounding_box()
    y, left, right = box["y"] + box["height"] / 2, box["x"] + 12, box["x"] + box["width"] - 12
    page.mouse.move((left + right) / 2, y)
    page.mouse.down()
    begun = time.perf_counter()
    while (passed := time.perf_counter() - begun) < seconds:
        share = abs((passed / 2) % 2 - 1)  # there and back in four seconds
        page.mouse.move(left + share * (right - left), y)
        time.sleep(max(0.0, 0.008 - (time.perf_counter() - begun - passed)))  # as often as a mouse tells
    page.mouse.up()
    told = page.evaluate(TOLD)
    return figures(told["moves"], [frame for frame in told["frames"] if frame["draft"]])


def figures(moves: list[float], frames: list[dict]) -> dict[str, float]:
    """Of the frames but the first five: the browser's decoder starts with them."""
    frames = frames[5:]
    latencies = [frame["painted"] - max(move for move in moves if move <= frame["asked"] + 0.1) for frame in frames]
    between = frames[-1]["painted"] - frames[0]["painted"]
    return {
        "frames a second": 1000 * (len(frames) - 1) / between,
        "median latency, ms": statistics.median(latencies),
        "95 % latency, ms": sorted(latencies)[int(0.95 * len(latencies))],
        "server, ms": statistics.median(frame["milliseconds"] for frame in frames),
        "frames": len(frames),
    }


def soak(paths: Sequence[Path], minutes: float) -> list[dict[str, object]]:
    """Two pages that come and go and ask for anything; the process's memory, threads and files by the minute."""
    from websockets.sync.client import connect

    rng = random.Random(0)
    rows: list[dict[str, object]] = []
    with server(paths) as (address, process):
        end, next_row = time.monotonic() + 60 * minutes, time.monotonic()
        begun, asked = time.monotonic(), 0
        while time.monotonic() < end:
            with (
                connect(address.replace("http", "ws") + "api/socket") as one,
                connect(address.replace("http", "ws") + "api/socket") as other,
            ):
                for number in range(rng.randint(5, 200)):
                    for socket in (one, other):
                        socket.send(json.dumps({"picture": anything(rng, len(paths)), "number": number}))
                        message = socket.recv(timeout=120)
                        while not isinstance(message, bytes):  # the session's name
                            assert "error" not in json.loads(message), message
                            message = socket.recv(timeout=120)
                        socket.send(json.dumps({"painted": number}))
                        asked += 1
                    if time.monotonic() >= next_row:
                        next_row += 60
                        rows.append(
                            {
                                "minute": round((time.monotonic() - begun) / 60),
                                "MB": round(process.memory_info().rss / 1e6),
                                "threads": process.num_threads(),
                                "files": process.num_fds(),
                                "frames": asked,
                            }
                        )
                        show(rows[-1])
    return rows


def anything(rng: random.Random, fields: int) -> dict[str, object]:
    """Settings at random."""
    radius = round(rng.uniform(0.5, 4), 2)
    shape = rng.choice([f"disk:{radius}", f"square:{radius}", f"polygon:{radius}:6", f"annulus:{radius}:{radius / 2}"])
    return {
        "light_field": f"light-field-{rng.randint(1, fields)}",
        "disparity": round(rng.uniform(-3, 3), 3),
        "aperture": shape,
        "viewpoint": f"{rng.uniform(-1, 1):.2f},{rng.uniform(-1, 1):.2f}",
        "half": rng.choice(["whole", "whole", "left", "right"]),
        "exposure": rng.choice([0, rng.uniform(-2, 2)]),
        "all_in_focus": rng.random() < 0.1,
        "draft": rng.random() < 0.8,
    }


def encoders() -> list[dict[str, object]]:
    """Milliseconds and bytes of one frame of the light field that ships, a photograph, by each encoder in turn."""
    import pyvips
    from PIL import Image

    from lfdeblur_models.data import Shot, parse_aperture, read_light_field
    from lfdeblur_models.io.images import to_integers

    picture = Shot(parse_aperture("disk:3")).on_planes(read_light_field(DEMO), [1.2])[0]
    pixels = np.ascontiguousarray(to_integers("", picture, 8).transpose(1, 2, 0))

    def pillow(kind, **options):
        file = io.BytesIO()
        Image.fromarray(pixels).save(file, kind, **options)
        return file.getvalue()

    ways = {
        "JPEG 85, Pillow": lambda: pillow("JPEG", quality=85),
        "JPEG 85, libvips": lambda: pyvips.Image.new_from_array(pixels).jpegsave_buffer(Q=85),
        "WebP 80, fastest": lambda: pillow("WEBP", quality=80, method=0),
        "PNG, fastest": lambda: pillow("PNG", compress_level=1),
    }
    times: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(21):
        for name, encode in ways.items():
            begun = time.perf_counter()
            encode()
            times[name].append(1000 * (time.perf_counter() - begun))
    return [
        {"encoder": name, "ms": statistics.median(times[name]), "bytes": len(encode())} for name, encode in ways.items()
    ]


def updated(text: str, result: dict) -> str:
    """The page's text with the results between its marks."""
    columns = ("frames a second", "median latency, ms", "95 % latency, ms", "server, ms")
    lines = [
        f"{machine_line(result['viewer'])}",
        "",
        "| light field | " + " | ".join(columns) + " |",
        "| --- |" + " ---: |" * len(columns),
    ]
    for row in result["drag"]:
        lines.append(f"| {row['light field']} | " + " | ".join(f"{row[name]:.0f}" for name in columns) + " |")
    first, last, most = result["soak"][1], result["soak"][-1], max(row["MB"] for row in result["soak"])
    lines += [
        "",
        f"Two pages at random for {last['minute']} minutes, {last['frames']} frames: {first['MB']} MB after the first "
        f"minute, {last['MB']} after the last, {most} at most; {last['threads']} threads, {last['files']} open files.",
    ]
    return between(text, "viewer", "\n".join(lines) + "\n")


def show(row: dict[str, object]) -> None:
    print("  ".join(f"{k}: {v:.1f}" if isinstance(v, float) else f"{k}: {v}" for k, v in row.items()), flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.viewer", description=__doc__.split("\n")[0])
    parser.add_argument("light_fields", nargs="*", type=Path, metavar="LF", help="default: the one that ships")
    parser.add_argument("--seconds", type=float, default=10, help="of dragging, for each light field")
    parser.add_argument("--soak", type=float, metavar="MINUTES", help="memory under random use instead")
    parser.add_argument("--encoders", action="store_true", help="time a frame's encoders instead")
    parser.add_argument("--page", action="store_true", help="write what is kept of results into the page")
    parser.add_argument("--json", type=Path, help="put what was measured into this file, beside what else is in it")
    told = parser.parse_args()
    if told.page:
        PAGE.write_text(updated(PAGE.read_text(), json.loads(RESULTS.read_text())))
        return
    kept: dict[str, object] = {}
    if told.soak is not None:
        kept["soak"] = soak(told.light_fields or [DEMO], told.soak)
    elif told.encoders:
        rows = encoders()
        kept["encoders"] = rows
        for row in rows:
            show(row)
    else:
        kept |= {"viewer": describe("cpu"), "drag": drags(told.light_fields, told.seconds)}
    if told.json:
        before = json.loads(told.json.read_text()) if told.json.exists() else {}
        told.json.write_text(json.dumps(before | kept, indent=2) + "\n")


def drags(light_fields: Sequence[Path], seconds: float) -> list[dict[str, object]]:
    """Each light field in a server and on a page of its own; of none, the one that ships."""
    rows: list[dict[str, object]] = []
    with browser() as opened:
        for path in light_fields or [DEMO]:
            with server([path]) as (address, _):
                page = opened.new_page(viewport={"width": 1280, "height": 800})
                rows.append({"light field": path.name, **drag(page, address, seconds)})
                page.close()
            show(rows[-1])
    return rows


if __name__ == "__main__":
    main()
