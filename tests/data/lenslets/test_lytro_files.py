"""Containers and calibration folders: structure, the white picture that is chosen, lazy reading, bad files."""

import hashlib
import json
import pickle
import shutil
from dataclasses import replace

import numpy as np
import pytest
import torch

from lfdeblur_models.data import LightFieldError, read_light_field, read_lytro, write_capture
from lfdeblur_models.data.lenslets import container as containers
from lfdeblur_models.data.lenslets import white_picture
from lfdeblur_models.data.lenslets.capture_files import SERIAL
from lfdeblur_models.io.images import write_image

from .captures import F01, ILLUM, written

SMALL = replace(F01, size=(200, 220))


@pytest.fixture(autouse=True)
def no_calibration(monkeypatch):
    monkeypatch.delenv(white_picture.ENVIRONMENT, raising=False)


@pytest.fixture(scope="module")
def lytro_file(tmp_path_factory):
    path = tmp_path_factory.mktemp("lytro") / "a.lfp"
    written(path, SMALL)
    return path


def fails(message, path, **options):
    """Before any pixel is unpacked."""
    with pytest.raises(LightFieldError) as caught:
        read_light_field(path, **options)
    assert message in str(caught.value), str(caught.value)


def edited(path, change, out):
    """A container with other metadata; references follow."""
    found, data = read_lytro(path), path.read_bytes()
    sections = [data[s.offset : s.offset + s.size] for s in found.sections if s.kind == "LFC"]
    document = found.metadata["metadataRef"]
    change(document)
    table = json.dumps(found.contents)
    for index, section in enumerate(s for s in found.sections if s.kind == "LFC"):
        if section.role == "metadataRef":
            sections[index] = json.dumps(document).encode()
            table = table.replace(section.sha1, containers.sha1_name(sections[index]))
    containers.write_container(out, json.loads(table), sections)
    return out


def test_a_container_is_one_of_the_cameras_structure(tmp_path):
    written(tmp_path / "a.lfp", SMALL)
    written(tmp_path / "b.lfr", ILLUM)
    data = (tmp_path / "a.lfp").read_bytes()
    assert data[:16] == bytes.fromhex("894C46500D0A1A0A00000001") + bytes(4)
    first, second = read_lytro(tmp_path / "a.lfp"), read_lytro(tmp_path / "b.lfr")
    assert [s.kind for s in first.sections] == ["LFM", "LFC", "LFC", "LFC", "LFC"]
    for section in first.sections:
        digest = hashlib.sha1(data[section.offset : section.offset + section.size]).hexdigest()
        assert section.sha1 == f"sha1-{digest}"
        assert data[section.offset - 96 : section.offset - 88] in (b"\x89LFM\r\n\x1a\n", b"\x89LFC\r\n\x1a\n")
    frame = first.contents["picture"]["frameArray"][0]["frame"]
    assert set(frame) == {"imageRef", "metadataRef", "privateMetadataRef", "modulationDataRef"}
    assert second.contents["frames"][0]["frame"].keys() == frame.keys()
    image = first.metadata["metadataRef"]["image"]
    assert image["rawDetails"]["mosaic"] == {"tile": "r,gr:gb,b", "upperLeftPixel": "b"}
    assert image["rawDetails"]["pixelPacking"] == {"endianness": "big", "bitsPerPixel": 12}
    assert second.metadata["metadataRef"]["image"]["pixelPacking"] == {"endianness": "little", "bitsPerPixel": 10}
    assert first.section("imageRef").size == 200 * 220 * 3 // 2
    assert second.section("imageRef").size == 520 * 600 * 5 // 4


