"""The Fréchet distance between two sets of features, each taken for a Gaussian."""

from typing import NamedTuple

import numpy as np


class Gaussian(NamedTuple):
    """Moments of features: `mean: [F]` and `covariance: [F, F]`, float64."""

    mean: np.ndarray
    covariance: np.ndarray


def moments(features: np.ndarray) -> Gaussian:
    """The mean and the unbiased covariance of features `[n, F]`.

    Raises:
      ValueError: fewer than two.
    """
    if len(features) < 2:
        raise ValueError(f"a covariance needs two samples or more, not {len(features)}")
    exact = features.astype(np.float64)
    centred = exact - exact.mean(axis=0)
    return Gaussian(exact.mean(axis=0), centred.T @ centred / (len(exact) - 1))


def frechet_distance(p: Gaussian, q: Gaussian) -> float:
    """The squared distance ||mu_p - mu_q||^2 + tr(S_p + S_q - 2 (S_p S_q)^(1/2)) (Dowson & Landau 1982).

    With a factor S_p = L L^T the eigenvalues of S_p S_q are those of the symmetric L^T S_q L, so no complex root arises
    and covariances of any rank will do.
    """
    values, vectors = np.linalg.eigh(p.covariance)
    root = vectors * np.sqrt(np.maximum(values, 0))  # [F, F], L
    shared = np.linalg.eigvalsh(root.T @ q.covariance @ root)
    cross = np.sqrt(np.maximum(shared, 0)).sum()
    trace = np.trace(p.covariance) + np.trace(q.covariance) - 2 * cross
    return float(max(0.0, np.square(p.mean - q.mean).sum() + trace))


def resampled(features: np.ndarray, rng: np.random.Generator) -> Gaussian:
    """The moments of a bootstrap sample: as many features, drawn with replacement."""
    return moments(features[rng.integers(len(features), size=len(features))])
