"""The page around its panes in Chromium: tabs, addresses, what is dropped, a server that goes and comes back."""

import base64
import json
import shutil

import pytest

from .frames import loaded, press
from .pictures import DROP, png, until
from .servers import serving

pytestmark = pytest.mark.web


@pytest.fixture
def page(browser, server):
    """Without the watch over its console: what is refused here is refused on purpose."""
    context = browser.new_context(viewport={"width": 1280, "height": 800})
    opened = context.new_page()
    opened.goto(server.url)
    yield opened
    context.close()


def through(page):
    """Sockets of the page, which the test may close."""
    sockets = []

    def pass_on(socket):
        socket.connect_to_server()
        sockets.append(socket)

    page.route_web_socket("**/api/socket", pass_on)
    page.reload()
    page.locator("canvas.picture[data-frame=whole]").wait_for()
    return sockets


def chosen(page):
    return page.locator("[role=tab][aria-selected=true]").inner_text()


def test_a_server_that_comes_back_with_something_else_gets_a_new_page(page):
    sockets = through(page)
    page.evaluate("() => { window.old = true; }")
    sockets[-1].close(code=4000)
    page.get_by_text("Connected again.").wait_for()
    assert page.evaluate("() => window.old")

    def other(route):
        told = route.fetch().json()
        told["exhibits"][0]["name"] = "another"
        route.fulfill(json=told)

    page.route("**/api/exhibits", other)
    sockets[-1].close(code=4000)
    page.get_by_role("tab", name="another").wait_for()
    assert page.evaluate("() => window.old === undefined")


@pytest.mark.parametrize("missing", ["photograph.css", "photograph.js"])
def test_a_tab_that_could_not_be_loaded_is_loaded_later(page, missing):
    sockets = through(page)
    page.route(f"**/page/{missing}*", lambda route: route.abort())
    page.get_by_role("tab", name="Photograph").click()
    page.get_by_text("This part of the page is not available.").wait_for()
    page.unroute(f"**/page/{missing}*")
    if missing == "photograph.css":
        page.get_by_role("tab", name="Photograph").click()
    else:
        sockets[-1].close(code=4000)
    page.locator(".invitation").wait_for()


def test_addresses_follow_the_tabs(page):
    page.get_by_role("tab", name="Photograph").click()
    assert page.evaluate("location.hash") == "#photograph"
    page.go_back()
    until(page, "document.querySelector('[aria-selected=true]').textContent === 'chess'", 5)
    page.evaluate("() => { location.hash = 'nothing'; }")
    until(page, "location.hash === '#light-field-1'", 5)
    page.get_by_role("tab", name="chess").focus()
    page.keyboard.press("End")
    assert chosen(page) == "Photograph"
    page.keyboard.press("Home")
    assert chosen(page) == "chess"


def test_the_chosen_one_of_many_tabs_is_in_sight(browser, trained_run, tmp_path):
    runs = [tmp_path / f"a run of the number {index}" for index in range(6)]
    for run in runs:
        shutil.copytree(trained_run, run)
    with serving(runs) as running:
        context = browser.new_context(viewport={"width": 360, "height": 740})
        page = context.new_page()
        page.goto(f"{running.url}/#run-4")
        page.locator(".run-state:not(:empty)").wait_for()
        tabs = page.locator(".tabs").bounding_box()

        def sides():
            box = page.locator("[role=tab][aria-selected=true]").bounding_box()
            assert box["x"] >= tabs["x"]
            assert box["x"] + box["width"] <= tabs["x"] + tabs["width"] + 1
            return [page.locator(f".tabs.more-{side}").count() == 1 for side in ("left", "right")]

        assert sides() == [True, True]
        page.locator("[role=tab][aria-selected=true]").focus()
        page.keyboard.press("Home")
        assert sides() == [False, True]
        page.keyboard.press("End")
        assert sides() == [True, False]
        page.keyboard.press("?")
        assert page.get_by_role("dialog").count() == 0  # a run has no keys
        context.close()


def test_a_picture_dropped_on_any_tab_is_restored(page):
    loaded(page)
    drop = DROP.replace("document.querySelector('.photographs')", "document.querySelector('canvas.picture')")
    page.evaluate(drop, ["a.png", base64.b64encode(png()["buffer"]).decode(), "drop"])
    page.get_by_text("a.png").wait_for()
    assert chosen(page) == "Photograph"
    kept = """() => {
      const data = new DataTransfer();
      data.setData('text/uri-list', 'http://example.org/');
      const event = new DragEvent('drop', { dataTransfer: data, bubbles: true, cancelable: true });
      document.body.dispatchEvent(event);
      return event.defaultPrevented;
    }"""
    assert page.evaluate(kept)


def test_forced_colours_show_what_is_on(page):
    page.emulate_media(forced_colors="active")
    loaded(page)
    colour = "e => getComputedStyle(e).backgroundColor"
    switches = page.get_by_label("All in focus"), page.get_by_label("Hold where a drag ends")
    press("All in focus")(page)
    page.wait_for_timeout(300)
    on, off = (one.evaluate(colour) for one in switches)
    assert on != off
    on, off = (page.locator(".segments span", has_text=text).evaluate(colour) for text in ("Whole", "Left half"))
    assert on != off
    tabs = [
        page.get_by_role("tab", name=name).evaluate("e => getComputedStyle(e).color") for name in ("chess", "Photo")
    ]
    assert tabs[0] != tabs[1]


@pytest.mark.parametrize("size", [(740, 360), (640, 400)], ids=["telephone", "zoomed"])
def test_low_windows_have_the_picture_beside_its_controls(page, size):
    page.set_viewport_size({"width": size[0], "height": size[1]})
    loaded(page)
    picture, panel = (page.locator(name).bounding_box() for name in ("canvas.picture", ".panel"))
    assert picture["x"] + picture["width"] <= panel["x"]
    assert picture["y"] + picture["height"] <= size[1]
    assert picture["width"] > 0.45 * size[0]
    assert panel["y"] + panel["height"] <= size[1] + 1
    assert page.evaluate("document.documentElement.scrollHeight") <= size[1]
    page.get_by_role("button", name="Save PNG").scroll_into_view_if_needed()
    assert page.locator(".panel").evaluate("e => e.scrollTop") > 0


def test_notices_cover_nothing(page):
    loaded(page)
    page.route("**/code?*", lambda route: route.fulfill(status=422, body=json.dumps({"error": "no line"})))
    page.get_by_role("button", name="Copy command").click()
    toast = page.locator(".toast")
    toast.wait_for()
    top = toast.bounding_box()["y"]
    for name in (".panel", ".status-line", ".keep"):
        box = page.locator(name).bounding_box()
        assert box["y"] + box["height"] <= top + 1
    page.get_by_role("button", name="Dismiss").click()
    assert toast.count() == 0
