"""Devices that are not there, for JAX to compile for; nothing can be put on them or run."""

import importlib.util
import math
import os
from typing import Any

import jax
from jax.experimental import topologies

from genjax.rehearsal.devices import Device, describe_gpu
from genjax.system.messages import first_line
from genjax.types import InputError

# Packages of which one must be there, and what installs them. A CUDA of the system would be used without a word where
# the package with NVIDIA's assembler is missing, so that the figures would depend on the machine.
NEEDED = {
    "gpu": (("jax_cuda12_plugin", "jax_cuda13_plugin"), ("nvidia.cuda_nvcc", "nvidia.cu13")),
    "tpu": (("libtpu",),),
}
INSTALLED_BY = {"gpu": "uv sync --extra rehearse-gpu", "tpu": "uv sync --extra rehearse-tpu"}

# The smallest shapes of a TPU's network that hold so many chips. A host has four.
_FLAT = {4: "2x2", 8: "2x4", 16: "4x4", 32: "4x8", 64: "8x8", 128: "8x16", 256: "16x16"}
_CUBIC = {4: "2x2x1", 8: "2x2x2", 16: "2x2x4", 32: "2x4x4", 64: "4x4x4", 128: "4x4x8", 256: "4x8x8"}
SHAPES = {"v5e": _FLAT, "v6e": _FLAT, "v5p": _CUBIC, "v4": _CUBIC}

# Without a word from the environment libtpu asks a network that is not there who it is, and lets one process at a time
# use the chips of a machine, which no rehearsal does.
_ENVIRONMENT = {
    "TPU_ACCELERATOR_TYPE": "v5litepod-4",
    "TPU_WORKER_HOSTNAMES": "localhost",
    "TPU_WORKER_ID": "0",
    "TPU_SKIP_MDS_QUERY": "1",
    "ALLOW_MULTIPLE_LIBTPU_LOAD": "1",
}


def leave_devices_alone() -> None:
    """Keeps JAX off the devices of this machine and off the cache of programs, before it first looks for devices."""
    for name, value in _ENVIRONMENT.items():
        os.environ.setdefault(name, value)
    jax.config.update("jax_platforms", "cpu")
    jax.config.update("jax_enable_compilation_cache", False)  # what is read from it is not compiled


def missing(platform: str) -> str:
    """What has to be installed before anything compiles for a platform, in one line; empty where nothing is."""
    for names in NEEDED[platform]:
        if not any(_is_importable(name) for name in names):
            return f"{names[0]} is not installed; to compile for a {platform.upper()}: {INSTALLED_BY[platform]}"
    return ""


def _is_importable(name: str) -> bool:
    try:
        return importlib.util.find_spec(name) is not None
    except ModuleNotFoundError:  # of the package around it
        return False


def described_devices(device: Device, count: int) -> list[Any]:
    """So many devices of one kind, of one process where they are GPUs, for `jit(...).lower(...)`.

    Raises:
      InputError: what compiles for them is not installed, or there are not so many together.
    """
    if line := missing(device.platform):
        raise InputError(line)
    try:
        if device.platform == "gpu":
            options = {"target_config": describe_gpu(device), "topology": f"1x1x{count}"}
            return list(topologies.get_topology_desc("", "cuda", **options).devices)
        # A chip of a v4 has two cores, which programs see as one device; others have one, or do so by default.
        options = {"chip_config_name": "megacore"} if device.name == "v4" else {}
        shape = topology_shape(device.name, count)
        return list(topologies.get_topology_desc(f"{device.name}:{shape}", "tpu", **options).devices)[:count]
    except (jax.errors.JaxRuntimeError, NotImplementedError, RuntimeError) as error:
        raise InputError(
            f"JAX {jax.__version__} cannot describe {count} {device.title}: {first_line(error)}"
        ) from error


def topology_shape(name: str, count: int) -> str:
    """The smallest shape of a TPU's network with so many chips.

    Raises:
      InputError: there are not so many together.

    Example:
      >>> topology_shape("v5e", 1), topology_shape("v5p", 5)
      ('2x2', '2x2x2')
    """
    enough = [chips for chips in SHAPES[name] if chips >= count]
    if not enough:
        raise InputError(f"--devices={count}: at most {max(SHAPES[name])} {name} are described together")
    shape = SHAPES[name][min(enough)]
    assert math.prod(map(int, shape.split("x"))) == min(enough)
    return shape
