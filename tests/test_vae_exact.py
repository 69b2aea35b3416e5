"""The bounds, priors and layers of the VAE against exact values, in models whose log p(x) is known."""

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
from cases import slow
from present import present

from genjax.losses.bounds import BOUNDS
from genjax.models import FAMILIES
from genjax.rng import stream
from genjax.types import Batch, DataSpec

D, LATENT, UPPER, VARIANCE = 4, 2, 2, 0.3
NUMBERS = np.random.default_rng(0)
SPEC = DataSpec(shape=(D,), bounded=False, scale=1.0, mean=np.zeros(D, np.float32), examples=100, classes=3)
LINEAR = {"hidden": (), "latent": LATENT, "likelihood": "gaussian_fixed", "upper_hidden": (), "upper_latent": UPPER}
X = NUMBERS.normal(size=(3, D)).astype(np.float32)
LABEL = jnp.array([0, 1, 2])


def vae(**changes):
    """A linear Gaussian VAE, `(model, params)`: x = W z + b + noise, from random networks without hidden layers."""
    family = FAMILIES["vae"]
    hparams = {**family.hparams, "decoder_variance": VARIANCE, "step": 0, "progress": 0.0}
    hparams |= {name: changes.pop(name) for name in list(changes) if name in family.hparams}
    settings = {"family": "vae", **family.settings, **LINEAR, **changes}
    model = family.make(settings, SPEC, {name: jnp.float32(value) for name, value in hparams.items()})
    params = model.init(jax.random.key(1), Batch(jnp.zeros((1, D)), jnp.zeros(1, jnp.int32)))
    return model, params


def batch_of(x=X):
    return Batch(jnp.asarray(x), LABEL[: len(x)])


def dense(params):
    layer = params["Dense_0"]
    return np.asarray(layer["kernel"], np.float64).T, np.asarray(layer["bias"], np.float64)


def exact_log_p(params, x=X, mean=None, covariance=None):
    """log N(x; W m + b, W C W' + s^2 I) with z ~ N(m, C)."""
    weights, bias = dense(params["decoder"])
    mean = np.zeros(LATENT) if mean is None else mean
    covariance = np.eye(LATENT) if covariance is None else covariance
    spread = weights @ covariance @ weights.T + VARIANCE * np.eye(D)
    return np.atleast_1d(scipy.stats.multivariate_normal(weights @ mean + bias, spread).logpdf(x))


def estimate(model, params, k, seed=0, x=X):
    """log 1/k sum w of each example, and its standard error by the delta method."""
    log_w = np.asarray(present(model.log_weights)(params, batch_of(x), jax.random.key(seed), k), np.float64)
    value = scipy.special.logsumexp(log_w, axis=0) - math.log(k)
    return value, np.std(np.exp(log_w - value), axis=0) / math.sqrt(k)


def losses(model, params, draws, x=X, name="elbo"):
    """The loss at many keys, `[draws]`."""
    keys = jax.random.split(jax.random.key(2), draws)
    objective = model.objectives[name]
    return np.asarray(jax.jit(jax.vmap(lambda key: objective.loss(params, batch_of(x), key)[0]))(keys))


def gradients(model, params, draws):
    """The gradient at many keys, each a vector for every part: `{part: [draws, n]}`."""
    keys = jax.random.split(jax.random.key(3), draws)
    loss = model.objectives["elbo"].loss
    trees = jax.jit(jax.vmap(lambda key: jax.grad(lambda p: loss(p, batch_of(), key)[0])(params)))(keys)
    return {
        part: np.concatenate([np.reshape(leaf, (draws, -1)) for leaf in jax.tree.leaves(tree)], axis=1)
        for part, tree in trees.items()
    }


def assert_same_mean(first, second, errors=4.5):
    """Two estimates of one vector agree within so many standard errors in every entry."""
    difference = first - second
    error = difference.std(axis=0) / math.sqrt(len(difference))
    assert np.all(np.abs(difference.mean(axis=0)) <= errors * error + 1e-6)


