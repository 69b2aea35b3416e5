"""The best trials as folders of single runs, which every other command takes."""

import shutil
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
from ml_collections import ConfigDict

from genjax import config as configs
from genjax.data import fingerprint
from genjax.runs import logs
from genjax.runs.checkpoints import open_checkpoints
from genjax.runs.folder import record_data, record_plugins
from genjax.sweeps import batches, cohorts, results
from genjax.sweeps.batches import SweepContext
from genjax.sweeps.cohorts import CohortState, FinishedCohort
from genjax.sweeps.programs import CohortPrograms
from genjax.system import processes
from genjax.system.files import write_atomically


def export_best(context: SweepContext, ended: list[FinishedCohort], count: int) -> None:
    """Writes `best/<rank>-trial-<number>/` with its configuration, its log and its last state.

    On many hosts all processes must call, because they read the states together.
    """
    for rank, (finished, i, _) in enumerate(results.rank_finishers(context.config, ended)[:count], 1):
        folder = context.workdir / "best" / f"{rank}-trial-{finished.cohort.trials[i].number}"
        alive = len(finished.state.alive)
        programs = context.programs(finished.cohort.config, max(1, alive), batches.execution_mode(context))
        state = cohorts.load(finished.path, finished.cohort, programs.like, context.progress.say)
        if state is not None and processes.is_primary() and not (folder / "config.json").exists():
            _write_run(programs, finished, state, i, folder)
        context.progress.say(f"{folder}: go on with genjax train --config {folder / 'config.json'}")


def _write_run(
    programs: CohortPrograms, finished: FinishedCohort, cohort_state: CohortState, i: int, folder: Path
) -> None:
    """Writes trial i of a cohort; the configuration comes last, and marks a whole folder."""
    place = int(np.flatnonzero(cohort_state.alive == i)[0])
    folder.mkdir(parents=True, exist_ok=True)
    shutil.rmtree(folder / "checkpoints", ignore_errors=True)  # of an export that was broken off
    rows = results.rows_of_trial(cohort_state, i)
    write_atomically(folder / "metrics.jsonl", b"".join(logs.encode_row(row) for row in rows))
    state = jax.tree.map(lambda leaf: leaf[place], cohort_state.states)
    hparams = {name: values[place] for name, values in cohort_state.hparams.items()}
    monitor = programs.model(hparams, jnp.asarray(state.step)).monitor
    with open_checkpoints(folder / "checkpoints") as checkpoints:
        checkpoints.save(state, rows[-1].get(f"validation/{monitor}"))
    config = configs.with_absolute_source(_config_of_run(finished, i, place, cohort_state))
    record_data(folder, {config.data.source: fingerprint(programs.dataset)})
    record_plugins(folder, config)
    write_atomically(folder / "config.json", configs.to_json(config).encode())


def _config_of_run(finished: FinishedCohort, i: int, place: int, state: CohortState) -> ConfigDict:
    """The trial's own configuration, with the numbers that a population gave it."""
    config = finished.cohort.trials[i].config.copy_and_resolve_references()
    if len(state.moves["step"]):
        config.hparams.update({name: float(values[place]) for name, values in state.hparams.items()})
    return config
