"""`genjax train-features`: trains a network, tests what it stores, and writes it."""

import argparse
import re
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from genjax import data
from genjax.commands.arguments import plain_parser, refuse, run_quietly
from genjax.data.source import NESTING, PATHS, find_path, parse, without_version
from genjax.system.messages import nearest_name

DESCRIPTION = """Trains a network whose features measure fidelity.

  %(prog)s --source tfds:mnist --out features

It learns from the training split of images to tell their classes apart, or, where they have no labels, which two
pictures were made of one image. It rounds its weights to float16, tests these on the test split, and writes
`<name>.safetensors`, which `genjax evaluate --features network:<path>` reads. Exit codes: 0 finished; 2 input that
cannot be used.
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
    name = name_of(parsed.source)
    from genjax.features import classifier, training

    objective = parsed.objective or (classifier.CLASSIFICATION if has_classes(dataset) else classifier.CONTRASTIVE)
    _check(dataset, nearest_name("objective", objective, training.OBJECTIVES))
    path = parsed.out / f"{name}{classifier.SUFFIX}"
    if not 0 <= parsed.seed < 2**32:
        refuse(f"--seed={parsed.seed} must be at least 0 and less than 2**32")
    recipe_name = without_version(parsed.source).partition("#")[0].removeprefix("tfds:")
    recipe = training.choose_recipe(recipe_name, objective, len(dataset.train.x), parsed.epochs)
    params, metadata = _train(dataset, recipe, parsed.seed)
    classifier.write(path, params, metadata)
    stored = classifier.read(path)
    print(*(f"{key}: {value}" for key, value in stored.metadata.items()), f"sha256: {stored.sha256}", sep="\n")
    return 0


def name_of(text: str) -> str:
    """What a file of features of a source is called: of a path its last part, and the options behind it."""
    source = parse(text)
    if source.kind in NESTING:
        words = [source.kind, name_of(source.location)]
    elif source.kind in PATHS and find_path(source).exists():
        path = find_path(source).resolve()
        words = [path.stem if path.is_file() else path.name]
    else:
        words = [(source.location or source.kind).partition(":")[0]]  # without a version
    words += [word for option in source.options.items() for word in option]
    return re.sub(r"[^\w.]+", "-", "-".join(words)).strip(".-") or "features"


def _train(dataset: data.Dataset, recipe: Any, seed: int) -> tuple[dict, dict]:
    """The parameters as float16 holds them, and the metadata: what was done, and how they do on the test split."""
    import jax
    import jax.numpy as jnp

    from genjax.features import classifier, training

    labelled = recipe.objective == classifier.CLASSIFICATION
    y = jnp.asarray(dataset.train.y) if labelled else None
    outputs = training.PROJECTED if y is None else 1 + int(y.max())
    x = jnp.asarray(_prepared(dataset, dataset.train))
    an_epoch = -(-len(x) // recipe.batch)
    steps, rng = recipe.epochs * an_epoch, jax.random.key(seed)
    advance = jax.jit(training.advance, static_argnames=("steps", "recipe"))
    fit = jax.jit(partial(training.start, shape=dataset.shape, outputs=outputs))(rng)
    for epoch in range(recipe.epochs):
        numbers = epoch * an_epoch + jnp.arange(an_epoch)
        fit, losses = advance(fit, x, y, numbers, steps=steps, recipe=recipe, rng=rng)
        print(f"epoch {epoch + 1}/{recipe.epochs}  loss {losses.mean():.4f}", file=sys.stderr, flush=True)
    if not all(bool(jnp.isfinite(leaf).all()) for leaf in jax.tree.leaves(fit.params)):
        refuse(f"{dataset.name}: training ended in numbers that are not finite; another --seed may help")
    params = jax.tree.map(lambda leaf: leaf.astype(jnp.float16).astype(jnp.float32), fit.params)
    test = _prepared(dataset, dataset.test)
    if labelled:
        assert dataset.test.y is not None
        figures = training.accuracies(params, test, dataset.test.y)
    else:
        figures = training.agreement(params, test, recipe)
    metadata = {
        "source": dataset.name,
        "objective": recipe.objective,
        "shape": list(dataset.shape),
        "outputs": outputs,
        "seed": seed,
        "steps": steps,
        "recipe": recipe._asdict(),
        "jax": jax.__version__,
    }
    return params, {**metadata, **figures}


def _prepared(dataset: data.Dataset, split: data.Split) -> np.ndarray:
    """A split as float32 in [0, 1]."""
    return np.asarray(split.x, np.float32) * np.float32(dataset.scale)


def has_classes(dataset: data.Dataset) -> bool:
    """Whether each image of both splits has one label, of two or more."""
    labels = [split.y for split in (dataset.train, dataset.test) if split.y is not None and split.y.ndim == 1]
    return len(labels) == 2 and len(np.unique(labels[0])) > 1


def _check(dataset: data.Dataset, objective: str) -> None:
    from genjax.features.classifier import CLASSIFICATION, LARGEST

    if len(dataset.shape) != 3 or not dataset.bounded or not all(8 <= side <= LARGEST for side in dataset.shape[:2]):
        refuse(f"{dataset.name}: a network takes images of at least 8x8 pixels, not data of shape {dataset.shape}")
    if objective != CLASSIFICATION:
        return
    if not has_classes(dataset):
        refuse(
            f"{dataset.name}: a classifier needs one label for each image, of two or more; "
            "--objective contrastive needs none"
        )
    if max(int(split.y.max()) for split in (dataset.train, dataset.test) if split.y is not None) >= LARGEST:
        refuse(f"{dataset.name}: a classifier takes labels from 0 to {LARGEST - 1}")


def make_parser(prog: str) -> argparse.ArgumentParser:
    """The parser of the command."""
    parser = plain_parser(prog, DESCRIPTION)
    parser.add_argument("--source", required=True, help="a data source of images, such as tfds:mnist")
    parser.add_argument(
        "--objective", default="", metavar="O", help="classification, contrastive; default by the labels"
    )
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--epochs", type=int, help="passes over the training split (default: the data set's own)")
    parser.add_argument("--out", type=Path, default=Path(), metavar="FOLDER", help="default: the working directory")
    return parser
