"""The server of ``lfdeblur view``: who may ask, what can be read, frames, files and lines of light fields."""

import contextlib
import io
import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
import zipfile
from pathlib import Path
from types import SimpleNamespace

import httpx
import numpy as np
import pytest
import torch
from PIL import Image
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from lfdeblur_models.data import Shot, disparity_of, parse_aperture, read_light_field
from lfdeblur_models.io.images import to_integers, write_image

from ..data.noise_views import make_light_field
from ..processes import started
from .pages import opened
from .servers import serving


@pytest.fixture(scope="module")
def field(tmp_path_factory):
    return make_light_field(tmp_path_factory.mktemp("lf") / "small")


@pytest.fixture(scope="module")
def running(field):
    with serving([field]) as server:
        yield server


def decoded(picture):
    with Image.open(io.BytesIO(picture)) as image:
        return torch.from_numpy(np.array(image.convert("RGB"))).permute(2, 0, 1)


def as_jpeg(picture):
    """What a page sees of a picture."""
    file = io.BytesIO()
    values = np.ascontiguousarray(to_integers("", picture, 8).transpose(1, 2, 0))
    Image.fromarray(values).save(file, "JPEG", quality=95, subsampling=0)
    return decoded(file.getvalue())


def nearly(got, want):
    """But for single values that lay half way between two of 8 bits."""
    return (got.double() - want.double()).abs().mean() < 0.1


def test_facts(running):
    told = httpx.get(running.url + "/api/exhibits").json()
    (one,) = told["exhibits"]
    assert (one["kind"], one["name"], one["grid"], one["size"], one["radius"]) == (
        "light-field",
        "small",
        [3, 3],
        [12, 10],
        1.0,
    )
    assert told["weights"] == ["compact"]


def test_frames_are_the_library_s_pictures(running, field):
    views = read_light_field(field)
    shot = Shot(parse_aperture("disk:1"), (0.5, 0), "left", 0.5)
    told = {"aperture": "disk:1", "viewpoint": "0.5,0", "half": "left", "exposure": 0.5, "disparity": 0.7}
    with opened(running) as page:
        number = page.ask(**told)
        header, picture = page.frame()
        assert (header["kind"], header["draft"], header["number"]) == ("picture", False, number)
        assert nearly(decoded(picture), as_jpeg(shot.on_planes(views, [0.7])[0]))
        page.ask(**told, draft=True)
        header, picture = page.frame()
        assert header["draft"]
        page.ask(**told, all_in_focus=True)
        assert nearly(decoded(page.frame()[1]), as_jpeg(shot.all_in_focus(views, disparity_of(views))))


def test_epipolar_images_are_the_views_own_pixels(running, field):
    views = read_light_field(field).views
    with opened(running) as page:
        page.ask("epipolar", x=4, y=7)
        (across, first), (down, second) = page.frame(), page.frame()
    assert (across["direction"], across["at"], down["direction"], down["at"]) == ("across", 7, "down", 4)
    assert torch.equal(decoded(first), views[1, :, :, 7].permute(1, 0, 2))
    assert torch.equal(decoded(second), views[:, 1, :, :, 4].permute(1, 2, 0))


def test_only_the_newest_request_is_drawn_and_no_more_than_the_page_paints(running):
    with opened(running) as page:
        for _ in range(200):
            last = page.ask(disparity=0.1, draft=True)
        numbers = []
        with contextlib.suppress(TimeoutError):
            while True:
                numbers.append(page.frame(timeout=0.5, paint=False)[0]["number"])
        assert len(numbers) == 2  # as many as may be unpainted
        for _ in range(5):
            last = page.ask(disparity=0.2, draft=True)
        with pytest.raises(TimeoutError):
            page.frame(timeout=0.3)
        page.painted(numbers[-1])
        assert page.frame()[0]["number"] == last


def test_a_page_that_asks_wrongly_is_told_and_goes_on(running):
    with opened(running) as page:
        for asked, message in (
            ({"disparity": "near"}, "disparity: got 'near', want a number"),
            ({"aperture": "round"}, "aperture: got 'round', want disk:R"),
            ({"aperture": "disk:0"}, "want a radius of at least 0.5"),
            ({"viewpoint": "5,5"}, "outside the grid of 3x3"),
            ({"half": "upper"}, "half: got 'upper'"),
            ({"all_in_focus": "maybe"}, "all_in_focus: got 'maybe'"),
            ({"light_field": "other"}, "light_field: got 'other', which is not shown here"),
        ):
            number = page.ask(**asked)
            told = page.message()
            assert (told["number"], message in told["error"]) == (number, True), told
        number = page.ask("epipolar", x=100, y=0)
        assert "want a pixel of 10x12" in page.message()["error"]
        for text in ("hello", "[]", "{}", '{"picture": 3, "number": 1}', '{"picture": {}, "number": "x"}'):
            page.socket.send(text)
            assert "does not know" in page.message()["error"]
        page.ask(disparity=0)
        assert page.frame()[0]["kind"] == "picture"


