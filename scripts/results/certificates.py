"""docs/certificates.md: estimators beside the exact values that they must have."""

import math
from collections.abc import Iterator
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import scipy.special
import scipy.stats

from genjax.losses import codes, discrepancies, discretised, likelihoods, penalties, total_correlation
from genjax.losses.adversarial import LOSSES
from genjax.losses.divergences import standard_normal_kl
from genjax.metrics import annealing
from genjax.metrics.frechet import Gaussian, frechet_distance
from genjax.metrics.wasserstein import sliced_wasserstein
from genjax.models import FAMILIES
from genjax.nn.spectral import initial_vectors, spectral_normalise
from genjax.types import Batch, DataSpec
from results import published

D, LATENT, VARIANCE, DRAWS = 4, 2, 0.3, 200_000
SPEC = DataSpec(shape=(D,), bounded=False, scale=1.0, mean=np.zeros(D, np.float32), examples=100)
X = np.random.default_rng(0).normal(size=(3, D)).astype(np.float32)
RNG = jax.random.key(0)
HEAD = """# Certificates

This page compares the estimators and losses of genjax with values that are known exactly. If one of them were wrong,
its row would show it. `uv run scripts/reproduce.py certificates` computes the table; the tests check more such
values, and [theory.md](theory.md#closed-forms) derives the closed forms. An error is a standard error of this run's
draws; a value without one is deterministic, in float32. The linear Gaussian model is x = W z + b + noise with four
dimensions, two latent ones and an arbitrary encoder; its log p(x), of three examples on average, is known.

| estimator | exact value | ours | error | source |
|---|---|---|---|---|
"""


class Certificate(NamedTuple):
    """A line of the page; `relation` is how ours stands to the exact value."""

    estimator: str
    exact: float
    ours: float
    error: float | None
    source: str
    relation: str = "="


def page() -> str:
    """The text of docs/certificates.md."""
    rows = [
        *_bounds(),
        *_priors_and_layers(),
        *_annealing(),
        *_densities(),
        *_batch_statistics(),
        *_players(),
        *_codes(),
        *_others(),
    ]
    return HEAD + "".join(map(_line, rows)) + published.section()


def _line(row: Certificate) -> str:
    error = "" if row.error is None else f"{row.error:.2g}"
    exact = f"{row.relation} {row.exact:.5f}".removeprefix("= ")
    return f"| {row.estimator} | {exact} | {row.ours:.5f} | {error} | {row.source} |\n"


def _vae(**changes: Any) -> tuple[Any, Any]:
    """A linear Gaussian VAE: `(model, params)`."""
    family = FAMILIES["vae"]
    linear = {
        "hidden": (),
        "latent": LATENT,
        "likelihood": "gaussian_fixed",
        "upper_hidden": (),
        "upper_latent": LATENT,
    }
    hparams = {**family.hparams, "decoder_variance": VARIANCE, "step": 0, "progress": 0.0}
    traced = {name: jnp.float32(value) for name, value in hparams.items()}
    model = family.make({**family.settings, **linear, "likelihood": "gaussian_fixed", **changes}, SPEC, traced)
    return model, model.init(jax.random.key(1), Batch(jnp.zeros((1, D))))


def _log_p(params: Any, mean: Any = None, covariance: Any = None) -> np.ndarray:
    """log N(x; W m + b, W C W' + s^2 I) of each example."""
    layer = params["decoder"]["Dense_0"]
    weights, bias = np.asarray(layer["kernel"], np.float64).T, np.asarray(layer["bias"], np.float64)
    mean = np.zeros(LATENT) if mean is None else mean
    covariance = np.eye(LATENT) if covariance is None else covariance
    spread = weights @ covariance @ weights.T + VARIANCE * np.eye(D)
    return scipy.stats.multivariate_normal(weights @ mean + bias, spread).logpdf(X)


def _importance(model: Any, params: Any) -> tuple[float, float]:
    """The mean over examples of log 1/k sum w, and its standard error."""
    log_w = np.asarray(model.log_weights(params, Batch(jnp.asarray(X)), RNG, DRAWS), np.float64)
    value = scipy.special.logsumexp(log_w, axis=0) - math.log(DRAWS)
    errors = np.std(np.exp(log_w - value), axis=0) / math.sqrt(DRAWS)
    return float(value.mean()), float(np.sqrt(np.square(errors).sum()) / len(X))


def _losses(model: Any, params: Any, count: int = 5000) -> tuple[float, float]:
    loss = model.objectives["elbo"].loss
    keys = jax.random.split(RNG, count)
    values = -np.asarray(jax.jit(jax.vmap(lambda key: loss(params, Batch(jnp.asarray(X)), key)[0]))(keys), np.float64)
    return float(values.mean()), float(values.std() / math.sqrt(count))


