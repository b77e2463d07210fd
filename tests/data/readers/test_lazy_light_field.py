"""Views are read on first use, once, by several threads, and no more of them than is kept."""

import pickle
import threading
import tracemalloc
from dataclasses import replace

import numpy as np
import pytest
import torch

from lfdeblur_models.data import LightField, LightFieldError, read_light_field
from lfdeblur_models.data.readers import _picture_grid as decoding
from lfdeblur_models.io.images import ImageInfo, write_image

from ...data_paths import data_folder
from .light_field_files import fails, random_views, write_views


@pytest.fixture
def decoded(monkeypatch):
    """Name and size of every picture whose pixels are decoded, and the threads that did it."""
    log, threads, decode = [], set(), decoding.decode

    def spy(path, image):
        log.append((path.name, image.height, image.width))
        threads.add(threading.get_ident())
        return decode(path, image)

    monkeypatch.setattr(decoding, "decode", spy)
    return log, threads


def toy(folder, rows=5, columns=4, **kwargs):
    views = random_views(rows, columns, **kwargs)
    write_views(folder, views, lambda row, column: f"{row}_{column}.png")
    return views


def test_nothing_is_decoded_before_the_views_are_asked_for_and_then_once(tmp_path, decoded):
    views = toy(tmp_path)
    field = read_light_field(tmp_path)
    assert field.lazy
    assert (field.grid, field.size, field.dtype, field.shape) == ((5, 4), (5, 4), torch.uint8, (5, 4, 3, 5, 4))
    assert field.metadata["first_row"] == 0
    assert "not read yet" in repr(field)
    assert decoded[0] == []
    assert torch.equal(field.views, views)
    assert field.views is field.views
    assert field.weights is None
    assert not field.lazy
    assert len(decoded[0]) == 20
    assert threading.get_ident() not in decoded[1]


def test_many_readers_of_one_light_field_decode_it_once(tmp_path, decoded):
    toy(tmp_path)
    field = read_light_field(tmp_path)
    readers = [threading.Thread(target=lambda: field.views) for _ in range(8)]
    for reader in readers:
        reader.start()
    for reader in readers:
        reader.join(timeout=60)
    assert not any(reader.is_alive() for reader in readers)
    assert len(decoded[0]) == 20


def test_angular_crop_decodes_the_kept_views_only(tmp_path, decoded):
    views = toy(tmp_path)
    got = read_light_field(tmp_path, rows=slice(1, 3), columns=slice(-2, None))
    assert got.grid == (2, 2)
    assert torch.equal(got.views, views[1:3, 2:])
    assert sorted(name for name, _, _ in decoded[0]) == ["1_2.png", "1_3.png", "2_2.png", "2_3.png"]
    both = read_light_field(tmp_path, views=(3, 2), rows=slice(0, 1))
    assert torch.equal(both.views, views[1:2, 1:3])


def test_spatial_crop_holds_no_more_than_the_crop(tmp_path, decoded):
    views = toy(tmp_path, 2, 2, h=300, w=400)
    got = read_light_field(tmp_path, crop=(20, 30, 40, 50))
    assert got.size == (40, 50)
    tracemalloc.start()
    assert torch.equal(got.views, views[..., 20:60, 30:80])
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert {entry[1:] for entry in decoded[0]} == {(40, 50)}
    assert peak < views[0, 0].numel()  # one whole view


def test_cropping_later_leaves_the_rest_unread(tmp_path, decoded):
    views = toy(tmp_path)
    field = read_light_field(tmp_path)
    part = field.crop(rows=slice(1, 4), columns=slice(1, 3), y=slice(1, 4), x=slice(0, 2)).crop(rows=slice(1, 3))
    assert part.lazy
    assert decoded[0] == []
    assert torch.equal(part.views, views[2:4, 1:3, :, 1:4, 0:2])
    assert len(decoded[0]) == 4
    whole = field.with_center()
    assert whole.lazy
    assert torch.equal(whole.views, views[:, 1:])
    assert field.lazy
    _ = field.views
    again = field.crop(rows=slice(0, 2))
    assert not again.lazy
    assert again.views.data_ptr() == field.views.data_ptr()


def test_copies_share_what_is_read(tmp_path, decoded):
    views = toy(tmp_path)
    field = read_light_field(tmp_path)
    named = field.copy(scene="other").with_transfer("linear")
    assert named.lazy
    assert (named.scene, named.transfer) == ("other", "linear")
    ranged = replace(field, disparity_range=(-1.0, 1.0))
    assert torch.equal(ranged.views, views)
    assert ranged.views is field.views
    assert torch.equal(field.copy(views=views + 1).views, views + 1)
    assert field.with_transfer("linear").views is field.views  # read by now


