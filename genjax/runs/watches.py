"""What a person should hear of while a model trains: each once, from the rows that the log keeps.

A run that is resumed reads its earlier rows, so it neither repeats a warning nor loses one.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypedDict

from genjax.types import Watch

# Validation worsens when each of the last evaluations has lost this share of what the best had gained on the first.
EVALUATIONS, SHARE = 3, 0.05


class Notice(TypedDict):
    """A watch that held, and the step at which it did first."""

    name: str
    step: int
    advice: str


def find_warnings(watches: Iterable[Watch], monitor: str, rows: Sequence[Mapping[str, Any]]) -> list[Notice]:
    """Lists the warnings of a run, in the order of their steps.

    A watch has to hold at two evaluations in a row: many a model begins where it must not stay.

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
    evaluated = [row for row in rows if any(name.startswith("validation/") for name in row)]
    found: list[Notice] = []
    for watch in watches:
        holds = [watch.holds(_validation_metrics(row)) for row in evaluated]
        second = next((i for i in range(1, len(holds)) if holds[i - 1] and holds[i]), None)
        if second is not None:
            found.append({"name": watch.name, "step": int(evaluated[second]["step"]), "advice": watch.advice})
    for count in range(EVALUATIONS + 1, len(evaluated) + 1):
        if _overfits(monitor, evaluated[:count]):
            found.append({"name": "overfitting", "step": int(evaluated[count - 1]["step"]), "advice": _advice(monitor)})
            break
    return sorted(found, key=lambda warning: warning["step"])


def describe_warning(warning: Notice) -> str:
    """`collapsed posterior at step 1,000: ...`."""
    return f"{warning['name']} at step {warning['step']:,}: {warning['advice']}"


def _validation_metrics(row: Mapping[str, Any]) -> dict[str, float]:
    prefix = "validation/"
    return {name.removeprefix(prefix): float(value) for name, value in row.items() if name.startswith(prefix)}


def _overfits(monitor: str, rows: Sequence[Mapping[str, Any]]) -> bool:
    """Whether validation has worsened in each of the last evaluations while training went on to improve."""
    names = (f"validation/{monitor}", f"train/{monitor}")
    if any(name not in row for row in rows for name in names):
        return False
    on_validation, on_training = ([float(row[name]) for row in rows] for name in names)
    best = on_validation.index(min(on_validation))
    lost = [value - on_validation[best] for value in on_validation[-EVALUATIONS:]]
    gained = on_validation[0] - on_validation[best]
    return min(lost) > SHARE * gained > 0 and on_training[-1] < on_training[best]


def _advice(monitor: str) -> str:
    return (
        f"{monitor} worsens on the validation split while it improves on training: use the best checkpoint "
        "(evaluate.py --checkpoint best), fewer steps, a smaller network or more data"
    )
