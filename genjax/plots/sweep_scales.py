"""What the pictures of a sweep show: points, ranks, scales, limits and words, from NumPy arrays; nothing is drawn here.

A point is a setting of all axes, and its seeds are its trials.
"""

import math
import textwrap
from collections.abc import Mapping, Sequence
from numbers import Real
from typing import Any, NamedTuple

import numpy as np

from genjax.system.messages import format_value

FEW = 16  # distinct values of an axis that are named one by one


class Results(NamedTuple):
    """T trials of a sweep. Those that differ in their seed alone share one of P points."""

    axes: dict[str, list]  # T values of each, without the seed: numbers, strings, bools or tuples
    point: np.ndarray  # [T] int
    values: np.ndarray  # [T] the objective; nan if diverged or never evaluated
    diverged: np.ndarray  # [T] bool
    metric: str
    goal: str  # "min" or "max"
    unit: str = ""  # of the metric


class Points(NamedTuple):
    """The points of a sweep, each over its seeds."""

    of: np.ndarray  # [T] the point of each trial, from 0
    first: np.ndarray  # [P] one trial of each
    mean: np.ndarray  # [P] over the finite values; nan if there are none
    std: np.ndarray  # [P] standard deviation; nan with fewer than two
    rank: np.ndarray  # [P] 1 is the best, 0 has no mean
    diverged: np.ndarray  # [P] bool: a trial diverged, and there is no mean


class Scale(NamedTuple):
    """The values of an axis, laid along [0, 1]."""

    kind: str  # "linear", "log" or "categorical"
    places: np.ndarray  # [T]
    distinct: np.ndarray  # [D] the places that there are, in order
    ticks: np.ndarray  # [K] the same where they are few, else of round numbers
    labels: list[str]  # K
    ends: list[str]  # the first and the last value, in words


class View(NamedTuple):
    """What is shown of an objective: from `low` to `high`, log where the values are positive and span 1.5 decades."""

    low: float
    high: float
    log: bool

    def place(self, values: np.ndarray) -> np.ndarray:
        """Values laid along [0, 1] from low to high, and beyond."""
        low, high, laid = (np.log(v) if self.log else np.asarray(v) for v in (self.low, self.high, values))
        return (laid - low) / (high - low)


def points_of(results: Results) -> Points:
    """The mean, spread and rank of each point."""
    _, first, of = np.unique(results.point, return_index=True, return_inverse=True)
    seeds = [results.values[(of == p) & np.isfinite(results.values)] for p in range(len(first))]
    mean = np.array([s.mean() if len(s) else np.nan for s in seeds])
    std = np.array([s.std(ddof=1) if len(s) > 1 else np.nan for s in seeds])
    rank = np.empty(len(first), int)
    rank[np.argsort(mean if results.goal == "min" else -mean, stable=True)] = 1 + np.arange(len(first))
    diverged = np.isnan(mean) & (np.bincount(of, results.diverged) > 0)
    return Points(of, first, mean, std, np.where(np.isnan(mean), 0, rank), diverged)


def limits(values: np.ndarray, slack: float = 0) -> tuple[float, float]:
    """The least and the greatest of the values that lie within 12 median deviations, or the slack, of the median."""
    values = values[np.isfinite(values)]
    if not len(values):
        return 0, 1
    distance = np.abs(values - np.median(values))
    fence = max(12 * float(np.median(distance)), slack or float(np.abs(np.median(values))) / 2)
    inside = values[distance <= fence] if fence else values
    return float(inside.min()), float(inside.max())


def view(values: np.ndarray) -> View:
    """What to show of an objective's values, of any shape."""
    values = values[np.isfinite(values)]
    low, high = limits(values)
    if log := bool(len(values) and values.min() > 0 and high > 10**1.5 * low):
        lowest, highest = limits(np.log10(values), slack=1.5)
        inside = values[(np.log10(values) >= lowest) & (np.log10(values) <= highest)]
        low, high = float(inside.min()), float(inside.max())
    if low == high:
        low, high = low - (abs(low) or 1) / 20, high + (abs(high) or 1) / 20
    return View(low, high, log)


