"""``lfdeblur simulate``, and what ``info`` tells of its containers."""

import pytest
import torch

from lfdeblur_models.data import read_light_field, simulate_capture, write_capture
from lfdeblur_models.io.images import read_image

from ..data.lenslets.captures import plane
from ..data.toy_scenes import write_scene


@pytest.fixture
def scene(tmp_path):
    field = plane(0.5)
    return write_scene(tmp_path / "plane", field.copy(views=(field.views * 255).to(torch.uint8)))


def test_a_container_and_what_info_tells_of_it(run, scene, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    told = ("--transfer", "linear", "--size", "240x260", "--rotation", "0.4", "--offset=2.5,-1", "--disparity", "0.5")
    code, out, err = run("simulate", scene, "--out", "a.lfp", *told)
    assert (code, err) == (0, "")
    assert out.startswith(
        "a.lfp: 260x240 pixels of 12 bits, BGGR, below hexagonal lenslets of 10 pixels; a lenslet is 2."
    )
    assert read_light_field("a.lfp").metadata["camera"] == "F01"
    code, out, _ = run("info", "a.lfp")
    assert code == 0
    for text in ("Lytro container", "imageRef", "modulationDataRef", "11 rows x 11 columns", "contact_sheet.png"):
        assert text in out
    again = ("simulate", scene, "--out", "b.lfp", *told)
    assert run(*again, "--seed", 0)[0] == 0
    assert (tmp_path / "a.lfp").read_bytes() == (tmp_path / "b.lfp").read_bytes()
    assert run(*again, "--seed", 1)[0] == 0
    assert (tmp_path / "a.lfp").read_bytes() != (tmp_path / "b.lfp").read_bytes()
    # Without its white picture, info says why there are no views, and what to do.
    assert run("simulate", scene, "--out", "c.lfp", *told, "--calibration", "camera")[0] == 0
    (tmp_path / "x").mkdir()
    (tmp_path / "camera").rename(tmp_path / "x" / "camera")
    (tmp_path / "alone").mkdir()
    (tmp_path / "c.lfp").rename(tmp_path / "alone" / "c.lfp")
    code, out, _ = run("info", "alone/c.lfp")
    assert code == 0
    assert "no white picture in the container, alone" in " ".join(out.split())
    code, out, _ = run("info", "alone/c.lfp", "--white", "x/camera", "--out", "sheet")
    assert code == 0
    assert (tmp_path / "sheet" / "contact_sheet.png").is_file()


def test_pictures_in_a_folder(run, scene, tmp_path):
    out = tmp_path / "lab"
    told = ("--camera", "lab", "--lenslets", "hexagonal", "--pitch", 9, "--bits", 12, "--noise", "0:0")
    assert run("simulate", scene, "--out", out, *told)[0] == 0
    picture, info = read_image(out / "white.png")
    assert (info.bits, picture.numpy().max() < 4096) == (16, True)
    assert list(picture.shape) == [1, 540, 540]
    field = read_light_field(out)
    assert field.metadata["lenslets"] == "hexagonal"
    assert field.metadata["lenslet_pitch"] == pytest.approx(9, abs=0.01)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--camera", "phone"), "camera: got 'phone', want f01, illum or lab"),
        (("--lenslets", "round"), "lenslets: got 'round', want hexagonal or square"),
        (("--size", "3280"), "--size: got '3280', want HEIGHTxWIDTH"),
        (("--size", "20x3280"), "size: got 3280x20 pixels, want 8 lenslets of 10 pixels each way"),
        (("--size", "99999x3280"), "size: got 3280x99999 pixels, want at most 32768 each way"),
        (("--disparity", "nan"), "disparity: got NaN or infinite values"),
        (("--pitch", "2"), "pitch: got 2.0, want at least 5 pixels"),
        (("--rotation", "40"), "rotation: got 40.0, want from -15 to 15 degrees"),
        (("--offset", "3"), "--offset: got '3', want DOWN,RIGHT"),
        (("--bits", "20"), "bits: got 20, want from 8 to 16"),
        (("--bits", "11"), "unknown pixel format: got 11 bits, big endian"),
        (("--noise", "loud"), "noise: got 'loud', want SHOT:READ"),
        (("--disparity", "near"), "--disparity: got 'near', want a number"),
        (("--seed", 10**20), "--seed"),
        (("--size", "9999999x9999999"), "size: got 9999999x9999999 pixels, want at most 32768 each way"),
        (("--camera", "lab"), "a container holds the picture of a Bayer sensor; name a folder for 'lab'"),
        (("--out", "folder", "--calibration", "camera"), "calibration: only containers"),
    ],
)
def test_bad_options(run, scene, tmp_path, monkeypatch, options, message):
    monkeypatch.chdir(tmp_path)
    code, _, err = run("simulate", scene, "--out", "a.lfp", *options)
    assert code == 2
    assert message in err
    assert [path.name for path in tmp_path.iterdir()] == ["plane"]


def test_bad_arguments_in_python(tmp_path):
    field = plane(0.5)
    with pytest.raises(ValueError, match="disparity: got shape"):
        simulate_capture(field, "lab", disparity=torch.zeros(3, 4))
    with pytest.raises(ValueError, match="disparity: got NaN or infinite values"):
        simulate_capture(field, "lab", disparity=torch.full(field.size, float("nan")))
    with pytest.raises(ValueError, match="noise: got"):
        simulate_capture(field, "lab", noise=(-1.0, 0.0))
    with pytest.raises(ValueError, match="camera: got 'M'"):
        simulate_capture(field, "M")
    capture = simulate_capture(field, "lab")
    with pytest.raises(ValueError, match="name a folder"):
        write_capture(capture, tmp_path / "a.lfr")
