"""What is asked of codes: per-example penalties, and squared Jacobians of the networks around them."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
from jax.scipy.special import xlogy
from jaxtyping import Array, Float

Codes = Float[Array, "batch latent"]
PerExample = Float[Array, " batch"]


def absolute(z: Codes) -> PerExample:
    """Computes ||z||_1 per example.

    Example:
      >>> print(absolute(jnp.array([[1.0, -2.0]])))
      [3.]
    """
    return jnp.sum(jnp.abs(z), axis=1)


def half_square(z: Codes) -> PerExample:
    """Computes 1/2 ||z||^2 per example (Ghosh et al. 2020, equation 11).

    Example:
      >>> print(half_square(jnp.array([[1.0, -2.0]])))
      [2.5]
    """
    return jnp.sum(jnp.square(z), axis=1) / 2


def activation_divergence(
    activations: Codes, target: Float[Array, ""] | float, eps: float = 1e-6
) -> Float[Array, " latent"]:
    """Computes KL(Bernoulli(rho) || Bernoulli(rho_j)) of each dimension's mean activation rho_j, in nats.

    The mean is over the batch (Ng 2011, lecture notes on sparse autoencoders, section 3).

    Args:
      activations: in (0, 1), such as outputs of a sigmoid.
      target: rho, in [0, 1].
      eps: rho_j is clipped to [eps, 1 - eps], where the divergence has a finite slope.

    Example:
      >>> print(activation_divergence(jnp.array([[0.2, 0.5], [0.2, 0.5]]), 0.2).round(4))
      [0.     0.1927]
    """
    mean = jnp.clip(jnp.mean(activations, axis=0), eps, 1 - eps)
    entropy = xlogy(target, target) + xlogy(1 - target, 1 - target)  # with a minus; zero at both ends
    return entropy - target * jnp.log(mean) - (1 - target) * jnp.log1p(-mean)


def squared_jacobian_by_outputs(
    function: Callable[[Array], Array], x: Float[Array, "batch *shape"], v: Codes
) -> PerExample:
    """Computes ||J' v||^2 per example, J the Jacobian of each example's code by the example.

    With v of independent signs its expectation is ||J||_F^2 (Hutchinson 1990): the contractive penalty (Rifai et al.
    2011, equation 1) at the cost of one pass back. An example's code must depend on no other example.

    Args:
      function: from examples to codes.
      x: examples.
      v: directions in the space of codes.

    Example:
      >>> print(squared_jacobian_by_outputs(lambda x: 3 * x, jnp.ones((1, 2)), jnp.array([[1.0, -1.0]])))
      [18.]
    """
    _, pull_back = jax.vjp(function, x)
    (product,) = pull_back(v)
    return jnp.sum(jnp.square(product).reshape(len(x), -1), axis=1)


def squared_jacobian_by_inputs(function: Callable[[Array], Array], z: Codes, v: Codes) -> PerExample:
    """Computes ||J v||^2 per example, J the Jacobian of each example's output by its code.

    With v of independent signs its expectation is ||J||_F^2: the gradient penalty of a decoder **by its code** (Ghosh
    et al. 2020, section 3.1), at the cost of one pass forward.

    Args:
      function: from codes to examples.
      z: codes.
      v: directions in the space of codes.

    Example:
      >>> print(squared_jacobian_by_inputs(lambda z: 3 * z, jnp.ones((1, 2)), jnp.array([[1.0, -1.0]])))
      [18.]
    """
    _, product = jax.jvp(function, (z,), (v,))
    return jnp.sum(jnp.square(product).reshape(len(z), -1), axis=1)