def test_what_the_real_cameras_metadata_tell():
    """Excerpts of published ones: an F01's and an Illum's."""
    from lfdeblur_models.data.lenslets.sensor import sensor_of

    levels = {"rightShift": 0, "black": dict.fromkeys(("r", "gr", "gb", "b"), 64)}
    levels["white"] = dict.fromkeys(("r", "gr", "gb", "b"), 1023)
    metadata = {
        "image": {
            "width": 7728,
            "height": 5368,
            "pixelPacking": {"bitsPerPixel": 10, "endianness": "little"},
            "pixelFormat": levels,
            "mosaic": {"tile": "r,gr:gb,b", "upperLeftPixel": "gr"},
            "color": {"whiteBalanceGain": {"gr": 1.0, "r": 1.378859281539917, "b": 1.1484659910202026, "gb": 1.0}},
        },
        "camera": {"make": "Lytro, Inc.", "model": "ILLUM"},
        "devices": {
            "sensor": {"pixelPitch": 1.4e-06},
            "mla": {
                "rotation": -0.0005426123971119523,
                "tiling": "hexUniformRowMajor",
                "scaleFactor": {"x": 1.0, "y": 1.0003429651260376},
                "lensPitch": 2e-05,
            },
            "lens": {"zoomStep": -297, "focusStep": 309},
        },
    }
    sensor = sensor_of("a", metadata, {"camera": {"serialNumber": "B5143909630"}})
    assert (sensor.size, sensor.pattern, sensor.serial) == ((5368, 7728), "GRBG", "B5143909630")
    assert sensor.gains == pytest.approx((1, 1.378859, 1.148466, 1))
    assert (sensor.pitch, sensor.rotation) == (pytest.approx(20 / 1.4), pytest.approx(-0.03109, abs=1e-5))
    assert (sensor.zoom, sensor.focus, sensor.hexagonal) == (-297, 309, True)
    assert sensor.turn == pytest.approx(1j * 0.8660254 * 1.000343)
    metadata["image"]["rawDetails"] = {name: metadata["image"].pop(name) for name in ("pixelPacking", "pixelFormat")}
    metadata["image"]["rawDetails"]["mosaic"] = {"tile": "r,gr:gb,b", "upperLeftPixel": "b"}
    assert sensor_of("a", metadata, {}).pattern == "BGGR"


def test_nothing_is_unpacked_before_it_is_asked_for(tmp_path, monkeypatch):
    written(tmp_path / "a.lfp", SMALL)
    monkeypatch.setattr(white_picture, "read_raw", None)
    field = read_light_field(tmp_path / "a.lfp")
    assert field.lazy
    assert field.metadata["white"] == "in the container"
    assert field.metadata["lenslet_pitch"] == pytest.approx(10.0)
    monkeypatch.undo()
    copy = pickle.loads(pickle.dumps(field))
    torch.testing.assert_close(copy.views, field.views, rtol=0, atol=0)


def test_the_white_picture_of_a_calibration_folder(tmp_path, monkeypatch):
    written(tmp_path / "with.lfp", SMALL)
    expected = read_light_field(tmp_path / "with.lfp").views
    folder = tmp_path / "cameras" / SERIAL
    (tmp_path / "a").mkdir()
    path = tmp_path / "a" / "without.lfp"
    written(path, SMALL, calibration=folder)
    assert {file.name for file in folder.iterdir()} == {"MOD_0000.RAW", "MOD_0000.TXT"}
    fails(f"no white picture in the container, {tmp_path / 'a'} (${white_picture.ENVIRONMENT} is not set): give", path)
    for white in (folder, tmp_path / "cameras", folder / "MOD_0000.RAW", folder / "MOD_0000.TXT"):
        torch.testing.assert_close(read_light_field(path, white=white).views, expected, rtol=0, atol=0)
    monkeypatch.setenv(white_picture.ENVIRONMENT, str(tmp_path / "cameras"))
    torch.testing.assert_close(read_light_field(path).views, expected, rtol=0, atol=0)
    monkeypatch.setenv(white_picture.ENVIRONMENT, str(tmp_path / "gone"))
    fails(f"{white_picture.ENVIRONMENT}: got", path)
    monkeypatch.delenv(white_picture.ENVIRONMENT)
    shutil.copytree(folder, tmp_path / "a" / SERIAL)  # beside the file
    assert read_light_field(path).metadata["white"].endswith("MOD_0000.RAW")
    # As a picture of 16 bits.
    raw = white_picture.find_white(path, read_lytro(path), _sensor(path), None).read()
    write_image(tmp_path / "white.png", torch.from_numpy(raw)[None])
    torch.testing.assert_close(read_light_field(path, white=tmp_path / "white.png").views, expected, rtol=0, atol=0)


def packed_level(camera, level):
    """The bytes of a raw picture that is even."""
    return camera.packing.pack(np.full(camera.size, level, np.uint16))


def _sensor(path):
    from lfdeblur_models.data.lenslets.sensor import sensor_of

    found = read_lytro(path)
    return sensor_of(str(path), found.metadata["metadataRef"], found.metadata["privateMetadataRef"])


