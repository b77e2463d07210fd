"""Focus planes written as text."""

import math

MAX_PLANES = 10_000


def parse_disparities(text: str) -> list[float]:
    """Read ``a:b:n`` (n planes evenly from a to b, both included) or ``a,b,c`` (these planes), pixels per view step.

    Raises:
        ValueError: not of these forms, a number that is not finite, or n < 1.
    """
    parts = text.split(":")
    try:
        if len(parts) == 3:
            first, last, count = float(parts[0]), float(parts[1]), int(parts[2])
            if not 1 <= count <= MAX_PLANES:
                raise ValueError
            step = (last - first) / max(count - 1, 1)
            planes = [first + i * step for i in range(count - 1)] + [last if count > 1 else first]
        else:
            planes = [float(part) for part in text.split(",")]
        if not all(math.isfinite(plane) for plane in planes):
            raise ValueError
    except ValueError:
        raise ValueError(
            f"disparity: got {text!r}, want FIRST:LAST:COUNT (for example -2:2:9) or numbers with commas, "
            "in pixels per view step"
        ) from None
    return planes
