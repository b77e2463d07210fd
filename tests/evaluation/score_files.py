"""What ``lfdeblur evaluate`` wrote, read again."""

import csv


def scores(out):
    """The CSV: protocol, picture and row to the numbers by name."""
    with open(out / "scores.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    keys = ("protocol", "picture", "row")
    return {
        tuple(row[key] for key in keys): {name: float(value) for name, value in row.items() if name not in keys}
        for row in rows
    }
