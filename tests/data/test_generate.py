"""The generator: LFDOF's layout and shards, the manifest, what is done again and what is refused."""

import json
import math
import tarfile

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch

from lfdeblur_models.data import (
    Aperture,
    LightField,
    LightFieldError,
    Noise,
    Processes,
    Recipe,
    decode_defocus,
    defocus_map,
    generate,
    linear_to_srgb,
    render_pair,
)
from lfdeblur_models.data.generation.manifest import FILES, SCHEMA
from lfdeblur_models.data.generation.scene_renderer import SceneRenderer, Stages
from lfdeblur_models.data.transfer import quantise
from lfdeblur_models.io.errors import OutputError
from lfdeblur_models.io.images import read_image
from lfdeblur_ops.testing import half_a_step, peak_bytes

from .toy_scenes import SMALL, plane, seen, tree, write_scenes


@pytest.mark.parametrize("bits", [8, 16])
@pytest.mark.parametrize("dtype", [torch.uint8, torch.uint16], ids=str)
def test_the_lfdof_layout(tmp_path, bits, dtype):
    field = plane(1, v=6, dtype=dtype)  # even: the first row is left out
    shapes = (Aperture("disk", 1), Aperture("square", 2))
    steps = []
    made = generate(
        [field],
        tmp_path,
        Recipe(apertures=shapes, bits=bits, dual_pixel=True),
        progress=lambda *done: steps.append(done),
    )
    folders = ("input", "left", "right", "defocus_map")
    names = {f"{side}/plane/plane_ap{a}_{p:02d}.png" for side in folders for a in (1, 2) for p in range(5)}
    names |= {"ground_truth/plane.png", "contact_sheets/plane.jpg"}
    assert set(seen(tmp_path)) == names | {"manifest.parquet", "report.json"}
    assert (made.scenes, made.pairs, made.files, made.failures, steps) == (1, 10, len(names), [], [(1, 1)])
    centered = field.with_center()
    pair = render_pair(centered, 0.5, shapes[1])
    levels = 2**bits - 1
    for folder, picture in {"input": pair.defocused, "left": pair.left, "right": pair.right}.items():
        got, info = read_image(tmp_path / folder / "plane" / "plane_ap2_03.png")
        assert (info.format, info.bits) == ("png", bits)
        torch.testing.assert_close(got.double() / levels, picture.double(), atol=half_a_step(levels), rtol=0)
    truth, _ = read_image(tmp_path / "ground_truth" / "plane.png")
    center = centered.center.int()
    if bits == 8 and dtype == torch.uint16:
        center = (center + 128) // 257
    if bits == 16 and dtype == torch.uint8:
        center = center * 257
    assert torch.equal(truth.int(), center)


def test_the_manifest_tells_every_choice(tmp_path):
    field = LightField(plane(1).views, scene="toy", disparity=torch.ones(24, 20), disparity_range=(0.0, 2.0))
    recipe = Recipe(
        apertures=(Aperture("polygon", 2, blades=5, rotation=10),), planes=3, noise=Noise(1e-3, 2e-3), seed=5
    )
    generate([field], tmp_path, recipe)
    rows = pq.read_table(tmp_path / "manifest.parquet").to_pylist()
    assert [row["disparity"] for row in rows] == [0, 1, 2]
    for p, row in enumerate(rows):
        assert (row["scene"], row["key"]) == ("toy", f"toy_ap1_{p:02d}")
        assert (row["aperture"], row["aperture_diameter"]) == ("polygon:2:5:10", 4)
        assert (row["disparity_range_from"], row["disparity_map_from"]) == ("given", "ground truth")
        assert (row["noise_shot"], row["noise_read"], row["seed"]) == (1e-3, 2e-3, 5)
        assert (row["left"], row["truth_kind"], row["height"], row["width"]) == (None, "center", 24, 20)
        assert math.isclose(row["coc_min"], 4 * (1 - p))
        told = json.loads(row["recipe"])
        assert (told["planes"], told["apertures"][0]["blades"]) == (3, 5)
        for kind in ("defocused", "truth", "defocus_map", "contact_sheet"):
            assert (tmp_path / row[kind]).is_file()
        coc = decode_defocus(read_image(tmp_path / row["defocus_map"])[0])
        want = defocus_map(field.disparity, row["disparity"], row["aperture_diameter"])
        torch.testing.assert_close(coc[0], want, atol=0.51 / row["defocus_map_steps_per_pixel"], rtol=0)
    assert len({row["noise_seed"] for row in rows}) == 3


