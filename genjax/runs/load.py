"""A run's folder as a trained model and its data."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from ml_collections import ConfigDict

from genjax import config as configs
from genjax import data
from genjax.data import Dataset
from genjax.runs.checkpoints import Checkpoints, open_checkpoints
from genjax.runs.programs import check_fit
from genjax.system.messages import first_line
from genjax.training.scan import make_train
from genjax.training.step import averaged_params
from genjax.types import DataSpec, InputError, Model, Params, TrainState


class LoadedRun(NamedTuple):
    """A trained model and the data that it was trained on.

    Attributes:
      workdir: the run's folder.
      config: the run's.
      dataset: that it was trained on.
      spec: of the data.
      model: bound to the run's hyperparameters.
      params: those that sampling uses, moving averages included.
      step: after which they were saved.
    """

    workdir: Path
    config: ConfigDict
    dataset: Dataset
    spec: DataSpec
    model: Model
    params: Params
    step: int


def print_notice(line: str) -> None:
    """Prints a line on standard error."""
    print(line, file=sys.stderr, flush=True)


def load_run(
    workdir: Path | str,
    checkpoint: str = "newest",
    say: Callable[[str], None] = print_notice,
) -> LoadedRun:
    """Loads the model of a run's folder at its `newest` or its `best` checkpoint.

    Args:
      workdir: the folder.
      checkpoint: `newest`, or `best` by the monitored metric of the validation split.
      say: receives one line for each damaged checkpoint that was skipped.

    Raises:
      InputError: the folder is not a run's, or it has no checkpoint, or none can be read.

    Example:
      >>> run = load_run(workdir)  # such as "runs/vae_digits-0f3a9c21"
      >>> run.model.sample(run.params, jax.random.key(0), 16).shape
      (16, 8, 8, 1)
    """
    workdir = Path(workdir)
    config = read_config(workdir)
    if not (workdir / "checkpoints").is_dir():
        raise InputError(f"{workdir} has no checkpoints yet")
    dataset = data.load(config.data.source)
    spec = data.describe(dataset, config.data.dynamic_binarisation)
    config = configs.resolve(config, spec)  # a run writes what it resolved; a file that someone edited may say `auto`
    hparams = {name: np.float32(value) for name, value in configs.active(config).items()}
    functions = make_train(config, spec)
    check_fit(config, dataset, functions)
    like = jax.eval_shape(lambda: functions.init(hparams, jax.random.key(config.seed)))
    with open_checkpoints(workdir / "checkpoints") as checkpoints:
        state = _restore(checkpoints, checkpoint, like, workdir, say)
    model = functions.model(hparams, jnp.asarray(state.step))
    return LoadedRun(workdir, config, dataset, spec, model, averaged_params(state), int(state.step))


def read_config(workdir: Path) -> ConfigDict:
    """The configuration of a run's folder.

    Raises:
      InputError: the folder is not a run's.
    """
    path = workdir / "config.json"
    if not path.is_file():
        raise InputError(f"{workdir} is not the folder of a run: it has no config.json")
    if '"base.model.family"' in path.read_text():
        raise InputError(f"{workdir} is a sweep: sweep.py --export-best writes its best trials as folders of runs")
    config = configs.load(path)
    configs.check(config)
    return config


def _restore(
    checkpoints: Checkpoints, name: str, like: TrainState, workdir: Path, say: Callable[[str], None]
) -> TrainState:
    """Reads the checkpoint of a name, `newest` or `best`."""
    state = None
    if name == "newest":
        state = checkpoints.restore_newest(like, say)
    elif (step := checkpoints.best_step()) is not None:
        try:
            state = checkpoints.restore(step, like)
        except Exception as error:  # whatever a damaged file makes the reader raise
            raise InputError(f"checkpoint {step} of {workdir} cannot be read: {first_line(error)}") from error
    if state is None:
        raise InputError(f"{workdir} has no checkpoint yet")
    return state
