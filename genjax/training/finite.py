"""Whether a tree holds nothing but finite numbers, in the form that a platform runs fastest."""

from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool


def all_finite(tree: Any) -> Bool[Array, ""]:
    """Checks that every number of a tree is finite.

    Example:
      >>> all_finite({"kernel": jnp.ones((2, 3)), "bias": jnp.array([0.0, jnp.inf])})
      Array(False, dtype=bool)
    """
    leaves = jax.tree.leaves(tree)
    if not leaves:
        return jnp.bool_(True)
    return jax.lax.platform_dependent(*leaves, cuda=overlaid, rocm=overlaid, default=leaf_by_leaf)


def leaf_by_leaf(*leaves: Array) -> Bool[Array, ""]:
    """Reduces every leaf by itself."""
    return jnp.stack([jnp.all(jnp.isfinite(leaf)) for leaf in leaves]).all()


def overlaid(*leaves: Array) -> Bool[Array, ""]:
    """Lays all leaves over one another, as vectors that end with `True`, and reduces them at once.

    A GPU starts one kernel for it. By itself each leaf takes one or two, and a small net's step is mostly their start.
    """
    flags = [jnp.isfinite(leaf).reshape(-1) for leaf in leaves]
    longest = max(len(flag) for flag in flags)
    padded = [jnp.pad(flag, (0, longest - len(flag)), constant_values=True) for flag in flags]
    return jnp.all(jax.tree.reduce(jnp.logical_and, padded))
