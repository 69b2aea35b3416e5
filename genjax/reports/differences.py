"""How sure a difference between two groups of runs is, over the seeds that both have."""

import math
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from scipy import stats

LEVEL, POWER = 0.05, 0.8
MOST = 10_000  # seeds that are considered
CERTAIN = 8  # deviations above which an effect is found for certain


class Difference(NamedTuple):
    """The mean of paired differences.

    Attributes:
      mean: over the common seeds.
      low, high: a 95% interval by Student's t; None with less than two seeds.
      seeds: how many are common.
      needed: how many seeds would tell the two apart with probability 0.8 at the level 0.05, if mean and spread stay as
        they are; None where that is not known, or more than 10,000.
    """

    mean: float
    low: float | None
    high: float | None
    seeds: int
    needed: int | None


def paired_difference(ours: Mapping[int, float], theirs: Mapping[int, float]) -> Difference | None:
    """ours - theirs over the seeds that both have a finite value for, `{seed: value}`; None without such a seed.

    Example:
      >>> paired_difference({0: 1.0, 1: 2.0, 2: 4.0}, {0: 0.5, 1: 1.0, 2: 2.0, 3: 9.0})._replace(low=None, high=None)
      Difference(mean=1.1666666666666667, low=None, high=None, seeds=3, needed=6)
    """
    pairs = [(ours[seed], theirs[seed]) for seed in sorted(ours.keys() & theirs.keys())]
    values = np.array([a - b for a, b in pairs if math.isfinite(a) and math.isfinite(b)])
    if not len(values):
        return None
    mean, n = float(values.mean()), len(values)
    if n < 2:
        return Difference(mean, None, None, n, None)
    std = float(values.std(ddof=1))
    half = float(stats.t.ppf(1 - LEVEL / 2, n - 1)) * std / math.sqrt(n)
    return Difference(mean, mean - half, mean + half, n, seeds_needed(mean, std))


def seeds_needed(mean: float, std: float) -> int | None:
    """The least number of pairs with which a paired t-test of this effect has its power; None above 10,000.

    Example:
      >>> seeds_needed(1.0, 1.0), seeds_needed(0.0, 1.0)  # 10 is the textbooks' number for an effect of one deviation
      (10, None)
    """
    if not std:
        return 2 if mean else None
    low, high = 2, MOST
    if not mean or _power(high, abs(mean) / std) < POWER:
        return None
    while low < high:  # the power grows with the number of pairs
        middle = (low + high) // 2
        low, high = (low, middle) if _power(middle, abs(mean) / std) >= POWER else (middle + 1, high)
    return low


def _power(n: int, effect: float) -> float:
    """The probability that a paired t-test of n pairs finds a positive effect, by the non-central t distribution."""
    critical, shift = float(stats.t.ppf(1 - LEVEL / 2, n - 1)), effect * math.sqrt(n)
    if shift > CERTAIN * max(1.0, critical):  # where SciPy's distribution is not accurate any more
        return 1.0
    return float(stats.nct.sf(critical, n - 1, shift))
