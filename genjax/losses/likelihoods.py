"""Log-likelihoods under a decoder, in nats per example: summed over an example's dimensions, never over the batch."""

import math

import jax
import jax.numpy as jnp

from genjax.types import Array, Key

FACTORS = 16


def bernoulli_log_prob(logits: Array, x: Array) -> Array:
    """log p(x) = sum_d x_d log p_d + (1 - x_d) log(1 - p_d) with p = sigmoid(logits).

    With a = logits it is sum_d x_d a_d - softplus(a_d), which stays finite for every finite logit. For x strictly
    between 0 and 1 it is a cross-entropy and not a likelihood: binarise, or call the result a pseudo-likelihood.

    Args:
      logits: `[b, ...]`.
      x: `[b, ...]`, in [0, 1].

    Returns:
      `[b]`, nats.
    """
    return _sum_event(x * logits - jax.nn.softplus(logits))


def bernoulli_log_prob_forward(logits: Array, x: Array) -> Array:
    """`bernoulli_log_prob` where no gradient is asked for: one logarithm for up to sixteen dimensions.

    softplus(a) = max(a, 0) + log(1 + exp(-|a|)), and a sum of logarithms is that of a product, whose factors lie in
    (1, 2]: sixteen of them are 2^16 at most, and lose nothing.
    """
    d = math.prod(logits.shape[1:])
    factors = max(n for n in range(1, FACTORS + 1) if d % n == 0)
    a, x = (values.reshape(len(values), factors, -1) for values in (logits, x))  # [b, factors, D / factors]
    logarithms = jnp.log(jnp.prod(1 + jnp.exp(-jnp.abs(a)), axis=1))
    return jnp.sum(jnp.sum(x * a - jnp.maximum(a, 0), axis=1) - logarithms, axis=1)


def gaussian_log_prob(mean: Array, log_var: Array, x: Array) -> Array:
    """log N(x; mean, diag exp(log_var)) = -1/2 sum_d [ln 2 pi + log_var_d + (x_d - mean_d)^2 / exp(log_var_d)].

    Args:
      mean: `[b, ...]`.
      log_var: the variance's logarithm, `[b, ...]` or a scalar that all dimensions share.
      x: `[b, ...]`.

    Returns:
      `[b]`, nats (of a density: it may be positive).
    """
    return -0.5 * _sum_event(math.log(2 * math.pi) + log_var + jnp.square(x - mean) * jnp.exp(-log_var))


def squared_error(mean: Array, x: Array) -> Array:
    """sum_d (x_d - mean_d)^2, `[b]`: minus the Gaussian log-likelihood of variance 1/2, up to a constant."""
    return _sum_event(jnp.square(x - mean))


def binarise(rng: Key, x: Array) -> Array:
    """Draws each pixel as a Bernoulli variable whose mean is its grey value (Salakhutdinov & Murray 2008).

    Eight random bits u a pixel: x' = [u + 1/2 < 256 x], a Bernoulli variable of mean round(256 x) / 256. A pixel of
    0 is never drawn and one of 1 always is; between them the mean is within 1/512 of the grey value.

    Args:
      rng: key.
      x: any shape, in [0, 1].

    Returns:
      0 and 1 of x's shape and type.
    """
    u = jax.random.bits(rng, x.shape, jnp.uint8).astype(x.dtype)
    return (u + 0.5 < 256 * x).astype(x.dtype)


def _sum_event(values: Array) -> Array:
    """`[b, ...]` to `[b]`, as a product with ones: XLA's own sum took a CPU a sixth of a whole step."""
    flat = values.reshape(values.shape[0], -1)  # [b, D]
    return jnp.matmul(flat, jnp.ones(flat.shape[1], flat.dtype), precision="highest")
