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
from genjax.models.gan import FAMILY
from genjax.models.gan import model as gan
from genjax.training.scan import make_train
from genjax.types import Aux, Batch, DataSpec, Family, Model, Objective

BATCH = 2
GAMES = ("nonsaturating", "minimax")
# The slopes of both players' losses by the logit of a sample at 0: l'(0) of the discriminator, g'(0) of the generator.
SLOPES = {
    "nonsaturating": (0.5, -0.5),
    "minimax": (0.5, -0.5),
    "log_difference": (0.5, -0.5),
    "least_squares": (0.0, -1.0),  # D(0) = 0 is where it wants samples to be
    "hinge": (1.0, -1.0),
    "wasserstein": (1.0, -1.0),
    "relativistic": (0.5, -0.5),
}


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


def dirac(players, loss, steps, h, gamma=None, penalty="r1"):
    """`steps` of gradient descent with learning rate h, as a map of w = (theta, psi); gamma weighs a penalty."""
    penalties = () if gamma is None else (penalty,)
    averages = {"logits": {"real": jnp.float32(0), "fake": jnp.float32(0)}} if penalty == "lecam" else {}

    def make(settings, spec, hparams):
        settings = {**FAMILY.settings, "latent": 1, "loss": loss, "penalties": penalties}
        game = gan.Gan(Point(), Slope(), settings, spec, hparams)
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
    numbers = {"learning_rate": h, "momentum": 0.0, f"{penalty}_weight": gamma or 0.0}
    numbers |= {"lecam_start": 0.0, "lecam_decay": 0.9}
    hparams = {name: jnp.float32(value) for name, value in numbers.items()}
    rng = jax.random.key(0)

    @jax.jit
    def run(w):
        params = {"generator": {"theta": w[:1]}, "discriminator": {"psi": w[1:, None]}, **averages}
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


@pytest.mark.parametrize("loss", LOSSES)
def test_eigenvalues_of_every_loss(loss):
    """They are +- sqrt(l'(0) g'(0)): no loss alone has a force towards the equilibrium (Mescheder et al. 2018)."""
    h = 0.25
    field = (eigenvalues(dirac(simultaneous, loss, 1, h)) - 1) / h
    root = np.emath.sqrt(np.prod(SLOPES[loss]))
    np.testing.assert_allclose(field, sorted([-root, root], key=lambda value: (value.imag, value.real)), atol=2e-3)


@pytest.mark.parametrize(("penalty", "force"), [("r1", 1), ("r2", 1), ("zero_centred", 2), ("lecam", 0)])
@pytest.mark.parametrize("loss", LOSSES)
def test_eigenvalues_of_every_loss_with_penalties(loss, penalty, force):
    """A penalty whose second derivative by psi is gamma' gives -gamma'/2 +- sqrt(gamma'^2/4 + l'(0) g'(0))."""
    h, gamma = 0.25, 0.6 * force
    field = (eigenvalues(dirac(simultaneous, loss, 1, h, 0.6, penalty)) - 1) / h
    root = np.emath.sqrt(gamma**2 / 4 + np.prod(SLOPES[loss]))
    expected = sorted([-gamma / 2 - root, -gamma / 2 + root], key=lambda value: (value.imag, value.real))
    np.testing.assert_allclose(field, expected, atol=2e-3)


@pytest.mark.parametrize("penalty", ["wgan_gp", "dragan"])
def test_a_norm_of_one_is_no_equilibrium(penalty):
    """(|psi| - 1)^2 drives psi away from 0: without a limit on its slope the game does not settle there."""
    theta, psi = dirac(alternating, "wasserstein", 1, 0.1, 1.0, penalty)(jnp.array([0.0, 0.01]))
    assert abs(theta) < 0.1
    np.testing.assert_allclose(psi, 0.01 + 0.1 * 2 * (1 - 0.01), rtol=1e-4)


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
