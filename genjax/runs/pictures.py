"""The pictures of a run: what a model draws, how it reconstructs, what its codes mean, how it learned."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from genjax import plots
from genjax.data.dataset import Dataset
from genjax.rng import evenly_spaced, stream
from genjax.training.step import prepare
from genjax.types import Batch, DataSpec, Key, Model, Params

SAMPLES = 64
PAIRS = 12
TRAVERSED_DIMENSIONS = 10
TRAVERSAL_STEPS = 11
CODES = 2000
CLASSES, PER_CLASS = 20, 10


class TrainedModel(NamedTuple):
    """What pictures are drawn of.

    Attributes:
      model: bound to the run's hyperparameters.
      params: those that sampling uses, moving averages included.
      spec: of the data.
      rng: the run's root key.
    """

    model: Model
    params: Params
    spec: DataSpec
    rng: Key


def snapshots(trained: TrainedModel, validation: Batch) -> dict[str, np.ndarray]:
    """Grids to look at during a run: samples, examples above their reconstructions; `{name: [H, W, C]}` uint8.

    Args:
      trained: the model.
      validation: stored examples, `[n, ...]`.
    """
    if len(trained.spec.shape) != 3:
        return {}
    grids = {}
    if trained.model.sample is not None:
        grids["samples"] = plots.image_grid(draw_samples(trained, SAMPLES))
    if trained.model.reconstruct is not None:
        inputs, outputs = reconstructions(trained, validation, PAIRS)
        grids["reconstructions"] = plots.image_grid(np.concatenate([inputs, outputs]), columns=PAIRS)
    return {name: plots.to_uint8(grid) for name, grid in grids.items()}


def draw(
    folder: Path,
    trained: TrainedModel,
    dataset: Dataset,
    validation: Batch,
    rows: Sequence[Mapping[str, Any]],
    units: Mapping[str, str] | None = None,
) -> None:
    """Saves every picture that the model and its data allow.

    Images: `samples.png`, `reconstructions.png`, `traversal.png` or, with two latent dimensions, `latent_grid.png`.
    Images of a conditional model: `classes.png`, a row for each class.
    Points in the plane: `points.png`. Two latent dimensions and an encoder: `latent_plane.png`. Always: `curves.png`.

    Args:
      folder: of the run.
      trained: the model.
      dataset: that it was trained on.
      validation: the examples of the validation split, as stored.
      rows: of `metrics.jsonl`.
      units: `{metric: unit}` for the learning curves.
    """
    model, spec = trained.model, trained.spec
    images = len(spec.shape) == 3
    plots.curves(folder / "curves.png", rows, units)
    if images and model.sample is not None:
        plots.samples(folder / "samples.png", draw_samples(trained, SAMPLES))
    if images and model.sample_class is not None:
        label = np.repeat(np.arange(min(spec.classes, CLASSES)), PER_CLASS)
        rng = stream(trained.rng, "classes")
        samples = model.sample_class(trained.params, rng, jnp.asarray(label, jnp.int32))
        plots.samples(folder / "classes.png", np.asarray(samples), columns=PER_CLASS)
    if images and model.reconstruct is not None:
        inputs, outputs = reconstructions(trained, validation, PAIRS)
        plots.pairs(folder / "reconstructions.png", inputs, outputs, ("input", "reconstruction"))
    if spec.shape == (2,) and model.sample is not None:
        centres = None if spec.modes is None else spec.modes.centres
        points = np.asarray(validation.x) * spec.scale
        plots.points(folder / "points.png", points, draw_samples(trained, len(points)), centres)
    codes = _codes(trained, validation)
    if codes is None:
        return
    if codes.shape[1] == 2 and model.encode is not None:
        y = dataset.validation.y
        labels = None if y is None or y.ndim > 1 else y[evenly_spaced(CODES, len(y))]
        plots.latent_plane(folder / "latent_plane.png", codes, labels, dataset.target_names)
    if images and model.decode is not None:
        _draw_latent_space(folder, trained, codes)


def reconstructions(trained: TrainedModel, stored: Batch, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Examples as the model sees them, and its reconstructions of them, `[count, *shape]` each."""
    assert trained.model.reconstruct is not None
    inputs = _prepared(trained, stored, count)
    outputs = trained.model.reconstruct(trained.params, inputs, stream(trained.rng, "reconstruct"))
    return np.asarray(inputs.x), np.asarray(outputs)


def _prepared(trained: TrainedModel, stored: Batch, count: int) -> Batch:
    """At most so many examples, as the model sees them."""
    return prepare(trained.spec, stream(trained.rng, "binarise"), select_examples(stored, count))


def select_examples(stored: Batch, count: int) -> Batch:
    """At most so many examples from all over a split, as stored."""
    index = evenly_spaced(count, len(stored.x))
    return jax.tree.map(lambda leaf: jnp.asarray(leaf[index]), stored)


def draw_samples(trained: TrainedModel, count: int) -> np.ndarray:
    """Samples of the model, `[count, *shape]`: the same ones at each call."""
    assert trained.model.sample is not None
    return np.asarray(trained.model.sample(trained.params, stream(trained.rng, "picture"), count))


def _codes(trained: TrainedModel, validation: Batch) -> np.ndarray | None:
    """Codes of data, `[n, latent]`, or of the prior where the model has no encoder; None where it has neither."""
    model = trained.model
    if model.encode is not None:
        return np.asarray(model.encode(trained.params, _prepared(trained, validation, CODES)))
    if model.prior is not None:
        return np.asarray(model.prior(trained.params, stream(trained.rng, "codes"), CODES))
    return None


def _draw_latent_space(folder: Path, trained: TrainedModel, codes: np.ndarray) -> None:
    """A map of a 2-D latent space, or a row for each dimension in which codes vary most, in standard deviations."""
    latent = codes.shape[1]
    if latent == 2:
        low, high = np.quantile(codes, [0.02, 0.98], axis=0)  # [2]
        x, y = np.linspace(low[0], high[0], 20), np.linspace(high[1], low[1], 20)
        z = np.stack(np.meshgrid(x, y), axis=-1).reshape(-1, 2)  # row by row, the second dimension falling
        tiles = _decode(trained, z)  # [400, H, W, C]
        extent = (low[0], high[0], low[1], high[1])
        plots.latent_grid(folder / "latent_grid.png", tiles.reshape(20, 20, *tiles.shape[1:]), extent)
        return
    mean, std = codes.mean(axis=0), codes.std(axis=0)  # [latent]
    dimensions = np.sort(np.argsort(-std)[:TRAVERSED_DIMENSIONS])
    deviations = np.linspace(-2.5, 2.5, TRAVERSAL_STEPS)
    rows = np.repeat(codes[None, :1], len(dimensions), axis=0).repeat(TRAVERSAL_STEPS, axis=1)  # [D, K, latent]
    for row, dimension in enumerate(dimensions):
        rows[row, :, dimension] = mean[dimension] + deviations * std[dimension]
    flat = _decode(trained, rows.reshape(-1, latent))
    images = flat.reshape(len(dimensions), TRAVERSAL_STEPS, *flat.shape[1:])
    plots.traversal(folder / "traversal.png", images, deviations, dimensions, "standard deviations from the mean code")


def _decode(trained: TrainedModel, z: np.ndarray) -> np.ndarray:
    assert trained.model.decode is not None
    return np.clip(np.asarray(trained.model.decode(trained.params, jnp.asarray(z, jnp.float32))), 0, 1)
