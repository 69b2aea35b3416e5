"""Figures of Plotly as plain dictionaries, made from the numbers of runs and sweeps."""

import itertools
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from genjax.plots.panels import panel_unit, panels
from genjax.plots.sweep_scales import dodged, numerals, round_numbers, thinned
from genjax.plots.ticks import are_counts
from genjax.system.messages import format_value

COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#999999")  # Okabe and Ito
SPLITS = {"train": COLOURS[0], "validation": COLOURS[1]}
DASHES = ("solid", "dash", "dot", "dashdot")  # of the metrics of a panel
MANY = 12  # lines above which a figure has no legend
FEW = 8  # distinct values of an axis that are named one by one
WIDE = 30  # the largest of positive values over the least, above which an axis is logarithmic
LAYOUT: dict[str, Any] = {
    "margin": {"l": 55, "r": 10, "t": 35, "b": 10},
    "legend": {"orientation": "h", "x": 0, "y": 0, "yref": "container", "yanchor": "bottom", "font": {"size": 11}},
    "hovermode": "x unified",
}


def lines(
    title: str,
    series: Mapping[str, tuple[Sequence[float], Sequence[float]]],
    unit: str = "",
    styles: Mapping[str, Mapping[str, str]] | None = None,
) -> dict[str, Any]:
    """A figure of lines `{name: (steps, values)}`; the page offers a logarithmic axis where all values are positive.

    Args:
      title: of the figure.
      series: the lines.
      unit: of the values.
      styles: `{name: colour and dashes}`; by default the lines have colours in turn.

    Example:
      >>> figure = lines("elbo", {"train": ([1, 2], [-3.0, float("nan")])}, "nats")
      >>> figure["data"][0]["y"], figure["layout"]["meta"], figure["layout"]["yaxis"]["title"]
      ([-3.0, None], {'log': False}, {'text': 'nats'})
    """
    data = []
    for (name, (xs, ys)), colour in zip(series.items(), itertools.cycle(COLOURS), strict=False):
        mode, line = "lines" if len(xs) > 1 else "markers", (styles or {}).get(name, {"color": colour})
        trace = {"type": "scatter", "mode": mode, "name": name, "x": list(xs), "y": finite(ys), "line": dict(line)}
        data.append({**trace, "marker": {"color": line["color"]}})
    values = [y for trace in data for y in trace["y"] if y is not None]
    steps = [x for trace in data for x in trace["x"]]
    layout = {
        **LAYOUT,
        "title": _title(title),
        "xaxis": {"title": {"text": "step", "standoff": 6}, "automargin": True, **whole_ticks(steps)},
    }
    layout["yaxis"] = {"title": {"text": unit}, "automargin": True, **whole_ticks(values)}
    layout |= {
        "meta": {"log": bool(values) and min(values) > 0},
        "showlegend": (styles is not None or len(series) > 1) and len(series) <= MANY,
    }
    return {"data": data, "layout": layout}


def whole_ticks(values: Sequence[float]) -> dict[str, Any]:
    """Settings of an axis of counts, whose ticks are whole numbers: Plotly chooses those of a wide span itself.

    Example:
      >>> whole_ticks([1, 8]), whole_ticks([0.5, 1]), whole_ticks([0, 5000])
      ({'dtick': 1}, {}, {})
    """
    counts = are_counts(np.asarray(values, float))
    return {"dtick": 1} if counts and max(values) - min(values) <= FEW else {}


def _title(text: str) -> dict[str, Any]:
    return {"text": text, "font": {"size": 14}, "x": 0.01, "y": 0.97}


def curves(rows: Sequence[Mapping[str, Any]], units: Mapping[str, str]) -> list[dict[str, Any]]:
    """A figure for each panel of related metrics in a log, the training split beside the validation split.

    Args:
      rows: of the log.
      units: `{metric: unit}`, those that are known.

    Example:
      >>> rows = [{"step": 1, "train/loss": 2.0}, {"step": 2, "train/loss": 1.0, "validation/loss": 1.5}]
      >>> [trace["name"] for trace in curves(rows, {})[0]["data"]]
      ['train', 'validation']
    """
    names = [key.partition("/")[2] for split in SPLITS for row in rows for key in row if key.startswith(f"{split}/")]
    return [_panel(rows, group, panel_unit(group, units)) for group in panels(names)]


def _panel(rows: Sequence[Mapping[str, Any]], names: Sequence[str], unit: str) -> dict[str, Any]:
    """Lines of related metrics: a colour for each split, dashes for each metric."""
    series, styles = {}, {}
    for (name, dash), (split, colour) in itertools.product(zip(names, DASHES, strict=False), SPLITS.items()):
        measured = [(row["step"], row[f"{split}/{name}"]) for row in rows if f"{split}/{name}" in row]
        if measured:
            label = split if len(names) == 1 else f"{split} {name}"
            series[label] = tuple(zip(*measured, strict=True))
            styles[label] = {"color": colour, "dash": dash}
    return lines(", ".join(names), series, unit, styles)


def finite(values: Any) -> list[float | None]:
    """Values as JSON holds them: None for what is not finite.

    Example:
      >>> finite([1.0, float("inf")])
      [1.0, None]
    """
    return [float(v) if v is not None and math.isfinite(v) else None for v in values]


