"""Maps a function over many rows: block by block, each block divided among the devices."""

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


def over_rows(
    function: Callable[[Any, Any], Any], block: int, tick: Callable[[int], None] = lambda count: None
) -> Rows:
    """Returns `(rows, whole) -> results` for any number of rows, in the memory of one block; results are on the host.

    Args:
      function: `(rows: tree of [b, ...], whole) -> tree of [b, ...]`, pure. Its result for a row may depend on no other
        row, because the devices decide which rows are in one block. It may return one row for a whole block,
        `[1, ...]`, if the result stays the same when the last row is repeated: the last block is filled so.
      block: rows at a time on each device.
      tick: is called with the number of rows that were finished since its last call.
    """
    devices, grid, program = jax.devices(), *_make_program(function)

    def apply(rows: Any, whole: Any) -> Any:
        n = len(jax.tree.leaves(rows)[0])
        step = len(devices) * min(block, -(-n // len(devices)))
        whole_on_devices, running, results = meshes.replicate(grid, whole), [], []
        for start in range(0, n, step):
            index = np.minimum(np.arange(start, start + step), n - 1)  # the last block is filled with the last row
            part = jax.tree.map(lambda leaf, index=index: leaf[index], rows)
            running.append(program(part, whole_on_devices))
            if len(running) > 1:  # a block is fetched while the next is computed
                results.append(_fetch(running.pop(0)))
                tick(step)
        results.append(_fetch(running.pop()))
        tick(n - step * (len(results) - 1))
        return jax.tree.map(lambda *parts: np.concatenate(parts)[:n], *results)

    return apply


def _fetch(results: Any) -> Any:
    return jax.tree.map(np.asarray, results)


@functools.lru_cache(maxsize=8)
def _make_program(function: Callable[[Any, Any], Any]) -> tuple[Mesh, Callable[[Any, Any], Any]]:
    """The program for all devices; the same function is compiled once."""
    grid = Mesh(jax.devices(), (ROWS,), axis_types=(AxisType.Auto,))
    share, whole = PartitionSpec(ROWS), PartitionSpec()
    return grid, compiled(jax.shard_map(function, mesh=grid, in_specs=(share, whole), out_specs=share, check_vma=False))
