"""The page's photographs in Chromium: each control changes the picture as it must."""

import asyncio
import base64
import io
from contextlib import contextmanager
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

pytest.importorskip("starlette", reason="needs the extra 'web'")

from lfdeblur_models.io.images import ImageInfo
from lfdeblur_models.viewer.photographs import networks
from lfdeblur_models.viewer.photographs.display import part_jpeg

from .pictures import DROP, SIZE, png, scene, until
from .servers import serving

pytestmark = pytest.mark.web
TILE = 152
UNREADABLE = "not a readable picture (empty, cut off, or of an unknown kind)"
RESAMPLED = 25  # levels, by which a canvas and a bitmap may differ that are drawn half a pixel off; 18 were seen
NOISE = 0.5  # levels in the mean, by which two decoders of one JPEG may differ


@pytest.fixture(scope="module")
def server():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(networks, "TILE", TILE)
        with serving() as running:
            yield replace(running, url=running.url + "/#photograph")


def upload(page, *files):
    page.wait_for_selector(".invitation", state="attached")
    page.set_input_files("input[type=file]", list(files))


def settled(page):
    """Once all that is seen is there."""
    until(page, "document.querySelector('.photo-stage').ariaBusy === 'false'")
    page.wait_for_timeout(60)
    until(page, "document.querySelector('.photo-stage').ariaBusy === 'false'")


def all_restored(page, count):
    texts = "[...document.querySelectorAll('.queue-state')].map(e => e.textContent)"
    until(page, f"(texts => texts.filter(text => text === 'Restored').length === {count})({texts})")


def restored(page, *files):
    upload(page, *(files or [png()]))
    count = max(len(files), 1)
    until(
        page,
        f"[...document.querySelectorAll('.queue-state')].filter(e => e.textContent === 'Restored').length === {count}",
    )
    settled(page)


def seen(page, rested=True):
    """Pixels of the stage, int; ``rested``: once all is there."""
    if rested:
        settled(page)
    data = page.evaluate("document.querySelector('.comparison').toDataURL('image/png')")
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(data.partition(",")[2]))).convert("RGB"), int)


def split(page, key):
    page.focus(".divider")
    page.keyboard.press(key)


def sides(page):
    """The stage before and after."""
    split(page, "End")
    before = seen(page)
    split(page, "Home")
    return before, seen(page)


def apart(a, b):
    return np.abs(a - b).mean()


def pixels_of(server):
    """Of the only picture of the page that was opened last."""
    album = list(server.app.state.studio._albums.values())[-1]
    return album.pixels(next(iter(album._pictures.values())))


def sent(server):
    """The whole picture before and after, as the page is sent it."""
    album = list(server.app.state.studio._albums.values())[-1]
    picture = next(iter(album._pictures.values()))
    stored, (height, width) = album.pixels(picture), picture.size
    for pixels in (stored.before, stored.after):
        jpeg = part_jpeg(pixels, picture.info, (0, 0, width, height), 1)
        yield np.asarray(Image.open(io.BytesIO(jpeg)), int)


def shown_at(picture, pixels):
    """The part of the stage on which a picture lies at 1:1 in its middle."""
    (height, width), (rows, columns) = pixels.shape[:2], picture.shape[:2]
    top, left = (int(np.floor((whole - part) / 2 + 0.5)) for whole, part in ((rows, height), (columns, width)))
    return picture[top : top + height, left : left + width]


def test_tiles_come_with_progress_and_cancel_ends_them(page):
    upload(page, png((600, 800)))
    split(page, "Home")
    until(page, "(v => v > 0.2 && v < 0.8)(document.querySelector('.queue progress').value)")
    assert "left" in page.inner_text(".queue-state")
    page.wait_for_timeout(700)  # tiles are looked at twice a second
    early = seen(page, rested=False)
    assert page.is_disabled("text=Save photograph")
    page.click("button[aria-label='Cancel a.png']")
    until(page, "document.querySelector('.queue-state').textContent === 'Cancelled'", 3)
    assert page.inner_text(".queue + [role=status]") == "a.png: Cancelled"
    before, after = sides(page)
    early, late = (np.flatnonzero((np.abs(one - before).max(2) > RESAMPLED).any(1)) for one in (early, after))
    assert early.size > 0  # rows that the first tiles have changed
    assert early.max() <= late.max() < 0.95 * before.shape[0]
    page.click("button[aria-label='Restore again a.png']")
    until(page, "(v => v > 0 && v < 1)(document.querySelector('.queue progress').value)")
    page.click("button[aria-label='Remove a.png']")
    page.wait_for_selector(".invitation")
    assert page.is_hidden(".photo-stage")


