"""One picture of all views side by side; and a picture that may be that, or lenslets."""

import pytest
import torch

from lfdeblur_models.data import LightFieldError, Reading, ReadOptions, find_sources, open_source, read_light_field
from lfdeblur_models.io.images import ImageInfo, write_image

from .light_field_files import H, U, V, W, fails, fails_on_use, random_views


def mosaic(views):
    """``[V, U, C, H, W]`` as ``[C, V*H, U*W]``."""
    v, u, c, h, w = views.shape
    return views.permute(2, 0, 3, 1, 4).reshape(c, v * h, u * w)


@pytest.mark.parametrize("dtype", [torch.uint8, torch.uint16], ids=str)
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("suffix", ["png", "tif"])
def test_views_are_bit_exact(tmp_path, dtype, channels, suffix):
    views = random_views(c=channels, dtype=dtype)
    path = tmp_path / f"toy_mosaic.{suffix}"
    write_image(path, mosaic(views))
    got = read_light_field(path, grid=(V, U))
    assert (got.format, got.scene, got.grid, got.size, got.lazy) == ("mosaic", "toy", (V, U), (H, W), True)
    assert got.views.dtype == dtype
    assert torch.equal(got.views.int(), views.int())
    assert got.weights is None


def test_only_the_window_is_read(tmp_path):
    views = random_views(5, 4, h=7, w=9)
    write_image(tmp_path / "a.png", mosaic(views))
    got = read_light_field(tmp_path / "a.png", "mosaic", grid=(5, 4), rows=slice(1, 4), columns=slice(2, 4))
    part = got.crop(y=slice(2, 6), x=slice(3, 4))
    assert torch.equal(part.views, views[1:4, 2:4, :, 2:6, 3:4])
    assert got.lazy


def test_alpha_is_the_weight_of_a_view(tmp_path):
    views = random_views()
    alpha = torch.full((V, U, 1, H, W), 255, dtype=torch.uint8)
    alpha[2, 1], alpha[0, 0] = 0, 51
    like = ImageInfo("png", 8, 3, V * H, U * W, mosaic(alpha))
    write_image(tmp_path / "a.png", mosaic(views), like=like)
    got = read_light_field(tmp_path / "a.png", grid=(V, U))
    assert torch.equal(got.views, views)
    torch.testing.assert_close(got.weights, torch.tensor([[0.2, 1], [1, 1], [1, 0]]))


def test_what_is_not_a_mosaic(tmp_path):
    path = tmp_path / "a_mosaic.png"
    write_image(path, mosaic(random_views()))
    fails("a_mosaic.png: the format 'mosaic' needs the grid's size, rows and columns of views", path)
    fails(
        "a_mosaic.png: grid: got 2x2 views, want rows that divide the picture's height of 15 pixels and columns that "
        "divide its width of 8",
        path,
        grid=2,
    )
    fails("want rows that divide", path, grid=(3, 3))
    fails("not a mosaic of views: it is a folder", tmp_path, "mosaic", grid=2)
    (tmp_path / "text.png").write_text("hello")
    fails("text.png: not a readable picture", tmp_path / "text.png", grid=2)
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    fails("a_mosaic.png: truncated or damaged", path, grid=(V, U))


def test_a_picture_that_is_damaged_inside_is_told_when_it_is_read(tmp_path):
    path = tmp_path / "a.png"
    write_image(path, mosaic(random_views(4, 4, h=40, w=40)))
    data = bytearray(path.read_bytes())
    data[len(data) // 2 : len(data) // 2 + 400] = bytes(400)
    path.write_bytes(data)
    fails_on_use("a.png: truncated or damaged", path, grid=4)


def test_lenslets_or_a_mosaic(tmp_path):
    """A picture alone may be either; a name, an option or the format tells."""
    views = random_views(14, 14, h=3, w=2)
    picture = mosaic(views)
    write_image(tmp_path / "a.png", picture)
    fails(
        "got a picture of 28x42, a multiple of the lenslet of 14x14 pixels; if it is an ESLF picture, force the "
        "format 'eslf' or give the lenslet's size; if it is a mosaic of views, give the grid",
        tmp_path / "a.png",
    )
    assert read_light_field(tmp_path / "a.png", grid=14).format == "mosaic"
    for told in ({"lenslet": 14}, {"format": "eslf"}):
        got = read_light_field(tmp_path / "a.png", **told)
        assert got.format == "eslf"
        assert torch.equal(got.views[2, 5], picture[:, 2::14, 5::14])
    write_image(tmp_path / "a_eslf.png", picture)
    assert read_light_field(tmp_path / "a_eslf.png").format == "eslf"
    assert read_light_field(tmp_path / "a_eslf.png", grid=14).format == "mosaic"
    fails("grid: only the formats 'power-tools', ", tmp_path / "a.png", grid=14, lenslet=14)


def test_generate_looks_for_mosaics_by_their_names(tmp_path):
    for name in ("a_mosaic", "b_mosaic"):
        write_image(tmp_path / f"{name}.png", mosaic(random_views()))
    found = list(find_sources(tmp_path))
    assert [(source.kind, source.scene) for source in found] == [("light_field", "a"), ("light_field", "b")]
    assert open_source(found[1], Reading(ReadOptions(grid=(V, U)))).grid == (V, U)
    with pytest.raises(LightFieldError, match="needs the grid's size"):
        open_source(found[1])
    write_image(tmp_path / "photo.png", mosaic(random_views()))
    for options, kind in (({}, "photo"), ({"grid": (V, U)}, "light_field"), ({"pattern": "x"}, "photo")):
        assert next(find_sources(tmp_path / "photo.png", **options)).kind == kind
    for path in (tmp_path / "photo.png", f"lf:{tmp_path / 'photo.png'}"):
        assert open_source(path, Reading(ReadOptions(grid=(V, U)))).format == "mosaic"
    assert next(find_sources(f"photo:{tmp_path / 'photo.png'}", grid=(V, U))).kind == "photo"
