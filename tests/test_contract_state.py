"""What the contract carries beside parameters: state without gradients, labels, several batches and schedules."""

from functools import cache

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from cases import few_quick
from examples import FAMILIES, STATE

from genjax.runs.saving import open_checkpoints
from genjax.training import optimisers, trials
from genjax.training.scan import advance, make_train
from genjax.types import Aux, Batch, DataSpec, Family, Model, Objective

N, D, CLASSES = 48, 4, 3
SPEC = DataSpec((D,), False, 1.0, np.zeros(D, np.float32), classes=CLASSES)
RNG = jax.random.key(0)
every_family = pytest.mark.parametrize("name", FAMILIES)
one_family_quick = pytest.mark.parametrize("name", few_quick(list(FAMILIES), 1))


def data(labelled):
    """Points around a centre for each class."""
    rng = np.random.default_rng(0)
    label = rng.integers(0, CLASSES, N)
    x = 3 * rng.normal(size=(CLASSES, D))[label] + rng.normal(size=(N, D))
    return Batch(jnp.asarray(x, jnp.float32), jnp.asarray(label, jnp.int32) if labelled else None)


def training(family, steps=20, **schedules):
    config = {
        "model": family.settings,
        "optim": dict.fromkeys(family.objectives, optimisers.SETTINGS),
        "train": {"steps": steps, "batch_size": 8, "evaluate_batch_size": 20},
        "schedules": schedules,
    }
    hparams = {**optimisers.HPARAMS, "learning_rate": 1e-2, "ema_decay": 0.9, **family.hparams}
    return make_train(config, SPEC, family), {key: jnp.float32(value) for key, value in hparams.items()}


@cache
def compiled(name, length):
    """`hparams -> first state`, `(state, hparams) -> (state, metrics)` after so many steps, and default hparams."""
    train, hparams = training(FAMILIES[name])
    examples = data(FAMILIES[name].labelled({}))
    start = jax.jit(lambda hparams: train.init(hparams, RNG))
    return start, jax.jit(lambda state, hparams: advance(train, state, examples, hparams, RNG, length)), hparams


def run(name, length, state=None, hparams=None):
    start, steps, defaults = compiled(name, length)
    hparams = defaults if hparams is None else hparams
    return steps(start(hparams) if state is None else state, hparams)


@one_family_quick
def test_it_learns_and_its_state_moves(name):
    train, hparams = training(FAMILIES[name])
    start, (end, metrics) = train.init(hparams, RNG), run(name, 20)
    assert int(end.diverged_at) == -1
    chex.assert_tree_all_finite((end, metrics))
    for part in start.params:
        with pytest.raises(AssertionError):
            chex.assert_trees_all_equal(start.params[part], end.params[part])
    if STATE[name]:
        paths = [
            jax.tree_util.keystr(path) for path, _ in jax.tree_util.tree_leaves_with_path([*end.opt_state.values()])
        ]
        assert paths
        assert not any(f"'{STATE[name]}'" in path for path in paths)  # no optimiser knows of it
    measured = train.evaluate(end, data(FAMILIES[name].labelled({})), hparams, RNG)
    chex.assert_tree_all_finite(measured)


@one_family_quick
def test_it_resumes_to_the_bit_from_a_checkpoint(name, tmp_path):
    whole, _ = run(name, 6)
    half, _ = run(name, 3)
    with open_checkpoints(tmp_path) as checkpoints:
        checkpoints.save(half)
    with open_checkpoints(tmp_path) as checkpoints:
        restored = checkpoints.restore_newest(jax.eval_shape(lambda: half), lambda line: pytest.fail(line))
    chex.assert_trees_all_equal(run(name, 3, restored)[0], whole)


@one_family_quick
def test_a_sweep_is_a_loop(name):
    train, hparams = training(FAMILIES[name])
    examples = data(FAMILIES[name].labelled({}))
    many = {key: jnp.full(3, value) for key, value in hparams.items()} | {
        "learning_rate": jnp.array([1e-3, 1e-2, 1e30])
    }
    rngs = jnp.stack([RNG] * 3)
    states, _ = jax.jit(lambda: trials.sweep(train, many, rngs, examples, 5))()
    for i in range(2):
        alone, _ = run(name, 5, hparams={key: value[i] for key, value in many.items()})
        trial = jax.tree.map(lambda leaf, i=i: leaf[i], states)
        chex.assert_trees_all_close(trial, alone, rtol=1e-3, atol=1e-5)
    assert int(states.diverged_at[2]) >= 0


@one_family_quick
def test_a_step_without_finite_state_or_gradients_changes_nothing(name):
    good, _ = run(name, 2)
    part = STATE[name] or "decoder"
    poisoned = jax.tree.map(lambda leaf: jnp.full_like(leaf, jnp.inf), good.params[part])
    bad = good._replace(params={**good.params, part: poisoned})
    end, _ = run(name, 3, bad)
    assert int(end.diverged_at) == 2
    chex.assert_trees_all_equal(end._replace(diverged_at=bad.diverged_at), bad)


