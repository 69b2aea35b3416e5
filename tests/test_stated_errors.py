"""Each error that an evaluation states, against the spread of its value over new draws of everything."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from genjax.evaluation import fidelity, latent
from genjax.evaluation.options import Options
from genjax.evaluation.results import Result, averaged
from genjax.features.extractor import Features
from genjax.metrics import scores
from genjax.metrics.importance import importance
from genjax.types import Batch

N = 300


def drawn_features(rng, scale, shift, dimensions=8):
    """Two sets of Gaussian features, the second scaled and shifted."""
    x, y = rng.normal(size=(2, N, dimensions))
    return x.astype(np.float32), (scale * y + shift).astype(np.float32)


def distances(rng, seed, scale, shift):
    x, y = drawn_features(rng, scale, shift)
    features = Features("simulated", "", x.shape[1], lambda images: images)
    return fidelity._measure_in(features, x, y, Options(seed=seed), {})


def classifier_score(rng, seed):
    """Logits of ten classes, of which a few are rare."""
    logits = rng.normal(size=(N, 10)) * 2 - np.arange(10) / 3
    return [averaged("classifier_score", np.asarray(scores.classifier_score(jnp.asarray(logits))[1]), "nats", {})]


def information_gap(rng, seed):
    """Two factors of four values, each seen with noise by a code of its own and with more noise by a third one."""
    factors = rng.integers(4, size=(N, 2))
    noise = rng.normal(size=(N, 3))
    codes = np.stack([factors[:, 0] + 0.5 * noise[:, 0], factors[:, 1] + noise[:, 1], factors.sum(1) + noise[:, 2]], 1)
    return [latent._information_gap(codes.astype(np.float32), factors, seed, {})]


@partial(jax.jit, static_argnames="k")
def estimate(rng, k):
    """log p(x) of five examples whose log-weights are N(0, 0.8^2)."""
    return importance(lambda batch, key, n: 0.8 * jax.random.normal(key, (n, 5)), Batch(jnp.zeros(5)), rng, k, k)


def monte_carlo(rng, seed):
    found = estimate(jax.random.key(seed), 100)
    error = np.sqrt(found.relative_variance.sum()) / 5
    return [Result("log_likelihood", float(found.log_likelihood.mean()), float(error), "nats", {})]


PRDC = ("precision", "recall", "density", "coverage")
# Draws, how many, and the least and the greatest ratio of the mean stated error to the spread, for each metric. A
# spread over n draws is known within about 1/sqrt(2n), one standard deviation. The errors of fidelity are estimates
# from halves or the bootstrap, and they are wider where two distributions are equal.
CASES = {
    "equal": (
        partial(distances, scale=1.0, shift=0.0),
        80,
        {"frechet_distance": (0.9, 1.5), "kernel_distance": (0.9, 1.35), **dict.fromkeys(PRDC, (0.8, 1.5))},
    ),
    "near": (
        partial(distances, scale=1.1, shift=0.1),
        80,
        {"frechet_distance": (0.8, 1.3), "kernel_distance": (0.8, 1.2), **dict.fromkeys(PRDC, (0.8, 1.5))},
    ),
    "apart": (
        partial(distances, scale=1.4, shift=0.5),
        80,
        {"frechet_distance": (0.8, 1.3), "kernel_distance": (0.8, 1.2), **dict.fromkeys(PRDC, (0.8, 1.5))},
    ),
    "classifier": (classifier_score, 200, {"classifier_score": (0.85, 1.15)}),
    "information gap": (information_gap, 100, {"mig": (0.8, 1.3)}),
    "Monte Carlo": (monte_carlo, 400, {"log_likelihood": (0.85, 1.15)}),
}


@pytest.mark.slow
@pytest.mark.parametrize("case", CASES)
def test_a_stated_error_is_the_spread_over_new_draws(case):
    measure, count, bounds = CASES[case]
    draws = [{r.metric: r for r in measure(np.random.default_rng([7, i]), i)} for i in range(count)]
    ratios = {}
    for metric in bounds:
        values, errors = ([getattr(draw[metric], part) for draw in draws] for part in ("value", "error"))
        ratios[metric] = float(np.mean(errors) / np.std(values, ddof=1))
    outside = {metric: ratio for metric, ratio in ratios.items() if not bounds[metric][0] < ratio < bounds[metric][1]}
    assert not outside, f"{outside} of {ratios}"
