"""Likelihoods, divergences and adversarial losses against hand values and scipy."""

import math

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.integrate
import scipy.stats

from genjax.losses import likelihoods
from genjax.losses.adversarial import LOSSES
from genjax.losses.divergences import standard_normal_kl
from genjax.losses.penalties import r1_penalty
from genjax.losses.regularisers import kernel_norm
from genjax.nn.layers import ACTIVATIONS

BOTH = pytest.mark.parametrize("wrap", [lambda f: f, jax.jit], ids=["eager", "jit"])
NUMBERS = np.random.default_rng(0)


@BOTH
@pytest.mark.parametrize(
    ("logits", "x", "expected"),
    [
        ([[0.0, 0.0]], [[0.0, 1.0]], -2 * math.log(2)),
        ([[math.log(3)]], [[1.0]], math.log(0.75)),
        ([[math.log(3)]], [[0.0]], math.log(0.25)),
        ([[math.log(3)]], [[0.5]], 0.5 * math.log(0.75) + 0.5 * math.log(0.25)),
        ([[200.0, -200.0]], [[0.0, 1.0]], -400.0),
        ([[200.0, -200.0]], [[1.0, 0.0]], 0.0),
    ],
)
@pytest.mark.parametrize("log_prob", [likelihoods.bernoulli_log_prob, likelihoods.bernoulli_log_prob_forward])
def test_bernoulli_by_hand(wrap, log_prob, logits, x, expected):
    value = wrap(log_prob)(jnp.array(logits), jnp.array(x))
    chex.assert_shape(value, (1,))
    np.testing.assert_allclose(value, [expected], rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("shape", [(28, 28, 1), (7,), (13, 17), (8, 8, 3), (1,)])
@pytest.mark.parametrize("scale", [0.1, 3.0, 80.0])
def test_bernoulli_of_many_dimensions(shape, scale):
    """Both forms against float64, whatever the number of dimensions is divisible by, and far from zero."""
    logits, x = scale * NUMBERS.normal(size=(5, *shape)), NUMBERS.uniform(size=(5, *shape))
    exact = (x * logits - np.logaddexp(0, logits)).reshape(5, -1).sum(axis=1)
    for log_prob in (likelihoods.bernoulli_log_prob, likelihoods.bernoulli_log_prob_forward):
        value = log_prob(jnp.asarray(logits, jnp.float32), jnp.asarray(x, jnp.float32))
        np.testing.assert_allclose(value, exact, rtol=2e-6, atol=2e-5 * scale)


@BOTH
def test_gaussian_is_scipys(wrap):
    mean, x, log_var = jnp.asarray(NUMBERS.normal(size=(3, 5, 2, 3)), jnp.float32)
    value = wrap(likelihoods.gaussian_log_prob)(mean, log_var, x)
    chex.assert_shape(value, (5,))
    expected = scipy.stats.norm.logpdf(x, mean, np.exp(log_var / 2)).sum((1, 2))
    np.testing.assert_allclose(value, expected, rtol=1e-5)
    shared = wrap(likelihoods.gaussian_log_prob)(mean, jnp.float32(0.3), x)
    np.testing.assert_allclose(shared, scipy.stats.norm.logpdf(x, mean, math.exp(0.15)).sum((1, 2)), rtol=1e-5)


def test_squared_error_by_hand():
    value = likelihoods.squared_error(jnp.array([[1.0, 2.0], [0.0, 0.0]]), jnp.array([[0.0, 4.0], [0.0, 0.0]]))
    np.testing.assert_array_equal(value, [5.0, 0.0])


def test_binarisation_has_the_right_mean_and_never_errs_at_the_ends():
    grey = jnp.repeat(jnp.arange(256, dtype=jnp.float32)[:, None] / 255, 20_000, axis=1)
    drawn = np.asarray(likelihoods.binarise(jax.random.key(0), grey))
    assert set(np.unique(drawn)) == {0.0, 1.0}
    assert drawn[0].max() == 0.0
    assert drawn[255].min() == 1.0
    # Within 1/512 of the grey value by the rule, and five standard errors of 20,000 draws.
    p = np.arange(256) / 255
    assert np.all(np.abs(drawn.mean(axis=1) - p) <= 1 / 512 + 5 * np.sqrt(p * (1 - p) / 20_000))
    assert abs(drawn.mean() - 0.5) < 1e-3


@BOTH
def test_kl_is_the_integral(wrap):
    for mean, log_var in [(0.0, 0.0), (1.5, -0.7), (-0.3, 1.1)]:
        q, p = scipy.stats.norm(mean, math.exp(log_var / 2)), scipy.stats.norm()
        expected, _ = scipy.integrate.quad(lambda z, q=q, p=p: q.pdf(z) * (q.logpdf(z) - p.logpdf(z)), -12, 12)
        value = wrap(standard_normal_kl)(jnp.array([[mean]]), jnp.array([[log_var]]))
        chex.assert_shape(value, (1, 1))
        np.testing.assert_allclose(value, [[expected]], atol=1e-6)


def log_gamma(logit: float) -> float:
    return -math.log1p(math.exp(-logit))


@BOTH
@pytest.mark.parametrize(
    ("name", "second", "generator"),
    [
        ("nonsaturating", lambda f: -log_gamma(-f), lambda f: -log_gamma(f)),
        ("minimax", lambda f: -log_gamma(-f), lambda f: log_gamma(-f)),
        ("log_difference", lambda f: -(1 - log_gamma(f)), lambda f: -log_gamma(f)),
    ],
)
def test_adversarial_losses_by_hand(wrap, name, second, generator):
    real, fake = jnp.array([-1.0, 0.0, 2.0]), jnp.array([0.5, -3.0, 1.0])
    value = wrap(LOSSES[name].discriminator)(real, fake)
    expected = [-log_gamma(float(r)) + second(float(f)) for r, f in zip(real, fake, strict=True)]
    chex.assert_shape(value, (3,))
    np.testing.assert_allclose(value, expected, rtol=1e-5)
    np.testing.assert_allclose(wrap(LOSSES[name].generator)(real, fake), [generator(float(f)) for f in fake], rtol=1e-5)


def test_extreme_logits_stay_finite():
    ends = jnp.array([-1e4, 1e4])
    for game in LOSSES.values():
        for value in (game.discriminator(ends, ends), game.discriminator(ends, -ends), game.generator(-ends, ends)):
            assert np.all(np.isfinite(value))


def test_log_difference_is_unbounded_below_and_the_others_are_not():
    real, fake = jnp.array([1e4]), jnp.array([-1e4])
    assert LOSSES["log_difference"].discriminator(real, fake)[0] < -9e3
    for name in ("nonsaturating", "minimax", "least_squares", "hinge", "relativistic"):
        assert LOSSES[name].discriminator(real, fake)[0] >= 0


def test_r1_is_half_the_squared_norm_of_the_slope():
    w = jnp.array(NUMBERS.normal(size=(6,)).astype(np.float32))
    x = jnp.array(NUMBERS.normal(size=(4, 2, 3)).astype(np.float32))
    linear = r1_penalty(lambda v: v.reshape(4, 6) @ w, x)
    chex.assert_shape(linear, (4,))
    np.testing.assert_allclose(linear, np.full(4, 0.5 * float(w @ w)), rtol=1e-5)
    quadratic = r1_penalty(lambda v: jnp.sum(v**2, axis=(1, 2)), x)
    np.testing.assert_allclose(quadratic, 2 * np.sum(np.asarray(x) ** 2, axis=(1, 2)), rtol=1e-5)


def test_kernel_norm_takes_kernels_and_no_bias():
    params = {"a": {"kernel": jnp.full((2, 3), 2.0), "bias": jnp.full(3, 7.0)}, "b": {"c": {"kernel": jnp.ones(4)}}}
    assert kernel_norm(params) == 28.0


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_activations_keep_the_shape_and_bend(name):
    x = jnp.linspace(-2, 2, 12).reshape(3, 4)
    y = ACTIVATIONS[name](x)
    chex.assert_equal_shape([x, y])
    second = np.abs(np.diff(np.asarray(y).reshape(-1), 2)).max()
    assert (second < 1e-6) == (name == "identity")


def test_kernel_norm_takes_any_tree():
    layer = {"kernel": jnp.full(3, 2.0), "bias": jnp.full(3, 7.0)}
    assert kernel_norm((layer, [jnp.ones(4), {"deep": [layer]}], jnp.ones(5))) == 24.0
    assert kernel_norm(jnp.ones(5)) == 0.0
    assert kernel_norm({}) == 0.0


def test_kernel_norm_of_the_trained_parts():
    params = {
        "encoder": {"kernel": jnp.ones(3)},
        "decoder": {"kernel": jnp.ones(5)},
        "vectors": {"kernel": jnp.ones(7)},
    }
    assert kernel_norm(params, ("encoder", "decoder")) == 8.0
    assert kernel_norm(params, ()) == 0.0
    assert kernel_norm({"kernel": {"encoder": jnp.ones(3)}}, ("kernel",)) == 0.0
    assert kernel_norm(params) == kernel_norm(params, params) == 15.0
