"""Published layers beside ours, as text and Markdown."""

from typing import Any

from .._tables import MEBI, between, machine_line, number


def line(row: dict[str, Any]) -> str:
    """A published layer beside ours, for the terminal."""
    forward, backward = row["forward"], row["forward+backward"]
    return (
        f"{row['name']:30} forward x{number(forward['times']):6} ({number(forward['theirs_ms'])} / "
        f"{number(forward['ours_ms'])} ms)  forward+backward x{number(backward['times']):6} "
        f"({number(backward['theirs_ms'])} / {number(backward['ours_ms'])} ms)  peak MiB {_peaks(forward)}, "
        f"{_peaks(backward)}"
    )


def table(result: dict[str, Any]) -> str:
    """Published layers beside ours: times ours, and peak memory."""
    lines = [
        "| layer | size | forward | forward + backward | peak MiB forward, theirs / ours | with backward |",
        "| --- | --- | ---: | ---: | ---: | ---: |",
    ]
    for row in result["rows"]:
        forward, backward = row["forward"], row["forward+backward"]
        cells = (
            row["name"],
            row["setting"],
            number(forward["times"]),
            number(backward["times"]),
            _peaks(forward),
            _peaks(backward),
        )
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def section(result: dict[str, Any]) -> str:
    """The comparison with published layers, of the report."""
    return (
        f"{_measured(result['users'])}\n\nLayers of published models beside ours, float32: how many "
        "times as long theirs takes, medians of calls in turn; memory of tensors beside the inputs.\n\n"
        f"{table(result)}"
    )


def updated(text: str, result: dict[str, Any]) -> str:
    """The page's text with the table of ``result`` between its marks. Raises ValueError without them."""
    return between(text, "users", f"{_measured(result['users'])}\n\n{table(result)}")


def _measured(machine: dict[str, Any]) -> str:
    """The machine, and how busy it was."""
    load = machine.get("load_average")
    return machine_line(machine) + ("" if load is None else f"; load average {load} on {machine['cores']} cores")


def _peaks(cost: dict[str, Any]) -> str:
    both = (cost["theirs_bytes"], cost["ours_bytes"])
    return " / ".join("?" if peak is None else f"{peak / MEBI:.1f}" for peak in both)
