"""One function of many rows, shared out over the devices and fed block by block: the engine of every metric."""

import functools
from collections.abc import Callable
from typing import Any

import jax
import numpy as np
from jax.sharding import AxisType, Mesh, PartitionSpec

from genjax.system.compiler import compiled
from genjax.training import sharding as meshes

ROWS = "rows"
Rows = Callable[[Any, Any], Any]


def over_rows(function: Callable[[Any, Any], Any], block: int, tick: Callable[[int], None] = lambda done: None) -> Rows:
    """`(rows, whole) -> results` on the host, for any number of rows, in the memory that a block takes.

    Args:
      function: `(rows: tree of [b, ...], whole) -> tree of [b, ...]`, pure; what it makes of a row may depend on no
        other, for which rows meet in a block depends on the devices. Where it gives one row for a block, `[1, ...]`,
        it must not matter that the last row of all may be in its block more than once.
      block: rows at a time on each device.
      tick: told how many rows have been done since it was last told.
    """
    devices, grid, program = jax.devices(), *_shared_out(function)

    def every(rows: Any, whole: Any) -> Any:
        n = len(jax.tree.leaves(rows)[0])
        step = len(devices) * min(block, -(-n // len(devices)))
        everywhere, running, found = meshes.replicate(grid, whole), [], []
        for start in range(0, n, step):
            index = np.minimum(np.arange(start, start + step), n - 1)  # the last block is filled with the last row
            part = jax.tree.map(lambda leaf, index=index: leaf[index], rows)
            running.append(program(part, everywhere))
            if len(running) > 1:  # a block is fetched while the next is computed
                found.append(_fetched(running.pop(0)))
                tick(step)
        found.append(_fetched(running.pop()))
        tick(n - step * (len(found) - 1))
        return jax.tree.map(lambda *parts: np.concatenate(parts)[:n], *found)

    return every


def _fetched(results: Any) -> Any:
    return jax.tree.map(np.asarray, results)


@functools.lru_cache(maxsize=8)
def _shared_out(function: Callable[[Any, Any], Any]) -> tuple[Mesh, Callable[[Any, Any], Any]]:
    """The program for all devices; a function that is asked for again is not compiled again."""
    grid = Mesh(jax.devices(), (ROWS,), axis_types=(AxisType.Auto,))
    share, whole = PartitionSpec(ROWS), PartitionSpec()
    return grid, compiled(jax.shard_map(function, mesh=grid, in_specs=(share, whole), out_specs=share, check_vma=False))
