"""How well samples cover a known mixture of Gaussians."""

import jax.numpy as jnp

from genjax.types import Array


def mode_coverage(samples: Array, centres: Array, sigma: float) -> dict[str, Array]:
    """Modes found, and the share of samples that are good (Srivastava et al. 2017, section 4.1).

    A sample is good within 3 sigma of its nearest centre; a mode is found when a good sample is nearest to it. A
    perfect sampler of a 2-D mixture has 1 - exp(-4.5) = 98.89% good samples.

    Args:
      samples: `[n, D]`.
      centres: `[K, D]`.
      sigma: the modes' standard deviation.

    Returns:
      `modes_found`, a number up to K, and `good_samples`, in [0, 1].
    """
    squared = jnp.sum(jnp.square(samples[:, None, :] - centres[None, :, :]), axis=-1)  # [n, K]
    good = jnp.min(squared, axis=1) <= jnp.square(3 * sigma)  # [n]
    hits = good[:, None] & (jnp.argmin(squared, axis=1)[:, None] == jnp.arange(centres.shape[0])[None, :])  # [n, K]
    return {
        "modes_found": jnp.sum(jnp.any(hits, axis=0)).astype(jnp.float32),
        "good_samples": jnp.mean(good.astype(jnp.float32)),
    }
