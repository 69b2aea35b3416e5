"""A flow's density is exact: it integrates to one, its volume is the Jacobian's, and its inverse goes back."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from genjax.models.vae import flows
from genjax.models.vae.posteriors import flow as flow_posterior
from genjax.models.vae.priors import flow as flow_prior
from genjax.nn import networks
from genjax.types import DataSpec

KEY = jax.random.key(0)


def trained(latent, count=3):
    """A flow whose parameters are not those of the identity."""
    flow = flows.Couplings(count, 8, "tanh")
    params = flows.initial(flow, KEY, latent)
    return flow, moved(params)


def moved(params):
    leaves, tree = jax.tree.flatten(params)
    keys = jax.random.split(jax.random.key(1), len(leaves))
    noisy = [leaf + 0.5 * jax.random.normal(key, leaf.shape) for leaf, key in zip(leaves, keys, strict=True)]
    return jax.tree.unflatten(tree, noisy)


def test_it_starts_as_the_identity():
    flow = flows.Couplings(4, 8, "relu")
    u = jax.random.normal(KEY, (5, 3))
    point, log_det = flows.forward(flow, flows.initial(flow, KEY, 3), u)
    np.testing.assert_array_equal(point, u)
    np.testing.assert_array_equal(log_det, 0)


@pytest.mark.parametrize("latent", [2, 5])
def test_the_inverse_goes_back_and_its_volume_is_the_jacobians(latent):
    flow, params = trained(latent)
    u = jax.random.normal(jax.random.key(2), (2, 4, latent))
    z, log_det = flows.forward(flow, params, u)
    back, log_det_back = flows.inverse(flow, params, z)
    assert np.abs(z - u).max() > 0.1
    np.testing.assert_allclose(back, u, atol=2e-5)
    np.testing.assert_allclose(log_det_back, -log_det, atol=2e-5)
    jacobian = jax.jacfwd(lambda point: flows.forward(flow, params, point).point)
    for point, expected in zip(u.reshape(-1, latent), log_det.reshape(-1), strict=True):
        np.testing.assert_allclose(np.linalg.slogdet(np.asarray(jacobian(point)))[1], expected, atol=1e-4)


def test_the_density_integrates_to_one_and_is_that_of_the_samples():
    settings = {**networks.SETTINGS, "activation": "tanh", "latent": 2, "couplings": 3, "coupling_hidden": 8}
    prior = flow_prior(settings, DataSpec((2,), False, 1.0, np.zeros(2)), networks.encoder(settings, (), (2,), 4))
    _, params = trained(2)
    side = jnp.linspace(-25.0, 25.0, 2001)
    grid = jnp.stack(jnp.meshgrid(side, side), axis=-1).reshape(-1, 2)
    log_prob = jax.jit(prior.log_prob, static_argnums=2)
    mass = np.exp(np.asarray(log_prob({"prior": params}, grid, None), np.float64)) * float(side[1] - side[0]) ** 2
    np.testing.assert_allclose(mass.sum(), 1, atol=2e-3)
    samples = np.asarray(prior.sample({"prior": params}, KEY, 20000, None))
    mean = (mass[:, None] * np.asarray(grid)).sum(axis=0)
    np.testing.assert_allclose(samples.mean(axis=0), mean, atol=5 * samples.std() / np.sqrt(20000))


def test_a_posteriors_density_integrates_to_one_and_depends_on_its_context():
    settings = {**networks.SETTINGS, "activation": "tanh", "latent": 2, "couplings": 3, "coupling_hidden": 8}
    posterior = flow_posterior(settings, {})
    flow = flows.make_couplings(settings)
    params = {"posterior": moved(flows.initial(flow, KEY, 2, context=8))}
    out = jax.random.normal(jax.random.key(3), (2, posterior.features)) * 0.5
    side = jnp.linspace(-30.0, 30.0, 2001)
    grid = jnp.stack(jnp.meshgrid(side, side), axis=-1).reshape(-1, 1, 2)
    for row in (0, 1):
        log_q = jax.jit(posterior.log_prob)(params, out[row : row + 1], grid)
        mass = np.exp(np.asarray(log_q, np.float64)).sum() * float(side[1] - side[0]) ** 2
        np.testing.assert_allclose(mass, 1, atol=2e-3)
    u_part = out[:, :4]
    other = jnp.concatenate([u_part, out[::-1, 4:]], axis=1)  # the same Gaussian, the other context
    draws, moved_draws = (posterior.draw(params, of, KEY, 5) for of in (out, other))
    assert draws.shape == (5, 2, 2)
    assert np.abs(draws - moved_draws).max() > 0.01
    np.testing.assert_allclose(
        posterior.mode(params, out), flows.forward(flow, params["posterior"], u_part[:, :2], out[:, 4:]).point
    )
