"""Fidelity: distances between samples and as many examples, in named features; and what the samples are nearest to."""

import functools
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import jax.numpy as jnp
import numpy as np

from genjax import features as maps
from genjax import plots
from genjax.data.source import without_version
from genjax.evaluation import samplers
from genjax.evaluation.examples import key_of, split_of, stored
from genjax.evaluation.options import Options
from genjax.evaluation.results import Result, averaged
from genjax.evaluation.rows import over_rows
from genjax.features import Features
from genjax.metrics import frechet, kernel, neighbours, scores
from genjax.metrics.wasserstein import sliced_wasserstein
from genjax.rng import evenly_spaced
from genjax.runs.load import LoadedRun
from genjax.types import Array, InputError

BLOCK = 200  # rows of features on each device
RESAMPLES = 20
HALVES = 8
PAIRED = 500  # rows of each set from which the error of the kernel distance takes the variance of pairs
CLASSIFIERS = {
    "tfds:mnist": "classifier:mnist",
    "tfds:binarized_mnist": "classifier:mnist",
    "tfds:fashion_mnist": "classifier:fashion_mnist",
}
COMPARED_SAMPLES = 1000  # samples whose nearest training example is looked for
SHOWN = 12


def applies(subject: LoadedRun) -> str:
    """What is missing, or nothing: any model can be sampled from, if by a fitted sampler."""
    return ""


def measure(subject: LoadedRun, options: Options, progress: Any) -> list[Result]:
    """Fréchet and kernel distance, precision, recall, density, coverage in each of the features; and memorisation."""
    x = split_of(subject, options).x
    n = min(options.samples, len(x))
    train = stored(subject, subject.dataset.train.x[evenly_spaced(n, len(subject.dataset.train.x))])
    real, fake = stored(subject, x[evenly_spaced(n, len(x))]), samplers.samples(subject, options, n, "fidelity")
    protocol = {
        "split": options.split,
        "samples": n,
        "sampler": options.sampler,
        "seed": options.seed,
        "step": subject.step,
    }
    names = options.features or (default_features(subject.config.data.source, subject.spec.shape, len(train)),)
    results = distances(real, fake, train, names, options, protocol, progress)
    picture = None
    if len(subject.spec.shape) == 3:
        picture = Path(subject.workdir, f"neighbours-{samplers.file_name(options.sampler)}.png")
    every_train = stored(subject, subject.dataset.train.x)
    return results + nearest_training_examples(every_train, real, fake, protocol, picture)


def distances(
    real: np.ndarray,
    fake: np.ndarray,
    train: np.ndarray,
    names: Sequence[str],
    options: Options,
    protocol: dict[str, Any],
    progress: Any,
) -> list[Result]:
    """All distances between two sets of examples, in each of some features.

    Args:
      real: examples of the data, `[n, *shape]` float32.
      fake: as many samples.
      train: training examples, on which features are fitted.
      names: of the features, for `features.load`.
      options: `neighbours` and `seed` are read.
      protocol: how the two sets were made.
      progress: `(name, total)` as a context in which `tick(count)` is called.

    Raises:
      InputError: there are no such features, or they do not fit; or there are no more samples than neighbours.
    """
    if len(fake) <= options.neighbours:
        raise InputError(f"{len(fake)} samples are too few: {options.neighbours} nearest neighbours need more")
    results = []
    for name in names:
        with progress(f"fidelity in {name}", 1) as tick:
            space = maps.load(name, train)
            results += _measure_in(space, real, fake, options, {**protocol, "features": _name_with_digest(space)})
            tick(1)
    return results


def default_features(source: str, shape: tuple[int, ...], n: int) -> str:
    """The shipped classifier of a source of data, where there is one, or principal components; points as they are."""
    name = without_version(source)
    if name in CLASSIFIERS:
        return CLASSIFIERS[name]
    return f"pca:{min(64, n, int(np.prod(shape)))}" if len(shape) == 3 else "pixels"


def _name_with_digest(features: Features) -> str:
    return f"{features.name} ({features.digest})" if features.digest else features.name


def _measure_in(
    features: Features, real: np.ndarray, fake: np.ndarray, options: Options, protocol: dict[str, Any]
) -> list[Result]:
    """All distances in one kind of features."""
    x, y = (maps.extract_all(features, images) for images in (real, fake))  # [n, F]
    kid = kernel_distance(x, y)
    results = [
        _frechet(x, y, options.seed, protocol),
        Result(
            "kernel_distance",
            kid.value,
            kid.error,
            "",
            {**protocol, "error": "of a U-statistic"},
        ),
    ]
    results += _measure_prdc(x, y, options.neighbours, options.seed, protocol)
    distance = sliced_wasserstein(key_of(options, "directions"), jnp.asarray(y), jnp.asarray(x))
    results.append(Result("sliced_wasserstein", float(distance), None, "", protocol))
    if features.classify is not None:
        logits = maps.over_batches(features.classify, fake)
        results.append(
            averaged("classifier_score", np.asarray(scores.classifier_score(jnp.asarray(logits))[1]), "nats", protocol)
        )
    return results


