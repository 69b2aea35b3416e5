"""A row's figures, read from the folders of its runs."""

import csv
import json
import math
import statistics
from pathlib import Path
from typing import Any

from results.kinds import Column, Experiment, Row, Sweep


def read_row(experiment: Experiment, row: Row, root: Path) -> dict[str, Any] | None:
    """`{"figures": {heading: {"values", "error"}}, "seconds", "steps"}`, or None while a run or a figure is missing."""
    if isinstance(next(iter(row.runs.values())), Sweep):
        return _read_sweep(experiment, row, root / next(iter(row.runs)))
    figures: dict[str, Any] = {column.heading: {"values": [], "error": None} for column in experiment.columns}
    seconds, steps = 0.0, 0
    for name in row.runs:
        for column in experiment.columns:
            result = _look_up(_results(root / f"{name}{column.of}"), column, row)
            if result is None and column.optional:
                continue
            if result is None:
                return None
            figures[column.heading]["values"].append(float(result["value"]))
            figures[column.heading]["error"] = result["error"]
        logged = _logged_rows(root / name)
        seconds += sum(logged_row["seconds"] for logged_row in logged)
        steps = logged[-1]["step"]
    return {"figures": figures, "seconds": seconds, "steps": steps}


def format_figure(figure: dict[str, Any]) -> str:
    """A figure as the page shows it: with its standard error, or of several seeds the median, least and greatest."""
    if not figure["values"]:
        return ""
    values = [value for value in figure["values"] if math.isfinite(value)]
    if len(values) < len(figure["values"]):
        return f"not finite in {len(figure['values']) - len(values)} of {len(figure['values'])}"
    if len(values) > 1:
        return f"{_short(statistics.median(values))} [{_short(min(values))} to {_short(max(values))}]"
    error = "" if figure["error"] is None else f" ± {float(figure['error']):.2g}"
    return f"{_short(values[0])}{error}"


def _short(value: float) -> str:
    digits = max(0, 3 - math.floor(math.log10(abs(value)))) if value else 0
    return f"{value:.{min(digits, 5)}f}".rstrip("0").rstrip(".") if digits else f"{value:,.0f}"


def _results(folder: Path) -> list[dict[str, Any]]:
    """What was measured on a run; the figures of its training have neither error nor protocol."""
    path = folder / "evaluation.json"
    content = json.loads(path.read_text()) if path.exists() else {}
    of_training = [{"metric": name, "value": content[name], "error": None, "protocol": {}} for name in content]
    return [result for result in of_training if "/" in result["metric"]] + content.get("results", [])


def _look_up(results: list[dict[str, Any]], column: Column, row: Row) -> dict[str, Any] | None:
    """The last step's result of the column's metric with its protocol, and with the row's as far as it has it."""

    def fits(protocol: dict[str, Any]) -> bool:
        expected = {name: value for name, value in row.protocol.items() if name in protocol} | dict(column.protocol)
        stated = {name: str(protocol.get(name)).partition(" (")[0] for name in expected}  # features without their hash
        if stated.get("sampler", "").startswith("run:"):
            stated["sampler"] = "run"
        return stated == {name: str(value) for name, value in expected.items()}

    fitting = [result for result in results if result["metric"] == column.metric and fits(result["protocol"])]
    return max(fitting, key=lambda result: result["protocol"].get("step", 0), default=None)


def _logged_rows(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]


def read_trials(row: Row, sweep: Path) -> list[dict[str, str]]:
    """The rows of a sweep's `trials.csv` that are the row's seeds; none while there is no table."""
    path = sweep / "trials.csv"
    if not path.exists():
        return []
    with path.open() as rows:
        return [trial for trial in csv.DictReader(rows) if all(trial[k] == v for k, v in row.where.items())]


def trial_folder(sweep: Path, number: str) -> Path | None:
    """The folder of a trial that the sweep wrote as a single run."""
    return next(sweep.glob(f"best/*-trial-{number}"), None)


def _read_sweep(experiment: Experiment, row: Row, sweep: Path) -> dict[str, Any] | None:
    trials = read_trials(row, sweep)
    if not trials:
        return None
    figures: dict[str, Any] = {column.heading: {"values": [], "error": None} for column in experiment.columns}
    for trial in trials:
        folder = trial_folder(sweep, trial["trial"])
        evaluated = [] if folder is None else _results(folder)
        for column in experiment.columns:
            if column.metric in trial:
                value = float(trial[column.metric] or "nan")
            elif (result := _look_up(evaluated, column, row)) is not None:
                value = float(result["value"])
            else:
                return None
            figures[column.heading]["values"].append(value)
    seconds = sum(float(trial["seconds"]) for trial in trials)
    return {"figures": figures, "seconds": seconds, "steps": int(trials[0]["steps"])}
