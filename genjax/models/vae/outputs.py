"""Kinds of decoder distribution p(x|z): what the decoder's output says of x.

A distribution is one function of the table `OUTPUTS`. The decoder's output has the shape of the data, and a last axis
more where a value of the data has several parameters.
"""

import math
from collections.abc import Callable
from typing import NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from genjax.losses import discretised, likelihoods
from genjax.nn import networks
from genjax.nn.networks import last_hidden, logit
from genjax.types import DataSpec, Hparams, InputError, Key, Likelihood, Params, Settings

# A learned variance cannot fall below that of rounding to one of 256 grey levels, 1 / (12 * 255^2), or for points below
# that share of the data's own: where a dimension never changes, a density would otherwise grow without bound.
LOG_VAR_FLOOR = -math.log(12 * 255**2)

# A learned variance starts at this share of the data's own. From above it the cheapest first move is to ignore z, and
# the posterior collapses before the variance has come down.
VARIANCE_START = 0.1

Out = Float[Array, "batch ..."]
X = Float[Array, "batch *shape"]
PerExample = Float[Array, " batch"]


class Output(NamedTuple):
    """A kind of p(x|z), as functions of the decoder's output `out: [b, *shape, ...]` and of shared parameters.

    Attributes:
      likelihood: what log p(x|z) is.
      start: where the decoder's output begins, `[*shape]` or `[*shape, parameters]`.
      log_prob: `(out, shared, x) -> [b]`, in nats.
      mean: `(out) -> [b, *shape]`.
      draw: `(out, shared, rng) -> [b, *shape]`.
      shared: the parameters that all dimensions share, as they start; the part `noise` of params.
      log_prob_forward: `log_prob` where no gradient is needed.
      variance: `(shared) -> scalar`, the variance that all dimensions share where it is learned.
      part: the part of params that `shared` stands for.
    """

    likelihood: Likelihood
    start: np.ndarray
    log_prob: Callable[[Out, Params, X], PerExample]
    mean: Callable[[Out], X]
    draw: Callable[[Out, Params, Key], X]
    shared: Params = {}  # noqa: RUF012 (no code writes into it)
    log_prob_forward: Callable[[Out, Params, X], PerExample] | None = None
    variance: Callable[[Params], Array] | None = None
    part: str = "noise"


def resolve(settings: Settings, spec: DataSpec) -> Settings:
    """Replaces the likelihood `auto`: Bernoulli for binary data, else a Gaussian with one learned variance."""
    if settings["likelihood"] != "auto":
        return settings
    binary = spec.bounded and (spec.binary or spec.dynamic_binarisation)
    return {**settings, "likelihood": "bernoulli" if binary else "gaussian_shared"}


def make_output(settings: Settings, spec: DataSpec, hparams: Hparams) -> Output:
    """Makes the distribution that the setting `likelihood` names.

    Raises:
      InputError: it does not fit the data.
    """
    return OUTPUTS[settings["likelihood"]](settings, spec, hparams)


def bernoulli(settings: Settings, spec: DataSpec, hparams: Hparams) -> Output:
    """Makes a Bernoulli distribution of each value, from logits.

    Of pixels that are not binary it gives a cross-entropy and no likelihood.
    """
    del settings, hparams
    _check_bounded("bernoulli", spec)
    unit = "nats" if spec.binary or spec.dynamic_binarisation else "nats (cross-entropy)"
    return Output(
        Likelihood("bernoulli", unit, density=False),
        logit(spec.mean),
        lambda out, shared, x: likelihoods.bernoulli_log_prob(out, x),
        jax.nn.sigmoid,
        lambda out, shared, rng: jax.random.bernoulli(rng, jax.nn.sigmoid(out)).astype(jnp.float32),
        log_prob_forward=lambda out, shared, x: likelihoods.bernoulli_log_prob_forward(out, x),
    )


