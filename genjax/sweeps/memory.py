"""The memory of a device: what a program takes of it, and as many trials as fit."""

import math
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol, TypeVar

import jax

SHARE_OF_MEMORY = {"cpu": 0.5}  # the host needs the rest for itself; an accelerator has it all
DEFAULT_SHARE = 0.9


class OnDevices(Protocol):
    """Programs of several trials that some devices share."""

    @property
    def devices(self) -> int:
        """How many devices."""
        ...


Programs = TypeVar("Programs", bound=OnDevices)


def bytes_on_device(program: Any) -> int:
    """Bytes by the compiler's own account: arguments, results that reuse none of them, and scratch."""
    sizes = program.memory_analysis()
    if sizes is None:
        return 0
    results = sizes.output_size_in_bytes - sizes.alias_size_in_bytes
    return sizes.argument_size_in_bytes + results + sizes.temp_size_in_bytes


def available_memory(limit: int) -> int:
    """Bytes that a program may take on a device: the limit, or, where it is 0, a share of what the device has."""
    if limit:
        return limit
    device = jax.local_devices()[0]
    stats = device.memory_stats()
    if stats and "bytes_limit" in stats:
        total = stats["bytes_limit"]
    else:
        total = min(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"), _limit_of_container())
        total = int(total) // len(jax.local_devices())
    return int(SHARE_OF_MEMORY.get(device.platform, DEFAULT_SHARE) * total)


def _limit_of_container() -> float:
    """Bytes that the control group of the process may take: a container's limit, or a batch system's."""
    try:
        return float(Path("/sys/fs/cgroup/memory.max").read_text())
    except (OSError, ValueError):  # no such group, or "max"
        return math.inf


def fit_memory(
    make: Callable[[int], Programs],
    count: int,
    limit: int,
    bytes_needed: Callable[[Programs], int],
) -> Programs:
    """Programs of as many of `count` trials as stay within `limit` bytes a device, at least one on each device."""
    while True:
        programs = make(count)
        needed, smallest = bytes_needed(programs), programs.devices
        if needed <= limit or count <= smallest:
            return programs
        count = max(smallest, min(count - 1, int(count * limit / needed)))
