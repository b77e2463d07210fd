"""What a caller may tell a reader."""

from dataclasses import dataclass


@dataclass(frozen=True)
class ReadOptions:
    """See ``read_light_field`` for the meaning of each."""

    pattern: str | None = None
    lenslet: tuple[int, int] = (14, 14)
    flip: str = "none"
    forced: bool = False
    grid: tuple[int, int] | None = None
    order: str = "rows"
    dataset: str | None = None
    axes: str | None = None
