"""Losses that are statistics of a batch, against closed forms, float64 and expectations over every batch."""

import itertools
import math

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.special
import scipy.stats

from genjax.losses import moments, rates
from genjax.losses import total_correlation as tc
from genjax.losses.discrepancies import KERNELS, SCALES, maximum_mean_discrepancy
from genjax.losses.divergences import normal_log_prob, standard_normal_kl
from genjax.types import InputError

BOTH = pytest.mark.parametrize("wrap", [lambda f: f, jax.jit], ids=["eager", "jit"])
NUMBERS = np.random.default_rng(0)
KEY = jax.random.key(0)


def posteriors(n, latent):
    """Draws, means and log variances of n posteriors, `(z, mean, log_var)`, that overlap a little."""
    mean, log_var = NUMBERS.normal(size=(n, latent)), NUMBERS.normal(-1.0, 0.3, size=(n, latent))
    z = mean + np.exp(log_var / 2) * NUMBERS.normal(size=(n, latent))
    return tuple(jnp.asarray(values, jnp.float32) for values in (z, mean, log_var))


def exact_pairwise(z, mean, log_var):
    z, mean, log_var = (np.asarray(values, np.float64).T for values in (z, mean, log_var))
    return scipy.stats.norm.logpdf(z[:, :, None], mean[:, None], np.exp(log_var / 2)[:, None])


def aggregate(pairwise):
    """log q(z) and log prod_d q(z_d) of a float64 table of every draw (rows) under every example (columns)."""
    n = pairwise.shape[2]
    log_q = scipy.special.logsumexp(pairwise.sum(axis=0), axis=1) - math.log(n)
    return log_q, (scipy.special.logsumexp(pairwise, axis=2) - math.log(n)).sum(axis=0)


@BOTH
def test_stratified_is_the_aggregate_posterior_where_the_batch_is_all_examples(wrap):
    n, latent = 7, 3
    gaussians = posteriors(n, latent)
    pairwise = wrap(tc.log_pairwise)(*gaussians)
    chex.assert_shape(pairwise, (latent, n, n))
    expected = exact_pairwise(*gaussians)
    np.testing.assert_allclose(pairwise, expected, rtol=1e-5, atol=1e-5)
    estimates = wrap(lambda pairwise: tc.minibatch_stratified(pairwise, float(n)))(pairwise)
    for estimate, value in zip(estimates, aggregate(expected), strict=True):
        chex.assert_shape(estimate, (n,))
        np.testing.assert_allclose(estimate, value, rtol=1e-5, atol=1e-5)


@BOTH
def test_weighted_is_log_n_lower_where_the_batch_is_all_examples(wrap):
    n, latent = 7, 3
    gaussians = posteriors(n, latent)
    log_q, log_product = wrap(lambda pairwise: tc.minibatch_weighted(pairwise, float(n)))(tc.log_pairwise(*gaussians))
    exact_q, exact_product = aggregate(exact_pairwise(*gaussians))
    np.testing.assert_allclose(log_q, exact_q - math.log(n), rtol=1e-5)
    np.testing.assert_allclose(log_product, exact_product - latent * math.log(n), rtol=1e-5)


def paper_weights(b, n, special):
    """The weights of Chen et al. 2018, appendix C.2, for a draw whose own example is the first of the batch."""
    m = b - 1
    weights = np.full(b, 1 / m)
    weights[0], weights[special] = 1 / n, (n - m) / (n * m)
    return weights


def column_weights(b, n):
    """The same weights in the same columns for every row, so that the own example has its weight in one row only."""
    return np.tile(paper_weights(b, n, special=1), (b, 1))


def estimates_of_q(pairwise, own, b):
    """q(z) of the draw `own` from each batch of b examples without replacement that holds its own example.

    Returns:
      `(ours, the paper's, that of fixed columns)`; the paper's for each choice of the special example.
    """
    n = pairwise.shape[1]
    ours, paper, columns = [], [], []
    estimate = jax.jit(lambda table: jnp.exp(tc.minibatch_stratified(table, float(n))[0][0]))
    for others in itertools.combinations(sorted({*range(n)} - {own}), b - 1):
        batch = np.array([own, *others])
        ours.append(float(estimate(jnp.asarray(pairwise[:, batch][:, :, batch], jnp.float32))))
        density = np.exp(pairwise[:, own, batch].sum(axis=0))
        paper.append([paper_weights(b, n, special) @ density for special in range(1, b)])
        for place in range(b):  # where in the batch the own example is
            columns.append(column_weights(b, n)[place] @ np.roll(density, place))
    return np.array(ours), np.array(paper), np.array(columns)


