"""A model of an array in memory, without a folder."""

import difflib
import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import jax
import numpy as np
from ml_collections import ConfigDict

from genjax import config as configs
from genjax.api.run import Run
from genjax.data import Dataset, Split, describe
from genjax.data.assemble import assemble
from genjax.runs import feeding
from genjax.runs.chunks import schedule
from genjax.runs.load import LoadedRun
from genjax.runs.programs import make_run_programs
from genjax.system.messages import describe_unknown
from genjax.training.step import averaged_params
from genjax.types import InputError

NAME = "array"  # of the data
OF_FOLDERS = {
    f"train.{name}"
    for name in (
        "trackers",
        "init_from",
        "init_parts",
        "patience",
        "least_steps",
        "smallest_change",
        "checkpoint_every",
        "deterministic",
    )
} | {"data.source"}
GROUPS = ("model", "hparams", "train", "data")  # where a short name is looked for, in this order


def fit(
    x: Any,
    family: str = "vae",
    y: Any = None,
    on_row: Callable[[dict[str, float]], None] = lambda row: None,
    **settings: Any,
) -> Run:
    """Trains a model of an array in memory and returns it; no file is written.

    Args:
      x: `[n, height, width]` or `[n, height, width, channels]` images, uint8 or floats in [0, 1], or `[n, d]` points.
        Tenths of it are held out as validation and test splits.
      family: `autoencoder`, `vae`, `gan` or `autoregressive`.
      y: `[n]` classes, for a conditional model.
      on_row: receives the metrics of every `log_every` steps, as a run logs them; `print` shows them.
      settings: of a configuration, by their short names (`latent=8`, `beta=4.0`, `steps=1000`, `seed=1`), or by their
        full ones (`**{"optim.elbo.optimiser": "adamw"}`).

    Raises:
      InputError: the array or a setting cannot be used.
      FloatingPointError: gradients stopped being finite.

    Example:
      >>> import numpy as np
      >>> x = np.random.default_rng(0).integers(0, 256, size=(100, 8, 8), dtype=np.uint8)
      >>> run = fit(x, "vae", latent=2, hidden=(16,), steps=20, batch_size=32)
      >>> run.encode(x).shape, run.sample(3).shape
      ((100, 2), (3, 8, 8, 1))
    """
    dataset = assemble(NAME, {"train": Split(np.asarray(x), None if y is None else np.asarray(y))})
    config = _configure(family, settings)
    spec = describe(dataset, config.data.dynamic_binarisation)
    return _train(configs.resolve(config, spec), dataset, on_row)


def _configure(family: str, settings: Mapping[str, Any]) -> ConfigDict:
    """The defaults of a family with some settings replaced; each of these must act."""
    config = configs.default(family)
    config.data.source = NAME
    defaults = configs.setting_defaults(config)
    values = {}
    for name, value in settings.items():
        full = _full_name(name, defaults)
        like = defaults[full]
        value = configs.plain(value)
        if isinstance(like, tuple):
            value = tuple(map(configs.plain, value)) if isinstance(value, list | tuple) else (value,)
        value = float(value) if isinstance(like, float) and type(value) is int else value
        configs.check_type(full, value, like)
        if full in OF_FOLDERS:
            raise InputError(f"{full} acts in runs that have a folder: genjax train")
        values[full] = value
    with config.unlocked():
        config.update_from_flattened_dict(values)
    _choose_intervals(config.train, set(values))
    config, _ = configs.drop_unused(config, list(values))
    return config


def _choose_intervals(train: ConfigDict, given: set[str]) -> None:
    """Lets the intervals that were not given fit those that were, and a run that is shorter than they are."""
    if "train.evaluate_every" not in given:
        train.evaluate_every = min(train.evaluate_every, train.steps)
        if "train.log_every" in given:
            train.evaluate_every = train.log_every * max(1, train.evaluate_every // train.log_every)
    if "train.log_every" not in given:
        train.log_every = math.gcd(min(train.log_every, train.steps), train.evaluate_every)
    train.checkpoint_every = train.evaluate_every  # nothing is saved, but they are checked together


def _full_name(name: str, defaults: Mapping[str, Any]) -> str:
    """`model.latent` for `latent`: the first setting of that name."""
    for full in (name, *(f"{group}.{name}" for group in GROUPS)):
        if full in defaults:
            return full
    short = [full.rpartition(".")[2] for full in defaults if full.partition(".")[0] in GROUPS]
    near = difflib.get_close_matches(name, short, n=1)
    raise InputError(describe_unknown("setting", name, near or sorted(defaults)))


def _train(config: ConfigDict, dataset: Dataset, on_row: Callable[[dict[str, float]], None]) -> Run:
    """Trains in chunks, as the host's loop of a run does."""
    programs = make_run_programs(config, dataset)
    state, history = programs.init(), []
    for chunk in schedule(config.train, 0, config.train.steps):
        state, metrics = programs.advance(state, chunk.length)
        row = {"step": chunk.step, **feeding.means("train", metrics)}
        if int(state.diverged_at) >= 0:
            raise FloatingPointError(f"gradients are not finite at step {int(state.diverged_at):,}")
        if chunk.evaluate:
            row |= feeding.means("validation", programs.evaluate(state, "validation"))
        history.append(row)
        on_row(row)
    params = jax.device_put(averaged_params(state), jax.devices()[0])
    loaded = LoadedRun(Path(NAME), config, dataset, programs.spec, programs.model(state), params, int(state.step))
    return Run(loaded, history)
