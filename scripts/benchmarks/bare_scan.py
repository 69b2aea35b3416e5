"""Compares a whole run with the scan alone, in a process of its own: `python -m benchmarks.bare_scan CONFIG`.

It times the loop of `genjax.runs.loop.train` between two rows of its log, with everything that the loop does beside
training, and the same number of steps as bare scans before and after. It prints the run's speed over the scan's.
"""

import io
import sys
import tempfile
import time
from pathlib import Path

import jax

from genjax import config as configs
from genjax import data
from genjax.runs import loop
from genjax.runs.programs import RunPrograms, make_run_programs
from genjax.types import TrainState


class Clock(io.StringIO):
    """A stream that notes when the log shows a step: `{step: seconds}`."""

    def __init__(self) -> None:
        super().__init__()
        self.times: dict[int, float] = {}

    def write(self, text: str) -> int:
        """Reads lines such as `1,000/5,000 steps  loss 123.4`."""
        step, slash, _ = text.partition("/")
        if slash and step.replace(",", "").isdigit():
            self.times[int(step.replace(",", ""))] = time.perf_counter()
        return len(text)


def time_scans(programs: RunPrograms, state: TrainState, length: int, count: int) -> tuple[TrainState, float]:
    """Advances by `count` chunks of `length` steps; returns the state and the seconds a step."""
    started_at = time.perf_counter()
    for _ in range(count):
        state, _ = programs.advance(state, length)
        jax.block_until_ready(state)
    return state, (time.perf_counter() - started_at) / (count * length)


def main(path: str) -> None:
    """Measures, and prints one number."""
    config = configs.load(Path(path))
    programs, length = make_run_programs(config, data.load(config.data.source)), config.train.evaluate_every
    state, _ = time_scans(programs, programs.init(), length, 1)  # compiles
    state, seconds_before = time_scans(programs, state, length, 2)
    clock = Clock()
    code = loop.train(config, Path(tempfile.mkdtemp()) / "run", clock)
    assert code == loop.FINISHED
    steps = config.train.steps
    seconds_of_run = (clock.times[steps] - clock.times[length]) / (steps - length)
    state, seconds_after = time_scans(programs, state, length, 2)
    print((seconds_before + seconds_after) / 2 / seconds_of_run)


if __name__ == "__main__":
    main(*sys.argv[1:])
