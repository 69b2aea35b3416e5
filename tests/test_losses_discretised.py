"""Likelihoods of grey values and grey levels against float64: they are normalised, and their gradients are finite."""

import itertools
import math

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.integrate
import scipy.special
import scipy.stats

from genjax.losses import discretised
from genjax.losses.likelihoods import (
    continuous_bernoulli_draw,
    continuous_bernoulli_log_prob,
    continuous_bernoulli_mean,
)

BOTH = pytest.mark.parametrize("wrap", [lambda f: f, jax.jit], ids=["eager", "jit"])
NUMBERS = np.random.default_rng(0)
KEY = jax.random.key(0)
# Both forms of the continuous Bernoulli's normaliser, and both sides of |logit| = 1/2 where they meet.
LOGITS = np.array([0, 1e-30, 1e-6, -1e-6, 0.1, 0.4999, 0.5001, -0.4999, -0.5001, 1, -3, 12, -20, 50, -50], np.float32)
SIGNIFICANCE = 1e-3  # of the tests on draws, whose keys are fixed


def log_normaliser(logit):
    """The logarithm of the integral of exp(logit x) over [0, 1], by quadrature in float64."""
    top = max(logit, 0.0)  # the largest exponent
    value, _ = scipy.integrate.quad(lambda x: math.exp(logit * x - top), 0, 1, epsabs=1e-13, epsrel=1e-12)
    return top + math.log(value)


@BOTH
@pytest.mark.parametrize("x", [0.0, 0.3, 1.0])
def test_continuous_bernoulli_is_normalised(wrap, x):
    value = wrap(continuous_bernoulli_log_prob)(jnp.asarray(LOGITS)[:, None], jnp.full((len(LOGITS), 1), x))
    chex.assert_shape(value, (len(LOGITS),))
    expected = [float(logit) * float(np.float32(x)) - log_normaliser(float(logit)) for logit in LOGITS]
    np.testing.assert_allclose(value, expected, rtol=1e-6, atol=1e-6)


def test_continuous_bernoulli_sums_over_the_event():
    log_prob = jax.jit(continuous_bernoulli_log_prob)
    logits, x = LOGITS[:12].reshape(2, 3, 2), NUMBERS.uniform(size=(2, 3, 2)).astype(np.float32)
    single = np.asarray(log_prob(logits.reshape(12, 1), x.reshape(12, 1))).reshape(2, 6)
    np.testing.assert_allclose(log_prob(logits, x), single.sum(axis=1), rtol=1e-5)


@BOTH
def test_continuous_bernoulli_gradient_is_the_numerical_derivative(wrap):
    def total(logits):
        return jnp.sum(continuous_bernoulli_log_prob(logits[:, None], jnp.full((len(LOGITS), 1), 0.25)))

    step = 1e-3
    slope = [(log_normaliser(a + step) - log_normaliser(a - step)) / (2 * step) for a in LOGITS.astype(float)]
    np.testing.assert_allclose(wrap(jax.grad(total))(jnp.asarray(LOGITS)), 0.25 - np.array(slope), atol=2e-6)
    np.testing.assert_allclose(wrap(continuous_bernoulli_mean)(jnp.asarray(LOGITS)), slope, atol=2e-6)


def test_continuous_bernoulli_has_finite_derivatives_everywhere():
    logits = jnp.array([0.0, 1e-38, 1e-6, 0.5, 50.0, 1e4, -1e-38, -1e-6, -0.5, -50.0, -1e4])

    def log_prob(logit):
        return continuous_bernoulli_log_prob(logit[None, None], jnp.ones((1, 1)))[0]

    for function in (log_prob, jax.grad(log_prob), jax.grad(jax.grad(log_prob))):
        assert np.all(np.isfinite(jax.jit(jax.vmap(function))(logits)))
    # The second derivative of the normaliser is the variance: 1/12 of a uniform variable.
    np.testing.assert_allclose(jax.jit(jax.grad(jax.grad(log_prob)))(jnp.float32(0)), -1 / 12, rtol=1e-6)


@pytest.mark.parametrize("logit", [-20.0, -0.7, 0.0, 5e-4, 2e-3, 0.5, 3.0, 40.0])
def test_continuous_bernoulli_draws_follow_the_distribution(logit):
    def distribution(x):
        return np.expm1(logit * np.asarray(x)) / np.expm1(logit) if logit else np.asarray(x)

    x = np.asarray(jax.jit(continuous_bernoulli_draw)(KEY, np.full(20_000, logit, np.float32)), np.float64)
    assert scipy.stats.kstest(x, distribution).pvalue > SIGNIFICANCE


def grid(levels):
    return np.arange(levels, dtype=np.float32) / np.float32(levels - 1)