def test_importance_weights_give_the_exact_likelihood():
    model, params = vae()
    value, error = estimate(model, params, 200_000)
    np.testing.assert_array_less(error, 0.05)
    np.testing.assert_array_less(np.abs(value - exact_log_p(params)), 5 * error)


def test_bounds_grow_with_the_draws_and_stay_below_the_likelihood():
    exact = exact_log_p(vae()[1]).mean()
    means = []
    for k in (1, 5, 50):
        model, params = vae(bound="iwae", samples=k)
        values = -losses(model, params, 4000)
        means.append((values.mean(), values.std() / math.sqrt(len(values))))
    for (low, low_error), (high, high_error) in itertools.pairwise([*means, (exact, 0.0)]):
        assert high - low > 4 * math.hypot(low_error, high_error)


def test_one_draw_is_the_elbo():
    """In expectation, for the ELBO has its rate in closed form."""
    closed, params = vae()
    exact, values = -losses(closed, params, 20_000), -losses(vae(bound="iwae")[0], params, 20_000)
    assert abs(exact.mean() - values.mean()) < 4 * math.hypot(exact.std(), values.std()) / math.sqrt(20_000)
    log_w = jnp.asarray(NUMBERS.normal(size=(1, 1, 5)), jnp.float32)
    for name in ("iwae", "miwae", "dreg", "piwae"):
        chex.assert_trees_all_close(BOUNDS[name].value(log_w, {}), BOUNDS["elbo"].value(log_w, {}), rtol=1e-6)


def test_bounds_by_hand():
    w = NUMBERS.uniform(0.1, 3.0, size=(2, 3, 4))
    log_w, hparams = jnp.log(jnp.asarray(w, jnp.float32)), {"elbo_share": 0.25}
    elbo, iwae = np.log(w).mean(axis=(0, 1)), np.log(w.mean(axis=(0, 1)))
    by_hand = {
        "elbo": elbo,
        "stl": elbo,
        "iwae": iwae,
        "dreg": iwae,
        "piwae": iwae,
        "miwae": np.log(w.mean(axis=1)).mean(axis=0),
        "ciwae": 0.25 * elbo + 0.75 * iwae,
    }
    for name, expected in by_hand.items():
        np.testing.assert_allclose(BOUNDS[name].value(log_w, hparams), expected, rtol=1e-5)
    for alpha, expected in [
        (0.0, iwae),
        (1.0, elbo),
        (0.9999, elbo),
        (-1.0, 0.5 * np.log((w**2).mean((0, 1)))),
        (0.5, 2 * np.log((w**0.5).mean((0, 1)))),
    ]:
        value, slope = jax.value_and_grad(
            lambda log_w, alpha=alpha: jnp.sum(BOUNDS["renyi"].value(log_w, {"renyi_alpha": jnp.float32(alpha)}))
        )(log_w)
        np.testing.assert_allclose(value, expected.sum(), rtol=1e-4)
        chex.assert_tree_all_finite(slope)
    assert set(by_hand) | {"renyi"} == set(BOUNDS)


@pytest.mark.parametrize(
    "changes",
    [
        {},
        slow({"beta": 0.5}),
        slow({"beta": 2.0}),
        slow({"layers": 2, "posterior": "ladder"}),
        slow({"posterior": "flow", "couplings": 2, "coupling_hidden": 3}),
    ],
)
def test_dreg_is_unbiased_with_a_smaller_variance(changes):
    draws, k = 20_000, 8
    params = vae(**changes)[1]
    plain, double = (gradients(vae(bound=name, samples=k, **changes)[0], params, draws) for name in ("iwae", "dreg"))
    assert_same_mean(plain["encoder"], double["encoder"])
    np.testing.assert_allclose(plain["decoder"], double["decoder"], rtol=2e-3, atol=2e-4)
    assert double["encoder"].var(axis=0).sum() < 0.7 * plain["encoder"].var(axis=0).sum()


