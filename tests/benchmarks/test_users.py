"""Layers of published models beside ours: equal at a tiny size, and what was measured is what the page says."""

import json
from dataclasses import replace

import pytest

from benchmarks import __main__ as benchmarks_command
from benchmarks.users import __main__ as command
from benchmarks.users import _table
from lfdeblur_ops.testing import compare

from .machine import MACHINE

USERS = list(command.users())


@pytest.mark.parametrize("user", USERS, ids=lambda user: user.name)
def test_equal(user):
    found = compare(user.theirs, user.ours, user.inputs(*user.tiny), seconds=0.0)
    assert found.ok, found
    assert found.exact
    assert {f"gradient of {name}" for name in user.inputs(*user.tiny)} < {row.of for row in found.differences}


def test_every_file_is_run():
    folder = command.RESULT.parents[1] / "users"
    assert {path.stem for path in folder.glob("[a-z]*.py")} == set(command.MODULES)
    assert len({user.name for user in USERS}) == len(USERS)


@pytest.fixture
def quick(monkeypatch):
    monkeypatch.setattr(command._machine, "describe", lambda device: MACHINE)
    monkeypatch.setattr(command, "users", lambda modules=None: map(tiny, USERS[: 1 if modules == ["fac"] else 2]))


def tiny(user):
    return replace(user, size=user.tiny)


def test_command_writes_json_and_keeps_other_rows(quick, tmp_path, capsys):
    file = tmp_path / "users.json"
    assert command.main(["--seconds", "0", "--json", str(file)]) == 0
    first = json.loads(file.read_text())["rows"]
    assert [row["name"] for row in first] == [USERS[0].name, USERS[1].name]
    assert command.main(["--only", "fac", "--seconds", "0", "--json", str(file)]) == 0
    second = json.loads(file.read_text())["rows"]
    assert second[1] == first[1]
    assert second[0] != first[0]
    assert "forward x" in capsys.readouterr().out
    assert benchmarks_command.main(["report", str(file), "--out", str(tmp_path / "out")]) == 0
    assert f"| {USERS[0].name} | " in (tmp_path / "out" / "report.md").read_text()


def test_what_is_not_equal_is_not_measured(quick, monkeypatch, tmp_path, capsys):
    wrong = replace(tiny(USERS[1]), ours=lambda **tensors: 2 * USERS[1].ours(**tensors))
    monkeypatch.setattr(command, "users", lambda modules=None: iter([wrong]))
    file = tmp_path / "users.json"
    assert command.main(["--seconds", "0", "--json", str(file)]) == 1
    assert json.loads(file.read_text())["rows"] == []
    assert "NOT within the tolerance" in capsys.readouterr().err


def test_the_line_about_the_machine():
    text = _table.section({"users": MACHINE | {"threads": 1, "cores": 2, "load_average": 0.5}, "rows": []})
    assert ", 1 thread; " in text
    assert "; load average 0.5 on 2 cores\n" in text
    assert ", 2 threads; " in _table.section({"users": MACHINE, "rows": []})


def test_the_page_has_the_result():
    text, result = command.PAGE.read_text(), json.loads(command.RESULT.read_text())
    assert _table.updated(text, result) == text, "run python -m benchmarks.users --page"
    assert [row["name"] for row in result["rows"]] == [user.name for user in USERS]