def continuous_bernoulli(settings: Settings, spec: DataSpec, hparams: Hparams) -> Output:
    """Makes a continuous Bernoulli distribution of each value in [0, 1], from logits."""
    del settings, hparams
    _check_bounded("continuous_bernoulli", spec)
    return Output(
        Likelihood("continuous_bernoulli", "nats", density=True),
        np.zeros(spec.shape, np.float32),
        lambda out, shared, x: likelihoods.continuous_bernoulli_log_prob(out, x),
        likelihoods.continuous_bernoulli_mean,
        lambda out, shared, rng: likelihoods.continuous_bernoulli_draw(rng, out),
    )


def gaussian_pixel(settings: Settings, spec: DataSpec, hparams: Hparams) -> Output:
    """Makes a Gaussian whose mean and variance in each dimension are functions of z."""
    del settings, hparams
    start = np.stack([spec.mean, np.full_like(spec.mean, _log_var_start(spec))], axis=-1)
    return _gaussian("gaussian_pixel", start, lambda out: out[..., 0], lambda out, shared: _floored(out[..., 1], spec))


def gaussian_shared(settings: Settings, spec: DataSpec, hparams: Hparams) -> Output:
    """Makes a Gaussian whose variance is one learned number."""
    del settings, hparams

    def log_variance(shared: Params) -> Float[Array, ""]:
        return _floored(shared["log_var"], spec)

    output = _gaussian("gaussian_shared", spec.mean, lambda out: out, lambda out, shared: log_variance(shared))
    shared = {"log_var": jnp.float32(_log_var_start(spec))}
    return output._replace(shared=shared, variance=lambda shared: jnp.exp(log_variance(shared)))


def gaussian_fixed(settings: Settings, spec: DataSpec, hparams: Hparams) -> Output:
    """Makes a Gaussian of variance `decoder_variance`."""
    del settings
    return _gaussian(
        "gaussian_fixed", spec.mean, lambda out: out, lambda out, shared: jnp.log(hparams["decoder_variance"])
    )


def logistic(settings: Settings, spec: DataSpec, hparams: Hparams) -> Output:
    """Makes a logistic distribution cut into grey levels, whose mean and scale are functions of z."""
    del settings, hparams
    levels = _levels("logistic", spec)
    start = np.stack([spec.mean, np.full_like(spec.mean, _log_scale_start(spec))], axis=-1)
    return Output(
        Likelihood("logistic", "nats", density=False),
        start,
        lambda out, shared, x: discretised.logistic_log_prob(out[..., 0], out[..., 1], x, levels),
        lambda out: discretised.logistic_mean(out[..., 0]),
        lambda out, shared, rng: discretised.logistic_draw(rng, out[..., 0], out[..., 1], levels),
    )


def logistic_mixture(settings: Settings, spec: DataSpec, hparams: Hparams) -> Output:
    """Makes a mixture of `logistics` such distributions for each value; values are independent given z.

    The means of the components begin evenly spread over the grey levels.
    """
    del hparams
    levels, count = _levels("logistic_mixture", spec), settings["logistics"]
    means = np.broadcast_to((np.arange(count) + 0.5) / count, (*spec.shape, count))
    start = np.stack([np.zeros_like(means), means, np.full_like(means, _log_scale_start(spec))], axis=-2)

    def parts(out: Out) -> tuple[Array, Array, Array]:  # weights, means, log scales: [b, *shape, count]
        return out[..., 0, :], out[..., 1, :], out[..., 2, :]

    return Output(
        Likelihood("logistic_mixture", "nats", density=False),
        start.reshape(*spec.shape, 3 * count),
        lambda out, shared, x: discretised.logistic_mixture_log_prob(*parts(_split(out, 3)), x, levels),
        lambda out: discretised.logistic_mixture_mean(*parts(_split(out, 3))[:2]),
        lambda out, shared, rng: discretised.logistic_mixture_draw(rng, *parts(_split(out, 3)), levels),
    )


def categorical(settings: Settings, spec: DataSpec, hparams: Hparams) -> Output:
    """Makes a distribution over the grey levels of each value, from one logit a level."""
    del settings, hparams
    levels = _levels("categorical", spec)
    return Output(
        Likelihood("categorical", "nats", density=False),
        np.zeros((*spec.shape, levels), np.float32),
        lambda out, shared, x: discretised.categorical_log_prob(out, x),
        lambda out: discretised.categorical_mean(out),
        lambda out, shared, rng: discretised.categorical_draw(rng, out),
    )