def test_unread_light_fields_are_pickled_unread(tmp_path, decoded):
    views = toy(tmp_path)
    sent = pickle.dumps(read_light_field(tmp_path, crop=(1, 1, 2, 2)))
    assert len(sent) < 10_000
    assert decoded[0] == []
    assert torch.equal(pickle.loads(sent).views, views[..., 1:3, 1:3])


def test_crop_keeps_the_true_disparity_of_the_same_centre():
    whole = read_light_field(data_folder("lf-hci-antinous"))
    part = whole.crop(rows=slice(1, 8), y=slice(10, 60), x=slice(20, 50))
    assert torch.equal(part.disparity, whole.disparity[10:60, 20:50])
    assert part.disparity_range == whole.disparity_range
    assert whole.crop(rows=slice(0, 8)).disparity is None
    assert whole.crop() is whole


def test_weights_are_those_of_the_crop(tmp_path):
    alpha = torch.zeros((1, 4, 4), dtype=torch.uint8)
    alpha[:, :, 2:] = 255
    for name in ("0_0.png", "0_1.png"):
        picture = random_views(h=4, w=4)[0, 0]
        write_image(tmp_path / name, picture, like=ImageInfo("png", 8, 3, 4, 4, alpha if name == "0_0.png" else None))
    assert read_light_field(tmp_path).weights.tolist() == [[0.5, 1.0]]
    assert read_light_field(tmp_path, crop=(0, 2, 4, 2)).weights is None
    assert read_light_field(tmp_path, columns=slice(1, 2)).weights is None


def test_dark_corners_are_left_out_and_told(tmp_path):
    views = random_views(7, 7, h=8, w=8)
    corners = [(0, 0), (0, 1), (1, 0), (0, 6), (6, 6)]
    for row, column in [*corners, (3, 3)]:  # the middle one is dark too, but no corner
        views[row, column] //= 16
    write_views(tmp_path, views, lambda row, column: f"{row}_{column}.png")
    field = read_light_field(tmp_path)
    assert torch.equal(field.views, views)
    assert [tuple(place) for place in (field.weights == 0).nonzero().tolist()] == sorted(corners)
    assert sorted(field.metadata["dark_views"]) == sorted(corners)
    assert set(field.weights.unique().tolist()) == {0.0, 1.0}
    inner = read_light_field(tmp_path, views=5)
    assert inner.weights is None
    assert "dark_views" not in inner.metadata


def test_dark_scenes_and_real_vignetting_are_not_dark_corners(tmp_path):
    write_views(tmp_path, torch.zeros(5, 5, 3, 8, 8, dtype=torch.uint8), lambda row, column: f"{row}_{column}.png")
    assert read_light_field(tmp_path).weights is None
    assert read_light_field(data_folder("lf-lytro-2067"), crop=(0, 0, 383, 552)).weights is None


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"rows": slice(0, 6)}, "rows: got 0:6, want a part of 0:5"),
        ({"columns": slice(2, 2)}, "columns: got 2:2, want a part of 0:4"),
        ({"rows": slice(0, 4, 2)}, "want a slice without step"),
        ({"crop": (0, 0, 6, 2)}, "crop: got y=0 x=0 height=6 width=2, want a part of views of 4x5 pixels"),
        ({"crop": (-1, 0, 2, 2)}, "crop: got y=-1"),
        ({"crop": (0, 0, 0, 2)}, "height=0"),
        ({"transfer": "gamma"}, "transfer: got 'gamma', want 'srgb' or 'linear'"),
    ],
    ids=str,
)
def test_bad_crops(tmp_path, options, message):
    toy(tmp_path)
    fails(message, tmp_path, **options)


def test_files_that_change_after_they_were_looked_at(tmp_path):
    toy(tmp_path)
    field = read_light_field(tmp_path)
    write_image(tmp_path / "2_2.png", random_views(h=6)[0, 0])
    with pytest.raises(LightFieldError, match=r"2_2\.png: got 4x6 RGB of 8 bits, want 4x5"):
        _ = field.views
    (tmp_path / "2_2.png").unlink()
    with pytest.raises(LightFieldError, match=r"2_2\.png: no such file"):
        _ = field.views


def test_a_damaged_picture_of_full_length_is_found_when_it_is_decoded(tmp_path):
    toy(tmp_path, h=64, w=64)
    victim = tmp_path / "1_1.png"
    data = bytearray(victim.read_bytes())
    data[len(data) // 2 : len(data) // 2 + 400] = bytes(400)
    victim.write_bytes(data)
    field = read_light_field(tmp_path)
    with pytest.raises(LightFieldError, match=r"1_1\.png: truncated or damaged"):
        _ = field.views


def test_light_fields_made_in_memory_are_never_lazy():
    field = LightField(torch.from_numpy(np.zeros((2, 2, 1, 3, 3), np.uint8)))
    assert not field.lazy
    assert field.crop(y=slice(1, 2)).size == (1, 3)
    with pytest.raises(LightFieldError, match="transfer: got 'x'"):
        field.with_transfer("x")
