"""Which way trials share a device: measured, on the device and the group of trials at hand."""

import json
import math
import time
from collections.abc import Callable

import jax

from genjax.sweeps.memory import fit_memory
from genjax.sweeps.plan import Trial
from genjax.sweeps.programs import MODES, CohortPrograms, stack_traced
from genjax.system import processes
from genjax.system.messages import numbered

MEASURED_STEPS = 5
MEASURED_SECONDS = 0.3


def fastest_mode(make: Callable[[int, str], CohortPrograms], group: list[Trial], limit: int) -> tuple[str, str]:
    """The mode in which the group's program trains most steps a second, and a line that says why."""
    count, devices = len(group), make(len(group), "map").devices
    if count <= devices:
        return "map", f"map: one trial on each of {numbered(devices, 'device')}"
    paces = {}
    for mode in distinct_modes(jax.default_backend(), lambda: make(1, "vmap").lower_chunk(1).as_text()):
        programs = fit_memory(
            lambda n, mode=mode: make(n, mode), count, limit, lambda programs: programs.bytes_to_train(MEASURED_STEPS)
        )
        paces[mode] = _measure_pace(programs, group[: programs.count])
    best = max(paces, key=lambda mode: paces[mode])
    measured = ", ".join(f"{mode} {pace:,.0f}" for mode, pace in paces.items())
    answer = json.dumps([best, f"{best}: measured {measured} steps/s on {numbered(devices, 'device')}"])
    best, reason = json.loads(processes.broadcast_bytes(answer.encode()))  # processes time differently
    return best, reason


def distinct_modes(platform: str, lower: Callable[[], str]) -> list[str]:
    """The modes that are worth measuring: convolutions as products only on a GPU.

    A CPU has no others, and a TPU makes an axis of space of the trials: an eighth of the cycles of products, by the
    compiler's account (docs/performance.md).

    Args:
      platform: that the trials are trained on.
      lower: returns the text of the program of trials side by side, which takes a while.
    """
    other_form = platform == "gpu" and "stablehlo.convolution" in lower()
    return [mode for mode in MODES if mode != "vmap_products" or other_form]


def _measure_pace(programs: CohortPrograms, group: list[Trial]) -> float:
    """Steps a second, summed over the trials."""
    hparams, seeds = stack_traced(group)
    hparams, rngs = programs.put(hparams), programs.keys(seeds)
    states, _ = programs.advance(programs.initial(hparams, rngs), hparams, rngs, MEASURED_STEPS)
    jax.block_until_ready(states)
    shortest, began_at = math.inf, time.perf_counter()
    while time.perf_counter() - began_at < MEASURED_SECONDS:
        started_at = time.perf_counter()
        states, _ = programs.advance(states, hparams, rngs, MEASURED_STEPS)
        jax.block_until_ready(states)
        shortest = min(shortest, time.perf_counter() - started_at)
    return len(group) * MEASURED_STEPS / shortest
