"""Small sweeps in processes of their own."""

import csv

from command import start

BASE = """
from genjax.config import default

def get_config():
    config = default("vae")
    config.model.hidden, config.model.latent = (8,), 2
    config.train.batch_size = 32
    config.train.steps = {steps}
    config.train.log_every = 10
    config.train.evaluate_every = config.train.checkpoint_every = 20
    return config
"""

SWEEP = """
from pathlib import Path
from genjax.sweeps import default, log_uniform, values

def get_config():
    sweep = default(Path(__file__).with_name("base.py"))
    sweep.axes = (
        {axis},
        values("seed", 0, 1),
    )
    sweep.execution = "map"
    {more}
    return sweep
"""
RATES = 'values("hparams.learning_rate", 1e-3, 1e-2, 1e30), values("model.latent", 2, 3)'
HALVING = 'sweep.strategy, sweep.points = "random", 4; sweep.stopping = "halving"; sweep.halving.first = 50'
DRAWN = 'log_uniform("hparams.learning_rate", 1e-4, 1e-1)'


def written(folder, axis=RATES, more="", steps=200):
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "base.py").write_text(BASE.format(steps=steps))
    (folder / "sweep.py").write_text(SWEEP.format(axis=axis, more=more))
    return folder


def begin(env, folder, *arguments, workdir="s"):
    return start(env, folder, "--config", "sweep.py", "--workdir", workdir, *arguments, script="sweep.py")


def ran(env, folder, *arguments, workdir="s", code=0):
    """The standard error of a sweep that ended with a code."""
    process = begin(env, folder, *arguments, workdir=workdir)
    out, err = process.communicate(timeout=300)
    assert (process.returncode, out) == (code, ""), err
    return err


def table(path):
    with (path / "trials.csv").open() as file:
        return [{name: value for name, value in row.items() if name != "seconds"} for row in csv.DictReader(file)]
