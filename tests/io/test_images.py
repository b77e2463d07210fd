"""Picture files: bit-exact, the same kind out as in, whole or not at all."""

import os
from pathlib import Path

import numpy as np
import pytest
import pyvips
import torch
from PIL import Image, ImageCms

from lfdeblur_models.io.atomic import atomic_path, check_output_folder, make_output_folder
from lfdeblur_models.io.errors import ImageError, OutputError
from lfdeblur_models.io.images import ImageInfo, read_image, write_image


def random_picture(c=3, h=13, w=17, dtype=torch.uint8):
    high = 256 if dtype == torch.uint8 else 65536
    return torch.randint(0, high, (c, h, w), dtype=torch.int32, generator=torch.Generator().manual_seed(0)).to(dtype)


def smooth_picture(h=32, w=48):
    y, x = torch.meshgrid(torch.linspace(0, 1, h), torch.linspace(0, 1, w), indexing="ij")
    return torch.stack([y, x, (x + y) / 2])


@pytest.mark.parametrize("suffix", [".png", ".tif", ".tiff"])
@pytest.mark.parametrize("dtype", [torch.uint8, torch.uint16], ids=str)
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("alpha", [False, True])
def test_round_trip_is_bit_exact(tmp_path, suffix, dtype, channels, alpha):
    bits = 8 if dtype == torch.uint8 else 16
    picture = random_picture(channels, dtype=dtype)
    kept = random_picture(1, dtype=dtype) if alpha else None
    first, second = tmp_path / f"a{suffix}", tmp_path / f"b{suffix}"
    write_image(first, picture, like=ImageInfo("png", bits, channels, 13, 17, kept))
    got, info = read_image(first)
    assert (info.bits, info.channels, info.height, info.width) == (bits, channels, 13, 17)
    assert info.format == {".png": "png"}.get(suffix, "tiff")
    assert got.dtype == dtype
    assert torch.equal(got.int(), picture.int())
    assert (info.alpha is not None) == alpha
    if alpha:
        assert torch.equal(info.alpha.int(), kept.int())
    write_image(second, got.double() / (2**bits - 1), like=info)  # by way of floating point
    again, info_again = read_image(second)
    assert torch.equal(again.int(), picture.int())
    assert info_again == info


def test_other_programs_agree(tmp_path):
    """OpenCV-free check of value and channel order: Pillow for 8 bits, 16-bit grey."""
    picture = random_picture()
    write_image(tmp_path / "a.png", picture)
    assert np.array_equal(np.asarray(Image.open(tmp_path / "a.png")), picture.permute(1, 2, 0).numpy())
    grey = random_picture(1, dtype=torch.uint16)
    write_image(tmp_path / "g.png", grey)
    assert np.array_equal(np.asarray(Image.open(tmp_path / "g.png")), grey[0].numpy())
    Image.fromarray(picture.permute(1, 2, 0).numpy()).save(tmp_path / "p.tif")
    assert torch.equal(read_image(tmp_path / "p.tif")[0], picture)
    Image.fromarray(picture.permute(1, 2, 0).numpy()).quantize(8).save(tmp_path / "palette.png")
    assert read_image(tmp_path / "palette.png")[0].shape == (3, 13, 17)


def test_jpeg_and_webp(tmp_path):
    picture = smooth_picture()
    write_image(tmp_path / "a.jpg", picture)
    got, info = read_image(tmp_path / "a.jpg")
    assert (info.format, info.bits) == ("jpeg", 8)
    assert (got.float() / 255 - picture).abs().max() < 0.03
    write_image(tmp_path / "a.webp", picture)
    assert torch.equal(read_image(tmp_path / "a.webp")[0], (picture * 255).round().to(torch.uint8))


def test_floating_point_is_clamped_and_rounded(tmp_path):
    picture = torch.tensor([-1.0, 0.0, 0.4 / 255, 0.6 / 255, 1.0, 2.0], dtype=torch.float64).view(1, 1, 6)
    write_image(tmp_path / "a.png", picture)
    assert read_image(tmp_path / "a.png")[0].flatten().tolist() == [0, 0, 0, 1, 255, 255]
    write_image(tmp_path / "a.png", picture, bits=16)
    assert read_image(tmp_path / "a.png")[0].int().flatten().tolist() == [0, 0, 103, 154, 65535, 65535]