def test_divider_shows_before_and_after_at_one_to_one(page, server):
    restored(page)
    page.click("text=1:1")
    assert page.inner_text(".photo-bar output") == "100 %"
    before, after = sides(page)
    sent_before, sent_after = sent(server)
    assert apart(shown_at(before, sent_before), sent_before) < NOISE
    assert apart(shown_at(after, sent_after), sent_after) < NOISE
    assert apart(sent_before, sent_after) > 4 * NOISE
    box = page.locator(".divider").bounding_box()
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] / 2 + SIZE[0] / 2, box["y"], steps=4)
    page.mouse.up()
    assert page.get_attribute(".divider", "aria-valuenow") == "50"
    page.focus(".divider")
    page.keyboard.press("ArrowLeft")
    assert page.get_attribute(".divider", "aria-valuenow") == "48"
    both, middle = seen(page), before.shape[1] // 2
    assert np.array_equal(both[:, : middle - 20], before[:, : middle - 20])
    assert np.array_equal(both[:, middle + 20 :], after[:, middle + 20 :])


def test_zoom_stays_in_step(page):
    restored(page, png((400, 300)))
    page.locator("input[type=range]").first.focus()
    page.keyboard.press("Home")  # strength 0: both sides are the same where they are in step
    box = page.locator(".comparison").bounding_box()
    for x, y, scroll, drag in ((0.3, 0.4, -500, (60, -30)), (0.8, 0.7, -400, (-90, 10)), (0.5, 0.2, 600, (5, 80))):
        at = box["x"] + x * box["width"], box["y"] + y * box["height"]
        page.mouse.move(*at)
        page.mouse.wheel(0, scroll)
        page.mouse.down()
        page.mouse.move(at[0] + drag[0], at[1] + drag[1], steps=3)
        page.mouse.up()
        before, after = sides(page)
        assert apart(before, after) < 0.1
        assert before.std() > 10
    page.mouse.dblclick(*at)
    assert page.inner_text(".photo-bar output") != "100 %"  # all of it
    page.mouse.dblclick(*at)
    assert page.inner_text(".photo-bar output") in ("100 %", "200 %")


def test_wheel_keeps_the_pixel_under_the_pointer(page):
    restored(page, png((300, 220)))
    split(page, "End")
    box = page.locator(".comparison").bounding_box()
    x, y = int(box["width"] * 0.4), int(box["height"] * 0.4)
    page.mouse.move(box["x"] + x, box["y"] + y)
    old = seen(page)[y - 2 : y + 3, x - 2 : x + 3].mean((0, 1))
    percent = page.inner_text(".photo-bar output")
    page.mouse.wheel(0, -300)
    until(page, f"document.querySelector('.photo-bar output').textContent !== '{percent}'")
    new = seen(page)
    assert np.abs(new[y - 2 : y + 3, x - 2 : x + 3].mean((0, 1)) - old).max() < 8


def test_strength_mixes_at_once(page):
    restored(page)
    before, after = sides(page)
    slider = page.locator("input[type=range]").first
    slider.evaluate("e => { e.value = 0.5; e.dispatchEvent(new Event('input')); }")
    assert apart(seen(page), (before + after) / 2) < 1
    slider.focus()
    page.keyboard.press("Home")
    assert apart(seen(page), before) < 0.1
    assert apart(before, after) > 1


