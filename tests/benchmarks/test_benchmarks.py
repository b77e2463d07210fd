"""The benchmark suite computes what it says and writes what it measured; no time is asserted."""

import itertools
import json
import re
import types
from dataclasses import replace
from typing import NamedTuple

import pytest
import torch

from benchmarks import __main__ as command
from benchmarks import (
    _harness,
    _machine,
    _plots,
    _rivals,
    _tables,
    bench_dynamic_filter,
    bench_generate,
    bench_pairs,
    bench_refocus,
    profile_network,
)
from benchmarks.gpu import exercise, sweep, sweep_triton
from lfdeblur_models.io.images import read_image
from lfdeblur_models.networks.reference import unfold_fac
from lfdeblur_ops import reference
from lfdeblur_ops.testing import FEW_ROUNDINGS, peak_bytes

from .machine import MACHINE


def tiny(**options):
    options = {"rivals": ("unfold (published)", "addcmul_ taps")} | options
    return bench_dynamic_filter.case((1, 3, 8, 10), torch.float32, "cpu", k=3, **options)


@pytest.fixture(scope="module")
def result():
    cases = [
        tiny(),
        tiny(backward=True),
        *(tiny(series=("size", side)) for side in (8, 16)),
        tiny(series=("threads", 1), threads=1),
        bench_refocus.case(
            3, 2, torch.uint8, "cpu", shape=(1, 9, 8), rivals=bench_refocus.FORMS[:3], series=("planes", 2)
        ),
    ]
    return {
        "machine": MACHINE,
        "full": False,
        "rows": [_harness.run_case(c, MACHINE, 0.0) for c in cases],
        "skipped": {},
    }


def test_rows_are_complete(result):
    row = result["rows"][0]
    assert row["bytes"] == 4 * 80 * (3 + 3 + 9)
    assert row["operations"] == 2 * 80 * 3 * 9
    assert row["gb_s"] == pytest.approx(row["bytes"] / row["ours"]["ms"] / 1e6)
    assert row["floor_ms"] == pytest.approx(row["bytes"] / 20e6)
    assert row["percent_of_floor"] == pytest.approx(100 * row["floor_ms"] / row["ours"]["ms"])
    assert set(row["rivals"]) == {"unfold (published)", "addcmul_ taps"}
    assert all(rival["ratio"] > 0 for rival in row["rivals"].values())


def test_threads_are_those_of_the_row_and_afterwards_those_of_before():
    before, seen = torch.get_num_threads(), []
    case = tiny(threads=before + 1)
    build = case.build

    def watched():
        seen.append(torch.get_num_threads())
        return build()

    row = _harness.run_case(replace(case, build=watched), MACHINE, 0.0)
    assert (seen, row["threads"], torch.get_num_threads()) == ([before + 1], before + 1, before)


@pytest.mark.parametrize("form", [unfold_fac, _rivals.im2col_fac, _rivals.taps_fac])
def test_filter_rivals_are_right(form):
    x, filters = torch.rand(2, 3, 6, 5, dtype=torch.float64), torch.rand(2, 25, 6, 5, dtype=torch.float64)
    torch.testing.assert_close(form(x, filters, 5), reference.dynamic_filter(x, filters, 5))


@pytest.mark.parametrize(
    "form",
    [
        _rivals.grid_sample_refocus,
        _rivals.slices_refocus,
        _rivals.separable_slices_refocus,
        _rivals.scipy_refocus,
        lambda lf, planes: torch.stack([_rivals.indexed_refocus(lf, d) for d in torch.tensor(planes).double()]),
    ],
)
def test_refocus_rivals_are_right(form):
    light_field, planes = torch.rand(3, 4, 2, 7, 9, dtype=torch.float64), [-1.25, 0.0, 0.5]
    aperture = torch.full((1, 3, 4), 1 / 12, dtype=torch.float64)
    exact = reference.refocus(light_field[None], torch.tensor(planes).double(), aperture, "bilinear", "replicate")
    torch.testing.assert_close(form(light_field, planes), exact[0, 0])


@pytest.mark.parametrize("form", [_rivals.slices_refocus, _rivals.separable_slices_refocus])
def test_bicubic_rivals_are_right(form):
    light_field = torch.rand(3, 3, 1, 6, 8, dtype=torch.float64)
    aperture = torch.full((1, 3, 3), 1 / 9, dtype=torch.float64)
    exact = reference.refocus(light_field[None], torch.tensor([0.7]).double(), aperture, "bicubic", "replicate")
    torch.testing.assert_close(form(light_field, [0.7], "bicubic"), exact[0, 0], rtol=1e-6, atol=FEW_ROUNDINGS)


