"""The one training step of every family: each objective in turn takes a gradient step on the parts that it trains."""

from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import optax

from genjax.losses import likelihoods
from genjax.rng import stream
from genjax.training.optimisers import make_optimiser
from genjax.types import Array, DataSpec, Hparams, Key, Model, Params, Settings, TrainState


def prepare(spec: DataSpec, rng: Key, batch: Array) -> Array:
    """Stored examples as a model sees them: float32, scaled and, where the data set says so, binarised anew."""
    x = batch.astype(jnp.float32) * spec.scale
    return likelihoods.binarise(rng, x) if spec.dynamic_binarisation else x


def init_state(
    model: Model, optimisers: Mapping[str, Settings], hparams: Hparams, rng: Key, batch: Array
) -> TrainState:
    """The state before the first step.

    Args:
      model: as made by its family.
      optimisers: `{objective: settings of its optimiser}`.
      hparams: traced scalars.
      rng: the run's root key.
      batch: any batch of prepared examples; only its shape counts.
    """
    params = model.init(stream(rng, "init"), batch)
    opt_state = {
        name: make_optimiser(name, optimisers[name], hparams).init(_parts(params, objective.trains))
        for name, objective in model.objectives.items()
    }
    # The average needs buffers of its own: a donated state may not hold one array twice.
    average = jax.tree.map(jnp.copy, _parts(params, model.averaged))
    return TrainState(jnp.int32(0), params, opt_state, average, jnp.int32(-1))


def train_step(
    model: Model,
    optimisers: Mapping[str, Settings],
    state: TrainState,
    batches: Array,
    hparams: Hparams,
    rng: Key,
    progress: Array,
) -> tuple[TrainState, dict[str, Array]]:
    """One step: every objective in order, each seeing the update of the one before.

    A step whose gradients are not all finite changes nothing but `diverged_at`, and no later step changes anything.

    Args:
      model: as made by its family at this step.
      optimisers: `{objective: settings of its optimiser}`.
      state: before the step.
      batches: `[repeats, b, *shape]`, prepared; as many as the most repeated objective needs.
      hparams: traced scalars.
      rng: the step's own key.
      progress: steps done over steps in all.

    Returns:
      The state after it, and the objectives' named scalars.
    """
    params, opt_state, metrics, finite = state.params, {}, {}, state.diverged_at < 0
    for name, objective in model.objectives.items():
        tx = make_optimiser(name, optimisers[name], hparams, progress)
        moments = state.opt_state[name]
        for repeat in range(objective.updates):
            key = stream(rng, f"{name} {repeat}")
            grads, named = _gradients(objective, params, batches[repeat], key)
            finite &= _all_finite(grads)
            updates, moments = tx.update(grads, moments, _parts(params, objective.trains))
            params = {**params, **optax.apply_updates(_parts(params, objective.trains), updates)}
        opt_state[name] = moments
        metrics |= named
    average = _moved(state.average, params, hparams, state.step) if model.averaged else state.average
    done = TrainState(state.step + 1, params, opt_state, average, state.diverged_at)
    frozen = state._replace(diverged_at=jnp.where(state.diverged_at < 0, state.step, state.diverged_at))
    return jax.tree.map(lambda new, old: jnp.where(finite, new, old), done, frozen), metrics


def averaged_params(state: TrainState) -> Params:
    """The parameters that evaluation and sampling use: moving averages where the model keeps them."""
    return {**state.params, **state.average}


def _gradients(objective, params: Params, batch: Array, key: Key) -> tuple[Params, dict[str, Array]]:
    def loss(trained: Params) -> tuple[Array, dict[str, Array]]:
        return objective.loss({**params, **trained}, batch, key)

    return jax.grad(loss, has_aux=True)(_parts(params, objective.trains))


def _parts(params: Params, names: tuple[str, ...]) -> dict[str, Any]:
    return {name: params[name] for name in names}


def _all_finite(tree: Params) -> Array:
    return jnp.stack([jnp.all(jnp.isfinite(leaf)) for leaf in jax.tree.leaves(tree)]).all()


def _moved(average: Params, params: Params, hparams: Hparams, step: Array) -> Params:
    """a <- d a + (1 - d) w, with d = min(ema_decay, (1 + t) / (10 + t)) so that early averages forget the start."""
    decay = jnp.minimum(hparams["ema_decay"], (1.0 + step) / (10.0 + step))
    return jax.tree.map(lambda a, w: decay * a + (1 - decay) * w, average, {name: params[name] for name in average})
