"""Bounds of log p(x) by annealed importance sampling with Hamiltonian Monte Carlo, from below and from above.

The path of f_t(z) = p(z) p(x|z)^t leads from the prior (t = 0) to the posterior (t = 1). Several chains go along it for
each example. The functions know no model: they take `log_densities(batch, z) -> (log p(z), log p(x|z))`.
"""

from collections.abc import Callable
from functools import partial

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Key

from genjax.types import Batch

LogDensities = Callable[[Batch, Float[Array, "batch latent"]], tuple[Float[Array, " batch"], Float[Array, " batch"]]]
Chains = Float[Array, "chains batch latent"]
PerChain = Float[Array, "chains batch"]
ACCEPTANCE = 0.65  # the best share of accepted proposals in many dimensions (Neal 2011, section 4.4)
FIRST_STEP, GAIN, JITTER = 0.2, 0.1, 0.2


def temperatures(n: int, slope: float = 4.0) -> Float[Array, "{n}+1"]:
    """Computes 0 = t_0 < ... < t_n = 1, dense at both ends: a scaled sigmoid (Grosse et al. 2015).

    Args:
      n: number of steps between them.
      slope: the sigmoid is evaluated from minus this to this.

    Example:
      >>> [round(float(t), 2) for t in temperatures(4)]
      [0.0, 0.1, 0.5, 0.9, 1.0]
    """
    sigmoid = jax.nn.sigmoid(jnp.linspace(-slope, slope, n + 1))
    return (sigmoid - sigmoid[0]) / (sigmoid[-1] - sigmoid[0])


def tune_step_sizes(
    log_densities: LogDensities,
    batch: Batch,
    z: Chains,
    rng: Key[Array, ""],
    temperatures: Float[Array, " temperatures"],
    leapfrog_steps: int = 10,
) -> Float[Array, "temperatures-2 batch"]:
    """Finds a step size of each inner temperature and example, by pilot chains whose weights do not count.

    From draw to draw the logarithm of the step size grows by 0.1 (a - 0.65), where a is the mean probability of
    acceptance over the chains. It is usual to do this in the very chains whose weights count (Wu et al. 2017); then a
    transition depends on the chain's past, it does not leave its f_t invariant, and the weights are biased. The chains
    that are given these step sizes have fixed transitions: their bounds hold whatever the step sizes are, and only the
    tightness depends on them.

    Args:
      log_densities: of the model.
      batch: examples, as a model sees them.
      z: draws from the prior, one for each pilot chain and example.
      rng: key.
      temperatures: from 0 to 1.
      leapfrog_steps: of each proposal.

    Example:
      >>> def log_densities(batch, z):
      ...     return -0.5 * jnp.sum(z**2, axis=-1), -50.0 * jnp.sum((batch.x - z) ** 2, axis=-1)
      >>> batch, z = Batch(jnp.ones((1, 2))), jax.random.normal(jax.random.key(0), (4, 1, 2))
      >>> step_sizes = tune_step_sizes(log_densities, batch, z, jax.random.key(1), temperatures(200))
      >>> bool(step_sizes[-1, 0] < step_sizes[0, 0])  # the posterior is narrower than the prior
      True
    """

    def advance(state: tuple[Array, Array], step: tuple[Array, Array]) -> tuple[tuple[Array, Array], Array]:
        z, log_size = state
        number, t = step
        target = partial(_annealed, log_densities, batch, t)
        z, probability = hamiltonian(target, z, jax.random.fold_in(rng, number), jnp.exp(log_size), leapfrog_steps)
        return (z, log_size + GAIN * (jnp.mean(probability, axis=0) - ACCEPTANCE)), jnp.exp(log_size)

    start = jnp.full(z.shape[1], jnp.log(FIRST_STEP))
    inner = temperatures[1:-1]
    return jax.lax.scan(advance, (z, start), (jnp.arange(len(inner)), inner))[1]


def annealed_importance(
    log_densities: LogDensities,
    batch: Batch,
    z: Chains,
    rng: Key[Array, ""],
    temperatures: Float[Array, " temperatures"],
    step_sizes: Float[Array, "temperatures-2 batch"],
    leapfrog_steps: int = 10,
    reverse: bool = False,
) -> PerChain:
    """Computes log-weights of annealed importance sampling (Neal 2001), whose exponentials estimate p(x).

    log w = sum_k (t_k - t_(k-1)) log p(x|z_(k-1)), with z_0 ~ p(z) and z_k after a transition that leaves f_(t_k)
    invariant. Then E w = p(x), and `lower_bound` of log w bounds log p(x) from below. In reverse the path starts at an
    exact draw from the posterior and follows the same transitions from t = 1 to t = 0. Then E 1/w = 1/p(x), and
    `upper_bound` bounds log p(x) from above (bidirectional Monte Carlo: Grosse et al. 2015). Exact draws are known
    where x itself was drawn from the model, together with its z.

    Args:
      log_densities: of the model.
      batch: examples, as a model sees them.
      z: draws from the prior; in reverse from the posterior, and chains of one example may start at one draw.
      rng: key; transition k uses it folded with k.
      temperatures: from 0 to 1, whichever the direction.
      step_sizes: of the transitions at the inner temperatures. The expectations hold if they do not depend on `z`.
      leapfrog_steps: of each proposal.
      reverse: whether the path leads from the posterior to the prior.

    Example:
      >>> def log_densities(batch, z):  # x = z + noise, both N(0, I): p(x) = N(0, 2 I)
      ...     x, constant = batch.x[:, 0], 0.5 * jnp.log(2 * jnp.pi)
      ...     return -0.5 * z[:, 0] ** 2 - constant, -0.5 * (x - z[:, 0]) ** 2 - constant
      >>> batch, z = Batch(jnp.ones((1, 1))), jax.random.normal(jax.random.key(0), (50, 1, 1))
      >>> log_w = annealed_importance(
      ...     log_densities, batch, z, jax.random.key(1), temperatures(100), jnp.full((99, 1), 0.3)
      ... )
      >>> exact = -0.25 - 0.5 * jnp.log(4 * jnp.pi)
      >>> bool(jnp.abs(lower_bound(log_w)[0] - exact) < 0.1)
      True
    """
    path, sizes = (temperatures[::-1], step_sizes[::-1]) if reverse else (temperatures, step_sizes)
    log_likelihood = jax.vmap(lambda z: log_densities(batch, z)[1])

    def advance(state: tuple[Array, Array], step: tuple[Array, ...]) -> tuple[tuple[Array, Array], None]:
        z, log_w = state
        number, t, change, size = step
        log_w += change * log_likelihood(z)
        target = partial(_annealed, log_densities, batch, t)
        return (hamiltonian(target, z, jax.random.fold_in(rng, number), size, leapfrog_steps)[0], log_w), None

    changes = jnp.diff(path)
    steps = (jnp.arange(len(sizes)), path[1:-1], changes[:-1], sizes)
    (z, log_w), _ = jax.lax.scan(advance, (z, jnp.zeros(z.shape[:2])), steps)
    log_w += changes[-1] * log_likelihood(z)
    return -log_w if reverse else log_w