def test_two_pages_do_not_disturb_each_other(running):
    with opened(running) as one, opened(running) as other:
        assert one.session != other.session
        first, second = one.ask(disparity=0, aperture="disk:1"), other.ask(disparity=1, aperture="disk:0.5")
        near, far = one.frame(), other.frame()
        assert (near[0]["number"], far[0]["number"]) == (first, second)
        assert near[1] != far[1]


def test_a_page_that_goes_is_forgotten(running):
    sessions = running.app.state.sessions
    closed = threading.Event()

    class Thing:
        def close(self):
            closed.set()

    with opened(running) as page:
        sessions.get(page.session).own(Thing())
    assert closed.wait(10)
    deadline = time.monotonic() + 10
    while sessions.get(page.session) is not None:
        assert time.monotonic() < deadline
        time.sleep(0.01)


@pytest.mark.parametrize("dtype", [torch.uint8, torch.uint16], ids=str)
def test_saved_files_are_bit_equal_and_tell_their_settings(tmp_path, dtype, command, monkeypatch):
    path = make_light_field(tmp_path / "a field", dtype=dtype)
    asked = {"disparity": 0.123456789, "aperture": "polygon:1.5:6:12.5", "viewpoint": "0.5,-0.25", "exposure": "0.3"}
    bits = 8 if dtype == torch.uint8 else 16
    with serving([path]) as server:
        base = server.url + "/api/light-fields/light-field-1/"
        answer = httpx.get(base + "picture.png", params=asked, timeout=60)
        assert answer.headers["content-disposition"] == "attachment; filename*=UTF-8''a%20field_d%2B0.123.png"
        (tmp_path / "saved.png").write_bytes(answer.content)
        code = httpx.get(base + "code", params=asked).json()
        everywhere = httpx.get(base + "picture.png", params=asked | {"all_in_focus": "true"}, timeout=60).content
        (tmp_path / "everywhere.png").write_bytes(everywhere)
        code_everywhere = httpx.get(base + "code", params=asked | {"all_in_focus": "true"}).json()
        stack = httpx.get(base + "stack.zip", params=asked | {"planes": "0:1:3"}, timeout=60).content
    views = read_light_field(path)
    shot = Shot(parse_aperture("polygon:1.5:6:12.5"), (0.5, -0.25), exposure=0.3)
    want = to_integers("", shot.on_planes(views, [0.123456789])[0], bits)
    assert np.array_equal(pixels(tmp_path / "saved.png"), want)
    with Image.open(tmp_path / "saved.png") as image:
        assert json.loads(image.text["lfdeblur"])["aperture"] == "polygon:1.5:6:12.5"
        assert image.text["Comment"] == code["shell"]
    monkeypatch.chdir(tmp_path)
    for name, lines in (("saved.png", code), ("everywhere.png", code_everywhere)):  # the lines that are copied
        words = subprocess.run(
            ["bash", "-c", f'lfdeblur() {{ printf "%s\\n" "$@"; }}; {lines["shell"]}'],
            capture_output=True,
            text=True,
            check=True,
        ).stdout.splitlines()
        assert command(*words)[0] == 0
        made = "all_in_focus.png" if name == "everywhere.png" else "plane_00_d+0.123.png"
        assert np.array_equal(pixels(tmp_path / "refocused" / made), pixels(tmp_path / name))
        exec(lines["python"], {})
        assert np.array_equal(pixels(tmp_path / "refocused.png"), pixels(tmp_path / name))
    with zipfile.ZipFile(io.BytesIO(stack)) as archive:
        assert archive.namelist() == [f"plane_0{i}_d+{d}.png" for i, d in enumerate(("0.000", "0.500", "1.000"))]
        for name, plane in zip(archive.namelist(), (0.0, 0.5, 1.0), strict=True):
            (tmp_path / name).write_bytes(archive.read(name))
            assert np.array_equal(pixels(tmp_path / name), to_integers("", shot.on_planes(views, [plane])[0], bits))


