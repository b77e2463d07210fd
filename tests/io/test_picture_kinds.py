"""Kinds of pictures beside PNG, JPEG and WebP, with files that other libraries wrote."""

import struct
import sys

import numpy as np
import pytest
import pyvips
import torch
from PIL import Image

from lfdeblur_models.io.errors import ImageError
from lfdeblur_models.io.images import (
    ImageInfo,
    image_info,
    is_image_name,
    open_image,
    picture_header,
    read_encoded,
    read_image,
    write_image,
)
from lfdeblur_models.io.pictures import exr as exr_files
from lfdeblur_models.io.srgb import linear_to_srgb

from ..data_paths import data_folder

HEIGHT, WIDTH = 13, 18


def values(dtype, bands=3, seed=0):
    rng = np.random.default_rng(seed)
    shape = (HEIGHT, WIDTH, bands)
    if np.dtype(dtype).kind == "f":
        return (rng.random(shape) * 3).astype(dtype)
    return rng.integers(0, np.iinfo(dtype).max + 1, shape, dtype=dtype)


def stored(picture, info):
    """``[H, W, C]``, with alpha."""
    parts = [picture] if info.alpha is None else [picture, info.alpha]
    return torch.cat([part.double() for part in parts]).permute(1, 2, 0).numpy()


def fails(message, function, *args, **kwargs):
    with pytest.raises(ImageError) as caught:
        function(*args, **kwargs)
    assert message in str(caught.value), str(caught.value)
    assert "\n" not in str(caught.value)


# BMP


@pytest.mark.parametrize("mode", ["1", "L", "P", "RGB", "RGBA"])
def test_bmp_of_pillow(tmp_path, mode):
    image = Image.fromarray(values(np.uint8))
    image = image.quantize(16) if mode == "P" else image.convert(mode)
    image.save(tmp_path / "a.bmp", dpi=(300, 300))
    picture, info = read_image(tmp_path / "a.bmp")
    grey = mode in ("1", "L")
    assert (info.format, info.bits, info.channels, info.transfer) == ("bmp", 8, 1 if grey else 3, "srgb")
    assert (info.height, info.width) == (HEIGHT, WIDTH)
    with Image.open(tmp_path / "a.bmp") as again:
        want = np.asarray(again.convert("L" if grey else "RGB")).reshape(HEIGHT, WIDTH, -1)
    assert np.array_equal(picture.permute(1, 2, 0).numpy(), want)
    assert info.metadata["xres"][1] == pytest.approx(300 / 25.4, rel=1e-3)
    write_image(tmp_path / "b.bmp", picture, like=info)
    with Image.open(tmp_path / "b.bmp") as written:
        assert np.array_equal(np.asarray(written.convert("L" if grey else "RGB")).reshape(HEIGHT, WIDTH, -1), want)
        assert written.info["dpi"][0] == pytest.approx(300, rel=1e-3)


def test_bmp_with_alpha(tmp_path):
    pixels = values(np.uint8, 4)
    header = struct.pack("<IiiHHIIiiII", 124, WIDTH, -HEIGHT, 1, 32, 3, 0, 0, 0, 0, 0)
    masks = struct.pack("<IIII", 0xFF0000, 0xFF00, 0xFF, 0xFF000000)
    body = pixels[..., [2, 1, 0, 3]].tobytes()
    head = b"BM" + struct.pack("<IHHI", 138 + len(body), 0, 0, 138)
    (tmp_path / "a.bmp").write_bytes(head + (header + masks).ljust(124, b"\0") + body)
    picture, info = read_image(tmp_path / "a.bmp")
    assert np.array_equal(stored(picture, info), pixels)
    fails("BMP holds no alpha: write PNG", open_and_write, tmp_path / "a.bmp", tmp_path / "b.bmp")


def open_and_write(source, target):
    from lfdeblur_models.io.images import decode_pixels, write_pixels

    image, info = open_image(source)
    write_pixels(target, decode_pixels(source, image), like=info)