def _frechet(x: np.ndarray, y: np.ndarray, seed: int, protocol: dict[str, Any]) -> Result:
    value = frechet.frechet_distance(frechet.moments(x), frechet.moments(y))
    error = frechet.bootstrap_error(x, y, np.random.default_rng(seed), RESAMPLES)
    return Result(
        "frechet_distance", value, error, "", {**protocol, "error": f"over {RESAMPLES} bootstrap samples, corrected"}
    )


def kernel_distance(x: np.ndarray, y: np.ndarray) -> kernel.KernelDistance:
    """KID between features `[n, F]` and `[m, F]`, with its standard error."""
    of_rows = over_rows(_kernel_sums, BLOCK)
    (xx, self_x), (yy, self_y), (xy, _), (yx, _) = (of_rows(a, b) for a, b in ((x, x), (y, y), (x, y), (y, x)))
    part_x, part_y = (features[evenly_spaced(min(len(features), PAIRED), len(features))] for features in (x, y))
    sets = ((part_x[::2], part_x[1::2]), (part_y[::2], part_y[1::2]), (part_x, part_y))
    v_xx, v_yy, v_xy = (
        kernel.pair_variance(rows, columns) if min(len(rows), len(columns)) > 1 else 0.0 for rows, columns in sets
    )
    return kernel.kernel_distance(xx - self_x, yy - self_y, xy, yx, (v_xx, v_yy, v_xy))


def prdc(x: np.ndarray, y: np.ndarray, k: int) -> dict[str, float]:
    """Precision and recall (Kynkaanniemi et al. 2019), density and coverage (Naeem et al. 2020).

    Balls reach from each point to its k-th nearest neighbour in its own set. Precision: the share of samples y in some
    ball of the examples x; recall: of examples in some ball of the samples; density: how many of the examples' balls a
    sample lies in, over k; coverage: the share of the examples' balls that hold a sample.
    """
    centre = x.mean(axis=0)
    x, y = x - centre, y - centre
    radii, neighbourhoods = over_rows(_radii(k), BLOCK), over_rows(_neighbourhoods, BLOCK)
    reach_x, reach_y = radii(x, x), radii(y, y)
    # `covered` and `nearest_squared` have one row for each block of samples: [blocks, n]
    counts = neighbourhoods((y, reach_y), (x, reach_x))
    per_row = {
        "precision": counts.inside > 0,
        "recall": counts.covered.any(axis=0),
        "density": counts.inside / k,
        "coverage": counts.nearest_squared.min(axis=0) < reach_x,
    }
    return {name: float(values.mean(dtype=np.float64)) for name, values in per_row.items()}


def _measure_prdc(x: np.ndarray, y: np.ndarray, k: int, seed: int, protocol: dict[str, Any]) -> list[Result]:
    """`prdc` with its errors: the deviation over halves of both sets (the jackknife that deletes half of the rows).

    Rows share balls, so the error is not that of a mean; and a bootstrap's repeated rows would make balls of no radius.
    """
    rng = np.random.default_rng(seed)
    shared = {**protocol, "neighbours": k}
    values = prdc(x, y, k)
    if min(len(x), len(y)) // 2 <= k:
        return [Result(name, value, None, "", shared) for name, value in values.items()]
    halves = [prdc(_half(x, rng), _half(y, rng), k) for _ in range(HALVES)]
    with_error = {**shared, "error": f"over {HALVES} halves of both sets"}
    return [
        Result(name, value, float(np.std([half[name] for half in halves], ddof=1)), "", with_error)
        for name, value in values.items()
    ]


def _half(rows: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    return rows[rng.permutation(len(rows))[: len(rows) // 2]]


def _kernel_sums(rows: Array, columns: Array) -> tuple[Array, Array]:
    return kernel.kernel_sums(rows, columns), kernel.self_kernel(rows)


def _neighbourhoods(rows: tuple[Array, Array], columns: tuple[Array, Array]) -> neighbours.Neighbourhoods:
    return neighbours.neighbourhoods(*rows, *columns)


@functools.cache
def _radii(k: int) -> Callable[[Array, Array], Array]:
    return functools.partial(neighbours.radii, k=k)


def nearest_training_examples(
    train: np.ndarray, real: np.ndarray, fake: np.ndarray, protocol: dict[str, Any], picture: Path | None = None
) -> list[Result]:
    """How far the nearest training example is from samples, and from unseen examples, by pixels.

    Args:
      train: all training examples, `[n, *shape]`.
      real: examples of the split that is evaluated.
      fake: samples.
      protocol: how both were made.
      picture: where samples and their nearest examples are drawn, if anywhere.
    """
    flat = train.reshape(len(train), -1)
    centre = flat.mean(axis=0)
    nearest = over_rows(neighbours.nearest, 100)
    count = min(COMPARED_SAMPLES, len(fake))
    index, gap = nearest(fake[:count].reshape(count, -1) - centre, flat - centre)
    if picture is not None:
        plots.pairs(picture, fake[:SHOWN], train[index[:SHOWN]], ("sample", "nearest example"))
    protocol_of_gaps = {**protocol, "samples": count, "against": f"{len(train):,} training examples"}
    results = [averaged("nearest_to_samples", gap, "", protocol_of_gaps)]
    if protocol["split"] != "train":  # a training example is nearest to itself
        _, gap_of_examples = nearest(real[evenly_spaced(count, len(real))].reshape(count, -1) - centre, flat - centre)
        results.append(averaged("nearest_to_examples", gap_of_examples, "", protocol_of_gaps))
    return results
