"""``lfdeblur deblur``: what is kept of a picture, batches with broken files, interrupts, options."""

import functools
import os
import signal
import subprocess
import sys
import threading

import numpy as np
import pytest
import pyvips
import torch
from PIL import Image, ImageCms
from safetensors.torch import save_file

from lfdeblur_models import DRBNet, deblur, exact_overlap, load_network
from lfdeblur_models.inference import photos
from lfdeblur_models.inference.memory_need import Need
from lfdeblur_models.inference.photos import Pipeline, open_photo
from lfdeblur_models.inference.tiled_network import TiledNetwork
from lfdeblur_models.io.images import ImageInfo, decode_pixels, open_image, read_image, write_image
from lfdeblur_models.io.srgb import linear_to_srgb, srgb_to_linear

from ..data_paths import data_folder
from ..natural import natural, psnr
from ..processes import started, wait_until

OVERLAP = exact_overlap(DRBNet(width=6, scales=2, kernel_size=3))  # of the network that the fixture writes
EXACT = ("--dtype", "float32")  # auto takes bfloat16 where that is fast


@pytest.fixture
def run(command):
    return functools.partial(command, "deblur")


@pytest.fixture
def weights(tmp_path):
    """A file of weights of a small network."""
    path = tmp_path / "small.pt"
    torch.save(natural(width=6, scales=2, kernel_size=3).state_dict(), path)
    return path


def colours(h=40, w=56, bits=8, channels=3, seed=0):
    generator = torch.Generator().manual_seed(seed)
    high = 256 if bits == 8 else 65536
    values = torch.randint(0, high, (channels, h, w), generator=generator, dtype=torch.int32)
    return values.to(torch.uint8 if bits == 8 else torch.uint16)


def expected(weights, pixels):
    bits = 8 if pixels.dtype == torch.uint8 else 16
    return deblur(load_network(weights), pixels.float() / (2**bits - 1)) * (2**bits - 1)


@pytest.mark.parametrize("tile", [None, 2 * OVERLAP + 12])
@pytest.mark.parametrize(
    ("suffix", "bits", "channels", "alpha"),
    [("png", 8, 3, True), ("png", 16, 3, True), ("tif", 16, 1, False), ("png", 8, 1, True), ("webp", 8, 3, True)],
)
def test_values_depth_and_alpha(run, tmp_path, weights, suffix, bits, channels, alpha, tile):
    pixels = colours(101, 90, bits, channels)
    source = tmp_path / f"a.{suffix}"
    write_image(
        source, pixels, like=ImageInfo("png", bits, channels, 101, 90, colours(101, 90, bits, 1, 1) if alpha else None)
    )
    options = EXACT if bits == 8 else ()  # auto is exact for 16 bits
    options += () if tile is None else ("--tile", tile, "--overlap", OVERLAP)
    code, said, err = run(source, "--out", tmp_path / "out", "--weights", weights, *options)
    assert (code, err) == (0, "")
    assert said.startswith(f"1 picture in {tmp_path / 'out'}: 0.01 megapixels in ")
    got, info = read_image(tmp_path / "out" / source.name)
    before = read_image(source)[1]
    assert info == before
    assert (info.alpha is None) == (not alpha)
    if alpha:
        assert torch.equal(info.alpha.int(), before.alpha.int())
    # Tiles see the whole receptive field here: what remains is rounding.
    assert (got.double() - expected(weights, pixels)).abs().max() <= 0.5 + 1e-5 * 2**bits


@pytest.mark.parametrize("suffix", ["jpg", "png", "tif"])
def test_profile_exif_and_stored_orientation_are_kept(run, tmp_path, weights, suffix):
    source = tmp_path / f"a.{suffix}"
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    exif = Image.Exif()
    exif[0x0112], exif[0x010F] = 6, "Lens maker"
    y, x = np.mgrid[0:40, 0:56]
    pixels = np.stack([x * 4, y * 6, x + y], -1).astype(np.uint8)
    Image.fromarray(pixels).save(source, exif=exif, icc_profile=profile, dpi=(300, 300))
    assert run(source, "--out", tmp_path / "out", "--weights", weights)[0] == 0
    result = tmp_path / "out" / source.name
    assert open_image(result, upright=False)[1].width == 56
    before, after = Image.open(source), Image.open(result)
    assert after.size == before.size  # Pillow turns TIFF alone
    assert after.getexif()[0x0112] == 6
    assert after.info["icc_profile"] == profile
    assert after.info["dpi"][0] == pytest.approx(300, abs=0.1)
    if suffix != "tif":  # libvips writes no camera maker into TIFF
        assert after.getexif()[0x010F] == "Lens maker"
    stored, got = (decode_pixels(path, open_image(path, upright=False)[0]) for path in (source, result))
    want = expected(weights, torch.from_numpy(stored).permute(2, 0, 1)) / 255
    assert psnr(torch.from_numpy(got).permute(2, 0, 1) / 255, want) > 35


