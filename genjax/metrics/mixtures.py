"""How well samples cover a known mixture of Gaussians."""

import jax.numpy as jnp
from jax.scipy.special import xlogy
from jaxtyping import Array, Float


def mode_coverage(
    samples: Float[Array, "samples dimensions"], centres: Float[Array, "modes dimensions"], sigma: float
) -> dict[str, Float[Array, ""]]:
    """Computes the number of modes found and the share of good samples (Srivastava et al. 2017, section 4.1).

    A sample is good within 3 sigma of its nearest centre. A mode is found when a good sample is nearest to it. A
    perfect sampler of a 2-D mixture has 1 - exp(-4.5) = 98.89% good samples. The third measure counts every sample to
    its nearest centre: KL(p || uniform) of the shares p, in nats (Lin et al. 2018, section 4.1).

    Args:
      samples: points.
      centres: means of the modes.
      sigma: standard deviation of the modes.

    Returns:
      `modes_found`, from 0 to the number of modes K, `good_samples`, in [0, 1], and `reverse_kl`, from 0 to log K; its
      expectation for n samples of a perfect sampler is about (K - 1) / (2 n).

    Example:
      >>> coverage = mode_coverage(jnp.array([[0.0], [5.0]]), jnp.array([[0.0], [10.0]]), 1.0)
      >>> print(coverage["modes_found"], coverage["good_samples"])
      1.0 0.5
      >>> print(coverage["reverse_kl"].round(3))  # both samples are nearest to one of two modes: log 2
      0.693
    """
    squared = jnp.sum(jnp.square(samples[:, None, :] - centres[None, :, :]), axis=-1)  # [n, K]
    good = jnp.min(squared, axis=1) <= jnp.square(3 * sigma)  # [n]
    nearest = jnp.argmin(squared, axis=1)[:, None] == jnp.arange(centres.shape[0])[None, :]  # [n, K]
    shares = jnp.mean(nearest.astype(jnp.float32), axis=0)
    return {
        "modes_found": jnp.sum(jnp.any(good[:, None] & nearest, axis=0)).astype(jnp.float32),
        "good_samples": jnp.mean(good.astype(jnp.float32)),
        "reverse_kl": jnp.sum(xlogy(shares, shares * centres.shape[0])),
    }
