"""Runs as groups of seeds: those whose settings differ in the seed alone belong together."""

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from genjax.api.sweep import Sweep, load_sweep
from genjax.evaluation.results import read_evaluation
from genjax.reports.overview import overview
from genjax.runs.logs import read_metrics
from genjax.system.files import read_object
from genjax.types import InputError

SPLITS = ("test/", "validation/")
Curve = list[tuple[float, float]]  # (step, value)


class Member(NamedTuple):
    """One run or trial.

    Attributes:
      source: the argument that it came by.
      settings: `{dotted name: value}` as JSON holds them, without the seed.
      seed: of the run.
      metrics: `{name: value}`: of training's own evaluation and of the evaluator.
      curves: `{metric: [(step, value), ...]}` on the validation split.
    """

    source: str
    settings: dict[str, Any]
    seed: int
    metrics: dict[str, float]
    curves: dict[str, Curve]


class Group(NamedTuple):
    """Members that differ in their seeds alone.

    Attributes:
      name: tells it from the others.
      settings: that all members share.
      members: by their seeds.
    """

    name: str
    settings: dict[str, Any]
    members: dict[int, Member]


def read_groups(paths: Sequence[Path]) -> list[Group]:
    """The groups of runs, sweeps and folders of them, in the order of the arguments.

    Raises:
      InputError: there is no run, or one cannot be read, or an argument holds one seed twice with the same settings.
    """
    members = [member for path in paths for member in _members(path)]
    by_key: dict[tuple[str, str], dict[int, Member]] = {}
    for member in members:
        group = by_key.setdefault((member.source, json.dumps(member.settings, sort_keys=True)), {})
        if member.seed in group:
            raise InputError(f"{member.source} holds two runs of the seed {member.seed} with the same settings")
        group[member.seed] = member
    settings = [next(iter(group.values())).settings for group in by_key.values()]
    sources = [source for source, _ in by_key]
    return [
        Group(_name(source, own, settings, sources), own, group)
        for (source, _), own, group in zip(by_key, settings, by_key.values(), strict=True)
    ]


def differing_settings(all_settings: Sequence[Mapping[str, Any]]) -> list[str]:
    """The settings that are not the same in all of several groups.

    Example:
      >>> differing_settings([{"a": 1, "b": 2}, {"a": 1, "b": 3, "c": 4}])
      ['b', 'c']
    """
    names = sorted({name for settings in all_settings for name in settings})
    return [name for name in names if len({json.dumps(settings.get(name)) for settings in all_settings}) > 1]


def _name(source: str, own: Mapping[str, Any], settings: Sequence[Mapping[str, Any]], sources: Sequence[str]) -> str:
    """The source, with what tells a group from the others of that source."""
    siblings = [other for other, of in zip(settings, sources, strict=True) if of == source]
    words = [f"{name.rpartition('.')[2]}={own.get(name)}" for name in differing_settings(siblings)]
    return " ".join([source, *words])


def _members(path: Path) -> list[Member]:
    entries = [entry for entry in overview(path) if entry.state != "unreadable"]
    if not entries:
        raise InputError(f"{path} holds no run and no sweep that can be read")
    members: list[Member] = []
    for entry in entries:
        folder = path / entry.name
        members += _of_sweep(str(path), load_sweep(folder)) if entry.kind == "sweep" else [_of_run(str(path), folder)]
    return members


def _of_run(source: str, folder: Path) -> Member:
    settings, evaluation = read_object(folder / "config.json") or {}, read_evaluation(folder / "evaluation.json")
    metrics = {name: v for name, v in evaluation.items() if name.startswith(SPLITS) and isinstance(v, float)}
    metrics |= {describe_result(r): r["value"] for r in _by_step(evaluation) if _is_number(r["value"])}
    curves: dict[str, Curve] = {}
    for row in read_metrics(folder / "metrics.jsonl"):
        for name, value in row.items():
            if name.startswith("validation/"):
                curves.setdefault(name.removeprefix("validation/"), []).append((row["step"], value))
    if "seed" not in settings:
        raise InputError(f"{folder / 'config.json'} cannot be read: it has no seed")
    return Member(source, settings, settings.pop("seed"), metrics, curves)


def _by_step(evaluation: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The evaluator's results: those of earlier steps first, and last those of the step at which training ended."""
    last = evaluation.get("step")
    steps = [(result["protocol"].get("step", 0), result) for result in evaluation.get("results", ())]
    return [result for _, result in sorted(steps, key=lambda pair: (pair[0] == last, pair[0]))]


def describe_result(result: Mapping[str, Any]) -> str:
    """A result of the evaluator by its metric and all of its protocol but the step and the error.

    Example:
      >>> describe_result({"metric": "elbo", "protocol": {"split": "test", "step": 20, "error": "over 5 examples"}})
      'elbo (split test)'
    """
    words = [f"{k.replace('_', ' ')} {v}" for k, v in result["protocol"].items() if k not in ("step", "error")]
    return f"{result['metric']} ({', '.join(words)})"


def _of_sweep(source: str, sweep: Sweep) -> list[Member]:
    base = {name.removeprefix("base."): v for name, v in sweep.settings.items() if name.startswith("base.")}
    members = []
    for i, row in enumerate(sweep.rows):
        own = sweep.settings_of(row)
        seed = own.pop("seed")
        settings = base | {name: list(v) if isinstance(v, tuple) else v for name, v in own.items()}  # as in JSON
        settings.pop("seed", None)
        metrics = {name: v for name, v in row.items() if name.startswith(SPLITS) and _is_number(v)}
        curves = {
            name.removeprefix("validation/"): [
                (float(s), float(v)) for s, v in zip(sweep.steps, values[i], strict=True) if not math.isnan(v)
            ]
            for name, values in sweep.curves.items()
            if name.startswith("validation/")
        }
        members.append(Member(source, settings, seed, metrics, curves))
    return members


def _is_number(value: Any) -> bool:
    return type(value) in (int, float)
