"""Many trials as one program: the same trials as single runs, each on its own, on one copy of the data."""

from functools import cache

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from cases import N, case, slow, stored
from present import present

from genjax.training import trials

pytestmark = pytest.mark.optimised
STEPS, DATA = 6, stored()
GRID = trials.trial_mesh(jax.devices())
OVERS = {
    "map": trials.sequential,
    "vmap": trials.vectorised,
    "vmap_products": trials.vectorised_products,
    "map_sharded": trials.sharded(GRID, trials.sequential),
    "vmap_sharded": trials.sharded(GRID, trials.vectorised),
}
CASES = [
    ("vae", "map"),
    slow("vae", "vmap_sharded"),
    slow("vae", "vmap"),
    slow("vae", "map_sharded"),
    *(slow("gan_critic", over) for over in OVERS if over != "vmap_products"),
    slow("gan_dcgan", "map_sharded"),
    slow("gan_dcgan", "vmap_products"),
]


def four_trials(name, rates=(1e-3, 3e-3, 1e-2, 1e-4), seeds=(0, 1, 2, 3)):
    """Hyperparameters `{name: [T]}` that differ in the learning rate, and keys `[T]`."""
    hparams = {k: jnp.full(len(rates), v) for k, v in case(name).hparams.items()}
    rate = next(k for k in hparams if k.endswith("learning_rate"))
    return {**hparams, rate: jnp.array(rates)}, jax.vmap(jax.random.key)(jnp.array(seeds))


@cache
def program(name, over, length=STEPS):
    """The compiled chunk of four trials."""
    train, data = case(name).functions, stored(case(name).config)
    return jax.jit(lambda states, h, r: trials.sweep(train, h, r, data, length, states, OVERS[over]))


@cache
def start(name):
    return jax.jit(lambda h, r: trials.initial(case(name).functions, h, r))


def swept(name, over, hparams, rngs):
    return program(name, over)(start(name)(hparams, rngs), hparams, rngs)


@cache
def singles(name):
    """The same trials as single runs, `(state, metrics)` of each."""
    mine, (hparams, rngs), found = case(name), four_trials(name), []
    for i in range(4):
        own = {k: v[i] for k, v in hparams.items()}
        found.append(mine.chunk(mine.init(own, rngs[i]), own, rngs[i], STEPS))
    return found


def same(a, b):
    return all(bool(jnp.array_equal(x, y)) for x, y in zip(jax.tree.leaves(a), jax.tree.leaves(b), strict=True))


@pytest.mark.parametrize(("name", "over"), CASES)
def test_trials_are_single_runs(name, over):
    found = swept(name, over, *four_trials(name))

    def close(a, b):
        np.testing.assert_allclose(a, b, rtol=2e-3, atol=2e-4)  # Adam divides by small second moments

    for i, single in enumerate(singles(name)):
        mine = trials.select_trials(found, i)
        if over.startswith("map"):  # the same program for each trial
            assert same(mine, single)
        jax.tree.map(close, mine, single)


