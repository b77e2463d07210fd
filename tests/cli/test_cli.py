"""The command: its results, and one line with exit code 2 for every bad input."""

import json
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
import torch
from PIL import Image
from typer.testing import CliRunner

import lfdeblur_ops
from lfdeblur_models import DRBNet, cli
from lfdeblur_models.cli.demo import ASSET
from lfdeblur_models.cli.installation import OPS
from lfdeblur_models.cli.refocus import PLANES_AT_ONCE
from lfdeblur_models.data import (
    Shot,
    disk,
    disparity_of,
    linear_to_srgb,
    parse_aperture,
    read_light_field,
    refocus_light,
)
from lfdeblur_models.drawing.contact_sheet import Tile, contact_sheet
from lfdeblur_models.io.images import ImageInfo, read_image, to_integers, write_image
from lfdeblur_models.system.interrupts import reliable_interrupts
from lfdeblur_ops import _dispatch
from lfdeblur_ops.testing import half_a_step

from ..data.noise_views import make_light_field
from ..data_paths import data_folder
from ..processes import started, wait_until


@pytest.fixture
def field(tmp_path):
    return make_light_field(tmp_path / "toy")


def test_version_and_help(run):
    assert run("--version") == (0, f"lfdeblur {lfdeblur_ops.__version__}\n", "")
    code, out, err = run()
    assert (code, err) == (0, "")
    for command in ("info", "refocus", "generate", "deblur", "demo"):
        assert command in out
    result = CliRunner().invoke(cli.app, ["refocus", "--help"])
    assert result.exit_code == 0
    assert "--aperture" in result.output


def test_info_about_the_installation(run):
    code, out, _ = run("info")
    assert code == 0
    for text in (lfdeblur_ops.__version__, torch.__version__, "on the CPU", *OPS):
        assert text in out
    assert "{" not in out  # no Python
    told = json.loads(run("info", "--json")[1])
    assert told["back_ends"] == {op: lfdeblur_ops.backends(op) for op in OPS}
    assert set(OPS) == set(_dispatch._IMPLS)


