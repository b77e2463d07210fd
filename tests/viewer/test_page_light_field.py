"""The light field's pane in Chromium: what each control, click and drag does to the picture."""

import numpy as np
import pytest
import torch

from lfdeblur_models.data import Shot, disparity_of, parse_aperture
from lfdeblur_models.io.images import to_integers

from .frames import (
    JPEG_DECIBELS,
    choose,
    decibels,
    drawn_on,
    expected,
    field_of,
    frame_after,
    in_focus,
    loaded,
    press,
    slide,
)

pytestmark = pytest.mark.web
expect = pytest.importorskip("playwright.sync_api", reason="needs playwright: make test-web installs it").expect


def polygon(page):
    choose("Shape", "polygon")(page)
    slide("Blades", 3)(page)
    slide("Rotation", 40)(page)


def cats_eye(page):
    choose("Shape", "cateye")(page)
    slide("Cut", 1)(page)


def ring(page):
    choose("Shape", "annulus")(page)
    slide("Inner radius", 2)(page)


# How it is set, the setting that the page then asks for, and what the library takes for it; all at disparity 2.5, where
# everything but the front of the board is out of focus.
CONTROLS = {
    "radius": (slide("Radius", 1.5), {"aperture": "disk:1.5"}, {"aperture": "disk:1.5"}),
    "square": (choose("Shape", "square"), {"aperture": "square:3"}, {"aperture": "square:3"}),
    "polygon": (polygon, {"aperture": "polygon:3:3:40"}, {"aperture": "polygon:3:3:40"}),
    "ring": (ring, {"aperture": "annulus:3:2"}, {"aperture": "annulus:3:2"}),
    "cat's eye": (cats_eye, {"aperture": "cateye:3:1"}, {"aperture": "cateye:3:1"}),
    "left half": (press("Left half"), {"half": "left"}, {"half": "left"}),
    "right half": (press("Right half"), {"half": "right"}, {"half": "right"}),
    "viewpoint across": (slide("Across", 1.5), {"viewpoint": "0,1.5"}, {"viewpoint": (0.0, 1.5)}),
    "viewpoint down": (slide("Down", -2), {"viewpoint": "-2,0"}, {"viewpoint": (-2.0, 0.0)}),
    "exposure": (slide("Exposure", -0.5), {"exposure": -0.5}, {"exposure": -0.5}),
    "interpolation": (choose("Interpolation", "nearest"), {"interpolation": "nearest"}, {"interpolation": "nearest"}),
}


@pytest.mark.parametrize("name", CONTROLS)
def test_a_control_makes_the_librarys_picture(page, server, name):
    act, asked, told = CONTROLS[name]
    _, before = frame_after(page, lambda: slide("Disparity in focus", 1.5)(page), disparity=1.5)
    settings, shown = frame_after(page, lambda: act(page), **asked)
    plain, wanted = expected(server, 1.5), expected(server, 1.5, **told)
    assert settings["disparity"] == 1.5
    assert decibels(before, plain) >= JPEG_DECIBELS
    assert decibels(shown, wanted) >= JPEG_DECIBELS
    assert decibels(shown, plain) < JPEG_DECIBELS


def test_all_in_focus_and_back(page, server):
    loaded(page)
    exhibit = field_of(server)
    sharp = Shot(parse_aperture("disk:3")).all_in_focus(exhibit.centred, disparity_of(exhibit.centred))
    wanted = to_integers("picture", sharp, 8).transpose(1, 2, 0)
    _, shown = frame_after(page, lambda: press("All in focus")(page), all_in_focus=True)
    assert decibels(shown, wanted) >= JPEG_DECIBELS > decibels(shown, expected(server))
    _, shown = frame_after(page, lambda: slide("Disparity in focus", 1)(page), disparity=1, all_in_focus=False)
    assert decibels(shown, expected(server, 1.0)) >= JPEG_DECIBELS