def test_alpha_of_another_depth(tmp_path):
    alpha = torch.tensor([[[0, 128, 255]]], dtype=torch.uint8)
    info = ImageInfo("png", 8, 1, 1, 3, alpha)
    write_image(tmp_path / "a.png", torch.zeros(1, 1, 3), bits=16, like=info)
    got = read_image(tmp_path / "a.png")[1].alpha
    assert got.int().flatten().tolist() == [0, 128 * 257, 65535]
    write_image(tmp_path / "b.png", torch.zeros(1, 1, 3), bits=8, like=ImageInfo("png", 16, 1, 1, 3, got))
    assert torch.equal(read_image(tmp_path / "b.png")[1].alpha, alpha)


@pytest.mark.parametrize("suffix", [".jpg", ".tif", ".png"])
def test_profile_exif_and_resolution_are_kept_and_orientation_applied(tmp_path, suffix):
    picture = smooth_picture(32, 48)
    pixels = Image.fromarray((picture * 255).round().byte().permute(1, 2, 0).numpy())
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    exif = Image.Exif()
    exif[0x0112], exif[0x010F] = 6, "Lens maker"  # turned by 90 degrees
    pixels.save(tmp_path / f"a{suffix}", exif=exif, icc_profile=profile, dpi=(300, 300))
    got, info = read_image(tmp_path / f"a{suffix}")
    assert (info.height, info.width) == (48, 32)
    assert got.shape == (3, 48, 32)
    upright = torch.rot90(picture, -1, (1, 2))
    assert (got.float() / 255 - upright).abs().max() < 0.05
    write_image(tmp_path / f"b{suffix}", got, like=info)
    result = Image.open(tmp_path / f"b{suffix}")
    assert result.size == (32, 48)
    assert result.info["icc_profile"] == profile
    assert result.getexif().get(0x0112, 1) == 1
    if suffix != ".tif":  # libvips writes no camera maker into TIFF
        assert result.getexif()[0x010F] == "Lens maker"
    assert result.info["dpi"][0] == pytest.approx(300, abs=0.1)


def test_a_file_that_changed_is_read_again(tmp_path):
    for value in (1, 2):
        write_image(tmp_path / "a.png", torch.full((1, 2, 2), value, dtype=torch.uint8))
        assert read_image(tmp_path / "a.png")[0].unique().tolist() == [value]


def fails(message, function, *args, error=ImageError, **kwargs):
    with pytest.raises(error) as caught:
        function(*args, **kwargs)
    assert message in str(caught.value), str(caught.value)
    assert "\n" not in str(caught.value)


def test_unreadable_files(tmp_path):
    fails("a.png: no such file", read_image, tmp_path / "a.png")
    fails("is a folder, want a picture", read_image, tmp_path)
    (tmp_path / "a.png").write_bytes(b"")
    fails("a.png: not a readable picture", read_image, tmp_path / "a.png")
    (tmp_path / "a.png").write_text("hello, world" * 100)
    fails("a.png: not a readable picture", read_image, tmp_path / "a.png")
    Image.new("RGB", (4, 4)).save(tmp_path / "a.gif")
    fails("a picture of kind 'gif', want PNG, TIFF, JPEG, WebP, BMP", read_image, tmp_path / "a.gif")
    for suffix in ("jpg", "tif"):
        Image.new("CMYK", (4, 4)).save(tmp_path / f"a.{suffix}")
        fails("a CMYK picture", read_image, tmp_path / f"a.{suffix}")
    Image.fromarray(np.zeros((4, 4), np.int32)).save(tmp_path / "f.tif")
    fails("1 channels of int", read_image, tmp_path / "f.tif")
    pages = [Image.new("L", (4, 4), value) for value in (0, 1)]
    pages[0].save(tmp_path / "p.tif", save_all=True, append_images=pages[1:])
    fails("holds 2 pages", read_image, tmp_path / "p.tif")


@pytest.mark.parametrize("suffix", ["png", "tif", "jpg"])
@pytest.mark.parametrize("turned", [False, True])
def test_truncated(tmp_path, suffix, turned):
    path = tmp_path / f"a.{suffix}"
    exif = Image.Exif()
    exif[0x0112] = 3 if turned else 1
    Image.fromarray(random_picture(h=64, w=64).permute(1, 2, 0).numpy()).save(path, exif=exif)
    data = path.read_bytes()
    for share in (0.3, 0.9):
        path.write_bytes(data[: int(share * len(data))])
        with pytest.raises(ImageError, match=r"truncated or damaged|not a readable picture"):
            read_image(path)


