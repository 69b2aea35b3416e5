"""The best trials as folders of single runs, which every other command takes."""

from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
from ml_collections import ConfigDict

from genjax import config as configs
from genjax.runs import checkpoints, logs
from genjax.sweeps import batches, cohorts, results
from genjax.sweeps.batches import SweepContext
from genjax.sweeps.cohorts import CohortState, FinishedCohort
from genjax.sweeps.programs import CohortPrograms
from genjax.system import processes
from genjax.system.files import write_atomically


def best(job: SweepContext, ended: list[FinishedCohort], count: int) -> None:
    """Writes `best/<rank>-trial-<number>/` with its configuration, its log and its last state.

    On many hosts all processes must call, because they read the states together.
    """
    for rank, (one, i, _) in enumerate(results.finishers(job.config, ended)[:count], 1):
        folder = job.workdir / "best" / f"{rank}-trial-{one.cohort.trials[i].number}"
        made = job.programs(one.cohort.config, max(1, len(one.standing.alive)), batches.mode(job))
        now = cohorts.load(one.path, made.like, job.watch.say)
        if now is not None and processes.is_primary() and not (folder / "config.json").exists():
            _write(made, one, now, i, folder)
        job.watch.say(f"{folder}: go on with scripts/train.py --config {folder / 'config.json'}")


def _write(made: CohortPrograms, one: FinishedCohort, now: CohortState, i: int, folder: Path) -> None:
    place = int(np.flatnonzero(now.alive == i)[0])
    folder.mkdir(parents=True, exist_ok=True)
    rows = _rows(now, i)
    write_atomically(folder / "metrics.jsonl", b"".join(logs.encode_row(row) for row in rows))
    state = jax.tree.map(lambda leaf: leaf[place], now.states)
    monitor = made.model({name: v[place] for name, v in now.hparams.items()}, jnp.asarray(state.step)).monitor
    with checkpoints.opened(folder / "checkpoints") as manager:
        checkpoints.save(manager, state, rows[-1].get(f"validation/{monitor}"))
    write_atomically(folder / "config.json", configs.to_json(_config(one, i, place, now)).encode())


def _config(one: FinishedCohort, i: int, place: int, now: CohortState) -> ConfigDict:
    """The trial's own, with the numbers that a population gave it."""
    config = one.cohort.trials[i].config.copy_and_resolve_references()
    if len(now.moves["step"]):
        config.hparams.update({name: float(values[place]) for name, values in now.hparams.items()})
    return config


def _rows(now: CohortState, i: int) -> list[dict[str, float]]:
    """The trial's rows as a single run logs them, without the clock."""
    found = []
    for r, step in enumerate(now.rows["step"]):
        values = {name: float(v[r, i]) for name, v in now.rows.items() if name != "step"}
        found.append({"step": int(step), **{name: v for name, v in values.items() if v == v}})
    return found
