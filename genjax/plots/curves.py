"""Learning curves of one run."""

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from genjax.plots.figure import BLUE, ORANGE, StrPath, drawing

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def curves(path: StrPath, rows: Sequence[Mapping[str, Any]]) -> None:
    """Saves the learning curves in rows of metrics: one panel a name, training and validation over each other."""
    names = list(dict.fromkeys(k.split("/", 1)[1] for row in rows for k in row if "/" in k))
    columns = min(3, max(1, len(names)))
    height = math.ceil(len(names) / columns)
    with drawing(path, max(4, 2.9 * columns), 0.4 + 2.1 * max(1, height)) as figure:
        for i, name in enumerate(names):
            axes = figure.add_subplot(height, columns, i + 1)
            axes.set_title(name)
            _curve(axes, rows, name)
        handles = {str(line.get_label()): line for axes in figure.axes for line in axes.lines}
        figure.legend(list(handles.values()), list(handles), loc="outside upper right", ncols=2)
        figure.supxlabel("step")


def _curve(axes: "Axes", rows: Sequence[Mapping[str, Any]], name: str) -> None:
    from matplotlib.ticker import LogLocator, MaxNLocator, NullFormatter

    lines = []
    for split, colour in (("train", BLUE), ("validation", ORANGE)):
        key = f"{split}/{name}"
        line = np.array([(row["step"], row[key]) for row in rows if key in row], float).reshape(-1, 2)
        if len(line):
            marks = {"marker": "o", "markersize": 2.5} if len(line) < 30 else {}
            axes.plot(*line.T, color=colour, label=split, linewidth=0.8 if len(line) > 200 else 1.2, **marks)
            lines.append(line[:, 1])
    values = np.concatenate(lines)
    values = values[np.isfinite(values)]
    if len(values) and values.min() > 0 and values.max() > 10 * np.median(values):  # the first would flatten the rest
        axes.set_yscale("log")
        axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axes.yaxis.set_major_formatter("{x:g}")
        axes.yaxis.set_minor_formatter(NullFormatter())
    axes.xaxis.set_major_locator(MaxNLocator(4, integer=True, steps=[1, 2, 5, 10]))
    axes.xaxis.set_major_formatter("{x:,.0f}")
    axes.set_xlim(0, 1.03 * max(row["step"] for row in rows) or 1)
