"""Every factor of a VAE in a sweep: trials side by side are single runs."""

import chex
import jax
import jax.numpy as jnp
import pytest
from cases import VAE_FACTORS, case, stored

from genjax.training import trials

STEPS = 4


@pytest.mark.slow
@pytest.mark.parametrize("name", VAE_FACTORS)
def test_trials_with_a_factor_are_single_runs(name):
    mine, rates = case(name), (1e-3, 1e-2)
    train, data = mine.functions, stored(mine.config)
    hparams = {key: jnp.full(len(rates), value) for key, value in mine.hparams.items()}
    rate = next(key for key in hparams if key.endswith("learning_rate"))
    hparams, rngs = {**hparams, rate: jnp.array(rates)}, jax.vmap(jax.random.key)(jnp.arange(len(rates)))
    swept = jax.jit(lambda h, r: trials.sweep(train, h, r, data, STEPS))(hparams, rngs)
    for i in range(len(rates)):
        own = {key: value[i] for key, value in hparams.items()}
        alone = mine.chunk(mine.init(own, rngs[i]), own, rngs[i], STEPS)
        chex.assert_trees_all_close(trials.select_trials(swept, i), alone, rtol=2e-3, atol=2e-4)
