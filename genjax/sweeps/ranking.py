"""Which trials and which points are better: one order for the leaderboard, for halving and for a population."""

from collections.abc import Mapping

import numpy as np
from ml_collections import ConfigDict


def objective(curve: np.ndarray, diverged: np.ndarray, of: str, goal: str) -> np.ndarray:
    """Each trial's objective, `[T]`, NaN where it diverged, was never measured, or is not finite where it was.

    Args:
      curve: `[R, T]`, the metric at each row, NaN where it was not measured; infinite where it was and is no number.
      diverged: `[T]`, whether a trial's gradients stopped being finite.
      of: 'last' or 'best' of what was measured.
      goal: 'min' or 'max'.
    """
    curve = np.vstack([np.full(curve.shape[1], np.nan), curve])  # where there is no row, nothing was measured
    finite = np.where(np.isfinite(curve), curve, np.nan)
    if of == "best":
        value = (np.fmin if goal == "min" else np.fmax).reduce(finite)
    else:
        backwards = ~np.isnan(curve[::-1])
        value = np.take_along_axis(finite[::-1], backwards.argmax(axis=0)[None], axis=0)[0]
    return np.where(diverged, np.nan, value)


def order(values: np.ndarray, goal: str) -> np.ndarray:
    """Indices from the best to the worst; what is not a number comes last, and equals keep their order."""
    return np.argsort(values if goal == "min" else -values, kind="stable")


def over_seeds(values: np.ndarray, point: np.ndarray) -> dict[str, np.ndarray]:
    """What the seeds of each point say together.

    Args:
      values: `[T]`, NaN where a trial has none.
      point: `[T]`, the trials' points.

    Returns:
      `[P]` each: `point`, `mean` and `std` (the standard deviation) of the values that are known, and `seeds`.
    """
    points, place = np.unique(point, return_inverse=True)
    is_known = ~np.isnan(values)
    count = np.bincount(place[is_known], minlength=len(points))
    with np.errstate(invalid="ignore"):
        mean = np.bincount(place[is_known], values[is_known], len(points)) / count
        square = np.bincount(place[is_known], (values - mean[place])[is_known] ** 2, len(points))
        std = np.sqrt(square / np.where(count > 1, count - 1, np.nan))
    return {"point": points, "mean": mean, "std": std, "seeds": np.bincount(place)}


def survivors(values: np.ndarray, point: np.ndarray, goal: str, eta: int) -> np.ndarray:
    """The best of every `eta` points by the mean over their seeds, and at least one: their numbers, in order."""
    means = over_seeds(values, point)
    best = order(means["mean"], goal)[: max(1, len(means["point"]) // eta)]
    return np.sort(means["point"][best])


def rungs(sweep: ConfigDict, steps: int) -> list[int]:
    """The steps at which successive halving looks (Jamieson & Talwalkar 2016), and the last one."""
    if sweep.stopping != "halving":
        return [steps]
    ends, step = [], sweep.halving.first
    while step < steps:
        ends.append(step)
        step *= sweep.halving.eta
    return [*ends, steps]


def exploit(values: np.ndarray, goal: str, share: float, rng: np.random.Generator) -> np.ndarray:
    """Chooses whom each trial goes on from: the worst from one of the best, the rest from themselves.

    This is the exploitation of a population (Jaderberg et al. 2017).

    Args:
      values: `[A]`, NaN where a trial diverged.
      goal: 'min' or 'max'.
      share: of the trials that is replaced, and from which is copied; at least one.
      rng: which of the best.

    Returns:
      `[A]`, trials' indices.
    """
    ranked, count = order(values, goal), max(1, int(share * len(values)))
    best = ranked[:count][~np.isnan(values[ranked[:count]])]
    source = np.arange(len(values))
    if len(best):
        source[ranked[len(values) - count :]] = rng.choice(best, count)
    return source


def explore(
    hparams: Mapping[str, np.ndarray],
    source: np.ndarray,
    ranges: Mapping[str, tuple[float, float]],
    factor: float,
    rng: np.random.Generator,
) -> dict[str, np.ndarray]:
    """The numbers that go with `source`: a copy's are its parent's, times or over `factor`, within their range."""
    copied = source != np.arange(len(source))
    explored = {}
    for name, values in hparams.items():
        explored[name] = values[source]
        if name in ranges:
            factors = factor ** rng.choice([-1.0, 1.0], len(source))
            changed = np.clip(explored[name] * factors, *ranges[name]).astype(values.dtype)
            explored[name] = np.where(copied, changed, explored[name])
    return explored