def test_the_nearest_zoom_then_focus_of_the_same_camera(tmp_path):
    folder = tmp_path / "calibration"
    written(tmp_path / "a.lfp", SMALL, calibration=folder)
    text, raw = (folder / "MOD_0000.TXT").read_text(), (folder / "MOD_0000.RAW").read_bytes()

    def add(number, zoom, focus, serial=SERIAL, exposure=0.01):
        document = json.loads(text)
        frame = document["master"]["picture"]["frameArray"][0]["frame"]
        frame["metadata"]["devices"]["lens"] = {"zoomStep": zoom, "focusStep": focus}
        frame["metadata"]["devices"]["shutter"]["frameExposureDuration"] = exposure
        frame["privateMetadata"]["camera"]["serialNumber"] = serial
        (folder / f"MOD_{number:04d}.TXT").write_text(json.dumps(document) + "\0\0")  # as the cameras pad it
        (folder / f"MOD_{number:04d}.RAW").write_bytes(raw)

    add(0, 700, 100)
    add(1, 500, 900)
    add(2, 500, 620)
    add(3, 500, 600, exposure=0.0001)  # dark
    add(4, 505, 600, serial="B1")
    path = edited(tmp_path / "a.lfp", lambda d: d["devices"].update(lens={"zoomStep": 510, "focusStep": 600}),
                  tmp_path / "b.lfp")  # fmt: skip
    assert read_light_field(path, white=folder).metadata["white"].endswith("MOD_0002.RAW")
    add(5, 510, 600)
    (folder / "MOD_0005.RAW").write_bytes(packed_level(SMALL, 180))  # dark, and of an exposure like the others'
    assert read_light_field(path, white=folder).metadata["white"].endswith("MOD_0002.RAW")
    for number in (0, 1, 2, 3, 5):
        (folder / f"MOD_{number:04d}.TXT").unlink()
    (folder / "unit_info.json").write_text(json.dumps({"camera": {"serialNumber": SERIAL}}))
    assert read_light_field(path, white=folder).metadata["white"].endswith("MOD_0004.RAW")
    (folder / "unit_info.json").write_text("[]")
    fails("unit_info.json: not the description of a camera", path, white=folder)
    (folder / "unit_info.json").unlink()
    fails(f"no white picture of the camera {SERIAL} in {folder}, only of B1", path, white=folder)
    (folder / "MOD_0004.TXT").write_text("no JSON")
    fails("MOD_0004.TXT: not the description of a white picture", path, white=folder)


def test_bad_containers(tmp_path):
    path = tmp_path / "a.lfp"
    capture = written(path, SMALL)
    data = path.read_bytes()
    (tmp_path / "cut.lfp").write_bytes(data[:-1000])
    fails("truncated: section", tmp_path / "cut.lfp")
    image = "image", "rawDetails"

    def changed(**values):
        return lambda document: document[image[0]][image[1]].update(values)

    odd = edited(path, changed(pixelPacking={"bitsPerPixel": 14, "endianness": "big"}), tmp_path / "odd.lfp")
    fails("unknown pixel format: got 14 bits, big endian", odd)
    tile = edited(path, changed(mosaic={"tile": "c,m:y,k", "upperLeftPixel": "c"}), tmp_path / "tile.lfp")
    fails("unknown pixel format: got the mosaic", tile)
    bare = edited(path, lambda d: d["image"].pop("rawDetails"), tmp_path / "bare.lfp")
    fails("unknown pixel format: the metadata have no 'pixelFormat'", bare)
    large = edited(path, lambda d: d["image"].update(width=240), tmp_path / "large.lfp")
    fails("raw picture: truncated: got 66000 bytes, want 72000 for 240x200 of 12 bits, big endian", large)
    small = edited(path, lambda d: d["image"].update(width=200), tmp_path / "small.lfp")
    fails("raw picture: got 66000 bytes, which are not the 60000 of 200x200", small)
    levels = {"black": dict.fromkeys(("r", "gr", "gb", "b"), 900), "white": dict.fromkeys(("r", "gr", "gb", "b"), 900)}
    dark = edited(path, changed(pixelFormat=levels), tmp_path / "dark.lfp")
    fails("want white above black", dark)
    fails("pitch: got 14 pixels, but the metadata tell 10", path, pitch=14.0)
    fails("white: /nowhere: no such file or folder", path, white="/nowhere")
    for name, message in (
        ("caldata-B1.tar", "an archive of calibration files: unpack it"),
        ("data.C.0", "an archive of calibration files: unpack it"),
        ("MOD_0007.TXT", "no MOD_0007.RAW is beside it"),
    ):
        (tmp_path / name).write_bytes(b"")
        fails(message, path, white=tmp_path / name)
    fails("colours: got 'sepia'", path, colours="sepia")
    write_image(tmp_path / "white.png", torch.zeros(1, 100, 100))
    fails(
        "white.png: the white picture has 100x100 pixels, the raw picture 220x200", path, white=tmp_path / "white.png"
    )
    found = read_lytro(path)
    contents = json.loads(json.dumps(found.contents).replace("imageRef", "depthRef"))
    kept = [data[s.offset : s.offset + s.size] for s in found.sections if s.kind == "LFC"]
    containers.write_container(tmp_path / "none.lfp", contents, kept)
    fails("a Lytro container with no raw picture (of 5 sections)", tmp_path / "none.lfp")
    # Only what is seen in the pixels is told when they are read.
    write_capture(replace(capture, white=np.full_like(capture.white, 168)), tmp_path / "black.lfp")
    with pytest.raises(LightFieldError, match="the white picture is no brighter than its black level"):
        read_light_field(tmp_path / "black.lfp").views  # noqa: B018
    write_capture(replace(capture, white=np.full_like(capture.white, 2000)), tmp_path / "flat.lfp")
    with pytest.raises(LightFieldError, match="no grid of lenslets is seen in the white picture"):
        read_light_field(tmp_path / "flat.lfp").views  # noqa: B018
    square = edited(path, lambda d: d["devices"]["mla"].update(tiling="square"), tmp_path / "square.lfp")
    with pytest.raises(LightFieldError, match="shows a hexagonal grid of lenslets, but the metadata"):
        read_light_field(square).views  # noqa: B018