@pytest.mark.slow
@pytest.mark.parametrize("over", OVERS)
def test_trials_are_measured_as_single_runs(over):
    train, (hparams, rngs) = case("vae").functions, four_trials("vae")
    states = start("vae")(hparams, rngs)
    measured = jax.jit(lambda s, h, r: trials.evaluate(train, s, DATA, h, r, OVERS[over]))(states, hparams, rngs)
    alone = train.evaluate(trials.select_trials(states, 2), DATA, {k: v[2] for k, v in hparams.items()}, rngs[2])
    assert set(measured) == set(alone) == {"loss", "recon", "kl", "elbo", "sliced_wasserstein"}
    for name, value in alone.items():
        np.testing.assert_allclose(measured[name][2], value, rtol=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("over", OVERS)
def test_a_trial_that_diverges_leaves_the_others_bits_alone(over):
    hparams, rngs = four_trials("vae", rates=(1e-3, 1e38, 1e-2, 3e-3))
    states, metrics = swept("vae", over, hparams, rngs)
    assert states.diverged_at[1] >= 0
    assert states.step[1] == states.diverged_at[1]
    assert all(bool(jnp.isfinite(leaf[1]).all()) for leaf in jax.tree.leaves(states.params))
    others = jnp.array([0, 2, 3, 0])  # without it, and as many on each device
    alone = swept("vae", over, trials.select_trials(hparams, others), rngs[others])
    assert same(trials.select_trials((states, metrics), others), alone)
    assert (alone[0].diverged_at == -1).all()


@pytest.mark.slow
def test_a_single_number_is_that_of_all_trials_and_data_may_be_numpys():
    hparams, rngs = four_trials("vae")
    some = {**hparams, "beta": 1.0}
    data = jax.tree.map(np.asarray, DATA)
    train = case("vae").functions
    whole, alike = (
        jax.jit(lambda h, r, d=d: trials.sweep(train, h, r, d, 2))(h, rngs)
        for h, d in (({**hparams, "beta": jnp.ones(4)}, DATA), (some, data))
    )
    assert same(whole, alike)


@pytest.mark.parametrize(("over", "expected"), [("vmap", True), ("vmap_products", False)])
def test_trials_may_have_products_in_the_place_of_convolutions(over, expected):
    hparams, rngs = four_trials("gan_dcgan")
    states = jax.eval_shape(start("gan_dcgan"), hparams, rngs)
    traced = program("gan_dcgan", over, 1).trace(states, hparams, rngs)
    assert ("stablehlo.convolution" in traced.lower(lowering_platforms=("cuda",)).as_text()) == expected


@pytest.mark.slow
@pytest.mark.parametrize("over", ["vmap", "map_sharded"])
def test_a_sweep_goes_on_from_its_states(over):
    hparams, rngs = four_trials("vae")
    whole, chunk = swept("vae", over, hparams, rngs), program("vae", over, STEPS // 2)
    half = chunk(start("vae")(hparams, rngs), hparams, rngs)
    rest = chunk(half[0], hparams, rngs)
    assert same(whole[0], rest[0])
    assert same(whole[1], jax.tree.map(lambda a, b: jnp.concatenate([a, b], axis=1), half[1], rest[1]))


@pytest.mark.slow
@pytest.mark.parametrize("over", ["map_sharded"])
def test_the_data_are_there_once(over):
    hparams, rngs = four_trials("vae")
    train = case("vae").functions

    def needed(copies):
        some = trials.select_trials((hparams, rngs), jnp.arange(4).repeat(copies))
        states = jax.eval_shape(lambda: trials.initial(train, *some))

        def run(states, data, hparams, rngs):
            return trials.sweep(train, hparams, rngs, data, 2, states, OVERS[over])[0]

        told = present(jax.jit(run).lower(states, DATA, *some).compile().memory_analysis())
        size = sum(leaf.size * 4 for leaf in jax.tree.leaves((states, some[0]))) + 8 * len(some[1])
        return told.argument_size_in_bytes - size / (GRID.size if "sharded" in over else 1)

    assert DATA.x.nbytes <= needed(1) < DATA.x.nbytes + 1000
    assert abs(needed(4) - needed(1)) < 1000
    assert len(DATA.x) == N


def test_take_moves_whole_trials():
    hparams, rngs = four_trials("vae")
    states = start("vae")(hparams, rngs)
    moved = trials.select_trials(states, jnp.array([2, 2, 0]))
    for new, old in ((0, 2), (1, 2), (2, 0)):
        assert same(trials.select_trials(moved, new), trials.select_trials(states, old))
    assert not same(trials.select_trials(states, 0), trials.select_trials(states, 2))


def test_one_trace_serves_all_trials():
    traced = []
    train = case("vae").functions
    counted = train._replace(chunk=lambda *args: traced.append(1) or train.chunk(*args))
    jax.eval_shape(lambda h, r: trials.sweep(counted, h, r, DATA, STEPS, over=trials.sequential), *four_trials("vae"))
    assert len(traced) == 1
