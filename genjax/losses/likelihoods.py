"""Log-likelihoods under a decoder, in nats per example: summed over an example's dimensions, never over the batch."""

import math

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Key

from genjax.rng import coarse_uniform

FACTORS = 16


def bernoulli_log_prob(logits: Float[Array, "batch *event"], x: Float[Array, "batch *event"]) -> Float[Array, " batch"]:
    """Computes log p(x) = sum_d x_d log p_d + (1 - x_d) log(1 - p_d) with p = sigmoid(logits).

    With a = logits it is sum_d x_d a_d - softplus(a_d), which stays finite for every finite logit (Kingma & Welling
    2014, appendix C.1). For x strictly between 0 and 1 it is a cross-entropy and not a likelihood: binarise such data,
    or call the result a pseudo-likelihood.

    Args:
      logits: the decoder's output.
      x: data in [0, 1].

    Returns:
      Values in nats per example.

    Example:
      >>> print(bernoulli_log_prob(jnp.zeros((1, 2)), jnp.array([[0.0, 1.0]])).round(3))
      [-1.386]
    """
    return sum_event(x * logits - jax.nn.softplus(logits))


def bernoulli_log_prob_forward(
    logits: Float[Array, "batch *event"], x: Float[Array, "batch *event"]
) -> Float[Array, " batch"]:
    """Computes `bernoulli_log_prob` where no gradient is needed, with one logarithm for up to sixteen dimensions.

    softplus(a) = max(a, 0) + log(1 + exp(-|a|)), and a sum of logarithms is the logarithm of a product. The factors lie
    in (1, 2]: a product of sixteen is 2^16 at most, so no precision is lost.

    Args:
      logits: the decoder's output.
      x: data in [0, 1].

    Returns:
      Values in nats per example.

    Example:
      >>> print(bernoulli_log_prob_forward(jnp.zeros((1, 2)), jnp.array([[0.0, 1.0]])).round(3))
      [-1.386]
    """
    d = math.prod(logits.shape[1:])
    factors = max(n for n in range(1, FACTORS + 1) if d % n == 0)
    a, x = (values.reshape(len(values), factors, -1) for values in (logits, x))  # [b, factors, D / factors]
    logarithms = jnp.log(jnp.prod(1 + jnp.exp(-jnp.abs(a)), axis=1))
    return jnp.sum(jnp.sum(x * a - jnp.maximum(a, 0), axis=1) - logarithms, axis=1)


def continuous_bernoulli_log_prob(
    logits: Float[Array, "batch *event"], x: Float[Array, "batch *event"]
) -> Float[Array, " batch"]:
    """Computes log p(x) of the density p(x) ~ exp(a x) on [0, 1] with a = logits (Loaiza-Ganem & Cunningham 2019).

    The integral of exp(a x) is (e^a - 1) / a, so with u = a / 2 it is sum_d [a_d x_d - u_d - log(sinh u_d / u_d)].

    Args:
      logits: the decoder's output.
      x: data in [0, 1].

    Returns:
      Values in nats per example, of a density: they may be positive.

    Example:
      >>> print(continuous_bernoulli_log_prob(jnp.zeros((1, 2)), jnp.array([[0.0, 1.0]])).round(3))
      [0.]
    """
    return sum_event(logits * (x - 0.5) - _log_sinhc(0.5 * logits))


