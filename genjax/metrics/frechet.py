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


def resampled(features: Float[np.ndarray, "samples features"], rng: np.random.Generator) -> Gaussian:
    """Computes the moments of a bootstrap sample: as many rows as there are, drawn with replacement."""
    return moments(features[rng.integers(len(features), size=len(features))])
