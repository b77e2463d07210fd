"""The light field's pane in Chromium: what each control does to the picture, files, keys, layouts."""

import base64
import io
import json
import zipfile

import numpy as np
import pytest
import torch
from PIL import Image

from lfdeblur_models.data import Shot, disparity_of, parse_aperture, parse_disparities
from lfdeblur_models.io.images import to_integers

pytestmark = pytest.mark.web

JPEG_DECIBELS = 44.0  # of a whole frame (quality 95, colours in full) to the library's picture: 44.8 to 51 were seen
ID = "light-field-1"

NEXT_FRAME = """(want) => {
  const canvas = document.querySelector('canvas.picture');
  const fits = (told) => !told.draft && Object.keys(want).every((name) => String(told.settings[name]) === want[name]);
  window.nextFrame = new Promise((resolve, reject) => {
    setTimeout(() => reject(new Error(`no whole frame of ${JSON.stringify(want)}`)), 30000);
    canvas.addEventListener('frame', ({detail}) => fits(detail) && resolve([detail, canvas.toDataURL()]));
  });
}"""


def text_of(value):
    """As JavaScript writes it."""
    return str(value).lower() if isinstance(value, bool) else f"{value:g}" if isinstance(value, float) else str(value)


def frame_after(page, act, **want):
    """Settings and pixels ``[H, W, 3]`` of the first whole frame with these settings that follows an action."""
    page.locator("canvas.picture").wait_for(state="attached")
    page.evaluate(NEXT_FRAME, {name: text_of(value) for name, value in want.items()})
    act()
    detail, url = page.evaluate("() => window.nextFrame")
    return detail["settings"], pixels(url)


def pixels(url):
    """``[H, W, 3]`` of a PNG as a data address."""
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(url.partition(",")[2]))).convert("RGB"))


def drawn_on(page, canvas):
    return pixels(page.evaluate("(name) => document.querySelector(name).toDataURL()", canvas))


def loaded(page):
    """Wait for the first whole frame and the disparity map."""
    page.locator("canvas.picture[data-frame=whole]").wait_for()
    page.locator(".legend-title:not(:empty)").wait_for(state="attached")


def field_of(server):
    return server.app.state.light_fields[ID]


def expected(server, disparity=0.0, aperture="disk:3", **more):
    """The library's picture ``[H, W, 3]`` of 8 bits."""
    picture = Shot(parse_aperture(aperture), **more).on_planes(field_of(server).light_field, [disparity])[0]
    return to_integers("picture", picture, 8).transpose(1, 2, 0)


def decibels(first, second):
    error = np.mean((first.astype(np.float64) - second.astype(np.float64)) ** 2)
    return 10 * np.log10(255**2 / max(error, 1e-9))


def slide(label, value):
    return lambda page: page.get_by_label(label, exact=True).fill(str(value))


def choose(label, value):
    return lambda page: page.get_by_label(label, exact=True).select_option(value)


def press(label):
    return lambda page: page.get_by_label(label, exact=True).check()


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
    page.evaluate(NEXT_FRAME, {"aperture": "disk:3"})
    held[0].continue_()
    detail, _ = page.evaluate("() => window.nextFrame")
    assert detail["settings"]["disparity"] != 0
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
    half_way, _ = frame_after(page, lambda: drag(full / 2, -full / 4), viewpoint="-0.75,1.5")
    assert half_way["disparity"] == 0
    frame_after(page, page.mouse.up, viewpoint="0,0")
    frame_after(page, lambda: drag(2 * full, 0), viewpoint="0,3")  # not beyond the grid
    page.keyboard.down("Shift")
    frame_after(page, page.mouse.up, viewpoint="0,3")
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


def test_saved_files_are_the_librarys(page, server):
    frame_after(page, lambda: slide("Disparity in focus", 1.25)(page), disparity=1.25)
    frame_after(page, lambda: press("Left half")(page), half="left")
    with page.expect_download() as saving:
        page.get_by_role("link", name="Save PNG").click()
    saved = Image.open(saving.value.path())
    assert saving.value.suggested_filename == "chess_d+1.250.png"
    assert np.array_equal(np.asarray(saved), expected(server, 1.25, half="left"))
    assert json.loads(saved.text["lfdeblur"])["half"] == "left"
    page.get_by_role("button", name="Save stack").click()
    for label, value in (("From", "-0.5"), ("To", "2"), ("Planes", "3")):
        page.get_by_label(label, exact=True).fill(value)
    with page.expect_download() as saving:
        page.get_by_role("link", name="Save ZIP").click()
    with zipfile.ZipFile(saving.value.path()) as archive:
        names = archive.namelist()
        pictures = [np.asarray(Image.open(io.BytesIO(archive.read(name)))) for name in names]
    planes = parse_disparities("-0.5:2:3")
    assert len(names) == 3
    for plane, picture in zip(planes, pictures, strict=True):
        assert np.array_equal(picture, expected(server, plane, half="left"))


