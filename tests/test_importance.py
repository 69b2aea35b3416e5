"""Importance-sampled log-likelihood: against closed forms, against float64 by hand, and as a streaming sum."""

import math
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from cases import SHAPE, few_quick, images, slow, small_config, spec_of

from genjax.metrics.importance import importance
from genjax.models import FAMILIES
from genjax.types import Batch, DataSpec

KEY = jax.random.key(0)
D, LATENT, SIGMA2 = 6, 2, 0.3


def linear_vae(angle, widen=0.0):
    """p(x|z) = N(W z, s^2), its covariance W W^T + s^2, and the mean-field posterior, its variances widened."""
    rng = np.random.default_rng(3)
    turn = np.array([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])
    w = np.linalg.qr(rng.normal(size=(D, LATENT)))[0] * [1.5, 0.8] @ turn
    m = w.T @ w + SIGMA2 * np.eye(LATENT)
    mean, log_var = np.linalg.solve(m, w.T), np.log(SIGMA2 / np.diag(m)) + widen
    params = {
        "encoder": {"Dense_0": {"kernel": np.hstack([mean.T, 0 * mean.T]), "bias": np.hstack([0 * log_var, log_var])}},
        "decoder": {"Dense_0": {"kernel": w.T, "bias": np.zeros(D)}},
    }
    settings = {**FAMILIES["vae"].settings, "hidden": (), "latent": LATENT, "likelihood": "gaussian_fixed"}
    spec = DataSpec((D,), False, 1.0, np.zeros(D, np.float32))
    hparams = {"beta": 1.0, "decoder_variance": SIGMA2, "step": 0}
    model = FAMILIES["vae"].make(settings, spec, hparams)
    covariance = w @ w.T + SIGMA2 * np.eye(D)
    x = rng.multivariate_normal(np.zeros(D), covariance, size=20)
    exact = -0.5 * (np.linalg.slogdet(2 * np.pi * covariance)[1] + np.sum(x * np.linalg.solve(covariance, x.T).T, 1))
    return model, jax.tree.map(lambda a: jnp.asarray(a, jnp.float32), params), jnp.asarray(x, jnp.float32), exact


def measured(model, params, x, k, block=50, key=KEY):
    return jax.jit(lambda: importance(partial(model.log_weights, params), Batch(x), key, k, block))()


def test_exact_posterior_needs_one_sample():
    """Where q(z|x) = p(z|x) every weight is p(x) itself: the value is exact and its variance nought."""
    found = measured(*linear_vae(angle=0.0)[:3], k=1)
    np.testing.assert_allclose(found.log_likelihood, linear_vae(angle=0.0)[3], rtol=1e-4)
    np.testing.assert_allclose(found.elbo, found.log_likelihood, rtol=1e-5)
    many = measured(*linear_vae(angle=0.0)[:3], k=40)
    np.testing.assert_allclose(many.relative_variance, 0, atol=1e-5)


@pytest.mark.parametrize(("angle", "widen"), [(math.pi / 4, 0.0), (0.0, 0.7), (0.3, 1.0)])
def test_converges_to_probabilistic_pca(angle, widen):
    """Tipping & Bishop 1999: log p(x) = log N(x; 0, W W^T + s^2), reached within four of the stated errors."""
    model, params, x, exact = linear_vae(angle, widen)
    found = measured(model, params, x, k=5000)
    error = np.sqrt(found.relative_variance)
    assert np.all(error < 0.05)
    assert np.all(np.abs(found.log_likelihood - exact) < 4 * error + 1e-3)
    assert np.all(found.elbo < found.log_likelihood)
    assert np.mean(exact - found.elbo) > 0.02  # the posterior is wrong, and the bound shows it


def test_grows_with_k_in_expectation_and_never_above_the_truth():
    """Burda et al. 2016, theorem 1: L_1 <= L_k <= L_(k+1) <= log p(x). Means over 400 keys, within their errors."""
    model, params, x, exact = linear_vae(angle=0.3, widen=1.0)
    keys = jax.random.split(KEY, 400)
    means, errors = [], []
    for k in (1, 3, 10, 50):
        values = jax.vmap(lambda key, k=k: measured(model, params, x, k, key=key).log_likelihood.mean())(keys)
        means.append(float(values.mean()))
        errors.append(float(values.std() / 20))
    assert np.all(np.diff(means) > 3 * np.hypot(errors[1:], errors[:-1]))
    assert means[-1] < exact.mean() + 3 * errors[-1]


