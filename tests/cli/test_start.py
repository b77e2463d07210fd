"""How the command starts: without PyTorch; the lists of names that this takes; one name for all."""

import ast
import importlib
import os
import py_compile
import subprocess
import sys
from pathlib import Path

import lfdeblur
import pytest

import lfdeblur_models
import lfdeblur_ops
from lfdeblur_models import data
from lfdeblur_models.cli import names
from lfdeblur_models.cli.commands import COMMANDS
from lfdeblur_models.data.generation import recipe
from lfdeblur_models.data.lenslets import bayer
from lfdeblur_models.data.light_field import TRANSFERS
from lfdeblur_models.data.readers import options
from lfdeblur_models.data.rendering import aperture, planes, shot
from lfdeblur_models.evaluation.picture_sets import SCENE_KINDS
from lfdeblur_models.export import TARGETS
from lfdeblur_models.export.precision import PRECISIONS
from lfdeblur_models.inference.exported import SUFFIXES
from lfdeblur_models.io.images import READ
from lfdeblur_models.system.version import __version__

MODELS = Path(lfdeblur_models.__file__).parent
ALL = [command.__name__ for commands in COMMANDS.values() for command in commands]
HEAVY = ("torch", "numpy", "pyvips", "pyarrow", "rich", "lightning", "fsspec", "PIL")
# Each call in one process, which is started once: a fresh one for each would take seconds of the tests.
CALLS = """
import io, sys
from contextlib import redirect_stderr, redirect_stdout
from lfdeblur_models.cli import main

for words in {calls}:
    said = io.StringIO()
    with redirect_stdout(said), redirect_stderr(said):
        try:
            main(words)
        except SystemExit as ended:
            code = ended.code
    heavy = [name for name in {heavy} if name in sys.modules]
    print(words, code, heavy, bool(said.getvalue()))
"""


def python(code, **environment):
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, env=os.environ | environment
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_help_version_and_bad_arguments_import_nothing_heavy():
    good = [["--help"], ["-h"], ["--version"], *([name, word] for name in ALL for word in ("--help", "-h"))]
    bad = [
        ["deblr"],
        ["deblur"],
        ["deblur", "--dvice", "cpu"],
        ["deblur", "a.png", "--device", "gpu"],
        ["deblur", "a.png", "--memory", "2"],
        ["deblur", "a.png", "--tile", "x"],
        ["refocus", "lf", "--out", "o", "--aperture", "dsk:3"],
        ["generate", "lf", "--out", "o", "--layout", "zip"],
        ["convert", "lf", "--out", "o", "--to", "hic"],
        ["evaluate", "--data", "dpd"],
    ]
    out = python(CALLS.format(calls=good + bad, heavy=HEAVY)).splitlines()
    assert out == [f"{words} {code} [] True" for words, code in [*((w, 0) for w in good), *((w, 2) for w in bad)]]


def test_packages_import_nothing_before_it_is_asked_for():
    code = "import sys, {0}; print('torch' in sys.modules, {0}.__version__, 'torch' in sys.modules)"
    for package in ("lfdeblur", "lfdeblur_models"):
        assert python(code.format(package)) == f"False {lfdeblur_ops.__version__} False\n"
    assert __version__ == lfdeblur_ops.__version__


@pytest.mark.parametrize("package", [lfdeblur, lfdeblur_models, data], ids=lambda package: package.__name__)
def test_every_name_is_there_and_none_is_forgotten(package):
    tree = ast.parse(Path(package.__file__).read_text())
    block = next(part for part in tree.body if isinstance(part, ast.If) and isinstance(part.test, ast.Name))
    assert sorted(package.__all__) == sorted(alias.name for line in block.body for alias in line.names)
    for name in package.__all__:
        assert getattr(package, name) is not None
    assert set(package.__all__) <= set(dir(package))
    with pytest.raises(AttributeError, match=f"module '{package.__name__}' has no attribute 'deblr'"):
        _ = package.deblr