def pixels(path):
    from lfdeblur_models.io.images import read_image

    return read_image(path)[0].numpy()


def test_the_disparity_map_is_the_library_s(running, field):
    answer = httpx.get(running.url + "/api/light-fields/light-field-1/disparity", timeout=60)
    height, width = int(answer.headers["x-height"]), int(answer.headers["x-width"])
    got = torch.from_numpy(np.frombuffer(answer.content, "<f4").reshape(height, width).copy())
    want = disparity_of(read_light_field(field))
    assert torch.equal(got, want)
    assert float(answer.headers["x-low"]) == pytest.approx(want.min().item(), abs=1e-5)
    assert answer.headers["x-source"] == "estimated"


def test_one_view_has_no_disparity_but_a_picture(tmp_path):
    path = make_light_field(tmp_path / "one", 1, 1)
    with serving([path]) as server:
        answer = httpx.get(server.url + "/api/light-fields/light-field-1/disparity", timeout=60)
        assert (answer.status_code, "a single view has no disparity" in answer.json()["error"]) == (422, True)
        with opened(server) as page:
            page.ask(aperture="disk:0.5")
            assert page.frame()[0]["kind"] == "picture"


@pytest.mark.parametrize(
    ("path", "status", "message"),
    [
        ("/api/light-fields/other/disparity", 404, "no light field 'other' is shown here"),
        ("/api/light-fields/light-field-1/picture.png?aperture=x", 422, "aperture: got 'x'"),
        ("/api/light-fields/light-field-1/stack.zip?planes=0:1:201", 422, "planes: got 201, want at most 200"),
        ("/api/light-fields/light-field-1/stack.zip", 422, "disparity: got ''"),
        ("/api/light-fields/light-field-1/code?exposure=nan", 422, "exposure: got 'nan', want a number"),
        ("/nowhere", 404, "Not Found"),
    ],
)
def test_errors_are_one_line(running, path, status, message):
    answer = httpx.get(running.url + path)
    assert (answer.status_code, message in answer.json()["error"]) == (status, True), answer.text


@pytest.mark.parametrize(
    "path",
    [
        "/page/../app.py",
        "/page/..%2fapp.py",
        "/page/%2e%2e/app.py",
        "/page//etc/passwd",
        "/page/....//app.py",
        "/../../etc/passwd",
        "/api/light-fields/..%2f..%2f/picture.png",
        "/page/..\\app.py",
        "/page/%00",
    ],
)
def test_nothing_beside_the_page_can_be_read(running, path):
    host, port = running.url.removeprefix("http://").split(":")
    import http.client

    connection = http.client.HTTPConnection(host, int(port), timeout=10)
    connection.putrequest("GET", path, skip_host=True)  # as it is, without a client's own tidying
    connection.putheader("Host", f"{host}:{port}")
    connection.endheaders()
    assert connection.getresponse().status in (400, 404, 405)


def test_other_pages_are_refused(running):
    for headers, status in (
        ({"Host": "evil.example"}, 403),
        ({"Origin": "http://evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Sec-Fetch-Site": "cross-site"}, 403),
        ({"Sec-Fetch-Site": "same-site", "Sec-Fetch-Mode": "navigate"}, 403),
        ({"Origin": running.url, "Sec-Fetch-Site": "same-origin"}, 200),
        ({"Host": running.url.removeprefix("http://").replace("127.0.0.1", "localhost")}, 200),
    ):
        assert httpx.get(running.url + "/api/exhibits", headers=headers).status_code == status, headers
    link = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"}
    assert httpx.get(running.url + "/", headers=link).status_code == 200  # a link to the page may be followed
    with pytest.raises(InvalidStatus):
        connect(running.url.replace("http", "ws") + "/api/socket", origin="http://evil.example")
    answer = httpx.get(running.url + "/")
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    assert answer.headers["x-content-type-options"] == "nosniff"


