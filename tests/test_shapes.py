"""Calls with wrong shapes are refused while the tests run, in every package whose signatures are checked."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from conftest import CHECKED
from jaxtyping import TypeCheckError

from genjax.losses import likelihoods
from genjax.metrics import frechet, wasserstein
from genjax.models import FAMILIES
from genjax.nn import convolution, layers, mlp
from genjax.rng import permute
from genjax.training.step import prepare

KEY = jax.random.key(0)
NOTHING: Any = None
WRONG = {
    "genjax.rng": lambda: permute(KEY, jnp.zeros(3, jnp.uint32), jnp.zeros(4, jnp.uint32), 9),
    "genjax.losses": lambda: likelihoods.squared_error(jnp.zeros((2, 3)), jnp.zeros((2, 4))),
    "genjax.nn": lambda: convolution.conv(jnp.zeros((1, 8, 8, 2)), jnp.zeros((3, 3, 5, 4)), (1, 1), "SAME"),
    "genjax.metrics": lambda: frechet.moments(np.zeros((4, 2, 2))),
    "genjax.models": lambda: FAMILIES["vae"].make(NOTHING, NOTHING, {}),
    "genjax.training": lambda: prepare(NOTHING, KEY, jnp.zeros((2, 3))),  # pyright: ignore
}


@pytest.mark.parametrize("package", CHECKED)
def test_wrong_arguments_are_refused(package):
    with pytest.raises(TypeCheckError, match=package):
        WRONG[package]()


def test_traced_calls_are_checked():
    with pytest.raises(TypeCheckError, match="squared_error"):
        jax.jit(jax.vmap(likelihoods.squared_error))(jnp.zeros((5, 2, 3)), jnp.zeros((5, 2, 4)))


def test_keys_and_types_are_checked():
    with pytest.raises(TypeCheckError, match="sliced_wasserstein"):
        wasserstein.sliced_wasserstein(jnp.zeros(2, jnp.uint32), jnp.zeros((3, 1)), jnp.zeros((3, 1)))
    with pytest.raises(TypeCheckError, match="sliced_wasserstein"):
        wasserstein.sliced_wasserstein(KEY, jnp.zeros((3, 1)), jnp.zeros((3, 1), int))


@pytest.mark.parametrize(
    ("module", "x"),
    [
        (layers.Conv(3, (4, 4)), jnp.zeros((8, 8, 1))),
        (mlp.Decoder((), (4,), "relu"), jnp.zeros((2, 3, 5))),
    ],
)
def test_modules_are_checked(module, x):
    with pytest.raises(TypeCheckError, match="__call__"):
        module.init(KEY, x)
