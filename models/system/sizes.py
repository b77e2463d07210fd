"""Sizes of memory, read and written as people do."""

import re

_UNITS = {"": 1, "k": 10**3, "m": 10**6, "g": 10**9, "t": 10**12, "ki": 2**10, "mi": 2**20, "gi": 2**30, "ti": 2**40}


def parse_size(text: str) -> int:
    """Bytes of ``2GB``, ``1.5GiB``, ``800M``; powers of 1000, with an i of 1024.

    Raises: ValueError: not a positive size.
    """
    match = re.fullmatch(r"\s*(\d+(?:\.\d*)?|\.\d+)\s*([kmgt]i?)?b?\s*", text, re.IGNORECASE)
    size = int(float(match[1]) * _UNITS[(match[2] or "").lower()]) if match else 0
    if size <= 0:
        raise ValueError(f"got {text!r}, want a size such as 2GB, 1.5GiB or 800MB")
    return size


def parse_told_size(text: str) -> int:
    """``parse_size`` of what a person typed: a number without a unit is refused, since few mean bytes by it."""
    size = parse_size(text)
    if text.strip()[-1] in "0123456789.":
        raise ValueError(f"got {text!r} without a unit; did you mean {text.strip()}GB? Bytes are {text.strip()}B")
    return size


def show_size(size: float) -> str:
    """A size for people: ``1.47 GB``, ``35 MB``."""
    return f"{size / 1e9:.2f} GB" if size >= 1e9 else f"{max(size, 1e6) / 1e6:.0f} MB"
