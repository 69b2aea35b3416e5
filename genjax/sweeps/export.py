"""The best trials as folders of single runs, which every other command takes."""

import shutil
from pathlib import Path

import jax.numpy as jnp
from ml_collections import ConfigDict

from genjax import config as configs
from genjax.data import fingerprint
from genjax.runs import logs
from genjax.runs.folder import record_data, record_plugins
from genjax.runs.saving import open_checkpoints
from genjax.sweeps import batches, cohort_files, cohorts, results
from genjax.sweeps.batches import SweepContext
from genjax.sweeps.cohorts import CohortState, FinishedCohort
from genjax.sweeps.programs import CohortPrograms
from genjax.system import processes
from genjax.system.files import write_atomically
from genjax.types import Hparams


def export_best(context: SweepContext, ended: list[FinishedCohort], count: int) -> None:
    """Writes `best/<rank>-trial-<number>/` with its configuration, its log and the state that it is judged by.

    On many hosts all processes must call, because they read the states together.
    """
    for rank, (finished, i, _) in enumerate(results.rank_finishers(context.config, ended)[:count], 1):
        folder = context.workdir / "best" / f"{rank}-trial-{finished.cohort.trials[i].number}"
        alive = len(finished.state.alive)
        programs = context.programs(finished.cohort.config, max(1, alive), batches.execution_mode(context))
        state = cohort_files.load(finished.path, finished.cohort, programs.like, context.progress.say)
        if state is not None and processes.is_primary() and not (folder / "config.json").exists():
            _write_run(programs, finished, state, i, folder)
        context.progress.say(f"{folder}: go on with genjax train --config {folder / 'config.json'}")


def _write_run(
    programs: CohortPrograms, finished: FinishedCohort, cohort_state: CohortState, i: int, folder: Path
) -> None:
    """Writes trial i of a cohort; the configuration comes last, and marks a whole folder."""
    folder.mkdir(parents=True, exist_ok=True)
    shutil.rmtree(folder / "checkpoints", ignore_errors=True)  # of an export that was broken off
    rows = results.rows_of_trial(cohort_state, i)
    write_atomically(folder / "metrics.jsonl", b"".join(logs.encode_row(row) for row in rows))
    state, hparams = cohorts.final_state(finished.cohort, cohort_state, i)
    monitor = programs.model(hparams, jnp.asarray(state.step)).monitor
    row = next(row for row in rows if row["step"] == int(state.step))
    with open_checkpoints(folder / "checkpoints") as checkpoints:
        checkpoints.save(state, row.get(f"validation/{monitor}"))
    config = configs.with_absolute_source(_config_of_run(finished, i, hparams, cohort_state))
    record_data(folder, {config.data.source: fingerprint(programs.dataset)})
    record_plugins(folder, config)
    write_atomically(folder / "config.json", configs.to_json(config).encode())


def _config_of_run(finished: FinishedCohort, i: int, hparams: Hparams, state: CohortState) -> ConfigDict:
    """The trial's own configuration, with the numbers that a population gave it."""
    config = finished.cohort.trials[i].config.copy_and_resolve_references()
    if len(state.moves["step"]):
        config.hparams.update({name: float(value) for name, value in hparams.items()})
    return config