def test_agrees_with_float64_by_hand():
    """A Bernoulli VAE, 64 pixels: the same draws through NumPy in double precision."""
    config = small_config("vae", {"data.dynamic_binarisation": True})
    model = FAMILIES["vae"].make(config.model, spec_of(config), {"beta": 1.0, "step": 0})
    x = jnp.asarray(images() > 127, jnp.float32)
    params = jax.tree.map(lambda p: p + 0.3 * jax.random.normal(KEY, p.shape), model.init(KEY, Batch(x)))
    k, block = 64, 16
    found = measured(model, params, x, k, block)

    p = jax.tree.map(lambda leaf: np.asarray(leaf, np.float64), params)
    flat = np.asarray(x, np.float64).reshape(len(x), -1)

    def net(part, h):
        h = np.maximum(0, h @ p[part]["Dense_0"]["kernel"] + p[part]["Dense_0"]["bias"])
        return h @ p[part]["Dense_1"]["kernel"] + p[part]["Dense_1"]["bias"]

    mean, log_var = np.split(net("encoder", flat), 2, axis=-1)
    draws = [jax.random.normal(jax.random.fold_in(KEY, i), (block, *mean.shape)) for i in range(k // block)]
    eps = np.concatenate([np.asarray(draw, np.float64) for draw in draws])  # [k, b, latent]
    z = mean + np.exp(log_var / 2) * eps
    a = net("decoder", z.reshape(-1, z.shape[-1])).reshape(k, len(x), -1)
    log_w = (flat * a - np.logaddexp(0, a)).sum(-1) + 0.5 * (eps**2 + log_var - z**2).sum(-1)
    by_hand = np.log(np.mean(np.exp(log_w - log_w.max(0)), axis=0)) + log_w.max(0)
    np.testing.assert_allclose(found.log_likelihood, by_hand, rtol=1e-5)
    np.testing.assert_allclose(found.elbo, log_w.mean(0), rtol=1e-5)
    w = np.exp(log_w - log_w.max(0))
    np.testing.assert_allclose(found.relative_variance, (w**2).sum(0) / w.sum(0) ** 2 - 1 / k, atol=1e-4)


@pytest.mark.parametrize("scale", [1.0, 300.0, 1e-3])
@pytest.mark.parametrize(("k", "block"), [(7, 3), slow(8, 4), slow(5, 50), slow(1, 1), slow(12, 5)])
def test_streams_as_one_sum(scale, k, block):
    """Any number of samples, blocks that do not divide it, and weights beyond what an exponential holds."""
    drawn = []

    def log_weights(batch, rng, n):
        return scale * jax.random.normal(rng, (n, batch.x.shape[0])) - 1000

    blocks = -(-k // min(block, k))
    drawn = [log_weights(Batch(jnp.zeros(4)), jax.random.fold_in(KEY, i), min(block, k)) for i in range(blocks)]
    log_w = np.concatenate(drawn).astype(np.float64)[:k]
    found = importance(log_weights, Batch(jnp.zeros(4)), KEY, k, block)
    top = log_w.max(0)
    np.testing.assert_allclose(found.log_likelihood, top + np.log(np.exp(log_w - top).mean(0)), rtol=1e-6)
    np.testing.assert_allclose(found.elbo, log_w.mean(0), rtol=1e-5)


@pytest.mark.parametrize("name", few_quick(["bernoulli", "gaussian_pixel", "gaussian_shared", "gaussian_fixed"], 1))
def test_the_bound_is_the_training_objective(name):
    """The mean log-weight is an estimate of the elbo that training reports: recon and kl, whatever the decoder."""
    config = small_config("vae", {"model.likelihood": name})
    hparams = {"beta": 1.0, "decoder_variance": 0.1, "step": 0}
    model = FAMILIES["vae"].make(config.model, spec_of(config), hparams)
    x = jnp.asarray(images(), jnp.float32) / 255
    params = model.init(KEY, Batch(x))
    keys = jax.random.split(KEY, 2000)
    elbos = jax.vmap(lambda key: model.evaluate(params, Batch(x), key)["elbo"])(keys)  # [keys, b]
    trained, error = elbos.mean(axis=0), 6 * np.std(elbos, axis=0) / math.sqrt(2000)
    found = measured(model, params, x, k=2000)
    assert x.shape[1:] == SHAPE
    assert np.all(np.abs(found.elbo - trained) < 2 * error + 0.02)
    assert np.all(found.log_likelihood >= found.elbo)
