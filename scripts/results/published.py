"""What published code of others gives on inputs whose exact value is known, where it is installed."""

import importlib.metadata
import importlib.util
import math
from collections.abc import Iterator
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np
import scipy.stats

from genjax.losses import bounds, rates, total_correlation

PACKAGE = "pythae"
HEAD = """
## Published code on the same input

The group `benchmark` installs pythae. Its weights of minibatch-stratified sampling fill a column and not the diagonal.
Its IWAE has the right gradient, but the value that it reports is the mean of log w under the normalised weights, which
is above the bound. Its capacity is compared with the KL of each example, and not with their mean.

| quantity | exact value | ours | {package} |
|---|---|---|---|
"""


class Comparison(NamedTuple):
    """A line of the table; `theirs` is None where the package is not installed."""

    quantity: str
    exact: float
    ours: float
    theirs: float | None


def section() -> str:
    """The section of docs/certificates.md."""
    installed = importlib.util.find_spec(PACKAGE) is not None
    package = f"{PACKAGE} {importlib.metadata.version(PACKAGE)}" if installed else PACKAGE
    return HEAD.format(package=package) + "".join(map(_line, comparisons(installed)))


def _theirs() -> Any:
    from results import pythae_values

    return pythae_values


def comparisons(installed: bool) -> Iterator[Comparison]:
    """The lines of the table."""
    yield _total_correlation(installed)
    weights = np.array([0.25, 1.0])
    ours = bounds.iwae(jnp.log(jnp.asarray(weights, jnp.float32))[None, :, None], {})
    theirs = _theirs().iwae(weights) if installed else None
    yield Comparison("`iwae` bound, k = 2, of w = 1/4 and 1", math.log(weights.mean()), float(ours[0]), theirs)
    kl, capacity = np.array([1.0, 9.0]), 5.0
    ours = rates.capacity_penalty(jnp.mean(jnp.asarray(kl, jnp.float32)), capacity)
    theirs = _theirs().capacity_penalty(kl, capacity) if installed else None
    yield Comparison("capacity penalty, KL of 1 and 9 nats, C = 5", abs(kl.mean() - capacity), float(ours), theirs)


def _line(row: Comparison) -> str:
    theirs = "not run" if row.theirs is None else f"{row.theirs:.5f}"
    return f"| {row.quantity} | {row.exact:.5f} | {row.ours:.5f} | {theirs} |\n"


def _total_correlation(installed: bool) -> Comparison:
    """Six examples, which are the batch and the data set too: q(z) is the mean of their posteriors."""
    rng, variance, n = np.random.default_rng(0), 0.1, 6
    mean = rng.multivariate_normal(np.zeros(2), np.array([[1.0, 0.8], [0.8, 1.0]]), n)
    z, log_var = mean + math.sqrt(variance) * rng.normal(size=mean.shape), np.full((n, 2), math.log(variance))
    pairwise = total_correlation.log_pairwise(*(jnp.asarray(values, jnp.float32) for values in (z, mean, log_var)))
    log_q, log_product = total_correlation.minibatch_stratified(pairwise, float(n))
    theirs = _theirs().total_correlation(z, mean, log_var) if installed else None
    densities = scipy.stats.norm.pdf(z[:, None], mean[None], math.sqrt(variance))  # [draw, example, dimension]
    exact = np.log(densities.prod(axis=2).mean(axis=1)) - np.log(densities.mean(axis=1)).sum(axis=1)
    ours = float(jnp.mean(log_q - log_product))
    return Comparison("total correlation, stratified, 6 examples of 6", float(exact.mean()), ours, theirs)
