"""Devices: the batch axis of one run, split over all of them."""

from collections.abc import Callable, Sequence

import jax
from jax.sharding import AxisType, Mesh, NamedSharding, PartitionSpec

from genjax.types import Array


def batch_mesh(devices: Sequence[jax.Device]) -> Mesh:
    """A mesh of one axis, `batch`, over the devices."""
    return Mesh(devices, ("batch",), axis_types=(AxisType.Auto,))


def shard_batches(mesh: Mesh) -> Callable[[Array], Array]:
    """A function that splits `[repeats, b, *shape]` along b over the mesh; the compiler shares out the step's work.

    b must be a multiple of the number of devices. Parameters stay whole on each, and gradients are summed by the compiler.
    """
    sharding = NamedSharding(mesh, PartitionSpec(None, "batch"))
    return lambda batches: jax.lax.with_sharding_constraint(batches, sharding)


def replicate(mesh: Mesh, tree):
    """A tree of arrays, whole on every device of the mesh."""
    return jax.device_put(tree, NamedSharding(mesh, PartitionSpec()))
