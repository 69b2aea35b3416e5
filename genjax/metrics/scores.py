"""What a classifier says of samples: how sure and how varied its answers are, and which modes they fall into."""

import jax
import jax.numpy as jnp

from genjax.types import Array


def classifier_score(logits: Array) -> tuple[Array, Array]:
    """The mean over samples of KL(p(y | x) || p(y)), with p(y) the mean of p(y | x) over the same samples.

    The Inception score without its exponential (Salimans et al. 2016, section 4): the information, in nats, that a
    sample gives about its class. From 0, when all answers are alike, to log C, when each is sure and the classes are
    equally frequent.

    Args:
      logits: `[n, C]`, finite.

    Returns:
      The mean, and the divergence of each sample `[n]`.
    """
    log_p = jax.nn.log_softmax(logits, axis=-1)  # [n, C]
    log_marginal = jax.nn.logsumexp(log_p, axis=0, keepdims=True) - jnp.log(logits.shape[0])  # [1, C]
    divergence = jnp.sum(jnp.exp(log_p) * (log_p - log_marginal), axis=-1)  # [n]
    return jnp.mean(divergence), divergence


def stacked_modes(labels: Array, modes: int = 1000) -> dict[str, Array]:
    """How many modes samples fall into, and how evenly: the measures of stacked MNIST (Metz et al. 2017).

    A sample of three channels whose digits are a, b and c lies in mode 100 a + 10 b + c. A perfect sampler of n
    samples has a divergence of about (modes - 1) / (2 n), and not 0.

    Args:
      labels: `[n]` integers from 0 to modes - 1.
      modes: how many there are.

    Returns:
      `modes_found`, a number up to `modes`, and `kl_to_uniform`, KL(frequencies || uniform) in nats.
    """
    counts = jnp.zeros(modes).at[labels].add(1.0)  # [modes]
    share = counts / labels.shape[0]
    divergence = jnp.sum(jax.scipy.special.xlogy(share, share * modes))  # 0 log 0 = 0
    return {"modes_found": jnp.sum(counts > 0).astype(jnp.float32), "kl_to_uniform": divergence}