def test_copied_lines_are_the_servers(page, server):
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    frame_after(page, lambda: slide("Disparity in focus", 0.5)(page), disparity=0.5)
    frame_after(page, lambda: slide("Exposure", 1)(page), exposure=1)
    frame_after(page, lambda: slide("Across", 1)(page), viewpoint="0,1")
    query = page.get_by_role("link", name="Save PNG").get_attribute("href").partition("?")[2]
    told = page.request.get(f"{server.url}/api/light-fields/{ID}/code?{query}").json()
    for name, kind in (("Copy command", "shell"), ("Copy Python", "python")):
        page.get_by_role("button", name=name).click()
        page.wait_for_function("(text) => navigator.clipboard.readText().then((got) => got === text)", arg=told[kind])
    for word in ("--disparity=0.5", "--aperture=disk:3", "--viewpoint=0,1", "--exposure=1"):
        assert word in told["shell"]


def test_lines_are_shown_where_the_clipboard_is_out_of_reach(page):
    loaded(page)
    page.evaluate("() => { navigator.clipboard.writeText = () => Promise.reject(new Error('no')); }")
    page.get_by_role("button", name="Copy command").click()
    page.get_by_label("Lines to copy").wait_for()
    selected = "() => { const {value, selectionStart, selectionEnd} = document.activeElement; "
    selected += "return value.slice(selectionStart, selectionEnd); }"
    assert page.evaluate(selected).startswith("lfdeblur refocus")
    page.keyboard.press("Escape")
    page.locator("dialog").wait_for(state="detached")


def test_by_keyboard_from_tab_to_a_saved_file(page, server):
    loaded(page)
    for _ in range(10):
        page.keyboard.press("Tab")
        if page.evaluate("() => document.activeElement.matches('canvas.picture')"):
            break
    for key in ("Shift+ArrowDown",) * 20 + ("ArrowLeft",) * 3:
        page.keyboard.press(key)
    wanted = float(np.median(field_of(server).disparity()[438:443, 419:424].numpy()))
    frame_after(page, lambda: page.keyboard.press("Enter"), disparity=round(wanted, 3))
    frame_after(page, lambda: page.keyboard.press("-"), aperture="disk:2.75")
    frame_after(page, lambda: page.keyboard.press("Alt+ArrowRight"), viewpoint="0,0.25")
    frame_after(page, lambda: page.keyboard.press("]"), half="whole")
    page.keyboard.press("d")
    assert page.locator("canvas.map").is_visible()
    page.keyboard.press("d")
    page.keyboard.press("?")
    assert page.get_by_role("dialog").is_visible()
    page.keyboard.press("Escape")
    page.locator("dialog").wait_for(state="detached")
    for _ in range(40):
        page.keyboard.press("Tab")
        if page.evaluate("() => document.activeElement.textContent") == "Save PNG":
            break
    told = page.get_by_label("Disparity in focus").get_attribute("aria-valuetext").split()[0]
    disparity = float(told.replace("−", "-"))
    with page.expect_download() as saving:
        page.keyboard.press("Enter")
    saved = np.asarray(Image.open(saving.value.path()))
    assert np.array_equal(saved, expected(server, disparity, "disk:2.75", viewpoint=(0.0, 0.25)))


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
    _, second = frame_after(other, lambda: slide("Exposure", -1)(other), exposure=-1)
    assert decibels(first, expected(server, 2.0)) >= JPEG_DECIBELS
    assert decibels(second, expected(server, exposure=-1.0)) >= JPEG_DECIBELS
    other.context.close()