def test_stl_is_unbiased_and_without_variance_at_the_posterior():
    draws, params = 20_000, vae()[1]
    closed, path = (gradients(vae(bound=name)[0], params, draws) for name in ("elbo", "stl"))
    assert_same_mean(closed["encoder"], path["encoder"])
    np.testing.assert_allclose(closed["decoder"], path["decoder"], rtol=2e-3, atol=2e-4)
    exact = exact_posterior(params)
    np.testing.assert_allclose(gradients(vae(bound="stl")[0], exact, 50)["encoder"], 0, atol=2e-4)
    assert np.abs(gradients(vae()[0], exact, 50)["encoder"]).max() > 0.05


def exact_posterior(params):
    """A decoder with orthogonal columns, whose posterior has a diagonal covariance, and the encoder that is it."""
    weights, bias = dense(params["decoder"])
    weights = np.linalg.qr(weights)[0] * np.array([1.0, 0.5])  # [D, LATENT]
    precision = 1 + (weights**2).sum(axis=0) / VARIANCE
    gain = weights / VARIANCE / precision  # [D, LATENT]
    encoder = {
        "kernel": np.concatenate([gain, np.zeros((D, LATENT))], axis=1),
        "bias": np.concatenate([-bias @ gain, -np.log(precision)]),
    }
    decoder = {"kernel": weights.T, "bias": bias}
    return jax.tree.map(jnp.float32, {"encoder": {"Dense_0": encoder}, "decoder": {"Dense_0": decoder}})


@pytest.mark.parametrize("bound", ["elbo", "iwae"])
def test_at_the_posterior_every_bound_is_the_likelihood(bound):
    exact = exact_posterior(vae()[1])
    values = -losses(vae(bound=bound, samples=3)[0], exact, 200)
    if bound == "iwae":
        np.testing.assert_allclose(values, exact_log_p(exact).mean(), rtol=1e-4)
    assert abs(values.mean() - exact_log_p(exact).mean()) < 5 * values.std() / math.sqrt(200) + 1e-3


def test_piwae_trains_the_decoder_by_all_draws_and_the_encoder_by_groups():
    params, sizes = vae()[1], {"samples": 4, "groups": 3}
    both = gradients(vae(bound="piwae", **sizes)[0], params, 20)
    np.testing.assert_allclose(
        both["decoder"], gradients(vae(bound="iwae", samples=12)[0], params, 20)["decoder"], rtol=1e-3, atol=1e-4
    )
    np.testing.assert_allclose(
        both["encoder"], gradients(vae(bound="miwae", **sizes)[0], params, 20)["encoder"], rtol=1e-3, atol=1e-4
    )


@pytest.mark.slow
def test_two_layers_have_the_exact_likelihood():
    """z2 ~ N(0, I), z = A z2 + a + noise, x = W z + b + noise: all Gaussian."""
    model, params = vae(layers=2)
    kernel = np.array(params["upper_decoder"]["Dense_0"]["kernel"])
    kernel[:, LATENT:] = 0.0  # the variance of p(z|z2) is made a constant
    log_var = np.array([-0.5, 0.3])
    bias = np.concatenate([[0.2, -0.4], log_var]).astype(np.float32)
    params = {**params, "upper_decoder": {"Dense_0": {"kernel": jnp.asarray(kernel), "bias": jnp.asarray(bias)}}}
    spread = kernel[:, :LATENT].T.astype(np.float64) @ kernel[:, :LATENT] + np.diag(np.exp(log_var))
    exact = exact_log_p(params, mean=bias[:LATENT].astype(np.float64), covariance=spread)
    value, error = estimate(model, params, 400_000)
    np.testing.assert_array_less(error, 0.15)
    np.testing.assert_array_less(np.abs(value - exact), 5 * error)
    z = np.asarray(present(model.prior)(params, jax.random.key(0), 200_000))
    np.testing.assert_allclose(np.cov(z.T), spread, atol=0.03)
    scores, path = (gradients(vae(layers=2, bound=bound)[0], params, 20_000) for bound in ("elbo", "stl"))
    for part in ("encoder", "upper_encoder"):  # the path gradient is unbiased in both layers
        assert_same_mean(path[part], scores[part])