def test_the_rival_of_generate_writes_the_same_pictures():
    case = bench_generate.case(3, (24, 33))
    sides = case.build()
    ours, *theirs = (call() for call in (sides.ours, *sides.rivals.values()))
    names = sorted(str(path.relative_to(ours)) for path in ours.rglob("*.png"))
    assert len(names) == 3 * 5 * 4 + 1
    for other in theirs:
        assert sorted(str(path.relative_to(other)) for path in other.rglob("*.png")) == names
        for name in names:
            one, two = (read_image(folder / name)[0].int() for folder in (ours, other))
            assert (one - two).abs().max() <= 1
    row = _harness.run_case(replace(case, build=lambda: replace(sides, rivals={})), MACHINE, 0.0)
    assert sum(row["stages"].values()) == pytest.approx(1)
    assert "by stage: " in _tables.text_row(row)
    assert "by stage: " in _tables.markdown([row])


def test_rivals_of_pairs_are_right():
    for case in (bench_pairs.case(3, (12, 17)), bench_pairs.batch_case(3, (17, 20), 12, 2)):
        assert _harness.check(case, case.build()) == {}


def test_gradients_of_refocus_and_its_rivals_agree():
    rivals = bench_refocus.FORMS[:3]
    case = bench_refocus.case(3, 2, torch.float32, "cpu", shape=(2, 9, 8), backward=True, rivals=rivals)
    assert _harness.check(case, case.build()) == {}


def test_a_wrong_result_is_not_timed():
    case = tiny()
    sides = case.build()
    wrong = replace(case, build=lambda: replace(sides, ours=lambda: sides.ours() + 1e-3))
    with pytest.raises(AssertionError, match="ours is wrong, so nothing was timed"):
        _harness.run_case(wrong, MACHINE, 0.0)
    wrong = replace(case, build=lambda: replace(sides, rivals={"other": lambda: -sides.ours()}))
    with pytest.raises(AssertionError, match="other is wrong"):
        _harness.run_case(wrong, MACHINE, 0.0)


def test_a_narrow_type_without_instructions_has_float32s_floor():
    case = replace(tiny(), arithmetic="bfloat16", operations=10**9)
    for rate, floor in ((1.0, 10.0), (200.0, 5.0)):
        machine = MACHINE | {"peak_gflop_s": {"float32": 100.0, "bfloat16": rate}}
        assert _harness.against_floor(case, machine, 1.0)["floor_ms"] == pytest.approx(floor)


def test_a_failing_rival_and_a_missing_feature_are_reported():
    def fail():
        raise RuntimeError("no luck\nat all")

    def unavailable():
        raise _harness.Unavailable("not here")

    case = tiny()
    row = _harness.run_case(replace(case, build=lambda: replace(case.build(), rivals={"r": fail})), MACHINE, 0.0)
    assert row["rivals"] == {"r": {"error": "RuntimeError: no luck"}}
    skipped = _harness.run_case(replace(case, build=unavailable), MACHINE, 0.0)
    assert skipped["skipped"] == "not here"
    assert "fails (RuntimeError: no luck)" in _tables.rows_table([row])
    assert "not here" in _tables.markdown([skipped])
    assert "not here" in _tables.text_row(skipped)


def test_sides_are_timed_in_turn():
    order = []
    calls = {name: (lambda name=name: order.append(name) or torch.zeros(1)) for name in ("ours", "a", "b")}
    times = _harness.time_sides(calls, "cpu", 0.0, estimates=dict.fromkeys(calls, 1.0))
    assert [len(samples) for samples in times.values()] == [3, 3, 3]
    changes = sum(now != before for before, now in itertools.pairwise(order))
    assert changes >= 8


def test_peak_memory_of_one_call():
    def call():
        return torch.ones(12 << 20).sum()

    peak, seconds = peak_bytes(call, "cpu")
    assert seconds > 0
    assert peak is None or 40 << 20 < peak < 120 << 20


def test_limits_are_measured(monkeypatch):
    monkeypatch.setitem(_machine.BUFFER_BYTES, "cpu", 1 << 20)
    monkeypatch.setattr(_machine, "best_seconds", lambda call, device, **_: call() is None or 1e-1)
    machine = _machine.describe("cpu")
    assert machine["read_gb_s"] == pytest.approx((1 << 20) / 1e8)
    assert set(machine["peak_gflop_s"]) == {"float32", "bfloat16"}
    assert _tables.machine_line(machine)