# PGM and PPM


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16], ids=str)
def test_pnm_binary_and_plain(tmp_path, channels, dtype):
    pixels = values(dtype, channels)
    white = np.iinfo(dtype).max
    head = f"# made by hand\n{WIDTH} # columns\n{HEIGHT}\n{white}\n".encode()
    binary, plain = (b"P5\n", b"P2\n") if channels == 1 else (b"P6\n", b"P3\n")
    (tmp_path / "a.ppm").write_bytes(binary + head + pixels.astype(pixels.dtype.newbyteorder(">")).tobytes())
    text = "\n# more\n".join(" ".join(map(str, row.ravel())) for row in pixels)
    (tmp_path / "b.ppm").write_bytes(plain + head + text.encode())
    for name in ("a.ppm", "b.ppm"):
        picture, info = read_image(tmp_path / name)
        assert (info.format, info.bits, info.channels) == ("pnm", 8 * pixels.itemsize, channels)
        assert np.array_equal(picture.permute(1, 2, 0).numpy(), pixels)
    write_image(tmp_path / "c.ppm", picture, like=info)
    assert np.array_equal(read_image(tmp_path / "c.ppm")[0].permute(1, 2, 0).numpy(), pixels)
    if dtype == np.uint8:
        with Image.open(tmp_path / "c.ppm") as other:
            assert np.array_equal(np.asarray(other).reshape(pixels.shape), pixels)
    elif channels == 1:
        with Image.open(tmp_path / "c.ppm") as other:
            assert np.array_equal(np.asarray(other)[..., None], pixels)


@pytest.mark.parametrize(("white", "bits"), [(1, 8), (100, 8), (1023, 16)])
def test_pnm_of_another_white_is_scaled(tmp_path, white, bits):
    steps = np.arange(white + 1)
    kind = ">u2" if white > 255 else np.uint8
    (tmp_path / "a.pgm").write_bytes(f"P5 {len(steps)} 1 {white}\n".encode() + steps.astype(kind).tobytes())
    picture, info = read_image(tmp_path / "a.pgm")
    assert info.bits == bits
    assert np.array_equal(picture[0, 0].numpy(), np.floor(steps / white * (2**bits - 1) + 0.5))


def test_broken_pnm(tmp_path):
    path = tmp_path / "a.ppm"
    for content, told in (
        (b"P6\n4 4", "its header ends too early"),
        (b"P6\n4 4\n255\nabc", "got 3 bytes of pixels, want 48"),
        (b"P6\n0 4\n255\n", "a size of 0x4"),
        (b"P6\n4 4\n70000\n", "white 70000"),
        (b"P5\n2 1\n100\n\x05\xff", "a value of 255, above its white of 100"),
        (b"P2\n2 1\n100\n5 x 7", "something among its numbers is none"),
        (b"P2\n2 1\n100\n1_0 7", "something among its numbers is none"),
        (b"P2\n2 1\n100\n7     ", "got 1 numbers, want 2"),
        (b"P2\n2 1\n100\n7 99999999999999999999", "above its white of 100"),
        (b"P5\n999999999 999999999\n255\n", "truncated or damaged"),
        (b"P5\n" + b"9" * 5000 + b" 1\n255\n", "truncated or damaged"),
    ):
        path.write_bytes(content)
        fails(told, read_image, path)
    path.write_bytes(b"P7\nWIDTH 4\n")
    fails("a picture of kind 'PAM'", read_image, path)
    fails("PGM holds no colours", write_image, tmp_path / "a.pgm", torch.zeros(3, 2, 2))


# AVIF and HEIC


@pytest.mark.parametrize("bits", [10, 12])
def test_avif_of_more_bits_fills_the_scale(tmp_path, bits):
    pixels = values(np.uint16)
    pixels[0, 0], pixels[0, 1] = 0, 65535
    wide = pyvips.Image.new_from_array(pixels).copy(interpretation="rgb16")
    wide.heifsave(str(tmp_path / "a.avif"), compression="av1", bitdepth=bits, lossless=True, effort=0)
    picture, info = read_image(tmp_path / "a.avif")
    got = picture.permute(1, 2, 0).numpy()
    assert (info.format, info.bits, info.transfer) == ("avif", 16, "srgb")
    assert (got[0, 0] == 0).all()
    assert (got[0, 1] == 65535).all()
    assert np.abs(got.astype(int) - pixels).max() < 2 ** (16 - bits)
    write_image(tmp_path / "b.avif", picture, like=info)
    assert torch.equal(read_image(tmp_path / "b.avif")[0].int(), picture.int())