@pytest.mark.parametrize(
    "options", [{"bigtiff": True}, {"tile": True}, {"compression": "lzw"}, {"rows_per_strip": 3}, {}]
)
def test_truncated_tiff_of_every_layout(tmp_path, options):
    path = tmp_path / "a.tif"
    picture = random_picture(h=300, w=300)
    rows = options.pop("rows_per_strip", None)
    if rows:
        Image.fromarray(picture.permute(1, 2, 0).numpy()).save(path, tiffinfo={278: rows})
    else:
        pyvips.Image.new_from_array(picture.permute(1, 2, 0).numpy()).tiffsave(str(path), **options)
    assert torch.equal(read_image(path)[0], picture)
    data = path.read_bytes()
    for length in (4, 20, len(data) // 2, len(data) - 1):
        path.write_bytes(data[:length])
        with pytest.raises(ImageError, match=r"truncated or damaged|not a readable picture"):
            read_image(path)


def test_what_cannot_be_written(tmp_path):
    picture = random_picture()
    wide = random_picture(dtype=torch.uint16)
    cases = [
        ("a.gif", picture, {}, "cannot write '.gif', want .png"),
        ("a", picture, {}, "cannot write 'a name without suffix'"),
        ("a.png", picture[0], {}, "got a tensor of shape [13, 17], want [1 or 3, H, W]"),
        ("a.png", random_picture(2), {}, "want [1 or 3, H, W]"),
        ("a.png", picture.int(), {}, "got dtype torch.int32"),
        ("a.png", torch.full((1, 2, 2), torch.nan), {}, "holds NaN or infinite values"),
        ("a.png", torch.zeros(1, 2, 2), {"bits": 12}, "got bits = 12, want 8 or 16"),
        ("a.png", picture, {"bits": 16}, "got a 8-bit picture to write with 16 bits"),
        ("a.jpg", wide, {}, "JPEG holds 8 bits per channel"),
        ("a.webp", torch.zeros(1, 2, 2), {"bits": 16}, "WEBP holds 8 bits per channel"),
        ("a.png", picture, {"like": ImageInfo("png", 8, 3, 2, 2, random_picture(1, 2, 2))}, "alpha of size [2, 2]"),
    ]
    for name, tensor, keywords, message in cases:
        fails(message, write_image, tmp_path / name, tensor, **keywords)
    assert list(tmp_path.iterdir()) == []


def test_a_failed_write_leaves_the_old_file_and_no_temporary(tmp_path, monkeypatch):
    path = tmp_path / "a.png"
    write_image(path, random_picture())
    before = path.read_bytes()

    def fail(*args, **kwargs):
        (tmp_path / args[1].split("/")[-1]).write_bytes(b"half")
        raise pyvips.Error("disk full")

    monkeypatch.setattr(pyvips.Image, "pngsave", fail, raising=False)
    fails("cannot write", write_image, path, random_picture(), error=OutputError)
    assert path.read_bytes() == before
    assert [file.name for file in tmp_path.iterdir()] == ["a.png"]
    monkeypatch.undo()
    fails("cannot write", write_image, tmp_path / "missing" / "a.png", random_picture(), error=OutputError)


def test_atomic_path(tmp_path):
    target = tmp_path / "a.txt"
    with atomic_path(target) as temporary:
        temporary.write_text("new")
        assert not target.exists()
    assert target.read_text() == "new"

    def interrupted():
        with atomic_path(target) as temporary:
            temporary.write_text("half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert target.read_text() == "new"
    assert [file.name for file in tmp_path.iterdir()] == ["a.txt"]


def test_output_folders(tmp_path):
    assert check_output_folder(tmp_path / "a" / "b") == tmp_path / "a" / "b"
    assert not (tmp_path / "a").exists()
    assert make_output_folder(tmp_path / "a" / "b").is_dir()
    (tmp_path / "file").write_text("x")
    fails("cannot write to the folder", check_output_folder, tmp_path / "file", error=OutputError)
    fails("file is a file", make_output_folder, tmp_path / "file" / "x", error=OutputError)
    if os.path.isdir("/proc/self"):
        fails("cannot write to the folder /proc/x", check_output_folder, "/proc/x", error=OutputError)


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write anywhere")
def test_read_only_folder(tmp_path):
    tmp_path.chmod(0o500)
    fails("Permission denied", check_output_folder, tmp_path / "out", error=OutputError)


def test_a_name_that_is_no_text_is_one_error(tmp_path):
    path = Path(os.fsdecode(os.fsencode(tmp_path) + b"/a\xff.png"))
    with pytest.raises(ImageError, match="a name that is no UTF-8"):
        write_image(path, torch.zeros(3, 4, 4))
    path.write_bytes(b"")
    with pytest.raises(ImageError, match="a name that is no UTF-8"):
        read_image(path)
