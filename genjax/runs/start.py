"""A run or a sweep that starts from the parameters of another run, or of an export, instead of drawing its own.

Optimiser states and moving averages begin anew. A part that no gradient moves, such as a codebook, comes along where
its part is taken.
"""

import hashlib
from pathlib import Path
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from genjax.runs import weights
from genjax.runs.load import load_run
from genjax.system import processes
from genjax.system.files import read_object, write_json
from genjax.training.scan import Train
from genjax.types import Array, Hparams, InputError, Key, TrainState

FILE = "init.json"


class Weights(NamedTuple):
    """Parameters of another run.

    Attributes:
      source: the folder that they come from.
      arrays: by the names of `weights.flatten`.
      parts: that are taken; all if empty.
      digest: SHA-256 of what is taken.
    """

    source: Path
    arrays: dict[str, np.ndarray]
    parts: tuple[str, ...]
    digest: str


def read_weights(init_from: str, init_parts: tuple[str, ...]) -> Weights | None:
    """Reads the parameters that a training starts from; None where it draws its own.

    Args:
      init_from: the folder of a run or of an export, or nothing.
      init_parts: the parts that are taken; all if empty.

    Raises:
      InputError: there is no run and no export, or it cannot be read.
    """
    if not init_from:
        return None
    source = Path(init_from)
    arrays = weights.flatten(load_run(source).params)
    digest = hashlib.sha256()
    for name in sorted(arrays):
        if not init_parts or name.partition(".")[0] in init_parts:
            digest.update(name.encode() + arrays[name].tobytes())
    return Weights(source, arrays, init_parts, digest.hexdigest())


def starting_from(train: Train, start: Weights | None) -> Train:
    """The functions of a training whose first state has the parameters of another run.

    Raises:
      InputError: when the state is made; a part or an array is missing, or has another shape or type.
    """
    if start is None:
        return train

    def init(hparams: Hparams, rng: Key) -> TrainState:
        state = train.init(hparams, rng)
        params = weights.fill(state.params, start.arrays, start.source, start.parts)
        average = {part: jax.tree.map(_copy, params[part]) for part in state.average}
        return state._replace(params=params, average=average)

    return train._replace(init=init)


def _copy(leaf: Array) -> Array:
    return jnp.array(leaf, copy=True)


def check_start(workdir: Path, start: Weights | None) -> None:
    """Refuses a folder that began from other parameters; writes nothing.

    Raises:
      InputError: the parameters are not those that the folder began from.
    """
    with processes.raise_together():
        recorded = read_object(workdir / FILE) if processes.is_primary() and start is not None else None
        if start is not None and recorded is not None and recorded.get("sha256") != start.digest:
            raise InputError(f"{start.source} holds other parameters than {workdir} began from")


def record_start(workdir: Path, start: Weights | None) -> None:
    """Writes `init.json`: where the first parameters come from, and their hash."""
    if start is not None and processes.is_primary():
        write_json(workdir / FILE, {"from": str(start.source), "parts": list(start.parts), "sha256": start.digest})
