"""How examples reach the device, and how a run is cut into chunks, change no bit of it."""

import jax
import numpy as np
import pytest

from genjax import config, data
from genjax.runs import feeding
from genjax.runs.programs import make_run_programs

pytestmark = pytest.mark.optimised

# Two batches a step, drawn anew at each: every kind of randomness that training has.
SETTINGS = {
    "data.dynamic_binarisation": "true",
    "model.critic_steps": "2",
    "model.discriminator_hidden": "8",
    "model.generator_hidden": "8",
    "train.batch_size": "16",
    "train.devices": "1",
    "train.steps": "200",
}


def programs(resident_bytes):
    settings = {**SETTINGS, "data.resident_bytes": str(resident_bytes)}
    return make_run_programs(config.override(config.default("gan"), settings), data.load("digits"))


def trained(made, *lengths):
    """The state and the metrics after chunks of these lengths, as bytes."""
    state, parts = made.init(), []
    for length in lengths:
        state, metrics = made.advance(state, length)
        parts.append(jax.tree.map(np.asarray, metrics))
    assert int(state.step) == sum(lengths)
    metrics = jax.tree.map(lambda *values: np.concatenate(values), *parts)
    return [np.asarray(leaf).tobytes() for leaf in jax.tree.leaves((state, metrics))]


@pytest.fixture(scope="module")
def resident():
    return programs(2**32)


@pytest.fixture(scope="module")
def expected(resident):
    return trained(resident, 90, 80)


@pytest.mark.slow
def test_chunks_of_any_length_are_the_same_run(resident, expected):
    assert trained(resident, 170) == expected


@pytest.mark.slow
def test_streamed_examples_are_the_resident_ones(expected):
    assert trained(programs(0), 90, 80) == expected


def test_a_split_larger_than_resident_bytes_stays_on_the_host(monkeypatch):
    chosen = []
    monkeypatch.setattr(feeding, "streamed", lambda *_: chosen.append("streamed"))
    monkeypatch.setattr(feeding, "resident", lambda *_: chosen.append("resident"))
    size = data.load("digits").train.x.nbytes
    for resident_bytes in (size - 1, size):
        programs(resident_bytes)
    assert chosen == ["streamed", "resident"]


def test_means_are_in_double_precision():
    metrics = {"loss": np.full(2**12, 1 + 2**-23, np.float32), "kl": np.array([1, 2], np.float32)}
    assert feeding.means("train", metrics) == {"train/loss": 1 + 2**-23, "train/kl": 1.5}
