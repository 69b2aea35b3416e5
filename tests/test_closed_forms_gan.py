"""The Dirac-GAN of Mescheder et al. 2018 through the project's own losses and training step; docs/theory.md derives it.

The data is a point at 0, the generator emits a point theta, the discriminator is D(x) = psi x; equilibrium is (0, 0).
"""

import math
from functools import partial

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from genjax.losses.adversarial import LOSSES
from genjax.models import gan
from genjax.training.scan import make_train
from genjax.types import Aux, Batch, DataSpec, Family, Model, Objective

BATCH = 2
GAMES = ("nonsaturating", "minimax")


class Point(nn.Module):
    """The generator of a single point, whatever the noise: `[b, k] -> [b, 1]`."""

    @nn.compact
    def __call__(self, z):
        theta = self.param("theta", nn.initializers.ones, (1,))
        return jnp.broadcast_to(theta, (z.shape[0], 1))


class Slope(nn.Module):
    """The discriminator psi x: `[b, 1] -> [b, 1]`."""

    @nn.compact
    def __call__(self, x):
        return x * self.param("psi", nn.initializers.zeros, (1, 1))


def alternating(game):
    """The GAN family's own two objectives: the discriminator moves, then the generator sees it moved."""
    return {
        "discriminator": Objective(("discriminator",), partial(gan.discriminator_loss, game)),
        "generator": Objective(("generator",), partial(gan.generator_loss, game)),
    }


def simultaneous(game):
    """One objective in which each player's loss moves that player alone."""

    def loss(params, batch, rng):
        still = jax.lax.stop_gradient(params)
        first, _ = gan.discriminator_loss(game, {**still, "discriminator": params["discriminator"]}, batch, rng)
        second, _ = gan.generator_loss(game, {**still, "generator": params["generator"]}, batch, rng)
        return first + second, Aux({})

    return {"both": Objective(("discriminator", "generator"), loss)}


def dirac(players, loss, steps, h, gamma=None):
    """`steps` of gradient descent with learning rate h, as a map of w = (theta, psi); R1's weight is gamma, if any."""

    def make(settings, spec, hparams):
        game = gan.Gan(Point(), Slope(), 1, LOSSES[loss], "none" if gamma is None else "r1", spec.bounded, hparams)
        return Model(
            init=partial(gan.init, game),
            objectives=players(game),
            evaluate=partial(gan.evaluate, game),
            monitor="generator_loss",
            decode=partial(gan.decode, game),
            latent=1,
        )

    names = tuple(players(None))
    family = Family({}, {}, {}, names, lambda settings: {"r1_weight"}, make)
    sgd = {"optimiser": "sgd", "schedule": "constant", "clip": False}
    sizes = {"batch_size": BATCH, "steps": steps, "evaluate_batch_size": BATCH}
    config = {"model": {}, "optim": dict.fromkeys(names, sgd), "train": sizes}
    functions = make_train(config, DataSpec((1,), False, 1.0, np.zeros(1, np.float32)), family)
    hparams = {"learning_rate": jnp.float32(h), "momentum": jnp.float32(0), "r1_weight": jnp.float32(gamma or 0)}
    rng = jax.random.key(0)

    @jax.jit
    def run(w):
        params = {"generator": {"theta": w[:1]}, "discriminator": {"psi": w[1:, None]}}
        state = functions.init(hparams, rng)._replace(params=params)
        indices = jnp.zeros((steps, 1, BATCH), jnp.uint32)
        params = functions.chunk(state, Batch(jnp.zeros((1, 1))), indices, hparams, rng)[0].params
        return jnp.concatenate([params["generator"]["theta"], params["discriminator"]["psi"][0]])

    return run


def eigenvalues(step):
    """Of the step's Jacobian at the equilibrium, in order of their imaginary and then their real part.

    By differences of 1e-3: `stop_gradient` hides one player from a derivative of the whole step, and the field is odd.
    """
    columns = [np.asarray(step(1e-3 * e), np.float64) / 1e-3 for e in jnp.eye(2)]
    values = np.linalg.eigvals(np.stack(columns, axis=1))
    return values[np.lexsort((values.real, values.imag))]


@pytest.mark.parametrize("loss", GAMES)
def test_equilibrium_is_a_centre(loss):
    """The gradient field's Jacobian has the eigenvalues +-i f'(0) = +-i/2: no force towards the equilibrium."""
    h = 0.25
    field = (eigenvalues(dirac(simultaneous, loss, 1, h)) - 1) / h
    np.testing.assert_allclose(field, [-0.5j, 0.5j], atol=1e-5)


@pytest.mark.parametrize("gamma", [0.3, 1.0, 2.0])
def test_r1_pulls_to_the_equilibrium(gamma):
    """With gamma/2 psi^2 they are -gamma/2 +- sqrt(gamma^2/4 - 1/4): critically damped at gamma = 1."""
    h = 0.25
    field = (eigenvalues(dirac(simultaneous, "nonsaturating", 1, h, gamma)) - 1) / h
    root = np.emath.sqrt(gamma**2 / 4 - 1 / 4)
    # A double eigenvalue moves by the square root of the rounding error.
    np.testing.assert_allclose(field, [-gamma / 2 - root, -gamma / 2 + root], atol=3e-3 if gamma == 1 else 1e-5)


@pytest.mark.parametrize("loss", GAMES)
@pytest.mark.parametrize("h", [0.1, 1.0])
def test_alternating_steps_neither_grow_nor_shrink(loss, h):
    """Alternating descent's step has the eigenvalues 1 - h^2/8 +- i h/2 sqrt(1 - h^2/16), both on the unit circle."""
    found = eigenvalues(dirac(alternating, loss, 1, h))
    turn = h / 2 * math.sqrt(1 - h**2 / 16)
    np.testing.assert_allclose(found, [1 - h**2 / 8 - 1j * turn, 1 - h**2 / 8 + 1j * turn], atol=1e-5)
    np.testing.assert_allclose(np.abs(found), 1, atol=1e-5)


@pytest.mark.parametrize(
    ("players", "gamma", "growth"),
    [
        (simultaneous, None, math.sqrt(1 + 0.5**2 / 4)),
        (alternating, None, 1.0),
        (alternating, 0.5, math.sqrt(1 - 0.5 * 0.5)),  # the determinant of the step is 1 - h gamma
    ],
    ids=["simultaneous", "alternating", "alternating_r1"],
)
def test_orbits_from_near_the_equilibrium(players, gamma, growth):
    """Over many steps (theta, psi) grows by sqrt(1 + h^2/4) a step, circles, or is pulled in by R1, at h = 1/2."""
    steps = 100
    start = jnp.array([1e-3, 0.0])
    end = dirac(players, "nonsaturating", steps, 0.5, gamma)(start)
    rate = float(jnp.linalg.norm(end) / jnp.linalg.norm(start)) ** (1 / steps)
    np.testing.assert_allclose(rate, growth, atol=5e-3)