def test_both_truths_and_their_difference(tmp_path):
    views = plane(1).views
    darker = (views * 0.97).to(torch.uint8)  # than the centre view, so that the truths differ by a known little
    darker[2, 2] = views[2, 2]
    field = LightField(darker, scene="toy", disparity=torch.ones(24, 20))
    for truth in ("center", "refocus", "both"):
        generate([field], tmp_path / truth, Recipe((Aperture("disk", 1),), (0.0,), truth=truth, bits=16))
    pictures = [
        read_image(tmp_path / truth / "ground_truth" / "toy.png")[0].double() for truth in ("center", "refocus")
    ]
    inner = (..., slice(4, -4), slice(4, -4))
    assert (pictures[0] - pictures[1])[inner].abs().max() <= 8 * 257  # whole-pixel shifts of one plane
    rows = {t: pq.read_table(tmp_path / t / "manifest.parquet").to_pylist()[0] for t in ("center", "refocus", "both")}
    error = ((pictures[0] - pictures[1]) / 65535).square().mean()
    for truth, row in rows.items():
        assert row["truths_psnr_db"] == pytest.approx(float(-10 * error.log10()), abs=2 if truth == "center" else 0.2)
    assert [row["truth_kind"] for row in rows.values()] == ["center", "refocus", "center"]
    both = tmp_path / "both"
    assert rows["both"]["truth_refocus"] == "ground_truth_refocus/toy.png"
    for name, truth in (("ground_truth", "center"), ("ground_truth_refocus", "refocus")):
        assert (both / name / "toy.png").read_bytes() == (tmp_path / truth / "ground_truth" / "toy.png").read_bytes()


def test_twice_the_resolution(tmp_path):
    generate(
        [plane(1)], tmp_path, Recipe(apertures=(Aperture("disk", 1),), disparities=(1.0,), scale=2, truth="refocus")
    )
    for name in ("input/plane/plane_ap1_00.png", "ground_truth/plane.png", "defocus_map/plane/plane_ap1_00.png"):
        assert read_image(tmp_path / name)[0].shape[1:] == (48, 40)


def test_noise_and_its_seed(tmp_path):
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        generate([plane(1)], tmp_path / name, Recipe(SMALL.apertures, (1.0,), noise=Noise(0.01, 0.01), seed=seed))
    generate([plane(1)], tmp_path / "clean", Recipe(SMALL.apertures, (1.0,)))
    a, b, c, clean = (
        read_image(tmp_path / n / "input" / "plane" / "plane_ap1_00.png")[0].int() for n in ("a", "b", "c", "clean")
    )
    assert torch.equal(a, b)
    assert not torch.equal(a, c)
    assert 2 < (a - clean).abs().float().mean() < 40