def test_broken_files_do_not_stop_the_rest(run, tmp_path, weights):
    good = [tmp_path / f"good{i}.png" for i in range(3)]
    for i, path in enumerate(good):
        write_image(path, colours(64, 64, seed=i))
    cut, empty, cmyk = (tmp_path / name for name in ("cut.png", "empty.png", "ink.jpg"))
    cut.write_bytes(good[0].read_bytes()[:5000])
    empty.write_bytes(b"")
    Image.new("CMYK", (16, 16)).save(cmyk)
    batch = [good[0], cut, empty, good[1], cmyk, good[2]]
    code, said, err = run(*batch, "--out", tmp_path / "out", "--weights", weights, *EXACT)
    assert code == 1
    assert said.startswith(f"3 pictures in {tmp_path / 'out'}: ")
    assert sorted(file.name for file in (tmp_path / "out").iterdir()) == [path.name for path in good]
    for i, path in enumerate(good):
        got = read_image(tmp_path / "out" / path.name)[0]
        assert (got - expected(weights, colours(64, 64, seed=i))).abs().max() <= 0.51
    lines = err.strip().splitlines()
    assert len(lines) == 3
    for path, reason in (
        (cut, "truncated or damaged"),
        (empty, "not a readable"),
        (cmyk, "a CMYK picture; its colours"),
    ):
        assert sum(line.startswith(f"lfdeblur: error: {path}: ") and reason in line for line in lines) == 1


def test_a_single_broken_file(run, tmp_path, weights):
    Image.new("CMYK", (16, 16)).save(tmp_path / "ink.tif")
    code, said, err = run(tmp_path / "ink.tif", "--out", tmp_path / "out", "--weights", weights)
    assert (code, err.count("\n")) == (1, 1)
    assert "CMYK" in err
    assert not (tmp_path / "out").exists()
    assert said == f"0 pictures in {tmp_path / 'out'}\n"


def test_results_that_the_name_cannot_hold(run, tmp_path, weights):
    write_image(tmp_path / "wide.png", colours(bits=16))
    (tmp_path / "wide.png").rename(tmp_path / "wide.jpg")
    write_image(tmp_path / "a.png", colours())
    (tmp_path / "a.png").rename(tmp_path / "a.photo")
    code, _, err = run(tmp_path / "wide.jpg", tmp_path / "a.photo", "--out", tmp_path / "out", "--weights", weights)
    assert code == 1
    assert "JPEG holds 8 bits per channel" in err
    assert "cannot write '.photo'" in err


def test_a_result_that_cannot_be_written_is_reported(run, tmp_path, weights):
    for name in "ab":
        write_image(tmp_path / f"{name}.png", colours())
    (tmp_path / "out" / "a.png").mkdir(parents=True)
    code, _, err = run(tmp_path / "a.png", tmp_path / "b.png", "--out", tmp_path / "out", "--weights", weights)
    assert code == 1
    assert "cannot write" in err
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == ["a.png", "b.png"]


def test_a_network_that_gives_nan_writes_nothing(run, tmp_path):
    net = natural(width=6, scales=2, kernel_size=3)
    net.encoder[0][0].bias.data.fill_(3e38)  # finite itself, as files of weights have to be
    torch.save(net.state_dict(), tmp_path / "nan.pt")
    write_image(tmp_path / "a.png", colours())
    code, _, err = run(tmp_path / "a.png", "--out", tmp_path / "out", "--weights", tmp_path / "nan.pt")
    assert code == 1
    assert "a.png: the network gives NaN" in err
    assert list((tmp_path / "out").iterdir()) == []


