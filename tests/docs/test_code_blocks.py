"""Every block of README and of the pages is run on small data, or tells its reader why not."""

import contextlib
import re
import shutil
from pathlib import Path

import pytest
import torch

from . import commands, stand_ins
from .fences import PAGES, ROOT, SHOWN, command_lines, fences

RUN = ("python", "console", "toml")
SLOW = {"docs/compile.md"}  # compiles for a minute


def _named(page):
    return str(page.relative_to(ROOT))


def _pages():
    run = (page for page in PAGES if any(fence.language in RUN and fence.reason is None for fence in fences(page)))
    return [pytest.param(page, id=_named(page), marks=[pytest.mark.slow] * (_named(page) in SLOW)) for page in run]


@pytest.fixture(scope="session")
def small_data(tmp_path_factory):
    folder = tmp_path_factory.mktemp("small_data")
    stand_ins.write(folder)
    return folder


@pytest.fixture
def one_thread():
    """What is as small as this takes longer with several, which wait for each other."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture
def folder(small_data, tmp_path, monkeypatch):
    """A folder of links to the small data, the current one; servers end as soon as they are ready."""
    for path in small_data.iterdir():
        if path.is_dir() and not path.is_symlink():
            shutil.copytree(path, tmp_path / path.name)
        else:
            (tmp_path / path.name).symlink_to(path.resolve())
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("lfdeblur_models.networks.shipped.FILE", tmp_path / stand_ins.WEIGHTS)
    with contextlib.suppress(ModuleNotFoundError):
        monkeypatch.setattr("lfdeblur_models.viewer.serve.serve", lambda app, listening, ready: ready())
    return tmp_path


@pytest.mark.parametrize("page", _pages())
def test_the_blocks_of_a_page_run(page, folder, one_thread):
    """In order; its Python in one namespace."""
    names = stand_ins.names(_named(page)) | {"__name__": "page"}
    for fence in fences(page):
        if fence.reason is not None:
            continue
        try:
            if fence.language == "python":
                exec(compile("\n" * fence.line + fence.text, str(page), "exec"), names)
            elif fence.language == "console":
                for line in command_lines(fence.text):
                    commands.run(line, folder)
            elif fence.language == "toml":
                _check_toml(fence.text, folder)
        except (Exception, SystemExit) as error:
            raise AssertionError(f"{fence.place}: {type(error).__name__}: {error}") from error


def _check_toml(text, folder):
    """A part of a recipe, in the place of that part of one that ships; or defaults of the command."""
    from lfdeblur_models.training import recipe_files
    from lfdeblur_models.training.config import parse_config

    values = recipe_files.tomllib.loads(text)
    if set(values) <= set(commands.names()):
        (folder / "defaults.toml").write_text(text)
        commands.run("lfdeblur --config-file defaults.toml info", folder)
    else:
        shipped = recipe_files.tomllib.loads((recipe_files.RECIPES / "stage1.toml").read_text())
        parse_config(shipped | {"validation": None} | values)


@pytest.mark.parametrize("page", PAGES, ids=_named)
def test_what_is_not_run_says_why(page):
    found = fences(page)
    silent = [
        fence.place
        for fence in found
        if (fence.reason is None and fence.language not in (*RUN, *SHOWN))
        or (fence.language == "console" and fence.reason is None and not command_lines(fence.text))
    ]
    assert not silent, "run, or <!-- not run: REASON --> in the line above"
    assert all(len(fence.reason.split()) > 2 for fence in found if fence.reason is not None)
    marks = len(re.findall(r"^ *<!-- not run: ", page.read_text(encoding="utf-8"), re.MULTILINE))
    assert marks == sum(fence.reason is not None for fence in found), "a mark stands right above its block"


def _inline(page: Path):
    """Commands within sentences and tables."""
    text = page.read_text(encoding="utf-8")
    for fence in fences(page):
        text = text.replace(fence.text, "\n")
    return re.findall(r"`(lfdeblur [a-z][^`]*)`", text)


def test_commands_within_sentences_have_options_that_there_are():
    """They are short for lines that are run elsewhere; a name that has gone would stay unseen."""
    wrong = []
    for page in PAGES:
        for line in _inline(page) if page.name != "CHANGELOG.md" else ():
            command, *rest = line.split()[1:]
            known = commands.options(command)
            wrong += [
                f"{_named(page)}: {line}"
                for word in rest
                for word in re.findall(r"--[a-z][\w-]*", word)
                if word not in known
            ]
    assert not wrong


def test_modules_that_are_named_are_there():
    for page in PAGES:
        for module in re.findall(r"python -m ([\w.]+)", page.read_text(encoding="utf-8")):
            if module.split(".")[0] in ("benchmarks", "docs", "tests", "lfdeblur_models"):
                path = ROOT / module.replace("lfdeblur_models", "models", 1).replace(".", "/")
                assert path.with_suffix(".py").is_file() or (path / "__main__.py").is_file(), f"{page.name}: {module}"