def test_a_token_is_wanted_by_all_there_is(field):
    with serving([field], token="secret") as server:
        for path in ("/", "/api/exhibits", "/page/app.js", "/api/light-fields/light-field-1/disparity", "/nowhere"):
            for given in (path, path + "?token=wrong"):
                assert httpx.get(server.url + given).status_code == 401
        with pytest.raises(InvalidStatus):
            connect(server.url.replace("http", "ws") + "/api/socket")
        client = httpx.Client()
        first = client.get(server.url + "/?token=secret&stats=1")
        assert (first.status_code, first.headers["location"]) == (303, "/?stats=1")  # the token leaves the address
        cookie = first.headers["set-cookie"].lower()
        assert "httponly" in cookie
        assert "samesite=strict" in cookie
        assert client.get(server.url + "/api/exhibits").status_code == 200
        assert httpx.get(server.url + "/api/exhibits", headers={"Cookie": "lfdeblur-token=other"}).status_code == 401


def test_the_command_serves_until_it_is_stopped(field):
    arguments = [sys.executable, "-m", "lfdeblur_models.cli", "view", field, "--no-browser"]
    with started(arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        line = process.stdout.readline()
        address = re.match(r"http://127\.0\.0\.1:\d+/", line)
        assert address, line
        assert httpx.get(address[0] + "api/exhibits").json()["exhibits"][0]["name"] == "small"
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=30)
        assert (process.returncode, err) == (0, "")


def test_the_command_refuses_before_it_listens(command, tmp_path, field):
    def bad(message, *arguments):
        code, out, err = command("view", "--no-browser", *arguments)
        assert (code, out, err.count("\n")) == (2, "", 1)
        assert message in err

    bad("nowhere: no such file or folder", tmp_path / "nowhere")
    bad("--host: got 0.0.0.0, which other machines can reach: add --token", "--host", "0.0.0.0")
    bad("--weights: ", "--weights", tmp_path / "none.safetensors")
    bad("cannot listen on 203.0.113.7", "--host", "203.0.113.7", "--token", field)
    (tmp_path / "text.png").write_text("no picture")
    bad("text.png: not a readable picture", tmp_path / "text.png")
    (tmp_path / "empty").mkdir()
    bad("empty", tmp_path / "empty")


def test_kinds_of_exhibits(tmp_path, field):
    write_image(tmp_path / "photo.png", torch.rand(3, 20, 30))
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "recipe.json").write_text("{}")
    with serving([tmp_path / "photo.png", tmp_path / "run", field]) as server:
        told = httpx.get(server.url + "/api/exhibits").json()["exhibits"]
    assert [(one["id"], one["kind"], one["name"]) for one in told] == [
        ("photograph-1", "photograph", "photo.png"),
        ("run-2", "run", "run"),
        ("light-field-3", "light-field", "small"),
    ]


def test_messages_that_break_parsers_leave_the_page_alive(running):
    with opened(running) as page:
        for message in (
            '{"painted": Infinity}',
            '{"picture": {}, "number": 1e999}',
            "[" * 30_000,
            '{"a":' * 9000,
            b"\x00\xff",
        ):
            page.socket.send(message)
            assert "does not know" in page.message()["error"]
        for kind, asked, text in (
            ("picture", {"disparity": 10**400}, "want a number"),
            ("picture", {"disparity": 1e308}, "want at most 10000"),
            ("picture", {"aperture": "polygon:3:100000000"}, "aperture: got 'polygon"),
            ("epipolar", {"y": 1}, "epipolar: got x=None y=1"),
            ("epipolar", {"x": float("inf"), "y": 1}, "epipolar: got x=inf"),
        ):
            page.ask(kind, **asked)
            assert text in page.message()["error"]
        page.ask(disparity=0)
        assert page.frame()[0]["kind"] == "picture"


def test_an_even_grid_takes_every_viewpoint_all_in_focus(tmp_path):
    with serving([make_light_field(tmp_path / "even", 4, 4)]) as server, opened(server) as page:
        for told in ({}, {"draft": True}):
            page.ask(viewpoint="1.5,1.5", aperture="disk:1", all_in_focus=True, **told)
            assert page.frame()[0]["kind"] == "picture"


def test_cookies_of_other_programs_and_of_other_servers_do_no_harm(field):
    with serving([field], token="secret") as server, serving([field], token="other") as second:
        client = httpx.Client()
        for one, token in ((server, "secret"), (second, "other")):
            client.get(f"{one.url}/?token={token}")
        for one in (server, second):
            assert client.get(one.url + "/api/exhibits").status_code == 200
        port = server.url.rsplit(":", 1)[1]
        for others in ('prefs={"a":1}', "a b=1", "flag", "a[b]=1", "a=1,2 3"):
            cookies = {"Cookie": f"{others}; lfdeblur-token-{port}=secret"}
            assert httpx.get(server.url + "/api/exhibits", headers=cookies).status_code == 200