def features(settings: Settings, spec: DataSpec, hparams: Hparams) -> Output:
    """Makes a Gaussian of variance one of the discriminator's last hidden layer (Larsen et al. 2016).

    It is a density of features and none of x, so a model has no log p(x). Its draws are its means.
    """
    del hparams
    discriminator = image_discriminator(settings, spec)

    def mean(out: Out) -> X:
        return jax.nn.sigmoid(out) if spec.bounded else out

    def log_prob(out: Out, shared: Params, x: X) -> PerExample:
        of_mean, of_x = (last_hidden(discriminator, shared, images) for images in (mean(out), x))
        return likelihoods.gaussian_log_prob(of_mean, jnp.zeros_like(of_mean), of_x)

    return Output(
        Likelihood("features", "nats of features", density=True),
        logit(spec.mean) if spec.bounded else spec.mean,
        log_prob,
        mean,
        lambda out, shared, rng: mean(out),
        part="discriminator",
    )


def image_discriminator(settings: Settings, spec: DataSpec) -> nn.Module:
    """Builds the second player of `features`, from examples to a logit."""
    return networks.encoder(settings, settings["discriminator_hidden"], spec.shape, 1)


OUTPUTS: dict[str, Callable[[Settings, DataSpec, Hparams], Output]] = {
    "bernoulli": bernoulli,
    "continuous_bernoulli": continuous_bernoulli,
    "gaussian_pixel": gaussian_pixel,
    "gaussian_shared": gaussian_shared,
    "gaussian_fixed": gaussian_fixed,
    "logistic": logistic,
    "logistic_mixture": logistic_mixture,
    "categorical": categorical,
    "features": features,
}


def _gaussian(
    name: str, start: np.ndarray, mean: Callable[[Out], X], log_variance: Callable[[Out, Params], Array]
) -> Output:
    def log_prob(out: Out, shared: Params, x: X) -> PerExample:
        return likelihoods.gaussian_log_prob(mean(out), log_variance(out, shared), x)

    def draw(out: Out, shared: Params, rng: Key) -> X:
        centre = mean(out)
        return centre + jnp.exp(0.5 * log_variance(out, shared)) * jax.random.normal(rng, centre.shape)

    return Output(Likelihood(name, "nats", density=True), start, log_prob, mean, draw)


def _check_bounded(name: str, spec: DataSpec) -> None:
    if not spec.bounded:
        raise InputError(f"model.likelihood {name!r} needs data in [0, 1]; use a Gaussian for points")


def _levels(name: str, spec: DataSpec) -> int:
    """How many grey levels the data have: 256 for 8 bits."""
    if not spec.bounded or spec.binary or spec.dynamic_binarisation or spec.scale == 1:
        raise InputError(f"model.likelihood {name!r} needs images of grey levels, stored as uint8 and not binarised")
    return round(1 / spec.scale) + 1


def _split(out: Out, parts: int) -> Out:
    return out.reshape(*out.shape[:-1], parts, -1)


def _log_scale_start(spec: DataSpec) -> float:
    """The variance of a logistic distribution of scale s is pi^2 s^2 / 3."""
    return 0.5 * (_log_var_start(spec) - math.log(math.pi**2 / 3))


def log_var_floor(spec: DataSpec) -> float:
    """Computes the least logarithm of a learned variance."""
    return LOG_VAR_FLOOR + (0.0 if spec.bounded else math.log(spec.variance or 1.0))


def _log_var_start(spec: DataSpec) -> float:
    floor = log_var_floor(spec)
    return max(floor, math.log(VARIANCE_START * spec.variance)) if spec.variance > 0 else floor


def _floored(log_var: Float[Array, "..."], spec: DataSpec) -> Float[Array, "..."]:
    floor = log_var_floor(spec)
    return floor + jax.nn.softplus(log_var - floor)
