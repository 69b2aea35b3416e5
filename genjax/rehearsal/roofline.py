"""From what a step costs to how long it may take: a range, whose assumptions are printed beside it."""

import itertools
from collections.abc import Sequence
from typing import NamedTuple

from genjax.rehearsal.costs import Kernel
from genjax.rehearsal.devices import Device


class Range(NamedTuple):
    """The least and the greatest of a quantity."""

    low: float
    high: float

    def times(self, factor: float) -> "Range":
        """Both ends times a number that is not negative."""
        return Range(self.low * factor, self.high * factor)

    def plus(self, other: "Range") -> "Range":
        """The range of a sum."""
        return Range(self.low + other.low, self.high + other.high)


LAUNCH = Range(1e-6, 3e-6)  # seconds of a kernel in a graph or in a stream that is kept full
SHARE = Range(1.0, 0.5)  # of the published bandwidth and peak that the best and the worst program reach
SLOWER = Range(1.0, 2.0)  # than the estimate of a TPU's compiler
SCALAR_CYCLES = Range(0, 200)  # of an operation for which that compiler has no estimate

ASSUMPTIONS = {
    "gpu": (
        f"a kernel takes {LAUNCH.low * 1e6:.0f} to {LAUNCH.high * 1e6:.0f} µs to start, and then as long as its bytes "
        f"at {SHARE.high:.0%} to {SHARE.low:.0%} of the memory's bandwidth or its products at {SHARE.high:.0%} to "
        f"{SHARE.low:.0%} of the peak, whichever is longer; caches between kernels are not counted"
    ),
    "tpu": (
        f"the cycles that XLA estimates, times {SLOWER.low:.0f} to {SLOWER.high:.0f}, and {SCALAR_CYCLES.low:.0f} to "
        f"{SCALAR_CYCLES.high:.0f} cycles for an operation without an estimate, at the clock that follows from the peak"
    ),
}
EXCHANGES = (
    "an exchange of b bytes among n devices moves 2 b (n - 1) / n over each device's links, at 50% to 100% of their "
    "bandwidth, after one start; distances are not counted"
)


def seconds(kernels: Sequence[Kernel], device: Device, count: int = 1) -> Range:
    """How long a device needs for kernels that run one after another.

    Args:
      kernels: of one device.
      device: that runs them.
      count: of the devices that exchange something.

    Example:
      >>> from genjax.rehearsal.devices import find_device
      >>> copy = Kernel("fusion", "fusion", bytes=3.35232e9, flops=0.0, cycles=None)
      >>> [f"{end * 1e3:.3f} ms" for end in seconds([copy], find_device("h100"))]
      ['1.001 ms', '2.003 ms']
    """
    return Range(_sum(kernels, device, count, 0, 0), _sum(kernels, device, count, 1, 1))


def gain(alone: Sequence[Kernel], together: Sequence[Kernel], trials: int, device: Device, count: int = 1) -> Range:
    """How many times as many steps a second trials make together as one alone: the range over all assumptions.

    Args:
      alone: the kernels of a step of one trial.
      together: those of a step of all trials side by side.
      trials: how many.
      device: that runs them.
      count: of the devices that exchange something.

    Example:
      >>> from genjax.rehearsal.devices import find_device
      >>> start = Kernel("fusion", "fusion", bytes=0.0, flops=0.0, cycles=None)
      >>> gain([start], [start], 16, find_device("h100"))
      Range(low=16.0, high=16.0)
    """
    ends = itertools.product((0, 1), (0, 1))
    gains = [trials * _sum(alone, device, count, *end) / _sum(together, device, count, *end) for end in ends]
    return Range(min(gains), max(gains))


def _sum(kernels: Sequence[Kernel], device: Device, count: int, start: int, work: int) -> float:
    """Seconds of kernels at one end of what is assumed of their starts, and at one of what is assumed of their work."""
    return sum(kernel.times * _kernel_seconds(kernel, device, count, start, work) for kernel in kernels)


def _kernel_seconds(kernel: Kernel, device: Device, count: int, start: int, work: int) -> float:
    if kernel.kind == "collective":
        return LAUNCH[start] + 2 * kernel.bytes * (count - 1) / count / (device.link * SHARE[work])
    if device.platform == "tpu":
        cycles = SCALAR_CYCLES[start] if kernel.cycles is None else kernel.cycles * SLOWER[work]
        return cycles / device.clock
    return LAUNCH[start] + max(kernel.bytes / device.bandwidth, kernel.flops / device.peak) / SHARE[work]


def trials_that_fit(limit: float, sizes: dict[int, float]) -> int:
    """How many trials a memory holds, by the line through the bytes of two programs.

    Args:
      limit: bytes of the memory that a program may take.
      sizes: `{trials: bytes}` of the smallest and the largest program that was compiled.

    Example:
      >>> trials_that_fit(100.0, {1: 12.0, 11: 32.0})
      45
      >>> trials_that_fit(11.0, {1: 12.0, 11: 32.0})
      0
    """
    (few, bytes_of_few), (many, bytes_of_many) = min(sizes.items()), max(sizes.items())
    if bytes_of_few > limit:
        return 0
    per_trial = (bytes_of_many - bytes_of_few) / (many - few) if many > few else bytes_of_few
    return int(few + (limit - bytes_of_few) / per_trial) if per_trial > 0 else many


def slices(trials: int, fits: int) -> int:
    """In how many parts trials are trained, when only so many fit; 0 if none fits.

    Example:
      >>> slices(100, 256), slices(100, 40), slices(100, 0)
      (1, 3, 0)
    """
    return -(-trials // fits) if fits else 0
