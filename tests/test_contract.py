"""What every model of the table promises, whatever its family."""

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from cases import BATCH, CASES, N, SHAPE, build, case, images, small_config, spec_of
from genjax import mesh
from genjax import step as steps
from genjax.models import FAMILIES
from genjax.train import make_train

RNG = jax.random.key(0)
every_case = pytest.mark.parametrize("name", CASES)
every_family = pytest.mark.parametrize("family", FAMILIES)


def batch_of(c):
    return steps.prepare(spec_of(c.config), RNG, jnp.asarray(images()[:BATCH]))


def model_of(c, hparams=None):
    return c.functions.model(c.hparams if hparams is None else hparams, jnp.int32(0))


def test_every_family_has_a_case():
    assert {family for family, _ in CASES.values()} == set(FAMILIES)


@every_case
def test_shapes(name):
    c = case(name)
    model, params, batch = model_of(c), c.init(c.hparams, RNG).params, batch_of(c)
    assert {part for objective in model.objectives.values() for part in objective.trains} == set(params)
    assert tuple(model.objectives) == FAMILIES[c.config.model.family].objectives
    chex.assert_tree_all_finite(params)
    z = jnp.ones((5, model.latent))
    chex.assert_shape(model.decode(params, z), (5, *SHAPE))
    chex.assert_shape(list(model.evaluate(params, batch, RNG).values()), (BATCH,))
    if model.encode is not None:
        chex.assert_shape(model.encode(params, batch), (BATCH, model.latent))
    if model.reconstruct is not None:
        chex.assert_shape(model.reconstruct(params, batch, RNG), (BATCH, *SHAPE))
    if model.sample is not None:
        chex.assert_shape(model.sample(params, RNG, 7), (7, *SHAPE))
    evaluated = c.functions.evaluate(c.init(c.hparams, RNG), jnp.asarray(images()), c.hparams, RNG)
    chex.assert_shape(list(evaluated.values()), ())
    assert model.monitor in evaluated


@every_case
def test_gradients_are_finite_and_reach_every_part(name):
    c = case(name)
    model, params, batch = model_of(c), c.init(c.hparams, RNG).params, batch_of(c)
    for objective in model.objectives.values():
        grads = jax.grad(lambda p, objective=objective: objective.loss(p, batch, RNG)[0])(params)
        chex.assert_tree_all_finite(grads)
        for part in objective.trains:
            assert max(float(jnp.max(jnp.abs(leaf))) for leaf in jax.tree.leaves(grads[part])) > 0


@every_case
def test_losses_are_pure_and_the_same_jitted(name):
    c = case(name)
    params, batch = c.init(c.hparams, RNG).params, batch_of(c)
    for objective in model_of(c).objectives.values():
        eager, again = objective.loss(params, batch, RNG), objective.loss(params, batch, RNG)
        chex.assert_trees_all_equal(eager, again)
        chex.assert_trees_all_close(jax.jit(objective.loss)(params, batch, RNG), eager, rtol=1e-5, atol=1e-5)


@every_case
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


@every_case
def test_vmap_over_hyperparameters_is_a_loop(name):
    c = case(name)
    scales = jnp.array([1.0, 0.5, 2.0])
    many = {key: value * scales for key, value in c.hparams.items()} | {
        key: jnp.repeat(c.hparams[key], 3) for key in ("b1", "b2", "ema_decay", "momentum", "decay") if key in c.hparams
    }

    def train(hparams):
        return c.chunk(c.functions.init(hparams, RNG), hparams, RNG, 3)

    mapped = jax.jit(jax.vmap(train))(many)
    looped = [train({key: value[i] for key, value in many.items()}) for i in range(3)]
    chex.assert_trees_all_close(mapped, jax.tree.map(lambda *v: jnp.stack(v), *looped), rtol=2e-4, atol=2e-5)


@every_case
def test_sharded_is_unsharded(name):
    c = case(name)
    assert jax.device_count() == 2
    grid = mesh.batch_mesh(jax.devices())
    functions = make_train(c.config, spec_of(c.config), place=mesh.shard_batches(grid))

    def chunk(state, hparams, rng):
        indices = functions.indices(hparams, rng, state.step, 3, N)
        return functions.chunk(state, jnp.asarray(images()), indices, hparams, rng)

    sharded = jax.jit(chunk)(mesh.replicate(grid, c.init(c.hparams, RNG)), c.hparams, RNG)
    alone = c.chunk(c.init(c.hparams, RNG), c.hparams, RNG, 3)
    chex.assert_trees_all_close(jax.device_get(sharded), jax.device_get(alone), rtol=2e-4, atol=2e-5)
    text = jax.jit(chunk).lower(mesh.replicate(grid, c.init(c.hparams, RNG)), c.hparams, RNG).compile().as_text()
    assert "all-reduce" in text or "all-gather" in text  # the work is really shared


@every_family
def test_one_trace_serves_every_hyperparameter(family):
    c = case(family)
    chunk = jax.jit(chex.assert_max_traces(c.chunk.__wrapped__, n=1), static_argnames="length")
    state = c.init(c.hparams, RNG)
    for scale in (1.0, 0.5, 0.25):
        hparams = {name: value * scale for name, value in c.hparams.items()}
        state, _ = chunk(state, hparams, jax.random.key(int(4 * scale)), length=2)
    assert int(state.step) == 6