def test_mask_lets_through_what_is_painted(page, server):
    restored(page)
    before, after = sides(page)
    page.click("text=Only where I paint")
    assert apart(seen(page), before) < 0.1
    box = page.locator(".comparison").bounding_box()
    middle = [box[start] + box[length] / 2 for start, length in (("x", "width"), ("y", "height"))]
    page.mouse.move(*middle)
    page.mouse.down()
    page.mouse.move(middle[0] + 90, middle[1], steps=5)
    page.mouse.up()
    page.mouse.move(5, 5)
    page.wait_for_timeout(1000)  # the tint goes
    masked, y, x = seen(page), before.shape[0] // 2, before.shape[1] // 2
    inside = slice(y - 12, y + 12), slice(x, x + 80)
    assert apart(masked[inside], after[inside]) < 0.5
    assert apart(before[inside], after[inside]) > 1
    assert apart(masked[: y - 60], before[: y - 60]) < 0.1
    with page.expect_download() as download:
        page.click("text=Save photograph")
    saved, stored = np.asarray(Image.open(download.value.path()), int), pixels_of(server)
    np.testing.assert_array_equal(saved[:40], stored.before[:40])
    np.testing.assert_array_equal(saved[73:77, 100:110], stored.after[73:77, 100:110])
    page.click("text=Invert")
    page.wait_for_timeout(1000)
    inverted = seen(page)
    assert apart(inverted[inside], before[inside]) < 0.5
    assert apart(inverted[: y - 60], after[: y - 60]) < 0.1
    page.click("text=Clear")
    page.wait_for_timeout(1000)
    assert apart(seen(page), before) < 0.1


def test_saved_files_are_the_results(page, server):
    restored(page, png(name="été.png"))
    with page.expect_download() as download:
        page.click("text=Save photograph")
    assert download.value.suggested_filename == "été_restored.png"
    np.testing.assert_array_equal(np.asarray(Image.open(download.value.path())), pixels_of(server).after)
    page.set_input_files("input[type=file]", [png(name="b.png", seed=1)])
    all_restored(page, 2)
    downloads = []
    page.on("download", lambda one: downloads.append(one.suggested_filename))
    page.click("text=Save all")
    for _ in range(200):
        if len(downloads) == 2:
            break
        page.wait_for_timeout(25)
    assert sorted(downloads) == ["b_restored.png", "été_restored.png"]
    page.click("text=b.png")
    assert page.get_attribute(".queue-item:nth-child(2) .queue-choose", "aria-current") == "true"


@contextmanager
def refusals(page):
    """What the browser itself says of a refused request is no error of the page's."""
    yield
    toast = page.wait_for_selector(".toast.error span")
    assert "\n" not in toast.inner_text()
    page.wait_for_selector(".invitation")


def test_broken_files_give_one_line(browser, server):
    context = browser.new_context()
    page = context.new_page()
    page.goto(server.url)
    whole = png((300, 300))
    for buffer, said in ((whole["buffer"][:9000], "a.png: truncated"), (b"none", "a.png: not a readable picture")):
        with refusals(page):
            upload(page, {**whole, "buffer": buffer})
        until(page, f"[...document.querySelectorAll('.toast span')].some(e => e.textContent.startsWith('{said}'))")
    context.close()


def test_files_of_one_drop_are_refused_in_one_notice(browser, server):
    context = browser.new_context(viewport={"width": 1280, "height": 800})
    page = context.new_page()
    page.goto(server.url)
    names = [f"{index}.png" for index in range(5)] + ["n" * 60 + ".png"]
    good = png(name="good.png")
    upload(page, good, *({"name": name, "mimeType": "image/png", "buffer": b"none"} for name in names))
    toast = page.locator(".toast.error")
    page.get_by_text("6 files cannot be restored").wait_for()
    lines = toast.locator("span").inner_text().splitlines()
    assert toast.count() == 1
    assert lines[1:] == [f"{name}: {UNREADABLE}" for name in names[:4]] + ["and 2 more"]
    top = toast.bounding_box()["y"]
    for name in (".panel", ".photo-bar"):
        box = page.locator(name).bounding_box()
        assert box["y"] + box["height"] <= top + 1
    context.close()


def test_what_a_library_says_of_itself_is_not_shown(browser, server):
    context = browser.new_context()
    page = context.new_page()
    page.route("**/api/photographs?*", lambda route: route.fulfill(status=422, json={"error": "VipsForeignLoad: bad"}))
    page.goto(server.url)
    upload(page, png())
    page.get_by_text("a.png: not a readable picture").wait_for()
    context.close()