def numerals(values: np.ndarray) -> list[str]:
    """Numbers as short as they may be: whole, or with three digits, or as many as tell them apart."""
    texts, distinct = [], (np.unique(values) + 0.0).tolist()  # no negative zero
    for digits in range(3, 17):
        texts = [_numeral(v, digits) for v in distinct]
        if len(set(texts)) == len(texts):
            break
    texts = [t.replace("e-0", "e-").replace("e+0", "e").replace("e+", "e") for t in texts]
    return [texts[i].replace("-", "\N{MINUS SIGN}") for i in np.searchsorted(distinct, values)]


def _numeral(value: float, digits: int) -> str:
    if abs(value) < 1e5 and value == round(value):
        return f"{value:.0f}"
    if 1 <= abs(value) < 1e5:  # without an exponent, which `g` has from a thousand on
        return np.format_float_positional(value, precision=digits, fractional=False, trim="-")
    return f"{value:.{digits}g}"


def scale(values: Sequence[Any]) -> Scale:
    """Lays an axis' T values along [0, 1]: numbers by their size or logarithm, all else in order."""
    values = [tuple(v) if isinstance(v, list) else v for v in values]
    if not all(isinstance(v, Real) and not isinstance(v, bool) and math.isfinite(v) for v in values):
        distinct = list(dict.fromkeys(values))
        if len({type(v) for v in distinct}) == 1:
            distinct.sort()
        ticks = np.linspace(0, 1, len(distinct)) if len(distinct) > 1 else np.array([0.5])
        labels = [v if len(v) <= 24 else v[:23] + "\N{HORIZONTAL ELLIPSIS}" for v in map(format_value, distinct)]
        places = ticks[[distinct.index(v) for v in values]]
        return Scale("categorical", places, ticks, ticks, labels, [labels[0], labels[-1]])
    numbers, of = np.unique(np.array(values, float), return_inverse=True)
    kind = "log" if spans_decades(numbers) else "linear"
    marks = numbers if len(numbers) <= FEW else round_numbers(*numbers[[0, -1]].tolist(), log=kind == "log")
    zero = numbers[1] ** 2 / numbers[2] if len(numbers) > 2 else 1  # where it stands on a log scale
    laid = [np.log(np.where(v > 0, v, zero)) if kind == "log" else v for v in (numbers, marks)]
    span = laid[0][-1] - laid[0][0]
    distinct, ticks = ((v - laid[0][0]) / span if span else v * 0 + 0.5 for v in laid)
    return Scale(kind, distinct[of], distinct, ticks, numerals(marks), numerals(numbers[[0, -1]]))


def spans_decades(numbers: np.ndarray) -> bool:
    """Whether distinct numbers in order ask for a log scale: positive ones, the greatest 30 times the least.

    Few may begin with a zero, which then stands one step below. Of many, half must be small beside the greatest, for
    uniform draws near zero ask for no decades.
    """
    few = len(numbers) <= FEW
    positive = numbers[1:] if few and len(numbers) > 2 and numbers[0] == 0 else numbers
    small = few or np.median(positive) < 0.3 * positive[-1]
    return bool(positive[0] > 0 and positive[-1] >= 30 * positive[0] and small)


def round_numbers(lowest: float, highest: float, log: bool) -> np.ndarray:
    """The powers of ten between two positive numbers, or a few round numbers between any two."""
    from matplotlib.ticker import MaxNLocator

    if log:
        steps = (1,) if highest > 300 * lowest else (1, 2, 5)
        decades = range(math.floor(math.log10(lowest)), math.ceil(math.log10(highest)) + 1)
        marks = np.array([float(f"{s}e{d}") for d in decades for s in steps])
    else:
        marks = np.asarray(MaxNLocator(5, steps=[1, 2, 5, 10]).tick_values(lowest, highest))
    return marks[(marks >= lowest) & (marks <= highest)]


def thinned(places: np.ndarray, gap: float) -> list[int]:
    """Which of ordered places stay, so that `gap` is between neighbours: the first, the last, and what fits."""
    indices = [0] if len(places) else []
    for i, place in enumerate(places[:-1]):
        if place - places[indices[-1]] >= gap and places[-1] - place >= gap:
            indices.append(i)
    return [*indices, len(places) - 1] if len(places) > 1 else indices