def test_functions_are_functions_whatever_was_imported_before():
    code = """
import lfdeblur_models.deblur, lfdeblur_models.export.targets, lfdeblur_models.optimize
import lfdeblur_models, sys
print(*(callable(getattr(lfdeblur_models, name)) for name in ("deblur", "optimize", "export")))
from lfdeblur_models.deblur import deblur
print(deblur is lfdeblur_models.deblur, lfdeblur_models.networks.DRBNet is lfdeblur_models.DRBNet)
"""
    assert python(code) == "True True True\nTrue True\n"


def test_one_name_has_all_of_both_packages():
    assert {*lfdeblur_ops.__all__, *lfdeblur_models.__all__} <= set(lfdeblur.__all__)
    assert lfdeblur.refocus is lfdeblur_ops.refocus
    assert lfdeblur.deblur is lfdeblur_models.deblur
    assert lfdeblur.data is data
    assert importlib.import_module("lfdeblur.data").read_light_field is data.read_light_field
    assert Path(lfdeblur.__file__).with_name("py.typed").is_file()
    with pytest.raises(ImportError, match="want import lfdeblur"):
        importlib.import_module("lfdeblur_models.lfdeblur")


@pytest.mark.parametrize("module", ["lfdeblur", "lfdeblur_models", "lfdeblur_models.cli"])
def test_modules_that_run_the_command(module):
    done = subprocess.run([sys.executable, "-m", module, "--version"], capture_output=True, text=True, check=True)
    assert done.stdout == f"lfdeblur {__version__}\n"


def test_names_are_those_that_are_meant():
    assert tuple(data.FORMATS) == names.FORMATS
    assert tuple(data.LAYOUTS) == names.LAYOUTS
    assert tuple(data.CAMERAS) == names.CAMERAS
    assert names.PICTURES == READ
    assert names.TRANSFERS == TRANSFERS
    assert (names.FLIPS, names.ORDERS, names.COLOURS) == (options.FLIPS, options.ORDERS, options.COLOURS)
    assert names.BAYER == bayer.PATTERNS
    assert names.APERTURE_FORMS == aperture.FORMS
    assert all(f"{shape}:" in aperture.FORMS for shape in names.APERTURES)
    assert len(names.APERTURES) == aperture.FORMS.count(":R") - aperture.FORMS.count(":R:R")
    assert (names.HALVES, names.INTERPOLATIONS) == (shot.HALVES, shot.INTERPOLATIONS)
    assert names.PLACEMENTS == planes.PLACEMENTS
    assert names.PAIR_LAYOUTS == recipe.LAYOUTS
    assert (*recipe.TRUTHS, "both") == names.TRUTHS
    assert names.SCENE_KINDS == SCENE_KINDS
    assert tuple(TARGETS) == names.TARGETS
    assert tuple(PRECISIONS) == names.PRECISIONS
    assert tuple(SUFFIXES) == names.RUNTIMES
    assert importlib.import_module("lfdeblur_models.data.depth.focus").PLANES == names.PLANES


def test_each_command_has_a_function_with_its_parameters():
    """What ``commands/`` declares is given by name."""
    import inspect

    for commands in COMMANDS.values():
        for command in commands:
            body = getattr(importlib.import_module(f"lfdeblur_models.cli.{command.__name__}"), command.__name__)
            given = set(inspect.signature(command).parameters) - {"quiet", "verbose"}
            wanted = set(inspect.signature(body).parameters)
            reading = given - wanted
            assert wanted - given <= {"read_options"}
            assert bool(reading) == ("read_options" in wanted), command.__name__
            assert "format" in reading or not reading


def test_programs_without_sources_have_every_name(tmp_path):
    """As PyInstaller and others ship them."""
    package = tmp_path / "lfdeblur_models"
    for name in ("__init__.py", "io/__init__.py", "io/errors.py", "system/__init__.py", "system/lazy.py"):
        py_compile.compile(str(MODELS / name), cfile=str((package / name).with_suffix(".pyc")), doraise=True)
    line = "import lfdeblur_models as m; print(m.__file__, m.LfdeblurError.__module__)"
    environment = os.environ | {"PYTHONPATH": str(tmp_path)}
    said = subprocess.run([sys.executable, "-c", line], env=environment, cwd=tmp_path, capture_output=True, text=True)
    assert said.stdout.split() == [str(package / "__init__.pyc"), "lfdeblur_models.io.errors"], said.stderr
