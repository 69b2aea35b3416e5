"""When a run has learnt what it will: early stopping by the monitored metric, from the rows of the log alone.

A run that is resumed reads the same rows, so it stops at the same step.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from genjax.system.progress import short


def find_reason(train: Mapping[str, Any], monitor: str, rows: Sequence[Mapping[str, Any]]) -> str:
    """Why a run stops after the last of its rows, in words; nothing where it goes on.

    It stops where the metric's last `train.patience` evaluations were no better than the best before them by more than
    `train.smallest_change`, but not before `train.least_steps` steps.

    Args:
      train: the group `train` of a configuration.
      monitor: the metric whose least value is the best.
      rows: of the log; those without an evaluation are left out.

    Example:
      >>> train = {"patience": 2, "least_steps": 0, "smallest_change": 0.1}
      >>> curve = ((10, 3.0), (20, 2.0), (30, 1.95), (40, 2.1))
      >>> rows = [{"step": step, "validation/loss": loss} for step, loss in curve]
      >>> find_reason(train, "loss", rows[:3])
      ''
      >>> find_reason(train, "loss", rows)
      'validation loss has not improved on 2 at step 20 in 2 evaluations'
    """
    name, best, best_step, waited, step = f"validation/{monitor}", math.inf, 0, 0, 0
    for row in rows:
        if name in row:
            step, value = int(row["step"]), float(row[name])
            if value < best - train["smallest_change"]:
                best, best_step, waited = value, step, 0
            else:
                waited += 1
    if not train["patience"] or waited < train["patience"] or step < train["least_steps"]:
        return ""
    evaluations = f"{waited} evaluation{'s' if waited > 1 else ''}"
    return f"validation {monitor} has not improved on {short(best)} at step {best_step:,} in {evaluations}"
