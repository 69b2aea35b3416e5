"""What a person should hear of while a model trains: each once, from the rows that the log keeps.

A run that is resumed reads its earlier rows, so it neither repeats a warning nor loses one.
"""

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypedDict

from genjax.types import Watch

PREFIX = "validation/"

# Validation worsens when each of the last evaluations has lost this share of what the best had gained on the first.
EVALUATIONS, SHARE = 3, 0.05


class Notice(TypedDict):
    """A watch that held, and the step at which it did first."""

    name: str
    step: int
    advice: str


def find_warnings(watches: Iterable[Watch], monitor: str, rows: Sequence[Mapping[str, Any]]) -> list[Notice]:
    """Lists the warnings of a run, in the order of their steps.

    A watch has to hold at two evaluations in a row: many a model begins where it must not stay. A metric that an
    evaluation lacks is NaN for it. `overfitting` is added to the watches of the model.

    Args:
      watches: of the model.
      monitor: the metric whose least value is the best.
      rows: of the log, `{"step", "train/<name>", "validation/<name>"}`; those without an evaluation are left out.

    Example:
      >>> watch = Watch("collapsed posterior", lambda metrics: metrics["kl"] < 0.05, "Lower hparams.beta.")
      >>> rows = [{"step": 10, "validation/kl": 0.001}, {"step": 20, "validation/kl": 0.001}]
      >>> [(warning["name"], warning["step"]) for warning in find_warnings([watch], "loss", rows)]
      [('collapsed posterior', 20)]
    """
    evaluated = [row for row in rows if any(name.startswith(PREFIX) for name in row)]
    notices: list[Notice] = []
    for watch in watches:
        holds = [_holds(watch, row) for row in evaluated]
        second = next((i for i in range(1, len(holds)) if holds[i - 1] and holds[i]), None)
        if second is not None:
            notices.append({"name": watch.name, "step": int(evaluated[second]["step"]), "advice": watch.advice})
    step = _overfitting_step(monitor, evaluated)
    if step is not None:
        notices.append({"name": "overfitting", "step": step, "advice": _advice(monitor)})
    return sorted(notices, key=lambda warning: warning["step"])


def describe_warning(warning: Notice) -> str:
    """`collapsed posterior at step 1,000: ...`."""
    return f"{warning['name']} at step {warning['step']:,}: {warning['advice']}"


def _holds(watch: Watch, row: Mapping[str, Any]) -> bool:
    """Whether a watch holds at an evaluation; not where its own arithmetic fails on numbers that are not finite."""
    metrics = defaultdict(lambda: math.nan)
    measured = {name: float(value) for name, value in row.items() if name.startswith((PREFIX, "train/"))}
    metrics |= {name.removeprefix(PREFIX): value for name, value in measured.items()}
    try:
        return bool(watch.holds(metrics))
    except (ArithmeticError, ValueError):
        if all(map(math.isfinite, metrics.values())):
            raise
        return False


def _overfitting_step(monitor: str, rows: Iterable[Mapping[str, Any]]) -> int | None:
    """The step at which validation has worsened `EVALUATIONS` times in a row while training went on to improve.

    Evaluations that are not finite, or that training has no value for, are left out.
    """
    names = (f"{PREFIX}{monitor}", f"train/{monitor}")
    measured = [(int(row["step"]), *(float(row.get(name, math.nan)) for name in names)) for row in rows]
    finite = [evaluation for evaluation in measured if all(map(math.isfinite, evaluation))]
    if not finite:
        return None
    _, first, best_training = finite[0]
    best, worse = first, 0
    for step, value, training in finite[1:]:
        if value < best:
            best, best_training, worse = value, training, 0
        else:
            worse = worse + 1 if value - best > SHARE * (first - best) > 0 else 0
        if worse >= EVALUATIONS and training < best_training:
            return step
    return None


def _advice(monitor: str) -> str:
    return (
        f"{monitor} worsens on the validation split while it improves on training: use the best checkpoint "
        "(genjax evaluate --checkpoint best), fewer steps, a smaller network or more data"
    )