def test_dual_view(run, tmp_path, weights):
    net = natural(views=2, width=6, scales=2, kernel_size=3)
    torch.save(net.state_dict(), tmp_path / "dual.pt")
    left, right = colours(seed=1), colours(seed=2)
    center = ((left.int() + right.int()) // 2).to(torch.uint8)
    for name, pixels in (("c", center), ("l", left), ("r", right), ("other", colours(30, 30))):
        write_image(tmp_path / f"{name}.png", pixels)
    views = ("--left", tmp_path / "l.png", "--right", tmp_path / "r.png")
    to = ("--out", tmp_path / "out", "--weights", tmp_path / "dual.pt", *EXACT)
    assert run(tmp_path / "c.png", *views, *to)[0] == 0
    want = deblur(net, center / 255, left=left / 255, right=right / 255) * 255
    assert (read_image(tmp_path / "out" / "c.png")[0] - want).abs().max() <= 0.51
    code, _, err = run(tmp_path / "c.png", *views[:3], tmp_path / "other.png", *to)
    assert (code, "differs from" in err) == (1, True)
    for arguments, message in (
        ((tmp_path / "c.png", *to), "weights of the dual-view network; they need one IMG"),
        ((tmp_path / "c.png", tmp_path / "other.png", *views, *to), "they need one IMG"),
        ((tmp_path / "c.png", *views, "--out", tmp_path / "out", "--weights", weights), "weights of the single-view"),
        ((tmp_path / "c.png", *views, "--out", tmp_path / "out"), "--left and --right: they need --weights"),
    ):
        code, _, err = run(*arguments)
        assert (code, err.count("\n"), message in err) == (2, 1, True), err


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--memory", "lots"), "--memory: got 'lots', want a size such as 2GB"),
        (("--memory", "1MB"), "--memory: got 1 MB, want at least"),
        (("--dtype", "int8"), "--dtype: got 'int8', want auto, float32, bfloat16 or float16"),
        (("--device", "tpu"), "--device: got 'tpu', want auto, cpu or cuda"),
        (("--tile", "24", "--overlap", "16"), "--tile: got 24, want at least"),
        (("--overlap", "-1"), "Invalid value for '--overlap'"),
        (("--left", "nowhere.png"), "nowhere.png: no such file"),
    ],
)
def test_bad_options(run, tmp_path, weights, options, message):
    write_image(tmp_path / "a.png", colours())
    before = sorted(tmp_path.rglob("*"))
    code, said, err = run(tmp_path / "a.png", "--out", tmp_path / "out", "--weights", weights, *options)
    assert (code, said, err.count("\n")) == (2, "", 1)
    assert message in err
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize("dtype", ["float32", "bfloat16", "float16"])
def test_dtypes(run, tmp_path, weights, dtype):
    pixels = colours(64, 64)
    write_image(tmp_path / "a.png", pixels)
    options = ("--weights", weights, "--dtype", dtype, "--device", "cpu")
    assert run(tmp_path / "a.png", "--out", tmp_path / "out", *options)[0] == 0
    got = read_image(tmp_path / "out" / "a.png")[0]
    assert psnr(got / 255, expected(weights, pixels) / 255) > (55 if dtype == "float32" else 35)


def test_safetensors(run, tmp_path, weights):
    save_file(torch.load(weights, weights_only=True), tmp_path / "small.safetensors")
    for name, value in load_network(tmp_path / "small.safetensors").state_dict().items():
        assert torch.equal(value, torch.load(weights, weights_only=True)[name])
    (tmp_path / "cut.safetensors").write_bytes((tmp_path / "small.safetensors").read_bytes()[:100])
    write_image(tmp_path / "a.png", colours())
    to = ("--out", tmp_path / "out", "--weights")
    assert run(tmp_path / "a.png", *to, tmp_path / "small.safetensors")[0] == 0
    code, _, err = run(tmp_path / "a.png", *to, tmp_path / "cut.safetensors")
    assert (code, "cut.safetensors: not a readable file of weights" in err) == (2, True)