def test_compare(result, tmp_path, capsys):
    later = json.loads(json.dumps(result))
    later["rows"][0]["ours"]["ms"] *= 2
    del later["rows"][1]
    paths = [tmp_path / "a.json", tmp_path / "b.json"]
    for path, content in zip(paths, (result, later), strict=True):
        path.write_text(json.dumps(content))
    assert command.main(["compare", *map(str, paths)]) == 0
    printed = capsys.readouterr().out
    assert "2.00  dynamic_filter forward 3x8x10 k=3 float32 cpu slower" in printed
    assert printed.count("only in A") == 1


@pytest.mark.parametrize("content", [None, "no json", "[]", "{}"])
def test_what_is_no_result_is_named(tmp_path, capsys, content):
    file = tmp_path / "a.json"
    if content is not None:
        file.write_text(content)
    for arguments in (["compare", str(file), str(file)], ["report", str(file), "--out", str(tmp_path / "out")]):
        with pytest.raises(SystemExit, match="2"):
            command.main(arguments)
        assert f"benchmarks: {file}: " in capsys.readouterr().err


def test_rows_of_the_wanted_rates_on_a_gpu():
    """What gpu_visit.sh measures, which runs the quick suite."""
    cases = command._cases(("dynamic_filter", "refocus"), "cuda", False, {})
    rows = {(case.op, case.mode, case.shape, case.dtype) for case in cases}
    for dtype in ("float32", "bfloat16"):
        for mode in ("forward", "forward+backward"):
            assert ("dynamic_filter", mode, "3x720x1280 k=7", dtype) in rows
    assert ("dynamic_filter", "forward", "3x720x1280 k=7", "float16") in rows
    for planes, dtype in ((1, "float32"), (1, "float16"), (1, "uint8"), (64, "uint8")):
        assert ("refocus", "forward", f"15x15x3x434x625 D={planes} bilinear", dtype) in rows


def test_report_and_readme(result, tmp_path, monkeypatch):
    path = tmp_path / "results" / "cpu.json"
    path.parent.mkdir()
    path.write_text(json.dumps(result))
    assert command.main(["report", str(path), "--out", str(tmp_path / "out")]) == 0
    pictures = {picture.name for picture in (tmp_path / "out").glob("*.png")}
    assert pictures == {f"cpu_{kind}.png" for kind in ("roofline", "rivals", "rivals_filters", *_plots.XLABEL)}
    text = (tmp_path / "out" / "report.md").read_text()
    assert [page.name for page in (tmp_path / "out").glob("*.md")] == ["report.md"]
    assert all(f"({picture})" in text for picture in pictures)
    assert "| 3x8x10 k=3, with backward, float32 | **" in text
    assert "| 3x8x10 k=3, 1 thread, float32 | **" in text

    monkeypatch.setattr(_tables, "README_ROWS", (("cpu", "dynamic_filter", "3x8x10 k=3", "float32"),))
    readme = tmp_path / "README.md"
    readme.write_text("before\n<!-- benchmark -->yesterday<!-- /benchmark -->\nafter\n")
    arguments = ["readme", "--readme", str(readme), "--results", str(path.parent)]
    assert command.main(arguments) == 0
    once = readme.read_text()
    assert once.startswith("before\n<!-- benchmark -->\na processor: torch 2; 2026-01-02, commit abc.\n")
    assert once.endswith("<!-- /benchmark -->\nafter\n")
    assert once.count("| `dynamic_filter` 3x8x10 k=3, float32 | CPU | **") == 1
    assert "yesterday" not in once
    assert command.main(arguments) == 0
    assert readme.read_text() == once
    readme.write_text("nothing here")
    with pytest.raises(ValueError, match="<!-- benchmark -->"):
        command.main(arguments)


def test_the_report_is_made_from_the_committed_results(tmp_path, monkeypatch):
    """Its pictures' names too; they are not drawn here."""
    monkeypatch.setattr(_plots, "_save", lambda figure, out, name: _plots.plt.close(figure) or name)
    results = sorted((_machine.ROOT / "benchmarks" / "results").glob("*.json"))
    assert command.main(["report", *map(str, results), "--out", str(tmp_path)]) == 0
    pages = _machine.ROOT / "docs" / "benchmarks"
    for page in ("report.md", "gpu.md"):
        made = (tmp_path / page).read_text()
        assert made == (pages / page).read_text(), "run python -m benchmarks report, as `make results` does"
    made = (tmp_path / "report.md").read_text()
    assert {picture.name for picture in pages.glob("*.png")} == set(re.findall(r"\((\w+\.png)\)", made))