def test_save_belongs_to_the_picture_that_is_looked_at(page):
    restored(page)
    page.set_input_files("input[type=file]", [png((900, 900), "big.png")])
    page.click("button[aria-label='Cancel big.png']")
    until(page, "document.querySelector('.queue-item:last-child .queue-state').textContent === 'Cancelled'")
    for name, can in (("a.png", True), ("big.png", False), ("a.png", True)):
        page.click(f".queue-choose:has-text('{name}')")
        assert page.is_enabled("text=Save photograph") == can


def test_a_page_with_unsaved_photographs_asks_before_it_goes(page):
    asked = []
    page.on("dialog", lambda dialog: (asked.append(dialog.type), dialog.dismiss()))
    restored(page)
    page.click("text=1:1")  # browsers ask for nobody who did nothing
    page.evaluate("() => location.reload()")
    page.wait_for_timeout(300)
    assert asked == ["beforeunload"]
    with page.expect_download():
        page.click("text=Save photograph")
    page.get_by_text("Saved.").wait_for()
    page.evaluate("() => location.reload()")
    page.wait_for_selector(".invitation")
    assert len(asked) == 1


def test_strokes_are_taken_back_and_done_again(page):
    restored(page)
    before, after = sides(page)
    page.click("text=Only where I paint")
    undo, redo = (page.get_by_role("button", name=name) for name in ("Undo", "Redo"))
    assert undo.is_disabled()
    y, x = (length // 2 for length in before.shape[:2])
    inside = slice(y - 10, y + 10), slice(x - 10, x + 10)
    page.focus(".comparison")
    page.keyboard.press("Space")  # a dab in the middle

    def shown():
        page.wait_for_timeout(1000)  # the tint goes
        return seen(page)[inside]

    painted = shown()
    assert apart(painted, after[inside]) < 0.5 < apart(before[inside], after[inside])
    page.keyboard.press("Control+z")
    assert apart(shown(), before[inside]) < 0.1
    assert undo.is_disabled()
    page.keyboard.press("Control+Shift+z")
    assert apart(shown(), painted) < 0.1
    page.click("text=Invert")
    undo.click()
    assert apart(shown(), painted) < 0.1
    redo.click()
    assert apart(shown(), before[inside]) < 0.5
    for _ in range(25):
        page.click("text=Clear")
    for _ in range(20):
        assert undo.is_enabled()
        undo.click()
    assert undo.is_disabled()


def test_save_all_tells_how_far_it_is_and_stops(page):
    restored(page, png(), png(name="b.png"), png(name="c.png"))
    held, downloads = [], []
    page.on("download", lambda one: downloads.append(one.suggested_filename))
    page.route("**/result?*", lambda route: held.append(route))
    page.click("text=Save all")
    page.get_by_text("Saving 1 of 3").wait_for()
    held.pop().continue_()
    page.get_by_text("Saving 2 of 3").wait_for()
    page.get_by_role("button", name="Stop", exact=True).click()
    page.get_by_text("1 of 3 saved.").wait_for()
    assert page.is_enabled("text=Save all")
    assert downloads == ["a_restored.png"]
    page.unroute("**/result?*")


def test_small_pictures_are_left_free(page):
    restored(page, png((40, 30)))
    assert page.locator(".side-label.away").count() == 2
    handle, picture = page.locator(".divider i").bounding_box(), page.locator(".divider").bounding_box()
    assert handle["height"] < 0.3 * picture["height"]


def test_pixels_one_to_one_are_nearly_those_of_the_file():
    picture = np.asarray(scene(SIZE))
    info = ImageInfo("png", 8, 3, SIZE[1], SIZE[0])
    jpeg = part_jpeg(np.ascontiguousarray(picture), info, (0, 0, *SIZE), 1)
    assert np.abs(np.asarray(Image.open(io.BytesIO(jpeg)), int) - picture).mean() < 0.8  # 1.3 at the quality of others


def test_drop_and_paste(page):
    page.wait_for_selector(".invitation")
    for kind in ("drop", "paste"):
        page.evaluate(DROP, [f"{kind}.png", base64.b64encode(png((64, 48))["buffer"]).decode(), kind])
    all_restored(page, 2)
    assert page.locator(".queue-name").all_inner_texts() == ["drop.png", "paste.png"]


def test_pictures_are_sent_again_after_a_loss(page, server):
    restored(page)
    first = list(server.app.state.sessions._open.values())[-1]
    asyncio.run_coroutine_threadsafe(first._socket.close(), first._loop).result(10)
    page.wait_for_selector(".queue-state:text('Sending')")
    assert seen(page, rested=False).std() > 10  # what was there stays
    assert page.locator(".divider").is_visible()
    all_restored(page, 1)
    settled(page)
    assert list(server.app.state.sessions._open.values())[-1] is not first
    assert seen(page).std() > 10


def test_two_fingers_zoom(browser, server):
    context = browser.new_context(viewport={"width": 360, "height": 740}, has_touch=True)
    page = context.new_page()
    page.goto(server.url)
    restored(page)
    box, old = page.locator(".comparison").bounding_box(), page.inner_text(".photo-bar output")
    middle = [box[start] + box[length] / 2 for start, length in (("x", "width"), ("y", "height"))]
    touch = context.new_cdp_session(page)
    for kind, apart_by in (("touchStart", 30), ("touchMove", 50), ("touchMove", 60), ("touchEnd", None)):
        points = (
            [] if apart_by is None else [{"x": middle[0] + s * apart_by, "y": middle[1], "id": s + 1} for s in (-1, 1)]
        )
        touch.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})
    until(page, f"parseInt(document.querySelector('.photo-bar output').textContent) > 1.8 * parseInt('{old}')")
    context.close()


