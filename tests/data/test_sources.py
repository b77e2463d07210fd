"""Everything that becomes a light field, and one command that makes pairs of each kind of real data."""

import shutil

import fsspec
import numpy as np
import pyarrow.parquet as pq
import pytest
import torch
import zarr

from lfdeblur_models import cli
from lfdeblur_models.data import (
    LightFieldError,
    Reading,
    Synthesis,
    disk,
    find_sources,
    light_field_from_photo,
    light_field_from_rgbd,
    light_field_from_stereo,
    open_source,
    read_light_field,
    render_pair,
    srgb_to_linear,
)
from lfdeblur_models.data.rendering.view_disparity import fill_from_behind
from lfdeblur_models.data.sources.from_depth import synthesise
from lfdeblur_models.data.sources.from_photo import random_layers
from lfdeblur_models.data.sources.warp import warp_to_light_field
from lfdeblur_models.io.images import read_image, write_image
from lfdeblur_ops.testing import MANY_ROUNDINGS

from ..data_paths import FOLDER, data_folder
from .readers.light_field_files import write_views
from .toy_scenes import plane, write_scene, write_scenes


def step_scene(near=1.0, far=-1.0):
    """A square in front of a wall, both textured: picture and disparity."""
    light = torch.rand(3, 40, 50, generator=torch.Generator().manual_seed(0))
    disparity = torch.full((40, 50), far)
    disparity[12:28, 15:35] = near
    return light, disparity


def test_warp_moves_by_disparity_and_keeps_the_centre():
    light, disparity = step_scene()
    views = warp_to_light_field(light, disparity, (5, 5))
    assert views.dtype == torch.uint16
    assert torch.equal(views[2, 2].int(), (light * 65535).round().int())
    for v, u in ((0, 0), (2, 4), (3, 1)):  # whole pixels: exact where both are seen
        view = views[v, u].float() / 65535
        dy, dx = v - 2, u - 2
        near = view[:, 12 - dy : 28 - dy, 15 - dx : 35 - dx]
        torch.testing.assert_close(near, light[:, 12:28, 15:35], atol=MANY_ROUNDINGS, rtol=0)
        wall = view[:, 32 + dy : 36 + dy, 8 + dx : 42 + dx]
        torch.testing.assert_close(wall, light[:, 32:36, 8:42], atol=MANY_ROUNDINGS, rtol=0)


def test_what_was_hidden_is_filled_from_behind():
    light, disparity = step_scene()
    light[:] = 0.2
    light[:, 12:28, 15:35] = 0.9
    views = warp_to_light_field(light, disparity, (3, 3)).float() / 65535
    for v in range(3):
        for u in range(3):
            assert (views[v, u] > 0.5).sum() == 3 * 16 * 20  # the square is as large as before: no smear of it


def test_slanted_surfaces_have_no_cracks():
    light = torch.full((1, 40, 60), 0.8)
    disparity = torch.linspace(-2, 2, 60).expand(40, 60).contiguous()
    light[:, 18:22] = 0.1
    disparity[18:22] = -2.5  # would shine through
    views = warp_to_light_field(light, disparity, (1, 9)).float() / 65535
    assert bool((views[..., :16, 12:-12] > 0.7).all())


def test_the_generated_light_field_agrees_with_its_disparity():
    """Focused on a surface, the pair is sharp there and blurred elsewhere."""
    light, disparity = step_scene()
    field = synthesise(light, disparity, Synthesis(views=5), kind="test", scene="step", source={})
    pair = render_pair(field, 1.0, disk(field.grid, 2))
    error = (pair.defocused - pair.truth).abs().mean(0)
    assert error[14:26, 17:33].max() < 1e-3
    assert error[:8].mean() > 0.1


def test_fill_from_behind_takes_the_farthest_neighbour():
    values = np.array([[[1.0, 0, 0, 4]]])
    known = np.array([[True, False, False, True]])
    assert fill_from_behind(values, known, np.array([[1.0, 0, 0, 2]]))[0, 0].tolist() == [1, 1, 1, 4]
    assert fill_from_behind(values, known, np.array([[3.0, 0, 0, 2]]))[0, 0].tolist() == [1, 4, 4, 4]
    corner = np.zeros((1, 3, 3))
    corner[0, 0, 0] = 7
    assert (fill_from_behind(corner, corner[0] > 0, corner[0]) == 7).all()
    with pytest.raises(LightFieldError, match="no pixel is known"):
        fill_from_behind(corner, np.zeros((3, 3), bool), corner[0])