def exact_ladder(params):
    """A ladder that is the posterior of x = W z + b + noise, z = A z2 + a + noise, with orthogonal W and a diagonal A.

    Returns:
      `(params, log p(x) of each example)`.
    """
    weights, bias = dense(params["decoder"])
    weights = np.linalg.qr(weights)[0] * np.array([1.0, 0.5])  # [D, LATENT]
    scale, offset, variance = np.array([1.2, -0.7]), np.array([0.2, -0.4]), np.array([0.6, 1.3])
    squares = (weights**2).sum(axis=0)
    gain, error = weights / squares, VARIANCE / squares  # the likelihood of z is N((x - b) W / |W|^2, s^2 / |W|^2)
    precision = 1 + scale**2 / (variance + error)
    slope = scale / (variance + error) / precision
    zeros = np.zeros((LATENT, UPPER))
    layers = {
        "decoder": (weights.T, bias),
        "encoder": (np.concatenate([gain, np.zeros((D, LATENT))], axis=1), np.append(-bias @ gain, np.log(error))),
        "upper_decoder": (np.concatenate([np.diag(scale), zeros], axis=1), np.append(offset, np.log(variance))),
        "upper_encoder": (
            np.concatenate([np.diag(slope), zeros], axis=1),
            np.append(-offset * slope, -np.log(precision)),
        ),
    }
    exact = {name: {"Dense_0": {"kernel": kernel, "bias": bias}} for name, (kernel, bias) in layers.items()}
    log_p = exact_log_p(exact, mean=offset, covariance=np.diag(scale**2 + variance))
    return jax.tree.map(jnp.float32, exact), log_p


def test_a_ladder_can_be_the_posterior_of_both_layers():
    """Every weight is then p(x) itself, so draws, densities and the product of both Gaussians are consistent."""
    model, params = vae(layers=2, posterior="ladder")
    params, log_p = exact_ladder(params)
    log_w = present(model.log_weights)(params, batch_of(), jax.random.key(0), 1000)
    np.testing.assert_allclose(log_w, np.broadcast_to(log_p, log_w.shape), rtol=2e-4)
    drawn = present(model.infer)(params, Batch(jnp.repeat(jnp.asarray(X[:1]), 50_000, axis=0)), jax.random.key(1))
    mode = present(model.encode)(params, batch_of())[0]
    np.testing.assert_allclose(np.mean(drawn, axis=0), mode, atol=0.02)


def test_a_ladder_with_one_draw_is_the_elbo():
    """To the bit of a sum, for no rate of it has a closed form; and its parts are those of the weights."""
    bounds = {name: vae(layers=2, posterior="ladder", bound=name) for name in ("elbo", "iwae")}
    elbo, iwae = (losses(model, params, 50) for model, params in bounds.values())
    np.testing.assert_allclose(elbo, iwae, rtol=1e-5)
    model, params = bounds["elbo"]
    rng = jax.random.key(4)
    measured, log_w = model.evaluate(params, batch_of(), rng), present(model.log_weights)(params, batch_of(), rng, 1)
    np.testing.assert_allclose(measured["elbo"], log_w[0], rtol=1e-5)
    np.testing.assert_allclose(measured["kl"], present(model.rates)(params, batch_of(), rng)[:, 0], rtol=1e-5)


@pytest.mark.slow
def test_the_path_gradient_of_a_ladder_is_unbiased():
    params = vae(layers=2, posterior="ladder")[1]
    scores, path = (gradients(vae(layers=2, posterior="ladder", bound=b)[0], params, 20_000) for b in ("elbo", "stl"))
    for part in scores:
        assert_same_mean(path[part], scores[part])


