"""Pairs rendered from layers: numbers, lens, camera, against formulas and a count of rays."""

import math

import numpy as np
import pytest
import pyvips
import torch
import torch.nn.functional as F

from lfdeblur_models.data import DataError, ImageError
from lfdeblur_models.data.datasets.rendered_pairs import RenderedPairs
from lfdeblur_models.data.rendering.layered import PairRenderer, PicturePool, RenderingOptions
from lfdeblur_models.data.rendering.layered.apertures import draw_apertures, transfer_functions
from lfdeblur_models.data.rendering.layered.camera import compressed, demosaiced, developed, with_noise
from lfdeblur_models.data.rendering.layered.draws import Draws
from lfdeblur_models.data.rendering.layered.lens import all_in_focus, defocus
from lfdeblur_models.data.rendering.layered.scenes import Scenes, draw_scenes, paint
from lfdeblur_models.io.images import write_image
from lfdeblur_ops import refocus

SIDE = 48


def smooth(*shape, seed=0):
    """Random pictures in [0, 1] without sharp steps."""
    noise = torch.rand(*shape, generator=torch.Generator().manual_seed(seed))
    return F.avg_pool2d(F.pad(noise.flatten(0, -3), (1,) * 4, mode="circular"), 3, 1).view(shape)


@pytest.fixture(scope="module")
def pool():
    return PicturePool([smooth(3, 80, 100), smooth(3, 64, 60, seed=1)], least=32)


def draws(count=4, seed=7):
    return Draws(seed, torch.arange(count))


def test_draws_are_even_and_depend_on_their_place_alone():
    many = draws(64)
    assert torch.equal(draws(64).uniform("a", 5)[10:20], Draws(7, torch.arange(10, 20)).uniform("a", 5))
    assert torch.equal(Draws(7, torch.tensor([3 + (1 << 40)])).key, Draws(7, torch.tensor([3 + (1 << 40)])).key)
    assert len({int(Draws(s, torch.tensor([p])).key) for s in (0, 1, 1 << 40) for p in (0, 1, 1 << 40)}) == 9
    u, other = many.uniform("a", 4000), many.uniform("b", 4000)
    assert float(u.min()) > 0
    assert float(u.max()) < 1
    assert abs(float(u.mean()) - 0.5) < 2e-3
    assert abs(float(u.var()) - 1 / 12) < 1e-3
    for one, two in ((u, other), (u[:, 1:], u[:, :-1]), (u[1:], u[:-1])):
        assert abs(float(torch.corrcoef(torch.stack([one.flatten(), two.flatten()]))[0, 1])) < 5e-3
    counts = torch.bincount(many.below("c", 7, 3000).flatten(), minlength=7) / (64 * 3000)
    assert counts.shape == (7,)
    assert torch.allclose(counts, torch.full((7,), 1 / 7), atol=3e-3)
    normal = many.normal("d", 4000)
    assert abs(float(normal.mean())) < 5e-3
    assert abs(float(normal.var()) - 1) < 1e-2
    assert abs(float(many.happens("e", 0.2, 4000).float().mean()) - 0.2) < 5e-3


def disk(cells=32):
    """A hard disk as apertures are given."""
    place = (2 * torch.arange(cells) + 1) / cells - 1
    inside = (place[:, None] ** 2 + place**2 <= 1).float()
    return inside[None], place[None], torch.tensor([2 / cells])


def pixels_of_a_disk(radius, parts=41):
    """Share of a disk's area in each pixel, by counting points."""
    place = (torch.arange(SIDE * parts) - (SIDE * parts - 1) / 2 - parts / 2 * (1 - SIDE % 2)) / parts
    inside = (place[:, None] ** 2 + place**2 <= max(radius, 0.02) ** 2).double()
    counts = inside.view(SIDE, parts, SIDE, parts).sum((1, 3))
    return counts / counts.sum()


