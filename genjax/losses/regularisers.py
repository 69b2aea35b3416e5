"""Terms of a loss that depend on parameters or codes alone."""

from collections.abc import Collection

import jax
import jax.numpy as jnp
from jax.tree_util import KeyPath
from jaxtyping import Array, Float, PyTree


def kernel_norm(params: PyTree, parts: Collection[str] | None = None) -> Float[Array, ""]:
    """Computes ||w||^2, the sum of squares over all kernels and no other parameters (Kunin et al. 2019).

    Args:
      params: any tree of arrays; a kernel is a leaf under the dictionary key "kernel".
      parts: the names at the top of the tree whose kernels count, such as the parts that are trained; None stands for
        all of them.

    Example:
      >>> params = {"encoder": {"kernel": jnp.ones(3), "bias": jnp.ones(5)}, "statistics": {"kernel": jnp.ones(7)}}
      >>> print(kernel_norm(params), kernel_norm(params, ("encoder",)))
      10.0 3.0
    """
    leaves = jax.tree_util.tree_leaves_with_path(params)
    kernels = [leaf for path, leaf in leaves if is_kernel(path) and (parts is None or _name(path[0]) in parts)]
    return sum((jnp.sum(jnp.square(kernel)) for kernel in kernels), start=jnp.zeros(()))


def is_kernel(path: KeyPath) -> bool:
    """Says whether a path of a tree of parameters ends at a kernel.

    Example:
      >>> [is_kernel(path) for path, _ in jax.tree_util.tree_leaves_with_path({"bias": 0.0, "kernel": 0.0})]
      [False, True]
    """
    return len(path) > 0 and _name(path[-1]) == "kernel"


def _name(entry: object) -> object:
    """The key of an entry of a path, and None for the entries of lists and of objects, which have no key."""
    return getattr(entry, "key", None)
