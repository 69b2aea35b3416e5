"""Lower bounds of log p(x) from importance weights w = p(x, z) / q(z|x), and the estimators of their gradients.

A bound is a function of log w: [groups, samples, batch], at groups x samples draws of z for each example. It returns a
value per example in nats. Let L_k = E log 1/k sum_i w_i (Burda et al. 2016, equation 8): L_1 is the evidence lower
bound, and L_k grows with k towards log p(x).
"""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

LogWeights = Float[Array, "groups samples batch"]
Numbers = Mapping[str, Any]


def elbo(log_w: LogWeights, hparams: Numbers) -> Float[Array, " batch"]:
    """Computes L_1, the mean of log w over all draws (Kingma & Welling 2014).

    Example:
      >>> print(elbo(jnp.log(jnp.array([[[1.0], [4.0]]])), {}).round(3))
      [0.693]
    """
    del hparams
    return jnp.mean(log_w, axis=(0, 1))


def iwae(log_w: LogWeights, hparams: Numbers) -> Float[Array, " batch"]:
    """Computes L_k, log 1/k sum_i w_i over all draws (Burda et al. 2016, equation 8).

    Its gradient weighs each draw's by w~_i = w_i / sum_j w_j.

    Example:
      >>> round(float(iwae(jnp.log(jnp.array([[[1.0], [4.0]]])), {})[0]), 3)
      0.916
    """
    del hparams
    return _log_mean_exp(log_w, axis=(0, 1))


def miwae(log_w: LogWeights, hparams: Numbers) -> Float[Array, " batch"]:
    """Computes the mean over groups of each group's L_k (Rainforth et al. 2018, equation 13).

    Example:
      >>> print(miwae(jnp.log(jnp.array([[[1.0], [3.0]], [[2.0], [2.0]]])), {}).round(3))
      [0.693]
    """
    del hparams
    return jnp.mean(_log_mean_exp(log_w, axis=1), axis=0)


def ciwae(log_w: LogWeights, hparams: Numbers) -> Float[Array, " batch"]:
    """Computes s L_1 + (1 - s) L_k with s = `elbo_share` (Rainforth et al. 2018, equation 14).

    Example:
      >>> round(float(ciwae(jnp.log(jnp.array([[[1.0], [4.0]]])), {"elbo_share": 0.5})[0]), 3)
      0.805
    """
    share = hparams["elbo_share"]
    return share * elbo(log_w, hparams) + (1 - share) * iwae(log_w, hparams)


def renyi(log_w: LogWeights, hparams: Numbers) -> Float[Array, " batch"]:
    """Computes 1 / (1 - a) log 1/k sum_i w_i^(1 - a) with a = `renyi_alpha` (Li & Turner 2016, equation 11).

    a = 0 gives L_k and a -> 1 gives L_1. Closer to 1 than 1e-3 the limit itself is used, whose error is below
    |1 - a| / 2 times the variance of log w.

    Example:
      >>> round(float(renyi(jnp.log(jnp.array([[[1.0], [4.0]]])), {"renyi_alpha": jnp.float32(0.5)})[0]), 3)
      0.811
    """
    power = 1 - hparams["renyi_alpha"]
    at_limit = jnp.abs(power) < 1e-3
    safe = jnp.where(at_limit, 1.0, power)
    return jnp.where(at_limit, elbo(log_w, hparams), _log_mean_exp(safe * log_w, axis=(0, 1)) / safe)


def doubly_reparameterised(log_w: LogWeights, hparams: Numbers) -> Float[Array, " batch"]:
    """Computes sum_i w~_i^2 log w_i, whose gradient is an unbiased one of L_k for the posterior's parameters.

    w~ is held constant, and so must the posterior's parameters be where its density is evaluated, so that the
    gradient passes through z alone (Tucker et al. 2019, equation 8). Only the gradient means something. Where log w has
    `beta` times the rate, the score of q that is left out is as many times as large, and w~ [1 - beta (1 - w~)] stands
    for w~^2.

    Example:
      >>> def surrogate(log_w, beta):
      ...     return doubly_reparameterised(log_w, {"beta": beta})[0]
      >>> [jax.grad(surrogate)(jnp.zeros((1, 2, 1)), beta).ravel().tolist() for beta in (1.0, 0.0)]
      [[0.25, 0.25], [0.5, 0.5]]
    """
    shares = jax.lax.stop_gradient(jax.nn.softmax(log_w, axis=(0, 1)))
    return jnp.sum(shares * (1 - hparams["beta"] * (1 - shares)) * log_w, axis=(0, 1))


def _log_mean_exp(values: Float[Array, "..."], axis: int | tuple[int, ...]) -> Float[Array, "..."]:
    axes = (axis,) if isinstance(axis, int) else axis
    count = 1
    for size in axes:
        count *= values.shape[size]
    return jax.nn.logsumexp(values, axis=axes) - jnp.log(jnp.float32(count))


class Bound(NamedTuple):
    """A bound, and how its gradient reaches the posterior.

    Attributes:
      value: the bound, whose gradient trains the decoder and the prior.
      posterior: the function of log w whose gradient trains the posterior, where that is another one.
      path: whether the density q(z|x) is evaluated at constant parameters, so that the posterior's gradient passes
        through z alone.
      grouped: whether the groups of draws mean something.
      linear: whether it is the mean of log w, so that a KL divergence in closed form can stand for its estimate.
      hparams: the hyperparameters that it reads.
    """

    value: Callable[[LogWeights, Numbers], Float[Array, " batch"]]
    posterior: Callable[[LogWeights, Numbers], Float[Array, " batch"]] | None = None
    path: bool = False
    grouped: bool = False
    linear: bool = False
    hparams: tuple[str, ...] = ()


BOUNDS = {
    "elbo": Bound(elbo, linear=True),
    "iwae": Bound(iwae),
    "dreg": Bound(iwae, posterior=doubly_reparameterised, path=True),
    "stl": Bound(elbo, path=True),  # "sticking the landing" (Roeder et al. 2017, equation 8)
    "miwae": Bound(miwae, grouped=True),
    "piwae": Bound(iwae, posterior=miwae, grouped=True),  # Rainforth et al. 2018, section 4.3
    "ciwae": Bound(ciwae, hparams=("elbo_share",)),
    "renyi": Bound(renyi, hparams=("renyi_alpha",)),
}
