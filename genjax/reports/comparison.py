"""Groups of runs side by side: the settings in which they differ, and their metrics, as text and as a page."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from genjax.config import shared_unit
from genjax.reports import figures
from genjax.reports.differences import paired_difference
from genjax.reports.groups import Group, differing_settings
from genjax.reports.page import Figures, Section, Table, render

COLUMNS = ("metric", "group", "mean", "std", "seeds", "difference", "95% interval", "common seeds", "seeds needed")
FEW = 4  # groups that have a column each
NOTE = (
    "Differences are from the first group, over the seeds that both have. Seeds needed: how many would tell the two "
    "apart with probability 0.8 at the level 0.05, if mean and spread stay as they are."
)


def tables(groups: Sequence[Group]) -> list[Table]:
    """The settings that differ, and a row for each metric of each group."""
    rows = [row for metric in metric_names(groups) for row in _metric_rows(metric, groups)]
    return [_settings_table(groups), Table("Metrics", COLUMNS, rows, note=NOTE)]


def _settings_table(groups: Sequence[Group]) -> Table:
    """A column for each of few groups, and a row for each of many."""
    names, title = differing_settings([group.settings for group in groups]), "Settings that differ"
    cells = [[str(group.settings.get(name, "")) for name in names] for group in groups]
    if len(groups) > FEW:
        return Table(title, ["group", *names], [[group.name, *row] for group, row in zip(groups, cells, strict=True)])
    rows = [list(row) for row in zip(names, *cells, strict=True)]
    return Table(title, ["setting", *(group.name for group in groups)], rows)


def metric_names(groups: Sequence[Group]) -> list[str]:
    """The metrics that at least two groups have, or that the only group has, in order."""
    counts: dict[str, int] = {}
    for group in groups:
        for name in dict.fromkeys(name for member in group.members.values() for name in member.metrics):
            counts[name] = counts.get(name, 0) + 1
    return sorted(name for name, count in counts.items() if count >= min(2, len(groups)))


def _metric_rows(metric: str, groups: Sequence[Group]) -> list[list[Any]]:
    values = [{seed: m.metrics[metric] for seed, m in group.members.items() if metric in m.metrics} for group in groups]
    rows = []
    for i, (group, own) in enumerate(zip(groups, values, strict=True)):
        if not own:
            continue
        numbers = np.array(list(own.values()))
        std = float(numbers.std(ddof=1)) if len(numbers) > 1 else None
        row = [metric, group.name, float(numbers.mean()), std, len(numbers)]
        difference = paired_difference(own, values[0]) if i else None
        if difference is None:
            rows.append([*row, None, None, None, None])
            continue
        low, high = difference.low, difference.high
        interval = None if low is None or high is None else f"{low:.4g} to {high:.4g}"
        rows.append([*row, difference.mean, interval, difference.seeds, difference.needed])
    return rows


def text(groups: Sequence[Group]) -> str:
    """The tables as text."""
    blocks = []
    for table in tables(groups):
        cells = [list(table.columns), *([_cell(value) for value in row] for row in table.rows)]
        widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
        lines = ["  ".join(cell.ljust(w) for cell, w in zip(row, widths, strict=True)).rstrip() for row in cells]
        blocks.append("\n".join([f"{table.title}:", *lines, *([table.note] if table.note else [])]))
    return "\n\n".join(blocks)


def _cell(value: Any) -> str:
    return "" if value is None else f"{value:.5g}" if isinstance(value, float) else str(value)


def page(groups: Sequence[Group]) -> str:
    """The comparison as a page, with the groups' mean curves over one another."""
    sections: list[Section] = [*tables(groups), Figures("Learning curves", _curves(groups), note="Means over seeds.")]
    return render("Comparison", ", ".join(group.name for group in groups), sections)


def _curves(groups: Sequence[Group]) -> list[dict[str, Any]]:
    names = dict.fromkeys(name for group in groups for member in group.members.values() for name in member.curves)
    settings = [group.settings for group in groups]
    return [
        figures.lines(
            f"validation {name}",
            {group.name: mean_curve(group, name) for group in groups},
            shared_unit(name, settings),
        )
        for name in names
    ]


def mean_curve(group: Group, name: str) -> tuple[list[float], list[float]]:
    """The mean of a metric over the members, at the steps at which all that have it were measured."""
    curves = [dict(member.curves[name]) for member in group.members.values() if name in member.curves]
    steps = sorted(set.intersection(*map(set, curves))) if curves else []
    return steps, [float(np.mean([curve[step] for curve in curves])) for step in steps]
