"""What is trained at a time: points, cut into cohorts that a program holds, and written down before they run."""

import itertools
import json
import math
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from ml_collections import ConfigDict

from genjax import data
from genjax.runs.folder import write_json
from genjax.sweeps import plan, programs, ranking
from genjax.sweeps.cohorts import Cohort
from genjax.sweeps.plan import Point, Trial
from genjax.sweeps.programs import CohortPrograms
from genjax.sweeps.watch import Watch
from genjax.system import processes
from genjax.system.messages import nearest_name
from genjax.types import InputError

# The points of batch i and a study's own numbers for them; none where there is nothing more to try.
Ask = Callable[[int], tuple[list[Point], list[int]]]
# A point's number there, its value or None, and the step at which it was stopped, or None.
Tell = Callable[[int, float | None, int | None], None]


class SweepContext(NamedTuple):
    """What every part of a sweep's loop needs.

    Attributes:
      config: of the sweep.
      workdir: its folder.
      programs: `(config of a group, trials, mode) -> Programs`, made once.
      signals: that have arrived.
      watch: for whom watches.
      memory: bytes that a program may take on a device.
    """

    config: ConfigDict
    workdir: Path
    programs: Callable[[ConfigDict, int, str], CohortPrograms]
    signals: list[int]
    watch: Watch
    memory: int


class Batch(NamedTuple):
    """Points that are trained before the next ones are chosen: all of them, unless a study learns from results.

    Attributes:
      folder: of its files.
      cohorts: its trials.
      asked: the study's own numbers of its points.
    """

    folder: Path
    cohorts: list[Cohort]
    asked: list[int]


def maker() -> Callable[[ConfigDict, int, str], CohortPrograms]:
    """`make_programs` with each data set loaded and placed once, and each program made once."""
    load, resident = cache(data.load), programs.residence()
    made: dict[tuple[str, int, str], CohortPrograms] = {}

    def make(config: ConfigDict, count: int, mode: str) -> CohortPrograms:
        key = (plan.program_of(config), count, mode)
        if key not in made:
            made[key] = programs.make_cohort_programs(config, load(config.data.source), count, mode, resident)
        return made[key]

    return make


def batches(job: SweepContext, ask: Ask) -> Iterator[Batch]:
    """Batch after batch, until nothing more is asked for; those whose folders tell of them are not asked for again."""
    trial, point = 0, 0
    for number in itertools.count():
        folder = job.workdir / "batches" / f"{number:03d}"
        planned = read(folder / "plan.json")
        points, asked = (planned["points"], planned["asked"]) if planned else ask(number)
        if not points:
            return
        trials = plan.trials(job.config, [_tuples(settings) for settings in points], trial, point)
        groups = [[trials[i] for i in numbers] for numbers in planned["cohorts"]] if planned else _cut(job, trials)
        if not planned:
            numbers = [[one.number - trial for one in group] for group in groups]
            write(folder / "plan.json", {"points": points, "asked": asked, "cohorts": numbers})
        yield Batch(folder, [Cohort(i, group[0].config, group) for i, group in enumerate(groups)], asked)
        trial, point = trial + len(trials), point + len(points)


def read(path: Path) -> dict[str, Any]:
    """A small JSON file that the first process may have written; empty where there is none."""
    content = processes.broadcast_bytes(path.read_bytes() if processes.is_primary() and path.exists() else b"")
    return json.loads(content or b"{}")


def write(path: Path, content: Mapping[str, Any]) -> None:
    """Writes one, on the first process."""
    if processes.is_primary():
        path.parent.mkdir(parents=True, exist_ok=True)
        write_json(path, content)


def _tuples(settings: Point) -> Point:
    """JSON's lists as the tuples that they were: no setting is a list."""
    return {name: tuple(value) if isinstance(value, list) else value for name, value in settings.items()}


def _cut(job: SweepContext, trials: list[Trial]) -> list[list[Trial]]:
    """The trials' groups, each cut into as few cohorts as memory allows."""
    groups, length = plan.groups(trials), job.config.base.train.log_every
    _announce(job, trials, groups)
    for group in groups:
        known = job.programs(group[0].config, len(group), "map").metrics()
        nearest_name("validation metric", job.config.objective.metric, known)
    chosen, cohorts = mode(job, groups), []
    for group in groups:

        def make(count: int, config: ConfigDict = group[0].config) -> CohortPrograms:
            return job.programs(config, count, chosen)

        fits = programs.fitting(
            make, len(group), job.memory, lambda p: max(p.needs(length), p.needs_to_evaluate())
        ).count
        size = math.ceil(len(group) / math.ceil(len(group) / fits))
        cohorts += [group[i : i + size] for i in range(0, len(group), size)]
        if size < len(group):
            job.watch.say(f"memory holds {fits} of a group's {len(group)} trials: {size} at a time")
    return cohorts


def _announce(job: SweepContext, trials: list[Trial], groups: list[list[Trial]]) -> None:
    points = len({trial.point for trial in trials})
    compiled = len(groups) * len(ranking.rungs(job.config, trials[0].config.train.steps))
    static = [a.setting for a in job.config.axes if a.setting != "seed" and not a.setting.startswith("hparams.")]
    why = f", by {', '.join(static)}" if static else ""
    job.watch.say(
        f"{len(trials)} trials: {points} points, {len(trials) // points} seed(s) each; "
        f"{len(groups)} group(s){why}; {compiled} training program(s) to compile"
    )


def mode(job: SweepContext, groups: list[list[Trial]] | None = None) -> str:
    """How trials share a device: as the configuration says, or as a measurement on the largest group did."""
    path = job.workdir / "execution.json"
    if job.config.execution != "auto":
        return job.config.execution
    known = read(path)
    if not known:
        if groups is None:
            raise InputError(f"{path} is missing: the sweep cannot go on with the same programs")
        largest = max(groups, key=len)
        best, why = programs.fastest(lambda n, m: job.programs(largest[0].config, n, m), largest, job.memory)
        known = {"mode": best, "why": why}
        write(path, known)
        job.watch.say(f"execution {why}")
    return known["mode"]