def test_random_layers_depend_on_the_seed_alone():
    maps = [random_layers(50, 70, 2.0, np.random.default_rng(seed)) for seed in (1, 1, 2)]
    assert torch.equal(maps[0], maps[1])
    assert not torch.equal(maps[0], maps[2])
    for disparity in maps:
        assert disparity.shape == (50, 70)
        assert disparity.abs().max() <= 1


def test_rgbd_and_stereo_files(tmp_path):
    colour, depth = tmp_path / "a_color.png", tmp_path / "a_depth.png"
    write_image(colour, torch.rand(3, 30, 40))
    metres = torch.full((1, 30, 40), 4000, dtype=torch.int32)
    metres[:, 10:20, 10:20] = 1000
    metres[:, :3] = 0
    write_image(depth, metres.to(torch.uint16))
    field = light_field_from_rgbd(colour, depth, Synthesis(views=3, spread=2))
    assert field.grid == (3, 3)
    assert (field.format, field.scene, field.disparity_range) == ("rgbd", "a_color", (-1.0, 1.0))
    assert bool((field.disparity[10:20, 10:20] == 1).all())  # near
    assert bool((field.disparity[:9] == -1).all())  # gaps at the top: from behind
    np.savez(tmp_path / "d.npz", metres[0].numpy().astype(np.float32))
    near_is_large = light_field_from_stereo(colour, tmp_path / "d.npz", Synthesis(views=3, spread=2))
    assert bool((near_is_large.disparity[10:20, 10:20] == -1).all())
    write_image(tmp_path / "small.png", torch.zeros(1, 5, 5))
    for other, message in ((tmp_path / "small.png", "its depth has 5x5"), (tmp_path / "none.png", "no such file")):
        with pytest.raises(LightFieldError, match=message):
            light_field_from_rgbd(colour, other)
    write_image(tmp_path / "zero.png", torch.zeros(1, 30, 40))
    with pytest.raises(LightFieldError, match="unknown everywhere"):
        light_field_from_rgbd(colour, tmp_path / "zero.png")
    with pytest.raises(LightFieldError, match="coloured picture"):
        light_field_from_rgbd(colour, colour)


def test_large_pictures_are_made_smaller(tmp_path):
    write_image(tmp_path / "photo.png", torch.full((3, 100, 60), 0.5))
    field = light_field_from_photo(tmp_path / "photo.png", Synthesis(views=3, longest_side=50))
    assert field.size == (50, 30)
    half = srgb_to_linear(torch.tensor(128 / 255)).item()
    torch.testing.assert_close(field.views.float() / 65535, torch.full((3, 3, 3, 50, 30), half), atol=2e-5, rtol=0)


