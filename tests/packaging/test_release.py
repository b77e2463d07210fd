"""`make release` in a small repository: what it refuses, what a dry run leaves, how it dates the changelog."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGING = Path(__file__).parents[2] / "csrc/packaging"
LOG = "# Changelog\n\n## 0.1.0 (unreleased)\n\n- A line.\n"


@pytest.fixture
def release(tmp_path):
    """A call of a copy of the script in a repository of its own; gives exit code and output."""
    root = tmp_path / "repository"
    shutil.copytree(PACKAGING, root / "csrc/packaging", ignore=shutil.ignore_patterns("__pycache__"))
    (root / ".gitignore").write_text("__pycache__/\n")
    (root / "lfdeblur_ops").mkdir()
    (root / "lfdeblur_ops/_version.py").write_text('__version__ = "0.0.9"\n')
    (root / "CHANGELOG.md").write_text(LOG)
    # Its own targets: each leaves its name in the folder of packages, or fails.
    (root / "Makefile").write_text(
        "sdist wheels check-dist:\n\tgrep -q 0.1.0 lfdeblur_ops/_version.py && touch $(DIST)/$@ && test ! -e fail-$@\n"
    )
    (root / "csrc/packaging/check_wheels.py").write_text("import sys; print('checked', *sys.argv[1:])\n")

    def git(*words):
        settings = ["-c", "user.name=a", "-c", "user.email=a@b.c"]
        return subprocess.run(["git", *settings, *words], cwd=root, check=True, capture_output=True, text=True).stdout

    def run(*words):
        command = [sys.executable, "csrc/packaging/release.py", *words, "--out", str(tmp_path / "dist")]
        done = subprocess.run(command, cwd=root, capture_output=True, text=True, timeout=120)
        return done.returncode, done.stdout + done.stderr

    git("init", "-q")
    git("config", "user.name", "a")
    git("config", "user.email", "a@b.c")
    git("add", "-A")
    git("commit", "-q", "-m", "first")
    run.root, run.git, run.out = root, git, tmp_path / "dist"
    return run


def test_one_command_makes_a_release(release):
    code, said = release("0.1.0")
    assert code == 0, said
    assert (release.root / "lfdeblur_ops/_version.py").read_text() == '__version__ = "0.1.0"\n'
    assert "## 0.1.0 (20" in (release.root / "CHANGELOG.md").read_text()
    assert sorted(path.name for path in release.out.iterdir()) == ["check-dist", "sdist", "wheels"]
    assert "checked --few --wheels" in said
    assert release.git("tag", "--list") == "v0.1.0\n"
    assert release.git("status", "--porcelain") == ""
    assert release.git("log", "--format=%s").splitlines() == ["Release 0.1.0", "first"]
    assert "the tag v0.1.0 is there already" in release("0.1.0")[1]
    assert "want a first section like '## 0.2.0 (unreleased)', got '## 0.1.0 (20" in release("0.2.0")[1]


def test_a_dry_run_changes_nothing(release):
    code, said = release("0.1.0", "--dry-run")
    assert code == 0
    assert "release 0.1.0: wheels of Python 3.10, 3.11, 3.12, 3.13" in said
    assert not release.out.exists()
    assert (release.git("status", "--porcelain"), release.git("tag", "--list")) == ("", "")


def test_what_fails_leaves_the_files_as_they_were(release):
    (release.root / "fail-wheels").touch()
    release.git("add", "-A")
    release.git("commit", "-q", "-m", "second")
    assert release("0.1.0")[0] != 0
    assert (release.root / "CHANGELOG.md").read_text() == LOG
    assert (release.git("status", "--porcelain"), release.git("tag", "--list")) == ("", "")


def test_a_tag_that_cannot_be_made_leaves_no_commit(release):
    """A folder of the tag's name is in the way of it."""
    (release.root / ".git/refs/tags/v0.1.0").mkdir(parents=True)
    (release.root / ".git/refs/tags/v0.1.0/in_the_way.lock").touch()
    assert release("0.1.0")[0] != 0
    assert release.git("log", "--format=%s") == "first\n"
    assert (release.root / "CHANGELOG.md").read_text() == LOG
    assert release.git("status", "--porcelain") == ""


def test_a_version_below_one_that_is_tagged_is_refused(release):
    release.git("tag", "v0.2.0")
    release.git("tag", "vacation")
    code, said = release("0.1.0")
    assert code == 1
    assert "VERSION: got 0.1.0, want one above those that are tagged, such as v0.2.0" in said


@pytest.mark.parametrize(
    ("version", "message"),
    [
        ("one", "VERSION: got 'one', want one like 0.2.0 or 0.2.0rc1"),
        ("v0.1.0", "VERSION: got v0.1.0, want it as 0.1.0"),
    ],
)
def test_a_version_that_is_none_is_refused(version, message, release):
    code, said = release(version)
    assert code == 1
    assert message in said


def test_a_changed_tree_is_refused(release):
    (release.root / "new").touch()
    code, said = release("0.1.0")
    assert code == 1
    assert "make release: the tree has changes that are not committed:\n?? new" in said