def test_a_click_focuses_there(page, server):
    loaded(page)
    x, y = 694, 440  # a pawn in front
    box = page.locator("canvas.picture").bounding_box()
    scale = box["width"] / 848
    at = (box["x"] + (x + 0.5) * scale, box["y"] + (y + 0.5) * scale)
    settings, shown = frame_after(page, lambda: page.mouse.click(*at), half="whole")
    place = page.locator(".status-line .place").inner_text()
    column, row = map(int, place.split(" · ")[0].split(", "))
    assert max(abs(column - x), abs(row - y)) <= 1  # events of a mouse have whole pixels of the screen
    around = field_of(server).disparity()[row - 2 : row + 3, column - 2 : column + 3]
    assert abs(settings["disparity"] - float(np.median(around.numpy()))) <= 5e-4

    def energy(picture):
        around = torch.from_numpy(picture[y - 20 : y + 21, x - 20 : x + 21].astype(np.float32))
        return float(around.diff(dim=0).square().mean() + around.diff(dim=1).square().mean())

    assert energy(shown) > 1.5 * energy(expected(server))
    assert page.locator(".marker:not([hidden])").count() == 1


def test_where_motion_is_unwanted_the_focus_is_there_at_once(browser, server):
    context = browser.new_context(viewport={"width": 1280, "height": 800}, reduced_motion="reduce")
    page = context.new_page()
    page.goto(server.url)
    loaded(page)
    page.evaluate(
        "() => { window.seen = new Set(); document.querySelector('canvas.picture').addEventListener('frame',"
        " ({detail}) => seen.add(detail.settings.disparity)); }"
    )
    settings, _ = frame_after(page, lambda: page.locator("canvas.picture").click(), half="whole")
    assert page.evaluate("() => [...seen]") == [settings["disparity"]]
    assert settings["disparity"] != 0
    context.close()


def test_a_click_before_the_map_is_there_is_remembered(page, server):
    held = []
    page.route("**/disparity", lambda route: held.append(route))
    page.reload()
    page.locator("canvas.picture").click(position={"x": 300, "y": 300})
    assert "Measuring depth" in page.locator(".status-line").inner_text()
    page.wait_for_timeout(200)
    assert page.get_by_label("Disparity in focus").input_value() == "0"
    held[0].continue_()
    expect(page.get_by_label("Disparity in focus")).not_to_have_value("0", timeout=60_000)
    page.unroute("**/disparity")


def test_a_drag_looks_around_and_eases_back(page):
    loaded(page)
    box = page.locator("canvas.picture").bounding_box()
    x, y = box["x"] + 200, box["y"] + 200

    def drag(right, down):
        page.mouse.move(x, y)
        page.mouse.down()
        page.mouse.move(x + right / 2, y + down / 2)
        page.mouse.move(x + right, y + down)

    full = 0.4 * box["width"]
    focus = in_focus(page)
    half_way, _ = frame_after(page, lambda: drag(full / 2, -full / 4), viewpoint="0.75,-1.5")
    assert half_way["disparity"] == focus
    frame_after(page, page.mouse.up, viewpoint="0,0")
    frame_after(page, lambda: drag(2 * full, 0), viewpoint="0,-3")  # not beyond the grid
    page.keyboard.down("Shift")
    frame_after(page, page.mouse.up, viewpoint="0,-3")
    page.keyboard.up("Shift")


def test_drafts_while_a_slider_moves_and_a_whole_frame_at_the_end(page, server):
    loaded(page)
    page.evaluate(
        "() => { window.seen = []; document.querySelector('canvas.picture').addEventListener('frame',"
        " ({detail}) => seen.push([detail.number, detail.draft])); }"
    )
    slider = page.get_by_label("Disparity in focus")
    box = slider.bounding_box()
    middle = box["y"] + box["height"] / 2

    def drag():
        page.mouse.move(box["x"] + 0.3 * box["width"], middle)
        page.mouse.down()
        for step in range(30):
            page.mouse.move(box["x"] + (0.3 + step * 0.01) * box["width"], middle)
            page.wait_for_timeout(16)
        page.mouse.up()

    settings, shown = frame_after(page, drag, half="whole")
    page.wait_for_timeout(300)
    numbers, drafts = zip(*page.evaluate("() => seen"), strict=True)
    assert list(numbers) == sorted(numbers)
    assert sum(drafts) >= 3
    assert not drafts[-1]
    final = float(slider.input_value())
    if settings["disparity"] != final:  # the pointer had rested on the way
        _, shown = frame_after(page, lambda: page.get_by_label("Exposure").fill("0.1"), exposure=0.1)
        assert decibels(shown, expected(server, final, exposure=0.1)) >= JPEG_DECIBELS
    else:
        assert decibels(shown, expected(server, final)) >= JPEG_DECIBELS