def _bounds() -> Iterator[Certificate]:
    model, params = _vae()
    exact = float(_log_p(params).mean())
    yield Certificate(
        f"log p(x), {DRAWS:,} importance samples", exact, *_importance(model, params), "Burda et al. 2016"
    )
    for bound, k in (("elbo", 1), ("iwae", 5), ("iwae", 50)):
        values = _losses(_vae(bound=bound, samples=k)[0], params)
        yield Certificate(f"bound `{bound}`, k = {k}", exact, *values, "Burda et al. 2016, theorem 1", "below")
    plain, double = (_encoder_gradients(_vae(bound=bound, samples=8)[0], params) for bound in ("iwae", "dreg"))
    difference = (plain - double).sum(axis=1)
    error = float(difference.std() / math.sqrt(len(difference)))
    source = "Tucker et al. 2019"
    yield Certificate(
        "sum of the encoder's gradient, `iwae` minus `dreg`", 0.0, float(difference.mean()), error, source
    )
    share = double.var(axis=0).sum() / plain.var(axis=0).sum()
    yield Certificate(
        "variance of `dreg`'s gradient over that of `iwae`, k = 8", 1.0, float(share), None, source, "below"
    )


def _encoder_gradients(model: Any, params: Any, count: int = 20_000) -> np.ndarray:
    loss, batch = model.objectives["elbo"].loss, Batch(jnp.asarray(X))

    def gradient(key: Any) -> Any:
        return jax.grad(lambda encoder: loss({**params, "encoder": encoder}, batch, key)[0])(params["encoder"])

    trees = jax.jit(jax.vmap(gradient))(jax.random.split(RNG, count))
    return np.concatenate([np.reshape(leaf, (count, -1)) for leaf in jax.tree.leaves(trees)], axis=1)


def _priors_and_layers() -> Iterator[Certificate]:
    model, params = _vae(prior="mixture", components=3)
    prior = params["prior"]
    means, log_vars = np.asarray(prior["mean"], np.float64), np.asarray(prior["log_var"], np.float64)
    parts = [_log_p(params, m, np.diag(np.exp(v))) for m, v in zip(means, log_vars, strict=True)]
    exact = float(np.mean(scipy.special.logsumexp(parts, axis=0) - math.log(3)))
    yield Certificate("log p(x) with a mixture of three as prior", exact, *_importance(model, params), "")
    model, params = _vae(layers=2)
    kernel = np.array(params["upper_decoder"]["Dense_0"]["kernel"])
    kernel[:, LATENT:] = 0.0  # the variance of p(z|z2) is made one
    bias = params["upper_decoder"]["Dense_0"]["bias"]
    params = {**params, "upper_decoder": {"Dense_0": {"kernel": jnp.asarray(kernel), "bias": bias}}}
    weights = kernel[:, :LATENT].T.astype(np.float64)
    exact = float(_log_p(params, covariance=weights @ weights.T + np.eye(LATENT)).mean())
    yield Certificate("log p(x) with two layers", exact, *_importance(model, params), "Burda et al. 2016")


def _annealing() -> Iterator[Certificate]:
    model, params = _vae()
    batch, z = model.simulate(params, jax.random.key(5), 50)
    layer = params["decoder"]["Dense_0"]
    weights, bias = np.asarray(layer["kernel"], np.float64).T, np.asarray(layer["bias"], np.float64)
    spread = weights @ weights.T + VARIANCE * np.eye(D)
    exact = float(scipy.stats.multivariate_normal(bias, spread).logpdf(np.asarray(batch.x)).mean())
    path, chains = annealing.temperatures(300), 16

    def densities(data: Batch, codes: Any) -> Any:
        return model.log_densities(params, data, codes)

    drawn = jnp.stack([model.simulate(params, jax.random.key(i), 50)[1] for i in range(chains)])
    steps = annealing.tune_step_sizes(densities, batch, drawn[:4], jax.random.key(6), path)
    ways = (
        (False, drawn, annealing.lower_bound, "below"),
        (True, jnp.stack([z] * chains), annealing.upper_bound, "above"),
    )
    for reverse, start, bound, relation in ways:
        log_w = annealing.annealed_importance(densities, batch, start, jax.random.key(7), path, steps, reverse=reverse)
        values = np.asarray(bound(log_w), np.float64)
        error = float(np.asarray(log_w).std(axis=0).mean() / math.sqrt(chains * len(values)))
        name = f"log p(x), annealed {'backwards' if reverse else 'forwards'} in 300 steps"
        yield Certificate(name, exact, float(values.mean()), error, "Neal 2001; Grosse et al. 2015", relation)


