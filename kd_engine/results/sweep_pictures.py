"""What a sweep shows, as pictures: the gain by one parameter, and a map of two."""

from __future__ import annotations

import io
import json
from collections.abc import Iterable, Sequence
from itertools import combinations
from statistics import fmean
from typing import Any

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from kd_engine.schema.sweep_report import SweepReport, TrialRow

_LONGEST = 36  # letters of a label
_MOST_LINES = 10  # more can no longer be told apart
_FIRST = "temperature"  # what most sweeps are about


def draw_gain(report: SweepReport) -> bytes | None:
    """The difference from the student alone, with its interval, by one parameter; a line for each value of the rest.

    None where there is nothing to draw: no parameter has two values, or there are too many lines.
    """
    rows = [row for row in report.trials if row.difference is not None]
    paths = _varied(rows, report.paths)
    if not paths:
        return None
    across, rest = paths[0], paths[1:]
    rows = [row for row in rows if across in row.values]
    lines: dict[str, list[TrialRow]] = {}
    for row in rows:
        lines.setdefault(", ".join(f"{path} {_text(row.values.get(path))}" for path in rest), []).append(row)
    if len(lines) > _MOST_LINES:
        return None
    figure, axes = _figure(7.5, 4.6)
    places = _places([row.values[across] for row in rows])
    for number, (label, line) in enumerate(zip(_short(lines), lines.values(), strict=True)):
        _line(axes, line, across, places, label, shift=0.02 * (number - (len(lines) - 1) / 2))
    axes.axhline(0, color="black", linewidth=0.8)
    axes.set_xticks(range(len(places)), _short(places), parse_math=False)
    axes.set_xlabel(across, parse_math=False)
    axes.set_ylabel(f"points of test {report.metrics[0].label} over the student alone")
    axes.grid(alpha=0.3)
    if rest:
        figure.legend(loc="outside lower center", ncols=2, frameon=False)
    axes.set_title("95 % intervals, each of its trial alone", fontsize=10)
    return _png(figure)


def _line(axes: Axes, rows: Sequence[TrialRow], across: str, places: dict[str, int], label: str, shift: float) -> None:
    points = sorted((places[_text(row.values[across])] + shift * len(places), row.difference) for row in rows)
    centres, below, above = [], [], []
    for _, difference in points:
        assert difference is not None, "rows without one are left out"
        low, high = difference.interval or (difference.mean, difference.mean)
        centres.append(100 * difference.mean)
        below.append(100 * (difference.mean - low))
        above.append(100 * (high - difference.mean))
    axes.errorbar([place for place, _ in points], centres, yerr=[below, above], marker="o", capsize=3, label=label)


def draw_heat_map(report: SweepReport) -> bytes | None:
    """The mean difference from the student alone by two parameters, the rest averaged; None where fewer vary."""
    told = [row for row in report.trials if row.difference is not None]
    pairs = combinations(_varied(told, report.paths), 2)
    # of a union of spaces, two that some trials give together
    both = ((pair, [row for row in told if set(pair) <= set(row.values)]) for pair in pairs)
    paths, rows = next((found for found in both if len(_varied(found[1], found[0])) == 2), ((), []))
    if not paths:
        return None
    across, down = (_places([row.values[path] for row in rows]) for path in paths)
    cells: dict[tuple[int, int], list[float]] = {}
    for row in rows:
        assert row.difference is not None, "rows without one are left out"
        key = down[_text(row.values[paths[1]])], across[_text(row.values[paths[0]])]
        cells.setdefault(key, []).append(100 * row.difference.mean)
    means = [[fmean(cells.get((y, x), [float("nan")])) for x in range(len(across))] for y in range(len(down))]
    limit = max((abs(fmean(cell)) for cell in cells.values()), default=0.0) or 1.0
    figure, axes = _figure(2.5 + 0.8 * len(across), 2 + 0.6 * len(down))
    image = axes.imshow(means, cmap="RdBu", vmin=-limit, vmax=limit, aspect="auto")
    for (y, x), cell in cells.items():
        colour = "white" if abs(fmean(cell)) > 0.6 * limit else "black"
        axes.text(x, y, f"{fmean(cell):+.2f}", ha="center", va="center", fontsize=9, color=colour)
    axes.set_xticks(range(len(across)), _short(across), parse_math=False)
    axes.set_yticks(range(len(down)), _short(down), parse_math=False)
    axes.set_xlabel(paths[0], parse_math=False)
    axes.set_ylabel(paths[1], parse_math=False)
    figure.colorbar(image, label=f"points of test {report.metrics[0].label}")
    return _png(figure)


def _varied(rows: Sequence[TrialRow], paths: Sequence[str]) -> list[str]:
    """The paths of which trials have several values, the usual first one first."""
    found = [path for path in paths if len({_text(row.values[path]) for row in rows if path in row.values}) > 1]
    return sorted(found, key=lambda path: path != _FIRST)


def _places(values: Sequence[Any]) -> dict[str, int]:
    """Each value's text and place on an axis: numbers by size, all else as it comes."""
    numbers = all(isinstance(value, int | float) and not isinstance(value, bool) for value in values)
    ordered = sorted(values) if numbers else values
    return {text: place for place, text in enumerate(dict.fromkeys(map(_text, ordered)))}


def _text(value: Any) -> str:
    if isinstance(value, float | int) and not isinstance(value, bool):
        return f"{value:g}"
    return value if isinstance(value, str) else json.dumps(value)


def _short(texts: Iterable[str]) -> list[str]:
    """Labels that fit beside an axis, still different where they were."""
    labels: list[str] = []
    for text in texts:
        label = text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"
        labels.append(label if label not in labels else f"{label} ({len(labels) + 1})")
    return labels


def _figure(width: float, height: float) -> tuple[Figure, Axes]:
    figure = Figure(figsize=(min(width, 20.0), min(height, 20.0)), layout="constrained")
    FigureCanvasAgg(figure)
    return figure, figure.subplots()


def _png(figure: Figure) -> bytes:
    image = io.BytesIO()
    figure.savefig(image, format="png", dpi=110, metadata={"Software": None})
    return image.getvalue()
