"""A cohort's file: everything that changes about it, whole or not at all."""

import hashlib
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import numpy as np
from ml_collections import ConfigDict

from genjax import config as configs
from genjax.sweeps.cohorts import Cohort, CohortState
from genjax.system import processes
from genjax.system.files import read_arrays, write_atomically
from genjax.types import InputError, TrainState

GROUPS = ("hparams", "rows", "test", "moves")  # the fields that are dictionaries of arrays
FIELDS = ("step", "alive", "steps", "seconds", "diverged_at")  # those that are arrays


def save(path: Path, cohort: Cohort, state: CohortState) -> None:
    """Writes everything in one file, whole or not at all; on many hosts the first process does, and all must call."""
    states = jax.tree.map(lambda leaf: leaf[: len(state.alive)], processes.gather(state.states))
    trees = {"states": states, "best_states": state.best_states}
    arrays = {f"{name}|{i}": leaf for name, tree in trees.items() for i, leaf in enumerate(jax.tree.leaves(tree))}
    arrays |= {f"{group}|{name}": values for group in GROUPS for name, values in getattr(state, group).items()}
    arrays |= {name: np.asarray(getattr(state, name)) for name in FIELDS}
    arrays["identity"] = np.asarray(identity(cohort))
    if processes.is_primary():
        np.savez(buffer := io.BytesIO(), **arrays)  # pyright: ignore[reportArgumentType]
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(path, buffer.getvalue())


def identity(cohort: Cohort) -> str:
    """A name of the trials of a cohort and of their settings, so that no file is taken for another cohort's.

    Settings at their defaults are left out: those that did not exist when a file was written make it no other one.
    """
    settings = [[trial.number, trial.point, _changed_settings(trial.config)] for trial in cohort.trials]
    return hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()


def _changed_settings(config: ConfigDict) -> dict[str, Any]:
    values = json.loads(configs.to_json(config))
    defaults = json.loads(configs.to_json(configs.default(config.model.family)))
    return {name: value for name, value in values.items() if name not in defaults or defaults[name] != value}


def load(path: Path, cohort: Cohort, like: TrainState, say: Callable[[str], None]) -> CohortState | None:
    """Reads what `save` wrote, its states on the host; None where there is no file, or where it cannot be read whole.

    Args:
      path: of the file; on many hosts the first process reads it for all.
      cohort: whose file it should be.
      like: a state of any number of trials.
      say: receives a line about a file that cannot be read, or that is another cohort's.
    """
    content = processes.broadcast_bytes(path.read_bytes() if processes.is_primary() and path.exists() else b"")
    if not content:
        return None
    try:
        arrays = read_arrays(path, content)
        if arrays.pop("identity").item() != identity(cohort):
            raise InputError(f"{path} holds other trials")
        return _from_arrays(arrays, like)
    except (InputError, LookupError, TypeError, ValueError) as error:
        reason = str(error) if isinstance(error, InputError) else f"{path} is no cohort's file"
        say(f"{reason}: its trials start again")
        return None


def _from_arrays(arrays: dict[str, np.ndarray], like: TrainState) -> CohortState:
    structure = jax.tree.structure(like)

    def tree(name: str) -> TrainState:
        return jax.tree.unflatten(structure, [arrays.pop(f"{name}|{i}") for i in range(structure.num_leaves)])

    states, best_states = tree("states"), tree("best_states") if "best_states|0" in arrays else None
    groups: dict[str, dict[str, np.ndarray]] = {group: {} for group in GROUPS}
    for name in [name for name in arrays if "|" in name]:
        group, _, key = name.partition("|")
        groups[group][key] = arrays.pop(name)
    fields: dict[str, Any] = {name: arrays[name] for name in FIELDS}
    return CohortState(**{**fields, **groups, "step": int(fields["step"])}, states=states, best_states=best_states)