def test_shards_hold_the_same_pictures(tmp_path):
    scenes = write_scenes(tmp_path / "scenes", 3)
    both = {"dual_pixel": True, "truth": "both"}
    recipe = Recipe(SMALL.apertures, SMALL.disparities, **both, layout="webdataset", shard_scenes=2)
    made = generate([scenes], tmp_path / "shards", recipe)
    generate([scenes], tmp_path / "folders", Recipe(SMALL.apertures, SMALL.disparities, **both))
    assert (made.scenes, made.pairs) == (3, 6)
    shards = sorted((tmp_path / "shards").glob("*.tar"))
    assert [shard.name for shard in shards] == ["pairs-000000.tar", "pairs-000001.tar"]
    members = {}
    for shard in shards:
        with tarfile.open(shard) as tar:
            names = tar.getnames()
            members |= {name: tar.extractfile(name).read() for name in names}
            keys = [name.partition(".")[0] for name in names]
            assert keys == [
                key for i, key in enumerate(keys) if key not in keys[:i] or keys[i - 1] == key
            ]  # side by side
    assert len(members) == 6 * 7
    folder = tmp_path / "folders"
    for row in pq.read_table(folder / "manifest.parquet").to_pylist():
        for kind in ("defocused", "truth", "truth_refocus", "left", "right", "defocus_map"):
            assert members[f"{row['key']}.{kind}.png"] == (folder / row[kind]).read_bytes()
        assert json.loads(members[f"{row['key']}.json"])["disparity"] == row["disparity"]


def test_webdataset_reads_the_shards(tmp_path):
    webdataset = pytest.importorskip("webdataset")
    scenes = write_scenes(tmp_path / "scenes", 2)
    generate([scenes], tmp_path / "out", Recipe(SMALL.apertures, SMALL.disparities, layout="webdataset"))
    data = webdataset.WebDataset(str(tmp_path / "out" / "pairs-000000.tar"), shardshuffle=False)
    samples = list(data.decode("pil").to_tuple("defocused.png", "truth.png", "json"))
    assert len(samples) == 4
    for defocused, truth, told in samples:
        assert np.asarray(defocused).shape == np.asarray(truth).shape == (told["height"], told["width"], 3)


@pytest.mark.parametrize("layout", ["lfdof", pytest.param("webdataset", marks=pytest.mark.slow)])
def test_the_same_bytes_whatever_the_workers(tmp_path, layout):
    folder = write_scenes(tmp_path / "scenes", 3, h=40, w=37)
    (folder / "scene1" / "view_01_01.png").write_bytes(b"broken")
    scenes = [folder, LightField(plane(1).views, scene="in memory")]
    recipe = Recipe(SMALL.apertures, noise=Noise(1e-3, 1e-3), layout=layout, shard_scenes=1, seed=3)
    for workers in (1, 2):
        made = generate(scenes, tmp_path / str(workers), recipe, workers=workers)
        assert (made.scenes, [failure["scene"] for failure in made.failures]) == (3, ["scene1"])
    assert tree(tmp_path / "1") == tree(tmp_path / "2")


def test_the_same_bytes_whatever_the_threads(tmp_path):
    scenes = write_scenes(tmp_path / "scenes", 1, h=301, w=263)
    recipe = Recipe((Aperture("cateye", 1, cut=0.3),), planes=2, bits=16, dual_pixel=True, truth="refocus", scale=2)
    threads = torch.get_num_threads()
    try:
        for number in (1, 3):
            torch.set_num_threads(number)
            generate([scenes], tmp_path / str(number), recipe)
    finally:
        torch.set_num_threads(threads)
    assert tree(tmp_path / "1") == tree(tmp_path / "3")


def test_run_again_does_nothing_and_changes_redo(tmp_path):
    scenes, out = write_scenes(tmp_path / "scenes", 2), tmp_path / "out"
    first = generate([scenes], out, SMALL)
    before = tree(out)
    times = {file: file.stat().st_mtime_ns for file in (out / "input").rglob("*.png")}
    again = generate([scenes], out, SMALL)
    assert (again.scenes, again.pairs, again.files) == (first.scenes, first.pairs, first.files)
    assert tree(out) == before
    assert {file: file.stat().st_mtime_ns for file in times} == times
    (out / "input" / "scene1" / "scene1_ap1_01.png").write_bytes(b"cut")  # damaged by somebody
    (out / "ground_truth" / "scene0.png").unlink()
    generate([scenes], out, SMALL)
    assert tree(out) == before
    generate([scenes], out, Recipe(SMALL.apertures, (0.5,)))  # fewer planes: those of before are gone
    assert len(list((out / "input").rglob("*.png"))) == 2
    assert [row["disparity"] for row in pq.read_table(out / "manifest.parquet").to_pylist()] == [0.5, 0.5]