def test_stratified_is_unbiased_over_every_batch():
    n, b = 6, 3
    pairwise = exact_pairwise(*posteriors(n, 2))
    exact = np.exp(aggregate(pairwise)[0])
    wrong = []
    for own in range(n):
        ours, paper, columns = estimates_of_q(pairwise, own, b)
        np.testing.assert_allclose(ours.mean(), exact[own], rtol=1e-5)
        np.testing.assert_allclose(paper.mean(), exact[own], rtol=1e-10)
        # Ours is the paper's mean over which of the others is special, and so varies less.
        np.testing.assert_allclose(ours, paper.mean(axis=1), rtol=1e-5)
        assert ours.var() < paper.var()
        wrong.append(abs(columns.mean() / exact[own] - 1))
    assert max(wrong) > 0.3, "weights in fixed columns are biased"


def test_weights_in_fixed_columns_miss_the_aggregate_posterior():
    n = 6
    gaussians = posteriors(n, 2)
    exact = aggregate(exact_pairwise(*gaussians))[0]
    logits = np.log(column_weights(n, n)) + exact_pairwise(*gaussians).sum(axis=0)
    assert np.abs(scipy.special.logsumexp(logits, axis=1) - exact).max() > 0.1
    value = tc.minibatch_stratified(tc.log_pairwise(*gaussians), float(n))[0]
    np.testing.assert_allclose(value, exact, rtol=1e-5, atol=1e-5)


# Codes whose aggregate posterior is N(0, [[1, RHO], [RHO, 1]]): mean ~ N(0, that - VARIANCE I), q(z|x) of VARIANCE.
RHO, VARIANCE, EXAMPLES = 0.6, 0.25, 1_000_000
AGGREGATE = np.array([[1.0, RHO], [RHO, 1.0]])
FACTOR = jnp.asarray(np.linalg.cholesky(AGGREGATE - VARIANCE * np.eye(2)), jnp.float32)


def correlated_codes(rng, b):
    """Draws, means and log variances of b examples, `(z, mean, log_var)`."""
    of_mean, of_z = jax.random.split(rng)
    mean = jax.random.normal(of_mean, (b, 2)) @ FACTOR.T
    return mean + math.sqrt(VARIANCE) * jax.random.normal(of_z, (b, 2)), mean, jnp.full((b, 2), math.log(VARIANCE))


def mean_parts(estimator, b, repeats):
    """The mean of each part over a batch of b, for each of many batches: [repeats, 3], and the mean log ratio."""

    def parts(rng):
        z, mean, log_var = correlated_codes(rng, b)
        log_posterior = normal_log_prob(z, mean, log_var)
        log_prior = normal_log_prob(z, jnp.zeros_like(z), jnp.zeros_like(z))
        estimates = estimator(tc.log_pairwise(z, mean, log_var), float(EXAMPLES))
        parts = tc.decompose(log_posterior, estimates[0], estimates[1], log_prior)
        return jnp.stack([jnp.mean(part) for part in parts]), jnp.mean(log_posterior - log_prior)

    values, ratio = jax.jit(lambda keys: jax.lax.map(parts, keys))(jax.random.split(KEY, repeats))
    return np.asarray(values, np.float64), np.asarray(ratio, np.float64)


# I(x; z) = 1/2 log det(aggregate) / det(posterior), TC = -1/2 log(1 - RHO^2), and N(0, 1) is each marginal.
EXACT = np.array([0.5 * math.log((1 - RHO**2) / VARIANCE**2), -0.5 * math.log(1 - RHO**2), 0.0])


@pytest.mark.parametrize(("b", "repeats", "bias"), [(64, 400, 0.12), (512, 60, 0.02)])
def test_stratified_parts_approach_those_of_a_gaussian(b, repeats, bias):
    """Within five standard errors and the bias of a logarithm of a mean of b values, which falls as 1 / b."""
    parts, ratio = mean_parts(tc.minibatch_stratified, b, repeats)
    error = parts.std(axis=0, ddof=1) / math.sqrt(repeats)
    np.testing.assert_array_less(np.abs(parts.mean(axis=0) - EXACT), 5 * error + bias)
    assert np.all(5 * error < 0.1)
    np.testing.assert_allclose(parts.sum(axis=1), ratio, atol=1e-5)