def test_a_hidden_pane_asks_for_nothing(browser, server):
    page = browser.new_context().new_page()
    sent = []
    page.on("websocket", lambda socket: socket.on("framesent", lambda text: sent.append(json.loads(text))))
    empty = "export const createPane = () => ({element: document.createElement('p'), show() {}, hide() {}});"
    page.route("**/page/photograph.js", lambda route: route.fulfill(body=empty, content_type="text/javascript"))
    page.route("**/page/photograph.css", lambda route: route.fulfill(body="", content_type="text/css"))
    page.goto(server.url)
    frame_after(page, lambda: slide("Exposure", 1)(page), exposure=1)
    page.get_by_role("button", name="Play a focal sweep").click()
    page.get_by_role("tab", name="Photograph").click()
    page.wait_for_timeout(300)
    sent.clear()
    page.wait_for_timeout(500)
    assert [message for message in sent if "painted" not in message] == []
    frame_after(page, page.get_by_role("tab", name="chess").click, exposure=1)
    page.context.close()


def test_a_lost_socket_comes_back(browser, server):
    page = browser.new_context().new_page()
    sockets = []

    def through(socket):
        socket.connect_to_server()
        sockets.append(socket)

    page.route_web_socket("**/api/socket", through)
    page.goto(server.url)
    frame_after(page, lambda: slide("Exposure", 1)(page), exposure=1)
    sockets[0].close(code=4000)
    page.get_by_text("Connection lost, retrying").wait_for()
    page.get_by_text("Connected again.").wait_for()
    assert page.locator("#connection").is_hidden()
    _, shown = frame_after(page, lambda: slide("Exposure", -1)(page), exposure=-1)
    assert decibels(shown, expected(server, exposure=-1.0)) >= JPEG_DECIBELS
    assert len(sockets) == 2
    page.context.close()


@pytest.mark.parametrize("size", [(360, 740), (700, 900), (1280, 800), (3840, 2160)], ids=str)
def test_nothing_is_wider_than_the_window(browser, server, size):
    context = browser.new_context(viewport={"width": size[0], "height": size[1]}, has_touch=size[0] < 800)
    page = context.new_page()
    page.goto(server.url)
    loaded(page)
    press("Epipolar slices")(page)
    choose("Shape", "polygon")(page)
    assert page.evaluate("() => document.documentElement.scrollWidth") <= size[0]
    outside = """(width) => [...document.querySelectorAll('button, a, input, select, canvas')].filter((one) => {
      const box = one.getBoundingClientRect();
      return box.width && (box.left < -1 || box.right > width + 1);
    }).map((one) => one.outerHTML)"""
    assert page.evaluate(outside, size[0]) == []
    heights = page.locator("input[type=range]:visible").evaluate_all("(all) => all.map((one) => one.offsetHeight)")
    assert min(heights) >= 40
    context.close()


def test_a_finger_drags_and_taps(browser, server):
    context = browser.new_context(viewport={"width": 360, "height": 740}, has_touch=True)
    page = context.new_page()
    page.goto(server.url)
    loaded(page)
    box = page.locator("canvas.picture").bounding_box()
    touch = context.new_cdp_session(page)
    x, y = box["x"] + 100, box["y"] + 60

    def move(kind, right, down):
        points = [] if kind == "touchEnd" else [{"x": x + right, "y": y + down}]
        touch.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})

    def drag():
        move("touchStart", 0, 0)
        for step in range(1, 6):
            move("touchMove", 0, 12 * step)

    settings, _ = frame_after(page, drag, half="whole")
    assert float(settings["viewpoint"].split(",")[0]) > 0
    assert page.evaluate("() => scrollY") == 0
    frame_after(page, lambda: move("touchEnd", 0, 0), viewpoint="0,0")
    settings, _ = frame_after(page, lambda: page.touchscreen.tap(x, y + 100), half="whole")
    assert settings["disparity"] != 0
    context.close()


@pytest.mark.parametrize("scheme", ["dark", "light"])
def test_axe_finds_no_serious_fault(browser, server, scheme):
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="needs axe-playwright-python")
    context = browser.new_context(viewport={"width": 1280, "height": 800}, color_scheme=scheme, bypass_csp=True)
    page = context.new_page()
    page.goto(server.url)
    loaded(page)
    press("Disparity map")(page)
    press("Epipolar slices")(page)
    choose("Shape", "polygon")(page)
    page.wait_for_timeout(300)
    found = axe.Axe().run(page).response["violations"]
    page.get_by_role("button", name="Keys and help").click()
    found += axe.Axe().run(page).response["violations"]
    serious = [one for one in found if one["impact"] in ("serious", "critical")]
    assert [(one["id"], [node["html"] for node in one["nodes"]]) for one in serious] == []
    context.close()
