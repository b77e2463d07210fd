"""Light fields of views that are BMP, PPM, AVIF, OpenEXR or float TIFF."""

import numpy as np
import pytest
import torch

from lfdeblur_models.data import linear_light_field, read_light_field, refocus_light
from lfdeblur_models.io.images import write_image

from .light_field_files import fails_on_use, random_views, write_views

GRID = 3, 3


@pytest.mark.parametrize(
    ("suffix", "dtype"),
    [(".bmp", torch.uint8), (".ppm", torch.uint8), (".ppm", torch.uint16), (".avif", torch.uint8)],
    ids=str,
)
def test_integers_are_kept_bit_for_bit(tmp_path, suffix, dtype):
    views = random_views(*GRID, h=16, w=20, dtype=dtype)
    write_views(tmp_path / "field", views, lambda row, column: f"view_{row}_{column}{suffix}")
    field = read_light_field(tmp_path / "field")
    assert (field.dtype, field.transfer) == (dtype, "srgb")
    assert torch.equal(field.views.int(), views.int())
    part = read_light_field(tmp_path / "field", rows=slice(1, 3), crop=(2, 3, 4, 5))
    assert torch.equal(part.views.int(), views[1:, :, :, 2:6, 3:8].int())


def bright_views():
    views = torch.rand(*GRID, 3, 16, 20, generator=torch.Generator().manual_seed(0))
    views[..., 7:9, 9:11] = 50.0
    return views


@pytest.mark.parametrize("suffix", [".exr", ".tif"])
def test_floating_point_is_linear_light_and_keeps_its_highlights(tmp_path, suffix):
    if suffix == ".exr":
        pytest.importorskip("OpenEXR", reason="needs the extra pictures")
    views = bright_views()
    (tmp_path / "field").mkdir()
    for row, column in np.ndindex(*GRID):
        write_image(tmp_path / "field" / f"view_{row}_{column}{suffix}", views[row, column], bits=32)
    field = read_light_field(tmp_path / "field")
    assert (field.dtype, field.transfer) == (torch.float32, "linear")
    assert torch.equal(field.views, views)
    assert linear_light_field(field) is field
    spread = refocus_light(field, 2.0)  # away from where the lamp is in focus: a ninth of it in nine places
    torch.testing.assert_close(spread.sum((-2, -1)), refocus_light(field, 0.0).sum((-2, -1)), rtol=0.05, atol=0)
    assert spread.max() < 30
    write_image(tmp_path / "mosaic.tif", views.permute(2, 0, 3, 1, 4).reshape(3, 48, 60), bits=32)
    mosaic = read_light_field(tmp_path / "mosaic.tif", grid=GRID)
    assert mosaic.transfer == "linear"
    assert torch.equal(mosaic.views, views)
    write_image(tmp_path / "eslf.tif", views.permute(2, 3, 0, 4, 1).reshape(3, 48, 60), bits=32)
    eslf = read_light_field(tmp_path / "eslf.tif", lenslet=3)
    assert eslf.transfer == "linear"
    assert torch.equal(eslf.views, views)


def test_light_that_is_no_number_is_refused(tmp_path):
    tifffile = pytest.importorskip("tifffile", reason="needs scikit-image, of the extra test")
    views = bright_views().numpy()
    views[1, 2, 0, 3, 4] = np.inf
    for row, column in np.ndindex(*GRID):
        tifffile.imwrite(
            tmp_path / f"view_{row}_{column}.tif", views[row, column].transpose(1, 2, 0), photometric="rgb"
        )
    fails_on_use("view_1_2.tif: holds NaN or infinite values", tmp_path)


def test_a_view_of_another_depth_is_named(tmp_path):
    views = random_views(*GRID)
    write_views(tmp_path, views, lambda row, column: f"view_{row}_{column}.tif")
    write_image(tmp_path / "view_2_1.tif", views[2, 1].float() / 255, bits=32)
    with pytest.raises(ValueError, match=r"view_2_1.tif: got 4x5 RGB of floating point, want 4x5 RGB of 8 bits"):
        read_light_field(tmp_path)
