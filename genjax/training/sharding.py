"""Devices: the batch axis of one run, split over all of them, whichever processes they belong to."""

from collections.abc import Callable, Sequence
from typing import Any

import jax
import numpy as np
from jax.sharding import AxisType, Mesh, NamedSharding, PartitionSpec

from genjax.types import Array, Batch


def by_process(devices: Sequence[Any]) -> list[list[Any]]:
    """The devices of each process, in the order of the processes."""
    owners = sorted({device.process_index for device in devices})
    return [[device for device in devices if device.process_index == owner] for owner in owners]


def device_mesh(devices: Sequence[Any], axis: str) -> Mesh:
    """A mesh of one axis over the devices, along which the compiler divides the work."""
    return Mesh(devices, (axis,), axis_types=(AxisType.Auto,))


def batch_mesh(devices: Sequence[Any]) -> Mesh:
    """A mesh along which the examples of a batch are divided."""
    return device_mesh(devices, "batch")


def shard_batches(mesh: Mesh) -> Callable[[Batch], Batch]:
    """Returns a function that splits `[batches, b, ...]` along b over the mesh; the compiler divides the step's work.

    b must be a multiple of the number of devices. Parameters stay whole on each; the compiler adds up the gradients.
    """
    sharding = NamedSharding(mesh, PartitionSpec(None, "batch"))
    return lambda batches: jax.lax.with_sharding_constraint(batches, sharding)


def replicate_indices(mesh: Mesh) -> Callable[[Array], Array]:
    """Returns a function that has every device compute all of the indices `[length, batches, b]`.

    If each device computed a part, the devices would have to exchange them. XLA does not order such an exchange beside
    the training loop's own on a CPU, and processes then waited for one another for ever.
    """
    sharding = NamedSharding(mesh, PartitionSpec())
    return lambda indices: jax.lax.with_sharding_constraint(indices, sharding)


def replicate(mesh: Mesh, tree):
    """A tree of arrays, whole on every device of the mesh; each process gives the same values to its own devices."""
    on_all = NamedSharding(mesh, PartitionSpec())
    if on_all.is_fully_addressable:
        return jax.device_put(tree, on_all)

    def put(leaf: Any) -> Array:  # `device_put` would send every process's values to all the others, to compare them
        values = np.asarray(leaf)
        return jax.make_array_from_callback(values.shape, on_all, lambda index: values[index])

    return jax.tree.map(put, tree)
