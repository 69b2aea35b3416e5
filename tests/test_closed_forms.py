"""Linear models whose optimum is known exactly, trained by the project's own loop; docs/theory.md derives each."""

import math
from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from cases import slow

from genjax import config as configs
from genjax.training.scan import make_train
from genjax.types import Batch, DataSpec, TrainState

N, D = 64, 6
VARIANCES = np.array([4.0, 2.0, 1.0, 0.3, 0.2, 0.1])  # zeta_i^2 = sigma_i^2 / N, the eigenvalues of X^T X / N
AXES = np.linalg.qr(np.random.default_rng(1).standard_normal((D, D)))[0]  # their eigenvectors, one in each column
STEPS, DRAWS = 4000, 1000
LINEAR = {"phi": "identity", "psi": "identity", "likelihood": "gaussian"}
ETA2 = 0.25  # the decoder's variance where it is fixed
SIGMA2 = VARIANCES[3:].mean()  # the best shared variance of a model with three codes
# The mean of log p(x) at that model's optimum, whose covariance has the eigenvalues 4, 2, 1 and three times SIGMA2.
LOG_LIKELIHOOD = -0.5 * (D * math.log(2 * math.pi) + np.log(VARIANCES[:3]).sum() + 3 * math.log(SIGMA2) + D)


class Program(NamedTuple):
    """`train(**hparams) -> state` after all steps; `evaluate(state, **hparams) -> {name: mean}` over DRAWS noises."""

    train: Callable[..., TrainState]
    evaluate: Callable[..., dict[str, jax.Array]]


def points():
    """`[N, D]`, centred, with exactly these variances along exactly these axes."""
    noise = np.random.default_rng(0).standard_normal((N, D))
    left = np.linalg.qr(noise - noise.mean(axis=0))[0]  # orthonormal columns, each of mean zero
    return jnp.asarray(left * np.sqrt(N * VARIANCES) @ AXES.T, jnp.float32)


def compiled(family, latent, optimiser="adam", learning_rate=2e-2, batch_size=N, steps=STEPS, **settings):
    """A linear model on the points; hyperparameters are traced, so one program serves every value of them."""
    config = configs.default(family)
    config.model.update(hidden=(), latent=latent, **settings)
    config.train.update(batch_size=batch_size, steps=steps)
    config.hparams.update(learning_rate=learning_rate, final_factor=1e-3)
    for name in configs.active_objectives(config):
        config.optim[name].update(optimiser=optimiser, schedule="warmup_cosine")
    configs.check(config)
    spec = DataSpec((D,), False, 1.0, np.zeros(D, np.float32), variance=float(VARIANCES.mean()))
    functions = make_train(config, spec)

    @jax.jit
    def train(hparams):
        rng = jax.random.key(0)
        state = functions.init(hparams, rng)
        indices = functions.indices(hparams, rng, state.step, steps, N)
        return functions.chunk(state, Batch(points()), indices, hparams, rng)[0]

    @jax.jit
    def evaluate(state, hparams):
        return functions.evaluate(state, Batch(jnp.tile(points(), (DRAWS, 1))), hparams, jax.random.key(1))

    def traced(changes):
        assert changes.keys() <= configs.active(config).keys(), "a hyperparameter that would not act"
        return {name: jnp.float32(value) for name, value in {**configs.active(config), **changes}.items()}

    return Program(lambda **hp: train(traced(hp)), lambda state, **hp: evaluate(state, traced(hp)))


@pytest.fixture(scope="module")
def autoencoder():
    return compiled("autoencoder", latent=4, **LINEAR)  # pyright: ignore


@pytest.fixture(scope="module")
def beta_vae():
    return compiled("vae", latent=4, likelihood="gaussian_fixed", learning_rate=0.1, batch_size=4 * N)


@pytest.fixture(scope="module")
def shared_vae():
    """One model for two tests: its program, and its state after training."""
    program = compiled(
        "vae", latent=3, likelihood="gaussian_shared", learning_rate=0.05, batch_size=4 * N, steps=2 * STEPS
    )
    return program, program.train()


