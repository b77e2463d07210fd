"""The workflow of a hosted CI: it can be read, calls targets that there are, and what is others' is pinned."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
WORKFLOW = ROOT / ".github/workflows/release.yml"
if not WORKFLOW.is_file():  # a source distribution
    pytest.skip("no workflows here", allow_module_level=True)


def steps(job):
    yaml = pytest.importorskip("yaml")
    return yaml.safe_load(WORKFLOW.read_text())["jobs"][job]["steps"]


def test_what_is_others_is_pinned_by_commit():
    used = re.findall(r"uses: (.+)", WORKFLOW.read_text())
    assert len(used) == 5
    assert all(re.fullmatch(r"[\w-]+/[\w-]+@[0-9a-f]{40} # v[\d.]+", name) for name in used), used


def test_targets_and_options_are_there():
    makefile = (ROOT / "Makefile").read_text()
    called = re.findall(
        r"make ((?:[a-z-]+ ?)+)((?: ?[A-Z]+=\S+)*)", " ; ".join(s.get("run", "") for s in steps("build"))
    )
    assert [targets.split() for targets, _ in called] == [["sdist", "wheels"], ["check-dist"], ["check-wheels"]]
    for targets, variables in called:
        assert all(re.search(rf"^{target}:", makefile, re.MULTILINE) for target in targets.split())
        names = [word.split("=")[0] for word in variables.split()]
        assert all(f"$({name})" in makefile for name in names), names


def test_only_publishing_may_act_for_the_project():
    yaml = pytest.importorskip("yaml")
    workflow = yaml.safe_load(WORKFLOW.read_text())
    assert workflow["permissions"] == {"contents": "read"}
    assert "permissions" not in workflow["jobs"]["build"]
    publish = workflow["jobs"]["publish"]
    assert (publish["needs"], publish["permissions"]) == ("build", {"id-token": "write"})
    assert "password" not in WORKFLOW.read_text().split("steps:")[-1]
