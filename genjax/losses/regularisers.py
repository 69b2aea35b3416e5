"""Terms of a loss that depend on parameters or codes alone."""

import jax
import jax.numpy as jnp

from genjax.types import Array, Params


def kernel_norm(params: Params) -> Array:
    """||w||^2: the sum of squares over every kernel, and no bias. A scalar."""
    leaves = jax.tree_util.tree_leaves_with_path(params)
    return sum((jnp.sum(jnp.square(leaf)) for path, leaf in leaves if is_kernel(path)), start=jnp.zeros(()))


def is_kernel(path: tuple) -> bool:
    """Whether a path of a tree of Flax parameters ends at a kernel."""
    return path[-1].key == "kernel"