def kernels(state):
    """W1 `[k, D]` and W2 `[D, k]` in the equations' orientation: columns are vectors, so kernels are transposed."""
    return tuple(np.asarray(state.params[part]["Dense_0"]["kernel"]).T for part in ("encoder", "decoder"))


def singular_values(matrix):
    return np.linalg.svd(matrix, compute_uv=False)


def span(vectors):
    """The orthogonal projector onto the columns' span."""
    q = np.linalg.qr(vectors)[0]
    return q @ q.T


def test_linear_autoencoder_finds_the_principal_subspace(autoencoder):
    """min ||X - W2 W1 X||^2 = sum of the discarded sigma_i^2, reached at every basis of PCA's subspace."""
    state = autoencoder.train(lambda_w=0.0)
    w1, w2 = kernels(state)
    np.testing.assert_allclose(autoencoder.evaluate(state, lambda_w=0.0)["recon"], VARIANCES[4:].sum(), rtol=1e-4)
    np.testing.assert_allclose(span(w2), span(AXES[:, :4]), atol=3e-3)
    np.testing.assert_allclose(w2 @ w1, span(AXES[:, :4]), atol=3e-3)


@pytest.mark.parametrize("lambda_w", [0.1, 0.5, 1.5])
def test_regularised_linear_autoencoder(autoencoder, lambda_w):
    """Kunin et al. 2019: W2 = W1^T = U (I - lambda Sigma^-2)^1/2 O^T; a direction vanishes iff sigma_i^2 <= lambda."""
    state = autoencoder.train(lambda_w=lambda_w)
    w1, w2 = kernels(state)
    variances, kept = VARIANCES[:4], VARIANCES[:4] > lambda_w
    expected = np.sqrt(np.maximum(0, 1 - lambda_w / variances))
    np.testing.assert_allclose(w2, w1.T, atol=1e-4)
    np.testing.assert_allclose(singular_values(w2), expected, atol=1e-3)
    np.testing.assert_allclose(w2 @ w1, AXES[:, :4] * expected**2 @ AXES[:, :4].T, atol=1e-3)
    minimum = np.where(kept, 2 * lambda_w - lambda_w**2 / variances, variances).sum() + VARIANCES[4:].sum()
    penalty = lambda_w * (np.sum(w1**2) + np.sum(w2**2))
    np.testing.assert_allclose(autoencoder.evaluate(state, lambda_w=lambda_w)["recon"] + penalty, minimum, rtol=1e-4)


def test_decoupled_decay_has_another_optimum():
    """A penalty of 0.5 removes the fourth direction; AdamW's decay of 0.5 keeps it, and ties no factors."""
    program = compiled("autoencoder", latent=4, optimiser="adamw", **LINEAR)  # pyright: ignore
    w1, w2 = kernels(program.train(lambda_w=0.0, weight_decay=0.5))
    penalised = np.maximum(0, 1 - 0.5 / VARIANCES[:4])
    assert np.min(singular_values(w2 @ w1)[:4] - penalised) > 0.05
    assert singular_values(w2 @ w1)[3] > 0.5
    assert np.abs(w2 - w1.T).max() > 0.05


def test_linear_vae_is_probabilistic_pca(shared_vae):
    """Tipping & Bishop 1999 and Lucas et al. 2019: W W^T = U (Lambda - sigma^2) U^T, sigma^2 the mean of the rest."""
    program, state = shared_vae
    w = kernels(state)[1]
    noise = math.exp(state.params["noise"]["log_var"])
    np.testing.assert_allclose(noise, SIGMA2, rtol=0.02)
    optimum = AXES[:, :3] * (VARIANCES[:3] - SIGMA2) @ AXES[:, :3].T + SIGMA2 * np.eye(D)
    np.testing.assert_allclose(w @ w.T + noise * np.eye(D), optimum, atol=0.03)
    np.testing.assert_allclose(program.evaluate(state)["elbo"], LOG_LIKELIHOOD, atol=0.02)