def lower_bound(log_w: PerChain) -> Float[Array, " batch"]:
    """Computes log mean w over the chains, in nats: if E w = p(x), its expectation is at most log p(x).

    Example:
      >>> print(lower_bound(jnp.log(jnp.array([[1.0], [3.0]]))).round(3))
      [0.693]
    """
    return jax.nn.logsumexp(log_w, axis=0) - jnp.log(len(log_w))


def upper_bound(log_w: PerChain) -> Float[Array, " batch"]:
    """Computes -log mean 1/w over the chains, in nats: if E 1/w = 1/p(x), its expectation is at least log p(x).

    Example:
      >>> print(upper_bound(jnp.log(jnp.array([[1.0], [1.0]]))))
      [-0.]
    """
    return -lower_bound(-log_w)


def hamiltonian(
    log_density: Callable[[Chains], PerChain],
    z: Chains,
    rng: Key[Array, ""],
    step_sizes: Float[Array, " batch"],
    leapfrog_steps: int,
) -> tuple[Chains, PerChain]:
    """Makes a transition of Hamiltonian Monte Carlo that leaves the density invariant (Neal 2011, section 3).

    Each chain draws its step size within 20% of the given one: where all were equal, trajectories of one period of a
    Gaussian would end where they began (their section 3.2).

    Args:
      log_density: of each chain and example, up to a constant.
      z: the states.
      rng: key.
      step_sizes: one for each example.
      leapfrog_steps: number of them in a proposal.

    Returns:
      The new states and the probability with which each proposal was accepted.

    Example:
      >>> log_density = lambda z: -0.5 * jnp.sum(z**2, axis=-1)
      >>> z, probability = hamiltonian(log_density, jnp.zeros((3, 1, 2)), jax.random.key(0), jnp.array([0.01]), 5)
      >>> bool(jnp.all(probability > 0.99))
      True
    """

    def density_and_slope(z: Chains) -> tuple[PerChain, Chains]:
        def total(z: Chains) -> tuple[Float[Array, ""], PerChain]:
            log_f = log_density(z)
            return jnp.sum(log_f), log_f

        (_, log_f), slope = jax.value_and_grad(total, has_aux=True)(z)
        return log_f, slope

    def leap(state: tuple[Array, ...], step: None) -> tuple[tuple[Array, ...], None]:
        z, momentum, _, slope = state
        momentum += 0.5 * size * slope
        z += size * momentum
        log_f, slope = density_and_slope(z)
        return (z, momentum + 0.5 * size * slope, log_f, slope), None

    momentum_key, size_key, accept_key = jax.random.split(rng, 3)
    jitter = jax.random.uniform(size_key, z.shape[:2], minval=1 - JITTER, maxval=1 + JITTER)
    size = (step_sizes[None] * jitter)[..., None]  # [chains, b, 1]
    momentum = jax.random.normal(momentum_key, z.shape)
    log_f, slope = density_and_slope(z)
    state, _ = jax.lax.scan(leap, (z, momentum, log_f, slope), length=leapfrog_steps)
    proposal, end_momentum, end_log_f, _ = state
    # The energy's change is H = -log f + |momentum|^2 / 2 before, less the same after. A trajectory that overflows
    # is rejected.
    log_ratio = end_log_f - log_f + 0.5 * jnp.sum(jnp.square(momentum) - jnp.square(end_momentum), axis=-1)
    probability = jnp.where(jnp.isnan(log_ratio), 0.0, jnp.exp(jnp.minimum(log_ratio, 0.0)))  # [chains, b]
    accepted = jax.random.uniform(accept_key, z.shape[:2]) < probability
    return jnp.where(accepted[..., None], proposal, z), probability


def _annealed(log_densities: LogDensities, batch: Batch, t: Float[Array, ""], z: Chains) -> PerChain:
    """Computes log f_t(z) = log p(z) + t log p(x|z)."""
    log_p_z, log_p_x = jax.vmap(partial(log_densities, batch))(z)
    return log_p_z + t * log_p_x
