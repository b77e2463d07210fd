"""Programs for PyTorch: exported, and compiled."""

import json

import pytest
import torch
import torch._inductor

from lfdeblur_models import ExportError, export, open_exported
from lfdeblur_ops.testing import MANY_ROUNDINGS

from ..natural import psnr
from .networks import restored, unit_pictures

SIZES = ((1, 37, 53), (2, 64, 96), (3, 51, 40))


@pytest.mark.parametrize("precision", ["fp32", "fp16"])
def test_program(networks, exported, precision):
    extra = {"lfdeblur.json": ""}
    module = torch.export.load(exported("dual", "torch", precision=precision), extra_files=extra).module()
    assert json.loads(json.loads(extra["lfdeblur.json"])["drbnet"])["views"] == 2
    for size in SIZES:
        pictures = unit_pictures(networks["dual"], size)
        got, want = module(*pictures), restored(networks["dual"], pictures)
        assert got.dtype == torch.float32
        if precision == "fp32":
            torch.testing.assert_close(got, want, rtol=0, atol=MANY_ROUNDINGS)
        else:
            assert psnr(got, want) > 50


def test_no_compiler(networks, tmp_path):
    missing = torch._inductor.config.patch({"cpp.cxx": ("no-such-compiler",)})
    with missing, pytest.raises(ExportError, match=r"to: aoti needs a C.. compiler, g.. or clang.., and finds none"):
        export(networks["one level"], "aoti", tmp_path / "a.pt2")
    assert not list(tmp_path.iterdir())


@pytest.mark.slow  # a minute for the compiler
def test_package(networks, exported):
    package = torch._inductor.aoti_load_package(str(exported("one level", "aoti")))
    assert json.loads(json.loads(package.get_metadata()["lfdeblur"])["drbnet"])["scales"] == 1
    for size in SIZES:
        pictures = unit_pictures(networks["one level"], size)
        want = restored(networks["one level"], pictures)
        torch.testing.assert_close(package(*pictures), want, rtol=0, atol=MANY_ROUNDINGS)
    again = open_exported(exported("one level", "aoti"), "torch")
    torch.testing.assert_close((again(pictures[0] * 2 - 1) + 1) / 2, want, rtol=0, atol=MANY_ROUNDINGS)