def test_points_above_the_roof_are_explained(result, tmp_path, monkeypatch):
    rows = [
        row | {"percent_of_floor": 130.0, "bound": bound}
        for row, bound in zip(result["rows"], ("bandwidth", "arithmetic"), strict=False)
    ]
    figure = _plots._roofline(rows, MACHINE)
    said = " ".join(text.get_text() for axis in figure.axes for text in axis.texts).replace("\n", " ")
    _plots.plt.close(figure)
    assert "stays in the cache" in said
    assert "Winograd" in said


def test_readme_rows_are_measured():
    """Each of README's rows stands in a committed result."""
    results = [json.loads(file.read_text()) for file in (_machine.ROOT / "benchmarks" / "results").glob("*.json")]
    measured = {
        (result["machine"]["device"], row["op"], row["shape"], row["dtype"])
        for result in results
        if "machine" in result
        for row in result["rows"]
    }
    assert set(_tables.README_ROWS) <= measured


def test_run_writes_json_and_fails_on_a_wrong_result(monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(_machine, "describe", lambda device: MACHINE)
    sides = tiny().build()
    wrong = replace(tiny(), build=lambda: replace(sides, ours=lambda: sides.ours() * 2))
    monkeypatch.setattr(command, "_cases", lambda *_: iter([tiny(), wrong]))
    file = tmp_path / "new" / "out.json"
    assert command.main(["--only", "dynamic_filter", "--device", "cpu", "--seconds", "0", "--json", str(file)]) == 1
    assert [row["op"] for row in json.loads(file.read_text())["rows"]] == ["dynamic_filter"]
    assert "1 rows, 1 wrong or failed" in capsys.readouterr().out
    assert [path.name for path in file.parent.iterdir()] == ["out.json"]

    def fail():
        raise RuntimeError("out of memory")

    failing = replace(tiny(), build=lambda: replace(sides, ours=fail))
    monkeypatch.setattr(command, "_cases", lambda *_: iter([failing, tiny()]))
    assert command.main(["--device", "cpu", "--seconds", "0", "--json", str(file)]) == 1
    assert len(json.loads(file.read_text())["rows"]) == 1
    assert "fails with RuntimeError: out of memory" in capsys.readouterr().err
    monkeypatch.setattr(command, "_cases", lambda *_: iter([tiny()]))
    before = torch.backends.cudnn.conv.fp32_precision
    assert command.main(["--device", "cpu", "--seconds", "0", "--ours-only", "--json", str(file)]) == 0
    assert torch.backends.cudnn.conv.fp32_precision == before
    assert "library" not in json.loads(file.read_text())["machine"]["build_info"]
    assert json.loads(file.read_text())["rows"][0]["rivals"] == {}
    other = replace(tiny(), shape="another")
    monkeypatch.setattr(command, "_cases", lambda *_: iter([tiny(), other]))
    assert command.main(["--device", "cpu", "--seconds", "0", "--match", "another", "--json", str(file)]) == 0
    assert [row["shape"] for row in json.loads(file.read_text())["rows"]] == ["another"]


@pytest.mark.parametrize("full", [False, True])
def test_cases_have_names_of_their_own(full):
    skipped = {}
    cases = list(command._cases(command.MODULES, "cpu", full, skipped))
    assert not skipped
    names = [(str(case), case.series) for case in cases]
    assert len(set(names)) == len(names)
    assert {case.op for case in cases} == {
        "dynamic_filter",
        "dynamic_filter_separable",
        "refocus",
        "render_pair",
        "LightFieldPairs",
        "generate",
        "conv3x3",
        "conv_transpose4x4",
        "residual_block",
        "drb_head",
        "drbnet",
        "training_step",
    }


def test_profile_by_part():
    from lfdeblur_models import DRBNet, optimize

    parts = profile_network.shares(optimize(DRBNet(width=8, scales=2)), torch.zeros(1, 3, 32, 32))
    assert all(parts[profile_network.PARTS[f"lfdeblur::{op}"]] > 0 for op in ("winograd_conv3x3", "drb_head_rows"))


@pytest.mark.slow
def test_profile_of_a_training_step_by_part():
    steps = profile_network.training_shares(16, (1, 3, 48, 48))  # enough channels and pixels for Winograd
    assert all(steps["ours"][part] > 0 for part in profile_network.TRAINING_PARTS.values())
    assert steps["published form"]["convolutions, backward (oneDNN)"] > 0


def test_exercise_runs_every_op(monkeypatch):
    monkeypatch.setattr(exercise, "FLOATS", (torch.float64, torch.float32))  # blocks take no float64
    with torch.profiler.profile() as profile:
        exercise.main(device="cpu")
    called = {event.key for event in profile.key_averages()}
    ops = (
        "refocus",
        "dynamic_filter",
        "dynamic_filter_separable",
        "conv3x3",
        "conv_transpose4x4",
        "residual_block",
        "drb_head",
    )
    wanted = {f"lfdeblur::{op}{of}" for op in ops for of in ("", "_backward")}
    # The gradients of convolutions and blocks are operators of PyTorch's.
    wanted -= {f"lfdeblur::{op}_backward" for op in ("conv3x3", "conv_transpose4x4", "residual_block")}
    assert wanted <= called


def test_sweep_reads_and_sets_launch_parameters(tmp_path, monkeypatch):
    text = "inline constexpr int kRows = 4;  // rows of a tile; sweep: 2 4 8\nconstexpr int kOther = 3;  // not swept\n"
    (tmp_path / "op.cu").write_text(text)
    (tmp_path / "op_tile.h").write_text("  constexpr int kThreads = 128;  // sweep: 256\n")
    (tmp_path / "another.cu").write_text("constexpr int kElse = 1;  // sweep: 2\n")
    found = sweep.variants("op", tmp_path)
    assert [variant[1:] for variant in found] == [("kRows", 2), ("kRows", 8), ("kThreads", 256)]

    seen = []
    monkeypatch.setattr(sweep, "build", lambda op: seen.append((tmp_path / "op.cu").read_text()))
    monkeypatch.setattr(sweep, "measure", lambda op: {"row": 1.0})
    assert sweep.try_out("op", found[1]) == {"row": 1.0}
    assert seen == [text.replace("kRows = 4;", "kRows = 8;")]
    assert (tmp_path / "op.cu").read_text() == text


def test_sweep_of_triton_changes_one_number_at_a_time(capsys):
    class Config(NamedTuple):
        tile_h: int
        block_k: int
        num_stages: int

    module = types.ModuleType("lfdeblur_ops.triton.op")
    module.CONFIGS = {"half": Config(4, 32, 1), "unused": Config(4, 32, 1)}
    found = sweep_triton.tables([module])
    tried = []

    def measure(row):
        tried.append(module.CONFIGS["half"])
        if tried[-1].block_k == 64:
            raise RuntimeError("out of resources")
        return 1.0 / tried[-1].tile_h

    sweep_triton.sweep([sweep_triton.Row("a row", None)], found, measure, float("inf"))
    wanted = {(4, 32, 1), (2, 32, 1), (8, 32, 1), (4, 16, 1), (4, 64, 1), (4, 32, 2)}
    assert set(map(tuple, tried)) == wanted
    assert len(tried) == len(wanted)
    assert module.CONFIGS["half"] == Config(4, 32, 1)
    printed = capsys.readouterr().out
    assert "= (4, 64, 1): fails (RuntimeError)" in printed
    assert printed.splitlines()[-1] == "a row: 0.25 ms, 0.125 ms with op.CONFIGS['half'] = (8, 32, 1)"
    assert sweep_triton.names("drb_head") == ["drb_head", "drb_head_backward"]


def test_floors_are_bytes_and_operations_over_rates(tmp_path):
    file = tmp_path / "floors.json"
    rates = ["--gb-s", "4000", "--gflop-s", "float32=50000", "bfloat16=100000"]
    assert command.main(["floors", "--name", "a GPU", *rates, "--json", str(file)]) == 0
    rows = json.loads(file.read_text())["rows"]
    keys = [(row["op"], row["mode"], row["shape"], row["dtype"]) for row in rows]
    assert len(set(keys)) == len(keys) > 20
    for row in rows:
        peak = {"float32": 50000, "bfloat16": 100000}[row["arithmetic"]]
        assert row["floor_ms"] == pytest.approx(max(row["bytes"] / 4e9, row["operations"] / peak / 1e6))
    photo = dict(zip(keys, rows, strict=True))["dynamic_filter", "forward", "3x720x1280 k=7", "float32"]
    assert photo["bytes"] == 4 * 720 * 1280 * (3 + 49 + 3)

    assert command.main(["report", str(file), "--out", str(tmp_path)]) == 0
    assert "Nothing here was run on a GPU" in (tmp_path / "gpu.md").read_text()
