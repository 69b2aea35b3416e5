"""log p(x) of rows, exactly or by importance sampling, as the evaluator computes it."""

import functools
from collections.abc import Callable

import jax

from genjax.evaluation.examples import row_keys
from genjax.evaluation.likelihood import DRAWS
from genjax.metrics.importance import importance
from genjax.rng import stream
from genjax.training.step import prepare
from genjax.types import Array, Batch, DataSpec, Key, Model, Params

OfRows = Callable[[Params, tuple[Batch, Array], Key], Array]


def log_likelihood(model: Model, spec: DataSpec, k: int) -> OfRows | None:
    """A pure `(params, (examples, numbers), key) -> [b]` in nats, of examples in the model's values.

    Row i has the key of its number, as it has in an evaluation. None where the model has no likelihood.
    """
    log_prob, log_weights, scaled = model.log_prob, model.log_weights, spec._replace(scale=1.0)
    if log_prob is None and log_weights is None:
        return None

    def of_row(params: Params, row: Batch, key: Key) -> Array:
        batch = jax.tree.map(lambda leaf: leaf[None], prepare(scaled, stream(key, "binarise"), row))
        if log_prob is not None:
            return log_prob(params, batch)[0]
        assert log_weights is not None
        weights = functools.partial(log_weights, params)
        return importance(weights, batch, stream(key, "importance"), k, DRAWS).log_likelihood[0]

    def of_rows(params: Params, rows: tuple[Batch, Array], key: Key) -> Array:
        return jax.vmap(of_row, (None, 0, 0))(params, rows[0], row_keys(key, rows[1]))

    return of_rows