def exact_logistic(mean, log_scale, x, levels):
    """The log-probability of a bin in float64, from the tail in which the difference loses fewest digits."""
    mean, log_scale, x = (np.asarray(values, np.float64) for values in (mean, log_scale, x))
    half, scale = 0.5 / (levels - 1), np.exp(log_scale)
    upper = np.where(x > 1 - half, np.inf, (x + half - mean) / scale)
    lower = np.where(x < half, -np.inf, (x - half - mean) / scale)
    cdf, sf = scipy.stats.logistic.cdf, scipy.stats.logistic.sf
    with np.errstate(divide="ignore"):
        return np.log(np.where(lower > 0, sf(lower) - sf(upper), cdf(upper) - cdf(lower)))


@BOTH
@pytest.mark.parametrize("levels", [2, 3, 256])
def test_logistic_levels_have_the_exact_probabilities(wrap, levels):
    pairs = np.array(list(itertools.product([-0.5, 0.0, 0.3, 1.7], [-7.0, -3.0, 0.0, 4.0])), np.float32)
    x = np.tile(grid(levels), len(pairs))[:, None]  # [pairs * levels, 1]
    mean, log_scale = (np.repeat(pairs[:, i], levels)[:, None] for i in range(2))
    arguments = (jnp.asarray(mean), jnp.asarray(log_scale), jnp.asarray(x))
    value = wrap(lambda m, s, x: discretised.logistic_log_prob(m, s, x, levels))(*arguments)
    chex.assert_shape(value, (len(x),))
    expected = exact_logistic(mean, log_scale, x, levels)[:, 0]
    # An edge of a bin is rounded to 1e-7, which the scale divides.
    error = 1e-6 + 2e-6 * np.abs(expected) + 4e-7 * np.exp(-log_scale[:, 0])
    likely = expected > -500  # float64 has the rest as a difference of numbers close to zero
    assert np.all(np.abs(value - expected)[likely] <= error[likely])
    total = scipy.special.logsumexp(np.float64(value).reshape(-1, levels), axis=1)
    assert np.all(np.abs(total) <= 1e-6 + 4e-7 * np.exp(-pairs[:, 1]))


def test_logistic_is_stable_far_from_its_mean():
    """For a small scale s, log p = -(distance from the mean to the nearer edge) / s up to e^-(bin / s)."""
    mean, log_scale, levels = jnp.full((1, 1), 0.9), jnp.full((1, 1), -12.0), 256
    x = jnp.asarray(grid(levels)[26].reshape(1, 1))
    edge = float(x[0, 0]) + 0.5 / 255
    value, slope = jax.value_and_grad(lambda mean: discretised.logistic_log_prob(mean, log_scale, x, levels)[0])(mean)
    np.testing.assert_allclose(value, -(0.9 - edge) * math.exp(12), rtol=1e-6)
    np.testing.assert_allclose(slope, [[-math.exp(12)]], rtol=1e-6)


def likelihoods_of_levels(levels, components=3):
    """For each name `(log_prob of one value's parameters and x, shape of the parameters)`."""
    return {
        "logistic": (lambda p, x: discretised.logistic_log_prob(p[..., 0], p[..., 1], x, levels), (2,)),
        "logistic_mixture": (
            lambda p, x: discretised.logistic_mixture_log_prob(p[..., 0, :], p[..., 1, :], p[..., 2, :], x, levels),
            (3, components),
        ),
        "categorical": (discretised.categorical_log_prob, (levels,)),
    }


NAMES = tuple(likelihoods_of_levels(2))


@pytest.mark.parametrize("levels", [2, 5, 256])
@pytest.mark.parametrize("name", NAMES)
def test_levels_have_probabilities_that_sum_to_one(levels, name):
    log_prob, shape = likelihoods_of_levels(levels)[name]
    log_prob = jax.jit(log_prob)
    for parameters in NUMBERS.normal(size=(4, 1, 1, *shape)).astype(np.float32):
        value = log_prob(np.repeat(parameters, levels, axis=0), grid(levels)[:, None])
        chex.assert_shape(value, (levels,))
        np.testing.assert_allclose(scipy.special.logsumexp(np.float64(value)), 0.0, atol=5e-6)


@pytest.mark.parametrize("name", NAMES)
def test_values_of_an_event_are_independent(name):
    log_prob, shape = likelihoods_of_levels(5)[name]
    log_prob = jax.jit(log_prob)
    parameters = NUMBERS.normal(size=(2, 2, 3, *shape)).astype(np.float32)
    x = grid(5)[NUMBERS.integers(5, size=(2, 2, 3))]
    single = np.asarray(log_prob(parameters.reshape(12, 1, *shape), x.reshape(12, 1))).reshape(2, 6)
    value = log_prob(parameters, x)
    chex.assert_shape(value, (2,))
    np.testing.assert_allclose(value, single.sum(axis=1), rtol=2e-6)


