"""`train.matmul_precision` reaches every product of a run, and changes nothing where it is JAX's default."""

import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from cases import small_config
from present import present

from genjax import config as configs
from genjax import data
from genjax.data import describe
from genjax.features.linear import pca
from genjax.metrics.wasserstein import sliced_wasserstein
from genjax.rng import stream
from genjax.training.scan import advance, make_train
from genjax.types import Batch, InputError

PRODUCT = re.compile(r"(?:dot_general|convolution)\b[^\n]*")
HIGHEST = "precision = [HIGHEST, HIGHEST]", "#stablehlo<precision HIGHEST>"


def lowered(family, changes):
    """The texts of a run's programs: a chunk, an evaluation, samples."""
    digits = data.load("digits")
    config = configs.resolve(small_config(family, changes), describe(digits))
    train, hparams, rng = make_train(config, describe(digits)), configs.active(config), jax.random.key(0)
    images, state = Batch(jnp.asarray(digits.train.x)), train.init(hparams, rng)

    def sample(state):
        return present(train.model(hparams, state.step).sample)(state.params, stream(rng, "picture"), 4)

    return [
        jax.jit(lambda state: advance(train, state, images, hparams, rng, 2)).lower(state).as_text(),
        jax.jit(lambda state: train.evaluate(state, images, hparams, rng)).lower(state).as_text(),
        jax.jit(sample).lower(state).as_text(),
    ]


@pytest.mark.parametrize("family", ["vae", "gan"])
def test_every_product_has_the_precision_that_is_asked_for(family):
    for text in lowered(family, {"train.matmul_precision": "highest"}):
        products = PRODUCT.findall(text)
        assert products
        assert all(any(mark in product for mark in HIGHEST) for product in products), products


def test_discrete_codes_have_it_too():
    digits = data.load("digits")
    config = small_config("autoencoder", {"model.bottleneck": "lfq", "model.positions": 2, "model.latent": 3})
    config.train.matmul_precision = "highest"
    train = make_train(configs.resolve(config, describe(digits)), describe(digits))
    state = train.init(configs.active(config), jax.random.key(0))
    codes = train.model(configs.active(config), state.step).discrete
    assert codes is not None
    images, numbers = Batch(jnp.zeros((4, 8, 8, 1))), jnp.zeros((4, *codes.grid), jnp.int32)
    for function, argument in ((codes.encode, images), (codes.decode, numbers)):
        products = PRODUCT.findall(jax.jit(function).lower(state.params, argument).as_text())
        assert products
        assert all(any(mark in product for mark in HIGHEST) for product in products)


def test_the_default_leaves_products_as_they_are():
    chunk, _, sample = lowered("vae", {})
    assert not any(mark in line for line in PRODUCT.findall(sample) for mark in HIGHEST)
    assert chunk != lowered("vae", {"train.matmul_precision": "high"})[0]


@pytest.mark.parametrize(
    "function",
    [
        lambda x: sliced_wasserstein(jax.random.key(0), x, x),
        pca("pca:2", np.random.default_rng(0).random((9, 5))).extract,
    ],
    ids=["sliced_wasserstein", "pca"],
)
def test_what_is_compared_is_exact_on_every_device(function):
    products = PRODUCT.findall(jax.jit(function).lower(jnp.ones((8, 5))).as_text())
    assert products
    assert all(any(mark in product for mark in HIGHEST) for product in products)


def test_a_precision_that_there_is_not_is_refused():
    config = configs.override(configs.default("vae"), {"train.matmul_precision": "hihgest"})
    with pytest.raises(InputError, match="the nearest is 'highest'"):
        configs.check(config)
