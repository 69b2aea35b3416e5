"""The contestants of a case take turns, so that what slows the machine slows them all."""

import json
import os
import statistics
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

SCRIPTS = Path(__file__).parents[1]


class Times(NamedTuple):
    """Seconds a step of each round, and the process's greatest memory; or the package that is missing."""

    seconds: list[float]
    peak_bytes: int = 0
    missing: str = ""


def duel(name: str, contestants: tuple[str, ...], rounds: int, say: Callable[[str], None]) -> dict[str, Times]:
    """Every contestant's times on a case, in the same run."""
    running, found = {}, {}
    for contestant in contestants:
        say(f"{name}: {contestant} gets ready")
        process = _start(contestant, name)
        reply = _reply(process, contestant)
        if "missing" in reply:
            found[contestant] = Times([], missing=reply["missing"])
            process.communicate()
        else:
            running[contestant] = process
    seconds: dict[str, list[float]] = {contestant: [] for contestant in running}
    for _ in range(rounds):
        for contestant, process in running.items():
            print("go", file=process.stdin, flush=True)
            seconds[contestant].append(_reply(process, contestant)["seconds"])
    for contestant, process in running.items():
        process.stdin.close()
        found[contestant] = Times(seconds[contestant], _reply(process, contestant)["peak_bytes"])
        process.wait()
    return {contestant: found[contestant] for contestant in contestants}


def ratio(ours: Times, theirs: Times) -> list[float]:
    """How many times our step theirs takes, round by round: what changes between rounds cancels."""
    return [b / a for a, b in zip(ours.seconds, theirs.seconds, strict=True)]


def summary(values: list[float]) -> dict[str, float]:
    """The median and the spread."""
    return {"median": statistics.median(values), "least": min(values), "greatest": max(values)}


def _start(contestant: str, name: str) -> subprocess.Popen:
    path = os.pathsep.join([str(SCRIPTS), str(SCRIPTS.parent)])
    environment = {**os.environ, "PYTHONPATH": path, "TF_CPP_MIN_LOG_LEVEL": "3"}
    command = [sys.executable, "-W", "ignore", "-m", "benchmarks.worker", contestant, name]
    return subprocess.Popen(command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def _reply(process: subprocess.Popen, contestant: str) -> dict:
    assert process.stdout is not None
    line = process.stdout.readline()
    if not line:
        raise RuntimeError(f"{contestant} ended with exit code {process.wait()}")
    return json.loads(line)