@pytest.mark.parametrize("prior", [slow("mixture"), "vamp", slow("class")])
def test_priors_are_densities_of_their_draws(prior):
    condition = {"condition": "label"} if prior == "class" else {}
    model, params = vae(prior=prior, latent=1, components=3, **condition)
    simulate, densities = present(model.simulate), present(model.log_densities)
    grid = np.linspace(-15, 15, 6001)
    for label in range(3 if condition else 1):
        batch = Batch(jnp.zeros((len(grid), D)), jnp.full(len(grid), label))
        density = np.exp(np.asarray(densities(params, batch, jnp.asarray(grid, jnp.float32)[:, None])[0], np.float64))
        np.testing.assert_allclose(scipy.integrate.trapezoid(density, grid), 1.0, atol=1e-3)
        batch, z = simulate(params, jax.random.key(0), 100_000)
        drawn = np.asarray(z[:, 0])[np.asarray(batch.label) == label] if condition else np.asarray(z[:, 0])
        mean = scipy.integrate.trapezoid(grid * density, grid)
        variance = scipy.integrate.trapezoid((grid - mean) ** 2 * density, grid)
        assert abs(drawn.mean() - mean) < 5 * math.sqrt(variance / len(drawn))
        np.testing.assert_allclose(drawn.var(), variance, rtol=0.05)


@pytest.mark.parametrize("prior", ["mixture", slow("vamp")])
def test_mixture_priors_have_the_exact_likelihood(prior):
    """p(x) is a mixture of Gaussians, one for each component."""
    model, params = vae(prior=prior, components=3)
    if prior == "vamp":
        weights, bias = dense(params["encoder"])
        out = np.asarray(params["prior"]["inputs"], np.float64) @ weights.T + bias
        means, log_vars = out[:, :LATENT], out[:, LATENT:]
    else:
        means, log_vars = (np.asarray(params["prior"][name], np.float64) for name in ("mean", "log_var"))
    parts = [exact_log_p(params, mean=m, covariance=np.diag(np.exp(v))) for m, v in zip(means, log_vars, strict=True)]
    exact = scipy.special.logsumexp(parts, axis=0) - math.log(3)
    value, error = estimate(model, params, 400_000)
    np.testing.assert_array_less(np.abs(value - exact), 5 * error)


def test_class_prior_has_its_rate_in_closed_form():
    model, params = vae(prior="class", condition="label")
    params = {**params, "prior": {**params["prior"], "log_var": params["prior"]["log_var"] + 0.4}}
    rates = np.asarray(present(model.rates)(params, batch_of(), jax.random.key(0))).sum(axis=1)
    log_w = present(model.log_weights)(params, batch_of(), jax.random.key(0), 100_000)
    recon = np.asarray(model.evaluate(params, batch_of(), jax.random.key(0))["recon"])
    assert rates.shape == recon.shape == (3,)
    bound = losses(vae(prior="class", condition="label")[0], params, 20_000)
    elbo = np.asarray(log_w).mean()
    assert abs(-bound.mean() - elbo) < 5 * (bound.std() / math.sqrt(20_000) + np.asarray(log_w).std() / math.sqrt(3e5))


@pytest.mark.slow
def test_categorical_codes_have_the_exact_likelihood():
    """The sum over all nine codes of two variables with three values each."""
    model, params = vae(posterior="gumbel", latent=2, categories=3)
    codes = np.array([np.concatenate(pair) for pair in itertools.product(np.eye(3), repeat=2)], np.float32)
    means = np.asarray(present(model.decode)(params, jnp.asarray(codes)), np.float64)  # [9, D]
    log_p = [scipy.stats.norm(m, math.sqrt(VARIANCE)).logpdf(X).sum(axis=1) - math.log(9) for m in means]
    exact = scipy.special.logsumexp(log_p, axis=0)
    value, error = estimate(model, params, 100_000)
    np.testing.assert_array_less(np.abs(value - exact), 5 * error + 1e-4)
    rates = np.asarray(present(model.rates)(params, batch_of(), jax.random.key(0)))
    chex.assert_shape(rates, (3, 2))
    assert np.all(rates >= -1e-6)
    values = [model.evaluate(params, batch_of(), stream(jax.random.key(0), str(i)))["elbo"] for i in range(200)]
    assert np.all(np.mean(values, axis=0) < exact)
    sharp, soft = (
        losses(vae(posterior="gumbel", latent=2, categories=3, temperature=t)[0], params, 4000) for t in (0.05, 5.0)
    )
    elbo = np.mean(values)
    assert abs(-sharp.mean() - elbo) < abs(-soft.mean() - elbo)
