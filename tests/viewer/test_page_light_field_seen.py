"""The light field's pane in Chromium: what is under the pointer, what is in focus, keys and fingers, odd shapes."""

import numpy as np
import pytest
from PIL import Image

from .frames import drawn_on, field_of, frame_after, in_focus, loaded, press, slide
from .servers import serving

pytestmark = pytest.mark.web


def moved(disparity, u, focus):
    """``[H, W]`` of the map as it is seen from ``u`` steps to the right, -inf where nothing lands."""
    seen = np.full_like(disparity, -np.inf)
    rows, columns = np.indices(disparity.shape)
    x = np.floor(columns - (disparity - focus) * u + 0.5).astype(int)
    inside = (x >= 0) & (x < disparity.shape[1])
    np.maximum.at(seen, (rows[inside], x[inside]), disparity[inside])
    return seen


def place_of(page):
    """Pixel and disparity that the line below the picture tells."""
    place, told = page.locator(".status-line .place").inner_text().split(" · ")
    return [int(part) for part in place.split(", ")], float(told.split()[0].replace("−", "-"))


def test_parallax_is_followed_by_the_map_and_the_pointer(page, server):
    loaded(page)
    slide("Disparity in focus", 0)(page)
    frame_after(page, lambda: slide("Across", 3)(page), viewpoint="0,3", disparity=0)
    disparity = field_of(server).disparity().double().numpy()
    press("Disparity map")(page)
    wanted = moved(disparity, 3, 0)
    lands = np.isfinite(wanted)
    assert 0.5 < lands.mean() < 1
    table = np.array(page.evaluate("() => import('/page/colours.js').then(({TABLE}) => [...TABLE])")).reshape(-1, 3)
    ramp = np.searchsorted(table[:, 1], drawn_on(page, "canvas.map")[..., 1]) / 255  # green grows with disparity
    shares = (wanted - disparity.min()) / np.ptp(disparity)
    moved_map = np.abs(ramp - shares)[lands].mean()
    unmoved = (disparity - disparity.min()) / np.ptp(disparity)
    assert moved_map < 0.02
    assert moved_map < 0.5 * np.abs(ramp - unmoved)[lands].mean()

    box = page.locator("canvas.picture").bounding_box()
    scale = box["width"] / 848
    y = 440
    x = min(
        range(600, 760), key=lambda x: np.ptp(disparity[y - 3 : y + 4, x - 6 : x + 7])
    )  # on a pawn in front, not its edge
    at = (box["x"] + (x + 0.5 - 3 * disparity[y, x]) * scale, box["y"] + (y + 0.5) * scale)
    at = tuple(map(float, at))
    page.mouse.move(*at)
    (column, row), told = place_of(page)
    behind = np.abs(np.arange(848) - 3 * disparity[row] - column) <= 0.75
    nearest = np.flatnonzero(behind)[np.argmax(disparity[row][behind])]
    assert abs(told - np.median(disparity[row - 2 : row + 3, nearest - 2 : nearest + 3])) < 0.1
    settings, _ = frame_after(page, lambda: page.mouse.click(*at), half="whole")
    assert abs(settings["disparity"] - told) <= 5e-4
    press("All in focus")(page)
    page.wait_for_timeout(100)
    frame_after(page, lambda: slide("Exposure", 1)(page), exposure=1, all_in_focus=True)
    page.mouse.move(at[0] + 40, at[1])
    (column, row), told = place_of(page)  # the picture is not moved
    assert abs(told - np.median(disparity[row - 2 : row + 3, column - 2 : column + 3])) < 1e-3


def test_the_centre_comes_into_focus_by_itself_and_settings_outlive_a_reload(page, server):
    loaded(page)
    centre = float(np.median(field_of(server).disparity()[238:243, 422:427].numpy()))
    assert abs(in_focus(page) - centre) <= 5e-4
    slide("Disparity in focus", -0.4)(page)
    press("Disparity map")(page)
    slide("Exposure", 0.5)(page)
    page.wait_for_timeout(400)
    page.reload()
    loaded(page)
    assert in_focus(page) == -0.4
    assert page.get_by_label("Exposure").input_value() == "0.5"
    assert page.locator("canvas.map").is_visible()
    page.get_by_role("button", name="Reset").click()
    assert abs(in_focus(page) - centre) <= 5e-4


LATER = {
    "slider": lambda page: slide("Disparity in focus", -0.3)(page),
    "key": lambda page: page.keyboard.press("["),
    "all in focus": lambda page: press("All in focus")(page),
    "reset": lambda page: page.get_by_role("button", name="Reset").click(),
}


@pytest.mark.parametrize("name", LATER)
def test_a_click_that_waits_for_the_map_yields_to_what_is_chosen_later(page, name):
    held = []
    page.route("**/disparity", lambda route: held.append(route))
    page.reload()
    page.locator("canvas.picture").click(position={"x": 300, "y": 500})
    LATER[name](page)
    chosen = in_focus(page)
    held[0].continue_()
    page.unroute("**/disparity")
    loaded(page)
    assert in_focus(page) == chosen
    assert page.get_by_text("Bright edges? Close the aperture.").is_visible() == (name == "all in focus")


