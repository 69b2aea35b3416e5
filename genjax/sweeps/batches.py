"""What is trained at a time: points, cut into cohorts that a program holds, and written down before they run."""

import itertools
import json
import math
from collections.abc import Callable, Iterator, Mapping
from functools import cache, partial
from pathlib import Path
from typing import Any, NamedTuple

from ml_collections import ConfigDict

from genjax import config as configs
from genjax import data
from genjax.runs import start
from genjax.runs.load import load_data
from genjax.sweeps import execution, plan, programs, ranking
from genjax.sweeps.cohorts import Cohort
from genjax.sweeps.memory import fit_memory
from genjax.sweeps.plan import Point, Trial
from genjax.sweeps.programs import CohortPrograms
from genjax.sweeps.study import Study
from genjax.system import processes
from genjax.system.files import read_object, write_json
from genjax.system.messages import nearest_name, numbered
from genjax.system.progress import Progress
from genjax.types import DataSpec, InputError

ResolveTrials = Callable[[list[Trial]], list[Trial]]
MakePrograms = Callable[[ConfigDict, int, str], CohortPrograms]  # (config of a group, number of trials, mode)


class SweepContext(NamedTuple):
    """What every part of a sweep's loop needs.

    Attributes:
      config: of the sweep.
      workdir: its folder.
      resolve: gives trials what suits their data in place of `auto`.
      programs: makes the programs of a group, each once.
      signals: that have arrived.
      progress: the display.
      memory: bytes that a program may take on a device.
    """

    config: ConfigDict
    workdir: Path
    resolve: ResolveTrials
    programs: MakePrograms
    signals: list[int]
    progress: Progress
    memory: int


class PointBatch(NamedTuple):
    """Points that are trained before the next ones are chosen: all of them, unless a study learns from results.

    Attributes:
      folder: of its files.
      cohorts: its trials.
      study_numbers: the study's own numbers of its points; empty without a study.
    """

    folder: Path
    cohorts: list[Cohort]
    study_numbers: list[int]


def trial_resolver(config: ConfigDict, load: Callable[[str], data.Dataset]) -> ResolveTrials:
    """Returns `plan.resolve_trials` of a sweep, with each data set described once.

    Args:
      config: of the sweep.
      load: loads a data set by its name.
    """
    describe_source = cache(lambda source, binarised: data.describe(load(source), binarised))

    def describe_data(of_trial: ConfigDict) -> DataSpec:
        return describe_source(of_trial.data.source, of_trial.data.dynamic_binarisation)

    return lambda trials: plan.resolve_trials(config, trials, describe_data)


def program_maker(
    load: Callable[[str], data.Dataset] = load_data,
    read_weights: Callable[[str, tuple[str, ...]], start.Weights | None] = start.read_weights,
) -> MakePrograms:
    """Returns `make_cohort_programs` with each data set loaded and placed once, and each program made once."""
    load, read_weights, resident = cache(load), cache(read_weights), programs.residence()
    cached: dict[tuple[str, int, str], CohortPrograms] = {}

    def make(config: ConfigDict, count: int, mode: str) -> CohortPrograms:
        key = (plan.program_name(config), count, mode)
        if key not in cached:
            weights = read_weights(config.train.init_from, config.train.init_parts)
            adapt = partial(start.starting_from, start=weights)
            dataset = load(config.data.source)
            cached[key] = programs.make_cohort_programs(config, dataset, count, mode, resident, adapt=adapt)
        return cached[key]

    return make


def check_fit(config: ConfigDict, trials: list[Trial], make_programs: MakePrograms) -> None:
    """Refuses a sweep whose data, devices, models or objective do not fit one another; writes and compiles nothing.

    Args:
      config: of the sweep.
      trials: at least one for each program that the sweep may need.
      make_programs: of `program_maker`.

    Raises:
      InputError: what does not fit, in one line.
    """
    for group in plan.group_trials(trials):
        metrics = make_programs(group[0].config, len(group), "map").metrics()
        nearest_name("validation metric", config.objective.metric, metrics)


def point_batches(context: SweepContext, study: Study) -> Iterator[PointBatch]:
    """Batch after batch, until the study has no more points; a batch that was written down is not asked for again."""
    trial, point, said, planned = 0, 0, set[str](), set[int]()
    for number in itertools.count():
        folder = context.workdir / "batches" / f"{number:03d}"
        stored = read_plan(folder / "plan.json")
        points, study_numbers = (stored["points"], stored["asked"]) if stored else study.ask(number, planned)
        if not points:
            return
        planned |= set(study_numbers)
        points = [_lists_as_tuples(settings) for settings in points]
        unresolved = plan.make_trials(context.config, points, trial, point)
        trials = context.resolve(unresolved)
        lines = {
            line
            for before, after in zip(unresolved, trials, strict=True)
            for line in configs.describe_resolved(before.config, after.config)
        }
        for line in sorted(lines - said):
            context.progress.say(line)
        said |= lines
        if stored:
            if sorted(itertools.chain(*stored["cohorts"])) != list(range(len(trials))):
                raise InputError(f"{folder / 'plan.json'} is of other trials; delete it, and they are planned again")
            groups = [[trials[i] for i in numbers] for numbers in stored["cohorts"]]
        else:
            groups = _cut_into_cohorts(context, trials)
            numbers = [[member.number - trial for member in group] for group in groups]
            plan_of_batch = {"points": _points_of(trials), "asked": study_numbers, "cohorts": numbers}
            write_on_primary(folder / "plan.json", plan_of_batch)
        yield PointBatch(folder, [Cohort(i, group[0].config, group) for i, group in enumerate(groups)], study_numbers)
        trial, point = trial + len(trials), point + len(points)


