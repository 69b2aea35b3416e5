"""The Fréchet distance between two sets of features, each described by a Gaussian of its mean and covariance."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float


class Gaussian(NamedTuple):
    """The first two moments of features, in float64."""

    mean: Float[np.ndarray, " features"]
    covariance: Float[np.ndarray, "features features"]


def moments(features: Float[np.ndarray, "samples features"]) -> Gaussian:
    """Computes the mean and the unbiased covariance of features.

    Raises:
      ValueError: there are fewer than two samples.

    Example:
      >>> moments(np.array([[0.0], [2.0]]))
      Gaussian(mean=array([1.]), covariance=array([[2.]]))
    """
    if len(features) < 2:
        raise ValueError(f"a covariance needs two samples or more, not {len(features)}")
    rows = features.astype(np.float64)
    centred = rows - rows.mean(axis=0)
    return Gaussian(rows.mean(axis=0), centred.T @ centred / (len(rows) - 1))


def frechet_distance(p: Gaussian, q: Gaussian) -> float:
    """Computes the squared distance ||mu_p - mu_q||^2 + tr(S_p + S_q - 2 (S_p S_q)^(1/2)) (Dowson & Landau 1982).

    With a factor S_p = L L^T the eigenvalues of S_p S_q are those of the symmetric matrix L^T S_q L. So no complex root
    arises, and covariances may have any rank.

    Example:
      >>> frechet_distance(Gaussian(np.zeros(1), np.eye(1)), Gaussian(np.ones(1), 4 * np.eye(1)))
      2.0
    """
    values, vectors = np.linalg.eigh(p.covariance)
    root = vectors * np.sqrt(np.maximum(values, 0))  # [F, F], L
    eigenvalues = np.linalg.eigvalsh(root.T @ q.covariance @ root)
    cross = np.sqrt(np.maximum(eigenvalues, 0)).sum()
    trace = np.trace(p.covariance) + np.trace(q.covariance) - 2 * cross
    return float(max(0.0, np.square(p.mean - q.mean).sum() + trace))


def bootstrap_error(
    x: Float[np.ndarray, "n features"], y: Float[np.ndarray, "n features"], rng: np.random.Generator, resamples: int
) -> float:
    """Estimates the standard error of the distance between two sets by the bootstrap, corrected near zero.

    Near its minimum the distance is a quadratic form of the moments' errors e. The bootstrap adds errors of its own to
    those, and its variance is that of the distance and twice that of e's quadratic part: three times too much for equal
    distributions. For two bootstrap samples with the errors a and b, D(a + b) - D(a) - D(b) + D(0) is their
    interaction, whose variance is this excess. What is left is a third of the bootstrap's variance at least.

    Args:
      x, y: features.
      rng: draws the samples.
      resamples: how many, an even number.
    """
    p, q = moments(x), moments(y)
    samples = [(_resampled(x, rng), _resampled(y, rng)) for _ in range(resamples)]
    distances = np.array([frechet_distance(*pair) for pair in samples])
    combined = [
        (_add(a, c, p, len(x)), _add(b, d, q, len(y)))
        for (a, b), (c, d) in zip(samples[::2], samples[1::2], strict=True)
    ]
    distance = frechet_distance(p, q)
    interactions = [frechet_distance(*pair) + distance for pair in combined] - distances[::2] - distances[1::2]
    variance = distances.var(ddof=1)
    return float(np.sqrt(max(variance - np.square(interactions).mean(), variance / 3)))


def _resampled(features: Float[np.ndarray, "samples features"], rng: np.random.Generator) -> Gaussian:
    """Computes the moments of a bootstrap sample: as many rows as there are, drawn with replacement."""
    return moments(features[rng.integers(len(features), size=len(features))])


def _add(a: Gaussian, b: Gaussian, base: Gaussian, n: int) -> Gaussian:
    """Computes the moments of the measure a + b - base, each of n samples."""

    def about_base(gaussian: Gaussian) -> np.ndarray:
        gap = gaussian.mean - base.mean
        return gaussian.covariance + np.outer(gap, gap) * n / (n - 1)

    mean = a.mean + b.mean - base.mean
    raw = about_base(a) + about_base(b) - base.covariance
    return Gaussian(mean, raw - np.outer(mean - base.mean, mean - base.mean) * n / (n - 1))
