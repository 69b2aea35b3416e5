"""Runs a script as a user does: in a process of its own, from a folder of its own."""

import json
import os
import socket
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
CLOCK = ("seconds", "examples_per_second")  # all that may differ between two runs of one configuration

GAN = """
from genjax.config import default

def get_config():
    config = default("gan")
    config.model.generator_hidden = {hidden}
    config.model.discriminator_hidden = {hidden}
    config.model.latent = 8
    config.model.critic_steps = 2
    config.model.penalties = ("r1",)
    config.optim.generator.schedule = "warmup_cosine"
    config.optim.discriminator.clip = True
    config.train.batch_size = {batch_size}
    config.train.steps = {steps}
    config.train.log_every = {log_every}
    config.train.evaluate_every = {evaluate_every}
    config.train.checkpoint_every = {evaluate_every}
    config.train.devices = 1
    return config
"""


def write_config(path, hidden=(16,), batch_size=32, steps=60, log_every=10, evaluate_every=20):
    """A small GAN whose every run has two optimisers' states, moving averages and a schedule."""
    path.parent.mkdir(parents=True, exist_ok=True)
    settings = {"batch_size": batch_size, "steps": steps, "log_every": log_every, "evaluate_every": evaluate_every}
    path.write_text(GAN.format(hidden=hidden, **settings))
    return path


def environment():
    """The environment of a command, which shares the compiled programs of the session."""
    return {**os.environ, "PYTHONPATH": str(ROOT)}


def start(env, folder, *arguments, script="train.py", **streams):
    """Starts a script in a folder; its progress is read from `stderr`."""
    streams = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **streams}
    command = [sys.executable, str(ROOT / "scripts" / script), *arguments]
    return subprocess.Popen(command, cwd=folder, env=env, text=True, **streams)


def run_train(env, folder, *arguments):
    """Runs the script to its end: `(exit code, standard output, standard error)`."""
    process = start(env, folder, *arguments)
    out, err = process.communicate(timeout=180)
    return process.returncode, out, err


def rows(workdir):
    """The rows of `metrics.jsonl` without what depends on the clock; none where there is no file, no torn last row."""
    path = workdir / "metrics.jsonl"
    lines = path.read_text().splitlines(keepends=True) if path.exists() else []
    parsed = [json.loads(line) for line in lines if line.endswith("\n")]
    return [{name: value for name, value in row.items() if name not in CLOCK} for row in parsed]


def wait_for_step(process, workdir, step):
    """Waits until a running process has logged a step; the step that it has logged by then."""
    while process.poll() is None:
        logged = rows(workdir)
        if logged and logged[-1]["step"] >= step:
            return logged[-1]["step"]
        time.sleep(0.01)
    raise AssertionError(f"ended with {process.returncode} before step {step}: {process.stderr.read()}")


def checkpoint_steps(workdir):
    """The steps of the checkpoints."""
    return sorted(int(path.name) for path in Path(workdir, "checkpoints").iterdir() if path.name.isdigit())


def free_port():
    """A port of this machine that nothing listens on."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        return listening.getsockname()[1]
