"""`genjax train-features`: trains a classifier, tests what it stores, and writes it."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from genjax import data
from genjax.commands.arguments import plain_parser, refuse, run_quietly

DESCRIPTION = """Trains a classifier whose features measure fidelity.

  %(prog)s --source tfds:mnist --out features

It learns from the training split of 28x28 grey images in up to ten classes, rounds its weights to float16, tests these
on the test split, and writes `<name>.safetensors`. Exit codes: 0 finished; 2 input that cannot be used.
"""


def main(arguments: Sequence[str], prog: str = "genjax train-features") -> int:
    """Trains, writes `<name>.safetensors`, and prints its accuracy and SHA-256; returns the exit code."""
    return run_quietly(lambda: _train_features(arguments, prog))


def _train_features(arguments: Sequence[str], prog: str) -> int:
    parsed = make_parser(prog).parse_args(arguments)
    if parsed.epochs is not None and parsed.epochs < 1:
        refuse(f"--epochs={parsed.epochs} must be at least 1")
    if not parsed.out.is_dir():
        refuse(f"--out {parsed.out}: no such folder")
    dataset = data.load(parsed.source)
    _check(dataset)
    name = Path(parsed.source.split(":")[1]).stem  # every source of this shape has a colon
    from genjax.features import classifier

    path = parsed.out / f"{name}{classifier.SUFFIX}"
    params, metadata = _train(dataset, name, parsed.seed, parsed.epochs)
    classifier.write(path, params, metadata)
    stored = classifier.read(path)
    print(*(f"{key}: {value}" for key, value in stored.metadata.items()), f"sha256: {stored.sha256}", sep="\n")
    return 0


def _train(dataset: data.Dataset, name: str, seed: int, epochs: int | None) -> tuple[dict, dict]:
    """The parameters as float16 holds them, and the metadata: what was done, and their accuracy on the test split."""
    import jax
    import jax.numpy as jnp

    from genjax.features import training

    recipe = training.RECIPES.get(name, training.DEFAULT)
    recipe = recipe if epochs is None else recipe._replace(epochs=epochs)
    assert dataset.test.y is not None
    x, y = jnp.asarray(_prepared(dataset, dataset.train)), jnp.asarray(dataset.train.y)
    an_epoch = -(-len(x) // recipe.batch)
    steps, rng = recipe.epochs * an_epoch, jax.random.key(seed)
    advance = jax.jit(training.advance, static_argnames=("steps", "recipe"))
    fit = jax.jit(training.start)(rng)
    for epoch in range(recipe.epochs):
        numbers = epoch * an_epoch + jnp.arange(an_epoch)
        fit, losses = advance(fit, x, y, numbers, steps=steps, recipe=recipe, rng=rng)
        print(f"epoch {epoch + 1}/{recipe.epochs}  cross_entropy {losses.mean():.4f}", file=sys.stderr, flush=True)
    params = jax.tree.map(lambda leaf: leaf.astype(jnp.float16).astype(jnp.float32), fit.params)
    figures = training.accuracies(params, _prepared(dataset, dataset.test), dataset.test.y)
    metadata = {
        "source": dataset.name,
        "seed": seed,
        "steps": steps,
        "recipe": recipe._asdict(),
        "jax": jax.__version__,
    }
    return params, {**metadata, **figures}


def _prepared(dataset: data.Dataset, split: data.Split) -> np.ndarray:
    """A split as float32 in [0, 1]."""
    return np.asarray(split.x, np.float32) * np.float32(dataset.scale)


def _check(dataset: data.Dataset) -> None:
    from genjax.features.classifier import CLASSES, SHAPE

    if dataset.shape != SHAPE:
        refuse(f"{dataset.name}: a classifier takes images of shape {SHAPE}, not data of shape {dataset.shape}")
    for split in (dataset.train, dataset.test):
        if split.y is None or split.y.ndim != 1 or split.y.max() >= CLASSES:
            refuse(f"{dataset.name}: a classifier needs labels from 0 to {CLASSES - 1}, one for each image")


def make_parser(prog: str) -> argparse.ArgumentParser:
    """The parser of the command."""
    parser = plain_parser(prog, DESCRIPTION)
    parser.add_argument("--source", required=True, help="a data source of 28x28 grey images, such as tfds:mnist")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--epochs", type=int, help="passes over the training split (default: the data set's own)")
    parser.add_argument("--out", type=Path, default=Path(), metavar="FOLDER", help="default: the working directory")
    return parser
