"""Bounds of log p(x) from below and from above, by annealed importance sampling: how far other estimates can be wrong.

The bound from above needs an exact draw from the posterior, which is known for examples that the model simulates. Of a
conditional model all of this is about log p(x|y).
"""

from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from genjax.evaluation.examples import batch_of, binarisation, chosen_examples, key_of, row_keys, split_of
from genjax.evaluation.likelihood import DRAWS
from genjax.evaluation.options import Options
from genjax.evaluation.results import Result, averaged
from genjax.evaluation.rows import over_rows
from genjax.metrics.annealing import annealed_importance, lower_bound, temperatures, tune_step_sizes, upper_bound
from genjax.metrics.importance import importance
from genjax.rng import stream
from genjax.runs.load import LoadedRun
from genjax.training.step import prepare
from genjax.types import Array, Batch, Key, Params

EXAMPLES = 100  # simulated ones, and at most as many of the data
ROWS = 50  # examples at a time on each device
PILOTS, LEAPFROG_STEPS = 4, 10


def applies(subject: LoadedRun) -> str:
    """What is missing, or nothing."""
    exact = subject.model.simulate is not None and subject.model.log_densities is not None
    return "" if exact else "a model that simulates examples with their latent variables, and has their densities"


def measure(subject: LoadedRun, options: Options, progress: Any) -> list[Result]:
    """Both bounds of simulated examples, their gap and the estimate by importance sampling; a lower bound of data."""
    stored = batch_of(subject, chosen_examples(split_of(subject, options), EXAMPLES))
    count = len(stored.x)
    with progress("bounds", EXAMPLES + count) as tick:
        of_model = over_rows(simulated_examples(subject, options), ROWS, tick)(np.arange(EXAMPLES), subject.params)
        of_data = over_rows(stored_examples(subject, options), ROWS, tick)((stored, np.arange(count)), subject.params)
    annealing = {
        "annealing_steps": options.annealing_steps,
        "chains": options.chains,
        "leapfrog_steps": LEAPFROG_STEPS,
        "seed": options.seed,
        "step": subject.step,
    }
    simulated = {"split": "simulated", "examples": EXAMPLES, **annealing}
    data = {"split": options.split, "examples": count, "binarisation": binarisation(subject), **annealing}
    unit = "nats" if subject.model.likelihood is None else subject.model.likelihood.unit
    lower, upper = of_model["lower_bound"], of_model["upper_bound"]
    results = [
        averaged("simulated_lower_bound", lower, unit, simulated),
        averaged("simulated_upper_bound", upper, unit, simulated),
        averaged("simulated_gap", upper - lower, "nats", simulated),
    ]
    if "log_likelihood" in of_model:
        sampling = {**simulated, "importance_samples": options.importance_samples}
        results.append(averaged("simulated_log_likelihood", of_model["log_likelihood"], unit, sampling))
    return [*results, averaged("lower_bound", of_data["lower_bound"], unit, data)]


def simulated_examples(subject: LoadedRun, options: Options) -> Callable[[Array, Params], dict[str, Array]]:
    """The pure function of the numbers of simulated examples: `(numbers [b], params) -> {name: [b]}`."""
    model, root = subject.model, key_of(options, "simulated bounds")
    simulate, log_weights = model.simulate, model.log_weights
    assert simulate is not None  # `applies` says so

    def measure_row(key: Key, params: Params) -> dict[str, Array]:
        batch, z = simulate(params, stream(key, "simulation"), 1)
        values = _bounds(subject, options, params, batch, key, z)
        if log_weights is not None:
            weigh = partial(log_weights, params)
            estimate = importance(weigh, batch, stream(key, "importance"), options.importance_samples, DRAWS)
            values["log_likelihood"] = estimate.log_likelihood
        return {name: value[0] for name, value in values.items()}

    return lambda numbers, params: jax.vmap(measure_row, (0, None))(row_keys(root, numbers), params)


def stored_examples(subject: LoadedRun, options: Options) -> Callable[[tuple[Batch, Array], Params], dict[str, Array]]:
    """The pure function of rows: `((examples [b, *shape], numbers [b]), params) -> {name: [b]}`."""
    root = key_of(options, "bounds")

    def measure_row(stored: Batch, key: Key, params: Params) -> dict[str, Array]:
        prepared = prepare(subject.spec, stream(key, "binarise"), stored)
        batch = jax.tree.map(lambda leaf: leaf[None], prepared)  # [1, ...]
        return {name: value[0] for name, value in _bounds(subject, options, params, batch, key).items()}

    return lambda rows, params: jax.vmap(measure_row, (0, 0, None))(rows[0], row_keys(root, rows[1]), params)


def _bounds(
    subject: LoadedRun, options: Options, params: Params, batch: Batch, key: Key, exact: Array | None = None
) -> dict[str, Array]:
    """The lower bound of one example `[1, ...]`, and the upper one where a draw from its posterior is given."""
    model = subject.model
    assert model.log_densities is not None  # `applies` says so
    densities, path = partial(model.log_densities, params), temperatures(options.annealing_steps)
    pilots, start = (
        prior_draws(subject, params, batch.label, stream(key, name), count)
        for name, count in (("pilots", PILOTS), ("prior", options.chains))
    )
    sizes = tune_step_sizes(densities, batch, pilots, stream(key, "tuning"), path, LEAPFROG_STEPS)

    def anneal(z: Array, name: str, reverse: bool) -> Array:
        return annealed_importance(densities, batch, z, stream(key, name), path, sizes, LEAPFROG_STEPS, reverse)

    values = {"lower_bound": lower_bound(anneal(start, "forward", reverse=False))}
    if exact is not None:
        values["upper_bound"] = upper_bound(anneal(jnp.broadcast_to(exact, start.shape), "reverse", reverse=True))
    return values


def prior_draws(subject: LoadedRun, params: Params, label: Array | None, key: Key, count: int) -> Array:
    """Draws all latent variables from p(z), or from p(z|y) where the example has a label `[1]`, `[count, 1, d]`.

    A conditional model simulates any class. It is asked again until the class is the example's.
    """
    simulate = subject.model.simulate
    assert simulate is not None  # `applies` says so

    def draw(key: Key) -> Array:
        def attempt(number: Array) -> tuple[Array, Array | None, Array]:
            batch, z = simulate(params, jax.random.fold_in(key, number), 1)
            return number + 1, batch.label, z

        first = attempt(jnp.int32(0))
        if label is None or first[1] is None:
            return first[2]
        return jax.lax.while_loop(lambda state: jnp.any(state[1] != label), lambda state: attempt(state[0]), first)[2]

    return jax.vmap(draw)(jax.random.split(key, count))