def test_the_sweep_waits_for_its_frames(page):
    loaded(page)
    page.evaluate(
        "() => { window.seen = []; document.querySelector('canvas.picture').addEventListener('frame',"
        " ({detail}) => seen.push([detail.number, detail.draft, detail.settings.disparity])); }"
    )
    page.get_by_role("button", name="Play a focal sweep").click()
    page.wait_for_timeout(1500)
    frame_after(page, page.get_by_role("button", name="Pause the sweep").click, half="whole")
    numbers, drafts, planes = zip(*page.evaluate("() => seen"), strict=True)
    assert len(set(planes)) >= 5
    assert list(planes[:4]) == sorted(planes[:4])
    assert all(drafts[:-1])
    assert numbers[-1] - numbers[0] <= len(numbers) + 2  # each was waited for: none was asked for in vain


def test_the_disparity_map_and_its_legend(page, server):
    loaded(page)
    press("Disparity map")(page)
    disparity = field_of(server).disparity()
    assert page.locator("canvas.map").is_visible()
    legend = page.locator(".legend").inner_text().replace("−", "-").replace("+", "")
    assert "pixels per view step" in legend
    assert f"{float(disparity.min()):.2f}" in legend
    assert f"{float(disparity.max()):.2f}" in legend
    drawn = drawn_on(page, "canvas.map").astype(int)
    low, high = np.unravel_index([int(disparity.argmin()), int(disparity.argmax())], disparity.shape)
    assert np.abs(drawn[low[0], high[0]] - [68, 1, 84]).max() <= 6  # viridis at its ends
    assert np.abs(drawn[low[1], high[1]] - [253, 231, 37]).max() <= 6


def test_epipolar_slices_are_the_views_pixels(page, server):
    loaded(page)
    page.locator("canvas.picture").focus()
    page.keyboard.press("e")
    page.keyboard.press("Shift+ArrowRight")
    page.keyboard.press("ArrowDown")
    page.wait_for_function("() => document.querySelector('.strip.across').dataset.at === '241'")
    page.wait_for_function("() => document.querySelector('.strip.down').dataset.at === '434'")
    views = field_of(server).light_field.views
    assert np.array_equal(drawn_on(page, ".strip.across"), views[3, :, :, 241].permute(0, 2, 1).numpy())
    assert np.array_equal(drawn_on(page, ".strip.down"), views[:, 3, :, :, 434].permute(2, 0, 1).numpy())
    picture, strip = (page.locator(name).bounding_box() for name in ("canvas.picture", ".strip.across"))
    assert (picture["x"], picture["width"]) == (strip["x"], strip["width"])


def test_reset_takes_everything_back(page):
    frame_after(page, lambda: slide("Exposure", 2)(page), exposure=2)
    polygon(page)
    settings, _ = frame_after(page, page.get_by_role("button", name="Reset").click, exposure=0)
    assert settings["aperture"] == "disk:3"
    assert page.get_by_label("Blades").count() == 1
    assert not page.get_by_label("Blades").is_visible()


def test_two_pages_show_what_each_is_set_to(browser, page, server):
    other = browser.new_context(viewport={"width": 1280, "height": 800}).new_page()
    other.goto(server.url)
    _, first = frame_after(page, lambda: slide("Disparity in focus", 2)(page), disparity=2)
    slide("Disparity in focus", 0)(other)
    _, second = frame_after(other, lambda: slide("Exposure", -1)(other), exposure=-1)
    assert decibels(first, expected(server, 2.0)) >= JPEG_DECIBELS
    assert decibels(second, expected(server, exposure=-1.0)) >= JPEG_DECIBELS
    other.context.close()
