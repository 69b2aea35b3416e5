"""The contestants of a case take turns, so that what slows the machine slows them all."""

import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import IO, NamedTuple

SCRIPTS = Path(__file__).parents[1]


class Times(NamedTuple):
    """Seconds a step of each round, and the process's greatest memory; or the package that is missing."""

    seconds: list[float]
    peak_bytes: int = 0
    missing: str = ""


class Command(NamedTuple):
    """A contestant on a case, and the `scripts` folder whose code it runs."""

    contestant: str
    case: str
    scripts: Path = SCRIPTS


def duel(name: str, contestants: tuple[str, ...], rounds: int, say: Callable[[str], None]) -> dict[str, Times]:
    """Every contestant's times on a case, in the same run."""
    return take_turns({contestant: Command(contestant, name) for contestant in contestants}, rounds, say)


def take_turns(commands: Mapping[str, Command], rounds: int, say: Callable[[str], None]) -> dict[str, Times]:
    """The times of all commands. Every second round goes through them backwards: a drift slows none more than another.

    Args:
      commands: by the names under which their times are returned.
      rounds: turns of each.
      say: shows a line.
    """
    running, times = {}, {}
    for label, command in commands.items():
        say(f"{command.case}: {label} gets ready")
        worker = _start(command)
        reply = _reply(worker)
        if "missing" in reply:
            times[label] = Times([], missing=reply["missing"])
            worker.process.communicate()
        else:
            running[label] = worker
    seconds: dict[str, list[float]] = {label: [] for label in running}
    for number in range(rounds):
        for label in list(running)[:: -1 if number % 2 else 1]:
            print("go", file=running[label].process.stdin, flush=True)
            seconds[label].append(_reply(running[label])["seconds"])
    for label, worker in running.items():
        assert worker.process.stdin is not None
        worker.process.stdin.close()
        times[label] = Times(seconds[label], _reply(worker)["peak_bytes"])
        worker.process.wait()
    return {label: times[label] for label in commands}


def ratio(first: Times, second: Times) -> list[float]:
    """The second one's time over the first one's, round by round: what changes between rounds cancels."""
    return [b / a for a, b in zip(first.seconds, second.seconds, strict=True)]


def summary(values: list[float]) -> dict[str, float]:
    """The median and the spread."""
    return {"median": statistics.median(values), "least": min(values), "greatest": max(values)}


class _Worker(NamedTuple):
    process: subprocess.Popen
    printed: IO[str]  # what its libraries print, shown if it fails


def _start(command: Command) -> _Worker:
    path = os.pathsep.join([str(command.scripts), str(command.scripts.parent)])
    environment = {**os.environ, "PYTHONPATH": path, "TF_CPP_MIN_LOG_LEVEL": "3"}
    arguments = [sys.executable, "-W", "ignore", "-m", "benchmarks.worker", command.contestant, command.case]
    printed = tempfile.TemporaryFile("w+")  # noqa: SIM115 (open as long as the worker)
    pipe = subprocess.PIPE
    return _Worker(
        subprocess.Popen(
            arguments, cwd=command.scripts, env=environment, stdin=pipe, stdout=pipe, stderr=printed, text=True
        ),
        printed,
    )


def _reply(worker: _Worker) -> dict:
    assert worker.process.stdout is not None
    line = worker.process.stdout.readline()
    if line:
        return json.loads(line)
    worker.process.wait()
    worker.printed.seek(0)
    raise RuntimeError(f"{worker.process.args} failed:\n{worker.printed.read()}")
