"""Scores of a classifier's answers, against values by hand and expectations in closed form."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from genjax.metrics.scores import classifier_score, stacked_modes

SURE = 1e4  # a logit that leaves the other classes nothing


@pytest.mark.parametrize(
    ("logits", "score", "each"),
    [
        ([[0.0, 0.0], [5.0, 5.0]], 0.0, [0.0, 0.0]),
        ([[SURE, 0.0], [0.0, SURE]], np.log(2), [np.log(2)] * 2),
        ([[SURE, 0.0], [SURE, 0.0]], 0.0, [0.0, 0.0]),
        # p = (3/4, 1/4) and (1/4, 3/4), marginal 1/2: log 2 less the entropy of a quarter.
        (np.log([[3.0, 1.0], [1.0, 3.0]]), np.log(2) + 0.75 * np.log(0.75) + 0.25 * np.log(0.25), None),
        # Sure of class 0 thrice and of class 1 once: log 4/3 thrice, log 4 once.
        ([[SURE, 0.0]] * 3 + [[0.0, SURE]], 0.75 * np.log(4 / 3) + 0.25 * np.log(4), [np.log(4 / 3)] * 3 + [np.log(4)]),
        (np.eye(10) * SURE, np.log(10), None),
    ],
)
def test_classifier_score_by_hand(logits, score, each):
    found, divergences = classifier_score(jnp.asarray(logits, jnp.float32))
    np.testing.assert_allclose(found, score, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(divergences, score if each is None else each, rtol=1e-5, atol=1e-6)


def test_classifier_score_ignores_what_softmax_ignores():
    logits = jax.random.normal(jax.random.key(0), (50, 7))
    moved, _ = classifier_score(logits + jnp.arange(50.0)[:, None])
    np.testing.assert_allclose(moved, classifier_score(logits)[0], rtol=1e-4)


@pytest.mark.parametrize(
    ("labels", "modes", "found", "divergence"),
    [
        ([0, 1, 2, 3], 4, 4, 0.0),
        ([2, 2, 2], 4, 1, np.log(4)),
        ([0, 0, 3, 3], 4, 2, np.log(2)),
        ([0, 0, 0, 1], 2, 2, 0.75 * np.log(1.5) + 0.25 * np.log(0.5)),
    ],
)
def test_stacked_modes_by_hand(labels, modes, found, divergence):
    named = jax.jit(stacked_modes, static_argnames="modes")(jnp.array(labels), modes=modes)
    assert float(named["modes_found"]) == found
    np.testing.assert_allclose(named["kl_to_uniform"], divergence, rtol=1e-6, atol=1e-7)


def test_a_perfect_sampler_has_the_divergence_of_chance():
    """2 n KL is chi-squared with modes - 1 degrees of freedom: mean 999 / 52,000 = 0.0192, deviation 0.00086."""
    n = 26_000
    named = stacked_modes(jax.random.randint(jax.random.key(0), (n,), 0, 1000))
    assert float(named["modes_found"]) == 1000
    np.testing.assert_allclose(named["kl_to_uniform"], 999 / (2 * n), atol=4 * np.sqrt(2 * 999) / (2 * n))