def test_weighted_parts_are_off_by_the_logarithm_of_the_number_of_examples():
    b, repeats, bias = 512, 60, 0.06
    parts, _ = mean_parts(tc.minibatch_weighted, b, repeats)
    error = parts.std(axis=0, ddof=1) / math.sqrt(repeats)
    expected = EXACT + math.log(EXAMPLES) * np.array([1, 1, -2])
    np.testing.assert_array_less(np.abs(parts.mean(axis=0) - expected), 5 * error + bias)


def test_parts_sum_to_the_divergence():
    """Their mean over draws is KL(q(z|x) || p(z)) in closed form, whatever the estimates of q(z) are."""
    b, repeats = 8, 4000
    _, mean, log_var = posteriors(b, 3)
    zeros = jnp.zeros_like(mean)

    def total(rng):
        z = mean + jnp.exp(log_var / 2) * jax.random.normal(rng, mean.shape)
        estimates = tc.minibatch_weighted(tc.log_pairwise(z, mean, log_var), 50.0)
        parts = tc.decompose(normal_log_prob(z, mean, log_var), *estimates, normal_log_prob(z, zeros, zeros))
        return sum(parts, start=jnp.zeros(b))

    values = np.asarray(jax.jit(jax.vmap(total))(jax.random.split(KEY, repeats)), np.float64)
    expected = np.asarray(standard_normal_kl(mean, log_var)).sum(axis=1)
    error = values.std(axis=0, ddof=1) / math.sqrt(repeats)
    np.testing.assert_array_less(np.abs(values.mean(axis=0) - expected), 5 * error)


def exact_kernel(name, x, y):
    squares = np.sum((x[:, None] - y[None]) ** 2, axis=-1)
    if name == "rbf":
        return np.exp(-squares / (2 * x.shape[1]))
    return np.sum([2 * x.shape[1] * s / (2 * x.shape[1] * s + squares) for s in SCALES], axis=0)


@BOTH
@pytest.mark.parametrize("name", sorted(KERNELS))
def test_mmd_is_the_u_statistic(wrap, name):
    x, y = (np.asarray(NUMBERS.normal(shift, size=(n, 3))) for shift, n in ((0.0, 5), (1.0, 4)))
    within = [
        np.mean([exact_kernel(name, part, part)[i, j] for i, j in itertools.permutations(range(len(part)), 2)])
        for part in (x, y)
    ]
    expected = within[0] + within[1] - 2 * exact_kernel(name, x, y).mean()
    value = wrap(lambda a, b: maximum_mean_discrepancy(a, b, name))(
        *(jnp.asarray(part, jnp.float32) for part in (x, y))
    )
    chex.assert_shape(value, ())
    np.testing.assert_allclose(value, expected, rtol=1e-5, atol=1e-6)


def repeated_mmd(name, shift, repeats=500, n=20, d=2):
    """MMD^2 between n draws from N(0, I) and n from N(shift, I), for many sets: its mean and standard error."""

    def discrepancy(rng):
        x, y = jax.random.normal(rng, (2, n, d))
        return maximum_mean_discrepancy(x, y + shift, name)

    values = np.asarray(jax.jit(jax.vmap(discrepancy))(jax.random.split(KEY, repeats)), np.float64)
    return values.mean(), values.std(ddof=1) / math.sqrt(repeats)


@pytest.mark.parametrize("name", sorted(KERNELS))
def test_mmd_is_zero_in_expectation_for_one_distribution_alone(name):
    mean, error = repeated_mmd(name, 0.0)
    assert abs(mean) < 5 * error
    # With the pairs of a draw with itself the mean would be 2 (k(0) - E k) / n.
    assert 5 * error < 0.02 * float(KERNELS[name](jnp.zeros((1, 1)), 2)[0, 0])
    mean, error = repeated_mmd(name, 1.0)
    assert mean > 10 * error


def test_mmd_of_two_gaussians_is_the_closed_form():
    """E exp(-|x - y|^2 / 2d) = (d / (d + 2))^(d/2) exp(-|m|^2 / 2 (d + 2)) where x - y ~ N(m, 2 I)."""
    d, shift = 2, 1.0
    expected = 2 * (d / (d + 2)) ** (d / 2) * (1 - math.exp(-d * shift**2 / (2 * (d + 2))))
    mean, error = repeated_mmd("rbf", shift, repeats=2000)
    assert abs(mean - expected) < 5 * error < 0.1 * expected


