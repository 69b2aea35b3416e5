"""Spectral normalisation of a network's weights (Miyato et al. 2018), as a transformation of its parameters.

A network of 1-Lipschitz activations whose kernels have spectral norm one is 1-Lipschitz by a product of its layers'
norms. A convolution's kernel counts as the matrix of its taps and input channels by its output channels. No network
knows: the parameters are divided before they are used.
"""

from typing import NamedTuple, cast

import flax.linen as nn
import jax
import jax.numpy as jnp
from flax.traverse_util import flatten_dict, unflatten_dict
from jaxtyping import Array, Float

from genjax.types import Key, Params

Vectors = Params  # a tree that has u, a vector of its outputs, in the place of each kernel

# Keeps the division finite where a kernel is zero.
SMALLEST = 1e-12


class Normalised(NamedTuple):
    """Parameters whose kernels have spectral norm one, and the vectors for the next iteration."""

    params: Params
    vectors: Vectors


def spectral_normalise(params: Params, vectors: Vectors, iterate: bool = True) -> Normalised:
    """Divides every kernel W, as a matrix, by an estimate of its greatest singular value.

    One power iteration: v = W u / |W u|, u' = W^T v / |W^T v|, sigma = v^T W u' (Miyato et al. 2018, algorithm 1). No
    gradient goes through u and v, so that of sigma is v u'^T.

    Args:
      params: of a network.
      vectors: u of each kernel, from `initial_vectors` or from the last call.
      iterate: whether u is moved; if not, sigma is v^T W u.

    Example:
      >>> params = {"Dense_0": {"kernel": jnp.diag(jnp.array([3.0, 1.0])), "bias": jnp.zeros(2)}}
      >>> vectors = initial_vectors(jax.random.key(0), params)
      >>> for _ in range(20):
      ...     normalised, vectors = spectral_normalise(params, vectors)
      >>> print(normalised["Dense_0"]["kernel"].round(3))
      [[1.    0.   ]
       [0.    0.333]]
    """
    leaves, moved = _flatten(params), {}
    for name, u in _flatten(vectors).items():
        kernel = leaves[name]
        matrix = kernel.reshape(-1, kernel.shape[-1]).astype(jnp.float32)  # [inputs, outputs]
        constant = jax.lax.stop_gradient(matrix)
        v = _unit(constant @ u)
        moved[name] = _unit(v @ constant) if iterate else u
        sigma = v @ matrix @ moved[name]
        leaves[name] = kernel / jnp.maximum(sigma, SMALLEST)
    return Normalised(unflatten_dict(leaves), unflatten_dict(moved))


def initial_vectors(rng: Key, params: Params) -> Vectors:
    """Draws u of every kernel, on the unit sphere."""
    kernels = _kernels(params)
    vectors = {
        name: _unit(jax.random.normal(key, kernels[name].shape[-1:]))
        for key, name in zip(jax.random.split(rng, len(kernels)), sorted(kernels), strict=True)
    }
    return unflatten_dict(vectors)


def draw_zero_kernels(rng: Key, params: Params) -> Params:
    """Draws the kernels that start at zero, because a kernel of zeros has no direction to normalise.

    They are drawn as the others are, with the variance of one over the number of inputs.
    """
    kernels = _kernels(params)
    for key, name in zip(jax.random.split(rng, len(kernels)), sorted(kernels), strict=True):
        start = nn.initializers.lecun_normal()(key, kernels[name].shape, kernels[name].dtype)
        kernels[name] = jnp.where(jnp.any(kernels[name] != 0), kernels[name], start)
    return unflatten_dict({**_flatten(params), **kernels})


def _kernels(params: Params) -> dict[tuple[str, ...], Array]:
    return {name: leaf for name, leaf in _flatten(params).items() if name[-1] == "kernel"}


def _flatten(tree: Params) -> dict[tuple[str, ...], Array]:
    return cast(dict[tuple[str, ...], Array], dict(flatten_dict(tree)))


def _unit(vector: Float[Array, " n"]) -> Float[Array, " n"]:
    return vector / jnp.maximum(jnp.linalg.norm(vector), SMALLEST)
