"""Learning curves of one run."""

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from genjax.plots.figure import BLUE, INK, ORANGE, StrPath, drawing
from genjax.plots.panels import panel_unit, panels
from genjax.plots.ticks import tick_counts, tick_steps

if TYPE_CHECKING:
    from matplotlib.axes import Axes

SPLITS = {"train": BLUE, "validation": ORANGE}
DASHES = ("-", "--", ":", "-.")  # of the metrics of a panel


def curves(path: StrPath, rows: Sequence[Mapping[str, Any]], units: Mapping[str, str] | None = None) -> None:
    """Saves the learning curves in rows of metrics: training and validation over each other, and related metrics too.

    Args:
      path: of the PNG.
      rows: `{"step": number, "<split>/<metric>": value}`.
      units: `{metric: unit}`, those that are known.
    """
    from matplotlib.lines import Line2D

    groups = panels(k.split("/", 1)[1] for row in rows for k in row if "/" in k)
    columns = min(3, max(1, len(groups)))
    height = math.ceil(len(groups) / columns)
    with drawing(path, max(4, 3.1 * columns), 0.4 + 2.1 * max(1, height)) as figure:
        for i, names in enumerate(groups):
            axes = figure.add_subplot(height, columns, i + 1)
            axes.set_ylabel(panel_unit(names, units or {}))
            _panel(axes, rows, names)
        labels = {str(line.get_label()) for axes in figure.axes for line in axes.lines}
        splits = [Line2D([], [], color=colour, label=split) for split, colour in SPLITS.items() if split in labels]
        figure.legend(handles=splits, loc="outside upper right", ncols=2)
        figure.supxlabel("step")


def _panel(axes: "Axes", rows: Sequence[Mapping[str, Any]], names: Sequence[str]) -> None:
    """Draws the metrics of a panel: a colour for each split, and dashes for each metric where there are several."""
    from matplotlib.lines import Line2D

    measured = [np.zeros(0)]
    for name, dash in zip(names, DASHES, strict=False):
        for split, colour in SPLITS.items():
            key = f"{split}/{name}"
            line = np.array([(row["step"], row[key]) for row in rows if key in row], float).reshape(-1, 2)
            if len(line):
                marks = {"marker": "o", "markersize": 2.5} if len(line) < 30 else {}
                width = 0.8 if len(line) > 200 else 1.2
                axes.plot(*line.T, color=colour, linestyle=dash, label=split, linewidth=width, **marks)
                measured.append(line[:, 1])
    if len(names) == 1:
        axes.set_title(names[0])
    else:  # a legend in the place of the title
        lines = [Line2D([], [], color=INK, linestyle=d, label=n) for n, d in zip(names, DASHES, strict=False)]
        place = {"loc": "lower left", "bbox_to_anchor": (-0.02, 1), "borderaxespad": 0, "borderpad": 0.2}
        axes.legend(
            handles=lines, ncols=len(lines), fontsize=9, handlelength=1.6, handletextpad=0.4, columnspacing=0.8, **place
        )
    _choose_ticks(axes, np.concatenate(measured))
    axes.set_xlim(0, 1.03 * max(row["step"] for row in rows) or 1)


def _choose_ticks(axes: "Axes", values: np.ndarray) -> None:
    """Chooses a logarithmic axis where the first values would flatten the rest, and whole numbers for counts."""
    from matplotlib.ticker import LogLocator, NullFormatter

    values = values[np.isfinite(values)]
    if len(values) and values.min() > 0 and values.max() > 10 * np.median(values):
        axes.set_yscale("log")
        axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axes.yaxis.set_major_formatter("{x:g}")
        axes.yaxis.set_minor_formatter(NullFormatter())
    else:
        tick_counts(axes.yaxis, values)
    tick_steps(axes.xaxis)
