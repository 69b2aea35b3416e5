"""Examples as a subject sees them, and its codes of them."""

import jax
import numpy as np

from genjax.data import Split
from genjax.evaluation.options import Options
from genjax.evaluation.rows import over_rows
from genjax.evaluation.subject import Subject
from genjax.rng import stream
from genjax.training.step import prepare
from genjax.types import Array, InputError, Key

BLOCK = 250


def split_of(subject: Subject, options: Options) -> Split:
    """The split that is evaluated."""
    return getattr(subject.dataset, options.split)


def key_of(options: Options, use: str) -> Key:
    """The root key of one use of randomness; row i of anything sees it folded with i."""
    return stream(jax.random.key(options.seed), use)


def row_keys(key: Key, numbers: Array) -> Key:
    """A key for each row by its number alone, whichever block and device it falls to, `[b]`."""
    return jax.vmap(jax.random.fold_in, (None, 0))(key, numbers)


def stored(subject: Subject, x: np.ndarray) -> np.ndarray:
    """Examples as data and not as the model sees them: scaled, never binarised, `[n, *shape]` float32."""
    return x.astype(np.float32) * np.float32(subject.spec.scale)


def codes(subject: Subject, x: np.ndarray, options: Options) -> np.ndarray:
    """The encoder's codes of examples, `[n, latent]`: a VAE's are the posterior's means.

    Raises:
      InputError: some are not finite.
    """
    encode = subject.model.encode
    assert encode is not None  # the metrics of codes apply to no other model

    def encoded(rows, params):
        examples, numbers = rows
        keys = row_keys(key_of(options, "binarise"), numbers)
        return encode(params, jax.vmap(lambda key, one: prepare(subject.spec, key, one))(keys, examples))

    return finite(subject, "codes", over_rows(encoded, BLOCK)((x, np.arange(len(x))), subject.params))


def finite(subject: Subject, what: str, values: np.ndarray) -> np.ndarray:
    """The values themselves, or an InputError where some are not finite."""
    if not np.isfinite(values).all():
        raise InputError(f"{subject.workdir}: {what} at step {subject.step:,} are not finite")
    return values


def binarisation(subject: Subject) -> str:
    """How a protocol states what a model saw of an image."""
    if subject.spec.dynamic_binarisation:
        return "drawn once from grey"
    return "as stored"