def test_a_point_becomes_an_image_of_the_aperture():
    weights, places, cell = disk()
    for radius in (0.0, 0.7, 2.0, 5.3, -9.0):
        spectrum = transfer_functions(weights, places, cell, torch.tensor([radius]), SIDE)
        kernel = torch.fft.irfft2(spectrum, s=(SIDE, SIDE))[0].roll((SIDE // 2,) * 2, (0, 1)).double()
        assert float(kernel.sum()) == pytest.approx(1, abs=1e-6)
        along = torch.arange(SIDE, dtype=torch.float64) - SIDE // 2
        assert float((kernel - pixels_of_a_disk(abs(radius))).abs().sum()) < 0.04  # of 1: the edge, cell by cell
        assert float(kernel[along.abs() > abs(radius) + 1].abs().max()) < 1e-6
    half = weights * (places < 0)[:, None, :]
    shifts = []
    for radius in (6.0, -6.0):
        spectrum = transfer_functions(half, places, cell, torch.tensor([radius]), SIDE)
        kernel = torch.fft.irfft2(spectrum, s=(SIDE, SIDE))[0].roll((SIDE // 2,) * 2, (0, 1))
        shifts.append(float((kernel.sum(0) * (torch.arange(SIDE) - SIDE // 2)).sum()))
    assert shifts[0] == pytest.approx(6 * 4 / (3 * math.pi), rel=0.02)  # centroid of half a disk
    assert shifts[1] == pytest.approx(-shifts[0], rel=1e-4)


def test_apertures_let_light_through():
    for in_views in (False, True):
        weights, places, cell = draw_apertures(draws(200), torch.full((200,), in_views))
        assert bool((weights >= 0).all() and (weights <= 1).all() and (weights.sum((1, 2)) > 3).all())
        assert bool((places[weights.sum(1) > 0].abs() <= 1.15).all())
        assert bool((cell == (0 if in_views else 1 / 16)).all())
    views = (draw_apertures(draws(200), torch.ones(200, dtype=torch.bool))[0] > 0).any(1).sum(1)
    assert int(views.min()) >= 6
    assert int(views.max()) <= 14


def scene(radii):
    """Two layers of one pair, the front one with an outline."""
    levels = torch.arange(len(radii))
    radius = torch.tensor(radii)[:, None].expand(-1, 2)
    return Scenes(torch.zeros_like(levels), levels, radius, torch.zeros(len(radii)))


def layered(count):
    light = smooth(count, 3, SIDE, SIDE, seed=3)
    y, x = torch.meshgrid(torch.arange(SIDE), torch.arange(SIDE), indexing="ij")
    outline = (10 - torch.hypot(y - 25.0, x - 22.0) + 0.5).clamp(0, 1)
    opacity = torch.stack([torch.ones(SIDE, SIDE), outline][:count])[:, None]
    return torch.cat([light * opacity, opacity], 1)


def rays(layers, radii, weights, places):
    """The sum over all views of what a ray through each meets first, in float64."""
    total, passed = torch.zeros(3, SIDE, SIDE, dtype=torch.float64), 0.0

    def moved(layer, by, axis):
        whole = math.floor(by)
        a, b = (layer.roll(-shift, axis) for shift in (whole, whole + 1))
        return a + (b - a) * (by - whole)

    for i, v in enumerate(places.double().tolist()):
        for j, u in enumerate(places.double().tolist()):
            weight = float(weights[i, j])
            if weight == 0:
                continue
            light = torch.zeros(3, SIDE, SIDE, dtype=torch.float64)
            for layer, radius in zip(layers.double(), radii, strict=True):
                seen = moved(moved(layer, v * radius, 1), u * radius, 2)
                light = light * (1 - seen[3:]) + seen[:3]
            total, passed = total + weight * light, passed + weight
    return total / passed


@pytest.mark.parametrize(
    ("radii", "tolerance"), [((0.0, 5.0), 2e-6), ((-4.0, 0.0), 2e-6), ((-4.0, 5.0), 0.05)], ids=str
)
def test_edges_are_those_of_a_count_of_rays(radii, tolerance):
    """Exact where one layer is in focus; where both are blurred, the far one's detail at the edge is a fair sample."""
    weights, places, cell = draw_apertures(draws(1), torch.ones(1, dtype=torch.bool))
    layers, scenes = layered(2), scene(radii)
    light = defocus(scenes, layers, (weights, places, cell), 1)[0]
    expected = rays(layers, radii, weights[0], places[0]).float()
    torch.testing.assert_close(light, expected, rtol=0, atol=tolerance)
    assert float((light - expected).abs().mean()) < 3e-3
    assert float((all_in_focus(scenes, layers, 1)[0] - expected).abs().max()) > 0.1


def test_blur_is_refocus_of_the_light_field_it_stands_for():
    weights, places, cell = draw_apertures(draws(1, seed=3), torch.ones(1, dtype=torch.bool))
    count = int((places[0] <= 1).sum())
    disparity = 0.7
    radius = disparity * (count - 1) / 2
    layer = layered(1)
    light = defocus(scene([radius]), layer, (weights, places, cell), 1)[0]
    # A view further down by one step sees a near thing ``disparity`` pixels further up.
    offsets = (torch.arange(count) - (count - 1) / 2) * disparity
    views = torch.stack([torch.stack([_moved(layer[0, :3], float(v), float(u)) for u in offsets]) for v in offsets])
    aperture = weights[0, :count, :count]
    # The views were made by linear interpolation already: focusing on disparity 0 adds them up.
    seen = refocus(views, 0.0, aperture=aperture)
    torch.testing.assert_close(light, seen, rtol=0, atol=3e-6)


def _moved(picture, v, u):
    for axis, by in ((1, v), (2, u)):
        whole = math.floor(by)
        picture = picture.roll(-whole, axis) * (1 - (by - whole)) + picture.roll(-whole - 1, axis) * (by - whole)
    return picture


def test_light_is_kept():
    layers = layered(1)
    apertures = draw_apertures(draws(1), torch.zeros(1, dtype=torch.bool))
    one = torch.zeros(1, dtype=torch.int64)

    def exposed(radii, picture):
        return defocus(Scenes(one, one, torch.tensor([radii]), torch.zeros(1)), picture, apertures, 1)

    for radius in (3.0, -8.0):
        light = exposed([radius, radius], layers)
        assert float(light.mean()) == pytest.approx(float(layers[:, :3].mean()), rel=1e-5)
    light = exposed([2.0, 4.0], layers)  # a slant to the right
    even = torch.ones_like(layers)
    torch.testing.assert_close(exposed([2.0, 4.0], even), even[:, :3], rtol=0, atol=1e-5)
    sharper, softer = (float(light[..., part].diff(dim=-1).abs().mean()) for part in (slice(4, 20), slice(28, 44)))
    assert sharper > 1.2 * softer


def test_scenes_are_in_order_of_depth(pool):
    options = RenderingOptions(radius=12)
    scenes = draw_scenes(draws(300), options)
    assert bool((scenes.level.diff() >= 0).all())
    assert torch.equal(scenes.pair[:300], torch.arange(300))
    middle = scenes.radius.mean(1)
    for pair in range(50):
        mine = scenes.pair == pair
        assert scenes.level[mine].tolist() == list(range(int(mine.sum())))
        assert bool((middle[mine].diff() >= -6).all())  # slants cross
    assert float(scenes.radius.abs().max()) <= 12
    flat = ~scenes.slanted
    assert 0.1 < float((scenes.radius[flat] == 0).float().mean()) < 0.5
    layers = paint(scenes, draws(300), pool, options, 40)
    opacity = layers[:, 3]
    assert bool((opacity[scenes.level == 0] == 1).all())
    covered = opacity[scenes.level > 0].mean((1, 2))
    assert 0.25 < float(covered.mean()) < 0.75


def test_noise_has_the_variance_of_photons_and_read_out():
    many = draws(256)
    light = torch.cat([torch.full((256, 3, 16, 16), 0.04), torch.full((256, 3, 16, 16), 0.64)], 3)
    noise = with_noise(light, many, 1.0) - light
    shot = many.log_between("photons", 4e-4 / 30, 4e-4)
    read = many.log_between("read-out", 0.003 / 40, 0.003)
    for part, level in ((noise[..., :16], 0.04), (noise[..., 16:], 0.64)):
        wanted = shot * level + read.square()
        assert float((part.square().mean((1, 2, 3)) / wanted).mean()) == pytest.approx(1, abs=0.02)
    assert torch.equal(with_noise(light, many, 0.0), light)
    assert not torch.equal(with_noise(light, many, 1.0, "left"), with_noise(light, many, 1.0))


def test_a_bayer_sensor_keeps_what_is_even_or_rises_evenly():
    y, x = torch.meshgrid(torch.arange(24.0), torch.arange(20.0), indexing="ij")
    ramp = torch.stack([0.2 + 0.01 * x, 0.3 + 0.01 * x, 0.1 + 0.01 * x])[None] + 0.005 * y
    torch.testing.assert_close(demosaiced(ramp)[..., 3:-3, 3:-3], ramp[..., 3:-3, 3:-3], rtol=0, atol=1e-5)
    textured = smooth(1, 3, 24, 20)
    assert float((demosaiced(textured) - textured).abs().max()) > 0.02


@pytest.mark.parametrize("quality", [75, 90])
def test_compression_is_that_of_a_jpeg_library(quality):
    picture = developed(smooth(1, 3, 64, 80, seed=5))
    pixels = (picture[0] * 255).round().byte().permute(1, 2, 0).contiguous().numpy()
    data = (
        pyvips.Image.new_from_memory(pixels, 80, 64, 3, "uchar")
        .copy(interpretation="srgb")
        .jpegsave_buffer(Q=quality, subsample_mode="on")
    )
    theirs = torch.from_numpy(pyvips.Image.new_from_buffer(data, "").numpy()).permute(2, 0, 1) / 255
    ours = compressed(picture, torch.tensor([float(quality)]))[0]
    lost = float((theirs - picture[0]).square().mean().sqrt())
    assert float((ours - theirs).square().mean().sqrt()) < 0.35 * lost
    assert float((ours - picture[0]).square().mean().sqrt()) == pytest.approx(lost, rel=0.1)


def test_pairs_depend_on_their_number_alone(pool):
    renderer = PairRenderer(pool, RenderingOptions(side=24, radius=5), seed=3)
    several = renderer([4, 0, 9])
    for i, number in enumerate([4, 0, 9]):
        alone = renderer([number])
        for name, picture in several.items():
            assert float((alone[name][0] - picture[i]).abs().max()) <= 1 / 255 + 1e-6
    assert not torch.equal(several["defocused"][0], PairRenderer(pool, renderer.options, seed=4)([4])["defocused"][0])
    for picture in several.values():
        assert picture.shape == (3, 3, 24, 24)
        assert bool((picture >= 0).all() and (picture <= 1).all())
        torch.testing.assert_close(picture * 255, (picture * 255).round(), rtol=0, atol=1e-4)


def test_what_is_in_focus_is_its_own_truth(pool):
    options = RenderingOptions(side=32, radius=5, sharp=1, noisy=0, compressed=0, enlarged=0.5)
    pair = PairRenderer(pool, options)(range(12))
    assert float((pair["defocused"] - pair["sharp"]).abs().max()) <= 1 / 255 + 1e-6
    blurred = PairRenderer(pool, RenderingOptions(side=32, radius=5, sharp=0))(range(12))
    assert float((blurred["defocused"] - blurred["sharp"]).abs().mean()) > 0.01


def test_patches_are_the_pictures_turned(pool):
    picture = torch.arange(3 * 20 * 20).view(3, 20, 20).float() / 1200
    one = PicturePool([picture], reduced=(1.0,))
    half = torch.full((8,), 0.5)
    parts = one.patches(half, half, half, torch.arange(8), 20)
    expected = [torch.rot90(p, k, (1, 2)) for p in (parts[0], parts[0].flip(2)) for k in range(4)]
    assert len({tuple(p.flatten().tolist()) for p in parts}) == 8
    for part in parts:
        assert any(torch.equal(part, e) for e in expected)
    wide = one.patches(half[:1], half[:1], half[:1], torch.zeros(1, dtype=torch.int64), 50)
    assert torch.equal(wide[0, :, :20, 20:40], wide[0, :, :20, :20].flip(2))
    assert pool.count == 4  # the second picture is not kept at 0.36 of its size, nor at 0.6


@pytest.mark.parametrize(
    ("make", "error"),
    [
        (lambda: PicturePool([]), "pictures: got none"),
        (lambda: PicturePool([torch.zeros(1, 40, 40)]), r"pictures: got shape \[1, 40, 40\], want \[3, H, W\]"),
        (lambda: RenderingOptions(radius=0.1), "radius: got 0.1, want 0.6 to 64"),
        (lambda: RenderingOptions(layers=5), "layers: got 5, want whole number from 1 to 4"),
        (lambda: RenderingOptions(noisy=1.5), "noisy: got 1.5, want a share from 0 to 1"),
        (lambda: RenderingOptions(layers=2.0), "layers: got 2.0, want whole number from 1 to 4"),
        (lambda: PicturePool([torch.zeros(3, 40, 40, dtype=torch.int64)]), "pictures: got dtype torch.int64"),
        (lambda: PicturePool([torch.full((3, 40, 40), torch.nan)]), r"pictures: got values outside \[0, 1\]"),
        (lambda: PairRenderer(PicturePool([smooth(3, 40, 40)]), seed=-1), "seed: got -1"),
        (lambda: PairRenderer(PicturePool([smooth(3, 40, 40)]))([-1]), "numbers: got -1, want whole numbers from 0"),
        (lambda: PairRenderer(PicturePool([smooth(3, 40, 40)]))([1.5]), "numbers: got 1.5, want whole numbers from 0"),
    ],
)
def test_what_cannot_be_rendered(make, error):
    with pytest.raises(ValueError, match=error):
        make()


@pytest.mark.cuda
def test_on_a_gpu_as_on_a_cpu(pool):
    options = RenderingOptions(side=32, radius=6)
    there = PicturePool([smooth(3, 80, 100), smooth(3, 64, 60, seed=1)], "cuda", least=32)
    mine, theirs = PairRenderer(pool, options)(range(16)), PairRenderer(there, options)(range(16))
    for name, picture in mine.items():
        difference = (theirs[name].cpu() - picture).abs()
        # Rounding to 8 bits and to steps of JPEG may fall to the other side.
        assert float(difference.mean()) < 1e-3, name
        assert float(np.quantile(difference.numpy(), 0.99)) <= 1 / 255 + 1e-6, name


def test_halves_of_a_dual_pixel_add_up_to_the_picture(pool):
    shares = {"sharp": 0.0, "noisy": 0.0, "demosaiced": 0.0, "highlights": 0.0, "compressed": 0.0}
    options = RenderingOptions(side=24, radius=6, layers=1, **shares)
    pair = PairRenderer(pool, options, dual_pixel=True)(range(8))
    assert set(pair) == {"defocused", "sharp", "left", "right"}
    whole, left, right = (pair[name] for name in ("defocused", "left", "right"))
    assert float((left - right).abs().mean()) > 0.01
    lowest, highest = torch.minimum(left, right), torch.maximum(left, right)
    assert bool(((whole >= lowest - 1e-6) & (whole <= highest + 1e-6)).all())  # a mean of the two in linear light
    alone = PairRenderer(pool, options)(range(8))
    assert float((alone["defocused"] - whole).abs().max()) <= 1.01 / 255
    assert torch.equal(alone["sharp"], pair["sharp"])


def test_no_pairs(pool):
    pair = PairRenderer(pool, RenderingOptions(side=24, radius=6), dual_pixel=True)([])
    assert {name: tuple(value.shape) for name, value in pair.items()} == dict.fromkeys(
        ("defocused", "sharp", "left", "right"), (0, 3, 24, 24)
    )


def test_pictures_of_16_bits_are_those_of_8(tmp_path):
    picture = torch.randint(0, 256, (3, 40, 50), generator=torch.Generator().manual_seed(0))
    eight, sixteen = (PicturePool([values]) for values in (picture.to(torch.uint8), (picture * 257).to(torch.uint16)))
    assert torch.equal(eight.pixels, sixteen.pixels)
    write_image(tmp_path / "small.png", torch.rand(3, 40, 15), bits=8)
    with pytest.raises(ImageError, match=r"small\.png: 15x40 pixels, want at least 16 along each side"):
        PicturePool.read([tmp_path / "small.png"])


def test_halves_of_a_dual_pixel_have_the_noise_of_half_the_light():
    many = draws(400)
    light = torch.full((400, 3, 8, 8), 0.5)
    whole, left, right = (
        with_noise(light, many, 1.0, name, share) - light for name, share in (("", 1.0), ("left", 0.5), ("right", 0.5))
    )
    both = (left + right) / 2
    assert float(left.square().mean() / whole.square().mean()) == pytest.approx(2.3, abs=0.3)  # photons 2, read-out 4
    assert float(both.square().mean() / whole.square().mean()) == pytest.approx(1.15, abs=0.15)


def test_grey_stays_grey_under_compression():
    grey = torch.linspace(0, 1, 64).expand(1, 3, 64, 64)
    for quality in (55.0, 78.0, 90.0):
        out = compressed(grey, torch.tensor([quality]))
        assert float((out.amax(1) - out.amin(1)).max()) < 1e-4


def test_pairs_of_a_folder(pool, tmp_path):
    for number in (10, 9):
        write_image(tmp_path / f"{number}.png", smooth(3, 40, 50, seed=number), bits=8)
    options = RenderingOptions(side=24, radius=3)
    pairs = RenderedPairs(tmp_path, options, seed=5)
    assert len(pairs) > 10**9
    several = pairs.__getitems__([3, 8])
    assert several[1]["name"] == "pair 8"
    assert float((several[1]["defocused"] - pairs[8]["defocused"]).abs().max()) <= 1.01 / 255
    assert several[0]["sharp"].shape == (3, 24, 24)
    empty = tmp_path / "empty"
    with pytest.raises(DataError, match="empty: no such folder"):
        RenderedPairs(empty)
    empty.mkdir()
    with pytest.raises(DataError, match="empty: no pictures there"):
        RenderedPairs(empty)