def test_find_sources(tmp_path):
    def kinds(path):
        return [(source.kind, source.scene) for source in find_sources(path)]

    scenes = write_scenes(tmp_path / "scenes", 2)
    assert kinds(scenes) == [("light_field", "scene0"), ("light_field", "scene1")]
    assert kinds(scenes / "scene0") == [("light_field", "scene0")]
    folder = tmp_path / "more"
    folder.mkdir()
    for name in ("a_color", "a_depth", "b_rgb", "b_depth"):
        write_image(folder / f"{name}.png", torch.zeros(1, 4, 4))
    assert kinds(folder) == [("rgbd", "a"), ("rgbd", "b")]
    np.save(folder / "c_depth.npy", np.ones((4, 4)))
    write_image(folder / "c_color.png", torch.zeros(1, 4, 4))
    assert kinds(folder)[2:] == [("rgbd", "c")]
    (folder / "c_color.png").unlink()
    files = folder / "a_color.png", folder / "a_depth.png"
    assert kinds(files[0]) == [("photo", "a_color")]
    assert kinds(f"photo:{folder}") == [("photo", name) for name in ("a_color", "a_depth", "b_depth", "b_rgb")]
    assert kinds(f"rgbd:{files[0]},{files[1]}") == [("rgbd", "a_color")]
    assert kinds(f"stereo:{files[0]},{files[1]}") == [("stereo", "a_color")]
    illum = tmp_path / "illum"
    illum.mkdir()
    for name in ("IMG_1_eslf", "IMG_2.eslf"):
        write_image(illum / f"{name}.png", torch.zeros(3, 14, 28))
    np.savez(illum / "saved.npz", views=plane(1).views.numpy())
    assert kinds(illum) == [("light_field", name) for name in ("IMG_1", "IMG_2", "saved")]
    write_views(
        tmp_path / "gantry" / "knights" / "rectified", plane(1).views, lambda v, u: f"out_0{v}_0{u}_{-v}_{u}.png"
    )
    assert kinds(tmp_path / "gantry") == [("light_field", "knights")]
    for wrong in (tmp_path / "nowhere", f"rgbd:{files[0]}", f"photo:{tmp_path / 'nowhere'}"):
        with pytest.raises(LightFieldError, match=r"no such file|two files"):
            list(find_sources(wrong))
    with pytest.raises(LightFieldError, match="holds 2 scenes, want one"):
        open_source(scenes)
    assert open_source(scenes / "scene0").grid == (3, 3)


def test_find_sources_in_a_storage_that_fsspec_knows(tmp_path):
    """As in a local folder, by the names alone; and what is read is told by its URL."""
    lights = tmp_path / "lights"
    write_scenes(lights, 1)
    np.savez(lights / "scene0.npz", views=plane(1).views.numpy())
    for name in ("IMG_1_eslf.png", "IMG_2_eslf.png"):
        write_image(tmp_path / name, torch.full((3, 14 * 8, 14 * 9), 0.5))
    for name in ("a_color", "a_depth", "b_color", "b_depth"):
        write_image(tmp_path / f"{name}.png", torch.rand(1, 20, 24).add(0.1).mul(200).byte())
    group = zarr.open_group(tmp_path / "big.zarr", mode="w")
    group.create_array("views", data=plane(1).views.numpy())
    group.attrs["disparity_range"] = [-1.0, 2.0]
    memory = fsspec.filesystem("memory")
    try:
        for part, files in (("lf", ["lights/scene0", "big.zarr"]), ("files", ["lights/scene0.npz", "IMG_2_eslf.png"])):
            for file in files:
                memory.put(str(tmp_path / file), f"/in/{part}/{file.rpartition('/')[2]}", recursive=True)
        for file in tmp_path.glob("[ab]_*.png"):
            memory.put(str(file), f"/in/rgbd/{file.name}")
        found = {
            source.scene: source for url in ("lf", "files", "rgbd") for source in find_sources(f"memory://in/{url}")
        }
        assert list(found) == ["big", "scene0", "IMG_2", "a", "b"]
        small = Reading(synthesis=Synthesis(views=3))
        grids = [open_source(source, small).grid for source in found.values()]
        assert grids == [(5, 5), (5, 5), (14, 14), (3, 3), (3, 3)]
        assert open_source(found["big"]).disparity_range == (-1.0, 2.0)
        photos = list(find_sources("photo:memory://in/rgbd"))
        assert [source.scene for source in photos] == ["a_color", "a_depth", "b_color", "b_depth"]
        assert open_source(photos[0], small).grid == (3, 3)
        told = "rgbd:memory://in/rgbd/a_color.png,memory://in/rgbd/a_depth.png"
        assert [str(source) for source in find_sources(told)] == [told]
        memory.pipe_file("/in/files/scene0.npz", b"PK")
        with pytest.raises(LightFieldError, match=r"memory://in/files/scene0\.npz: not a readable"):
            open_source(next(iter(find_sources("memory://in/files/scene0.npz"))))
    finally:
        memory.rm("/in", recursive=True)


