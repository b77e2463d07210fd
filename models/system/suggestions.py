"""``did you mean``: the nearest of the names that are known."""

import difflib
from collections.abc import Iterable


def nearest(given: str, known: Iterable[str]) -> str | None:
    """The one of ``known`` that ``given`` is most likely a slip of, upper case for lower case too; None: no such."""
    folded = {name.lower(): name for name in known}
    found = difflib.get_close_matches(given.lower(), folded, n=1, cutoff=0.6)
    return folded[found[0]] if found else None


def did_you_mean(given: str, known: Iterable[str]) -> str:
    """``; did you mean stage1?``, for the end of an error; empty where nothing is near."""
    found = nearest(given, known)
    return f"; did you mean {found}?" if found else ""
