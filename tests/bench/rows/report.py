"""What a row found, and how it is printed."""

import dataclasses
import statistics
from typing import Optional


@dataclasses.dataclass
class Found:
    ours: str
    goal: str
    met: Optional[bool]  # None: nothing to hold it against
    floor: str = "-"
    ratio: str = "-"
    note: str = ""


@dataclasses.dataclass
class Row:
    name: str
    what: str
    measure: object  # called with the tools; gives a Found


def median(runs, key=None):
    return statistics.median(run[key] if key else run for run in runs)


def interleaved(times, *programs):
    """Runs them in turn, so that all meet the same machine; the results of each in a list of its own."""
    results = [[] for _ in programs]
    for _ in range(times):
        for program, into in zip(programs, results):
            into.append(program())
    return results


def thousands(value):
    return f"{value:,.0f}"


HEAD = ("ROW", "OURS", "FLOOR", "RATIO", "GOAL", "MET")
WIDTHS = (13, 34, 24, 10, 30, 3)


def line(cells):
    return "  ".join(cell.ljust(width) for cell, width in zip(cells, WIDTHS)).rstrip()


def row_line(row, found):
    met = {True: "yes", False: "NO", None: "-"}[found.met]
    text = line((row.name, found.ours, found.floor, found.ratio, found.goal, met))
    return text + (f"\n{'':15}{found.note}" if found.note else "")
