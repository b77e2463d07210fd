"""Photographs on the server, without a browser: the pixels of ``lfdeblur deblur``, and nothing left behind."""

import gc
import io
import json
import time
import weakref
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
import pyvips
import torch
from PIL import Image

pytest.importorskip("starlette", reason="needs the extra 'web'")
import httpx
from typer.testing import CliRunner
from websockets.sync.client import connect

from lfdeblur_models.cli.main import app as command
from lfdeblur_models.io.images import ImageInfo, open_image, read_image, write_image
from lfdeblur_models.io.srgb import srgb_to_linear
from lfdeblur_models.viewer.photographs import networks, picture, routes
from lfdeblur_models.viewer.photographs.result import result_name
from lfdeblur_models.viewer.photographs.turn import Turn

from .servers import serving

TILE = 152  # of the tests: several tiles in small pictures
PROFILE = pyvips.Image.profile_load("srgb")


class Page:
    """A page's socket and its requests."""

    def __init__(self, server, socket):
        self.socket, self.sessions, self.studio = socket, server.app.state.sessions, server.app.state.studio
        self.id = json.loads(socket.recv())["session"]
        self.client = httpx.Client(base_url=server.url, timeout=60)
        self.messages = []

    @property
    def album(self):
        return self.studio.album(self.sessions.get(self.id))

    def files(self):
        return sorted(path.name for path in self.album.folder.iterdir())

    def ask(self, method, path="", *, content=None, **asked):
        asked = {"session": self.id, **asked}
        return self.client.request(method, "/api/photographs" + path, params=asked, content=content)

    def upload(self, path, **asked):
        answer = self.ask("POST", content=Path(path).read_bytes(), name=Path(path).name, **asked)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def until(self, id, *states):
        """Messages of a picture up to the one that tells one of the states."""
        while True:
            message = json.loads(self.socket.recv(60))
            self.messages.append(message)
            if message.get("photograph") == id and message["state"] in states:
                return message

    def restored(self, path, **asked):
        told = self.upload(path, **asked)
        message = self.until(told["id"], "done", "failed")
        assert message["state"] == "done", message
        return told["id"]

    def part(self, id, side, size, scale=1.0):
        answer = self.ask("GET", f"/{id}/part", side=side, x=0, y=0, width=size[0], height=size[1], scale=scale)
        assert answer.status_code == 200, answer.text
        return Image.open(io.BytesIO(answer.content))


@pytest.fixture(scope="module")
def server():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(networks, "TILE", TILE)
        with serving() as running:
            yield running


@contextmanager
def opened_page(server):
    with connect(server.url.replace("http", "ws") + "/api/socket") as socket:
        page = Page(server, socket)
        with page.client:
            yield page


@pytest.fixture
def page(server):
    with opened_page(server) as opened:
        yield opened