def test_keyboard_alone(page):
    choosers = []
    page.on(
        "filechooser", lambda chooser: choosers.append(chooser)
    )  # early: what opens before Playwright watches is lost
    page.wait_for_selector(".invitation")

    def tab_to(selector):
        for _ in range(40):
            if page.evaluate("s => document.activeElement.matches(s)", selector):
                return
            page.keyboard.press("Tab")
        raise AssertionError(f"Tab does not come to {selector}")

    tab_to(".invitation button")
    page.keyboard.press("Enter")
    for _ in range(200):
        if choosers:
            break
        page.wait_for_timeout(25)
    choosers[0].set_files([png()])
    until(page, "document.querySelector('.queue-state')?.textContent === 'Restored'")
    tab_to(".comparison")
    page.keyboard.press("1")
    assert page.inner_text(".photo-bar output") == "100 %"
    page.keyboard.press("+")
    assert page.inner_text(".photo-bar output") == "125 %"
    tab_to(".divider")
    page.keyboard.press("Shift+ArrowRight")
    assert page.get_attribute(".divider", "aria-valuenow") == "60"
    tab_to("[role=switch]")
    page.keyboard.press("Space")
    page.keyboard.down("Shift")
    tab_to(".comparison")
    page.keyboard.up("Shift")
    split(page, "Home")
    old = seen(page)
    page.focus(".comparison")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Space")
    assert apart(seen(page), old) > 0.02  # a dab of the brush
    page.keyboard.press("Tab")
    tab_to(".panel .button.primary")
    with page.expect_download():
        page.keyboard.press("Enter")


def test_exhibits_are_added_by_themselves(browser, tmp_path):
    scene((64, 48)).save(tmp_path / "named.png")
    with serving([tmp_path / "named.png"]) as running:
        context = browser.new_context()
        page = context.new_page()
        page.goto(running.url)
        until(page, "document.querySelector('.queue-state')?.textContent === 'Restored'")
        assert page.inner_text(".queue-name") == "named.png"
        context.close()


@pytest.mark.parametrize(("width", "scheme"), [(1280, "dark"), (360, "light")])
def test_accessible(browser, server, width, scheme):
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="needs axe: make test-web installs it")
    context = browser.new_context(viewport={"width": width, "height": 740}, color_scheme=scheme)
    page = context.new_page()
    page.goto(server.url)
    page.wait_for_selector(".invitation")

    def check():
        found = axe.Axe().run(page).response["violations"]
        serious = [
            (one["id"], [node["html"] for node in one["nodes"]])
            for one in found
            if one["impact"] in ("serious", "critical")
        ]
        assert serious == []

    check()
    restored(page)
    page.click("text=Only where I paint")
    check()
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    context.close()