def test_state_alone_can_freeze_a_step():
    """Finite gradients and an infinite state: nothing moves."""

    def loss(params, batch, rng):
        value = jnp.sum(jnp.square(params["point"]["value"]))
        return value, Aux({"value": value}, {"count": {"steps": params["count"]["steps"] + jnp.inf}})

    state, _ = one_player(loss)
    assert int(state.diverged_at) == 0
    assert float(state.params["point"]["value"]) == 1.0
    assert float(state.params["count"]["steps"]) == 0.0


def one_player(loss, length=1, objectives=None, **objective):
    """A run of steps of gradient descent on one number, with a second part that is not trained."""

    def make(settings, spec, hparams):
        def init(rng, batch):
            return {"point": {"value": jnp.float32(1.0)}, "count": {"steps": jnp.float32(0.0)}}

        players = {"player": Objective(("point",), loss, **objective)} if objectives is None else objectives
        return Model(init, players, lambda params, batch, rng: {"value": jnp.zeros(batch.x.shape[0])}, "value")

    names = ("player",) if objectives is None else tuple(objectives)
    train, hparams = training(Family({}, {}, {}, names, lambda settings: set(), make), steps=4)
    return jax.jit(lambda: advance(train, train.init(hparams, RNG), data(False), hparams, RNG, length))()


def mean_of(params, batch):
    return jnp.square(params["point"]["value"] - jnp.mean(batch.x))


def test_several_batches_reach_the_loss_stacked():
    shapes = []

    def loss(params, batch, rng):
        shapes.append(batch.x.shape)
        return mean_of(params, batch), Aux({})

    one_player(loss, batches=3)
    assert set(shapes) == {(3, 8, D)}


def test_accumulated_gradients_are_those_of_one_larger_batch():
    """The mean of the gradients of equal batches is the gradient of all of their examples."""

    def loss(params, batch, rng):
        error = jnp.mean(jnp.square(params["point"]["value"] - batch.x))
        seen = {"count": {"steps": params["count"]["steps"] + 1.0}}
        return error, Aux({"error": error}, seen)

    stacked, metrics = one_player(loss, batches=3)
    accumulated, averaged = one_player(loss, batches=3, accumulate=True)
    chex.assert_trees_all_close(accumulated.params["point"], stacked.params["point"], rtol=1e-6)
    chex.assert_trees_all_close(averaged["error"], metrics["error"], rtol=1e-6)
    assert float(accumulated.params["count"]["steps"]) == 3  # state passes from batch to batch
    assert float(stacked.params["count"]["steps"]) == 1


def test_metrics_of_one_name_are_refused():
    def loss(params, batch, rng):
        return mean_of(params, batch), Aux({"loss": jnp.float32(0.0)})

    both = {name: Objective(("point",), loss) for name in ("first", "second")}
    with pytest.raises(ValueError, match="objective 'second' reports 'loss', which another"):
        one_player(loss, objectives=both)


@pytest.mark.parametrize("part", ["point", "nothing"])
def test_state_that_is_trained_or_unknown_is_refused(part):
    def loss(params, batch, rng):
        return mean_of(params, batch), Aux({}, {part: {"value": jnp.float32(0.0)}})

    with pytest.raises(ValueError, match=f"state '{part}' must be a part of params that the objective does not train"):
        one_player(loss)


def test_every_family_sees_the_step_and_the_progress():
    def make(settings, spec, hparams):
        def loss(params, batch, rng):
            return params["point"]["value"], Aux({"at": hparams["step"], "progress": hparams["progress"]})

        init = lambda rng, batch: {"point": {"value": jnp.float32(1.0)}}  # noqa: E731
        return Model(init, {"player": Objective(("point",), loss)}, lambda p, b, r: {}, "value")

    train, hparams = training(Family({}, {}, {}, ("player",), lambda settings: set(), make), steps=8)
    _, metrics = advance(train, train.init(hparams, RNG), data(False), hparams, RNG, 4)
    np.testing.assert_array_equal(metrics["at"], [0, 1, 2, 3])
    np.testing.assert_allclose(metrics["progress"], [0, 0.125, 0.25, 0.375])


def test_a_schedule_moves_any_weight_and_the_family_does_not_know():
    """beta = 2 rises along a line over half of a run of eight steps; evaluation sees all of it."""

    def make(settings, spec, hparams):
        def loss(params, batch, rng):
            return params["point"]["value"], Aux({"beta": hparams["beta"]})

        init = lambda rng, batch: {"point": {"value": jnp.float32(1.0)}}  # noqa: E731
        measure = lambda params, batch, rng: {"beta": jnp.full(batch.x.shape[0], hparams["beta"])}  # noqa: E731
        return Model(init, {"player": Objective(("point",), loss)}, measure, "beta")

    family = Family({}, {}, {"beta": 2.0}, ("player",), lambda settings: {"beta"}, make)
    train, hparams = training(family, steps=8, beta="linear")
    hparams |= {"beta_start": jnp.float32(0.0), "beta_duration": jnp.float32(0.5)}
    state, metrics = advance(train, train.init(hparams, RNG), data(False), hparams, RNG, 6)
    np.testing.assert_allclose(metrics["beta"], [0, 0.5, 1, 1.5, 2, 2])
    np.testing.assert_allclose(train.evaluate(state, data(False), hparams, RNG)["beta"], 2.0)