def _densities() -> Iterator[Certificate]:
    levels = jnp.arange(256.0)[:, None] / 255
    mean, log_scale = jnp.full((256, 1), 0.3), jnp.full((256, 1), -3.0)
    total = jnp.sum(jnp.exp(discretised.logistic_log_prob(mean, log_scale, levels, 256)))
    yield Certificate("sum over 256 levels, `logistic`", 1.0, float(total), None, "Kingma et al. 2016")
    grid = jnp.linspace(0, 1, 20_001)[:, None]
    density = jnp.exp(likelihoods.continuous_bernoulli_log_prob(jnp.full_like(grid, 1.7), grid))
    value = float(np.trapezoid(np.asarray(density, np.float64), np.asarray(grid[:, 0], np.float64)))
    yield Certificate(
        "integral of `continuous_bernoulli`, logit 1.7", 1.0, value, None, "Loaiza-Ganem & Cunningham 2019"
    )
    slope = jax.grad(lambda a: likelihoods.continuous_bernoulli_log_prob(a, jnp.full((1, 1), 0.8))[0])(
        jnp.zeros((1, 1))
    )
    yield Certificate("its slope by the logit at 0, x = 0.8: x - 1/2", 0.3, float(slope[0, 0]), None, "")
    value = float(standard_normal_kl(jnp.array([[1.0]]), jnp.array([[math.log(4.0)]]))[0, 0])
    yield Certificate("KL of N(1, 4) from N(0, 1)", 0.5 * (1 + 3 - math.log(4)), value, None, "Kingma & Welling 2014")


def _batch_statistics() -> Iterator[Certificate]:
    """q(z|x) = N(x, s^2 I) with x ~ N(0, C - s^2 I): the aggregate posterior is N(0, C)."""
    correlation, variance, n = 0.8, 0.1, 2000
    covariance = np.array([[1.0, correlation], [correlation, 1.0]])
    exact = -0.5 * math.log(1 - correlation**2)
    rng, values = np.random.default_rng(0), []
    for _ in range(10):
        mean = rng.multivariate_normal(np.zeros(2), covariance - variance * np.eye(2), n).astype(np.float32)
        z = jnp.asarray(mean + math.sqrt(variance) * rng.normal(size=mean.shape), jnp.float32)
        log_var = jnp.full((n, 2), math.log(variance))
        pairwise = total_correlation.log_pairwise(z, jnp.asarray(mean), log_var)
        log_q, log_product = total_correlation.minibatch_stratified(pairwise, float(n))
        values.append(float(jnp.mean(log_q - log_product)))
    error = float(np.std(values) / math.sqrt(len(values)))
    source = "Chen et al. 2018"
    yield Certificate("total correlation, stratified, 2,000 of 2,000", exact, float(np.mean(values)), error, source)
    keys = jax.random.split(RNG, 400)

    def discrepancy(key: Any) -> Any:
        x, y = jax.random.normal(key, (2, 64, 3))
        return discrepancies.maximum_mean_discrepancy(x, y, "imq")

    squares = np.asarray(jax.jit(jax.vmap(discrepancy))(keys), np.float64)
    error = float(squares.std() / math.sqrt(len(squares)))
    yield Certificate("MMD^2 of two sets of one Gaussian", 0.0, float(squares.mean()), error, "Gretton et al. 2012")


def _players() -> Iterator[Certificate]:
    """The losses of a discriminator at its optimum, for p and q over six points, and what bounds its slope."""
    p, q = np.array([0.3, 0.25, 0.2, 0.15, 0.07, 0.03]), np.array([0.05, 0.1, 0.1, 0.2, 0.25, 0.3])
    pairs = jnp.asarray(np.outer(p, q).reshape(-1), jnp.float32)

    def mean_loss(name: str, logits: Any) -> Any:
        return jnp.sum(pairs * LOSSES[name].discriminator(jnp.repeat(logits, 6), jnp.tile(logits, 6)))

    halfway = (p + q) / 2
    js = float(0.5 * np.sum(p * np.log(p / halfway)) + 0.5 * np.sum(q * np.log(q / halfway)))
    tv, ratio = 0.5 * float(np.abs(p - q).sum()), np.log(p / q)
    for name, best, exact, source in (
        ("nonsaturating", ratio, 2 * math.log(2) - 2 * js, "Goodfellow et al. 2014"),
        ("least_squares", p / (p + q), 0.5 * float(np.sum(p * q / (p + q))), "Mao et al. 2017"),
        ("hinge", np.sign(p - q), 2 - 2 * tv, "Lim & Ye 2017"),
    ):
        value = float(mean_loss(name, jnp.asarray(best, jnp.float32)))
        yield Certificate(f"loss of the best discriminator, `{name}`", exact, value, None, source)
    slope = jax.grad(lambda logits: mean_loss("relativistic", logits))(jnp.asarray(ratio, jnp.float32))
    slope = float(jnp.abs(slope).max())
    yield Certificate("slope of `relativistic` at log p/q", 0.0, slope, None, "Jolicoeur-Martineau 2019")
    weights = jnp.array([3.0, 4.0])
    for name, penalty, exact, source in (
        ("R1 penalty", penalties.r1_penalty, 12.5, "Mescheder et al. 2018"),
        ("gradient penalty with target 1", penalties.gradient_norm_penalty, 16.0, "Gulrajani et al. 2017"),
    ):
        value = float(penalty(lambda x: x @ weights, jnp.zeros((1, 2)))[0])
        yield Certificate(f"{name} of D(x) = 3 x_1 + 4 x_2", exact, value, None, source)
    kernel = jax.random.normal(RNG, (3, 3, 4, 6))
    params: Any = {"Conv_0": {"kernel": kernel}}
    vectors = initial_vectors(RNG, params)
    for _ in range(100):
        normalised, vectors = spectral_normalise(params, vectors)
    exact = float(np.linalg.svd(np.asarray(kernel, np.float64).reshape(-1, 6))[1][0])
    value = float(kernel[0, 0, 0, 0] / normalised["Conv_0"]["kernel"][0, 0, 0, 0])
    yield Certificate("spectral norm of a 3x3 kernel, 100 iterations", exact, value, None, "Miyato et al. 2018")


