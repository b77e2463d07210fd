"""Pairs on the fly: what they hold, that they depend on (seed, index) alone, and that a crop is a part of the whole."""

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader

import lfdeblur_ops
from lfdeblur_models.data import (
    Aperture,
    LightField,
    LightFieldError,
    LightFieldPairs,
    Noise,
    all_in_focus_light,
    center_light,
    decode_defocus,
    defocus_map,
    difference_of_truths,
    disk,
    encode_defocus,
    estimate_disparity_map,
    linear_light_field,
    linear_to_srgb,
    read_light_field,
    refocus_light,
    render_pairs,
    srgb_to_linear,
)
from lfdeblur_models.data.lazy_views import Window
from lfdeblur_models.data.rendering.exposure import expose
from lfdeblur_ops.testing import MANY_ROUNDINGS

from ..data_paths import data_folder
from .toy_scenes import plane, write_scenes

TENSORS = ("defocused", "sharp", "disparity", "diameter")


def field(seed=0, dtype=torch.uint8):
    made = plane(1, v=7, u=7, h=60, w=70, seed=seed, dtype=dtype)
    return LightField(made.views, scene=f"s{seed}", disparity_range=(-1.5, 1.5), disparity=torch.ones(60, 70))


def same(a, b):
    assert a.keys() == b.keys()
    for name, value in a.items():
        assert torch.equal(value, b[name]) if isinstance(value, torch.Tensor) else value == b[name]


def test_what_a_pair_holds():
    pairs = LightFieldPairs([field()], crop=(24, 32), dual_pixel=True, with_defocus_map=True, noise=Noise(1e-3, 1e-3))
    assert len(pairs) == 1000
    pair = pairs[7]
    assert set(pair) == {*TENSORS, "left", "right", "defocus_map", "aperture", "scene"}
    for name in ("defocused", "sharp", "left", "right"):
        assert (pair[name].shape, pair[name].dtype) == ((3, 24, 32), torch.float32)
        assert 0 <= pair[name].min() <= pair[name].max() <= 1
    assert pair["defocus_map"].shape == (1, 24, 32)
    torch.testing.assert_close(
        pair["defocus_map"], (pair["diameter"] * (1 - pair["disparity"])).expand(1, 24, 32), atol=MANY_ROUNDINGS, rtol=0
    )
    assert set(LightFieldPairs([field()], crop=8)[0]) == {*TENSORS, "aperture", "scene"}


def test_a_pair_depends_on_seed_and_index_alone():
    fields = [field(0), field(1)]
    options = {"crop": 16, "noise": Noise(1e-3, 1e-3), "length": 12}
    pairs = LightFieldPairs(fields, **options)
    for batch in ([5], [3, 5, 0], [11, 5]):
        same(pairs.__getitems__(batch)[batch.index(5)], pairs[5])
    same(LightFieldPairs(fields, **options)[5], pairs[5])
    longer = LightFieldPairs(fields, **options | {"length": 100})
    same(longer[5], pairs[5])
    assert not torch.equal(LightFieldPairs(fields, **options, seed=1)[5]["defocused"], pairs[5]["defocused"])
    drawn = [pairs.draw(i) for i in range(12)]
    assert {draw.scene for draw in drawn} == {0, 1}
    assert len({(draw.window.y.start, draw.window.x.start) for draw in drawn}) > 6
    for bad in (12, -1):
        with pytest.raises(IndexError, match="want 0 to 11"):
            pairs[bad]