@pytest.mark.parametrize("size", [1.0, 50.0, 1e4])
@pytest.mark.parametrize("name", NAMES)
def test_values_and_gradients_are_finite_at_extremes(name, size):
    log_prob, shape = likelihoods_of_levels(256)[name]
    signs = np.stack(np.meshgrid(*[[-1.0, 0.0, 1.0]] * 2), axis=-1).reshape(-1, 2)  # of e.g. mean and scale
    rows = np.zeros((len(signs), 1, *shape), np.float32)
    rows[:, 0, 0] = size * signs[:, 0].reshape(-1, *[1] * (len(shape) - 1))
    rows[:, 0, -1] = size * signs[:, 1].reshape(-1, *[1] * (len(shape) - 1))
    if name == "logistic_mixture":
        rows[:, 0, 1] = size * signs[::-1, :1] * np.array([1.0, -1.0, 0.0])
    functions = [jax.jit(log_prob), jax.jit(jax.grad(lambda p, x: jnp.sum(log_prob(p, x))))]
    for level in (0, 1, 128, 255):
        x = np.full((len(rows), 1), grid(256)[level])
        assert all(np.all(np.isfinite(function(rows, x))) for function in functions), level


@BOTH
def test_mixture_is_the_weighted_sum_of_its_components(wrap):
    weights, mean, log_scale = jnp.asarray(NUMBERS.normal(size=(3, 5, 1, 4)), jnp.float32)
    x = jnp.asarray(grid(5))[:, None]
    value = wrap(lambda w, m, s, x: discretised.logistic_mixture_log_prob(w, m, s, x, 5))(weights, mean, log_scale, x)
    log_weights = scipy.special.log_softmax(np.asarray(weights, np.float64), axis=-1)
    terms = log_weights + exact_logistic(mean, log_scale, x[..., None], 5)
    np.testing.assert_allclose(value, scipy.special.logsumexp(terms, axis=-1)[:, 0], rtol=1e-5)


@BOTH
def test_categorical_is_the_softmax(wrap):
    logits = jnp.asarray(NUMBERS.normal(size=(2, 3, 256)), jnp.float32)
    level = NUMBERS.integers(256, size=(2, 3))
    expected = np.take_along_axis(scipy.special.log_softmax(np.float64(logits), axis=-1), level[..., None], axis=-1)
    value = wrap(discretised.categorical_log_prob)(logits, jnp.asarray(grid(256)[level]))
    np.testing.assert_allclose(value, expected.sum(axis=(1, 2)), rtol=1e-6)
    probability = scipy.special.softmax(np.float64(logits), axis=-1)
    np.testing.assert_allclose(
        wrap(discretised.categorical_mean)(logits), probability @ (np.arange(256) / 255), rtol=1e-6
    )


def test_means_by_hand():
    np.testing.assert_array_equal(discretised.logistic_mean(jnp.array([-3.0, 0.25, 2.0])), [0.0, 0.25, 1.0])
    weights, mean = jnp.log(jnp.array([[1.0, 3.0], [1.0, 1.0]])), jnp.array([[0.2, 0.6], [-5.0, 5.0]])
    np.testing.assert_allclose(discretised.logistic_mixture_mean(weights, mean), [0.5, 0.5], rtol=1e-6)


DRAWS = {
    "logistic": lambda rng, p, levels: discretised.logistic_draw(rng, p[..., 0], p[..., 1], levels),
    "logistic_mixture": lambda rng, p, levels: discretised.logistic_mixture_draw(
        rng, p[..., 0, :], p[..., 1, :], p[..., 2, :], levels
    ),
    "categorical": lambda rng, p, levels: discretised.categorical_draw(rng, p),
}


@pytest.mark.parametrize("levels", [2, 6])
@pytest.mark.parametrize("name", NAMES)
def test_draws_have_the_probabilities(name, levels):
    log_prob, shape = likelihoods_of_levels(levels)[name]
    parameters = jnp.asarray(0.5 + 0.7 * np.random.default_rng(levels).normal(size=shape), jnp.float32)
    if name != "categorical":
        parameters = parameters.at[-1].add(-2.0)  # scales that are as small as a bin
    draw = jax.jit(DRAWS[name], static_argnums=2)
    x = draw(KEY, jnp.broadcast_to(parameters, (20_000, *shape)), levels)
    chex.assert_shape(x, (20_000,))
    level = np.asarray(x, np.float64) * (levels - 1)
    np.testing.assert_allclose(level, level.round(), atol=1e-5)
    probability = np.exp(
        np.float64(jax.jit(log_prob)(jnp.broadcast_to(parameters, (levels, 1, *shape)), grid(levels)[:, None]))
    )
    counts = np.bincount(level.round().astype(int), minlength=levels)
    assert scipy.stats.chisquare(counts, 20_000 * probability / probability.sum()).pvalue > SIGNIFICANCE
