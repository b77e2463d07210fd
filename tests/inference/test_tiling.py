"""Tiles: where they lie, what they must see, and that they give what the whole picture gives."""

import itertools
import math

import pytest
import torch

from lfdeblur_models import DRBNet, deblur, exact_overlap
from lfdeblur_models.inference.tiled_network import SMALL, BudgetError, TiledNetwork
from lfdeblur_models.inference.tiles import fitting_grid, grid, run_tiles
from lfdeblur_models.io.images import read_image
from lfdeblur_ops.testing import TOL

from ..data_paths import data_folder
from ..natural import natural, psnr


@pytest.mark.parametrize(
    "shape",
    [(4, 3, 7, "full"), (2, 3, 7, "full"), (3, 2, 5, "full"), (1, 1, 3, "full"), (3, 2, 15, "single-scale")],
    ids=str,
)
def test_overlap_is_the_radius_that_gradients_reach(shape):
    scales, width, kernel_size, variant = shape
    net = DRBNet(width=width, kernel_size=kernel_size, scales=scales, variant=variant)
    net = net.double().eval()
    generator = torch.Generator().manual_seed(0)
    for name, weight in net.named_parameters():  # positive: nothing cancels; small: nothing is clipped
        gain = 1e-3 if ".filters.2" in name or ".residual.2" in name else 1.0
        weight.data = gain * torch.rand(weight.shape, generator=generator, dtype=torch.float64) / weight[0].numel()
    multiple = 1 << (scales - 1)
    expected = exact_overlap(net)
    side = (2 * expected + 3 * multiple) // multiple * multiple
    middle = side // 2 // multiple * multiple
    reach = 0
    for pixel in range(middle, middle + multiple):
        x = torch.rand(1, 3, side, multiple, generator=generator, dtype=torch.float64).mul_(0.1).requires_grad_()
        net(x)[0, 0, pixel, 0].backward()
        seen = x.grad.abs().amax((0, 1, 3)).nonzero().flatten()
        reach = max(reach, pixel - int(seen.min()), int(seen.max()) - pixel)
    assert expected - multiple < reach <= expected


def test_the_papers_network_sees_144_pixels():
    with torch.device("meta"):
        assert exact_overlap(DRBNet()) == 144


@pytest.mark.parametrize("size", [(1, 1), (7, 400), (96, 97), (300, 211), (1000, 64), (513, 519)], ids=str)
@pytest.mark.parametrize(
    ("tile", "overlap", "multiple"), [(64, 16, 8), (40, 16, 8), (128, 0, 8), (33, 5, 1), (72, 24, 4)]
)
def test_grids_cover_each_pixel_once_with_context(size, tile, overlap, multiple):
    found = grid(*size, (tile, tile), overlap, multiple)
    given = torch.zeros(size, dtype=torch.int32)

    def read(row, column):
        return torch.zeros(1, 3, row.stop - row.start, column.stop - column.start)

    def write(top, left, block):
        assert block.numel() > 0
        given[top : top + block.shape[1], left : left + block.shape[2]] += 1

    run_tiles(lambda x: x, found, read, write)
    assert bool((given == 1).all())
    for spans, length in ((found.rows, size[0]), (found.columns, size[1])):
        assert (spans[0].start, spans[-1].stop) == (0, length)
        for span in spans:
            assert span.start % multiple == 0
            assert span.stop == length or span.stop % multiple == 0
            assert span.stop - span.start <= tile
        for one, other in itertools.pairwise(spans):
            assert one.last - other.first == 2 * found.blend
            seam = (one.last + other.first) // 2
            assert one.stop - seam >= overlap
            assert seam - other.start >= overlap
    assert len({span.stop - span.start for span in found.rows[:-1]}) <= 1  # sizes are few: graphs are kept for each


def test_grids_refuse_what_cannot_be():
    with pytest.raises(ValueError, match="overlap: got 5, want a multiple of 8"):
        grid(100, 100, (64, 64), 5, 8)
    with pytest.raises(ValueError, match="tile: got 60, want a multiple of 8 of at least 40"):
        grid(100, 100, (64, 60), 16, 8)
    with pytest.raises(ValueError, match="tile: got 32, want a multiple of 8 of at least 40"):
        grid(100, 100, (64, 32), 16, 8)
    assert grid(20, 100, (24, 40), 16, 8).rows[0].stop == 20  # the picture is no larger than the tile