def test_scenes_can_be_added_and_other_files_stay(tmp_path):
    scenes, out = write_scenes(tmp_path / "scenes", 2), tmp_path / "out"
    (out / "ground_truth").mkdir(parents=True)
    (out / "ground_truth" / "other.png").write_bytes(b"other")
    (out / "ground_truth" / "scene0.png").write_bytes(b"old")
    generate([scenes / "scene0"], out, SMALL)
    generate([scenes / "scene1"], out, SMALL)
    assert (out / "ground_truth" / "other.png").read_bytes() == b"other"
    assert read_image(out / "ground_truth" / "scene0.png")[1].bits == 8
    assert pq.read_table(out / "manifest.parquet")["scene"].to_pylist() == ["scene0"] * 2 + ["scene1"] * 2


def test_shards_of_another_size_replace_and_shards_of_other_scenes_stay(tmp_path):
    scenes, out = write_scenes(tmp_path / "scenes", 3), tmp_path / "out"
    for size in (1, 2):
        recipe = Recipe(SMALL.apertures, SMALL.disparities, layout="webdataset", shard_scenes=size)
        generate([scenes], out, recipe)
    generate([scenes], tmp_path / "straight", recipe)
    assert tree(out) == tree(tmp_path / "straight")
    with pytest.raises(OutputError, match=r"pairs-000000\.tar holds pairs of 'scene0', 'scene1' from another run"):
        generate([scenes / "scene2"], out, recipe)
    assert tree(out) == tree(tmp_path / "straight")


@pytest.mark.parametrize("layout", ["lfdof", "webdataset"])
def test_memory_does_not_grow_with_the_number_of_scenes(tmp_path, layout):
    field = plane(1, h=200, w=200)
    for i in range(22):  # 3 MB of views each
        (tmp_path / "scenes").mkdir(exist_ok=True)
        arrays = {"views": field.views.numpy(), "disparity": np.ones((200, 200)), "disparity_range": (1.0, 1.0)}
        np.savez(tmp_path / "scenes" / f"scene{i:02d}.npz", **arrays)
    scenes = sorted((tmp_path / "scenes").iterdir())
    recipe = Recipe(SMALL.apertures, (0.0,), layout=layout, shard_scenes=5, contact_sheets=False)

    def peak(count):
        return peak_bytes(lambda: generate(scenes[:count], tmp_path / str(count), recipe), "cpu")[0]

    peak(9)  # the allocator's arenas and tables come once
    few, many = peak(10), peak(22)
    if few is None:
        pytest.skip("this system does not tell the peak of a process's memory")
    assert many < few + (16 << 20)


def test_refusals_before_any_work(tmp_path):
    out, field = tmp_path / "out", plane(1)
    for keywords, message in [
        ({"bits": 10}, "bits: got 10, want 8 or 16"),
        ({"apertures": ()}, "apertures: got none"),
        ({"disparities": ()}, "disparities: got none"),
        ({"scale": 3}, "scale: got 3, want 1 or 2"),
        ({"truth": "best"}, "truth: got 'best', want center or refocus"),
        ({"layout": "zip"}, "layout: got 'zip'"),
        ({"planes": 0}, "planes: got 0"),
        ({"seed": -1}, "seed: got -1"),
    ]:
        with pytest.raises(ValueError, match=message):
            Recipe(**keywords)
    with pytest.raises(LightFieldError, match="called 'plane'; their files would be mixed"):
        generate([field, field], out, SMALL)
    with pytest.raises(LightFieldError, match=r"nowhere: no such file"):
        generate([tmp_path / "nowhere"], out, SMALL)
    with pytest.raises(ValueError, match="workers: got 0"):
        generate([field], out, SMALL, workers=0)
    with pytest.raises(ValueError, match="workers: got 2 beside an executor"):
        generate([field], out, SMALL, workers=2, executor=Processes(2))
    assert not out.exists()
    (tmp_path / "file").write_text("x")
    for folder in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(OutputError, match=r"cannot write to the folder .*file: is a file|file is a file"):
            generate([field], folder, SMALL)


