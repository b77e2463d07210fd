"""Raw pictures below square lenslets: the grid, the views and their sign, on a made picture and on a microscope's."""

import numpy as np
import pytest
import torch

from lfdeblur_models.data import LightFieldError, find_sources, read_light_field
from lfdeblur_models.data.lenslets.fit import fit_lenslets
from lfdeblur_models.data.lenslets.grid import GridError
from lfdeblur_models.io.images import write_image
from lfdeblur_ops.testing import FEW_ROUNDINGS

from ...data_paths import data_folder

PITCH, ROTATION, FIRST = 11.3, 0.8, 9.2 + 10.6j  # pixels, degrees, x + iy
STEP = PITCH * np.exp(1j * np.radians(ROTATION))
DISPARITY = 0.6
SIZE = (24, 30)  # lenslets


def scene(y, x):
    """Smooth light in [0, 1] at any place of the picture, in lenslets."""
    return 0.5 + 0.2 * np.sin(0.7 * y + 0.3) + 0.2 * np.cos(0.9 * x - 0.4 * y)


def raw_pictures(disparity=DISPARITY, skew=0.0):
    """White picture, dark frame and capture, uint16, as a sensor behind lenslets sees a plane of one disparity."""
    height, width = (round(PITCH * (count + 1)) for count in SIZE)
    y, x = np.mgrid[:height, :width]
    place = (x + 1j * y - FIRST) / STEP
    columns, rows = place.real + skew * place.imag, place.imag
    row, column = np.rint(rows), np.rint(columns)
    down, across = rows - row, columns - column  # in the lenslet, -0.5 to 0.5
    views = round(PITCH)
    light = scene(row + disparity * views * down, column + disparity * views * across)
    lens = np.exp(-((np.hypot(down, across) / 0.52) ** 12))  # a round pupil
    falloff = 1 - 0.4 * np.hypot(y / height - 0.5, x / width - 0.5)
    dark = 100 + (x + y) % 3
    white = 30000 * lens * falloff
    return [np.rint(values).astype(np.uint16) for values in (dark + white, dark, dark + 0.5 * white * light)]


def write_raw(folder, pictures, names=("white", "dark", "capture")):
    folder.mkdir()
    for name, picture in zip(names, pictures, strict=True):
        write_image(folder / f"{name}.tif", torch.from_numpy(picture)[None])
    return folder


def test_the_grid_is_found_to_a_fraction_of_a_pixel():
    white, dark, _ = raw_pictures()
    grid, (rows, columns) = fit_lenslets(white.astype(float) - dark)
    assert abs(grid.step - STEP) < 0.005  # a spot leans to the brighter middle of the white picture
    assert grid.pitch == pytest.approx(PITCH, abs=0.005)
    assert grid.rotation == pytest.approx(ROTATION, abs=0.01)
    off = (grid.origin - FIRST) / STEP  # whole lenslets away from the one that we counted from
    assert abs(off - complex(round(off.real), round(off.imag))) < 0.01
    assert SIZE[0] - 2 <= rows <= SIZE[0]
    assert SIZE[1] - 2 <= columns <= SIZE[1]


