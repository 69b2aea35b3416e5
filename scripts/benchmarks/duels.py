"""The contestants of a case take turns, so that what slows the machine slows them all."""

import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import IO, NamedTuple

SCRIPTS = Path(__file__).parents[1]


class Times(NamedTuple):
    """Seconds a step of each round, and the process's greatest memory; or the package that is missing."""

    seconds: list[float]
    peak_bytes: int = 0
    missing: str = ""


def duel(name: str, contestants: tuple[str, ...], rounds: int, say: Callable[[str], None]) -> dict[str, Times]:
    """Every contestant's times on a case, in the same run."""
    running, times = {}, {}
    for contestant in contestants:
        say(f"{name}: {contestant} gets ready")
        worker = _start(contestant, name)
        reply = _reply(worker)
        if "missing" in reply:
            times[contestant] = Times([], missing=reply["missing"])
            worker.process.communicate()
        else:
            running[contestant] = worker
    seconds: dict[str, list[float]] = {contestant: [] for contestant in running}
    for _ in range(rounds):
        for contestant, worker in running.items():
            print("go", file=worker.process.stdin, flush=True)
            seconds[contestant].append(_reply(worker)["seconds"])
    for contestant, worker in running.items():
        assert worker.process.stdin is not None
        worker.process.stdin.close()
        times[contestant] = Times(seconds[contestant], _reply(worker)["peak_bytes"])
        worker.process.wait()
    return {contestant: times[contestant] for contestant in contestants}


def ratio(first: Times, second: Times) -> list[float]:
    """The second one's time over the first one's, round by round: what changes between rounds cancels."""
    return [b / a for a, b in zip(first.seconds, second.seconds, strict=True)]


def summary(values: list[float]) -> dict[str, float]:
    """The median and the spread."""
    return {"median": statistics.median(values), "least": min(values), "greatest": max(values)}


class _Worker(NamedTuple):
    process: subprocess.Popen
    printed: IO[str]  # what its libraries print, shown if it fails


def _start(contestant: str, name: str) -> _Worker:
    path = os.pathsep.join([str(SCRIPTS), str(SCRIPTS.parent)])
    environment = {**os.environ, "PYTHONPATH": path, "TF_CPP_MIN_LOG_LEVEL": "3"}
    command = [sys.executable, "-W", "ignore", "-m", "benchmarks.worker", contestant, name]
    printed = tempfile.TemporaryFile("w+")  # noqa: SIM115 (open as long as the worker)
    pipe = subprocess.PIPE
    return _Worker(
        subprocess.Popen(command, env=environment, stdin=pipe, stdout=pipe, stderr=printed, text=True), printed
    )


def _reply(worker: _Worker) -> dict:
    assert worker.process.stdout is not None
    line = worker.process.stdout.readline()
    if line:
        return json.loads(line)
    worker.process.wait()
    worker.printed.seek(0)
    raise RuntimeError(f"{worker.process.args} failed:\n{worker.printed.read()}")
