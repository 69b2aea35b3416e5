"""The parameters of a trained model in one safetensors file, without optimiser states and checkpoints around them."""

import hashlib
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np

from genjax.system.files import write_atomically
from genjax.system.messages import describe_unknown, first_line
from genjax.types import InputError, Params

FILE = "model.safetensors"


def flatten(params: Params) -> dict[str, np.ndarray]:
    """`{"decoder.Dense_0.kernel": array}`."""
    leaves = jax.tree_util.tree_leaves_with_path(params)
    return {jax.tree_util.keystr(path, simple=True, separator="."): np.asarray(leaf) for path, leaf in leaves}


def write(path: Path, params: Params, step: int) -> None:
    """Writes the parameters as they are after a step, whole or not at all."""
    from safetensors.numpy import save

    write_atomically(path, save(flatten(params), metadata={"step": str(step)}))


def read(path: Path) -> tuple[dict[str, np.ndarray], int, str]:
    """Reads `{name: array}`, the step after which they were saved, and the file's SHA-256.

    Raises:
      InputError: the file is damaged, or none of `write`.
    """
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="numpy") as file:
            arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (not a mapping)
            step = int((file.metadata() or {})["step"])
        return arrays, step, hashlib.sha256(path.read_bytes()).hexdigest()
    except (OSError, SafetensorError, KeyError, ValueError) as error:
        raise InputError(f"{path} cannot be read: {first_line(error)}") from error


def fill(like: Params, arrays: dict[str, np.ndarray], source: Path, parts: tuple[str, ...] = ()) -> Params:
    """Puts arrays in the places of parameters.

    Args:
      like: parameters of the structure, shapes and types that are needed.
      arrays: by the names of `flatten`.
      source: where they come from, for errors.
      parts: of the parameters that are replaced; all if empty.

    Raises:
      InputError: a part or an array is missing, or has another shape or type; the line says which.
    """
    for part in parts:
        if part not in like:
            raise InputError(describe_unknown("part of the model", part, like))

    def replace(path: tuple, leaf: jax.Array) -> jax.Array:
        name = jax.tree_util.keystr(path, simple=True, separator=".")
        if parts and name.partition(".")[0] not in parts:
            return leaf
        if name not in arrays:
            raise InputError(f"{source} has no {name}")
        value = arrays[name]
        if value.shape != leaf.shape or value.dtype != leaf.dtype:
            ours, theirs = (f"{array.dtype}{list(array.shape)}" for array in (leaf, value))
            raise InputError(f"{name} is {ours} here, and {theirs} in {source}")
        return jnp.asarray(value)

    return jax.tree_util.tree_map_with_path(replace, like)
