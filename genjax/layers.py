"""Building blocks of networks: activations by name, and sums over a tree of parameters."""

from collections.abc import Callable

import jax
import jax.numpy as jnp

from genjax.types import Array, Params

ACTIVATIONS: dict[str, Callable[[Array], Array]] = {
    "identity": lambda x: x,
    "relu": jax.nn.relu,
    "leaky_relu": lambda x: jax.nn.leaky_relu(x, 0.2),
    "elu": jax.nn.elu,
    "gelu": jax.nn.gelu,
    "silu": jax.nn.silu,
    "tanh": jnp.tanh,
    "sigmoid": jax.nn.sigmoid,
    "softplus": jax.nn.softplus,
}


def kernel_norm(params: Params) -> Array:
    """||w||^2: the sum of squares over every kernel, and no bias. A scalar."""
    leaves = jax.tree_util.tree_leaves_with_path(params)
    return sum((jnp.sum(jnp.square(leaf)) for path, leaf in leaves if is_kernel(path)), start=jnp.zeros(()))


def is_kernel(path: tuple) -> bool:
    """Whether a path of a tree of Flax parameters ends at a kernel."""
    return path[-1].key == "kernel"
