"""The order of names that people expect: by the numbers in them."""

import re


def natural_key(name: str) -> tuple[list[tuple[int, int, str]], str]:
    """Sorts ``2.png`` before ``10.png``, whatever the case; numbers before letters, equal names as text."""
    parts = [part for part in re.split(r"(\d+)", name) if part]
    return [(0, int(part), "") if part.isdecimal() else (1, 0, part.lower()) for part in parts], name
