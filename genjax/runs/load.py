"""A run's folder as a trained model and its data, and the discrete codes of a run as data."""

import io
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
from genjax.config import plugins
from genjax.data import Dataset, Split
from genjax.data.source import parse
from genjax.runs import weights
from genjax.runs.checkpoints import Checkpoints, read_checkpoints
from genjax.runs.folder import check_data
from genjax.runs.programs import check_fit
from genjax.system.files import read_arrays, read_object, write_atomically
from genjax.training.scan import make_train
from genjax.training.step import averaged_params, prepare
from genjax.types import Batch, DataSpec, DiscreteCodes, InputError, Model, Params, TrainState

CODES = "codes:"  # the source that is a run's codes
AT_ONCE = 500  # examples that are encoded


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
    checkpoint: str = "",
    say: Callable[[str], None] = print_notice,
    data_source: str = "",
) -> LoadedRun:
    """Loads the model of a run's folder at its `newest` or its `best` checkpoint.

    Args:
      workdir: the folder.
      checkpoint: `newest`, or `best` by the monitored metric of the validation split; if empty the best of a run that
        may stop early (`train.patience`), else the newest.
      say: receives one line for each damaged checkpoint that was skipped.
      data_source: where the run's data are now, if they were moved.

    Raises:
      InputError: the folder is not a run's, or it has no checkpoint, or none can be read.

    Example:
      >>> run = load_run(workdir)  # such as "runs/vae_digits-0f3a9c21"
      >>> run.model.sample(run.params, jax.random.key(0), 16).shape
      (16, 8, 8, 1)
    """
    workdir = Path(workdir)
    config = read_config(workdir)
    for line in plugins.check(workdir):
        say(line)
    exported = (workdir / weights.FILE).is_file() and not (workdir / "checkpoints").is_dir()
    if not exported and not (workdir / "checkpoints").is_dir():
        raise InputError(f"{workdir} has no checkpoints yet")
    dataset = load_data(data_source or config.data.source)
    check_data(workdir, {config.data.source: data.fingerprint(dataset)})
    spec = data.describe(dataset, config.data.dynamic_binarisation)
    config = configs.resolve(config, spec)  # a run writes what it resolved; a file that someone edited may say `auto`
    hparams = {name: np.float32(value) for name, value in configs.active(config).items()}
    functions = make_train(config, spec)
    check_fit(config, dataset, functions)
    like = jax.eval_shape(lambda: functions.init(hparams, jax.random.key(config.seed)))
    if exported:
        arrays, step, _ = weights.read(workdir / weights.FILE)
        params = weights.fill(averaged_params(like), arrays, workdir / weights.FILE)
    else:
        with read_checkpoints(workdir / "checkpoints") as checkpoints:
            name = checkpoint or ("best" if config.train.patience else "newest")
            state = _restore(checkpoints, name, like, workdir, say)
        params, step = averaged_params(state), int(state.step)
    return LoadedRun(workdir, config, dataset, spec, functions.model(hparams, jnp.asarray(step)), params, step)


def load_data(source: str) -> Dataset:
    """Loads a data set by its source: one of `data.SOURCES`, or `codes:<workdir>`, the discrete codes of a run.

    Codes are images of numbers, with the labels of the run's examples. They are kept in the run's folder, under
    `codes/`, for the checkpoint that they are of.

    Raises:
      InputError: there is no such source, or what it holds cannot be used.
    """
    return data.load(source, {f"{CODES}<workdir>": _load_codes})


def describe_sources() -> dict[str, str]:
    """What each source of `load_data` holds, `{source: a line}`."""
    plugins.load_installed()
    of_plugins = {name: (load.__doc__ or "of a plugin").splitlines()[0] for name, load in data.SOURCES.items()}
    return {
        **of_plugins,
        **data.DESCRIPTIONS,
        f"{CODES}<workdir>": "the discrete codes of a run's examples, with their labels",
    }


def _load_codes(source: str) -> Dataset:
    run = load_run(parse(source, ()).location)
    discrete, original = run.model.discrete, run.dataset
    if discrete is None:
        raise InputError(f"{source}: its model has no discrete codes; model.bottleneck gives an autoencoder some")
    path = run.workdir / "codes" / f"step-{run.step}.npz"
    parts = {"train": original.train, "validation": original.validation, "test": original.test}
    if not path.is_file():
        codes = {name: _encode(run, discrete, split.x) for name, split in parts.items()}
        np.savez_compressed(buffer := io.BytesIO(), **codes)  # pyright: ignore
        path.parent.mkdir(exist_ok=True)
        write_atomically(path, buffer.getvalue())
    arrays = read_arrays(path)
    if any(name not in arrays or len(arrays[name]) != len(split.x) for name, split in parts.items()):
        raise InputError(f"{path} holds no codes of these data; delete it, and it is written again")
    train, validation, test = (Split(arrays[name], split.y) for name, split in parts.items())
    scale = 1 / (discrete.size - 1)
    return Dataset(source, train, validation, test, train.x.shape[1:], True, scale, original.target_names)


def _encode(run: LoadedRun, discrete: DiscreteCodes, x: np.ndarray) -> np.ndarray:
    """The codes of a split, `[n, height, width, 1]`; a map of one dimension has the height 1."""
    height, width = (1, *discrete.grid)[-2:]

    @jax.jit
    def encode(x: jax.Array) -> jax.Array:
        return discrete.encode(run.params, prepare(run.spec, jax.random.key(run.config.seed), Batch(x)))

    numbers = [np.asarray(encode(jnp.asarray(x[i : i + AT_ONCE]))) for i in range(0, len(x), AT_ONCE)]
    smallest = np.uint8 if discrete.size <= 256 else np.uint16
    return np.concatenate(numbers).reshape(-1, height, width, 1).astype(smallest)


def read_config(workdir: Path) -> ConfigDict:
    """The configuration of a run's folder.

    Raises:
      InputError: the folder is not a run's.
    """
    path = workdir / "config.json"
    content = read_object(path)
    if content is None:
        raise InputError(f"{workdir} is not the folder of a run: it has no config.json")
    if "base.model.family" in content:
        raise InputError(f"{workdir} is a sweep: genjax sweep --export-best writes its best trials as folders of runs")
    config = configs.load(path)
    configs.check(config)
    return config


def _restore(
    checkpoints: Checkpoints, name: str, like: TrainState, workdir: Path, say: Callable[[str], None]
) -> TrainState:
    """Reads the checkpoint of a name, `newest` or `best`."""
    state = checkpoints.restore_newest(like, say) if name == "newest" else checkpoints.restore_best(like)
    if state is None:
        raise InputError(f"{workdir} has no checkpoint yet")
    return state