REAL = {
    "lf-hci-antinous": 1,
    "lf-lytro-2067": 1,
    "lf-stanford-chess": 1,
    "raw-lenslet-guv": 1,
    "rgbd-kinect": 3,
    "rgbd-middlebury": 10,
}


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=pytest.mark.slow if name == "lf-stanford-chess" else ()) for name in REAL]
)
def test_one_command_makes_a_training_set_of_each_kind_of_data(name, tmp_path, capsys):
    source = data_folder(name)
    assert len(list(find_sources(source))) == REAL[name]
    few, scenes = tmp_path / "few", REAL[name]
    if name == "rgbd-middlebury":  # one of each naming, to be quick
        for scene in ("Art", "Teddy"):
            shutil.copytree(source / scene, few / scene)
        source, scenes = few, 2
    elif name == "rgbd-kinect":
        few.mkdir()
        for file in ("camera_primesense.json", "tum_color.png", "tum_depth.png"):
            shutil.copy(source / file, few)
        source, scenes = few, 1
    out = tmp_path / "out"
    with pytest.raises(SystemExit) as stop:
        cli.main(["generate", str(source), "--out", str(out), "--planes", "2", "--aperture", "disk:2", "--dual-pixel"])
    assert stop.value.code == 0, capsys.readouterr().err
    rows = pq.read_table(out / "manifest.parquet").to_pylist()
    assert len(rows) == 2 * scenes
    assert len(list((out / "contact_sheets").iterdir())) == scenes
    for row in rows:
        truth = read_image(out / row["truth"])[0].float() / 255
        assert truth.shape[1:] == (row["height"], row["width"])
        for kind in ("defocused", "left", "right"):
            picture = read_image(out / row[kind])[0].float() / 255
            assert picture.shape == truth.shape
            assert 1e-4 < (picture - truth).abs().mean() < 0.2  # blurred, and of the same scene
        assert row["coc_max"] > 0 or row["coc_min"] < 0
        # Focused at the near end: nothing is nearer than the plane in focus, at the far end nothing farther.
        assert row["disparity_low"] <= row["disparity"] <= row["disparity_high"]


def test_every_kind_of_stereo_and_photograph_of_the_data(tmp_path):
    """The namings that the command's test leaves out, at a small size."""
    folder = data_folder("rgbd-middlebury")
    small = Synthesis(views=3, longest_side=200)
    for scene in ("Aloe", "Motorcycle", "Cones"):
        field = open_source(folder / scene, Reading(synthesis=small))
        assert (field.format, field.scene, field.grid) == ("stereo", scene, (3, 3))
        assert max(field.size) == 200
    photo = open_source(folder / "Cones" / "im2.png", Reading(synthesis=small, seed=3))
    again = open_source(folder / "Cones" / "im2.png", Reading(synthesis=small, seed=4))
    assert photo.format == "photo"
    assert not torch.equal(photo.disparity, again.disparity)


def test_arrays_become_pairs_too(tmp_path):
    h5py = pytest.importorskip("h5py")
    field = plane(1)
    np.savez(tmp_path / "a.npz", views=field.views.numpy())
    with h5py.File(tmp_path / "b.h5", "w") as file:
        file["views"] = field.views.numpy()
    write_scene(tmp_path / "c", field)
    files = [str(tmp_path / name) for name in ("a.npz", "b.h5", "c")]
    with pytest.raises(SystemExit) as stop:
        cli.main(["generate", *files, "--out", str(tmp_path / "out"), "--disparity", "0", "--aperture", "disk:1"])
    assert stop.value.code == 0
    pictures = [read_image(tmp_path / "out" / "ground_truth" / f"{name}.png")[0] for name in "abc"]
    assert all(torch.equal(picture, read_light_field(tmp_path / "c").center) for picture in pictures)


def test_a_large_grid_of_named_views():
    field = read_light_field(data_folder("lf-shop"))
    assert field.views.shape == (17, 17, 3, 640, 960)


def test_the_data_folder_holds_what_the_tests_take():
    if not FOLDER.is_dir():
        pytest.skip(f"no folder {FOLDER}; LFDEBLUR_TEST_DATA tells where the data lies")
    kinds = {folder.name for folder in FOLDER.iterdir() if folder.name.startswith(("lf-", "raw-", "rgbd-"))}
    # Read above, too large for a set of each kind; and the border of another one, which is no grid by itself.
    kinds -= {"lf-shop", "lf-lytro-2067-ring"}
    assert kinds == set(REAL), f"not tested on {kinds - set(REAL)}"
