"""Who chooses the points of a sweep: the axes alone, or Optuna, which learns from what became of earlier points.

An Optuna study lives in any of its storages, so that several machines can work on one.
"""

import contextlib
import json
import time
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any, NamedTuple

from ml_collections import ConfigDict

from genjax.sweeps.axes import Axis
from genjax.sweeps.plan import Point
from genjax.system import processes
from genjax.system.messages import first_line
from genjax.types import InputError

SECONDS_BEFORE_RETRY = (1.0, 2.0, 4.0)
FOLDER = "genjax folder"  # the attribute of a trial that holds the sweep's folder


class Study(NamedTuple):
    """The source of a sweep's points.

    Attributes:
      ask: `(number of the batch, numbers in the study that a plan knows) -> (points, their numbers in the study)`; none
        when all points have been asked for.
      tell: `(number, value, stopped_at) -> None`: a point's objective, or None where it failed, and the step at which
        it was stopped, or None.
    """

    ask: Callable[[int, Collection[int]], tuple[list[Point], list[int]]]
    tell: Callable[[int, float | None, int | None], None]


def fixed_study(points: list[Point]) -> Study:
    """Returns a study whose points are all known beforehand, and are one batch."""
    return Study(lambda number, planned: ([] if number else points, []), lambda number, value, stopped_at: None)


def make_study(sweep: ConfigDict, points: list[Point], workdir: Path) -> Study:
    """Returns the study of a sweep's strategy; on many hosts the first process asks and tells for all.

    Args:
      sweep: its configuration.
      points: what is tried where the strategy is not Optuna's.
      workdir: of the sweep; a point that it asked for and that no plan of its knows is asked for again.

    Raises:
      InputError: Optuna is not installed, or the storage or the study cannot be used.
    """
    if sweep.strategy != "optuna":
        return fixed_study(points)
    study = None
    with processes.raise_together():
        if processes.is_primary():
            study = open_optuna_study(sweep, workdir)

    def ask(number: int, planned: Collection[int]) -> tuple[list[Point], list[int]]:
        points_and_numbers = json.dumps(study.ask(number, planned)).encode() if study else b""
        points, numbers = json.loads(processes.broadcast_bytes(points_and_numbers))
        return points, numbers

    def tell(number: int, value: float | None, stopped_at: int | None) -> None:
        if study:
            study.tell(number, value, stopped_at)

    return Study(ask, tell)


def open_optuna_study(sweep: ConfigDict, workdir: Path) -> Study:
    """Makes the study, or joins it where it exists.

    Each trial keeps the folder that asked for it. A process that is killed between the question and the written plan
    leaves trials that no plan knows, which are given out first when the folder asks again.

    Raises:
      InputError: Optuna is not installed, the storage cannot be used, or the study has another goal or other axes.
    """
    try:
        import optuna
    except ImportError as error:
        raise InputError("strategy 'optuna' needs Optuna: uv sync --extra optuna") from error
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    direction = {"min": "minimize", "max": "maximize"}[sweep.objective.goal]
    swept = [axis for axis in sweep.axes if axis.setting != "seed"]
    study = _create_or_join(sweep, direction)
    if study.direction.name.lower() != direction:
        raise InputError(f"study {sweep.optuna.study!r} exists, and its objective is to {study.direction.name.lower()}")
    _check_axes(study, swept)
    running: dict[int, Any] = {}
    folder = str(workdir.absolute())

    def ask(number: int, planned: Collection[int]) -> tuple[list[Point], list[int]]:
        existing = [trial for trial in study.get_trials(deepcopy=False) if not _is_unfinished(trial, swept)]
        trials = [
            trial
            for trial in existing
            if not trial.state.is_finished() and trial.user_attrs.get(FOLDER) == folder and trial.number not in planned
        ][: sweep.optuna.batch]
        if not trials:
            remaining = sweep.points - len(existing)
            trials = [_ask_trial(study, swept, folder) for _ in range(min(remaining, sweep.optuna.batch))]
            running.update({trial.number: trial for trial in trials})
        return [_to_point(trial.params, swept) for trial in trials], [trial.number for trial in trials]

    def tell(number: int, value: float | None, stopped_at: int | None) -> None:
        states = optuna.trial.TrialState
        if value is None:
            study.tell(number, state=states.FAIL, skip_if_finished=True)
        elif stopped_at is None:
            study.tell(number, value, skip_if_finished=True)
        else:  # what a stopped point reached is a report of its trial, made by the process that asked for it
            if number in running:
                running[number].report(value, stopped_at)
            study.tell(number, state=states.PRUNED, skip_if_finished=True)

    return Study(ask, tell)