def poisoned(state):
    """The state with one NaN in one kernel."""
    leaves, tree = jax.tree.flatten(state.params)
    leaves[-1] = leaves[-1].at[(0,) * leaves[-1].ndim].set(jnp.nan)
    return state._replace(params=jax.tree.unflatten(tree, leaves))


@every_case
def test_a_step_without_finite_gradients_changes_nothing(name):
    c = case(name)
    good, _ = c.chunk(c.init(c.hparams, RNG), c.hparams, RNG, 2)
    bad = poisoned(good)
    for state in (c.chunk(bad, c.hparams, RNG, 2)[0], c.chunk(c.chunk(bad, c.hparams, RNG, 2)[0], c.hparams, RNG, 2)[0]):
        assert int(state.diverged_at) == 2
        chex.assert_trees_all_equal(state._replace(diverged_at=bad.diverged_at), bad)


@every_family
def test_a_diverging_trial_leaves_the_others_bits_alone(family):
    c = case(family)
    rates = [name for name in c.hparams if name.endswith("learning_rate")]

    def train(rate):
        hparams = {**c.hparams, **dict.fromkeys(rates, rate)}
        return c.chunk(c.functions.init(hparams, RNG), hparams, RNG, 4)[0]

    both = jax.jit(jax.vmap(train))(jnp.array([1e-3, 1e38]))
    assert int(both.diverged_at[1]) >= 0
    chex.assert_tree_all_finite(jax.tree.map(lambda leaf: leaf[1], both.params))
    healthy = jax.jit(jax.vmap(train))(jnp.array([1e-3, 1e-4]))
    chex.assert_trees_all_equal(*(jax.tree.map(lambda leaf: leaf[0], t) for t in (both, healthy)))


@every_case
def test_every_hyperparameter_acts(name):
    c = case(name)
    base, _ = c.chunk(c.init(c.hparams, RNG), c.hparams, RNG, 4)
    for key, value in c.hparams.items():
        changed = {**c.hparams, key: 0.5 * value + 0.01}
        state, _ = c.chunk(c.init(changed, RNG), changed, RNG, 4)
        assert differ(state, base), f"{key} does not act"


STATIC = {
    "autoencoder": {
        "model.hidden": (7,),
        "model.latent": 4,
        "model.activation": "tanh",
        "model.phi": "tanh",
        "model.likelihood": "gaussian",
    },
    "vae": {"model.hidden": (7,), "model.latent": 4, "model.activation": "tanh", "model.likelihood": "gaussian_pixel"},
    "gan": {
        "model.generator_hidden": (7,),
        "model.discriminator_hidden": (7,),
        "model.latent": 4,
        "model.activation": "tanh",
        "model.loss": "minimax",
        "model.critic_steps": 2,
        "model.penalty": "r1",
    },
}
SHARED = {"train.batch_size": 6, "data.dynamic_binarisation": True}
OPTIM = {"optimiser": "sgd", "schedule": "exponential", "clip": True}


def static_changes():
    for family, kind in FAMILIES.items():
        optim = {f"optim.{o}.{name}": value for o in kind.objectives for name, value in OPTIM.items()}
        for name, value in {**STATIC[family], **SHARED, **optim}.items():
            yield pytest.param(family, name, value, id=f"{family}-{name}")


@pytest.mark.parametrize(("family", "name", "value"), list(static_changes()))
def test_every_static_setting_acts(family, name, value):
    c = case(family)
    base, _ = c.chunk(c.init(c.hparams, RNG), c.hparams, RNG, 3)
    other = {"hparams.clip_norm": 0.01} if name.endswith("clip") else {}
    changed = build(small_config(family, {name: value, **other}))
    state, _ = changed.chunk(changed.init(changed.hparams, RNG), changed.hparams, RNG, 3)
    assert differ(state.params, base.params), f"{name} does not act"


def test_psi_acts_and_every_model_setting_is_tested():
    for family, kind in FAMILIES.items():
        tested = {name.removeprefix("model.") for name in STATIC[family]} | {"psi"}
        assert set(kind.settings) <= tested
    base, tanh = (
        build(small_config("autoencoder", {"model.likelihood": "gaussian", "model.psi": psi}))
        for psi in ("sigmoid", "tanh")
    )
    states = [c.chunk(c.init(c.hparams, RNG), c.hparams, RNG, 3)[0] for c in (base, tanh)]
    assert differ(states[0].params, states[1].params)


def test_the_seed_acts():
    c = case("vae")
    first, second = (c.chunk(c.init(c.hparams, RNG), c.hparams, jax.random.key(seed), 3)[0] for seed in (0, 1))
    assert differ(first.params, second.params)


def differ(a, b) -> bool:
    """Whether two trees have other shapes or other values."""
    if jax.tree.structure(a) != jax.tree.structure(b):
        return True
    pairs = zip(jax.tree.leaves(a), jax.tree.leaves(b), strict=True)
    return any(x.shape != y.shape or not np.array_equal(x, y) for x, y in pairs)