def dodged(places: np.ndarray, width: float) -> np.ndarray:
    """Places `[P]`, with those that coincide side by side over `width` of the smallest gap between places."""
    distinct, of, counts = np.unique(places, return_inverse=True, return_counts=True)
    slack = width * float(np.diff(distinct).min() if len(distinct) > 1 else 1)
    turn = np.argsort(np.argsort(of, stable=True), stable=True) - (np.cumsum(counts) - counts)[of]
    return places + slack * (turn - (counts[of] - 1) / 2) / np.maximum(counts[of] - 1, 4)


def short_names(results: Results) -> dict[str, list]:
    """The axes without the first part of their names, where the rest tells them apart; seeds alone are one axis."""
    short = {name.split(".", 1)[-1]: values for name, values in results.axes.items()}
    return (short if len(short) == len(results.axes) else results.axes) or {"point": results.point.tolist()}


def wrapped(text: str, width: int, lines: int = 3) -> str:
    """Text in lines of `width` characters, a longer word broken after an underscore, and without mathematics."""
    words = [w.replace("_", "_ ") if len(w) > width else w for w in text.replace("$", r"\$").split(" ")]
    wrapped_lines = textwrap.wrap(" ".join(words), width, max_lines=lines, placeholder="\N{HORIZONTAL ELLIPSIS}")
    return "\n".join(line.replace("_ ", "_") for line in wrapped_lines)


def chosen_axes(scales: Mapping[str, Scale], points: Points, goal: str) -> list[str]:
    """The axes of a heat map: along, up and, where there is one, the axis that has a panel for each value.

    Those of 2 to 16 values count, by their effects. An axis with panels is categorical, and has at most 4 values and
    two others beside it.
    """
    few = {name: axis for name, axis in scales.items() if len(np.unique(axis.places[points.first])) <= FEW}
    order = by_effect(few, points, goal)
    panels = [n for n in order if scales[n].kind == "categorical" and len(scales[n].distinct) <= 4]
    panel = panels[:1] if len(order) > 2 else []
    pair = _along_and_up(scales, [n for n in order if n not in panel])
    return pair + panel if pair else []


def scattered_axes(scales: Mapping[str, Scale], points: Points, goal: str) -> list[str]:
    """The two axes of any number of values that matter most, along and up; none where fewer than two vary."""
    return _along_and_up(scales, by_effect(scales, points, goal))


def _along_and_up(scales: Mapping[str, Scale], order: Sequence[str]) -> list[str]:
    pair = sorted(order[:2], key=lambda name: (scales[name].kind == "categorical", -len(scales[name].distinct)))
    return pair if len(pair) == 2 else []


def by_effect(scales: Mapping[str, Scale], points: Points, goal: str) -> list[str]:
    """The axes of two values or more, by the variance of the objective's mean at each value.

    An axis of many values counts by its quarters. What diverged is the worst.
    """
    low, high = limits(points.mean)
    means = np.nan_to_num(np.clip(points.mean, low, high), nan=high if goal == "min" else low)
    effects = {}
    for name, axis in scales.items():
        places = axis.places[points.first]
        groups = places if len(np.unique(places)) <= FEW else np.minimum(np.floor(4 * places), 3)
        _, of = np.unique(groups, return_inverse=True)
        if of.max(initial=0) > 0:
            effects[name] = np.var(np.bincount(of, means) / np.bincount(of))
    return sorted(effects, key=lambda name: -effects[name])


def is_sparse(x: Scale, y: Scale, points: Points) -> bool:
    """Whether less than half of the cells of two axes hold a point, so that a heat map would be almost empty."""
    places = np.stack([x.places[points.first], y.places[points.first]], axis=1)  # [P, 2]
    return 2 * len(np.unique(places, axis=0)) < len(x.distinct) * len(y.distinct)


def cell_means(x: Scale, y: Scale, points: Points, inside: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The mean `[Y, X]` of the points `[P]` inside, nan without any, and whether all of them diverged `[Y, X]`."""
    means, lost = (
        np.full((len(y.distinct), len(x.distinct)), np.nan),
        np.zeros((len(y.distinct), len(x.distinct)), bool),
    )
    for row, column in np.ndindex(*means.shape):
        in_cell = inside & (y.places[points.first] == y.distinct[row]) & (x.places[points.first] == x.distinct[column])
        means_in_cell = points.mean[in_cell & (points.rank > 0)]
        means[row, column] = means_in_cell.mean() if len(means_in_cell) else np.nan
        lost[row, column] = not len(means_in_cell) and (in_cell & points.diverged).any()
    return means, lost
