"""`make release VERSION=x.y.z`: version, changelog, wheels, sources, bills of materials, checks, commit and tag.

What goes wrong leaves no commit, no tag, and the two files that it writes as they were. ``--dry-run`` only tells the
steps.
"""

import argparse
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from datetime import datetime, timezone
from pathlib import Path

from packaging.version import InvalidVersion, Version
from pythons import HERE, PYTHONS, ROOT

VERSION_FILE, CHANGELOG = "lfdeblur_ops/_version.py", "CHANGELOG.md"
UNRELEASED = r"^## \S+ \(unreleased\)$"


def run(*command: str | Path, **settings: str) -> None:
    subprocess.run(command, cwd=ROOT, env=os.environ | settings, check=True)


def git(*words: str) -> str:
    return subprocess.run(["git", *words], cwd=ROOT, check=True, capture_output=True, text=True).stdout.strip()


def refuse(version: str) -> str | None:
    """Why a release cannot begin, or None."""
    try:
        if str(Version(version)) != version:
            return f"VERSION: got {version}, want it as {Version(version)}"
    except InvalidVersion:
        return f"VERSION: got {version!r}, want one like 0.2.0 or 0.2.0rc1"
    if changed := git("status", "--porcelain"):
        return f"the tree has changes that are not committed:\n{changed}"
    if git("tag", "--list", f"v{version}"):
        return f"the tag v{version} is there already"
    if above := [tag for tag in git("tag", "--list", "v*").split() if is_above(tag, version)]:
        return f"VERSION: got {version}, want one above those that are tagged, such as {above[0]}"
    top = re.search(r"^## .*$", (ROOT / CHANGELOG).read_text(), re.MULTILINE)
    if top is None or not re.match(UNRELEASED, top[0]):
        return f"{CHANGELOG}: want a first section like '## {version} (unreleased)', got {top and top[0]!r}"
    return None


def is_above(tag: str, version: str) -> bool:
    try:
        return Version(tag.removeprefix("v")) > Version(version)
    except InvalidVersion:
        return False


def undo(begun_at: str) -> None:
    """As it was before, a commit whose tag failed included; what else was edited meanwhile stays."""
    git("reset", "-q", begun_at)
    git("checkout", "-q", "--", VERSION_FILE, CHANGELOG)


def set_version(version: str, day: str) -> None:
    (ROOT / VERSION_FILE).write_text(f'__version__ = "{version}"\n')
    log = (ROOT / CHANGELOG).read_text()
    dated = re.sub(UNRELEASED, f"## {version} ({day})", log, count=1, flags=re.MULTILINE)
    (ROOT / CHANGELOG).write_text(dated)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("version")
    parser.add_argument("--out", type=Path, default=ROOT / "dist", help="emptied first")
    parser.add_argument("--dry-run", action="store_true")
    options = parser.parse_args()
    if why := refuse(options.version):
        raise SystemExit(f"make release: {why}")
    out, now, begun_at = options.out, datetime.now(timezone.utc), git("rev-parse", "HEAD")
    # Archives of the same commit are the same bytes.
    settings = {"SOURCE_DATE_EPOCH": git("log", "-1", "--format=%ct")}
    here = Path(__file__).parent
    checked = [sys.executable, here / "check_wheels.py", "--few", "--wheels", out, "--pythons", HERE]
    steps: dict[str, Callable[[], object]] = {
        f"{VERSION_FILE} and {CHANGELOG}: {options.version}, {now:%Y-%m-%d}": lambda: set_version(
            options.version, f"{now:%Y-%m-%d}"
        ),
        f"empty {out}": lambda: (shutil.rmtree(out, ignore_errors=True), out.mkdir(parents=True)),
        "source distribution": lambda: run("make", "sdist", f"DIST={out}", **settings),
        f"wheels of Python {', '.join(PYTHONS)}": lambda: run("make", "wheels", f"DIST={out}", **settings),
        "checks of the files, and SHA256SUMS": lambda: run("make", "check-dist", f"DIST={out}"),
        f"the wheel of Python {HERE}, installed and run": lambda: run(*checked, "--torches", "2.13.0"),
        f"commit and tag v{options.version}": lambda: (
            git("commit", "-q", "-m", f"Release {options.version}", VERSION_FILE, CHANGELOG),
            git("tag", "-a", f"v{options.version}", "-m", f"lfdeblur {options.version}"),
        ),
    }
    for name, step in steps.items():
        print(f"release {options.version}: {name}", flush=True)
        if options.dry_run:
            continue
        try:
            step()
        except BaseException:
            undo(begun_at)
            raise
    print("Nothing was uploaded. `git push --follow-tags` starts .github/workflows/release.yml.")


if __name__ == "__main__":
    main()
