"""What gives the same bits for every family: chunks of any length, any neighbour of a trial, any compiler's option."""

from functools import cache

import chex
import jax
import jax.numpy as jnp
import pytest
from cases import RICHEST, N, case, slow, stored

from genjax.system import compiler

pytestmark = pytest.mark.optimised
RNG = jax.random.key(0)
NAMES = ["vae_binarised", *(slow(name) for name in RICHEST.values() if name != "vae_binarised")]
every_family = pytest.mark.parametrize("name", NAMES)
every_family_and_convolutions = pytest.mark.parametrize("name", [*NAMES, slow("gan_dcgan")])


@pytest.mark.slow
@every_family_and_convolutions
def test_scan_is_single_steps_to_the_bit(name):
    c = case(name)
    state = c.init(c.hparams, RNG)
    whole, metrics = c.chunk(state, c.hparams, RNG, 4)
    parts = []
    for _ in range(2):
        state, named = c.chunk(state, c.hparams, RNG, 2)
        parts.append(named)
    chex.assert_trees_all_equal(state, whole)
    chex.assert_trees_all_equal(jax.tree.map(lambda *v: jnp.concatenate(v), *parts), metrics)
    chex.assert_tree_shape_prefix(metrics, (4,))
    assert int(whole.step) == 4
    assert int(whole.diverged_at) == -1


@pytest.mark.slow
@every_family_and_convolutions
def test_the_options_change_no_bits(name):
    c = case(name)

    def chunk(state, data, hparams, rng):
        indices = c.functions.indices(hparams, rng, state.step, 4, N)
        return c.functions.chunk(state, data, indices, hparams, rng)

    plain = c.chunk(c.init(c.hparams, RNG), c.hparams, RNG, 4)
    with_options = compiler.compiled(chunk, donate_argnums=0)
    data = stored()
    chex.assert_trees_all_equal(with_options(c.init(c.hparams, RNG), data, c.hparams, RNG), plain)


@cache
def mapped(name):
    """Four steps from the start for each of several settings of the hyperparameters, as one program."""
    c = case(name)
    return jax.jit(jax.vmap(lambda hparams: c.chunk(c.functions.init(hparams, RNG), hparams, RNG, 4)[0]))


def rates(c, values):
    """The hyperparameters repeated, with these learning rates."""
    stacked = {key: jnp.full(len(values), value) for key, value in c.hparams.items()}
    return stacked | {key: jnp.array(values) for key in stacked if key.endswith("learning_rate")}


@pytest.mark.slow
@every_family_and_convolutions
def test_vmap_over_hyperparameters_is_a_loop(name):
    c = case(name)
    many = rates(c, [1e-3, 1e-2])
    looped = []
    for i in range(2):
        hparams = {key: value[i] for key, value in many.items()}
        looped.append(c.chunk(c.init(hparams, RNG), hparams, RNG, 4)[0])
    stacked = jax.tree.map(lambda *v: jnp.stack(v), *looped)
    chex.assert_trees_all_close(mapped(name)(many), stacked, rtol=1e-3, atol=1e-5)


def poisoned(state):
    """The state with one NaN in one kernel."""
    leaves, tree = jax.tree.flatten(state.params)
    leaves[-1] = leaves[-1].at[(0,) * leaves[-1].ndim].set(jnp.nan)
    return state._replace(params=jax.tree.unflatten(tree, leaves))


@every_family
def test_a_step_without_finite_gradients_changes_nothing(name):
    c = case(name)
    good, _ = c.chunk(c.init(c.hparams, RNG), c.hparams, RNG, 2)
    bad = poisoned(good)
    once, _ = c.chunk(bad, c.hparams, RNG, 2)
    for state in (once, c.chunk(once, c.hparams, RNG, 2)[0]):
        assert int(state.diverged_at) == 2
        chex.assert_trees_all_equal(state._replace(diverged_at=bad.diverged_at), bad)


@every_family
def test_a_diverging_trial_leaves_the_others_bits_alone(name):
    c = case(name)
    both, healthy = mapped(name)(rates(c, [1e-3, 1e30])), mapped(name)(rates(c, [1e-3, 1e-4]))
    assert int(both.diverged_at[1]) >= 0
    chex.assert_tree_all_finite(jax.tree.map(lambda leaf: leaf[1], both.params))
    chex.assert_trees_all_equal(*(jax.tree.map(lambda leaf: leaf[0], trials) for trials in (both, healthy)))
