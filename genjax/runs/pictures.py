"""The pictures of a run: what a model draws, how it reconstructs, what its codes mean, how it learned."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from genjax import plots
from genjax.data.dataset import Dataset
from genjax.rng import evenly_spaced, stream
from genjax.training.step import prepare
from genjax.types import DataSpec, Key, Model, Params

SAMPLES = 64
PAIRS = 12
TRAVERSED = 10
STEPS = 11
CODES = 2000


def snapshots(model: Model, params: Params, spec: DataSpec, examples: np.ndarray, rng: Key) -> dict[str, np.ndarray]:
    """What to show while training: grids of samples and of examples over their reconstructions, `{name: [H, W, C]}`."""
    if len(spec.shape) != 3:
        return {}
    grids = {}
    if model.sample is not None:
        grids["samples"] = plots.image_grid(np.asarray(model.sample(params, stream(rng, "picture"), SAMPLES)))
    if model.reconstruct is not None:
        inputs, outputs = _pairs(model, params, spec, examples, rng)
        grids["reconstructions"] = plots.image_grid(np.concatenate([inputs, outputs]), columns=PAIRS)
    return grids


def draw(
    folder: Path,
    model: Model,
    params: Params,
    spec: DataSpec,
    dataset: Dataset,
    rows: Sequence[Mapping[str, Any]],
    rng: Key,
) -> None:
    """Saves every picture that the model and its data allow.

    Images: `samples.png`, `reconstructions.png`, `traversal.png` or, with two latent dimensions, `latent_grid.png`.
    Points in the plane: `points.png`. Two latent dimensions and an encoder: `latent_plane.png`. Always: `curves.png`.
    """
    validation, images = dataset.validation, len(spec.shape) == 3
    plots.curves(folder / "curves.png", rows)
    if images and model.sample is not None:
        plots.samples(folder / "samples.png", np.asarray(model.sample(params, stream(rng, "picture"), SAMPLES)))
    if images and model.reconstruct is not None:
        inputs, outputs = _pairs(model, params, spec, validation.x, rng)
        plots.pairs(folder / "reconstructions.png", inputs, outputs, ("input", "reconstruction"))
    if spec.shape == (2,) and model.sample is not None:
        samples = np.asarray(model.sample(params, stream(rng, "picture"), len(validation.x)))
        centres = None if spec.modes is None else spec.modes.centres
        plots.points(folder / "points.png", validation.x * spec.scale, samples, centres)
    codes = _codes(model, params, spec, validation.x, rng)
    if codes.shape[1] == 2 and model.encode is not None:
        y = validation.y
        labels = None if y is None or y.ndim > 1 else y[evenly_spaced(CODES, len(y))]
        plots.latent_plane(folder / "latent_plane.png", codes, labels, dataset.target_names)
    if images:
        _draw_latent(folder, model, params, codes)


def _pairs(
    model: Model, params: Params, spec: DataSpec, examples: np.ndarray, rng: Key
) -> tuple[np.ndarray, np.ndarray]:
    assert model.reconstruct is not None
    inputs = prepare(spec, stream(rng, "binarise"), jnp.asarray(examples[evenly_spaced(PAIRS, len(examples))]))
    return np.asarray(inputs), np.asarray(model.reconstruct(params, inputs, stream(rng, "reconstruct")))


def _codes(model: Model, params: Params, spec: DataSpec, examples: np.ndarray, rng: Key) -> np.ndarray:
    """Codes of data, `[N, latent]`, or of the prior where the model has no encoder."""
    if model.encode is None:
        return np.asarray(jax.random.normal(stream(rng, "codes"), (CODES, model.latent)))
    shown = jnp.asarray(examples[evenly_spaced(CODES, len(examples))])
    return np.asarray(model.encode(params, prepare(spec, stream(rng, "binarise"), shown)))


def _draw_latent(folder: Path, model: Model, params: Params, codes: np.ndarray) -> None:
    """A map of a 2-D latent space, or a row for each dimension in which codes vary most, in standard deviations."""
    if model.latent == 2:
        low, high = np.quantile(codes, [0.02, 0.98], axis=0)  # [2]
        x, y = np.linspace(low[0], high[0], 20), np.linspace(high[1], low[1], 20)
        z = np.stack(np.meshgrid(x, y), axis=-1).reshape(-1, 2)  # row by row, the second dimension falling
        tiles = _decode(model, params, z)  # [400, H, W, C]
        extent = (low[0], high[0], low[1], high[1])
        plots.latent_grid(folder / "latent_grid.png", tiles.reshape(20, 20, *tiles.shape[1:]), extent)
        return
    mean, replicate = codes.mean(axis=0), codes.std(axis=0)  # [latent]
    dimensions = np.sort(np.argsort(-replicate)[:TRAVERSED])
    deviations = np.linspace(-2.5, 2.5, STEPS)
    rows = np.repeat(codes[None, :1], len(dimensions), axis=0).repeat(STEPS, axis=1)  # [D, K, latent]
    for row, dimension in enumerate(dimensions):
        rows[row, :, dimension] = mean[dimension] + deviations * replicate[dimension]
    flat = _decode(model, params, rows.reshape(-1, model.latent))
    images = flat.reshape(len(dimensions), STEPS, *flat.shape[1:])
    plots.traversal(folder / "traversal.png", images, deviations, [f"z{d}" for d in dimensions])


def _decode(model: Model, params: Params, z: np.ndarray) -> np.ndarray:
    return np.clip(np.asarray(model.decode(params, jnp.asarray(z, jnp.float32))), 0, 1)