def test_linear_vae_encoder_is_the_posterior(shared_vae):
    """The best encoder has the mean M^-1 W^T (x - mu), the variances sigma^2 / diag M, with M = W^T W + sigma^2 I."""
    state = shared_vae[1]
    w, sigma2 = kernels(state)[1], math.exp(state.params["noise"]["log_var"])
    encoder = jax.tree.map(np.asarray, state.params["encoder"]["Dense_0"])
    m = w.T @ w + sigma2 * np.eye(3)
    np.testing.assert_allclose(encoder["kernel"][:, :3].T, np.linalg.solve(m, w.T), atol=0.02)
    np.testing.assert_allclose(encoder["kernel"][:, 3:], 0, atol=0.05)  # the variance is the same at every x
    np.testing.assert_allclose(np.exp(encoder["bias"][3:]), sigma2 / np.diag(m), rtol=0.03)
    np.testing.assert_allclose(m, np.diag(np.diag(m)), atol=0.05)  # training finds the axes, where the bound is tight


@pytest.mark.parametrize("angle", [0.0, slow(0.3), math.pi / 4])
def test_bound_is_tight_iff_the_posterior_is_diagonal(shared_vae, angle):
    """log p(x) - elbo = 1/2 ln(prod_i M_ii / det M) at W = U (Lambda - sigma^2)^1/2 R: a turn R costs it."""
    program, state = shared_vae
    c, s = math.cos(angle), math.sin(angle)
    w = AXES[:, :3] * np.sqrt(VARIANCES[:3] - SIGMA2) @ np.array([[c, 0, -s], [0, 1, 0], [s, 0, c]])
    m = w.T @ w + SIGMA2 * np.eye(3)
    mean, log_var = np.linalg.solve(m, w.T), np.log(SIGMA2 / np.diag(m))
    params = {
        "encoder": {"Dense_0": {"kernel": np.hstack([mean.T, 0 * mean.T]), "bias": np.hstack([0 * log_var, log_var])}},
        "decoder": {"Dense_0": {"kernel": w.T, "bias": np.zeros(D)}},
        "noise": {"log_var": np.log(SIGMA2)},
    }
    placed = state._replace(params=jax.tree.map(lambda a: jnp.asarray(a, jnp.float32), params))
    gap = 0.5 * (np.log(np.diag(m)).sum() - np.linalg.slogdet(m)[1])
    assert gap > 0.03 or angle == 0
    np.testing.assert_allclose(program.evaluate(placed)["elbo"], LOG_LIKELIHOOD - gap, atol=0.02)


@pytest.mark.parametrize("beta", [slow(0.5), slow(1.0), 2.0])
def test_beta_vae_collapses_where_beta_times_the_noise_exceeds_the_variance(beta_vae, beta):
    """Decoder singular values sqrt(max(0, zeta_i^2 - beta eta^2)), latent variances min(1, beta eta^2 / zeta_i^2)."""
    hparams = {"beta": beta, "decoder_variance": ETA2}
    state = beta_vae.train(**hparams)
    w, variances, kept = kernels(state)[1], VARIANCES[:4], VARIANCES[:4] > beta * ETA2
    np.testing.assert_allclose(singular_values(w), np.sqrt(np.maximum(0, variances - beta * ETA2)), atol=0.02)
    latent = np.exp(state.params["encoder"]["Dense_0"]["bias"][4:])
    np.testing.assert_allclose(np.sort(latent), np.minimum(1, beta * ETA2 / variances), rtol=0.03)
    kl = 0.5 * np.sum(np.log(variances[kept] / (beta * ETA2)))
    reached = beta_vae.evaluate(state, **hparams)
    np.testing.assert_allclose(reached["kl"], kl, atol=0.03)
    costs = np.where(kept, beta * ETA2 * (1 + np.log(variances / (beta * ETA2))), variances)
    minimum = (costs.sum() + VARIANCES[4:].sum()) / (2 * ETA2)
    np.testing.assert_allclose(reached["loss"], minimum + D / 2 * math.log(2 * math.pi * ETA2), atol=0.05)
