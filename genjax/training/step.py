"""The training step of every family: each objective in turn takes its gradient steps on the parts that it trains."""

from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import optax

from genjax.losses import likelihoods
from genjax.rng import stream
from genjax.training.finite import all_finite
from genjax.training.optimisers import make_optimiser
from genjax.types import Array, Aux, Batch, DataSpec, Hparams, Key, Model, Objective, Params, Settings, TrainState

Gradients = tuple[Params, Aux]


def prepare(spec: DataSpec, rng: Key, stored: Batch) -> Batch:
    """Stored examples as a model sees them: float32, scaled and, where the data set says so, binarised anew."""
    x = stored.x.astype(jnp.float32) * spec.scale
    return stored._replace(x=likelihoods.binarise(rng, x) if spec.dynamic_binarisation else x)


def init_state(
    model: Model, optimisers: Mapping[str, Settings], hparams: Hparams, rng: Key, batch: Batch
) -> TrainState:
    """The state before the first step.

    Args:
      model: as made by its family.
      optimisers: `{objective: settings of its optimiser}`.
      hparams: traced scalars.
      rng: the run's root key.
      batch: any batch of prepared examples; only its shapes count.
    """
    params = model.init(stream(rng, "init"), batch)
    opt_state = {
        name: make_optimiser(name, optimisers[name], hparams).init(_parts(params, objective.trains))
        for name, objective in model.objectives.items()
    }
    # The average needs buffers of its own: a donated state may not hold one array twice.
    average = jax.tree.map(jnp.copy, _parts(params, model.averaged))
    return TrainState(jnp.int32(0), params, opt_state, average, jnp.int32(-1))


def batches_per_step(model: Model) -> int:
    """How many batches a step draws: as many as the objective with the most needs; the others see the first of them."""
    return max(objective.updates * objective.batches for objective in model.objectives.values())


def train_step(
    model: Model,
    optimisers: Mapping[str, Settings],
    state: TrainState,
    batches: Batch,
    hparams: Hparams,
    rng: Key,
    progress: Array,
    gradient_norms: bool = False,
) -> tuple[TrainState, dict[str, Array]]:
    """One step: every objective in order, each seeing the update of the one before.

    A step whose gradients, or whose state in `Aux`, are not all finite changes nothing but `diverged_at`, and no later
    step changes anything.

    Args:
      model: as made by its family at this step.
      optimisers: `{objective: settings of its optimiser}`.
      state: before the step.
      batches: `[batches_per_step(model), b, ...]`, prepared.
      hparams: traced scalars.
      rng: the step's own key.
      progress: steps done over steps in all.
      gradient_norms: whether `<objective>_gradient_norm`, of its last update, is among the metrics.

    Returns:
      The state after it, and the objectives' metrics, each of the objective's last update.

    Raises:
      ValueError: two objectives report a metric of one name, or state is not a part that no gradient moves.
    """
    params, opt_state, metrics, finite = state.params, {}, {}, state.diverged_at < 0
    for name, objective in model.objectives.items():
        optimiser = make_optimiser(name, optimisers[name], hparams, progress)
        moments, reported, gradients = state.opt_state[name], {}, {}
        for update in range(objective.updates):
            own_batches = _batches_of_update(objective, batches, update)
            gradients, aux = _gradients(objective, params, own_batches, stream(rng, f"{name} {update}"))
            finite &= all_finite((gradients, aux.state))
            changes, moments = optimiser.update(gradients, moments, _parts(params, objective.trains))
            trained = optax.apply_updates(_parts(params, objective.trains), changes)
            trained = trained if objective.project is None else objective.project(trained)
            params, reported = {**params, **trained, **aux.state}, aux.metrics
        if twice := metrics.keys() & reported.keys():
            raise ValueError(f"objective {name!r} reports {min(twice)!r}, which another objective reports already")
        opt_state[name] = moments
        metrics |= reported
        if gradient_norms:
            metrics[f"{name}_gradient_norm"] = optax.tree.norm(gradients)
    average = _moved_average(model, state.average, params, batches.x.shape[1])
    next_state = TrainState(state.step + 1, params, opt_state, average, state.diverged_at)
    frozen = state._replace(diverged_at=jnp.where(state.diverged_at < 0, state.step, state.diverged_at))
    return jax.tree.map(lambda new, old: jnp.where(finite, new, old), next_state, frozen), metrics


def averaged_params(state: TrainState) -> Params:
    """The parameters that evaluation and sampling use: moving averages where the model keeps them."""
    return {**state.params, **state.average}


def _batches_of_update(objective: Objective, batches: Batch, update: int) -> Batch:
    """One batch `[b, ...]`, or the `[batches, b, ...]` of an objective that asks for several."""
    if objective.batches == 1:
        return jax.tree.map(lambda leaf: leaf[update], batches)
    first = update * objective.batches
    return jax.tree.map(lambda leaf: leaf[first : first + objective.batches], batches)


def _gradients(objective: Objective, params: Params, batches: Batch, key: Key) -> Gradients:
    """The gradients of the parts that an objective trains, and what else its loss returns."""
    if not (objective.accumulate and objective.batches > 1):
        return _gradients_at(objective, params, batches, key)

    def add(state: Params, batch_and_number: tuple[Batch, Array]) -> tuple[Params, Gradients]:
        batch, number = batch_and_number
        gradients, aux = _gradients_at(objective, {**params, **state}, batch, jax.random.fold_in(key, number))
        return aux.state, (gradients, aux._replace(state={}))

    numbers = jnp.arange(objective.batches)
    first = jax.tree.map(lambda leaf: leaf[0], (batches, numbers))
    state, first_result = add({}, first)  # before the first batch only params know the state's parts
    later = jax.tree.map(lambda leaf: leaf[1:], (batches, numbers))

    def accumulate(carry: tuple[Params, Gradients], part: tuple[Batch, Array]) -> tuple[tuple[Params, Gradients], None]:
        state, result = add(carry[0], part)
        return (state, jax.tree.map(jnp.add, carry[1], result)), None

    (state, total), _ = jax.lax.scan(accumulate, (state, first_result), later)
    gradients, aux = jax.tree.map(lambda leaf: leaf / objective.batches, total)
    return gradients, aux._replace(state=state)


def _gradients_at(objective: Objective, params: Params, batch: Batch, key: Key) -> Gradients:
    def loss(trained: Params) -> tuple[Array, Aux]:
        return objective.loss({**params, **trained}, batch, key)

    gradients, aux = jax.grad(loss, has_aux=True)(_parts(params, objective.trains))
    if strange := (aux.state.keys() - params.keys()) | (aux.state.keys() & set(objective.trains)):
        raise ValueError(f"state {min(strange)!r} must be a part of params that the objective does not train")
    return gradients, aux


def _parts(params: Params, names: tuple[str, ...]) -> dict[str, Any]:
    return {name: params[name] for name in names}


def _moved_average(model: Model, average: Params, params: Params, images: int) -> Params:
    """a <- d a + (1 - d) w of the parts that the model averages, after a step that saw so many images."""
    if model.average_decay is None:
        return average
    decay = model.average_decay(images)
    return jax.tree.map(lambda a, w: decay * a + (1 - decay) * w, average, {name: params[name] for name in average})