def test_a_storage_that_fsspec_knows(tmp_path):
    fsspec = pytest.importorskip("fsspec")
    scenes = write_scenes(tmp_path / "scenes", 2)
    generate([scenes], tmp_path / "local", SMALL)
    memory = fsspec.filesystem("memory")
    memory.put(str(scenes), "/lights", recursive=True)
    try:
        made = generate(["memory://lights"], "memory://pairs", SMALL)
        assert (made.scenes, made.failures) == (2, [])
        local = {name: data for name, data in seen(tmp_path / "local").items() if name != "manifest.parquet"}
        for name, data in local.items():
            assert memory.cat_file(f"/pairs/{name}") == data
        assert generate(["memory://lights"], "memory://pairs", SMALL).pairs == 4
        with pytest.raises(LightFieldError, match="no such file or folder"):
            generate(["memory://nowhere"], "memory://pairs", SMALL)
    finally:
        memory.rm("/", recursive=True)


def test_quantise_is_the_curve():
    light = torch.rand(3, 50, 40, generator=torch.Generator().manual_seed(0)) ** 4 * 1.1 - 0.01
    want = linear_to_srgb(light.clamp(0, 1).double()).permute(1, 2, 0)
    for bits, off in ((8, 0.502), (16, 0.51)):
        got = quantise(light, bits)
        levels = 2**bits - 1
        assert got.dtype == (np.uint8 if bits == 8 else np.uint16)
        assert np.abs(got - want.numpy() * levels).max() < off


def test_a_grid_of_one_view_has_no_defocus(tmp_path):
    field = LightField(plane(1).views[:1, :1], scene="one")
    made = generate([field], tmp_path, Recipe((Aperture("disk", 0),), (0.0,)))
    assert made.failures == []
    assert bool((decode_defocus(read_image(tmp_path / "defocus_map" / "one" / "one_ap1_00.png")[0]) == 0).all())


def test_the_rows_of_a_scene_are_the_columns_of_the_manifest():
    recipe = Recipe((Aperture("disk", 1.0), Aperture("square", 2.0)), (-1.0, 1.0), defocus_maps=False)
    renderer = SceneRenderer(plane(0), recipe, source="toy.npz", stages=Stages())
    kinds = [picture.kind for picture in renderer.pictures()]
    assert sorted(kinds) == ["contact_sheet"] + ["defocused"] * 4 + ["truth"]
    assert [(row.key, row.disparity) for row in renderer.rows] == [
        ("plane_ap1_00", -1.0),
        ("plane_ap1_01", 1.0),
        ("plane_ap2_00", -1.0),
        ("plane_ap2_01", 1.0),
    ]
    told = renderer.rows[0].to_json()
    assert (told["coc_min"], told["source"]) == (None, "toy.npz")
    assert set(SCHEMA.names) - set(told) == {*FILES, "recipe"}
    assert {"left", "truth"} < set(FILES)
    assert {name: str(SCHEMA.field(name).type) for name in ("scene", "bits", "coc_min", "noise_seed", "left")} == {
        "scene": "string",
        "bits": "int32",
        "coc_min": "double",
        "noise_seed": "int64",
        "left": "string",
    }


def test_any_executor_will_do(tmp_path):
    class Backwards:
        """The last unit first."""

        def outcomes(self, work, units):
            self.units = [unit.name for unit in units]
            yield from map(work, units[::-1])

    scenes, executor, steps = write_scenes(tmp_path / "scenes", 3), Backwards(), []
    made = generate([scenes], tmp_path / "out", SMALL, executor=executor, progress=lambda *done: steps.append(done))
    assert executor.units == ["scene0", "scene1", "scene2"]
    assert (made.scenes, steps) == (3, [(1, 3), (2, 3), (3, 3)])
    generate([scenes], tmp_path / "straight", SMALL)
    assert tree(tmp_path / "out") == tree(tmp_path / "straight")