def test_info_about_a_light_field(run, field, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    code, out, _ = run("info", field)
    assert code == 0
    for text in (
        "toy",
        "grid",
        "3 rows x 3 columns",
        "10 x 12 pixels, RGB",
        "srgb",
        "pixels per view step (estimated",
    ):
        assert text in out
    assert "info/toy/contact_sheet.png" in out
    with Image.open(tmp_path / "info" / "toy" / "contact_sheet.png") as sheet:
        assert sheet.width > 1800
    assert "1 rows x 1 columns" in run("info", field, "--views", 1, "--out", tmp_path / "one")[1]
    assert (tmp_path / "one" / "contact_sheet.png").is_file()


def test_info_for_other_programs_cuts_no_name_and_wraps_no_value(run, tmp_path, field, monkeypatch):
    monkeypatch.setenv("COLUMNS", "40")
    out = run("info", field, "--out", tmp_path / ("long" * 20))[1]
    assert f"contact sheet     {tmp_path / ('long' * 20) / 'contact_sheet.png'}" in out.splitlines()


def test_info_about_a_real_scene(run, tmp_path):
    code, out, _ = run("info", data_folder("lf-hci-antinous"), "--out", tmp_path)
    assert code == 0
    for text in ("hci", "9 rows x 9 columns", "512 x 512", "-3.13 to 2.69"):
        assert text in out


@pytest.mark.parametrize("dtype", [torch.uint8, torch.uint16], ids=str)
def test_refocus(run, tmp_path, dtype):
    field = make_light_field(tmp_path / "lf", dtype=dtype)
    out = tmp_path / "new" / "planes"
    code, said, err = run("refocus", field, "--disparity", "-1:1:3", "--aperture", "disk:1", "--out", out)
    assert (code, err) == (0, "")
    assert "3 planes" in said
    names = ["plane_00_d-1.000.png", "plane_01_d+0.000.png", "plane_02_d+1.000.png"]
    assert sorted(file.name for file in out.iterdir()) == ["contact_sheet.png", *names, "stack.webp"]
    with Image.open(out / "stack.webp") as stack:
        assert (stack.n_frames, stack.size) == (4, (10, 12))
    want = linear_to_srgb(refocus_light(read_light_field(field), [-1.0, 0.0, 1.0], disk((3, 3), 1)).clamp(0, 1))
    levels = 255 if dtype == torch.uint8 else 65535
    for name, picture in zip(names, want, strict=True):
        got, info = read_image(out / name)
        assert info.bits == (8 if dtype == torch.uint8 else 16)
        torch.testing.assert_close(got.double() / levels, picture.double(), atol=half_a_step(levels), rtol=0)


def test_refocus_writes_more_planes_than_are_rendered_at_once(run, tmp_path, field):
    planes = PLANES_AT_ONCE + 2
    assert (
        run("refocus", field, "--disparity", f"0:1:{planes}", "--aperture", "square:1", "--out", tmp_path / "o")[0] == 0
    )
    assert len(list((tmp_path / "o").glob("plane_*.png"))) == planes


def test_refocus_everywhere_and_from_elsewhere(run, tmp_path):
    field = make_light_field(tmp_path / "lf")
    settings = ("--aperture", "disk:1", "--viewpoint", "0.5,-0.5", "--half", "left", "--exposure", "-0.5")
    views, shot = read_light_field(field), Shot(parse_aperture("disk:1"), (0.5, -0.5), "left", -0.5)
    assert run("refocus", field, "--disparity", "0.5", *settings, "--out", tmp_path / "plane")[0] == 0
    got = read_image(tmp_path / "plane" / "plane_00_d+0.500.png")[0]
    assert torch.equal(got, torch.from_numpy(to_integers("", shot.on_planes(views, [0.5])[0], 8)))
    assert run("refocus", field, "--all-in-focus", *settings, "--out", tmp_path / "all")[:2] == (
        0,
        f"all_in_focus.png in {tmp_path / 'all'}\n",
    )
    got = read_image(tmp_path / "all" / "all_in_focus.png")[0]
    assert torch.equal(got, torch.from_numpy(to_integers("", shot.all_in_focus(views, disparity_of(views)), 8)))


@pytest.mark.parametrize("subcommand", ["info", "refocus", "generate"])
def test_every_command_takes_what_readers_must_be_told(run, bad, tmp_path, subcommand):
    """Numbered pictures, a mosaic of views, an array of unusual axes, and values in linear light."""
    views = torch.randint(0, 256, (3, 3, 3, 20, 24), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    for index, view in enumerate(views.flatten(0, 1)):
        (tmp_path / "numbered").mkdir(exist_ok=True)
        write_image(tmp_path / "numbered" / f"{index}.png", view)
    write_image(tmp_path / "all.png", views.permute(2, 0, 3, 1, 4).reshape(3, 60, 72))
    np.savez(tmp_path / "arrays.npz", lights=views.permute(3, 4, 0, 1, 2).numpy(), other=np.zeros((3, 3, 3, 20, 24)))
    more = {"refocus": ["--disparity", "0"], "generate": ["--disparity", "0", "--aperture", "disk:1"]}.get(
        subcommand, []
    )
    for i, (source, options) in enumerate(
        [
            ("numbered", ["--grid", "3x3", "--order", "columns", "--transfer", "linear"]),
            ("all.png", ["--grid", "3x3"]),
            ("arrays.npz", ["--dataset", "lights", "--axes", "yxvuc"]),
        ]
    ):
        code, said, err = run(subcommand, tmp_path / source, *options, *more, "--out", tmp_path / f"out{i}")
        assert (code, err) == (0, ""), err
        if subcommand == "info":
            assert "3 rows x 3 columns" in said
    for name, wrong in (("transfer", "log"), ("format", "zip")):
        told = (subcommand, tmp_path / "arrays.npz", *more, f"--{name}", wrong)
        bad(f"{name}: got '{wrong}'", *told, "--out", tmp_path / "out")


def test_generate(run, tmp_path, field):
    other = make_light_field(tmp_path / "other", v=4, c=1)
    out = tmp_path / "pairs"
    arguments = ("--out", out, "--aperture", "disk:1", "--aperture", "square:1", "--disparity", "-1,1", "--bits", 16)
    code, said, err = run("generate", field, other, *arguments, "--dual-pixel")
    assert (code, err) == (0, "")
    assert "8 pairs of 2 scenes" in said
    files = {str(file.relative_to(out)) for file in out.rglob("*.png")}
    assert len(files) == 2 * (4 * 4 + 1)
    assert {"input/toy/toy_ap1_00.png", "left/other/other_ap2_01.png", "ground_truth/other.png"} <= files
    assert (out / "contact_sheets" / "toy.jpg").is_file()
    assert read_image(out / "input" / "toy" / "toy_ap2_01.png")[1].bits == 16
    assert read_image(out / "ground_truth" / "other.png")[1].channels == 1


def test_generate_lists_broken_light_fields_and_goes_on(run, tmp_path, field):
    other = make_light_field(tmp_path / "other")
    victim = other / "view_r01_c01.png"
    victim.write_bytes(victim.read_bytes()[:-60])
    code, said, err = run("generate", other, field, "--disparity", "0", "--out", tmp_path / "out")
    assert code == 1
    assert "3 pairs of 1 scene in" in said
    assert err.startswith(f"lfdeblur: broken: other: {victim}: truncated or damaged")
    assert err.count("\n") == 1
    assert (tmp_path / "out" / "ground_truth" / "toy.png").is_file()
    code, _, err = run("generate", field, "--views", 1, "--out", tmp_path / "single")
    assert (code, err.count("\n")) == (1, 1)
    assert "a single view has no disparity; give the focus planes" in err


@pytest.fixture
def identity(tmp_path):
    """Weights with which pictures stay as they are."""
    torch.save(DRBNet(width=8).identity_().state_dict(), tmp_path / "identity.pt")
    return tmp_path / "identity.pt"


@pytest.mark.parametrize(("suffix", "bits"), [("png", 8), ("png", 16), ("tif", 8), ("tif", 16), ("jpg", 8)])
def test_deblur_gives_the_same_kind_of_picture(run, identity, tmp_path, suffix, bits):
    y, x = torch.meshgrid(torch.linspace(0, 1, 21), torch.linspace(0, 1, 30), indexing="ij")
    alpha = None if suffix == "jpg" else (torch.rand(1, 21, 30) * 255).to(torch.uint8 if bits == 8 else torch.uint16)
    picture = torch.stack([y, x, x * y])
    source = tmp_path / f"photo.{suffix}"
    write_image(source, picture, bits=bits, like=ImageInfo("png", bits, 3, 21, 30, alpha))
    code, _, err = run("deblur", source, "--out", tmp_path / "out", "--weights", identity, "--dtype", "float32")
    assert (code, err) == (0, "")
    before, info = read_image(source)
    after, info_after = read_image(tmp_path / "out" / source.name)
    assert info_after == info
    assert (info_after.alpha is None) == (alpha is None)
    close = 1e-5 * 65535 if bits == 16 else (8 if suffix == "jpg" else 0)
    assert (after.int() - before.int()).abs().max() <= close


def test_deblur_grey(run, identity, tmp_path):
    grey = (torch.rand(1, 9, 9) * 255).to(torch.uint8)
    write_image(tmp_path / "grey.png", grey)
    arguments = ("--out", tmp_path / "out", "--weights", identity, "--dtype", "float32")
    assert run("deblur", tmp_path / "grey.png", *arguments)[0] == 0
    assert torch.equal(read_image(tmp_path / "out" / "grey.png")[0], grey)


def test_deblur_with_weights(run, tmp_path):
    torch.manual_seed(0)
    network = DRBNet(width=8, kernel_size=3, scales=2)
    torch.save(network.state_dict(), tmp_path / "small.pt")
    picture = (torch.rand(3, 8, 11) * 255).to(torch.uint8)
    write_image(tmp_path / "a.png", picture)
    to = ("--out", tmp_path / "out", "--weights", tmp_path / "small.pt", "--dtype", "float32")
    code, _, err = run("deblur", tmp_path / "a.png", *to)
    assert (code, err) == (0, "")
    with torch.inference_mode():
        want = (network(picture[None] / 127.5 - 1)[0] + 1) * 127.5
    assert (read_image(tmp_path / "out" / "a.png")[0] - want).abs().max() <= 0.51


def test_demo(run, tmp_path):
    code, said, err = run("demo", "--out", tmp_path / "out")
    assert code == 0, err
    assert said.splitlines()[0] == str(tmp_path / "out" / "demo.png")
    assert said.splitlines()[-1].endswith("lfdeblur view")
    assert [file.name for file in (tmp_path / "out").iterdir()] == ["demo.png"]
    sheet = Image.open(tmp_path / "out" / "demo.png")
    assert sheet.width > 1500
    assert len(sheet.convert("L").getcolors()) > 200


def test_bad_input_in_a_process_of_its_own(tmp_path):
    victim = tmp_path / "view_0_0.png"
    write_image(victim, torch.rand(3, 64, 64))
    victim.write_bytes(victim.read_bytes()[:5000])
    command = [sys.executable, "-W", "ignore", "-m", "lfdeblur_models.cli", "info", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(f"lfdeblur: error: {victim}: truncated or damaged")
    assert done.stderr.count("\n") == 1


def test_interrupt_of_a_process_leaves_no_half_written_file(tmp_path):
    out = tmp_path / "out"
    command = [sys.executable, "-W", "ignore", "-m", "lfdeblur_models.cli", "refocus", ASSET]
    command += ["--disparity=0:3:2000", "--out", out]
    with started(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        wait_until(lambda: list(out.glob("plane_*.png")), process)
        process.send_signal(signal.SIGINT)
        said, err = process.communicate(timeout=120)
    assert (process.returncode, said, err.strip()) == (130, "", "lfdeblur: interrupted")
    for file in out.iterdir():
        assert file.name.startswith("plane_")
        assert read_image(file)[0].shape == (3, 480, 848)


def test_interrupt_during_a_callback_from_c_comes_after_it():
    seen = []

    def _log_handler_callback():  # the name of pyvips's
        signal.raise_signal(signal.SIGINT)
        seen.append("callback went on")

    def work():
        _log_handler_callback()
        time.sleep(10)
        seen.append("interrupt was lost")

    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # ignored, where the tests run in the background
    try:
        with pytest.raises(KeyboardInterrupt), reliable_interrupts():
            work()
        assert seen == ["callback went on"]
        assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    finally:
        signal.signal(signal.SIGINT, before)


def test_contact_sheet_sizes_and_labels():
    picture = torch.rand(3, 20, 40)
    plain = contact_sheet([Tile(picture, "")] * 5, columns=3, tile_width=100)
    labelled = contact_sheet([Tile(picture, "a label")] * 5, columns=3, tile_width=100)
    assert plain.size == labelled.size
    assert plain.width == 3 * 116 + 16
    assert plain.tobytes() != labelled.tobytes()
    titled = contact_sheet([Tile(picture[:1], "x", "note")], tile_width=100, title="title")
    assert titled.height > contact_sheet([Tile(picture[:1], "x")], tile_width=100).height


def test_interrupted(run, tmp_path, monkeypatch):
    def interrupt(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr("lfdeblur_models.cli.demo.run_demo", interrupt)
    code, _, err = run("demo", "--out", tmp_path / "out")
    assert code == 130
    assert err.strip() == "lfdeblur: interrupted"


# Bad input: one line, code 2, no file.


@pytest.fixture
def bad(run, tmp_path):
    """Call the command with bad input for an output folder ``out`` that does not exist."""
    out = tmp_path / "out"

    def call(message, *arguments, to=out):
        before = sorted(tmp_path.rglob("*"))
        code, said, err = run(*arguments, *(("--out", to) if to else ()))
        assert (code, said) == (2, ""), err
        assert err.startswith("lfdeblur: error: ")
        assert err.count("\n") == 1
        assert message in err
        assert sorted(tmp_path.rglob("*")) == before

    return call


def test_bad_command_lines(bad, field):
    bad("No such command 'blur'", "blur", to=None)
    bad("Missing option '--out'", "refocus", field, "--disparity", "0", to=None)
    bad("Missing argument", "generate")
    bad("No such option", "refocus", field, "--disparity", "0", "--colour", "red")
    bad("Invalid value for '--bits'", "generate", field, "--bits", "x")


def test_bad_specifications(bad, field):
    planes = ("--disparity", "0:1:2")
    bad("disparity: got '1:2', want FIRST:LAST:COUNT", "refocus", field, "--disparity", "1:2")
    bad("disparity: got 'nan'", "refocus", field, "--disparity", "nan")
    bad("aperture: got 'round', want disk:R", "refocus", field, *planes, "--aperture", "round")
    bad("--interpolation: got 'cubic'", "refocus", field, *planes, "--interpolation", "cubic")
    bad("got --disparity and --all-in-focus, want one of them", "refocus", field, *planes, "--all-in-focus")
    bad("--viewpoint: got '1', want V,U", "refocus", field, *planes, "--viewpoint", "1")
    bad("viewpoint: got 0,2, which is outside the grid of 3x3", "refocus", field, *planes, "--viewpoint", "0,2")
    bad("--half: got 'upper'", "refocus", field, *planes, "--half", "upper")
    bad("--exposure: got 17", "refocus", field, *planes, "--exposure", "17")
    bad("aperture: got 'disk:-1'", "generate", field, *planes, "--aperture", "disk:-1")
    bad("--interpolation: got 'cubic'", "generate", field, *planes, "--interpolation", "cubic")
    bad("--bits: got 12, want 8 or 16", "generate", field, *planes, "--bits", 12)
    bad("aperture: got 'polygon:3:2'", "generate", field, *planes, "--aperture", "polygon:3:2")
    bad("noise: got 'much', want SHOT:READ", "generate", field, *planes, "--noise", "much")
    bad("--scale: got 3, want 1 or 2", "generate", field, *planes, "--scale", 3)
    bad("--layout: got 'zip', want lfdof or webdataset", "generate", field, *planes, "--layout", "zip")
    bad("format: got 'zip'", "refocus", field, *planes, "--format", "zip")
    bad("central views to keep of 3x3", "refocus", field, *planes, "--views", 5)


def test_an_even_grid_has_no_centre_view_for_radius_zero(bad, tmp_path):
    field = make_light_field(tmp_path / "even", 2, 2)
    bad("disk:0 covers no view of a grid of 2x2", "refocus", field, "--disparity", "0", "--aperture", "disk:0")


def test_bad_light_fields(bad, field, tmp_path):
    planes = ("--disparity", "0")
    bad("nowhere: no such file or folder", "info", tmp_path / "nowhere", to=None)
    bad("nowhere: no such file or folder", "refocus", tmp_path / "nowhere", *planes)
    bad("nowhere: no such file or folder", "generate", field, tmp_path / "nowhere", *planes)
    bad(
        "both are called 'toy'; their files would be mixed",
        "generate",
        field,
        make_light_field(tmp_path / "b" / "toy"),
        *planes,
    )
    other = make_light_field(tmp_path / "other")
    victim = other / "view_r01_c01.png"
    victim.write_bytes(victim.read_bytes()[:-60])
    bad("view_r01_c01.png: truncated or damaged", "refocus", other, *planes)
    victim.unlink()
    bad("no view at row 1 column 1", "refocus", other, *planes)


def test_bad_pictures(bad, tmp_path):
    good = tmp_path / "good.png"
    write_image(good, torch.rand(3, 64, 64))
    bad("nowhere.png: no such file", "deblur", good, tmp_path / "nowhere.png")
    bad("is a folder, want a picture", "deblur", good, tmp_path)
    bad("both results would be", "deblur", good, good)
    bad("the result would replace it", "deblur", good, to=tmp_path)


def test_bad_weights(bad, tmp_path):
    good = tmp_path / "good.png"
    write_image(good, torch.rand(3, 8, 8))
    weights = tmp_path / "weights.pth"
    bad("weights.pth: no such file of weights", "deblur", good, "--weights", weights)
    weights.write_bytes(b"not a checkpoint")
    bad("weights.pth: not a readable file of weights", "deblur", good, "--weights", weights)
    torch.save([1, 2], weights)
    bad("weights.pth: got list, want a state dict", "deblur", good, "--weights", weights)
    torch.save({"a": torch.zeros(1)}, weights)
    bad("weights.pth: not weights of DRBNet: ", "deblur", good, "--weights", weights)
    state = DRBNet(width=8, scales=2).state_dict()
    torch.save({name: value for name, value in state.items() if "bottleneck" not in name}, weights)
    bad("weights.pth: not weights of DRBNet: ", "deblur", good, "--weights", weights)
    torch.save(DRBNet(2, width=8, scales=2).state_dict(), weights)
    bad("weights of the dual-view network", "deblur", good, "--weights", weights)


@pytest.mark.parametrize("subcommand", ["refocus", "generate", "deblur", "demo"])
def test_output_folder_that_cannot_be_written(bad, field, tmp_path, subcommand):
    (tmp_path / "file").write_text("x")
    picture = field / "view_r00_c00.png"
    arguments = {
        "refocus": (field, "--disparity", "0"),
        "generate": (field, "--disparity", "0"),
        "deblur": (picture,),
        "demo": (),
    }[subcommand]
    bad("cannot write to the folder", subcommand, *arguments, to=tmp_path / "file")
    bad("cannot write to the folder", subcommand, *arguments, to=tmp_path / "file" / "below")


def test_the_asset_is_what_its_source_says():
    text = (ASSET / "SOURCE.md").read_text()
    assert "Stanford Light Field Archive" in text
    assert "MIT" in text
    assert sum(file.stat().st_size for file in ASSET.iterdir()) < 2e6