def test_avif_of_pillow_and_back(tmp_path):
    features = pytest.importorskip("PIL.features")
    if not features.check("avif"):
        pytest.skip("this Pillow writes no AVIF")
    pixels = np.asarray(Image.fromarray(values(np.uint8)[:4, :4]).resize((64, 48), Image.Resampling.BICUBIC))
    exif = Image.Exif()
    exif[0x010F] = "Lens maker"
    Image.fromarray(pixels).save(tmp_path / "a.avif", quality=100, subsampling="4:4:4", exif=exif)
    picture, info = read_image(tmp_path / "a.avif")
    assert np.abs(picture.permute(1, 2, 0).numpy().astype(int) - pixels).max() <= 3
    write_image(tmp_path / "b.avif", picture, like=info)
    again, kept = read_image(tmp_path / "b.avif")
    assert torch.equal(again, picture)
    assert "exif-data" in kept.metadata


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "L", "RGB;16"])
def test_heic(tmp_path, mode):
    heif = pytest.importorskip("pillow_heif", reason="needs the extra pictures")
    if not heif.libheif_info()["encoders"]:
        pytest.skip("this pillow-heif writes no HEIC")
    deep = mode.endswith(";16")
    bands = {"RGB": 3, "RGBA": 4, "L": 1}[mode.removesuffix(";16")]
    top = 65535 if deep else 255
    ramp = np.linspace(0, top, 64 * 64).reshape(64, 64, 1).repeat(bands, 2)
    pixels = np.ascontiguousarray(ramp.astype(np.uint16 if deep else np.uint8))
    made = heif.from_bytes(mode, (64, 64), pixels.tobytes())
    exif = Image.Exif()
    exif[0x010F] = "Lens maker"
    made.save(tmp_path / "a.heic", quality=-1, exif=exif.tobytes())
    picture, info = read_image(tmp_path / "a.heic")
    assert (info.format, info.bits, info.has_alpha) == ("heic", 16 if deep else 8, bands == 4)
    assert picture.int().max() == top
    colours = 3 if bands > 2 else info.channels
    want = torch.from_numpy(pixels[..., :colours].astype(np.int32)).permute(2, 0, 1)
    assert (picture.int() - want).abs().max() <= (200 if deep else 3)
    assert image_info(tmp_path / "a.heic") == info
    write_image(tmp_path / "a.png", picture, like=info)
    again, kept = read_image(tmp_path / "a.png")
    assert torch.equal(again.int(), picture.int())
    with Image.open(tmp_path / "a.png") as written:
        assert written.getexif()[0x010F] == "Lens maker"
    assert kept.has_alpha == info.has_alpha
    fails("HEIC is read, not written: write PNG or AVIF", write_image, tmp_path / "b.heic", picture)