def scene(height, width, bands=3, bits=8, seed=0):
    """Smooth shapes with some grain."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:height, :width]
    waves = [np.sin(x / (7 + 3 * band)) * np.cos(y / (11 - 2 * band)) for band in range(bands)]
    values = 0.5 + 0.4 * np.stack(waves, 2) + 0.02 * rng.standard_normal((height, width, bands))
    return (values.clip(0, 1) * (2**bits - 1)).round().astype(np.uint8 if bits == 8 else np.uint16)


def save(path, values, **told):
    bands, deep = values.shape[2], values.dtype == np.uint16
    image = pyvips.Image.new_from_memory(
        np.ascontiguousarray(values).data, values.shape[1], values.shape[0], bands, "ushort" if deep else "uchar"
    )
    kinds = ("grey16", "rgb16") if deep else ("b-w", "srgb")
    image = image.copy(interpretation=kinds[bands > 2])
    if bands > 2:
        image.set_type(pyvips.GValue.blob_type, "icc-profile-data", PROFILE)
    if "orientation" in told:
        image.set_type(pyvips.GValue.gint_type, "orientation", told["orientation"])
        image.set_type(pyvips.GValue.gstr_type, "exif-ifd0-Artist", "Ansel")
    image.write_to_file(str(path))
    return path


def stored(path):
    image, info = open_image(path, upright=False)
    return image.numpy().reshape(image.height, image.width, image.bands), info


KINDS = {
    "photo.jpg": {"bands": 3},
    "grey.jpg": {"bands": 1},
    "deep.png": {"bands": 3, "bits": 16},
    "alpha.png": {"bands": 4},
    "grey alpha ü.tif": {"bands": 2, "bits": 16},
    "lossless.webp": {"bands": 3},
}


@pytest.mark.parametrize("name", KINDS)
def test_saved_file_is_that_of_the_command(page, tmp_path, name):
    path = save(tmp_path / name, scene(150, 200, **KINDS[name]), orientation=6)
    told = page.upload(path)
    assert (told["width"], told["height"], told["bits"]) == (150, 200, KINDS[name].get("bits", 8))
    assert page.until(told["id"], "done", "failed")["progress"] == 1
    answer = page.ask("POST", f"/{told['id']}/result", strength=1)
    assert answer.status_code == 200
    mine = tmp_path / f"page{path.suffix}"
    mine.write_bytes(answer.content)
    words = ["deblur", str(path), "--out", str(tmp_path / "out"), "--tile", str(TILE), "--dtype", "float32"]
    result = CliRunner().invoke(command, [*words, "--device", "cpu"])
    assert result.exit_code == 0, result.output
    (pixels, info), (expected, expected_info) = stored(mine), stored(tmp_path / "out" / name)
    np.testing.assert_array_equal(pixels, expected)
    assert not np.array_equal(pixels, stored(path)[0])
    assert (info, info.metadata) == (expected_info, expected_info.metadata)
    assert info.metadata["orientation"][1] == 6
    assert KINDS[name]["bands"] < 3 or info.metadata["icc-profile-data"][1] == PROFILE
    assert path.suffix == ".tif" or "Ansel" in info.metadata["exif-ifd0-Artist"][1]


@pytest.mark.parametrize("name", ["a.bmp", "a.ppm", "a.avif", "light.tif", "light.exr"])
def test_other_kinds_are_shown_and_saved_as_they_are(page, tmp_path, name):
    light = name.startswith("light")
    if name.endswith(".exr"):
        pytest.importorskip("OpenEXR", reason="needs the extra pictures")
    values = torch.from_numpy(scene(60, 80)).permute(2, 0, 1)
    picture = srgb_to_linear(values.float() / 255) + 2.0 * (values > 200) if light else values
    write_image(tmp_path / name, picture, bits=32 if light else 8)
    id = page.restored(tmp_path / name)
    shown = np.asarray(page.part(id, "before", (80, 60)), int)
    expected = torch.where(values > 200, 255, values) if light else values
    assert np.abs(shown - expected.permute(1, 2, 0).numpy()).mean() < 4
    answer = page.ask("POST", f"/{id}/result", strength=0)
    (tmp_path / f"page{name}").write_bytes(answer.content)
    got, info = read_image(tmp_path / f"page{name}")
    assert info.format == read_image(tmp_path / name)[1].format
    torch.testing.assert_close(got, picture)
    answer = page.ask("POST", f"/{id}/result", strength=0.5)
    (tmp_path / f"page{name}").write_bytes(answer.content)
    half = read_image(tmp_path / f"page{name}")[0]
    assert not torch.equal(half, picture)


def test_messages_tell_each_tile_once(page, tmp_path):
    path = save(tmp_path / "a.png", scene(170, 200), orientation=8)
    id = page.restored(path)
    assert [m["state"] for m in page.messages if not m["tile"]] == ["waiting", "running", "done"]
    tiled = [message for message in page.messages if message["tile"]]
    seen = np.zeros((200, 170), int)
    for message, following in zip(tiled, [*tiled[1:], None], strict=True):
        x, y, width, height = message["tile"]
        seen[y : y + height, x : x + width] += 1
        assert message["photograph"] == id
        assert message["next"] == (following and following["tile"])
        assert message["seconds_left"] >= 0
        assert message["progress"] == pytest.approx(seen.mean(), abs=1e-5)
    assert len(tiled) > 2
    assert (seen == 1).all()


@pytest.mark.parametrize("orientation", range(1, 9))
def test_part_is_upright(page, tmp_path, orientation):
    values = scene(40, 64, seed=3)
    path = save(tmp_path / "a.png", values, orientation=orientation)
    upright = pyvips.Image.new_from_file(str(path)).autorot().numpy()
    told = page.upload(path)
    assert [told["height"], told["width"]] == list(upright.shape[:2])
    shown = page.part(told["id"], "before", (told["width"], told["height"]))
    assert np.abs(np.asarray(shown, int) - upright).mean() < 4
    assert shown.info["icc_profile"] == PROFILE
    answer = page.ask("GET", f"/{told['id']}/part", side="before", x=5, y=7, width=16, height=24, scale=0.5)
    shown = Image.open(io.BytesIO(answer.content))
    expected = Image.fromarray(upright[7:31, 5:21]).resize((8, 12), Image.Resampling.BOX)
    assert np.abs(np.asarray(shown, int) - np.asarray(expected)).mean() < 8


def test_turn_takes_parts_to_and_fro():
    for value in range(1, 9):
        info = type("Info", (), {"metadata": {"orientation": (None, value)}})
        turn, values = Turn.of(info), np.arange(35).reshape(5, 7)
        x, y, across, down = 1, 2, 3, 2
        stored_part = turn.stored_part((x, y, across, down), 5, 7)
        sx, sy, sw, sh = stored_part
        np.testing.assert_array_equal(
            turn.upright(values)[y : y + down, x : x + across],
            turn.upright(np.ascontiguousarray(values[sy : sy + sh, sx : sx + sw])),
        )
        assert turn.upright_part(stored_part, 5, 7) == (x, y, across, down)
        np.testing.assert_array_equal(turn.stored(turn.upright(values)), values)


def test_part_shows_deep_grey_and_transparent_pictures(page, tmp_path):
    deep = scene(48, 48, bands=2, bits=16)
    deep[..., 1] = 0
    id = page.upload(save(tmp_path / "a.png", deep))["id"]
    shown = np.asarray(page.part(id, "before", (48, 48)), int)
    assert np.abs(shown - 128).max() <= 1  # nothing but what lies behind
    id = page.upload(save(tmp_path / "b.png", scene(48, 48, bits=16)))["id"]
    shown = np.asarray(page.part(id, "before", (48, 48)), int)
    assert np.abs(shown - (scene(48, 48, bits=16) >> 8)).mean() < 4


def test_strength_and_mask_mix_what_is_stored(page, tmp_path):
    path = save(tmp_path / "a.tif", scene(100, 140, bands=4, bits=16), orientation=6)
    id = page.restored(path)
    before = stored(path)[0].astype(float)

    def saved(strength, content=None):
        answer = page.ask("POST", f"/{id}/result", strength=strength, content=content)
        assert answer.status_code == 200, answer.text
        (tmp_path / "saved.tif").write_bytes(answer.content)
        return stored(tmp_path / "saved.tif")[0].astype(float)

    after = saved(1)
    np.testing.assert_array_equal(saved(0), before)
    assert np.abs(saved(0.25) - (before + 0.25 * (after - before))).max() <= 0.5
    mask = np.zeros((70, 50), np.uint8)
    mask[:35] = 255  # the upper half of the upright picture, which is the stored one's left half
    file = io.BytesIO()
    Image.fromarray(mask).save(file, "PNG")
    masked = saved(1, file.getvalue())
    np.testing.assert_array_equal(masked[:, :68], after[:, :68])
    np.testing.assert_array_equal(masked[:, 72:], before[:, 72:])
    assert np.abs(after - before).max() > 100
    for asked, reason in (({"strength": "2"}, "strength: got 2.0"), ({"content": b"nothing"}, "mask: got something")):
        answer = page.ask("POST", f"/{id}/result", **asked)
        assert answer.status_code == 422
        assert answer.json()["error"].startswith(reason)


def test_cancel_ends_soon_and_start_begins_anew(page, tmp_path):
    id = page.upload(save(tmp_path / "a.png", scene(600, 800)))["id"]
    first = page.until(id, "running")
    while not first["tile"]:
        first = page.until(id, "running")
    begun = time.perf_counter()
    assert page.ask("POST", f"/{id}/cancel").status_code == 204
    told = page.until(id, "cancelled")
    assert time.perf_counter() - begun < 2
    assert 0 < told["progress"] < 1
    assert page.ask("POST", f"/{id}/result").status_code == 409
    other = page.restored(save(tmp_path / "b.png", scene(50, 60)))  # the thread goes on
    after = np.asarray(page.part(id, "after", (800, 600)), int)
    before = np.asarray(page.part(id, "before", (800, 600)), int)
    x, y, width, height = first["tile"]
    changed = np.abs(after - before).max(2)
    assert changed[y : y + height, x : x + width].mean() > 0.1
    assert not changed[-40:].any()
    assert page.ask("POST", f"/{other}/start").status_code == 204
    assert page.until(other, "done")["progress"] == 1
    assert page.ask("POST", f"/{id}/start").status_code == 204
    page.until(id, "running")
    assert page.ask("POST", f"/{id}/start").status_code == 409
    assert page.ask("DELETE", f"/{id}").status_code == 204
    assert page.ask("GET", f"/{id}/part", x=0, y=0, width=1, height=1, scale=1).status_code == 404


def refused(page, content, name="a.png", **asked):
    answer = page.ask("POST", content=content, name=name, **asked)
    error = answer.json()["error"]
    assert "\n" not in error
    assert "lfdeblur-view-" not in error  # no path of this machine
    return answer.status_code, error


def test_uploads_that_are_no_pictures(page, tmp_path, monkeypatch):
    whole = save(tmp_path / "a.jpg", scene(300, 300)).read_bytes()
    png = save(tmp_path / "a.png", scene(300, 300)).read_bytes()
    assert refused(page, b"") == (422, "a.png: is empty")
    assert refused(page, b"not a picture at all" * 99)[0] == 422
    assert refused(page, png[: len(png) // 2])[0] == 422
    assert refused(page, whole[: len(whole) // 2], "../../x/half.jpg")[1].startswith("half.jpg: truncated or damaged")
    broken = bytearray(png)
    broken[len(png) // 2 : len(png) // 2 + 99] = bytes(99)
    assert refused(page, bytes(broken))[0] == 422
    huge = bytearray(whole)
    at = huge.index(b"\xff\xc0")
    huge[at + 5 : at + 9] = b"\xff\xdc\xff\xdc"
    assert refused(page, bytes(huge)) == (422, "a.png: got 65500 x 65500 pixels, want at most 200 megapixels")
    monkeypatch.setattr(routes, "MAX_BYTES", 1 << 20)
    status, error = refused(page, bytes((1 << 20) + 1))
    assert status == 413
    assert "want at most 1 MB" in error
    status, error = refused(page, (bytes(1 << 16) for _ in range(17)))  # its length is not told
    assert status == 413
    assert refused(page, whole, weights="other") == (422, "weights: got 'other', want one of compact")
    assert page.ask("POST", content=whole, session="none").status_code == 404
    assert page.ask("POST", exhibit="photograph-1").status_code == 404
    assert page.files() == []


def test_at_most_so_many_pictures(page, tmp_path, monkeypatch):
    monkeypatch.setattr("lfdeblur_models.viewer.photographs.album.MAX_PICTURES", 2)
    path = save(tmp_path / "a.png", scene(24, 24))
    ids = [page.upload(path)["id"] for _ in range(2)]
    assert refused(page, path.read_bytes()) == (422, "pictures: got 3, want at most 2 on a page")
    page.ask("DELETE", f"/{ids[0]}")
    page.upload(path)


def test_dual_view_weights_are_refused_in_one_line(tmp_path):
    import torch

    from lfdeblur_models import DRBNet

    torch.save(DRBNet(views=2, width=4).state_dict(), tmp_path / "dual.pt")
    path = save(tmp_path / "a.png", scene(32, 32))
    with serving([path], [tmp_path / "dual.pt"]) as running, opened_page(running) as page:
        told = page.ask("POST", exhibit="photograph-1", weights="dual.pt").json()
        assert told["name"] == "a.png"
        failed = page.until(told["id"], "failed")
        assert failed["message"] == "weights: got dual.pt of the dual-view network, want single-view ones"
        assert page.ask("POST", f"/{told['id']}/start", weights="compact").status_code == 204
        page.until(told["id"], "done")
        assert page.ask("DELETE", f"/{told['id']}").status_code == 204
    assert path.exists()


def test_two_pages_take_turns_and_see_nothing_of_each_other(server, tmp_path):
    large, path = (save(tmp_path / f"{size}.png", scene(size, 2 * size)) for size in (200, 40))
    with opened_page(server) as one, opened_page(server) as other:
        many = [one.upload(large)["id"] for _ in range(4)]
        assert other.ask("POST", f"/{many[-1]}/cancel").status_code == 404
        single = other.upload(path)["id"]
        other.until(single, "done")
        assert one.album.get(many[-1]).state == "waiting"  # who has one picture does not wait for all of the other's
        assert one.ask("POST", f"/{many[2]}/cancel").status_code == 204
        one.until(many[-1], "done")
        assert {m["photograph"] for m in other.messages} == {single}


def test_few_pictures_are_held_and_others_read_again(page, tmp_path):
    ids = [page.restored(save(tmp_path / f"{i}.png", scene(60, 80, seed=i))) for i in range(4)]
    assert len(page.album._held) == 2
    for i, id in enumerate(ids):
        expected = scene(60, 80, seed=i)
        assert np.abs(np.asarray(page.part(id, "before", (80, 60)), int) - expected).mean() < 5
        answer = page.ask("POST", f"/{id}/result")
        (tmp_path / "saved.png").write_bytes(answer.content)
        assert not np.array_equal(stored(tmp_path / "saved.png")[0], expected)
        assert len(page.album._held) <= 2
    deadline = time.perf_counter() + 10
    while [name for name in page.files() if name.startswith("result")]:  # each goes once it is sent
        assert time.perf_counter() < deadline
        time.sleep(0.02)


def test_nothing_is_left_when_the_page_goes(server, tmp_path):
    path = save(tmp_path / "a.png", scene(600, 800))
    with opened_page(server) as page:
        id = page.upload(path)["id"]
        while not page.until(id, "running")["tile"]:
            pass
        folder, pixels = page.album.folder, weakref.ref(page.album._held[id])
        assert page.files()
    deadline = time.perf_counter() + 10
    while folder.exists() or pixels() is not None:  # a tile is being computed
        assert time.perf_counter() < deadline
        time.sleep(0.02)
        gc.collect()
    assert not page.studio._albums
    with opened_page(server) as page:
        page.restored(save(tmp_path / "b.png", scene(30, 40)))


def test_nothing_is_left_when_the_server_goes(tmp_path):
    with serving() as running, opened_page(running) as page:
        page.upload(save(tmp_path / "a.png", scene(40, 40)))
        root = page.album.folder.parent
        assert root.exists()
    assert not root.exists()


@pytest.mark.parametrize(
    ("given", "name"),
    [
        ("../../etc/passwd", "passwd"),
        (r"C:\pictures\a.jpg", "a.jpg"),
        ("", "picture"),
        (".hidden.png", "hidden.png"),
        ("a\nb\0.png", "a b .png"),
        ("été 写真.jpg", "été 写真.jpg"),
        ("x" * 300 + ".jpg", "x" * 196 + ".jpg"),
    ],
)
def test_names_are_no_paths(given, name):
    assert picture.clean_name(given) == name


@pytest.mark.parametrize(
    ("name", "format", "alpha", "expected"),
    [
        ("a.JPG", "jpeg", False, "a_restored.JPG"),
        ("a.png", "jpeg", False, "a_restored.jpg"),
        ("v1.2", "png", True, "v1.2_restored.png"),
        ("a.tiff", "tiff", False, "a_restored.tiff"),
        ("a.bmp", "bmp", False, "a_restored.bmp"),
        ("a.bmp", "bmp", True, "a_restored.png"),
        ("a.heic", "heic", False, "a_restored.png"),
    ],
)
def test_names_of_results(name, format, alpha, expected):
    info = ImageInfo(format, 8, 3, 4, 4, has_alpha=alpha)
    assert result_name(name, info) == expected
