"""A trained model on plain arrays."""

from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from ml_collections import ConfigDict

from genjax.api import densities
from genjax.api.blocks import in_blocks
from genjax.api.interpolation import path_between
from genjax.api.values import labels, model_values
from genjax.data import Dataset
from genjax.evaluation import options, samplers
from genjax.evaluation.examples import row_keys
from genjax.evaluation.options import Options
from genjax.rng import stream
from genjax.runs import load, logs
from genjax.runs.load import LoadedRun
from genjax.runs.programs import reads_labels
from genjax.training.precision import at_precision
from genjax.training.step import prepare
from genjax.types import Array, Batch, DataSpec, InputError, Key, Model, Params

FITTED_WITH = 0  # the seed of a sampler that is fitted; `seed` of `sample` is that of the draws


@dataclass(frozen=True, eq=False, repr=False)
class Run:
    """A trained model on plain arrays of any length; `load_run` and `fit` return one.

    Arrays `x: [n, *shape]` are examples, as their source stores them (integers, such as bytes) or as the model sees
    them (floats; of images in [0, 1]). Results are NumPy float32 arrays in the model's values; those of images lie in
    [0, 1]. Work is done in blocks of rows, and what is compiled at the first call is kept. A method that the model has
    no use for raises an InputError that says what is missing; so does an array of another shape or range.

    Attributes:
      loaded: the model, its data and its folder.
      history: the rows of the log, `[{"step": ..., "train/loss": ..., ...}]`; `pandas.DataFrame(run.history)` is a
        table.

    Example:
      >>> run.encode(run.dataset.test.x).shape
      (179, 2)
    """

    loaded: LoadedRun
    history: list[dict[str, Any]]
    _programs: dict[Hashable, Any] = field(default_factory=dict)

    def __repr__(self) -> str:
        """One line: what it is, where, of which data and after how many steps."""
        return f"<{self.config.model.family} of {self.dataset.name} at step {self.step:,}, {self.workdir}>"

    @property
    def config(self) -> ConfigDict:
        """Every setting of the run."""
        return self.loaded.config

    @property
    def params(self) -> Params:
        """The parameters, `{part: tree of arrays}`; moving averages where the model keeps them."""
        return self.loaded.params

    @property
    def model(self) -> Model:
        """The pure functions of the model."""
        return self.loaded.model

    @property
    def dataset(self) -> Dataset:
        """The data that it was trained on."""
        return self.loaded.dataset

    @property
    def spec(self) -> DataSpec:
        """What the model knows of its data: shape, scale, classes."""
        return self.loaded.spec

    @property
    def step(self) -> int:
        """After how many steps the parameters were saved."""
        return self.loaded.step

    @property
    def workdir(self) -> Path:
        """The run's folder; the name of the data where `fit` made it."""
        return self.loaded.workdir

    def encode(self, x: Any, label: Any = None) -> np.ndarray:
        """The codes of examples, `[n, latent]`; a VAE's are the means of the posterior.

        Args:
          x: `[n, *shape]`, integers as stored or floats as the model sees them.
          label: `[n]` classes, or one, for a model that reads them.

        Raises:
          InputError: the model has no encoder, or the arrays cannot be used.

        Example:
          >>> bytes_, floats = run.dataset.test.x, run.dataset.test.x / 16  # digits are stored as 0 to 16
          >>> bool((run.encode(bytes_) == run.encode(floats)).all())
          True
        """
        encode = self._require("encode", "an encoder")

        def of_rows(params: Params, rows: tuple[Batch, Array], key: Key) -> Array:
            return encode(params, self._prepare(rows, key))

        program = self._program("encode", lambda: at_precision(of_rows, "highest"))
        key = stream(jax.random.key(0), "binarise")
        return in_blocks(lambda rows: program(self.params, rows, key), self._rows(x, label))

    def rates(self, x: Any, label: Any = None) -> np.ndarray:
        """KL(q(z|x) || p(z)) of each group of latent variables in nats, `[n, groups]`: which of them carry something.

        Args:
          x: `[n, *shape]`, integers as stored or floats as the model sees them.
          label: `[n]` classes, or one, for a model that reads them.

        Raises:
          InputError: the model has no posterior, or the arrays cannot be used.

        Example:
          >>> run.rates(run.dataset.test.x).mean(axis=0).shape
          (2,)
        """
        rates = self._require("rates", "a posterior with a KL")

        def of_rows(params: Params, rows: tuple[Batch, Array], key: Key) -> Array:
            return rates(params, self._prepare(rows, key), stream(key, "rates"))

        program, key = self._program("rates", lambda: of_rows), stream(jax.random.key(0), "rates")
        return in_blocks(lambda rows: program(self.params, rows, key), self._rows(x, label))

    def decode(self, z: Any) -> np.ndarray:
        """The data that codes stand for, `[n, *shape]`; of images the mean of p(x|z).

        Args:
          z: `[n, latent]`.

        Raises:
          InputError: the model decodes no codes, or these are of another shape.

        Example:
          >>> run.decode([[0.0, 0.0], [1.0, -1.0]]).shape
          (2, 8, 8, 1)
        """
        decode = self._require("decode", "a decoder of codes alone")
        z = self._codes(z)
        program = self._program("decode", lambda: decode)
        return self._clip(in_blocks(lambda rows: program(self.params, rows), z))

    def reconstruct(self, x: Any, label: Any = None, seed: int = 0) -> np.ndarray:
        """The model's reconstructions of examples, `[n, *shape]`.

        Args:
          x: `[n, *shape]`, integers as stored or floats as the model sees them.
          label: `[n]` classes, or one, for a model that reads them.
          seed: of the draws from the posterior, where the model makes some; row i depends on seed and i alone.

        Raises:
          InputError: the model does not reconstruct, or the arrays cannot be used.

        Example:
          >>> run.reconstruct(run.dataset.test.x[:3]).shape
          (3, 8, 8, 1)
        """
        reconstruct = self._require("reconstruct", "reconstructions")

        def of_rows(params: Params, rows: tuple[Batch, Array], key: Key) -> Array:
            def of_row(key: Key, row: Batch) -> Array:
                return reconstruct(params, jax.tree.map(lambda leaf: leaf[None], row), stream(key, "noise"))[0]

            return jax.vmap(of_row)(row_keys(key, rows[1]), self._prepare(rows, key))

        program, key = self._program("reconstruct", lambda: of_rows), stream(jax.random.key(seed), "reconstruction")
        return self._clip(in_blocks(lambda rows: program(self.params, rows, key), self._rows(x, label)))

    def sample(self, n: int, seed: int = 0, sampler: str = "", label: Any = None) -> np.ndarray:
        """Draws from the model, `[n, *shape]`; of images the means of p(x|z). The first of many are those of few.

        Args:
          n: how many.
          seed: of the draws.
          sampler: `prior`, `gaussian`, `mixture:<components>` (fitted to the codes of the training data at the first
            call), or `run:<workdir>`, a run that models the discrete codes of this one. By default the prior, or a
            mixture of ten where there is none.
          label: one class or `[n]` of them, from a conditional model; the sampler is then the prior.

        Raises:
          InputError: the model has no such sampler, or knows no classes.

        Example:
          >>> run.sample(16).shape, run.sample(4, sampler="gaussian").shape
          ((16, 8, 8, 1), (4, 8, 8, 1))
        """
        if n < 0:
            raise InputError(f"n = {n} draws: it must be at least 0")
        root = stream(jax.random.key(seed), "samples for samples")
        if label is not None:
            return self._sample_classes(root, n, label, sampler)
        sampler = sampler or samplers.default(self.loaded)
        if sampler == "reconstruction":
            raise InputError("reconstructions are no samples: use reconstruct")
        sampler_options = Options(sampler=sampler, seed=FITTED_WITH)
        options.check(sampler_options)
        if sampler not in self._programs:
            draw, shared = samplers.draw_function(self.loaded, sampler_options, samplers.fit_to_codes)
            self._programs[sampler] = (jax.jit(draw), shared)
        program, shared = self._programs[sampler]
        keys = row_keys(root, jnp.arange(max(1, -(-n // samplers.AT_ONCE))))
        return self._clip(np.concatenate([np.asarray(program(shared, key)) for key in keys])[:n])

    def interpolate(self, a: Any, b: Any, steps: int = 8, path: str = "linear") -> np.ndarray:
        """The data along a path of codes from a to b, both ends included, `[steps, *shape]`.

        Args:
          a: one example `[*shape]`, or one code `[latent]`.
          b: likewise.
          steps: how many codes.
          path: `linear`, or `spherical` for codes of a Gaussian prior in many dimensions.

        Raises:
          InputError: the model decodes no codes, has no encoder for examples, or there is no such path.

        Example:
          >>> seven, one = run.dataset.test.x[:2]
          >>> run.interpolate(seven, one, steps=5, path="spherical").shape
          (5, 8, 8, 1)
        """
        return self.decode(path_between(self._code(a), self._code(b), steps, path))

    def log_likelihood(self, x: Any, k: int = 1000, label: Any = None, seed: int = 0) -> np.ndarray:
        """log p(x) of each example in nats, `[n]`: exact where the model computes it, else by importance sampling.

        Of a continuous likelihood it is a density of the model's values. The estimate's expectation grows with k
        towards log p(x) from below.

        Args:
          x: `[n, *shape]`, integers as stored or floats as the model sees them.
          k: draws from the posterior for each example; an exact model needs none.
          label: `[n]` classes, or one, for a model that reads them.
          seed: of the draws; row i depends on seed and i alone.

        Raises:
          InputError: the model has no likelihood, or the arrays cannot be used.

        Example:
          >>> run.log_likelihood(run.dataset.test.x[:3], k=50).shape
          (3,)
        """
        if k < 1:
            raise InputError(f"k = {k} must be at least 1")
        make = densities.log_likelihood(self.model, self.spec, k)
        if make is None:
            raise InputError("the model has no likelihood")
        program, key = self._program(("log_likelihood", k), lambda: make), stream(jax.random.key(seed), "likelihood")
        return in_blocks(lambda rows: program(self.params, rows, key), self._rows(x, label))

    def _program(self, name: Hashable, make: Callable[[], Callable[..., Any]]) -> Callable[..., Any]:
        """The compiled function of a name, made when it is first asked for."""
        if name not in self._programs:
            self._programs[name] = jax.jit(make())
        return self._programs[name]

    def _require(self, name: str, what: str) -> Callable[..., Any]:
        """A function of the model, or an InputError where it has none."""
        function = getattr(self.model, name)
        if function is None:
            raise InputError(f"this model, of the family {self.config.model.family!r}, has not got {what}")
        return function

    def _rows(self, x: Any, label: Any) -> tuple[Batch, np.ndarray]:
        """Examples in the model's values, with labels where the model reads them, and their numbers."""
        x = model_values(self.spec, x)
        reads = reads_labels(self.config)
        if reads and label is None:
            raise InputError("this model reads labels: give label=...")
        if label is not None and not reads:
            raise InputError("this model reads no labels")
        return Batch(x, labels(self.spec.classes, label, len(x)) if reads else None), np.arange(len(x))

    def _prepare(self, rows: tuple[Batch, Array], key: Key) -> Batch:
        """Rows as the model sees them: binarised where its data are, row i with the key of its number."""
        spec = self.spec._replace(scale=1.0)
        return jax.vmap(lambda key, row: prepare(spec, stream(key, "binarise"), row))(row_keys(key, rows[1]), rows[0])

    def _codes(self, z: Any) -> np.ndarray:
        z, latent = np.asarray(z, np.float32), self.model.latent
        if z.ndim != 2 or z.shape[1] != latent:
            raise InputError(f"z has shape {list(z.shape)}; codes of this model are [n, {latent}]")
        return z

    def _code(self, value: Any) -> np.ndarray:
        """A code, of an example or as it is given."""
        value = np.asarray(value)
        if self.model.encode is None or (value.shape == (self.model.latent,) and value.shape != self.spec.shape):
            return self._codes(value[None])[0]
        return self.encode(value[None])[0]

    def _sample_classes(self, root: Key, n: int, label: Any, sampler: str) -> np.ndarray:
        sample_class = self._require("sample_class", "classes to sample from")
        if sampler not in ("", "prior"):
            raise InputError(f"label= goes with the prior, and not with the sampler {sampler!r}")
        program, size = self._program("sample_class", lambda: sample_class), samplers.AT_ONCE
        classes = labels(self.spec.classes, label, n)
        padded = np.pad(classes, (0, max(1, -(-n // size)) * size - n)).reshape(-1, size)
        keys = row_keys(root, jnp.arange(len(padded)))
        blocks = [np.asarray(program(self.params, key, part)) for key, part in zip(keys, padded, strict=True)]
        return self._clip(np.concatenate(blocks)[:n])

    def _clip(self, values: np.ndarray) -> np.ndarray:
        return np.clip(values, 0, 1) if self.spec.bounded else values


def load_run(
    workdir: Path | str, checkpoint: str = "", say: Callable[[str], None] = load.print_notice, data_source: str = ""
) -> Run:
    """Loads a run's folder, or a trial that a sweep exported, at its `newest` or its `best` checkpoint.

    Args:
      workdir: the folder.
      checkpoint: `newest`, or `best` by the monitored metric of the validation split; if empty the best of a run that
        may stop early (`train.patience`), else the newest.
      say: receives one line for each damaged checkpoint that was skipped.
      data_source: where the run's data are now, if they were moved; the contents must be the same.

    Raises:
      InputError: the folder is not a run's, or it has no checkpoint, or none can be read.

    Example:
      >>> run = load_run(workdir)  # such as "runs/vae_digits-0f3a9c21"
      >>> run.sample(16).shape, run.config.model.latent
      ((16, 8, 8, 1), 2)
    """
    options.check(Options(checkpoint=checkpoint))
    return Run(load.load_run(workdir, checkpoint, say, data_source), logs.read_metrics(Path(workdir) / "metrics.jsonl"))