@BOTH
def test_dip_penalties_by_hand(wrap):
    # Deviations (1, 2), (-1, 0), (0, -2) of means (1, 1): the covariance is [[2, 2], [2, 8]] / 3.
    mean = jnp.array([[2.0, 3.0], [0.0, 1.0], [1.0, -1.0]])
    log_var = jnp.log(jnp.array([[1.0, 1.0], [2.0, 1.0], [3.0, 1.0]]))  # mean variances 2 and 1
    for kind, added in (("i", (0.0, 0.0)), ("ii", (2.0, 1.0))):
        off_diagonal, diagonal = wrap(lambda m, v, kind=kind: moments.dip_penalty_parts(m, v, kind))(mean, log_var)
        chex.assert_shape((off_diagonal, diagonal), ())
        np.testing.assert_allclose(off_diagonal, 2 * (2 / 3) ** 2, rtol=1e-6)
        expected = (2 / 3 + added[0] - 1) ** 2 + (8 / 3 + added[1] - 1) ** 2
        np.testing.assert_allclose(diagonal, expected, rtol=1e-6)


def test_dip_is_numpys_covariance():
    _, mean, log_var = posteriors(50, 4)
    parts = jax.jit(moments.dip_penalty_parts, static_argnums=2)
    covariance = np.cov(np.asarray(mean, np.float64).T, bias=True)
    for kind, added in (("i", np.zeros(4)), ("ii", np.exp(np.float64(log_var)).mean(axis=0))):
        off_diagonal, diagonal = parts(mean, log_var, kind)
        np.testing.assert_allclose(off_diagonal, np.sum((covariance - np.diag(np.diag(covariance))) ** 2), rtol=1e-5)
        np.testing.assert_allclose(diagonal, np.sum((np.diag(covariance) + added - 1) ** 2), rtol=1e-5)


@BOTH
def test_permutations_keep_marginals_and_destroy_dependence(wrap):
    b = 2000
    column = jax.random.normal(KEY, (b, 1))
    z = jnp.concatenate([column, column, -column], axis=1)
    permuted = np.asarray(wrap(moments.permute_dimensions)(jax.random.key(1), z))
    chex.assert_shape(permuted, (b, 3))
    np.testing.assert_array_equal(np.sort(permuted, axis=0), np.sort(z, axis=0))
    # A correlation of independent values has the standard deviation 1 / sqrt(b).
    pairs = np.corrcoef(np.concatenate([permuted, column], axis=1).T)[np.triu_indices(4, 1)]
    assert np.abs(pairs).max() < 5 / math.sqrt(b)


@BOTH
@pytest.mark.parametrize(("rate", "capacity", "expected"), [(3.0, 5.0, 2.0), (5.0, 3.0, 2.0), (4.0, 4.0, 0.0)])
def test_capacity_by_hand(wrap, rate, capacity, expected):
    value = wrap(rates.capacity_penalty)(jnp.float32(rate), jnp.float32(capacity))
    chex.assert_shape(value, ())
    np.testing.assert_array_equal(value, expected)


@BOTH
@pytest.mark.parametrize(("size", "expected"), [(1, 2.0 + 2.0 + 4.0 + 2.0), (2, 2.0 + 5.0), (4, 6.5)])
def test_free_bits_by_hand(wrap, size, expected):
    """The floor is that of the mean over the batch, (0.5, 1, 4, 1), and not of single examples."""
    value = jnp.array([[0.0, 2.0, 8.0, 0.0], [1.0, 0.0, 0.0, 2.0]])
    result = wrap(lambda value: rates.free_bits(value, 2.0, size))(value)
    chex.assert_shape(result, ())
    np.testing.assert_allclose(result, expected, rtol=1e-6)


def test_free_bits_below_the_floor_have_no_gradient():
    value = jnp.array([[0.0, 2.0, 8.0, 0.0], [1.0, 0.0, 0.0, 2.0]])
    gradient = jax.grad(lambda value: rates.free_bits(value, 2.0, 2))(value)
    np.testing.assert_array_equal(gradient, [[0, 0, 0.5, 0.5]] * 2)


def test_groups_of_free_bits_divide_the_dimensions():
    with pytest.raises(TypeError, match="reshape"):
        rates.free_bits(jnp.zeros((2, 4)), 2.0, 3)


def test_one_draw_makes_no_pair():
    with pytest.raises(InputError, match="needs two draws or more"):
        maximum_mean_discrepancy(jnp.zeros((1, 2)), jnp.zeros((3, 2)), "imq")
