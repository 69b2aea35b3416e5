"""What a configuration compiles to on this machine's devices, and what does not fit."""

import os

import chex
import jax
import numpy as np
import pytest
from cases import small_config
from present import present

from genjax import data
from genjax.config import active
from genjax.evaluation.rows import rows_program
from genjax.runs import loop
from genjax.runs.programs import make_run_programs
from genjax.sweeps import programs as sweeps
from genjax.types import InputError


@pytest.fixture(scope="module")
def digits():
    return data.load("digits")


@pytest.mark.slow
def test_one_device_and_two_train_alike(digits):
    """The same run with its batches whole on one device and split over both: equal up to the order of sums."""
    ends = {}
    for devices in (1, 2):
        programs = make_run_programs(small_config("vae", {"train.devices": devices, "train.batch_size": 64}), digits)
        state, metrics = programs.advance(programs.init(), 3)
        assert {len(leaf.devices()) for leaf in jax.tree.leaves(state)} == {devices}
        ends[devices] = jax.device_get((state, metrics))
    chex.assert_trees_all_close(ends[1], ends[2], rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize(("batch", "used"), [(8, 2), (7, 1)])
def test_as_many_devices_as_divide_the_batch_are_used_by_default(digits, batch, used):
    assert jax.device_count() == 2
    programs = make_run_programs(small_config("autoencoder", {"train.batch_size": batch}), digits)
    assert {len(leaf.devices()) for leaf in jax.tree.leaves(programs.init())} == {used}


def test_programs_run_on_the_devices_that_they_are_given(digits):
    """A run, the trials of a sweep and the rows of a measurement, each on the second device alone."""
    config, second = small_config("autoencoder", {"train.batch_size": 8}), jax.devices()[1:]
    run = make_run_programs(config, digits, second)
    state, _ = run.advance(run.init(), 1)
    sweep = sweeps.make_cohort_programs(config, digits, 2, "map", sweeps.residence(), second)
    hparams, keys = sweep.put({name: np.full(2, v, np.float32) for name, v in active(config).items()}), sweep.keys
    states = sweep.initial(hparams, keys(np.arange(2, dtype=np.uint32)))
    _, doubled = rows_program(lambda rows, factor: factor * rows, tuple(second))
    for leaf in jax.tree.leaves((state, states, doubled(np.arange(4.0), np.float32(2)))):
        assert leaf.devices() == set(second)


def test_a_picture_is_one_program_at_every_step(digits, caplog):
    programs, key = make_run_programs(small_config("vae", {"train.devices": 1}), digits), jax.random.key(0)
    first = programs.init()
    states = (first, first._replace(step=first.step + 5))
    models, compiled = [programs.model(state) for state in states], []
    with jax.log_compiles():
        for state, model in zip(states, models, strict=True):
            caplog.clear()
            present(model.sample)(state.params, key, 3)
            compiled.append(caplog.text.count("Finished XLA compilation"))
    assert compiled == [1, 0]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"train.devices": 3}, "this machine has 2"),
        ({"train.batch_size": 7, "train.devices": 2}, "cannot be split over 2 devices"),
        ({"train.batch_size": 2000}, "larger than the training split of digits"),
    ],
)
def test_what_does_not_fit_is_refused(digits, changes, message):
    with pytest.raises(InputError, match=message):
        make_run_programs(small_config("vae", changes), digits)


def test_points_are_not_binarised_and_have_no_bernoulli_likelihood():
    ring = data.load("ring8")
    with pytest.raises(InputError, match="ring8 holds points"):
        make_run_programs(small_config("gan", {"data.dynamic_binarisation": True}), ring)
    for family in ("vae", "autoencoder"):
        with pytest.raises(InputError, match=r"needs data in \[0, 1\]"):
            make_run_programs(small_config(family, {}), ring)


@pytest.mark.parametrize("updates", [1, 3])
def test_examples_count_every_batch_of_a_step(digits, updates):
    programs = make_run_programs(small_config("gan", {"model.critic_steps": updates}), digits)
    assert programs.examples == 8 * updates


def test_deterministic_asks_the_compiler_before_anything_is_compiled(tmp_path, monkeypatch):
    monkeypatch.setenv("XLA_FLAGS", "")
    for deterministic in (False, True):
        config = small_config("vae", {"train.deterministic": deterministic, "data.source": "npz:none"})
        with pytest.raises(InputError, match="no such file"):
            loop.train(config, tmp_path / str(deterministic))
        assert ("--xla_gpu_deterministic_ops=true" in os.environ["XLA_FLAGS"]) == deterministic