def test_heic_that_is_refused(tmp_path):
    """In one line, also where the main picture is missing, which pillow-heif finds only when it is asked for it."""
    heif = pytest.importorskip("pillow_heif", reason="needs the extra pictures")
    if not heif.libheif_info()["encoders"]:
        pytest.skip("this pillow-heif writes no HEIC")
    path = tmp_path / "a.heic"
    heif.from_bytes("RGB", (64, 64), bytes(3 * 64 * 64)).save(path)
    data = path.read_bytes()
    for length in (24, 100, len(data) // 2, len(data) - 3):
        path.write_bytes(data[:length])
        with pytest.raises(ImageError, match=r"truncated or damaged|not a readable picture") as caught:
            read_image(path)
        assert "\n" not in str(caught.value)
    at = data.index(b"pitm") + 8  # the number of the main item
    path.write_bytes(data[:at] + b"\x77\x77" + data[at + 2 :])
    fails("not a readable picture", read_image, path)
    fails("not a readable picture", image_info, path)


def test_errors_do_not_tell_of_the_file_before(tmp_path):
    """libvips notes errors of a file also when its header is all that was wanted, and then tells nobody."""
    features = pytest.importorskip("PIL.features")
    if not features.check("avif"):
        pytest.skip("this Pillow writes no AVIF")
    pyvips.Image.black(8, 8).cast("double").tiffsave(str(tmp_path / "second.tif"))
    Image.fromarray(values(np.uint8).repeat(8, 0).repeat(8, 1)).save(
        tmp_path / "first.avif", quality=100, subsampling="4:4:4"
    )
    data = (tmp_path / "first.avif").read_bytes()
    (tmp_path / "first.avif").write_bytes(data[: len(data) // 2])
    image_info(tmp_path / "first.avif")
    with pytest.raises(ImageError) as caught:
        read_image(tmp_path / "second.tif")
    assert "first.avif" not in str(caught.value)


# OpenEXR


@pytest.fixture
def exr():
    return pytest.importorskip("OpenEXR", reason="needs the extra pictures")


def save_exr(exr, path, channels, **header):
    header = {"compression": exr.ZIP_COMPRESSION, "type": exr.scanlineimage, **header}
    with exr.File(header, channels) as file:
        file.write(str(path))


@pytest.mark.parametrize("dtype", [np.float16, np.float32], ids=str)
@pytest.mark.parametrize("bands", [1, 2, 3, 4])
def test_exr_keeps_values_precision_and_primaries(tmp_path, exr, dtype, bands):
    pixels = values(dtype, bands)
    pixels[0, 0, 0], pixels[0, 1, 0] = 600, -0.25
    names = {1: "Y", 2: "YA", 3: "RGB", 4: "RGBA"}[bands]
    primaries = (0.7347, 0.2653, 0.0, 1.0, 0.0001, -0.077, 0.32168, 0.33767)
    channels = {name: np.ascontiguousarray(pixels[..., i]) for i, name in enumerate(names)}
    save_exr(exr, tmp_path / "a.exr", channels, chromaticities=primaries)
    picture, info = read_image(tmp_path / "a.exr")
    assert (info.format, info.bits, info.transfer, picture.dtype) == ("exr", 32, "linear", torch.float32)
    assert np.array_equal(stored(picture, info), pixels)
    assert picture_header(tmp_path / "a.exr") == info
    assert picture_header(tmp_path / "a.exr").metadata == info.metadata
    assert ("exr-half" in info.metadata) == (dtype == np.float16)
    write_image(tmp_path / "b.exr", picture, like=info)
    written = exr.File(str(tmp_path / "b.exr"), separate_channels=True)
    assert written.header()["chromaticities"] == pytest.approx(primaries)
    for i, name in enumerate(names):
        assert written.channels()[name].pixels.dtype == dtype
        assert np.array_equal(written.channels()[name].pixels, pixels[..., i])


def test_exr_shows_its_frame(tmp_path, exr):
    pixels = values(np.float32)
    channels = {name: np.ascontiguousarray(pixels[..., i]) for i, name in enumerate("RGB")}
    frame = (np.array([0, 0], np.int32), np.array([WIDTH - 1, HEIGHT - 1], np.int32))
    for left, top in ((3, 2), (-4, -1), (2, -3)):
        data = tuple(corner + np.array([left, top], np.int32) for corner in frame)
        save_exr(exr, tmp_path / "a.exr", channels, dataWindow=data, displayWindow=frame)
        want = np.zeros_like(pixels)
        for y in range(HEIGHT):
            for x in range(WIDTH):
                if 0 <= y - top < HEIGHT and 0 <= x - left < WIDTH:
                    want[y, x] = pixels[y - top, x - left]
        assert np.array_equal(read_image(tmp_path / "a.exr")[0].permute(1, 2, 0).numpy(), want)


def test_exr_of_luminance_and_chroma():
    """Of the formula: the library reads such files, and writes none."""
    y, x = np.mgrid[0:40, 0:60].astype(np.float32)
    colours = np.stack([0.2 + x / 90, 0.3 + y / 70, 0.9 - x / 100], -1)
    luma = colours @ np.float32([0.2126, 0.7152, 0.0722])
    chroma = {name: ((colours[..., i] - luma) / luma)[::2, ::2].copy() for name, i in (("RY", 0), ("BY", 2))}
    got = np.stack(exr_files._rgb_of_chroma({"Y": luma, **chroma}, exr_files._REC709), -1)
    assert np.abs(got - colours)[:38, :58].max() < 2e-3


def test_exr_of_a_frame_that_no_such_file_fills(tmp_path, exr):
    """Told before memory is taken for it."""
    plane = np.zeros((HEIGHT, WIDTH), np.float32)
    frame = (np.zeros(2, np.int32), np.full(2, 29_999, np.int32))
    data = (np.zeros(2, np.int32), np.array([WIDTH - 1, HEIGHT - 1], np.int32))
    save_exr(exr, tmp_path / "a.exr", {"Y": plane}, dataWindow=data, displayWindow=frame)
    fails("damaged (a size of 30000x30000 pixels)", read_image, tmp_path / "a.exr")


def test_exr_that_is_refused(tmp_path, exr):
    whole = np.arange(HEIGHT * WIDTH, dtype=np.uint32).reshape(HEIGHT, WIDTH)
    save_exr(exr, tmp_path / "a.exr", {"Y": whole})
    fails("channels of integers (Y)", read_image, tmp_path / "a.exr")
    plane = whole.astype(np.float32)
    save_exr(exr, tmp_path / "b.exr", {"diffuse.R": plane, "depth.Z": plane})
    fails("channels depth.Z, diffuse.R, want R, G and B", read_image, tmp_path / "b.exr")
    save_exr(exr, tmp_path / "c.exr", {name: plane for name in "RGB"})
    data = (tmp_path / "c.exr").read_bytes()
    for length in (3, 40, len(data) // 2, len(data) - 1):
        (tmp_path / "c.exr").write_bytes(data[:length])
        with pytest.raises(ImageError, match=r"truncated or damaged|not a readable picture"):
            read_image(tmp_path / "c.exr")
    fails(
        "OpenEXR holds floating point per channel, not 8: write PNG",
        write_image,
        tmp_path / "d.exr",
        torch.zeros(3, 2, 2).byte(),
    )


@pytest.mark.parametrize(
    ("name", "kind", "brightest"),
    [("Desk", 3, 234), ("GoldenGate", 3, 685), ("CrissyField", 3, None), ("Garden", 1, None), ("Adjuster", 3, None)],
)
def test_real_exr(exr, name, kind, brightest):
    picture, info = read_image(data_folder("photos-openexr") / f"{name}.exr")
    assert (info.channels, info.transfer) == (kind, "linear")
    assert torch.isfinite(picture).all()
    if brightest:
        assert picture.max() == pytest.approx(brightest, rel=0.01)
    encoded, told = read_encoded(data_folder("photos-openexr") / f"{name}.exr")
    assert torch.equal(encoded, linear_to_srgb(picture.clamp(0, 1)))
    assert (told.bits, told.transfer) == (16, "srgb")


@pytest.mark.parametrize(
    ("library", "suffix", "start"),
    [
        ("OpenEXR", ".exr", b"\x76\x2f\x31\x01"),
        ("pillow_heif", ".heic", b"\0\0\0\x18ftypheic\0\0\0\0mif1heic"),
    ],
)
def test_a_missing_library_is_one_line(tmp_path, monkeypatch, library, suffix, start):
    monkeypatch.setitem(sys.modules, library, None)
    path = tmp_path / f"a{suffix}"
    path.write_bytes(start + bytes(100))
    fails("install lfdeblur with the extra 'pictures'", read_image, path)
    if suffix == ".exr":
        fails("needs OpenEXR: pip install OpenEXR", write_image, tmp_path / "b.exr", torch.zeros(3, 2, 2))
        assert [file.name for file in tmp_path.iterdir()] == ["a.exr"]


# TIFF


@pytest.mark.parametrize("dtype", [np.float16, np.float32], ids=str)
@pytest.mark.parametrize("bands", [1, 3, 4])
def test_float_tiff(tmp_path, dtype, bands):
    tifffile = pytest.importorskip("tifffile", reason="needs scikit-image, of the extra test")
    pixels = values(dtype, bands)
    pixels[0, 0] = 40
    kind = "minisblack" if bands == 1 else "rgb"
    tifffile.imwrite(tmp_path / "a.tif", pixels[..., 0] if bands == 1 else pixels, photometric=kind)
    picture, info = read_image(tmp_path / "a.tif")
    assert (info.format, info.bits, info.transfer) == ("tiff", 32, "linear")
    assert np.array_equal(stored(picture, info), pixels)
    write_image(tmp_path / "b.tif", picture, like=info)
    again, _ = read_image(tmp_path / "b.tif")
    assert torch.equal(again, picture)
    written = tifffile.imread(tmp_path / "b.tif")
    assert written.dtype == np.float32
    assert np.array_equal(written.reshape(pixels.shape), pixels)
    write_image(tmp_path / "c.tif", picture, bits=32)
    assert torch.equal(read_image(tmp_path / "c.tif")[0], picture)


def test_tiff_with_a_thumbnail_is_its_first_page(tmp_path):
    tifffile = pytest.importorskip("tifffile", reason="needs scikit-image, of the extra test")
    pixels = values(np.uint8)
    for name, told in (("said", {"subfiletype": 1}), ("smaller", {})):
        with tifffile.TiffWriter(tmp_path / f"{name}.tif") as file:
            file.write(pixels, photometric="rgb")
            file.write(pixels[:4, :6], photometric="rgb", **told)
        picture, _ = read_image(tmp_path / f"{name}.tif")
        assert np.array_equal(picture.permute(1, 2, 0).numpy(), pixels)
    with tifffile.TiffWriter(tmp_path / "two.tif") as file:
        file.write(pixels, photometric="rgb")
        file.write(pixels, photometric="rgb")
    fails("holds 2 pages, want one picture per file", read_image, tmp_path / "two.tif")


# What is what


def test_contents_tell_the_kind_not_names(tmp_path):
    pixels = values(np.uint8, 4)
    Image.fromarray(pixels).save(tmp_path / "a.png")
    (tmp_path / "a.png").rename(tmp_path / "a.jpg")
    picture, info = read_image(tmp_path / "a.jpg")
    assert info.format == "png"
    assert np.array_equal(stored(picture, info), pixels)


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"<svg xmlns='http://www.w3.org/2000/svg' width='9' height='9'/>", "not a readable picture"),
        (b"%PDF-1.4\n", "not a readable picture"),
        (b"\0\0\0\x18ftypqt  \0\0\0\0qt  ", "a film, or a container of the brand b'qt  '"),
        (b"GIF89a" + bytes(20), "a picture of kind 'gif'"),
        (b"\xff\x0a" + bytes(20), "a picture of kind 'JPEG XL'"),
        (b"BM" + bytes(60), "not a readable picture"),
        (b"\0\0\0\x18ftypavif\0\0\0\0mif1avif" + bytes(60), "not a readable picture"),
    ],
)
def test_other_loaders_never_see_a_file(tmp_path, content, told):
    path = tmp_path / "a.png"
    path.write_bytes(content)
    fails(told, read_image, path)


def test_names():
    from pathlib import Path

    for name in ("a.BMP", "a.ppm", "a.pgm", "a.exr", "a.HEIC", "a.avif", "a.tiff"):
        assert is_image_name(Path(name))
    assert not is_image_name(Path("a.pfm"))


def test_floating_point_is_written_where_it_can_be(tmp_path):
    light = torch.rand(3, 4, 5) * 4
    fails(
        "PNG holds 8 bits or 16 bits per channel, not floating point", write_image, tmp_path / "a.png", light, bits=32
    )
    fails("holds NaN or infinite values", write_image, tmp_path / "a.tif", light / 0, bits=32)
    fails("want floating point in linear light", write_image, tmp_path / "a.tif", light.byte(), bits=32)
    alpha = torch.rand(1, 4, 5)
    like = ImageInfo("exr", 32, 3, 4, 5, alpha, transfer="linear")
    write_image(tmp_path / "a.png", torch.zeros(3, 4, 5), bits=16, like=like)
    got = read_image(tmp_path / "a.png")[1].alpha
    assert torch.equal(got.int(), (alpha * 65535).round().int())
