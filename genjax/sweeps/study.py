"""Optuna as the searcher: points are asked for, trained as one program, and told.

A study lives in any of Optuna's storages, so that several machines can work on one.
"""

import contextlib
import time
from collections.abc import Callable
from typing import Any, NamedTuple

from ml_collections import ConfigDict

from genjax.sweeps.axes import Axis
from genjax.sweeps.plan import Point
from genjax.system.messages import first_line
from genjax.types import InputError

SECOND_TRY = 3.0  # seconds


class Study(NamedTuple):
    """One study, as one of its workers sees it.

    Attributes:
      ask: `() -> (points, their numbers in the study)`, no more than a batch; none when all points have been asked for.
      tell: `(number, value, stopped_at) -> None`: a point's objective, or None where it failed, and the step at which
        it was stopped, or None.
    """

    ask: Callable[[], tuple[list[Point], list[int]]]
    tell: Callable[[int, float | None, int | None], None]


def open_study(sweep: ConfigDict) -> Study:
    """Makes the study, or joins it where it exists.

    Raises:
      InputError: Optuna is not installed, or the storage or the study cannot be used.
    """
    try:
        import optuna
    except ImportError as error:
        raise InputError("strategy 'optuna' needs Optuna: uv sync --extra optuna") from error
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    direction = {"min": "minimize", "max": "maximize"}[sweep.objective.goal]
    swept = [axis for axis in sweep.axes if axis.setting != "seed"]
    study = _joined(sweep, direction)
    if study.direction.name.lower() != direction:
        raise InputError(f"study {sweep.optuna.study!r} exists, and its objective is to {study.direction.name.lower()}")
    running: dict[int, Any] = {}

    def ask() -> tuple[list[Point], list[int]]:
        left = sweep.points - len(study.get_trials(deepcopy=False))
        asked = [_asked(study, swept) for _ in range(min(left, sweep.optuna.batch))]
        running.update({trial.number: trial for trial in asked})
        return [_point(trial.params, swept) for trial in asked], [trial.number for trial in asked]

    def tell(number: int, value: float | None, stopped_at: int | None) -> None:
        states = optuna.trial.TrialState
        if value is None:
            study.tell(number, state=states.FAIL, skip_if_finished=True)
        elif stopped_at is None:
            study.tell(number, value, skip_if_finished=True)
        else:  # what a stopped point reached is told as a report, by the process that asked for it
            if number in running:
                running[number].report(value, stopped_at)
            study.tell(number, state=states.PRUNED, skip_if_finished=True)

    return Study(ask, tell)


def _joined(sweep: ConfigDict, direction: str) -> Any:
    import optuna

    def join() -> Any:
        return optuna.create_study(
            storage=_storage(sweep.optuna.storage),
            study_name=sweep.optuna.study,
            sampler=optuna.samplers.TPESampler(constant_liar=True),  # others of the batch are not known yet
            direction=direction,  # pyright: ignore[reportArgumentType]
            load_if_exists=True,
        )

    with contextlib.suppress(Exception):
        return join()
    time.sleep(SECOND_TRY)  # another worker may be making the same tables
    try:
        return join()
    except Exception as error:  # whatever a storage's own library raises
        message = f"optuna.storage = {sweep.optuna.storage!r} cannot be used: {first_line(error)}"
        raise InputError(message) from error


def _storage(name: str) -> Any:
    """`journal:<file>`, which needs no database and bears many machines on one file system, or a database's address."""
    from optuna import storages
    from optuna.storages import journal

    kind, _, path = name.partition(":")
    if kind == "journal":
        return storages.JournalStorage(journal.JournalFileBackend(path))
    return name


def _asked(study: Any, swept: list[Axis]) -> Any:
    try:
        return study.ask({axis.setting: _distribution(axis) for axis in swept})
    except ValueError as error:
        raise InputError(f"study {study.study_name!r} has other axes: {first_line(error)}") from error


def _point(params: dict[str, Any], swept: list[Axis]) -> Point:
    named = {axis.setting: {_name(option): option for option in axis.of} for axis in swept if axis.kind == "choice"}
    return {name: named[name][value] if name in named else value for name, value in params.items()}


def _distribution(axis: Axis) -> Any:
    from optuna import distributions

    if axis.kind == "choice":
        return distributions.CategoricalDistribution([_name(option) for option in axis.of])
    if axis.kind == "integers":
        return distributions.IntDistribution(*axis.of)
    return distributions.FloatDistribution(*axis.of, log=axis.kind == "log_uniform")


def _name(option: Any) -> Any:
    """A choice as a storage can keep it: a tuple by its text."""
    return option if isinstance(option, bool | int | float | str) else repr(option)