def test_folder_by_default(run, tmp_path, weights, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_image(tmp_path / "a.png", colours())
    assert run("a.png", "--weights", weights)[1].startswith("1 picture in restored: ")
    assert (tmp_path / "restored" / "a.png").is_file()


@pytest.mark.parametrize("name", ["noref-defocus/text_defocus.jpg", "pairs-lfdof/input/IMG_2385.png"])
def test_real_pictures_in_tiles(run, tmp_path, name):
    folder, file = name.split("/", 1)
    source = data_folder(folder) / file
    torch.save(natural(width=4).state_dict(), tmp_path / "w.pt")
    pixels, info = read_image(source)
    to = ("--out", tmp_path / "out", "--weights", tmp_path / "w.pt", "--tile", 312)
    assert run(source, *to)[0] == 0
    got, after = read_image(tmp_path / "out" / source.name)
    assert (after.format, after.bits, after.alpha is None) == (info.format, info.bits, info.alpha is None)
    whole = expected(tmp_path / "w.pt", pixels) / 255
    assert psnr(got / 255, whole) > (50 if info.format == "png" else 40)


def make_photos(tmp_path, count, h=64, w=64):
    found = []
    for i in range(count):
        write_image(tmp_path / f"{i}.png", colours(h, w, seed=i))
        found.append(open_photo([tmp_path / f"{i}.png"], tmp_path / "out" / f"{i}.png"))
    (tmp_path / "out").mkdir()
    return found


def test_neighbours_are_decoded_and_encoded_meanwhile(tmp_path, monkeypatch):
    """While a picture is in the network, the next one is decoded and the one before encoded; three are held at most."""
    batch = make_photos(tmp_path, 5)
    decoded, written, held = threading.Semaphore(0), [], []
    in_network = [threading.Event() for _ in batch]
    real_decode, real_write = photos.decode_pixels, photos.write_pixels

    def decode(path, image):
        pixels = real_decode(path, image)
        held.append(len(held) + 1 - len(written))
        decoded.release()
        return pixels

    def write(*args, **kwargs):
        following = len(written) + 1
        assert following == len(batch) or in_network[following].wait(20)
        real_write(*args, **kwargs)
        written.append(args[0])

    monkeypatch.setattr(photos, "decode_pixels", decode)
    monkeypatch.setattr(photos, "write_pixels", write)
    net = natural(width=4, scales=2, kernel_size=3)

    def network(x):
        number = sum(event.is_set() for event in in_network)
        new = 2 if number == 0 else 0 if number == len(batch) - 1 else 1  # the first one itself, and the next one
        assert all(decoded.acquire(timeout=20) for _ in range(new))
        in_network[number].set()
        return net(x)

    assert Pipeline(TiledNetwork(net, call=network, tile=64)).run(batch) == []
    assert written == [photo.target for photo in batch]
    assert max(held) == 3


def test_little_memory_takes_one_after_the_other(tmp_path):
    batch = make_photos(tmp_path, 3, 160, 200)
    net = natural(width=4, scales=2, kernel_size=3)
    tiled = TiledNetwork(net)
    tiled.need = Need(0.0, 100.0)  # what is measured differs from run to run, and with it the number of tiles
    pipeline = Pipeline(tiled, 10**12)
    assert pipeline._plan(batch)[1]
    pipeline._left = tiled.least + 6 * max(p.encoding for p in batch)
    grids, ahead = pipeline._plan(batch)
    assert not ahead
    assert 1 < len(grids[0].rows) < 9
    assert pipeline.run(batch) == []
    for photo in batch:
        pixels = read_image(photo.paths[0])[0]
        got = read_image(photo.target)[0]
        assert psnr(got / 255, deblur(net, pixels / 255)) > 50
    pipeline._left = tiled.least
    reasons = pipeline.run(batch)
    assert len(reasons) == 3
    assert all(f"{i}.png: " in reason and "takes" in reason for i, reason in enumerate(reasons))


def test_progress_counts_every_pixel(tmp_path):
    batch = make_photos(tmp_path, 2, 150, 170)
    batch[0].paths[0].write_bytes(batch[0].paths[0].read_bytes()[:4000])
    seen = []
    net = natural(width=4, scales=2, kernel_size=3)
    failed = Pipeline(TiledNetwork(net, tile=112), progress=seen.append).run(batch)
    assert len(failed) == 1
    assert sum(seen) == 2 * 150 * 170
    assert len(seen) > 3


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), pytest.param(signal.SIGTERM, 143, marks=pytest.mark.slow)]
)
def test_interrupts_leave_whole_files_only(tmp_path, weights, number, code):
    write_image(tmp_path / "0.png", colours(300, 400))
    data = (tmp_path / "0.png").read_bytes()
    for i in range(1, 100):
        (tmp_path / f"{i}.png").write_bytes(data)
    out = tmp_path / "out"
    command = [sys.executable, "-W", "ignore", "-m", "lfdeblur_models.cli", "deblur"]
    command += [*(tmp_path / f"{i}.png" for i in range(100)), "--out", out, "--weights", weights]
    with started(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        wait_until(lambda: len(list(out.glob("[0-9]*.png"))) >= 2, process)
        process.send_signal(number)
        said, err = process.communicate(timeout=120)
    assert (process.returncode, said) == (code, "")
    assert err.strip() == ("lfdeblur: interrupted" if number == signal.SIGINT else "")
    files = os.listdir(out)
    assert 2 <= len(files) < 100
    for name in files:
        assert not name.startswith(".")
        assert read_image(out / name)[0].shape == (3, 300, 400)


def test_an_interrupt_stops_encoding(tmp_path, monkeypatch):
    """The picture in the encoder is not waited for, and its temporary file goes."""
    batch = make_photos(tmp_path, 2, 64, 64)
    net = natural(width=4, scales=2, kernel_size=3)
    encoding, killed = threading.Event(), threading.Event()

    def write(path, pixels, *, like, started):
        class Slow:
            def set_kill(self, kill):
                killed.set()

        started(Slow())
        encoding.set()
        assert killed.wait(20)
        raise photos.OutputError("killed")

    def network(x):
        if len(calls) == 1:
            assert encoding.wait(20)
            raise KeyboardInterrupt
        calls.append(1)
        return net(x)

    calls = []
    monkeypatch.setattr(photos, "write_pixels", write)
    with pytest.raises(KeyboardInterrupt):
        Pipeline(TiledNetwork(net, call=network, tile=64)).run(batch)
    assert killed.is_set()
    assert list((tmp_path / "out").iterdir()) == []


def test_files_in_work_are_told_apart_by_identity():
    """To compare two pictures compares their pixels, and fails for those of different channels."""
    pipeline = Pipeline(TiledNetwork(natural(width=6, scales=2)))
    two, three = (pyvips.Image.black(4, 5, bands=bands) for bands in (2, 3))
    with pipeline._cancellable(two):
        with pipeline._cancellable(three):
            assert list(pipeline._busy) == [id(two), id(three)]
        assert list(pipeline._busy) == [id(two)]
    assert not pipeline._busy


@pytest.mark.parametrize("suffix", ["bmp", "ppm", "avif"])
def test_other_kinds_stay_what_they_are(run, tmp_path, weights, suffix):
    source = tmp_path / f"a.{suffix}"
    write_image(source, colours(64, 72))
    code, _, err = run(source, "--out", tmp_path / "out", "--weights", weights, *EXACT)
    assert (code, err) == (0, "")
    got, info = read_image(tmp_path / "out" / source.name)
    assert info == read_image(source)[1]
    assert (got.double() - expected(weights, colours(64, 72))).abs().max() <= 0.51


@pytest.mark.parametrize("suffix", ["exr", "tif"])
def test_linear_light_is_restored_encoded_and_keeps_what_is_above_white(run, tmp_path, weights, suffix):
    if suffix == "exr":
        pytest.importorskip("OpenEXR", reason="needs the extra pictures")
    light = torch.rand(3, 64, 72, generator=torch.Generator().manual_seed(0)) * 1.5 - 0.1
    light[:, 20:24, 30:34] = 90.0
    source = tmp_path / f"a.{suffix}"
    write_image(source, light, bits=32)
    assert run(source, "--out", tmp_path / "out", "--weights", weights)[0] == 0
    got, info = read_image(tmp_path / "out" / source.name)
    assert (info.bits, info.transfer) == (32, "linear")
    seen = light.clamp(0, 1)
    want = srgb_to_linear(deblur(load_network(weights), linear_to_srgb(seen))) + light - seen
    torch.testing.assert_close(got, want, atol=1e-4, rtol=1e-4)
    assert run(source, "--out", tmp_path / "same", "--weights", weights, "--strength", "0")[0] == 0
    torch.testing.assert_close(read_image(tmp_path / "same" / source.name)[0], light, atol=1e-5, rtol=1e-5)
    light[0, 0, 0] = float("nan")
    pyvips.Image.new_from_array(light.permute(1, 2, 0).numpy()).tiffsave(str(tmp_path / "n.tif"))
    code, _, err = run(tmp_path / "n.tif", "--out", tmp_path / "out", "--weights", weights)
    assert code == 1
    assert "n.tif: holds NaN, want light" in err


def test_what_is_read_and_not_written_becomes_a_png(run, tmp_path, weights):
    heif = pytest.importorskip("pillow_heif", reason="needs the extra pictures")
    pixels = colours(64, 72)
    heif.from_bytes("RGB", (72, 64), pixels.permute(1, 2, 0).contiguous().numpy().tobytes()).save(tmp_path / "a.heic")
    stored = read_image(tmp_path / "a.heic")[0]
    code, _, err = run(tmp_path / "a.heic", "--out", tmp_path / "out", "--weights", weights, *EXACT)
    assert code == 0
    result = tmp_path / "out" / "a.png"
    assert err == f"lfdeblur: note: {tmp_path / 'a.heic'}: HEIC is read, not written: the result is {result}\n"
    got, _ = read_image(result)
    assert (got.double() - expected(weights, stored)).abs().max() <= 0.51
    write_image(tmp_path / "a.png", pixels)
    code, _, err = run(tmp_path / "a.heic", tmp_path / "a.png", "--out", tmp_path / "out", "--weights", weights)
    assert code == 2
    assert f"both results would be {result}" in err