def test_every_loopback_address_answers_to_its_own_name(field):
    with serving([field], host="127.0.0.2") as server:
        port = server.url.rsplit(":", 1)[1]
        for name, status in (("127.0.0.2", 200), ("127.0.0.1", 200), ("127.0.0.3", 403)):
            answer = httpx.get(server.url + "/api/exhibits", headers={"Host": f"{name}:{port}"})
            assert answer.status_code == status


def test_addresses_are_printed_as_browsers_take_them():
    import socket

    from lfdeblur_models.viewer.serve import address_of

    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        port = listening.getsockname()[1]
        assert address_of(listening, "127.0.0.1", None) == f"http://127.0.0.1:{port}/"
        assert address_of(listening, "2001:db8::5", "t") == f"http://[2001:db8::5]:{port}/?token=t"
        assert address_of(listening, "0.0.0.0", None) == f"http://{socket.gethostname()}:{port}/"


def test_names_that_are_no_text(tmp_path):
    run = os.fsdecode(os.fsencode(tmp_path) + b"/r\xffn")
    os.mkdir(run)
    (Path(run) / "recipe.json").write_text("{}")
    weights = os.fsdecode(os.fsencode(tmp_path) + b"/w\xff.safetensors")
    with serving([run], weights=[weights]) as server:
        told = httpx.get(server.url + "/api/exhibits").json()
        assert [one["name"] for one in told["exhibits"]] == ["r\ufffdn"]
        assert told["weights"] == ["compact", "w\ufffd.safetensors"]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP], ids=str)
def test_whatever_ends_the_server_ends_it_soon_and_whole(tmp_path, number):
    """A map is measured, a stack is drawn and a photograph is restored when it comes, and it comes twice."""
    scene = make_light_field(tmp_path / "lf", 9, 9)
    write_image(tmp_path / "photo.png", torch.rand(3, 1200, 1600))
    arguments = [sys.executable, "-m", "lfdeblur_models.cli", "view", scene, "--no-browser"]
    environment = os.environ | {"TMPDIR": str(tmp_path)}
    with started(arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment) as process:
        address = process.stdout.readline().split()[0]
        with opened(SimpleNamespace(url=address.rstrip("/"))) as page:
            told = {"session": page.session, "name": "photo.png"}
            with (tmp_path / "photo.png").open("rb") as file:
                httpx.post(address + "api/photographs", params=told, content=file.read(), timeout=60)
            for path in ("stack.zip?planes=-1:1:200", "disparity"):
                threading.Thread(target=_ask_and_forget, args=(address, path), daemon=True).start()
            time.sleep(0.3)
            begun = time.monotonic()
            process.send_signal(number)
            time.sleep(0.05)
            process.send_signal(number)
            _, err = process.communicate(timeout=60)
        assert (process.returncode, err) == (0, "")
        assert time.monotonic() - begun < 20
    assert not list(tmp_path.glob("lfdeblur-view-*"))


def _ask_and_forget(address, path):
    with contextlib.suppress(httpx.HTTPError):
        httpx.get(address + f"api/light-fields/light-field-1/{path}", timeout=60)


def test_a_stack_that_nobody_waits_for_is_not_drawn(tmp_path, monkeypatch):
    drawn = []
    plain = Shot.on_planes

    def noted(self, *given):
        drawn.append(time.monotonic())
        time.sleep(0.05)
        return plain(self, *given)

    monkeypatch.setattr(Shot, "on_planes", noted)
    with serving([make_light_field(tmp_path / "lf")]) as server:
        with contextlib.suppress(httpx.TimeoutException):
            httpx.get(
                server.url + "/api/light-fields/light-field-1/stack.zip?planes=-1:1:200&aperture=disk:1", timeout=0.5
            )
        time.sleep(1)
        before = len(drawn)
        time.sleep(0.5)
        assert before == len(drawn) < 200


@pytest.mark.parametrize("name", ["starlette", "uvicorn", "websockets"])
def test_without_the_extra_it_says_what_to_install(name):
    code = f"import sys; sys.modules[{name!r}] = None; from lfdeblur_models.cli import main; main(['view'])"
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert (ended.returncode, ended.stdout) == (2, "")
    assert (
        ended.stderr == f"lfdeblur: error: view needs {name}: install the extra 'web' (pip install 'lfdeblur[web]')\n"
    )
