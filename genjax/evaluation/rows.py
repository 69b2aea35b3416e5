"""Maps a function over many rows: block by block, each block divided among the devices."""

import functools
from collections.abc import Callable, Sequence
from typing import Any

import jax
import numpy as np
from jax.sharding import Mesh, PartitionSpec

from genjax.system.compiler import compiled
from genjax.training import sharding

ROWS = "rows"
Rows = Callable[[Any, Any], Any]


def over_rows(
    function: Callable[[Any, Any], Any],
    block: int,
    tick: Callable[[int], None] = lambda count: None,
    devices: Sequence[Any] | None = None,
) -> Rows:
    """Returns `(rows, shared) -> results` for any number of rows, in the memory of one block; results are on the host.

    Args:
      function: `(rows: tree of [b, ...], shared) -> tree of [b, ...]`, pure. Its result for a row may depend on no
        other row, because the devices decide which rows are in one block. It may return one row for a whole block,
        `[1, ...]`, if the result stays the same when the last row is repeated: the last block is filled so.
      block: rows at a time on each device.
      tick: is called with the number of rows that were finished since its last call.
      devices: that divide a block; all that JAX finds if None.
    """
    devices = tuple(jax.devices() if devices is None else devices)
    grid, program = rows_program(function, devices)

    def apply(rows: Any, shared: Any) -> Any:
        n = len(jax.tree.leaves(rows)[0])
        step = len(devices) * min(block, -(-n // len(devices)))
        shared_on_devices, running, results = sharding.replicate(grid, shared), [], []
        for start in range(0, n, step):
            index = np.minimum(np.arange(start, start + step), n - 1)  # the last block is filled with the last row
            part = jax.tree.map(lambda leaf, index=index: leaf[index], rows)
            running.append(program(part, shared_on_devices))
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
def rows_program(function: Callable[[Any, Any], Any], devices: tuple[Any, ...]) -> tuple[Mesh, Any]:
    """A mesh of the devices and the program of one block on it; the same function is compiled once."""
    mesh, divided, shared = sharding.device_mesh(devices, ROWS), PartitionSpec(ROWS), PartitionSpec()
    mapped = jax.shard_map(function, mesh=mesh, in_specs=(divided, shared), out_specs=divided, check_vma=False)
    return mesh, compiled(mapped, devices[0].platform)
