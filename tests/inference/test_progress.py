"""One form of progress and cancelling for all calls that take long."""

import logging

import pytest
import torch

import lfdeblur_models
from lfdeblur_models import Cancelled, Progress, deblur
from lfdeblur_models.data import convert, generate, parse_aperture
from lfdeblur_models.data.generation.recipe import Recipe
from lfdeblur_models.evaluation.evaluate import evaluate, restorer
from lfdeblur_models.evaluation.picture_sets import PictureSet
from lfdeblur_models.evaluation.scores import choose_metrics

from ..data.noise_views import make_light_field
from ..natural import natural


class Told:
    """A hook that remembers; ``last``: the call that it cancels."""

    def __init__(self, last=None):
        self.calls, self.last = [], last

    def __call__(self, progress):
        self.calls.append(progress)
        return None if self.last is None else len(self.calls) < self.last

    @property
    def numbers(self):
        return [(progress.done, progress.total) for progress in self.calls]


@pytest.fixture(scope="module")
def network():
    return natural(width=6, scales=2, kernel_size=3).eval()


def test_deblur(network):
    picture = torch.rand(3, 70, 90)
    told = Told()
    whole = deblur(network, picture, tile=48, overlap=12, report=told)
    assert torch.equal(whole, deblur(network, picture, tile=48, overlap=12))
    assert len(told.calls) > 3
    assert told.numbers[-1] == (6300, 6300)
    assert told.numbers == sorted(told.numbers)
    assert {(progress.task, progress.unit) for progress in told.calls} == {("deblur", "pixels")}
    with pytest.raises(Cancelled, match=r"deblur: cancelled after \d+ of 6300 pixels"):
        deblur(network, picture, tile=48, overlap=12, report=(stop := Told(2)))
    assert len(stop.calls) == 2


def test_evaluate(network):
    scenes = PictureSet("stack", None, middle=64)
    metrics = [metric for metric in choose_metrics(torch.device("cpu")) if metric.name == "psnr"]
    with pytest.raises(Cancelled, match="evaluate: cancelled after 2 of"):
        evaluate(scenes, restorer(network), metrics, report=(told := Told(2)))
    assert told.numbers == [(1, len(scenes)), (2, len(scenes))]
    assert [progress.name for progress in told.calls] == list(scenes.names[:2])


@pytest.mark.parametrize("workers", [1, pytest.param(2, marks=pytest.mark.slow)])
def test_generate_cancelled_goes_on_where_it_was(tmp_path, workers):
    fields = [make_light_field(tmp_path / name) for name in "abc"]
    recipe = Recipe(apertures=(parse_aperture("disk:1"),), disparities=(0.0,))
    with pytest.raises(Cancelled, match="generate: cancelled after 1 of 3 scenes"):
        generate(fields, tmp_path / "out", recipe, workers=workers, report=lambda progress: False)
    assert not [file for file in (tmp_path / "out").rglob("*") if ".tmp" in file.name]
    made = generate(fields, tmp_path / "out", recipe, report=(told := Told()))
    assert (made.scenes, made.pairs) == (3, 3)
    assert told.numbers == [(1, 3), (2, 3), (3, 3)]
    whole = generate(fields, tmp_path / "whole", recipe)
    assert whole.files == made.files


def test_convert(tmp_path):
    fields = [make_light_field(tmp_path / name) for name in "ab"]
    with pytest.raises(Cancelled, match="convert: cancelled after 1 of 2 scenes"):
        convert(fields, tmp_path / "out", "npz", report=lambda progress: False)
    assert convert(fields, tmp_path / "out", "npz", report=(told := Told())).again == ["a"]
    assert told.calls == [Progress("convert", 1, 2, "scenes"), Progress("convert", 2, 2, "scenes")]


def test_a_hook_that_raises_ends_the_call_with_its_error(network):
    def hook(progress):
        raise LookupError("mine")

    with pytest.raises(LookupError, match="mine"):
        deblur(network, torch.rand(3, 20, 20), report=hook)


def test_a_program_hears_of_the_library_by_logging_alone(caplog):
    """The package adds no handler that writes, so that a program's own settings hold."""
    handlers = logging.getLogger("lfdeblur").handlers
    assert [type(handler) for handler in handlers] == [logging.NullHandler]
    assert lfdeblur_models.Cancelled.__mro__[1] is lfdeblur_models.LfdeblurError
