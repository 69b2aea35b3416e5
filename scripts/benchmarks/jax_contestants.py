"""genjax as `train.py` and `sweep.py` run it, and the plain loop that most JAX code has: one jitted step per batch."""

from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from ml_collections import ConfigDict

from benchmarks.cases import Case, dataset, planned
from genjax import config as configs
from genjax.data import describe
from genjax.models import FAMILIES
from genjax.runs.programs import make_run_programs
from genjax.sweeps import programs as swept
from genjax.system import processes
from genjax.system.compiler import compiled
from genjax.training.scan import advance, make_train
from genjax.training.step import prepare
from genjax.types import Batch

Steps = Callable[[int], Any]  # goes on for so many steps of each trial; a sweep's return the states that they reach


def genjax(case: Case) -> Steps:
    """Chunks of the compiled scan, the state donated, the data on the device as bytes."""
    config = case.config()
    programs = make_run_programs(config, dataset(config))
    state = programs.init()

    def steps(n: int) -> None:
        nonlocal state
        state, _ = programs.advance(state, n)
        jax.block_until_ready(state)

    return steps


def genjax_streamed(case: Case) -> Steps:
    """The same scan with the data on the host, of which each chunk's examples are sent."""

    def config() -> ConfigDict:
        streamed = case.config()
        streamed.data.resident_bytes = 0
        return streamed

    return genjax(case._replace(config=config))


def genjax_sweep(case: Case) -> Steps:
    """All trials as one program, each core with its share of them, one after another."""
    processes.use_cores_as_devices()
    config, trials = case.config(), planned(case)
    programs = swept.make_cohort_programs(config, dataset(config), len(trials), "map", swept.residence())
    hparams, seeds = swept.stack_traced(trials)
    hparams, rngs = programs.put(hparams), programs.keys(seeds)
    states = programs.initial(hparams, rngs)

    def steps(n: int) -> Any:
        nonlocal states
        states, _ = programs.advance(states, hparams, rngs, n)
        return jax.block_until_ready(states)

    return steps


def genjax_in_a_row(case: Case) -> Steps:
    """The single run's program, compiled once, for one trial after another on all cores."""
    config = case.config()
    images = dataset(config)
    train = make_train(config, describe(images, config.data.dynamic_binarisation))
    data = Batch(jnp.asarray(images.train.x))
    hparams, seeds = swept.stack_traced(planned(case))
    runs = [({name: values[i] for name, values in hparams.items()}, jax.random.key(s)) for i, s in enumerate(seeds)]
    init, chunk = jax.jit(train.init), compiled(partial(advance, train), donate_argnums=0, static_argnums=4)
    states = [init(*run) for run in runs]

    def steps(n: int) -> Any:
        for i, run in enumerate(runs):
            states[i], _ = chunk(states[i], data, *run, n)
            jax.block_until_ready(states[i])  # the next run would not begin before this one's end
        return states

    return steps


def flax_loop(case: Case) -> Steps:
    """Flax modules, `optax.adam`, a batch gathered by NumPy for each call of a jitted step."""
    config = case.config()
    images = dataset(config)
    spec = describe(images, config.data.dynamic_binarisation)
    hparams = configs.active(config)
    model = FAMILIES[config.model.family].make(config.model, spec, {**hparams, "step": 0})
    batch_size, order = config.train.batch_size, np.random.default_rng(0)
    optimisers = {
        name: optax.adam(hparams.get(f"{name}_learning_rate", hparams.get("learning_rate")), hparams["b1"])
        for name in model.objectives
    }
    params: Any = model.init(jax.random.key(0), Batch(jnp.zeros((1, *spec.shape))))
    states = {
        name: optimisers[name].init({part: params[part] for part in objective.trains})
        for name, objective in model.objectives.items()
    }

    @partial(jax.jit, donate_argnums=(0, 1))
    def step(params, states, batch, key):
        x = prepare(spec, key, Batch(batch))
        for number, (name, objective) in enumerate(model.objectives.items()):
            trained = {part: params[part] for part in objective.trains}
            noise = jax.random.fold_in(key, number)
            loss = partial(_loss, objective, params, x, noise)
            grads = jax.grad(loss)(trained)
            updates, moments = optimisers[name].update(grads, states[name], trained)
            params = {**params, **optax.apply_updates(trained, updates)}
            states = {**states, name: moments}
        return params, states

    key = jax.random.key(1)

    def steps(n: int) -> None:
        nonlocal params, states, key
        for _ in range(n):
            key, noise = jax.random.split(key)
            batch = images.train.x[order.integers(0, len(images.train.x), batch_size)]
            params, states = step(params, states, batch, noise)
        jax.block_until_ready(params)

    return steps


def _loss(objective, params, x, key, trained):
    return objective.loss({**params, **trained}, x, key)[0]
