"""Optimisers against optax's own, and schedules against tables."""

import chex
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from genjax.training import optimisers, schedules

HP = {**optimisers.HPARAMS, "learning_rate": 0.1}
PARAMS = {"layer": {"kernel": jnp.array([[1.0, -2.0]]), "bias": jnp.array([0.5, 0.1])}}
OPTAX = {
    "adam": optax.adam(0.1, 0.9, 0.999, 1e-8),
    "adamw": optax.adamw(0.1, 0.9, 0.999, 1e-8, weight_decay=1e-2, mask={"layer": {"kernel": True, "bias": False}}),
    "sgd": optax.sgd(0.1, momentum=0.9),
    "rmsprop": optax.rmsprop(0.1, decay=0.9, eps=1e-8),
}


def settings(**changes):
    return {**optimisers.SETTINGS, **changes}


def descend(make):
    """Three steps on a bowl, rebuilding the optimiser from its hyperparameters each time."""
    params, state = PARAMS, make().init(PARAMS)
    for _ in range(3):
        grads = jax.grad(lambda p: sum(jnp.sum((x - 3) ** 2) for x in jax.tree.leaves(p)))(params)
        updates, state = make().update(grads, state, params)
        params = optax.apply_updates(params, updates)
    return params


def test_every_optimiser_is_tested():
    assert OPTAX.keys() == optimisers.OPTIMISERS.keys()


@pytest.mark.parametrize("name", OPTAX)
def test_optimisers_are_optaxs(name):
    traced = jax.jit(lambda hp: descend(lambda: optimisers.make_optimiser("elbo", settings(optimiser=name), hp)))(HP)
    chex.assert_trees_all_close(traced, descend(lambda: OPTAX[name]), rtol=1e-5)  # 1 - b2 in float32


def test_the_epsilon_of_rmsprop_is_within_the_root_and_adams_outside():
    """docs/theory.md: -eta g / sqrt(v + eps) with v = 0.1 g^2, and -eta m^ / (sqrt(v^) + eps) with m^ = g, v^ = g^2."""
    grads, eps = {"kernel": jnp.array([2.0])}, 0.5
    for name, expected in {"rmsprop": 2 / np.sqrt(0.1 * 4 + eps), "adam": 2 / (2 + eps)}.items():
        tx = optimisers.make_optimiser("elbo", settings(optimiser=name), {**HP, "eps": eps})
        updates, _ = tx.update(grads, tx.init(grads), grads)
        np.testing.assert_allclose(updates["kernel"], [-0.1 * expected], rtol=1e-5)


def test_clipping_bounds_the_global_norm():
    tx = optimisers.make_optimiser(
        "elbo", settings(optimiser="sgd", clip=True), {**HP, "clip_norm": 0.5, "learning_rate": 1.0}
    )
    updates, _ = tx.update(jax.tree.map(lambda x: 100 * x, PARAMS), tx.init(PARAMS), PARAMS)
    np.testing.assert_allclose(optax.tree.norm(updates), 0.5, rtol=1e-5)
    small = jax.tree.map(lambda x: 1e-3 * x, PARAMS)
    updates, _ = tx.update(small, tx.init(PARAMS), PARAMS)
    chex.assert_trees_all_close(updates, jax.tree.map(jnp.negative, small), rtol=1e-6)


@pytest.mark.parametrize(
    ("name", "table"),
    [
        ("constant", {0.0: 1.0, 0.5: 1.0, 0.999: 1.0}),
        ("exponential", {0.0: 1.0, 0.5: 0.1, 1.0: 0.01}),
        ("warmup_cosine", {0.0: 0.0, 0.025: 0.5, 0.05: 1.0, 0.525: 0.505, 1.0: 0.01}),
        # Ends of the stages: 1, 4, 13, 40, 121, 364, 1093 and 3280 parts of 3280.
        (
            "burda",
            {
                0.0: 1.0,
                0.9 / 3280: 1.0,
                1.1 / 3280: 0.72,
                3.9 / 3280: 0.72,
                4.1 / 3280: 0.52,
                13.1 / 3280: 0.37,
                40.1 / 3280: 0.27,
                121.1 / 3280: 0.19,
                364.1 / 3280: 0.14,
                1093.1 / 3280: 0.1,
                1.0: 0.1,
            },
        ),
    ],
)
def test_schedules_by_hand(name, table):
    schedule = schedules.LEARNING_RATES[name].factor
    for progress, expected in table.items():
        for wrap in (lambda f: f, jax.jit):
            np.testing.assert_allclose(wrap(schedule)(jnp.float32(progress), HP), expected, rtol=1e-5, atol=1e-7)


def test_the_schedule_scales_the_learning_rate():
    step = {}
    for progress in (0.0, 0.5):
        tx = optimisers.make_optimiser("elbo", settings(optimiser="sgd", schedule="exponential"), HP, progress)
        step[progress], _ = tx.update(PARAMS, tx.init(PARAMS), PARAMS)
    chex.assert_trees_all_close(step[0.5], jax.tree.map(lambda x: 0.1 * x, step[0.0]), rtol=1e-5)


def test_an_objectives_own_hyperparameter_comes_first():
    hp = {**HP, "generator_learning_rate": 0.3}
    for objective, rate in (("generator", 0.3), ("discriminator", 0.1)):
        tx = optimisers.make_optimiser(objective, settings(optimiser="sgd"), hp)
        updates, _ = tx.update(PARAMS, tx.init(PARAMS), PARAMS)
        chex.assert_trees_all_close(updates, jax.tree.map(lambda x, rate=rate: -rate * x, PARAMS))


@pytest.mark.parametrize(
    ("name", "knobs", "table"),
    [
        ("constant", {}, {0.0: 1.0, 0.9: 1.0}),
        ("linear", {"start": 0.0, "duration": 0.5}, {0.0: 0.0, 0.25: 0.5, 0.5: 1.0, 0.9: 1.0}),
        ("linear", {"start": 3.0, "duration": 1.0}, {0.0: 3.0, 0.5: 2.0}),
        ("linear", {"start": 0.0, "duration": 0.0}, {0.1: 1.0}),
        ("cosine", {"start": 0.0, "duration": 0.5}, {0.0: 0.0, 0.25: 0.5, 1 / 6: 0.25, 0.5: 1.0, 0.9: 1.0}),
        ("exponential", {"start": 0.01, "duration": 0.5}, {0.0: 0.01, 0.25: 0.1, 0.5: 1.0, 0.9: 1.0}),
        (
            "cyclical",
            {"start": 0.0, "duration": 0.5, "cycles": 2.0},
            {0.0: 0.0, 0.125: 0.5, 0.25: 1.0, 0.4: 1.0, 0.5: 0.0, 0.625: 0.5, 0.9: 1.0},
        ),
    ],
)
def test_schedules_of_weights_by_hand(name, knobs, table):
    schedule = schedules.WEIGHTS[name]
    assert set(schedule.knobs) == set(knobs)
    for progress, factor in table.items():
        traced = {knob: jnp.float32(value) for knob, value in knobs.items()}
        np.testing.assert_allclose(schedule.factor(jnp.float32(progress), traced), factor, atol=1e-6)
