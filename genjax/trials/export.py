"""The best trials as folders of single runs, which every other command takes."""

from pathlib import Path

import jax
import numpy as np
from ml_collections import ConfigDict

from genjax import checkpoint, hosts, logs
from genjax import config as configs
from genjax.atomic import write_atomically
from genjax.trials import batches, outcome, standing
from genjax.trials.batches import Job
from genjax.trials.programs import Programs
from genjax.trials.standing import Ended, Standing


def best(job: Job, ended: list[Ended], count: int) -> None:
    """Writes `best/<rank>-trial-<number>/` with its configuration, its log and its last state.

    On many hosts all processes must call, because they read the states together.
    """
    for rank, (one, i, _) in enumerate(outcome.finishers(job.config, ended)[:count], 1):
        folder = job.workdir / "best" / f"{rank}-trial-{one.cohort.trials[i].number}"
        made = job.programs(one.cohort.config, max(1, len(one.standing.alive)), batches.mode(job))
        now = standing.load(one.path, made.like, job.watch.say)
        if now is not None and hosts.first() and not (folder / "config.json").exists():
            _write(made, one, now, i, folder)
        job.watch.say(f"{folder}: go on with scripts/train.py --config {folder / 'config.json'}")


def _write(made: Programs, one: Ended, now: Standing, i: int, folder: Path) -> None:
    place = int(np.flatnonzero(now.alive == i)[0])
    folder.mkdir(parents=True, exist_ok=True)
    rows = _rows(now, i)
    write_atomically(folder / "metrics.jsonl", b"".join(logs.encode_row(row) for row in rows))
    state = jax.tree.map(lambda leaf: leaf[place], now.states)
    monitor = made.model({name: v[place] for name, v in now.hparams.items()}, state.step).monitor
    with checkpoint.opened(folder / "checkpoints") as manager:
        checkpoint.save(manager, state, rows[-1].get(f"validation/{monitor}"))
    write_atomically(folder / "config.json", configs.to_json(_config(one, i, place, now)).encode())


def _config(one: Ended, i: int, place: int, now: Standing) -> ConfigDict:
    """The trial's own, with the numbers that a population gave it."""
    config = one.cohort.trials[i].config.copy_and_resolve_references()
    if len(now.moves["step"]):
        config.hparams.update({name: float(values[place]) for name, values in now.hparams.items()})
    return config


def _rows(now: Standing, i: int) -> list[dict[str, float]]:
    """The trial's rows as a single run logs them, without the clock."""
    found = []
    for r, step in enumerate(now.rows["step"]):
        values = {name: float(v[r, i]) for name, v in now.rows.items() if name != "step"}
        found.append({"step": int(step), **{name: v for name, v in values.items() if v == v}})
    return found
