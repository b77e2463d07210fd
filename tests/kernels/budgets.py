"""What each CUDA kernel may use: ``cuda_budgets.json``."""

import json
from fnmatch import fnmatchcase
from pathlib import Path

BUDGETS = json.loads((Path(__file__).parent / "cuda_budgets.json").read_text())


def budget_of(kernel: str) -> dict | None:
    return next((budget for budget in BUDGETS if fnmatchcase(kernel, budget["kernel"])), None)
