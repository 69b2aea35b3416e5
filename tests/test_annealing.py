"""Annealed importance sampling on a linear-Gaussian model, whose p(x) and p(z|x) are known."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from genjax.metrics.annealing import (
    annealed_importance,
    hamiltonian,
    lower_bound,
    temperatures,
    tune_step_sizes,
    upper_bound,
)
from genjax.types import Batch

KEY = jax.random.key(0)
D, LATENT, EXAMPLES, CHAINS = 6, 3, 100, 16
VARIANCE = 0.3
RNG = np.random.default_rng(0)
W = RNG.normal(size=(D, LATENT))
Z = RNG.normal(size=(EXAMPLES, LATENT))
X = Z @ W.T + np.sqrt(VARIANCE) * RNG.normal(size=(EXAMPLES, D))  # so z is a draw from p(z|x)
BATCH = Batch(jnp.asarray(X, jnp.float32))
COVARIANCE = W @ W.T + VARIANCE * np.eye(D)
EXACT = -0.5 * (np.linalg.slogdet(2 * np.pi * COVARIANCE)[1] + np.sum(X * np.linalg.solve(COVARIANCE, X.T).T, axis=1))
PRECISION = np.eye(LATENT) + W.T @ W / VARIANCE  # of p(z|x)
POSTERIOR_MEAN = np.linalg.solve(PRECISION, W.T @ X.T / VARIANCE).T


def log_normal(values, variance):
    return -0.5 * jnp.sum(values**2 / variance + jnp.log(2 * jnp.pi * variance), axis=-1)


def log_densities(batch, z):
    return log_normal(z, 1.0), log_normal(batch.x - z @ jnp.asarray(W.T, jnp.float32), VARIANCE)


def annealed(batch, t):
    """log f_t of chains `[chains, b, LATENT]`."""

    def log_f(z):
        log_p_z, log_p_x = jax.vmap(partial(log_densities, batch))(z)
        return log_p_z + t * log_p_x

    return log_f


def prior_draws(chains, key):
    return jax.random.normal(key, (chains, EXAMPLES, LATENT))


@partial(jax.jit, static_argnums=0)
def log_weights(steps, key):
    """Log-weights `[CHAINS, EXAMPLES]` of both directions, as an evaluation makes them, less the exact log p(x)."""
    pilot_key, tune_key, start_key, forward_key, reverse_key = jax.random.split(key, 5)
    path, exact = temperatures(steps), jnp.asarray(EXACT, jnp.float32)[None]
    sizes = tune_step_sizes(log_densities, BATCH, prior_draws(4, pilot_key), tune_key, path)
    of_posterior = jnp.broadcast_to(jnp.asarray(Z, jnp.float32), (CHAINS, EXAMPLES, LATENT))
    anneal = partial(annealed_importance, log_densities, BATCH)
    forward = anneal(prior_draws(CHAINS, start_key), forward_key, path, sizes)
    return forward - exact, anneal(of_posterior, reverse_key, path, sizes, reverse=True) - exact


def bounds(steps, key=KEY):
    """The errors of both bounds, `[EXAMPLES]` each, in nats."""
    forward, reverse = log_weights(steps, key)
    return np.asarray(lower_bound(forward), np.float64), np.asarray(upper_bound(reverse), np.float64)


def standard_error(values):
    return np.std(values, ddof=1) / np.sqrt(len(values))


def test_temperatures_rise_from_zero_to_one_and_are_symmetric():
    path = np.asarray(temperatures(7))
    assert (path[0], path[-1]) == (0.0, 1.0)
    assert np.all(np.diff(path) > 0)
    np.testing.assert_allclose(path + path[::-1], 1.0, atol=1e-6)
    assert np.argmax(np.diff(path)) == 3
    np.testing.assert_array_equal(temperatures(1), [0.0, 1.0])


@pytest.mark.parametrize("t", [0.0, 0.1, 1.0])
def test_hamiltonian_leaves_the_annealed_density_invariant(t):
    """Exact draws from f_t keep its mean and covariance through 20 transitions with many rejections."""
    chains, x = 20_000, X[:1]
    precision = np.eye(LATENT) + t * W.T @ W / VARIANCE
    mean = np.linalg.solve(precision, t * W.T @ x[0] / VARIANCE)
    root = np.linalg.cholesky(np.linalg.inv(precision))
    start = mean + np.random.default_rng(1).normal(size=(chains, 1, LATENT)) @ root.T
    size = jnp.array([1.2 * np.sqrt(np.linalg.eigvalsh(np.linalg.inv(precision))[0])], jnp.float32)

    log_f = annealed(Batch(jnp.asarray(x, jnp.float32)), t)

    @jax.jit
    def transitions(z):
        return jax.lax.scan(lambda z, key: hamiltonian(log_f, z, key, size, 5), z, jax.random.split(KEY, 20))

    z, probability = transitions(jnp.asarray(start, jnp.float32))
    assert 0.5 < np.mean(probability) < 0.97
    z = np.asarray(z, np.float64)[:, 0]
    assert np.mean(np.linalg.norm(z - start[:, 0], axis=1)) > np.sqrt(np.trace(root @ root.T))  # they have moved
    whitened = np.linalg.solve(root, (z - mean).T)  # N(0, I) where f_t is invariant
    np.testing.assert_allclose(whitened.mean(axis=1), 0.0, atol=5 / np.sqrt(chains))
    np.testing.assert_allclose(np.cov(whitened), np.eye(LATENT), atol=5 * np.sqrt(2 / chains))


def test_a_trajectory_that_overflows_is_rejected():
    start = jnp.ones((CHAINS, 1, 2))
    z, probability = hamiltonian(lambda z: -jnp.sum(z**4, axis=-1), start, KEY, jnp.array([1e6]), 10)
    np.testing.assert_array_equal(z, start)
    np.testing.assert_array_equal(probability, 0.0)


@pytest.mark.slow
def test_step_sizes_reach_the_acceptance_that_is_aimed_at():
    path = temperatures(400)
    sizes = tune_step_sizes(log_densities, BATCH, prior_draws(4, KEY), KEY, path)
    assert sizes.shape == (399, EXAMPLES)
    root = np.linalg.cholesky(np.linalg.inv(PRECISION))
    start = POSTERIOR_MEAN + np.random.default_rng(2).normal(size=(2000, EXAMPLES, LATENT)) @ root.T
    size = jnp.mean(sizes[-50:], axis=0)
    _, probability = hamiltonian(annealed(BATCH, 1.0), jnp.asarray(start, jnp.float32), KEY, size, 10)
    assert np.mean(probability) == pytest.approx(0.65, abs=0.1)
    assert np.all(np.asarray(sizes[-1]) < 0.5 * np.asarray(sizes[50]))  # the posterior is narrower than the prior


def test_one_step_is_importance_sampling_from_the_prior():
    z = prior_draws(CHAINS, KEY)
    log_w = annealed_importance(log_densities, BATCH, z, KEY, temperatures(1), jnp.zeros((0, EXAMPLES)))
    np.testing.assert_allclose(log_w, jax.vmap(lambda z: log_densities(BATCH, z)[1])(z), rtol=1e-6)


@pytest.mark.slow
def test_the_exact_value_lies_between_the_bounds_and_the_gap_closes():
    """Each bound is a mean over examples; it may be on the wrong side by its own error alone."""
    gaps = []
    for steps in (10, 100, 1000):
        low, high = bounds(steps)
        assert low.mean() < 3 * standard_error(low)
        assert high.mean() > -3 * standard_error(high)
        gaps.append(high.mean() - low.mean())
    assert gaps[0] > 0.5
    assert abs(gaps[1]) < 0.15
    assert abs(gaps[2]) < 0.02
    assert max(abs(low.mean()), abs(high.mean())) < 0.02
    assert max(np.abs(low).mean(), np.abs(high).mean()) < 0.1


@pytest.mark.slow
def test_too_few_temperatures_show():
    low, high = map(np.concatenate, zip(*(bounds(10, key) for key in jax.random.split(KEY, 20)), strict=True))
    assert low.mean() < -5 * standard_error(low)
    assert high.mean() > 5 * standard_error(high)


@pytest.mark.slow
def test_weights_are_unbiased():
    """E w = p(x) forward, and E 1/w = 1/p(x) in reverse, at a number of temperatures that leaves wide weights."""
    forward, reverse = (
        np.stack(w) for w in zip(*(log_weights(100, key) for key in jax.random.split(KEY, 8)), strict=True)
    )
    assert forward.std(axis=(0, 1)).mean() > 0.5
    assert reverse.std(axis=(0, 1)).mean() > 0.5
    ratio, inverse = np.exp(forward).mean(axis=(0, 1)), np.exp(-reverse).mean(axis=(0, 1))  # [EXAMPLES]
    assert abs(ratio.mean() - 1) < 3 * standard_error(ratio) < 0.05
    # The chains of one example start at one z, so that a sample of p(z|x) is over all examples.
    assert abs(inverse.mean() - 1) < 3 * standard_error(inverse) < 0.2


def test_bounds_of_weights_that_overflow():
    log_w = jnp.array([[-2000.0], [-2000.0 + np.log(3.0)]])
    np.testing.assert_allclose(lower_bound(log_w), -2000 + np.log(2.0), rtol=1e-6)
    np.testing.assert_allclose(upper_bound(log_w), -2000 - np.log(2 / 3), rtol=1e-6)