def read_plan(path: Path) -> dict[str, Any]:
    """The plan of a batch, which the first process may have written; empty where there is none.

    Raises:
      InputError: the file cannot be read, or holds no plan.
    """
    stored = read_json(path)
    parts: list[Any] = [stored.get(name) for name in ("points", "asked", "cohorts")]
    lists = all(isinstance(part, list) for part in parts)
    if stored and not (lists and all(isinstance(p, dict) for p in parts[0]) and _are_numbers([parts[1], *parts[2]])):
        raise InputError(f"{path} holds no plan; delete it, and its points are planned again")
    return stored


def _are_numbers(lists: list[Any]) -> bool:
    return all(isinstance(part, list) and all(type(number) is int for number in part) for part in lists)


def read_json(path: Path) -> dict[str, Any]:
    """Reads a small JSON file that the first process may have written; empty where there is none."""
    with processes.raise_together():
        content = read_object(path) if processes.is_primary() else None
    return json.loads(processes.broadcast_bytes(json.dumps(content or {}).encode()))


def write_on_primary(path: Path, content: Mapping[str, Any]) -> None:
    """Writes a small JSON file, on the first process."""
    if processes.is_primary():
        path.parent.mkdir(parents=True, exist_ok=True)
        write_json(path, content)


def _points_of(trials: list[Trial]) -> list[Point]:
    """The settings of each point, in their order, as its trials have them."""
    points = {
        trial.point: {name: value for name, value in trial.settings.items() if name != "seed"} for trial in trials
    }
    return list(points.values())


def _lists_as_tuples(settings: Point) -> Point:
    """JSON has no tuples, and no setting is a list."""
    return {name: tuple(value) if isinstance(value, list) else value for name, value in settings.items()}


def _cut_into_cohorts(context: SweepContext, trials: list[Trial]) -> list[list[Trial]]:
    """The trials' groups, each cut into as few cohorts as memory allows."""
    groups, length = plan.group_trials(trials), context.config.base.train.log_every
    _announce(context, trials, groups)
    mode, cohorts = execution_mode(context, groups), []
    for group in groups:

        def make(count: int, config: ConfigDict = group[0].config) -> CohortPrograms:
            return context.programs(config, count, mode)

        def bytes_needed(cohort_programs: CohortPrograms) -> int:
            return max(cohort_programs.bytes_to_train(length), cohort_programs.bytes_to_evaluate())

        fits = fit_memory(make, len(group), context.memory, bytes_needed).count
        size = math.ceil(len(group) / math.ceil(len(group) / fits))
        cohorts += [group[i : i + size] for i in range(0, len(group), size)]
        if size < len(group):
            context.progress.say(f"memory holds {fits} of a group's {len(group)} trials: {size} at a time")
    return cohorts


def _announce(context: SweepContext, trials: list[Trial], groups: list[list[Trial]]) -> None:
    points = len({trial.point for trial in trials})
    programs_to_compile = len(groups) * len(ranking.rungs(context.config, trials[0].config.train.steps))
    settings = [axis.setting for axis in context.config.axes]
    static = [name for name in settings if name != "seed" and not name.startswith("hparams.")]
    reason = f", by {', '.join(static)}" if static else ""
    seeds = numbered(len(trials) // points, "seed")
    patience = any(trial.config.train.patience for trial in trials)
    smaller = ", and smaller ones when trials have stopped early" if patience else ""
    context.progress.say(
        f"{numbered(len(trials), 'trial')}: {numbered(points, 'point')}, {seeds} each; "
        f"{numbered(len(groups), 'group')}{reason}; "
        f"{numbered(programs_to_compile, 'training program')} to compile{smaller}"
    )


def execution_mode(context: SweepContext, groups: list[list[Trial]] | None = None) -> str:
    """How trials share a device: as the configuration says, or as a measurement on the largest group did.

    Args:
      context: of the sweep.
      groups: to measure, where nothing was measured yet.

    Raises:
      InputError: the file of the measurement is missing, and there are no groups.
    """
    path = context.workdir / "execution.json"
    if context.config.execution != "auto":
        return context.config.execution
    measured = read_json(path)
    if not measured:
        if groups is None:
            raise InputError(f"{path} is missing: the sweep cannot go on with the same programs")
        largest = max(groups, key=len)
        mode, reason = execution.fastest_mode(
            lambda count, mode: context.programs(largest[0].config, count, mode), largest, context.memory
        )
        measured = {"mode": mode, "why": reason}
        write_on_primary(path, measured)
        context.progress.say(f"execution {reason}")
    if measured.get("mode") not in programs.MODES:
        raise InputError(f"{path} names no way to execute trials; delete it, and it is measured again")
    return measured["mode"]
