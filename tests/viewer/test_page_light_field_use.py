"""The light field's pane in Chromium: files and lines to keep, keys, fingers, layouts, a lost connection."""

import io
import json
import zipfile

import numpy as np
import pytest
from PIL import Image

from lfdeblur_models.data import parse_disparities

from .accessibility import serious_faults
from .frames import ID, JPEG_DECIBELS, choose, decibels, expected, field_of, frame_after, in_focus, loaded, press, slide

pytestmark = pytest.mark.web


def test_saved_files_are_the_librarys(page, server):
    frame_after(page, lambda: slide("Disparity in focus", 1.25)(page), disparity=1.25)
    frame_after(page, lambda: press("Left half")(page), half="left")
    with page.expect_download() as saving:
        page.get_by_role("button", name="Save PNG").click()
    saved = Image.open(saving.value.path())
    assert saving.value.suggested_filename == "chess_d+1.250.png"
    assert np.array_equal(np.asarray(saved), expected(server, 1.25, half="left"))
    assert json.loads(saved.text["lfdeblur"])["half"] == "left"
    page.get_by_role("button", name="Save stack").click()
    for label, value in (("From", "-0.5"), ("To", "2"), ("Planes, at most 200", "3")):
        page.get_by_label(label, exact=True).fill(value)
    with page.expect_download() as saving:
        page.get_by_role("button", name="Save ZIP").click()
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
    for name, kind in (("Copy command", "shell"), ("Copy Python", "python")):
        with page.expect_response(f"{server.url}/api/light-fields/{ID}/code?*") as answer:
            page.get_by_role("button", name=name).click()
        told = answer.value.json()
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
    disparity = in_focus(page)
    with page.expect_download() as saving:
        page.keyboard.press("Enter")
    saved = np.asarray(Image.open(saving.value.path()))
    assert np.array_equal(saved, expected(server, disparity, "disk:2.75", viewpoint=(0.0, 0.25)))


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
    page.get_by_text("Connection lost.").wait_for()
    page.get_by_text("Connected again.").wait_for()
    assert page.locator("#connection").is_hidden()
    slide("Disparity in focus", 1)(page)
    _, shown = frame_after(page, lambda: slide("Exposure", -1)(page), exposure=-1, disparity=1)
    assert decibels(shown, expected(server, 1.0, exposure=-1.0)) >= JPEG_DECIBELS
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
    assert float(settings["viewpoint"].split(",")[0]) < 0
    focus = settings["disparity"]
    assert page.evaluate("() => scrollY") == 0
    frame_after(page, lambda: move("touchEnd", 0, 0), viewpoint="0,0")
    settings, _ = frame_after(page, lambda: page.touchscreen.tap(x, y + 100), half="whole")
    assert settings["disparity"] != focus
    context.close()


@pytest.mark.parametrize("scheme", ["dark", "light"])
def test_axe_finds_no_serious_fault(browser, server, scheme):
    context = browser.new_context(viewport={"width": 1280, "height": 800}, color_scheme=scheme, bypass_csp=True)
    page = context.new_page()
    page.goto(server.url)
    loaded(page)
    press("Disparity map")(page)
    press("Epipolar slices")(page)
    choose("Shape", "polygon")(page)
    page.wait_for_timeout(300)
    assert serious_faults(page) == []
    page.get_by_role("button", name="Keys and help").click()
    assert serious_faults(page) == []
    context.close()
