"""Scores of a classifier's answers on samples: how sure and how varied they are, and which modes they show."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Integer


def classifier_score(
    logits: Float[Array, "samples classes"],
) -> tuple[Float[Array, ""], Float[Array, " samples"]]:
    """Computes the mean over samples of KL(p(y | x) || p(y)), with p(y) the mean of p(y | x) over the same samples.

    This is the Inception score without its exponential (Salimans et al. 2016, section 4): the information, in nats,
    that a sample gives about its class. It is 0 when all answers are alike, and log C for C classes when every answer
    is sure and the classes are equally frequent.

    Args:
      logits: finite.

    Returns:
      The mean, and the divergence of each sample, in nats.

    Example:
      >>> score, divergences = classifier_score(jnp.array([[100.0, 0.0], [0.0, 100.0]]))
      >>> print(score.round(3), divergences.round(3))
      0.693 [0.693 0.693]
    """
    log_p = jax.nn.log_softmax(logits, axis=-1)  # [n, C]
    log_marginal = jax.nn.logsumexp(log_p, axis=0, keepdims=True) - jnp.log(logits.shape[0])  # [1, C]
    divergence = jnp.sum(jnp.exp(log_p) * (log_p - log_marginal), axis=-1)  # [n]
    return jnp.mean(divergence), divergence


def stacked_modes(labels: Integer[Array, " samples"], modes: int = 1000) -> dict[str, Float[Array, ""]]:
    """Computes how many modes the samples show, and how evenly: the measures of stacked MNIST (Metz et al. 2017).

    A sample of three channels whose digits are a, b and c has mode 100 a + 10 b + c. A perfect sampler of n samples has
    a divergence of about (modes - 1) / (2 n), and not 0.

    Args:
      labels: modes of the samples, from 0 to modes - 1.
      modes: number of modes.

    Returns:
      `modes_found`, from 0 to `modes`, and `kl_to_uniform`, KL(frequencies || uniform) in nats.

    Example:
      >>> result = stacked_modes(jnp.array([0, 0, 3]), modes=4)
      >>> print(f"{result['modes_found']:.0f} {result['kl_to_uniform']:.3f}")
      2 0.750
    """
    counts = jnp.zeros(modes).at[labels].add(1.0)  # [modes]
    share = counts / labels.shape[0]
    divergence = jnp.sum(jax.scipy.special.xlogy(share, share * modes))  # 0 log 0 = 0
    return {"modes_found": jnp.sum(counts > 0).astype(jnp.float32), "kl_to_uniform": divergence}