def test_keys_work_wherever_the_focus_is(page):
    loaded(page)
    assert page.evaluate("() => document.activeElement === document.body")
    page.keyboard.press("d")
    assert page.locator("canvas.map").is_visible()
    frame_after(page, lambda: page.keyboard.press("-"), aperture="disk:2.75")
    page.get_by_role("button", name="Copy Python").focus()
    frame_after(page, lambda: page.keyboard.press("="), aperture="disk:3")
    exposure = page.get_by_label("Exposure")
    exposure.focus()
    page.keyboard.press("ArrowRight")
    assert float(exposure.input_value()) > 0
    page.get_by_role("button", name="Save stack").click()
    page.get_by_label("Planes, at most 200").press("d")
    assert page.locator("canvas.map").is_visible()
    page.get_by_label("Planes, at most 200").fill("201")
    assert page.get_by_role("button", name="Save ZIP").is_disabled()
    page.keyboard.press("Escape")
    page.get_by_role("tab", name="Photograph").click()
    page.locator(".invitation").wait_for()
    page.keyboard.press("?")
    assert "brush" in page.get_by_role("dialog").inner_text()
    page.keyboard.press("Escape")
    page.keyboard.press("d")
    page.get_by_role("tab", name="chess").click()
    assert page.locator("canvas.map").is_visible()  # keys of a pane that is hidden do nothing


def test_the_button_tells_that_a_file_is_made_and_why_it_is_not(browser, server):
    context = browser.new_context()
    page = context.new_page()
    page.goto(server.url)
    loaded(page)
    held = []
    page.route("**/picture.png?*", lambda route: held.append(route))
    save = page.get_by_role("button", name="Save PNG")
    save.click()
    page.get_by_text("Drawing the picture…").wait_for()
    assert save.get_attribute("aria-busy") == "true"
    with page.expect_download():
        held.pop().continue_()
    page.get_by_text("The picture is saved.").wait_for()
    save.click()
    page.wait_for_timeout(100)
    held.pop().fulfill(status=422, json={"error": "no room"})
    page.get_by_text("The picture is not saved: no room").wait_for()
    assert save.get_attribute("aria-busy") == "false"
    context.close()


def test_without_motion_the_ring_goes_away(browser, server):
    context = browser.new_context(reduced_motion="reduce")
    page = context.new_page()
    page.goto(server.url)
    loaded(page)
    page.locator("canvas.picture").click()
    assert page.locator(".marker i").first.is_visible()
    page.locator(".marker i").first.wait_for(state="hidden", timeout=4000)
    context.close()


def test_a_finger_that_scrolls_leaves_a_slider_alone(browser, server):
    context = browser.new_context(viewport={"width": 390, "height": 700}, has_touch=True, is_mobile=True)
    page = context.new_page()
    page.goto(server.url)
    loaded(page)
    slider = page.get_by_label("Disparity in focus")
    before, box = slider.input_value(), slider.bounding_box()
    touch = context.new_cdp_session(page)

    def swipe(right, down):
        x, y = box["x"] + 0.8 * box["width"], box["y"] + box["height"] / 2
        for step in range(9):
            kind = "touchStart" if step == 0 else "touchMove"
            points = [{"x": x + right * step / 8, "y": y + down * step / 8}]
            touch.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})
            page.wait_for_timeout(25)
        touch.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
        page.wait_for_timeout(300)

    swipe(0, -150)
    assert page.evaluate("() => scrollY") > 50
    assert slider.input_value() == before
    page.evaluate("() => scrollTo(0, 0)")
    swipe(-0.5 * box["width"], 0)
    low, high = float(slider.get_attribute("min")), float(slider.get_attribute("max"))
    assert abs((float(slider.input_value()) - low) / (high - low) - 0.3) < 0.1
    page.touchscreen.tap(box["x"] + 0.7 * box["width"], box["y"] + box["height"] / 2)
    page.wait_for_timeout(200)
    assert abs((float(slider.input_value()) - low) / (high - low) - 0.7) < 0.1
    context.close()


@pytest.mark.parametrize("size", [(600, 20), (20, 600)], ids=["wide", "tall"])
def test_odd_shapes_keep_a_picture_beside_their_slices(browser, tmp_path, size):
    rng = np.random.default_rng(0)
    for v in range(3):
        for u in range(3):
            pixels = rng.integers(0, 255, (size[1], size[0], 3), dtype=np.uint8)
            Image.fromarray(pixels).save(tmp_path / f"view_{v:02d}_{u:02d}.png")
    with serving([tmp_path]) as running:
        context = browser.new_context(viewport={"width": 360, "height": 740})
        page = context.new_page()
        page.goto(running.url)
        page.locator("canvas.picture[data-frame=whole]").wait_for()
        for width, height in ((360, 740), (1280, 800)):
            page.set_viewport_size({"width": width, "height": height})
            page.wait_for_timeout(100)
            alone = page.locator("canvas.picture").bounding_box()
            press("Epipolar slices")(page)
            page.locator(".strip.down").wait_for()
            sliced = page.locator("canvas.picture").bounding_box()
            assert sliced["width"] * 1.02 + 1 >= 0.6 * alone["width"]
            assert sliced["height"] * 1.02 + 1 >= 0.6 * alone["height"]
            page.get_by_label("Epipolar slices").uncheck()
        page.locator(".legend-title:not(:empty)").wait_for(state="attached")
        press("Disparity map")(page)
        legend, picture = (page.locator(name).bounding_box() for name in (".legend", "canvas.picture"))
        assert legend["y"] >= picture["y"] + picture["height"]
        assert legend["width"] >= 200
        context.close()