@pytest.mark.parametrize("size", [(4000, 6000), (8660, 11547), (300, 9000), (50, 50)], ids=str)
@pytest.mark.parametrize("pixels", [3e4, 2e5, 1.4e6, 1e9])
def test_fitting_grids_fit_and_are_the_cheapest(size, pixels):
    found = fitting_grid(*size, pixels, 64, 8)
    assert math.prod(found.tile) <= pixels
    for rows in range(136, size[0] + 8, 96):
        columns = min(int(pixels / rows) // 8 * 8, -(-size[1] // 8) * 8)
        if columns >= 136:
            assert found.computed <= grid(*size, (rows, columns), 64, 8).computed
    assert fitting_grid(*size, 136 * 135, 64, 8) is None or size == (50, 50)


@pytest.mark.parametrize(("shape", "size", "tile"), [((4, 3, 7), (331, 407), 312), ((2, 4, 3), (101, 90), 64)])
def test_tiles_that_see_the_receptive_field_are_exact(shape, size, tile):
    scales, width, kernel_size = shape
    net = natural(width=width, kernel_size=kernel_size, scales=scales)
    picture = torch.rand(3, *size)
    whole = deblur(net, picture, tile=1024)
    overlap = exact_overlap(net)
    assert len(grid(*size, (tile, tile), overlap, 1 << (scales - 1)).rows) > 1
    torch.testing.assert_close(deblur(net, picture, tile=tile, overlap=overlap), whole, **TOL[torch.float32])
    less = deblur(net, picture, tile=tile, overlap=8)
    assert (less - whole).abs().max() > 1e-4  # the test can tell


@pytest.mark.parametrize("name", ["dpdd_1P0A2067_input.png", "text_defocus.jpg"])
@pytest.mark.parametrize("views", [1, 2])
def test_default_overlap_on_real_pictures(name, views):
    pixels, _ = read_image(data_folder("noref-defocus") / name)
    picture = pixels[:, :250, :400].float() / 255
    net = natural(views=views, width=6)
    sides = {} if views == 1 else {"left": picture.roll(-1, 2), "right": picture.roll(1, 2)}
    whole = deblur(net, picture, tile=1024, **sides)
    assert whole.std() > 0.03
    assert psnr(deblur(net, picture, tile=200, **sides), whole) > 50


def test_seams_are_mixed():
    """Tiles that disagree by a constant step leave a ramp, not an edge."""
    tiles = grid(8, 200, (8, 120), 32, 8)
    calls = []
    out = torch.empty(3, 8, 200)

    def network(x):
        calls.append(x.shape)
        return torch.full((1, 3, *x.shape[2:]), float(len(calls)))

    def write(top, left, block):
        out[:, top : top + block.shape[1], left : left + block.shape[2]] = block

    run_tiles(network, tiles, lambda r, c: torch.zeros(1, 3, r.stop - r.start, c.stop - c.start), write)
    assert len(calls) > 1
    steps = out.diff(dim=2)
    assert steps.max() <= 1 / (2 * tiles.blend)
    assert out.max() == len(calls)


def test_grey_pictures_and_dtypes():
    net = natural(width=4, scales=2)
    grey = torch.rand(1, 90, 100)
    want = deblur(net, grey.expand(3, -1, -1)).mean(0, keepdim=True)
    torch.testing.assert_close(deblur(net, grey, tile=64, overlap=exact_overlap(net)), want, **TOL[torch.float32])
    assert deblur(net.double(), grey.double()).dtype == torch.float32
    assert psnr(deblur(net.bfloat16(), grey), want) > 35


def test_a_budget_makes_tiles_and_a_small_one_is_refused():
    net = natural(width=4)
    picture = torch.rand(3, 600, 620)
    need = TiledNetwork(net).need
    tiled = TiledNetwork(net)
    assert tiled.need is need  # measured once
    tiles = tiled.grid(600, 620, need.bytes(250_000))
    assert len(tiles.rows) * len(tiles.columns) > 1
    assert need.bytes(math.prod(tiles.tile)) <= need.bytes(250_000)
    assert tiled.grid(600, 620, None).computed == 600 * 620
    whole, tiled = deblur(net, picture), deblur(net, picture, memory="8GB")
    torch.testing.assert_close(tiled, whole)
    with pytest.raises(BudgetError, match="a tile takes"):
        deblur(net, picture, memory=1000)
    with pytest.raises(ValueError, match="got 'much', want a size such as 2GB"):
        deblur(net, picture, memory="much")
    assert picture[0].numel() > SMALL


def test_bad_arguments():
    net, dual = natural(width=4, scales=2), natural(views=2, width=4, scales=2)
    picture = torch.rand(3, 20, 20)
    cases = [
        (net, picture, {"tile": 8}, ValueError, "tile: got 8, want at least"),
        (net, picture, {"overlap": -1}, ValueError, "overlap: got -1"),
        (net, picture, {"left": picture}, TypeError, "left: surplus, the network has views=1"),
        (dual, picture, {"left": picture}, TypeError, "right: missing, the network has views=2"),
        (dual, picture, {"left": picture, "right": picture[:, :9]}, ValueError, "right: got shape"),
        (net, picture[None], {}, ValueError, "picture: got shape [1, 3, 20, 20]"),
        (net, picture[:2], {}, ValueError, "want [1 or 3, H, W]"),
        (net, picture.byte(), {}, TypeError, "picture: got dtype torch.uint8"),
    ]
    for network, given, options, error, message in cases:
        with pytest.raises(error) as caught:
            deblur(network, given, **options)
        assert message in str(caught.value)
