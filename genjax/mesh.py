"""Devices: the batch axis of one run, split over all of them."""

from collections.abc import Callable, Sequence
from typing import Any

import jax
from jax.sharding import AxisType, Mesh, NamedSharding, PartitionSpec

from genjax.types import Array


def batch_mesh(devices: Sequence[Any]) -> Mesh:
    """A mesh of one axis, `batch`, over the devices."""
    return Mesh(devices, ("batch",), axis_types=(AxisType.Auto,))


def shard_batches(mesh: Mesh) -> Callable[[Array], Array]:
    """A function that splits `[repeats, b, *shape]` along b over the mesh; the compiler shares out the step's work.

    b must be a multiple of the number of devices. Parameters stay whole on each; the compiler adds up the gradients.
    """
    sharding = NamedSharding(mesh, PartitionSpec(None, "batch"))
    return lambda batches: jax.lax.with_sharding_constraint(batches, sharding)


def replicate(mesh: Mesh, tree):
    """A tree of arrays, whole on every device of the mesh."""
    return jax.device_put(tree, NamedSharding(mesh, PartitionSpec()))