def parallel(columns: Mapping[str, Sequence[Any]], colour: str, reverse: bool) -> dict[str, Any]:
    """Parallel coordinates of columns, which the reader drags and filters; one column gives the colours.

    Args:
      columns: `{name: a value for each trial}`; what is not a number has a place for each of its values.
      colour: the name of a column of numbers.
      reverse: whether little is good.
    """
    dimensions = [_dimension(name, list(values)) for name, values in columns.items()]
    line = {
        "color": [0.0 if v is None else v for v in finite(columns[colour])],
        "colorscale": "Viridis",
        "reversescale": reverse,
        "showscale": True,
        "colorbar": {"title": {"text": colour}, "thickness": 16},
    }
    layout = {"margin": {"l": 110, "r": 40, "t": 60, "b": 30}}
    return {"data": [{"type": "parcoords", "dimensions": dimensions, "line": line}], "layout": layout}


def _dimension(name: str, values: list[Any]) -> dict[str, Any]:
    label = name.partition(".")[2] or name
    if _is_numeric(values) and not _begins_with_zero(values):
        if not _is_wide(values):
            return {"label": label, "values": finite(values), **_named_values(values, 0.05)}
        exponents = np.log10(np.asarray(values, float))
        named = _named_values(values, 0.05) or _ticks_at(round_numbers(min(values), max(values), log=True), 0.05)
        named["tickvals"] = np.log10(named["tickvals"]).tolist()
        return {"label": label, "values": exponents.tolist(), **named}
    words = [format_value(value) for value in values]
    distinct = _in_order(values)
    places = [distinct.index(word) for word in words]
    return {"label": label, "values": places, "tickvals": list(range(len(distinct))), "ticktext": distinct}


def effect(
    name: str, values: Sequence[Any], objective: Sequence[Any], hover: Sequence[str], metric: str
) -> dict[str, Any]:
    """The objective of each trial against its value of an axis; what is not a number has the trials side by side.

    Example:
      >>> effect("hparams.beta", [0.01, 1.0], [3.0, 2.0], ["trial 0", "trial 1"], "loss")["layout"]["xaxis"]["type"]
      'log'
    """
    short, words = name.partition(".")[2] or name, [format_value(value) for value in values]
    xaxis: dict[str, Any] = {"title": {"text": short}, "automargin": True}
    if _is_numeric(values) and not _begins_with_zero(values):
        x: Sequence[Any] = list(values)
        xaxis |= {"type": "log" if _is_wide(values) else "linear", **_named_values(values, 0.14)}
    else:
        distinct = _in_order(values)
        x = dodged(np.array([distinct.index(word) for word in words], float), 0.6).tolist()
        xaxis |= {"type": "linear", "tickvals": list(range(len(distinct))), "ticktext": distinct, "zeroline": False}
        xaxis |= {"range": [-0.6, len(distinct) - 0.4]}
    text = [f"{short}={word}, {trial}" for word, trial in zip(words, hover, strict=True)]
    marks = {
        "y": finite(objective),
        "text": text,
        "hoverinfo": "text+y",
        "marker": {"color": COLOURS[0], "opacity": 0.6},
    }
    yaxis = {
        "title": {"text": metric},
        "automargin": True,
        **whole_ticks([v for v in finite(objective) if v is not None]),
    }
    layout = {**LAYOUT, "hovermode": "closest", "xaxis": xaxis, "yaxis": yaxis}
    return {"data": [{"type": "scatter", "mode": "markers", "x": x, **marks}], "layout": layout}


def _named_values(values: Sequence[float], gap: float) -> dict[str, Any]:
    """Ticks at the values of an axis that has few, such as 2 and 3 and not 2.5."""
    distinct = np.unique(np.asarray(values, float))
    return _ticks_at(distinct, gap) if len(distinct) <= FEW else {}


def _ticks_at(marks: np.ndarray, gap: float) -> dict[str, Any]:
    """Ticks at marks in order, those that have `gap` of the axis between them."""
    places = np.log(marks) if _is_wide(marks.tolist()) else marks
    labelled = marks[thinned((places - places[0]) / ((places[-1] - places[0]) or 1), gap)]
    return {"tickvals": labelled.tolist(), "ticktext": numerals(labelled)}


def _is_numeric(values: Sequence[Any]) -> bool:
    return all(type(value) in (int, float) for value in values)


def _is_wide(values: Sequence[float]) -> bool:
    """Whether numbers span so much that a logarithmic axis shows them better."""
    return min(values) > 0 and max(values) / min(values) > WIDE


def _begins_with_zero(values: Sequence[float]) -> bool:
    """Whether zero is among positive values that span much: they stand side by side, for a logarithm has no zero."""
    positive = [value for value in values if value > 0]
    return min(values) == 0 and len(set(values)) <= 2 * FEW and bool(positive) and _is_wide(positive)


def _in_order(values: Sequence[Any]) -> list[str]:
    """The distinct values in words, numbers in their order."""
    distinct = list(dict.fromkeys(values)) if not _is_numeric(values) else sorted(set(values))
    return list(dict.fromkeys(map(format_value, distinct)))
