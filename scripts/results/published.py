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

{package} on the same numbers, where the group `benchmark` is installed. Its weights of minibatch-stratified sampling
fill a column and not the diagonal. Its IWAE has the right gradient, but the value that it reports is the mean of log w
under the normalised weights, which is above the bound. Its capacity is compared with the KL of each example, and not
with their mean.

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


def comparisons(installed: bool) -> Iterator[Comparison]:
    """The lines of the table."""
    yield _total_correlation(installed)
    weights = np.array([0.25, 1.0])
    ours = bounds.iwae(jnp.log(jnp.asarray(weights, jnp.float32))[None, :, None], {})
    theirs = _pythae_iwae(weights) if installed else None
    yield Comparison("`iwae` bound, k = 2, of w = 1/4 and 1", math.log(weights.mean()), float(ours[0]), theirs)
    kl, capacity = np.array([1.0, 9.0]), 5.0
    ours = rates.capacity_penalty(jnp.mean(jnp.asarray(kl, jnp.float32)), capacity)
    theirs = _pythae_capacity(kl, capacity) if installed else None
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
    theirs = _pythae_total_correlation(z, mean, log_var) if installed else None
    densities = scipy.stats.norm.pdf(z[:, None], mean[None], math.sqrt(variance))  # [draw, example, dimension]
    exact = np.log(densities.prod(axis=2).mean(axis=1)) - np.log(densities.mean(axis=1)).sum(axis=1)
    ours = float(jnp.mean(log_q - log_product))
    return Comparison("total correlation, stratified, 6 examples of 6", float(exact.mean()), ours, theirs)


def _pythae_total_correlation(z: Any, mean: Any, log_var: Any) -> float:
    import torch  # pyright: ignore[reportMissingImports]
    from pythae.models import BetaTCVAE, BetaTCVAEConfig  # pyright: ignore[reportMissingImports]

    config = BetaTCVAEConfig(input_dim=(2,), latent_dim=2, alpha=0.0, beta=1.0, gamma=0.0, use_mss=True)
    nothing = torch.zeros(len(z), 2)
    gaussians = (torch.tensor(values, dtype=torch.float32) for values in (mean, log_var, z))
    return float(BetaTCVAE(config).loss_function(nothing, nothing, *gaussians, len(z))[2])


def _pythae_iwae(weights: np.ndarray) -> float:
    """Its squared error is -log w where q(z|x) and p(z) are the same."""
    import torch  # pyright: ignore[reportMissingImports]
    from pythae.models import IWAE, IWAEConfig  # pyright: ignore[reportMissingImports]

    nothing = torch.zeros(1, len(weights), 1)
    decoded = torch.tensor(np.sqrt(-2 * np.log(weights)), dtype=torch.float32).reshape(1, -1, 1)
    model = IWAE(IWAEConfig(input_dim=(1,), latent_dim=1, number_samples=len(weights)))
    return -float(model.loss_function(decoded, torch.zeros(1, 1), nothing, nothing, nothing)[0])


def _pythae_capacity(kl: np.ndarray, capacity: float) -> float:
    import torch  # pyright: ignore[reportMissingImports]
    from pythae.models import DisentangledBetaVAE, DisentangledBetaVAEConfig  # pyright: ignore[reportMissingImports]

    config = DisentangledBetaVAEConfig(input_dim=(1,), latent_dim=1, beta=1.0, C=capacity, warmup_epoch=1)
    mean, nothing = torch.tensor(np.sqrt(2 * kl), dtype=torch.float32)[:, None], torch.zeros(len(kl), 1)
    return float(DisentangledBetaVAE(config).loss_function(nothing, nothing, mean, nothing, mean, epoch=10)[0])