def test_views_are_those_of_the_scene(tmp_path):
    folder = write_raw(tmp_path / "lab", raw_pictures())
    field = read_light_field(folder)
    assert (field.format, field.scene, field.transfer) == ("raw-lenslet", "capture", "linear")
    assert field.dtype == torch.float32
    assert field.lazy
    n = round(PITCH)
    assert field.grid == (n, n)
    assert field.metadata["lenslet_pitch"] == pytest.approx(PITCH, abs=0.005)
    used = field.weights > 0
    assert used[n // 2].all()  # along the middle row the pupil fills the lenslet
    assert not used[[0, 0, -1, -1], [0, -1, 0, -1]].any()
    assert 0 <= field.views.min() <= field.views.max() <= 1

    # Which lenslet is the first is the reader's choice; it is told apart by the scene itself.
    grid, _ = fit_lenslets(np.subtract(*(p.astype(float) for p in raw_pictures()[:2])))
    first = (grid.origin - FIRST) / STEP
    y, x = np.mgrid[: field.size[0], : field.size[1]]
    y, x = y + first.imag, x + first.real
    want = np.stack(
        [[scene(y + DISPARITY * (v - n // 2), x + DISPARITY * (u - n // 2)) for u in range(n)] for v in range(n)]
    )
    got = field.views[:, :, 0].double().numpy()
    # A lenslet is sampled at its own pixels, a fraction of a view away: the disparity makes that a small error.
    inner = (slice(2, -2), slice(2, -2))
    scale = (got[inner] / want[inner]).mean()
    wrong = np.abs(got / scale - want)[inner][used.numpy()[inner]]
    assert wrong.mean() < 0.02
    mirrored = np.abs(got / scale - want[::-1, ::-1])[inner][used.numpy()[inner]]
    assert mirrored.mean() > 5 * wrong.mean()


def test_a_window_has_the_values_of_the_whole(tmp_path):
    folder = write_raw(tmp_path / "lab", raw_pictures())
    whole = read_light_field(folder)
    part = read_light_field(folder / "capture.tif", views=5, crop=(3, 4, 10, 12))
    kept = whole.crop_views(5, 5)
    torch.testing.assert_close(part.views, kept.views[..., 3:13, 4:16], rtol=0, atol=FEW_ROUNDINGS)
    assert read_light_field(folder, lenslet=7).grid == (7, 7)


def test_captures_of_one_folder_share_its_white_picture(tmp_path):
    white, dark, capture = raw_pictures()
    folder = write_raw(tmp_path / "lab", [white, dark, capture, capture // 2 + 60], ("White", "DarkFrame", "a", "b"))
    assert [(source.kind, source.scene) for source in find_sources(folder)] == [
        ("light_field", "a"),
        ("light_field", "b"),
    ]
    assert [source.kind for source in find_sources(folder / "a.tif")] == ["light_field"]
    with pytest.raises(LightFieldError, match=r"holds 2 raw pictures; name one of a\.tif, b\.tif"):
        read_light_field(folder)
    (folder / "DarkFrame.tif").unlink()
    assert read_light_field(folder / "a.tif").metadata["dark"] is None


def test_what_is_no_raw_picture_is_refused(tmp_path):
    white, dark, capture = raw_pictures()
    with pytest.raises(LightFieldError, match="not a raw lenslet picture: want grey pictures of one size"):
        read_light_field(write_raw(tmp_path / "none", [dark, capture], ("dark", "capture")), "raw-lenslet")
    smaller = write_raw(tmp_path / "sizes", [white[:-2], dark, capture])
    with pytest.raises(LightFieldError, match="not a raw lenslet picture"):
        read_light_field(smaller, "raw-lenslet")
    even = write_raw(tmp_path / "even", [np.full_like(white, 900), dark, capture])
    with pytest.raises(LightFieldError, match=r"white\.tif: no grid of lenslets is seen"):
        read_light_field(even)
    black = write_raw(tmp_path / "black", [white, dark, dark])
    with pytest.raises(LightFieldError, match="no brighter than its dark frame"):
        read_light_field(black).views  # noqa: B018
    with pytest.raises(GridError, match="want a square or hexagonal grid"):
        fit_lenslets(np.subtract(*(p.astype(float) for p in raw_pictures(skew=0.5)[:2])))


def test_a_white_picture_that_does_not_fit_is_refused(tmp_path):
    white, dark, capture = raw_pictures()
    folder = write_raw(tmp_path / "lab", [white, dark, capture])
    path = folder / "capture.tif"
    other = write_raw(tmp_path / "other", [white[:-2], dark[:8, :8]], ("white", "colour"))
    write_image(other / "colour.tif", torch.from_numpy(np.stack([white] * 3)))
    height, width = white.shape
    for options, message in (
        ({"white": tmp_path / "gone.tif"}, "gone.tif: no such file"),
        ({"white": folder}, "is a folder, want a picture"),
        ({"white": other / "white.tif"}, f"the white picture has {width}x{height - 2} pixels of 16 bits, the capture "
                                         f"capture.tif {width}x{height} of 16"),
        ({"white": other / "colour.tif"}, "colour.tif: a picture in colour, want one of raw pixels: grey"),
        ({"pitch": 17.0}, "white.tif: no grid of lenslets is seen: "),
        ({"pitch": 0.5}, "pitch: got 0.5, want pixels from a lenslet to the next"),
        ({"bayer": "RGB"}, "bayer: got 'RGB', want one of RGGB, GRBG, GBRG, BGGR"),
    ):  # fmt: skip
        with pytest.raises(LightFieldError) as caught:
            read_light_field(path, **options)
        assert message in str(caught.value), str(caught.value)
    with pytest.raises(LightFieldError, match="with a white picture given, want the capture itself"):
        read_light_field(folder, "raw-lenslet", white=folder / "white.tif")
    np.savez(tmp_path / "a.npz", views=np.zeros((3, 3, 1, 4, 4), np.uint8))
    with pytest.raises(LightFieldError, match="bayer: only the format 'raw-lenslet' takes one, got format 'npz'"):
        read_light_field(tmp_path / "a.npz", bayer="RGGB")
    torch.testing.assert_close(read_light_field(path, pitch=11.0).views, read_light_field(path).views)


def test_a_light_field_microscope():
    """Optics and results of napari-LF's own fit: 15.40 pixels of pitch."""
    field = read_light_field(data_folder("raw-lenslet-guv"))
    assert field.metadata["lenslet_pitch"] == pytest.approx(15.40, abs=0.01)
    assert field.shape == (15, 15, 1, 28, 28)
    views, used = field.views[:, :, 0], field.weights > 0
    assert 190 <= used.sum() <= 215
    # The vesicle moves from view to view along both axes alike: neighbours agree best at one shift of their own sign.
    middle = field.grid[0] // 2

    def mismatch(shift):
        moved = [torch.roll(views[middle + step, middle], -round(shift * step), 0) for step in (-6, 6)]
        across = [torch.roll(views[middle, middle + step], -round(shift * step), 1) for step in (-6, 6)]
        return [float((a - b)[5:-5, 5:-5].abs().mean()) for a, b in (moved, across)]

    shifts = [step / 6 for step in range(-4, 5)]
    down, over = zip(*(mismatch(shift) for shift in shifts), strict=True)
    assert abs(int(np.argmin(down)) - int(np.argmin(over))) <= 1