def continuous_bernoulli_mean(logits: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
    """Computes the mean, 1/2 + (coth u - 1/u) / 2 with u = logits / 2, the derivative of the log-normaliser.

    Example:
      >>> print(continuous_bernoulli_mean(jnp.array([0.0, 100.0])))
      [0.5  0.99]
    """
    u = 0.5 * logits
    near, safe = _near_zero(u)
    # coth u - 1/u = u/3 - u^3/45 + 2 u^5/945 - ...
    series = u / 3 * (1 - jnp.square(u) / 15 * (1 - 2 * jnp.square(u) / 21))
    return 0.5 + 0.5 * jnp.where(near, series, 1 / jnp.tanh(safe) - 1 / safe)


def continuous_bernoulli_draw(rng: Key[Array, ""], logits: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
    """Draws from the continuous Bernoulli distribution by the inverse of its distribution function.

    With m = |logits| it is 1 + log(v + (1 - v) e^-m) / m for a uniform v, and one minus that for a negative logit.

    Example:
      >>> x = continuous_bernoulli_draw(jax.random.key(0), jnp.zeros(1000))
      >>> bool(jnp.all((x >= 0) & (x <= 1)))
      True
    """
    v, size = jax.random.uniform(rng, logits.shape), jnp.abs(logits)
    near = size < 1e-3
    safe = jnp.where(near, 1.0, size)
    x = jnp.where(near, v, jnp.clip(1 + jnp.log(v + (1 - v) * jnp.exp(-safe)) / safe, 0.0, 1.0))
    return jnp.where(logits < 0, 1 - x, x)


def gaussian_log_prob(
    mean: Float[Array, "batch *event"],
    log_var: Float[Array, "batch *event"] | Float[Array, ""],
    x: Float[Array, "batch *event"],
) -> Float[Array, " batch"]:
    """Computes log N(x; mean, diag exp(log_var)).

    It is -1/2 sum_d [ln 2 pi + log_var_d + (x_d - mean_d)^2 / exp(log_var_d)], the density of a decoder with a diagonal
    Gaussian (Kingma & Welling 2014, appendix C.2).

    Args:
      mean: the decoder's output.
      log_var: the logarithm of the variance; a scalar is shared by all dimensions.
      x: data.

    Returns:
      Values in nats per example, of a density: they may be positive.

    Example:
      >>> print(gaussian_log_prob(jnp.zeros((1, 2)), jnp.zeros(()), jnp.array([[0.0, 1.0]])).round(3))
      [-2.338]
    """
    return -0.5 * sum_event(math.log(2 * math.pi) + log_var + jnp.square(x - mean) * jnp.exp(-log_var))


def squared_error(mean: Float[Array, "batch *event"], x: Float[Array, "batch *event"]) -> Float[Array, " batch"]:
    """Computes sum_d (x_d - mean_d)^2 of each example.

    Up to a constant it is minus the Gaussian log-likelihood of variance 1/2, in nats per example.

    Args:
      mean: the decoder's output.
      x: data.

    Example:
      >>> print(squared_error(jnp.array([[1.0, 2.0]]), jnp.array([[0.0, 4.0]])))
      [5.]
    """
    return sum_event(jnp.square(x - mean))


def binarise(rng: Key[Array, ""], x: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
    """Draws each pixel as a Bernoulli variable whose mean is its grey value (Salakhutdinov & Murray 2008).

    Each pixel takes eight random bits, u = 1/512, 3/512, ..., 511/512: x' = [u < x], a Bernoulli variable of mean
    round(256 x) / 256. A pixel of 0 always stays 0 and a pixel of 1 always stays 1. Between them the mean is within
    1/512 of the grey value.

    Args:
      rng: key of the draws.
      x: grey values in [0, 1].

    Returns:
      Zeros and ones in x's type.

    Example:
      >>> print(binarise(jax.random.key(0), jnp.array([0.0, 1.0])))
      [0. 1.]
    """
    return (coarse_uniform(rng, x.shape, bits=8) < x).astype(x.dtype)


def sum_event(values: Float[Array, "batch *event"]) -> Float[Array, " batch"]:
    """Sums each example, as a product with ones, because XLA's own sum took a sixth of a whole step on a CPU.

    Example:
      >>> print(sum_event(jnp.ones((2, 3, 4))))
      [12. 12.]
    """
    flat = values.reshape(values.shape[0], -1)  # [b, D]
    return jnp.matmul(flat, jnp.ones(flat.shape[1], flat.dtype), precision="highest")


def _log_sinhc(u: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
    """Computes log(sinh u / u), which is even and zero at zero.

    Away from zero it is |u| + log(1 - e^(-2|u|)) - log 2|u|. Near zero, where the series holds, the argument of this
    form is replaced: its gradient would be NaN there, also where its value is not taken.
    """
    near, safe = _near_zero(u)
    series = jnp.square(u) / 6 * (1 - jnp.square(u) / 30 * (1 - 4 * jnp.square(u) / 63))
    size = jnp.abs(safe)
    return jnp.where(near, series, size + jnp.log1p(-jnp.exp(-2 * size)) - jnp.log(2 * size))


def _near_zero(u: Float[Array, "*shape"]) -> tuple[Bool[Array, "*shape"], Float[Array, "*shape"]]:
    """Says where |u| is below 1/4, and returns u with 1 in these places."""
    near = jnp.abs(u) < 0.25
    return near, jnp.where(near, 1.0, u)
