"""Training on a GPU for minutes, its script and its parts, on a CPU."""

import json
import os
import subprocess
from pathlib import Path

import pytest
import torch

from benchmarks.gpu.join import join, main, split
from benchmarks.gpu.train import Rendered, rate_at
from benchmarks.gpu.train import main as train
from lfdeblur_models import load_network
from lfdeblur_models.io.images import write_image

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "gpu_train.sh"


@pytest.fixture
def pictures(tmp_path):
    folder = tmp_path / "pictures"
    folder.mkdir()
    generator = torch.Generator().manual_seed(0)
    for number in range(2):
        write_image(folder / f"{number}.png", torch.rand(3, 64, 80, generator=generator), bits=8)
    (folder / "notes.txt").write_text("no picture")
    return folder


def test_a_run_on_a_cpu(pictures, tmp_path):
    numbers = {"seconds": 3, "width": 6, "batch": 2, "radius": 2, "rate": 1e-4}
    options = [f"--{name}={value}" for name, value in numbers.items()]
    options += ["--device", "cpu", "--sides", "16", "24"]
    assert train([str(pictures), "--out", str(tmp_path / "out"), *options]) == 0
    net = load_network(tmp_path / "out" / "weights.safetensors")
    assert net.width == 6
    x = torch.rand(1, 3, 16, 16) * 2 - 1
    with torch.no_grad():
        assert float((net(x) - x).abs().mean()) < 0.2  # it began as the identity
    facts = json.loads((tmp_path / "out" / "run.json").read_text())
    assert facts["steps"] >= 1
    assert facts["pairs"] >= facts["steps"]
    assert facts["form"] == "ours"
    header, *rows = (tmp_path / "out" / "training.csv").read_text().splitlines()
    assert header == "seconds,steps,pairs,loss,input_psnr,output_psnr"
    assert all(len(row.split(",")) == 6 for row in rows)


def test_batches_are_consecutive_pairs():
    class Numbers:
        def __call__(self, numbers):
            return {"defocused": torch.tensor(list(numbers))}

    batches = Rendered(Numbers(), 3, first=100)  # type: ignore[arg-type]
    drawn = [batches.batch()["defocused"].tolist() for _ in range(Rendered.AT_ONCE + 1)]
    assert [number for batch in drawn for number in batch] == list(range(100, 100 + 3 * (Rendered.AT_ONCE + 1)))
    assert batches.given == 3 * (Rendered.AT_ONCE + 1)


def test_the_rate_rises_and_falls_to_nothing():
    rates = [rate_at(done / 100) for done in range(101)]
    assert rates[0] == 0
    assert max(rates) > 0.99
    assert rates[100] == pytest.approx(0, abs=1e-9)
    top = rates.index(max(rates))
    assert rates[top:] == sorted(rates[top:], reverse=True)


def test_parts_make_the_whole(tmp_path, capsys):
    data = bytes(range(256)) * 10
    path = tmp_path / "weights.safetensors"
    path.write_bytes(data)
    assert split(path, 4000) == [path]
    parts = split(path, 1000)
    assert [part.name for part in parts] == [f"weights.safetensors.part{n}of3" for n in range(3)]
    assert not path.exists()
    (tmp_path / f"{path.name}.part9of9").write_bytes(b"of another file")
    with pytest.raises(ValueError, match="parts of two files"):
        join(tmp_path, tmp_path)
    path.write_bytes(data)
    parts = split(path, 1000)  # what an earlier one left is gone
    out = tmp_path / "out"
    out.mkdir()
    assert main([str(tmp_path), "--out", str(out)]) == 0
    assert (out / path.name).read_bytes() == data
    parts[1].unlink()
    with pytest.raises(ValueError, match="part 1 of 3 is missing"):
        join(tmp_path, out)
    with pytest.raises(SystemExit):
        main([str(out)])
    assert "no parts there" in capsys.readouterr().err


def test_the_script_trains_with_what_is_given(tmp_path):
    programs = tmp_path / "bin"
    programs.mkdir()
    for name, text in {
        "timeout": '#!/bin/sh\nshift 2; echo "limit $1" >>"$LOG"; shift; exec "$@"\n',
        "python3": '#!/bin/sh\ncase "$*" in *get_device_capability*) echo 9.0; exit;; esac\necho "$*" >>"$LOG"\n',
        "nvidia-smi": "#!/bin/sh\necho 'a GPU'\n",
    }.items():
        (programs / name).write_text(text)
        (programs / name).chmod(0o755)
    log = tmp_path / "log"
    (tmp_path / "pictures").mkdir()
    settings = {"LOG": str(log), "OUT": str(tmp_path / "out"), "GPU_KIT": str(tmp_path / "none")}
    environment = os.environ | settings | {"PATH": f"{programs}:{os.environ['PATH']}"}
    done = subprocess.run(
        ["bash", str(SCRIPT), "pictures", "100", "--width", "16"],
        env=environment,
        cwd=tmp_path,
        capture_output=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    lines = log.read_text().splitlines()
    assert lines[1].startswith("-m pip install")
    assert 150 < int(lines[2].removeprefix("limit ")) <= 160  # less the seconds that the script took so far
    places = f"{tmp_path / 'pictures'} --out {tmp_path / 'out'}"
    assert lines[3] == f"-m benchmarks.gpu.train {places} --seconds 100 --width 16"
    subprocess.run(["bash", str(SCRIPT), "pictures", "--width", "16"], env=environment, cwd=tmp_path, timeout=60)
    assert log.read_text().splitlines()[-1].endswith("--seconds 240 --width 16")
    none = subprocess.run(["bash", str(SCRIPT)], env=environment, capture_output=True, text=True, timeout=60)
    assert none.returncode != 0
    assert "needs a folder of sharp pictures" in none.stderr
