"""What a run costs beside its steps: start, imports, logs, checkpoints, evaluations; and what a sweep saves of it."""

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from benchmarks.cases import noise

ROOT = Path(__file__).parents[2]
CONFIG = """
from genjax.config import default

def get_config():
    config = default("vae")
    config.data.source = "npz:{data}"
    config.train.steps = 3000  # three evaluations, of which the loop's time has two
    return config
"""

SWEPT_ROUNDS = 3  # a round has sixteen starts, which take a minute or two: their sum varies less than a single one
SWEPT_STEPS = 1000  # a short run, as in a search for hyperparameters
RATES, SEEDS = (3e-4, 1e-3, 3e-3, 1e-2), (0, 1, 2, 3)
BASE = ROOT / "configs" / "vae_normal_digits.py"
SWEEP = f"""
from pathlib import Path
from genjax.sweeps import default, values

def get_config():
    sweep = default(Path({str(BASE)!r}))
    sweep.base.train.steps = {SWEPT_STEPS}
    sweep.axes = (values("hparams.learning_rate", *{RATES}), values("seed", *{SEEDS}))
    sweep.objective.metric, sweep.objective.goal = "elbo", "max"
    return sweep
"""


def share_of_bare_scan(rounds: int) -> list[float]:
    """The default VAE's run with its logs, evaluations and checkpoints: its speed over that of the scan alone."""
    with _written() as (folder, environment):
        path = os.pathsep.join([str(ROOT / "scripts"), str(ROOT)])
        arguments = ("-m", "benchmarks.bare_scan", str(folder / "config.py"))
        outputs = [_python(environment | {"PYTHONPATH": path}, *arguments) for _ in range(rounds)]
    return [float(output.splitlines()[-1]) for output in outputs]


def starts(rounds: int) -> dict[str, list[float]]:
    """Seconds from the start of `train.py` to its first finished step, nothing compiled before and all of it."""
    seconds: dict[str, list[float]] = {"cold": [], "warm": []}
    with _written() as (folder, environment):
        for _ in range(rounds):
            cache = tempfile.mkdtemp(dir=folder)
            for state in seconds:
                seconds[state].append(_first_step(folder, environment | {"GENJAX_CACHE": cache}))
    return seconds


def imports(rounds: int) -> list[float]:
    """Seconds that importing genjax takes beyond importing jax."""
    beyond = []
    for _ in range(rounds):
        seconds = [
            float(_python(_environment(), "-c", f"import time; t = time.time(); import {name}; print(time.time() - t)"))
            for name in ("jax", "jax, genjax.runs.loop")
        ]
        beyond.append(seconds[1] - seconds[0])
    return beyond


def sweep_against_starts() -> dict[str, list[float]]:
    """Seconds of a sweep and of a start for each of its trials, in turns and with their programs compiled before."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "sweep.py").write_text(SWEEP)
        environment = _environment() | {"GENJAX_CACHE": str(folder / "cache")}
        commands = {"sweep": [["sweep.py", "--config", str(folder / "sweep.py")]], "starts": starts_of_sweep()}
        for several in commands.values():  # one start compiles what all of them need
            _in_a_row(several[:1], folder, environment)
        seconds: dict[str, list[float]] = {kind: [] for kind in commands}
        for _ in range(SWEPT_ROUNDS):
            for kind, several in commands.items():
                seconds[kind].append(_in_a_row(several, folder, environment))
    return seconds | {"sweep_against_starts": [b / a for a, b in zip(seconds["sweep"], seconds["starts"], strict=True)]}


def starts_of_sweep() -> list[list[str]]:
    """The command line of each trial of `SWEEP` as a single run."""
    base = ["train.py", "--config", str(BASE), f"--config.train.steps={SWEPT_STEPS}"]
    return [
        [*base, f"--config.hparams.learning_rate={rate}", f"--config.seed={seed}"] for rate in RATES for seed in SEEDS
    ]


def _in_a_row(commands: list[list[str]], folder: Path, environment: dict[str, str]) -> float:
    """Seconds of some scripts one after another, each with a folder of its own."""
    began = time.perf_counter()
    for script, *arguments in commands:
        workdir = tempfile.mkdtemp(dir=folder)
        _python(environment, str(ROOT / "scripts" / script), *arguments, "--workdir", workdir)
    return time.perf_counter() - began


def _first_step(folder: Path, environment: dict[str, str]) -> float:
    arguments = [
        "--config",
        str(folder / "config.py"),
        "--config.train.log_every=1",
        "--workdir",
        tempfile.mkdtemp(dir=folder),
    ]
    began = time.perf_counter()
    command = [sys.executable, str(ROOT / "scripts" / "train.py"), *arguments]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=environment) as process:
        assert process.stderr is not None
        for line in process.stderr:
            if line.startswith("1/"):
                seconds = time.perf_counter() - began
                process.kill()
                return seconds
    raise RuntimeError(f"{' '.join(command)} ended before its first step")


@contextmanager
def _written() -> Iterator[tuple[Path, dict[str, str]]]:
    """A folder with a config of the default VAE and its data, as many images as the cases have; and an environment."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        np.savez(folder / "noise.npz", x=noise())
        (folder / "config.py").write_text(CONFIG.format(data=folder / "noise.npz"))
        yield folder, _environment()


def _environment() -> dict[str, str]:
    """That of a user: Python keeps what it has compiled, so that a start does not compile all packages again."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "TF_CPP_MIN_LOG_LEVEL": "3"}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    return environment


def _python(environment: dict[str, str], *arguments: str) -> str:
    completed = subprocess.run([sys.executable, *arguments], env=environment, capture_output=True, text=True)
    if completed.returncode:
        raise RuntimeError(f"a measurement failed:\n{completed.stderr}")
    return completed.stdout.strip()
