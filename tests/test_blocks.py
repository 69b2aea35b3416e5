"""Rows that are computed block by block are those that are computed at once."""

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from cases import few_quick, small_config
from present import present

from genjax import config as configs
from genjax import data
from genjax.nn import blocks
from genjax.nn.blocks import map_rows
from genjax.training.scan import make_train
from genjax.training.step import averaged_params

CONVOLUTIONAL = {"model.network": "dcgan", "model.channels": 4}
MODELS = {
    "conditional": ("vae", {"model.condition": "label"}),
    "autoencoder": ("autoencoder", {"model.code_penalty": "mmd"}),
    "vae": ("vae", CONVOLUTIONAL),
    "gan": ("gan", CONVOLUTIONAL),
}
ROWS = {"z": jnp.arange(14.0).reshape(7, 2), "label": None}


def widen(rows):
    return rows["z"][:, :, None] * jnp.ones((1, 1, 3))  # [b, 2, 3]


@pytest.mark.parametrize("block", [1, 2, 3, 6, 7, 100])
def test_blocks_of_any_size_give_all_rows_in_their_order(block, monkeypatch):
    monkeypatch.setattr(blocks, "VALUES", 6 * block)
    np.testing.assert_array_equal(map_rows(widen, ROWS), widen(ROWS))
    loops = str(jax.make_jaxpr(lambda rows: map_rows(widen, rows))(ROWS)).count("scan[")
    assert loops == (block < 7)


@pytest.mark.parametrize("case", few_quick(list(MODELS), 1))
def test_samples_in_blocks_are_samples(case, monkeypatch):
    family, changes = MODELS[case]
    digits = data.load("digits")
    config = configs.resolve(small_config(family, changes), spec := data.describe(digits))
    train, hparams, rng = make_train(config, spec), configs.active(config), jax.random.key(0)
    state = train.init(hparams, rng)
    sample = present(train.model(hparams, state.step).sample)
    at_once = sample(averaged_params(state), rng, 10)
    monkeypatch.setattr(blocks, "VALUES", 4 * 64)
    text = str(jax.make_jaxpr(lambda params: sample(params, rng, 10))(averaged_params(state)))
    assert "scan[" in text
    chex.assert_trees_all_close(sample(averaged_params(state), rng, 10), at_once, rtol=1e-5, atol=1e-6)
