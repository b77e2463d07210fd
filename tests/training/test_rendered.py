"""Training on pairs that are rendered while it runs."""

import csv

import pytest
import torch

from lfdeblur_models.io.images import write_image
from lfdeblur_models.training.config import LossConfig, parse_config
from lfdeblur_models.training.errors import ConfigError
from lfdeblur_models.training.loss import RestorationLoss, fourier_difference
from lfdeblur_models.training.sampling import TrainingPairs
from lfdeblur_models.training.train import train

from .training_runs import recipe


@pytest.fixture
def pictures(tmp_path):
    folder = tmp_path / "pictures"
    folder.mkdir()
    write_image(folder / "noise.png", torch.rand(3, 60, 70, generator=torch.Generator().manual_seed(0)), bits=8)
    return folder


def rendered(folder, **parts):
    data = [{"kind": "rendered", "root": str(folder), "rendering": {"radius": 3, "layers": 2}}]
    return recipe(folder, data=data, **parts)


@pytest.mark.parametrize("views", [1, 2])
def test_a_run_on_rendered_pairs(pictures, tmp_path, views):
    watched = {"kind": "rendered", "root": str(pictures), "crop": 40, "pictures": 2}
    config = rendered(
        pictures,
        network={"views": views},
        loss={"frequency": 0.5},
        validation=watched,
        run={"steps": 3, "validate_every": 3},
    )
    weights = train(config, tmp_path / "out")
    assert weights.is_file()
    with (tmp_path / "out" / "training.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 3
    assert all(float(row["frequency"]) > 0 for row in rows)
    scores = (tmp_path / "out" / "validation.csv").read_text()
    assert "pair 0" in scores
    assert "pair 1" in scores


def test_sources_are_asked_for_a_batch_at_once():
    asked = []

    class Source:
        def __len__(self):
            return 100

        def __getitem__(self, index):
            value = torch.full((3, 8, 8), index / 100)
            return {"defocused": value, "sharp": value}

    class Several(Source):
        def __getitems__(self, indices):
            asked.append(len(indices))
            return [self[index] for index in indices]

    config = recipe("nowhere", augment={"crop": 8, "noise": 0.0}).augment
    pairs = TrainingPairs([Source(), Several()], [1.0, 1.0], config, seed=2)
    batch = pairs.__getitems__(range(12))
    assert len(asked) == 1
    assert 2 < asked[0] < 12
    for number, pair in enumerate(batch):
        assert torch.equal(pair["sharp"], pairs[number]["sharp"])


def test_the_fourier_loss_weighs_all_detail_alike():
    generator = torch.Generator().manual_seed(1)
    target = torch.rand(2, 3, 16, 16, generator=generator)
    noise = torch.randn(2, 3, 16, 16, generator=generator) * 0.1
    # Real and imaginary parts of white noise are normal with half its variance.
    expected = 0.1 * 0.5**0.5 * (2 / torch.pi) ** 0.5
    assert float(fourier_difference(target + noise, target)) == pytest.approx(expected, rel=0.05)
    parts = RestorationLoss(LossConfig(frequency=0.5))(target + noise, target)
    assert float(parts["loss"]) == pytest.approx(float(parts["l1"] + 0.5 * parts["frequency"]))
    assert "frequency" not in RestorationLoss(LossConfig())(target, target)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ({"kind": "rendered"}, "root: missing, want the folder of rendered"),
        (
            {"kind": "rendered", "root": "x", "rendering": {"side": 3}},
            "rendering: got side, want some of layers",
        ),
        ({"kind": "rendered", "root": "x", "rendering": {"radius": 0.1}}, "radius: got 0.1, want 0.6 to 64"),
        ({"kind": "folders", "root": "x", "rendering": {"radius": 2}}, "rendering: only rendered has it, got folders"),
    ],
)
def test_what_cannot_be_rendered_is_refused(data, message):
    with pytest.raises(ConfigError, match=message):
        parse_config({"data": [data]})