def _create_or_join(sweep: ConfigDict, direction: str) -> Any:
    import optuna

    def join() -> Any:
        return optuna.create_study(
            storage=_open_storage(sweep.optuna.storage),
            study_name=sweep.optuna.study,
            sampler=optuna.samplers.TPESampler(constant_liar=True),  # others of the batch are not known yet
            direction=direction,  # pyright: ignore[reportArgumentType]
            load_if_exists=True,
        )

    for seconds in SECONDS_BEFORE_RETRY:
        with contextlib.suppress(Exception):
            return join()
        time.sleep(seconds)  # another worker may be making the same tables
    try:
        return join()
    except Exception as error:  # whatever a storage's own library raises
        message = f"optuna.storage = {sweep.optuna.storage!r} cannot be used: {first_line(error)}"
        raise InputError(message) from error


def _open_storage(name: str) -> Any:
    """`journal:<file>`, which needs no database and bears many machines on one file system, or a database's address."""
    from optuna import storages
    from optuna.storages import journal

    kind, _, path = name.partition(":")
    if kind == "journal":
        return storages.JournalStorage(journal.JournalFileBackend(path))
    return name


def _check_axes(study: Any, swept: list[Axis]) -> None:
    """Refuses a study whose trials have other axes, or axes with other choices."""
    from optuna.distributions import check_distribution_compatibility

    distributions = {axis.setting: _distribution(axis) for axis in swept}
    for trial in study.get_trials(deepcopy=False):
        if _is_unfinished(trial, swept):
            continue
        trial_distributions = trial.distributions
        if trial_distributions.keys() != distributions.keys():
            raise InputError(f"study {study.study_name!r} has other axes: {', '.join(trial_distributions)}")
        for name, distribution in trial_distributions.items():
            try:
                check_distribution_compatibility(distribution, distributions[name])
            except ValueError as error:
                raise InputError(f"study {study.study_name!r} has another axis {name}: {first_line(error)}") from error


def _is_unfinished(trial: Any, swept: list[Axis]) -> bool:
    """Whether a trial has no values of some axes yet: a worker is asking for it, or was killed while it did."""
    return not trial.state.is_finished() and trial.distributions.keys() < {axis.setting for axis in swept}


def _ask_trial(study: Any, swept: list[Axis], folder: str) -> Any:
    try:
        trial = study.ask({axis.setting: _distribution(axis) for axis in swept})
        trial.set_user_attr(FOLDER, folder)
        return trial
    except ValueError as error:
        raise InputError(f"study {study.study_name!r} has other axes: {first_line(error)}") from error


def _to_point(params: dict[str, Any], swept: list[Axis]) -> Point:
    choices = {axis.setting: {_storable(v): v for v in axis.of} for axis in swept if axis.kind == "choice"}
    return {name: choices[name][value] if name in choices else value for name, value in params.items()}


def _distribution(axis: Axis) -> Any:
    from optuna import distributions

    if axis.kind == "choice":
        return distributions.CategoricalDistribution([_storable(value) for value in axis.of])
    if axis.kind == "integers":
        return distributions.IntDistribution(*axis.of)
    return distributions.FloatDistribution(*axis.of, log=axis.kind == "log_uniform")


def _storable(value: Any) -> Any:
    """A choice as a storage can keep it: a tuple by its text."""
    return value if isinstance(value, bool | int | float | str) else repr(value)