@pytest.mark.parametrize("value", ["12", [], -1e300, 10**30, float("nan"), True])
@pytest.mark.parametrize(
    "place",
    [
        "image.width",
        "image.rawDetails",
        "image.rawDetails.pixelFormat.rightShift",
        "image.rawDetails.pixelPacking.bitsPerPixel",
        "image.color",
        "image.color.ccmRgbToSrgbArray",
        "image.color.whiteBalanceGain.b",
        "devices",
        "devices.sensor.pixelPitch",
        "devices.mla.lensPitch",
        "devices.mla.rotation",
        "devices.mla.scaleFactor.x",
        "devices.lens.zoomStep",
        "devices.shutter.frameExposureDuration",
        "camera",
    ],
)
def test_metadata_of_another_kind(lytro_file, tmp_path, place, value):
    *parents, last = place.split(".")

    def change(document):
        for key in parents:
            document = document[key]
        document[last] = value

    fails(f"metadata: {place}: got", edited(lytro_file, change, tmp_path / "odd.lfp"))


def test_metadata_that_are_nested_too_deeply(lytro_file, tmp_path):
    found, data = read_lytro(lytro_file), lytro_file.read_bytes()
    sections = [data[s.offset : s.offset + s.size] for s in found.sections if s.kind == "LFC"]
    deep = b"[" * 100_000 + b"]" * 100_000
    frame = {"metadataRef": containers.sha1_name(deep), "imageRef": containers.sha1_name(sections[0])}
    containers.write_container(tmp_path / "deep.lfp", {"frames": [{"frame": frame}]}, [deep, *sections])
    fails("is not JSON", tmp_path / "deep.lfp")
    deep = 150 * b'{"a":' + b"1" + 150 * b"}"  # which Python reads, and what follows it may not
    frame["metadataRef"] = containers.sha1_name(deep)
    containers.write_container(tmp_path / "deep.lfp", {"frames": [{"frame": frame}]}, [deep, *sections])
    fails("is JSON nested 100 times or more", tmp_path / "deep.lfp")


def test_an_empty_section_and_a_table_of_contents_at_the_end(lytro_file, tmp_path):
    """As an Illum writes them; an empty section is no more than the first 16 bytes of its header."""
    data = lytro_file.read_bytes()
    first, second = (section.offset - 96 for section in read_lytro(lytro_file).sections[:2])
    empty = data[second : second + 12] + bytes(4)
    (tmp_path / "a.lfp").write_bytes(data[:first] + empty + data[second:].ljust(len(data), b"\0") + data[first:second])
    found = read_lytro(tmp_path / "a.lfp")
    assert [section.kind for section in found.sections] == ["LFC", "LFC", "LFC", "LFC", "LFC", "LFM"]
    assert found.sections[0].size == 0
    assert read_light_field(tmp_path / "a.lfp").grid == read_light_field(lytro_file).grid


def test_lenslets_that_the_metadata_do_not_tell(tmp_path):
    written(tmp_path / "a.lfp", SMALL)
    whole = read_light_field(tmp_path / "a.lfp")
    path = edited(tmp_path / "a.lfp", lambda d: d["devices"].pop("mla"), tmp_path / "b.lfp")
    field = read_light_field(path)
    assert field.metadata["lenslet_pitch"] == pytest.approx(10.0, abs=0.01)
    assert field.grid == whole.grid
    assert read_light_field(path, pitch=10.0).grid == (11, 11)
