"""Command of the comparison with published layers.

``python -m benchmarks.users [--only NAME] [--seconds N] [--json FILE]`` checks and measures every row, float32;
``python -m benchmarks.users --page`` rewrites the table of ``docs/coming_from.md`` from the committed result.
"""

import argparse
import importlib
import json
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import torch

from lfdeblur_ops._comparison import Comparison
from lfdeblur_ops.testing import compare

from .. import _machine
from .._tables import machine_line
from . import _table
from ._user import User

MODULES = (
    "fac",
    "kpn",
    "raft",
    "igev",
    "carafe",
    "duf",
    "involution",
    "san",
    "cspn",
    "sbmc",
    "kpcn",
    "efficientderain",
    "sepconv",
    "oacc_net",
)
RESULT = _machine.ROOT / "benchmarks" / "results" / "users.json"
PAGE = _machine.ROOT / "docs" / "coming_from.md"


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        "python -m benchmarks.users", description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--only", action="append", choices=MODULES, metavar="NAME", help=f"one of {', '.join(MODULES)}")
    parser.add_argument(
        "--seconds", type=float, default=2.0, help="to time each side of a row in, forward and backward"
    )
    parser.add_argument("--threads", type=int, help="of torch, for all rows; by default its own choice")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the result here; rows it has already stay")
    parser.add_argument("--page", action="store_true", help="rewrite the page's table, measure nothing")
    options = parser.parse_args(arguments)
    if options.page:
        PAGE.write_text(_table.updated(PAGE.read_text(), json.loads(RESULT.read_text())))
        return 0
    if options.threads:
        torch.set_num_threads(options.threads)
    return _run(options.only or MODULES, options.seconds, options.json)


def users(modules: Sequence[str] = MODULES) -> Iterator[User]:
    for name in modules:
        yield from importlib.import_module(f"benchmarks.users.{name}").USERS


def _run(modules: Sequence[str], seconds: float, file: Path | None) -> int:
    machine = _machine.describe("cpu")
    print(machine_line(machine), flush=True)
    rows: dict[str, dict[str, Any]] = {}
    if file is not None and file.exists():
        rows = {row["name"]: row for row in json.loads(file.read_text())["rows"]}
    wrong = 0
    for user in users(modules):
        torch.manual_seed(0)
        found = compare(user.theirs, user.ours, user.inputs(*user.size), seconds=seconds)
        if not found.ok:
            wrong += 1
            print(f"{user.name}: {found}", file=sys.stderr)
            continue
        rows[user.name] = row(user, found)
        print(_table.line(rows[user.name]), flush=True)
    if file is not None:
        order = [user.name for user in users()]
        kept = sorted(rows.values(), key=lambda row: order.index(row["name"]))
        file.write_text(json.dumps({"users": machine, "rows": kept}, indent=1) + "\n")
    return 1 if wrong else 0


def row(user: User, found: Comparison) -> dict[str, Any]:
    """What a result holds of a comparison."""
    assert found.forward is not None
    assert found.backward is not None
    return {
        "name": user.name,
        "setting": user.setting,
        "dtype": "float32",
        "forward": found.forward._asdict(),
        "forward+backward": found.backward._asdict(),
        "errors": {difference.of: difference.ours / (difference.largest or 1) for difference in found.differences},
    }


if __name__ == "__main__":
    sys.exit(main())