def _codes() -> Iterator[Certificate]:
    """Penalties of codes, and a distribution over discrete ones."""
    weights = np.random.default_rng(0).normal(size=(2, D, D)).astype(np.float32)
    encode = lambda x: jnp.tanh(jnp.tanh(x @ weights[0]) @ weights[1])  # noqa: E731
    exact = np.square(jax.vmap(jax.jacobian(lambda x: encode(x[None])[0]))(X)).sum(axis=(1, 2)).mean()
    signs = jax.random.rademacher(RNG, (4000, *X.shape), jnp.float32)
    estimates = jax.vmap(lambda v: jnp.mean(codes.squared_jacobian_by_outputs(encode, jnp.asarray(X), v)))(signs)
    yield Certificate("mean squared norm of dz/dx, two layers", float(exact), *_mean(estimates), "Rifai et al. 2011")

    def draw(key: jax.Array) -> jax.Array:
        x, y = (jax.random.normal(k, (200, 3)) for k in jax.random.split(key))
        return discrepancies.maximum_mean_discrepancy(1 + x, y, "rbf")

    values = jax.jit(jax.vmap(draw))(jax.random.split(RNG, 400))
    exact = 2 * 0.6**1.5 * (1 - math.exp(-3 / 10))  # E k(x, y) = (d / (d + 2))^(d/2) exp(-||m||^2 / (2d + 4)), d = 3
    yield Certificate(
        "MMD^2 of N(1, I) and N(0, I), d = 3, Gaussian kernel", exact, *_mean(values), "Gretton et al. 2012"
    )
    mean = codes.activation_divergence(jnp.full((4, 1), 0.3), 0.1)[0]
    exact = 0.1 * math.log(1 / 3) + 0.9 * math.log(9 / 7)
    yield Certificate("KL of activations 0.3 from 0.1", exact, float(mean), None, "Ng 2011")
    images = jnp.asarray(np.indices((2,) * 6).reshape(6, -1).T.reshape(-1, 2, 3, 1), jnp.float32)
    spec = DataSpec((2, 3, 1), True, 1.0, np.full((2, 3, 1), 0.4, np.float32), levels=2)
    for network in ("made", "transformer"):
        family = FAMILIES["autoregressive"]
        model = family.make({**family.settings, "network": network}, spec, {})
        assert model.log_prob is not None
        params = jax.tree.map(
            lambda leaf: leaf + 0.3 * jax.random.normal(RNG, leaf.shape), model.init(RNG, Batch(images))
        )
        total = np.exp(np.asarray(model.log_prob(params, Batch(images)), np.float64)).sum()
        yield Certificate(f"sum over all 64 images of 2x3 bits, `{network}`", 1.0, float(total), None, "")


def _mean(values: Any) -> tuple[float, float]:
    """A mean and its standard error."""
    values = np.asarray(values, np.float64)
    return float(values.mean()), float(values.std() / math.sqrt(len(values)))


def _others() -> Iterator[Certificate]:
    first, second = (Gaussian(np.full(2, m), s * np.eye(2)) for m, s in ((0.0, 1.0), (1.0, 4.0)))
    yield Certificate("Fréchet distance of N(0, I) and N(1, 4 I)", 4.0, frechet_distance(first, second), None, "")
    x = jax.random.normal(RNG, (4000, 2))
    value = float(sliced_wasserstein(jax.random.key(1), x, x + jnp.array([1.0, 0.0])))
    yield Certificate("sliced W_2 of a set and the set moved by one: root of 1/2", math.sqrt(0.5), value, None, "")
