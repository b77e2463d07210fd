"""Pictures of a light field from any viewpoint, through any part of an aperture."""

from dataclasses import replace

import pytest
import torch

from lfdeblur_models.cli.demo import ASSET
from lfdeblur_models.data import (
    LightField,
    Shot,
    disk,
    left_half,
    linear_to_srgb,
    parse_aperture,
    read_light_field,
    refocus_light,
)
from lfdeblur_models.data.rendering import shot as shots
from lfdeblur_models.data.rendering.exposure import expose
from lfdeblur_models.evaluation.metrics import psnr

PINHOLE = parse_aperture("disk:0.5")


def field(dtype=torch.uint8, size=(40, 52), grid=(5, 5), disparity=1, transfer="srgb"):
    """A textured plane of whole-pixel disparity, the same in all views but for its shift."""
    v, u = grid
    reach = 2 * abs(disparity)
    generator = torch.Generator().manual_seed(0)
    wide = torch.rand(3, size[0] + 2 * reach, size[1] + 2 * reach, generator=generator)
    rows = [
        [
            wide[:, reach + disparity * (i - v // 2) :, reach + disparity * (j - u // 2) :][:, : size[0], : size[1]]
            for j in range(u)
        ]
        for i in range(v)
    ]
    views = torch.stack([torch.stack(row) for row in rows])
    levels = {torch.uint8: 255, torch.uint16: 65535}.get(dtype)
    views = (views * levels).round().to(dtype) if levels else views.to(dtype)
    return LightField(views, transfer=transfer)


@pytest.mark.parametrize("dtype", [torch.uint8, torch.uint16, torch.float32], ids=str)
def test_planes_are_those_of_refocus_in_any_bands(monkeypatch, dtype):
    scene, aperture = field(dtype), parse_aperture("disk:1.5")
    want = linear_to_srgb(refocus_light(scene, [0.3, -1.2], aperture.weights((5, 5))).clamp(0, 1))
    whole = Shot(aperture).on_planes(scene, [0.3, -1.2])
    torch.testing.assert_close(whole, want)
    monkeypatch.setattr(shots, "BAND_BYTES", 1)
    torch.testing.assert_close(Shot(aperture).on_planes(scene, [0.3, -1.2]), whole)


def test_what_is_in_focus_stays_in_its_place_and_the_rest_moves():
    scene = field(disparity=1)
    inner = (..., slice(6, -6), slice(6, -6))
    there = Shot(PINHOLE, viewpoint=(-1, 2))
    assert torch.equal(there.weights((5, 5)).nonzero(), torch.tensor([[1, 4]]))
    in_focus = there.on_planes(scene, [1.0])[0]
    torch.testing.assert_close(in_focus[inner], (scene.center / 255)[inner])
    not_in_focus = there.on_planes(scene, [0.0])[0]
    torch.testing.assert_close(not_in_focus, scene.views[1, 4] / 255)  # a pinhole there sees that view


def test_halves_are_those_of_the_moved_aperture_and_add_up():
    aperture = parse_aperture("disk:1.5")
    for viewpoint in ((0, 0), (0.5, -0.25), (1, 1)):
        left, right = (Shot(aperture, viewpoint, half).weights((7, 7)) for half in ("left", "right"))
        whole = Shot(aperture, viewpoint).weights((7, 7))
        torch.testing.assert_close(left + right, whole)
        u = torch.arange(7) - 3 - viewpoint[1]
        assert (left * u).sum() < 0 < (right * u).sum()
    assert torch.equal(Shot(aperture, half="left").weights((7, 7)), left_half(disk((7, 7), 1.5)))
    even = Shot(aperture, half="left").weights((6, 6))
    assert torch.equal(even[:, 3:], torch.zeros(6, 3))


@pytest.mark.parametrize("shape", ["disk:1.2", "square:1.2", "polygon:1.8:6:10", "annulus:2:1", "cateye:1.5:0.5"])
def test_an_aperture_moved_by_whole_steps_is_the_same_elsewhere(shape):
    aperture = parse_aperture(shape)
    moved, still = aperture.weights((9, 9), center=(1, -2)), aperture.weights((9, 9))
    torch.testing.assert_close(moved, still.roll((1, -2), (0, 1)))


def test_exposure_is_counted_in_stops_of_light():
    scene = LightField(torch.full((3, 3, 1, 4, 4), 0.1), transfer="linear")
    for stops, light in ((0, 0.1), (1, 0.2), (-1, 0.05), (5, 1.0)):
        shot = Shot(PINHOLE, exposure=stops)
        want = linear_to_srgb(torch.tensor(light))
        torch.testing.assert_close(shot.on_planes(scene, [0.0]), want.expand(1, 1, 4, 4))
        torch.testing.assert_close(shot.draft(scene, 0.0), want.expand(1, 4, 4))
        torch.testing.assert_close(shot.all_in_focus(scene, torch.zeros(4, 4)), want.expand(1, 4, 4))


def test_all_in_focus_is_sharp_at_every_depth():
    scene = field(torch.float32, disparity=1)
    picture = Shot(parse_aperture("disk:2")).all_in_focus(scene, torch.ones(40, 52))
    inner = (..., slice(6, -6), slice(6, -6))
    torch.testing.assert_close(picture[inner], scene.center[inner])


def test_views_without_weight_count_nowhere():
    scene = field(torch.uint8, disparity=0)
    weights = torch.ones(5, 5)
    weights[0, 0] = 0
    spoilt = scene.views.clone()
    spoilt[0, 0] = 255
    spoilt = LightField(spoilt, weights=weights)
    shot = Shot(parse_aperture("square:2"))
    torch.testing.assert_close(shot.on_planes(spoilt, [0.0])[0], scene.center / 255)
    torch.testing.assert_close(shot.draft(spoilt, 0.0), scene.center / 255, atol=1e-3, rtol=0)
    with pytest.raises(ValueError, match="covers only views of weight 0"):
        Shot(PINHOLE, (-2, -2)).on_planes(spoilt, [0.0])


def test_a_draft_is_near_the_picture_and_nearer_than_the_mean_of_stored_values():
    scene = read_light_field(ASSET)
    shot = Shot(parse_aperture("disk:3"), viewpoint=(0.5, -1))
    for exposure in (-3, -1, 1, 3):
        exposed = replace(shot, exposure=exposure)
        assert psnr(exposed.draft(scene, 1.2)[None], exposed.on_planes(scene, [1.2])) > 37
    for disparity in (-0.2, 3.3):
        full, draft = shot.on_planes(scene, [disparity])[0], shot.draft(scene, disparity)
        mean = shot.draft(LightField(scene.views, transfer="linear"), disparity)  # values summed as if they were light
        assert psnr(draft[None], full[None]) > 40
        assert psnr(draft[None], full[None]) > psnr(mean[None], full[None])


def test_a_draft_of_very_many_views_counts_every_other_one(monkeypatch):
    scene = read_light_field(ASSET)
    shot = Shot(parse_aperture("disk:3"))
    full, draft = shot.on_planes(scene, [1.2])[0], shot.draft(scene, 1.2)
    monkeypatch.setattr(shots, "MANY_VIEWS", 20)
    thinned = shot.draft(scene, 1.2)
    assert not torch.equal(thinned, draft)
    assert psnr(thinned[None], full[None]) > 34


@pytest.mark.parametrize(
    ("told", "message"),
    [
        ({"half": "top"}, "half: got 'top', want whole, left, right"),
        ({"interpolation": "cubic"}, "interpolation: got 'cubic', want nearest, bilinear, bicubic"),
        ({"exposure": float("nan")}, "exposure: got nan, want stops"),
        ({"exposure": 17.0}, "exposure: got 17, want stops from -16 to 16"),
        ({"viewpoint": (float("inf"), 0)}, "viewpoint: got"),
    ],
)
def test_bad_settings(told, message):
    with pytest.raises(ValueError, match=message):
        Shot(PINHOLE, **told)


def test_bad_places():
    with pytest.raises(ValueError, match=r"viewpoint: got 2.5,0, which is outside the grid of 5x5"):
        Shot(PINHOLE, (2.5, 0)).on_planes(field(), [0.0])
    with pytest.raises(ValueError, match=r"half: the left half of annulus:3:1.5 at viewpoint 0,-2 covers no view"):
        Shot(parse_aperture("annulus:3:1.5"), (0, -2), "left").weights((1, 5))
    with pytest.raises(ValueError, match=r"disparity: got 1e[+]308, want at most 10000"):
        Shot(PINHOLE).on_planes(field(), [1e308])
    with pytest.raises(ValueError, match="covers no view"):
        Shot(parse_aperture("disk:0"), (0.5, 0.5)).weights((5, 5))


def test_a_cats_eye_is_cut_towards_the_corners_and_whole_in_the_middle():
    spots = torch.zeros(9, 9, 1, 41, 41)
    spots[..., 20, 20] = spots[..., 2, 2] = 1.0
    scene = LightField(spots, transfer="linear")
    eye, disk = (Shot(parse_aperture(text)) for text in ("cateye:3:1", "disk:3"))
    cut, whole = (shot.on_planes(scene, [1.0])[0, 0] for shot in (eye, disk))
    corner, middle = (slice(0, 8), slice(0, 8)), (slice(16, 25), slice(16, 25))
    assert cut[corner].max() > 1.3 * whole[corner].max()  # the same light on a smaller spot
    assert cut[middle].max() < 1.1 * whole[middle].max()
    exposed = expose(scene, [1.0], [parse_aperture("cateye:3:1")]).light[0, 0, 0]
    torch.testing.assert_close(cut, linear_to_srgb(exposed.clamp(0, 1)))
    torch.testing.assert_close(eye.draft(scene, 1.0)[0], cut)


def test_a_cats_eye_in_bands_and_as_a_draft(monkeypatch):
    scene, shot = field(), Shot(parse_aperture("cateye:2:0.8"))
    whole = shot.on_planes(scene, [0.0, 1.0])
    monkeypatch.setattr(shots, "BAND_BYTES", 1)
    torch.testing.assert_close(shot.on_planes(scene, [0.0, 1.0]), whole)
    disk = Shot(parse_aperture("disk:2")).on_planes(scene, [0.0])
    assert psnr(shot.draft(scene, 0.0)[None], whole[:1]) > psnr(disk, whole[:1]) + 5