@pytest.mark.parametrize("workers", [0, 2])
def test_the_loader_collates_and_workers_change_nothing(workers):
    pairs = LightFieldPairs([field(0), field(1)], crop=16, length=8)
    batches = list(DataLoader(pairs, batch_size=4, num_workers=workers))
    assert [batch["defocused"].shape for batch in batches] == [(4, 3, 16, 16)] * 2
    assert len(batches[0]["aperture"]) == 4
    for i in range(8):
        assert torch.equal(batches[i // 4]["defocused"][i % 4], pairs[i]["defocused"])


@pytest.mark.parametrize("dtype", [torch.uint8, torch.uint16], ids=str)
@pytest.mark.parametrize("shape", ["disk:2.5", "polygon:3:5:20", "annulus:3:1"])
def test_a_crop_is_a_part_of_the_whole_picture(shape, dtype):
    made = field(dtype=dtype)
    pairs = LightFieldPairs([made], crop=20, apertures=[shape], disparities=[0.7], dual_pixel=True)
    whole = render_pairs(made, [0.7], [Aperture("disk", 1)] and [pairs.apertures[0]])[0][0]
    for index in range(4):
        window, pair = pairs.draw(index).window, pairs[index]
        assert window.shape == (*made.grid, 20, 20)
        part = (..., window.y, window.x)
        # 8-bit views are kept as 16 bits of linear light, whose steps are widest, once encoded, in the dark.
        for name, picture in (("defocused", whole.defocused), ("left", whole.left), ("sharp", whole.truth)):
            torch.testing.assert_close(pair[name], picture[part], atol=2e-4, rtol=0)


def test_cats_eye_changes_over_the_picture():
    """Points at the right and left of the picture are drawn as disks cut on opposite sides."""
    views = torch.zeros(7, 7, 1, 60, 100)
    for v in range(7):
        for u in range(7):
            for x in (12, 50, 87):
                views[v, u, 0, 30, x - 3 * (u - 3)] = 1.0  # disparity 3 across: a row of spots per point
    light = LightField(views, transfer="linear")
    spots = expose(light, [0.0], [Aperture("cateye", 3, cut=1.0)]).light[0, 0, 0, 30]
    left, middle, right = (spots[x - 9 : x + 10 : 3] for x in (12, 50, 87))
    torch.testing.assert_close(left, right.flip(0), atol=0.02, rtol=0)
    torch.testing.assert_close(middle, middle.flip(0), atol=0.02, rtol=0)
    assert right[4:].sum() < 0.5 * middle[4:].sum()  # cut on one side
    with_halves = expose(light, [0.0], [Aperture("cateye", 3, cut=1.0)], halves=True)
    torch.testing.assert_close(with_halves.light[0, 0, 0, 30], spots, atol=MANY_ROUNDINGS, rtol=0)


def test_noise_has_the_variance_that_was_asked_for():
    flat = LightField(torch.full((3, 3, 1, 200, 200), 0.25), transfer="linear")
    exposure = expose(flat, [0.0], [Aperture("disk", 1)], halves=True)
    noisy = exposure.with_noise(Noise(shot=0.01, read=0.02), 3)
    want = 0.01 * 0.25 + 0.02**2
    assert noisy.light.mean().item() == pytest.approx(0.25, abs=2e-3)
    # Two read-outs, each of half the picture's weight doubled: their sum has twice the read-out variance.
    assert noisy.light.var().item() == pytest.approx(0.01 * 0.25 + 2 * 0.02**2, rel=0.05)
    assert noisy.sides[0, 0].var().item() == pytest.approx(0.02 * 0.25 + 0.04**2, rel=0.05)
    one = expose(flat, [0.0], [Aperture("disk", 1)]).with_noise(Noise(0.01, 0.02), 3)
    assert one.light.var().item() == pytest.approx(want, rel=0.05)
    for bad in ({"shot": -1}, {"read": float("nan")}, {"shot": 2}):
        with pytest.raises(ValueError, match="noise: got"):
            Noise(**bad)


def test_both_truths_of_a_plane_agree_and_refocusing_averages_noise_away():
    made = field()
    inner = Window(y=slice(10, 40), x=slice(12, 52))
    center = center_light(made, inner)
    torch.testing.assert_close(center, linear_light_field(made).views[3, 3, :, 10:40, 12:52])
    refocused = all_in_focus_light(made, made.disparity, inner)
    torch.testing.assert_close(refocused, center, atol=MANY_ROUNDINGS, rtol=0)
    assert difference_of_truths(center, center) == float("inf")
    generator = torch.Generator().manual_seed(0)
    noisy = LightField(
        (linear_light_field(made).views + 0.05 * torch.randn(made.views.shape, generator=generator)).clamp(0, 1),
        transfer="linear",
    )
    error = [
        (picture - center).square().mean()
        for picture in (center_light(noisy, inner), all_in_focus_light(noisy, made.disparity, inner))
    ]
    assert error[1] < 0.2 * error[0]
    by_pairs = LightFieldPairs([made], crop=(30, 40), truth="refocus", disparities=[1.0], length=3)
    window = by_pairs.draw(2).window
    want = linear_to_srgb(all_in_focus_light(made, made.disparity, window).clamp(0, 1))
    torch.testing.assert_close(by_pairs[2]["sharp"], want, atol=2e-3, rtol=0)


def test_a_window_is_a_part_of_the_picture_and_of_all_views():
    """One kind of window: what ``crop`` keeps and what is rendered."""
    made = field()
    window = Window(y=slice(10, 40), x=slice(-12, None))
    assert torch.equal(made.crop(*window).views, made.views[..., 10:40, -12:])
    whole, part = (expose(made, [0.7], [Aperture("disk", 2)], window=told).light for told in (None, window))
    torch.testing.assert_close(part, whole[..., 10:40, -12:], atol=1e-6, rtol=0)
    with pytest.raises(LightFieldError, match="window: got some of the views, want all"):
        expose(made, [0.7], [Aperture("disk", 2)], window=Window(rows=slice(1, 3)))
    for render in (
        lambda told: expose(made, [0.7], [Aperture("disk", 2)], window=told),
        lambda told: center_light(made, told),
    ):
        with pytest.raises(LightFieldError, match=r"y: got 10:1000, want a part of 0:"):
            render(Window(y=slice(10, 1000)))


def test_scale_two_brings_back_what_the_views_miss():
    """Views that sample one fine picture at different places hold more than any of them."""
    fine = torch.rand(1, 1, 120, 120, generator=torch.Generator().manual_seed(0))
    fine = torch.nn.functional.avg_pool2d(fine, 3, 1, 1)[0]
    views = torch.empty(7, 7, 1, 56, 56)
    disparity = 0.5  # of a view's pixel: one fine pixel from view to view
    for v in range(7):
        for u in range(7):
            y, x = 4 + (v - 3), 4 + (u - 3)
            area = fine[:, y : y + 112, x : x + 112]
            views[v, u] = torch.nn.functional.avg_pool2d(area[None], 2)[0]
    made = LightField(views, transfer="linear", disparity=torch.full((56, 56), disparity))
    true = fine[:, 4:116, 4:116][:, 12:-12, 12:-12]
    center = center_light(made, scale=2)[:, 12:-12, 12:-12]
    combined = all_in_focus_light(made, made.disparity, scale=2)[:, 12:-12, 12:-12]
    spectrum = [torch.fft.rfft2(picture).abs()[0, 30:50, 20:40].sum() for picture in (true, center, combined)]
    errors = [(picture - true).square().mean() for picture in (center, combined)]
    assert errors[1] < errors[0]
    assert spectrum[0] > 0
    pair = LightFieldPairs([made], crop=32, scale=2, truth="refocus", with_defocus_map=True, disparities=[0.5])[0]
    assert pair["defocused"].shape == (3, 32, 32)
    assert bool((pair["defocus_map"] == 0).all())
    planes = refocus_light(made, [0.0, 0.5], disk((7, 7), 2), scale=2)
    assert planes.shape == (2, 1, 112, 112)


def test_defocus_maps():
    disparity = torch.tensor([[2.0, 0.0], [1.0, -40.0]])
    coc = defocus_map(disparity, 1.0, 6.0)
    assert coc.tolist() == [[6.0, -6.0], [0.0, -246.0]]
    assert defocus_map(disparity, [0.0, 1.0], 6.0).shape == (2, 2, 2)
    back = decode_defocus(encode_defocus(coc))
    assert back.tolist() == [[6.0, -6.0], [0.0, -128.0]]  # cut off at 128 pixels


def test_the_circle_of_confusion_is_what_is_rendered():
    """A point is drawn as wide as the map says."""
    views = torch.zeros(9, 9, 1, 61, 61)
    for v in range(9):
        for u in range(9):
            views[v, u, 0, 30 - 2 * (v - 4), 30 - 2 * (u - 4)] = 1.0  # disparity 2
    light = expose(LightField(views, transfer="linear"), [0.5], [Aperture("square", 3.0)]).light[0, 0, 0]
    lit = (light.sum(0) > 1e-4).nonzero().flatten()
    coc = defocus_map(torch.tensor([[2.0]]), 0.5, 6.0).item()
    assert coc == 9
    assert int(lit.max() - lit.min()) == pytest.approx(coc, abs=1.5)


def test_disparity_map_of_a_real_scene():
    """HCI's ground truth; the half of the pixels with the larger gradients."""
    made = read_light_field(data_folder("lf-hci-antinous"))
    error = (estimate_disparity_map(made) - made.disparity).abs()
    center = made.center.float().mean(0)
    texture = torch.nn.functional.pad(center.diff(dim=1).abs(), (0, 1))
    texture += torch.nn.functional.pad(center.diff(dim=0).abs(), (0, 0, 0, 1))
    texture = torch.nn.functional.avg_pool2d(texture[None], 9, 1, 4)[0]
    assert error[texture >= texture.median()].mean() <= 0.15
    assert error.mean() <= 0.15


def test_disparity_map_of_planes_and_refusals():
    for disparity in (-1, 2):
        made = plane(disparity, v=5, u=5, h=40, w=40)
        got = estimate_disparity_map(made, (-3.0, 3.0))
        torch.testing.assert_close(got, torch.full((40, 40), float(disparity)), atol=0.1, rtol=0)
    with pytest.raises(LightFieldError, match="a single view has no disparity"):
        estimate_disparity_map(LightField(made.views[:1, :1]))
    with pytest.raises(LightFieldError, match="4x5 views has no centre view"):
        estimate_disparity_map(LightField(made.views[:4]), (-1.0, 1.0))


def test_grey_paths_and_the_cache(tmp_path):
    grey = LightField(field().views[:, :, :1], scene="grey", disparity_range=(-1.0, 1.0))
    pair = LightFieldPairs([grey], crop=16)[0]
    assert torch.equal(pair["sharp"][0], pair["sharp"][2])
    scenes = write_scenes(tmp_path / "scenes", 3, h=40, w=40)
    pairs = LightFieldPairs([scenes], crop=16, cache=1, disparities=[0.0], length=20)
    names = {pairs[i]["scene"] for i in range(12)}
    assert names == {"scene0", "scene1", "scene2"}
    assert len(pairs._kept) == 1


def test_refusals():
    made = field()
    for options, message in [
        ({"truth": "best"}, "truth: got 'best', want one of center, refocus"),
        ({"scale": 3}, "scale: got 3"),
        ({"scale": 2, "crop": 15}, "crop: got 15x15, want multiples of 2"),
        ({"crop": 0}, "crop: got 0x0"),
        ({"seed": -1}, "seed: got -1"),
        ({"cache": 0}, "cache: got 0"),
        ({"apertures": []}, "apertures: got none"),
        ({"disparities": []}, "disparities: got none"),
        ({"apertures": ["star:3"]}, "aperture: got 'star:3'"),
    ]:
        with pytest.raises(ValueError, match=message):
            LightFieldPairs([made], **options)
    with pytest.raises(ValueError, match="light_fields: got none"):
        LightFieldPairs([])
    with pytest.raises(LightFieldError, match="views of 70x60 pixels are smaller than the crop of 256x256"):
        LightFieldPairs([made])[0]
    with pytest.raises(LightFieldError, match="no such file"):
        LightFieldPairs(["nowhere"])


@pytest.mark.cuda
def test_on_a_gpu_as_on_the_cpu():
    options = {"crop": 24, "dual_pixel": True, "with_defocus_map": True, "length": 6, "truth": "refocus"}
    cpu, gpu = (LightFieldPairs([field()], device=device, **options) for device in ("cpu", "cuda"))
    assert lfdeblur_ops.backends("refocus")["cuda"] == "ok"
    for one, other in zip(cpu.__getitems__(range(6)), gpu.__getitems__(range(6)), strict=True):
        for name, value in one.items():
            if isinstance(value, torch.Tensor):
                assert other[name].is_cuda
                torch.testing.assert_close(other[name].cpu(), value, atol=1e-4, rtol=0)


def test_linear_and_float_light_fields():
    made = field()
    linear = linear_light_field(made)
    options = {"crop": 20, "apertures": ["disk:2"], "disparities": [0.5], "length": 2}
    for views in (linear.views, linear.views.half()):
        other = LightField(views, transfer="linear", scene=made.scene)
        tolerance = 2e-4 if views.dtype == torch.float32 else 4e-3
        torch.testing.assert_close(
            LightFieldPairs([other], **options)[1]["defocused"],
            LightFieldPairs([made], **options)[1]["defocused"],
            atol=tolerance,
            rtol=0,
        )
    encoded = LightField(made.views.float() / 255)
    torch.testing.assert_close(
        srgb_to_linear(LightFieldPairs([encoded], **options)[1]["sharp"]),
        srgb_to_linear(LightFieldPairs([made], **options)[1]["sharp"]),
        atol=MANY_ROUNDINGS,
        rtol=0,
    )
    assert np.isfinite(LightFieldPairs([made], **options)[0]["disparity"].item())
