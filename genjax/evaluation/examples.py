"""Examples as a subject sees them, and its codes of them."""

import jax
import numpy as np

from genjax.data import Split, stored_batch
from genjax.evaluation.options import Options
from genjax.evaluation.rows import over_rows
from genjax.rng import evenly_spaced, stream
from genjax.runs.load import LoadedRun
from genjax.runs.programs import reads_labels
from genjax.training.precision import at_precision
from genjax.training.step import prepare
from genjax.types import Array, Batch, InputError, Key

BLOCK = 250


def split_of(subject: LoadedRun, options: Options) -> Split:
    """The split that is evaluated."""
    return getattr(subject.dataset, options.split)


def key_of(options: Options, use: str) -> Key:
    """The root key of one use of randomness; row i of anything sees it folded with i."""
    return stream(jax.random.key(options.seed), use)


def row_keys(key: Key, numbers: Array) -> Key:
    """A key for each row by its number alone, whichever block and device it falls to, `[b]`."""
    return jax.vmap(jax.random.fold_in, (None, 0))(key, numbers)


def stored(subject: LoadedRun, x: np.ndarray) -> np.ndarray:
    """Examples as data and not as the model sees them: scaled, never binarised, `[n, *shape]` float32."""
    return x.astype(np.float32) * np.float32(subject.spec.scale)


def chosen_examples(split: Split, count: int) -> Split:
    """At most so many examples of a split, from all over it."""
    index = evenly_spaced(count, len(split.x))
    return Split(split.x[index], None if split.y is None else split.y[index])


def batch_of(subject: LoadedRun, split: Split) -> Batch:
    """A split's examples as stored, `[n, ...]`, with labels where the model reads them."""
    return stored_batch(subject.dataset, split, reads_labels(subject.config))


def codes(subject: LoadedRun, batch: Batch, options: Options) -> np.ndarray:
    """The encoder's codes of stored examples, `[n, latent]`: a VAE's are the posterior's means.

    Raises:
      InputError: some are not finite.
    """
    encode = subject.model.encode
    assert encode is not None  # the metrics of codes apply to no other model

    def encoded(block, params):
        examples, numbers = block
        keys = row_keys(key_of(options, "binarise"), numbers)
        return encode(params, jax.vmap(lambda key, row: prepare(subject.spec, key, row))(keys, examples))

    encoded = at_precision(encoded, "highest")  # distances and fits are made of codes
    return finite(subject, "codes", over_rows(encoded, BLOCK)((batch, np.arange(len(batch.x))), subject.params))


def finite(subject: LoadedRun, description: str, values: np.ndarray) -> np.ndarray:
    """The values themselves, or an InputError where some are not finite."""
    if not np.isfinite(values).all():
        raise InputError(f"{subject.workdir}: {description} at step {subject.step:,} are not finite")
    return values


def binarisation(subject: LoadedRun) -> str:
    """How a protocol states what a model saw of an image."""
    if subject.spec.dynamic_binarisation:
        return "drawn once from grey"
    return "as stored"
