"""Samples that anybody drew, against data or against other samples: the fidelity of a set of files, without a model."""

import sys
from typing import TextIO

import numpy as np

from genjax.data import Dataset, fingerprint
from genjax.evaluation import fidelity
from genjax.evaluation.options import SPLITS, Options, check
from genjax.evaluation.results import Result, show_progress
from genjax.rng import evenly_spaced
from genjax.runs.load import load_data
from genjax.system import compiler
from genjax.system.messages import nearest_name
from genjax.types import InputError

ALL = "all"  # the split that is the whole of a set
READ = ("split", "features", "neighbours", "seed")  # what of the options acts


def compare(samples: str, against: str, options: Options, stream: TextIO | None = None) -> dict[str, list[Result]]:
    """Measures distances between two sets of examples, and how far samples are from their nearest training examples.

    Args:
      samples: the source of the samples, such as `folder:out`; all that it holds are samples.
      against: the source of the data; of `options.split`, or `all` for a set without splits of its own.
      options: `split`, `features`, `neighbours` and `seed` are read.
      stream: for progress; standard error by default.

    Returns:
      `{"fidelity": results}`, over as many examples as both sets have, at most `options.samples`.

    Raises:
      InputError: a source cannot be loaded, the two do not hold data of one kind and shape, or features do not fit.
    """
    compiler.keep_programs()
    nearest_name("split", options.split, (*SPLITS, ALL))
    check(options._replace(split=SPLITS[0]))
    sample_set, data = load_data(samples), load_data(against)
    _check_alike(sample_set, data)
    fake, real = _whole(sample_set), _whole(data) if options.split == ALL else _scaled(data, options.split)
    train = real if options.split == ALL else _scaled(data, "train")
    n = min(options.samples, len(real), len(fake))
    names = options.features or (fidelity.default_features(against, data.shape, len(train)),)
    protocol = {
        "split": options.split,
        "samples": n,
        "of": f"{samples} ({fingerprint(sample_set)['digest'][:8]})",
        "data": f"{against} ({fingerprint(data)['digest'][:8]})",
        "seed": options.seed,
    }
    real, fake = (x[evenly_spaced(n, len(x))] for x in (real, fake))
    progress = show_progress(stream or sys.stderr)
    results = fidelity.distances(real, fake, train, names, options, protocol, progress)
    if options.split != ALL:
        results += fidelity.nearest_training_examples(train, real, fake, protocol)
    return {"fidelity": results}


def _check_alike(sample_set: Dataset, data: Dataset) -> None:
    if sample_set.shape != data.shape or sample_set.bounded != data.bounded:
        kinds = [f"{'images' if d.bounded else 'points'} of shape {d.shape}" for d in (sample_set, data)]
        raise InputError(
            f"{sample_set.name} holds {kinds[0]}, and {data.name} {kinds[1]}: only sets of one kind compare"
        )


def _scaled(dataset: Dataset, split: str) -> np.ndarray:
    """A split as data: float32, images in [0, 1]."""
    return getattr(dataset, split).x.astype(np.float32) * np.float32(dataset.scale)


def _whole(dataset: Dataset) -> np.ndarray:
    """All examples of a set, whichever split they fell to."""
    return np.concatenate([_scaled(dataset, split) for split in SPLITS])
