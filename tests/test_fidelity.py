"""Distances between sets of samples: against closed forms, brute force and published figures, and on hard input."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.linalg

from genjax.evaluation.fidelity import kernel_distance, prdc
from genjax.metrics import frechet, neighbours

RNG = np.random.default_rng(0)


def normal(n, d, seed=0):
    return np.random.default_rng(seed).normal(size=(n, d)).astype(np.float32)


def frechet_of(x, y):
    return frechet.frechet_distance(frechet.moments(x), frechet.moments(y))


def by_hand(x, y, k):
    """PRDC from whole matrices of float64 distances."""

    def distances(a, b):
        return np.sqrt(np.square(a[:, None].astype(np.float64) - b[None]).sum(-1))

    reach_x, reach_y = (np.sort(distances(s, s), axis=1)[:, k] for s in (x, y))
    across = distances(x, y)
    return {
        "precision": (across < reach_x[:, None]).any(0).mean(),
        "recall": (across < reach_y[None]).any(1).mean(),
        "density": (across < reach_x[:, None]).sum(0).mean() / k,
        "coverage": (across.min(1) < reach_x).mean(),
    }


def test_frechet_distance_of_gaussians_in_closed_form():
    """Commuting covariances: ||m_p - m_q||^2 + sum_i (s_i - t_i)^2 of the standard deviations along their axes."""
    axes = np.linalg.qr(RNG.normal(size=(5, 5)))[0]
    s, t, shift = np.array([1, 2, 0.5, 3, 0]), np.array([2, 2, 0.1, 0, 1]), RNG.normal(size=5)
    p = frechet.Gaussian(np.zeros(5), axes * s**2 @ axes.T)
    q = frechet.Gaussian(shift, axes * t**2 @ axes.T)
    np.testing.assert_allclose(frechet.frechet_distance(p, q), shift @ shift + np.sum((s - t) ** 2), rtol=1e-6)


@pytest.mark.parametrize("d", [1, 3, 20])
def test_frechet_distance_agrees_with_the_matrix_root(d):
    x, y = (normal(200, d, seed) @ RNG.normal(size=(d, d)) + seed for seed in (1, 2))
    p, q = frechet.moments(x), frechet.moments(y)
    root = scipy.linalg.sqrtm(p.covariance @ q.covariance).real
    expected = np.square(p.mean - q.mean).sum() + np.trace(p.covariance + q.covariance - 2 * root)
    np.testing.assert_allclose(frechet.frechet_distance(p, q), expected, rtol=1e-6)
    np.testing.assert_allclose(frechet.frechet_distance(q, p), expected, rtol=1e-6)


def test_frechet_moments_are_numpys():
    x = normal(50, 4)
    np.testing.assert_allclose(frechet.moments(x).covariance, np.cov(x.T.astype(np.float64)), rtol=1e-10)


@pytest.mark.parametrize(("rows", "d"), [(20, 6), (6, 20)])  # with fewer samples than features as well
def test_kernel_distance_agrees_with_brute_force(rows, d):
    x, y = normal(rows, d, 1), normal(rows + 3, d, 2) + 0.3

    def k(a, b):
        return (a.astype(np.float64) @ b.astype(np.float64) / d + 1) ** 3

    own = [np.mean([k(s[i], s[j]) for i in range(len(s)) for j in range(len(s)) if i != j]) for s in (x, y)]
    across = np.mean([k(a, b) for a in x for b in y])
    np.testing.assert_allclose(kernel_distance(x, y).value, sum(own) - 2 * across, rtol=1e-4)


def drawn_distances(scale, shift):
    """Of 100 pairs of sets, the second scaled and shifted."""
    pairs = [(normal(100, 8, 2 * i), scale * normal(100, 8, 2 * i + 1) + shift) for i in range(100)]
    return [kernel_distance(*pair) for pair in pairs]


def test_kernel_distance_is_centred_on_zero_for_equal_distributions():
    found = drawn_distances(1.0, 0.0)
    centre = np.mean([f.value for f in found])
    spread = np.std([f.value for f in found])
    assert abs(centre) < 4 * spread / 10
    assert 0.9 < np.mean([f.error for f in found]) / spread < 1.35


def test_kernel_distance_states_its_error():
    """Of distributions that differ, the mean of the stated errors is the spread of the values."""
    found = drawn_distances(1.3, 0.5)
    spread = np.std([f.value for f in found])
    assert np.mean([f.value for f in found]) > 5 * spread / 10
    np.testing.assert_allclose(np.mean([f.error for f in found]), spread, rtol=0.2)


@pytest.mark.parametrize(("n", "m", "d", "k"), [(60, 60, 2, 3), (60, 60, 12, 5), (40, 70, 30, 1), (700, 600, 10, 5)])
def test_prdc_agrees_with_brute_force(n, m, d, k):
    x, y = normal(n, d, 1), 0.8 * normal(m, d, 2) + 0.2
    found = prdc(x, y, k)
    assert found == pytest.approx(by_hand(x, y, k), abs=1e-6)


@pytest.mark.slow
def test_prdc_gives_the_published_reference():
    """Naeem et al. 2020: two sets of 10,000 from N(0, I) in 1,000 dimensions, k = 5: .4772, .4705, 1.0555, .9735.

    Within three standard deviations over such sets (measured over six pairs: .0055, .0095, .063, .008): a few points
    near the middle lie in very many balls.
    """
    found = prdc(normal(10_000, 1000, 1), normal(10_000, 1000, 2), 5)
    published = {
        "precision": (0.4772, 0.0165),
        "recall": (0.4705, 0.0285),
        "density": (1.0555, 0.19),
        "coverage": (0.9735, 0.024),
    }
    for name, (value, tolerance) in published.items():
        assert found[name] == pytest.approx(value, abs=tolerance), name


@pytest.mark.parametrize("d", [2, 20])
@pytest.mark.parametrize("shift", [0.0, 100.0])
def test_equal_points_are_at_distance_zero(d, shift):
    x = normal(30, d) + shift
    squared = np.asarray(neighbours.squared_distances(jnp.asarray(x - shift), jnp.asarray(x - shift)))
    np.testing.assert_array_equal(np.diag(squared), 0)
    assert np.all(squared[~np.eye(30, dtype=bool)] > 0)


def test_the_least_of_each_row_are_those_of_a_sort():
    drawn = normal(5, 3000).round(1)  # with many ties
    found = neighbours.smallest_in_rows(jnp.asarray(drawn), 6)
    np.testing.assert_array_equal(found, np.sort(drawn, axis=1)[:, :6])


METRICS = {
    "frechet": lambda x, y: {"frechet": frechet_of(x, y)},
    "kernel": lambda x, y: {"kernel": kernel_distance(x, y).value},  # its error is estimated from halves
    "prdc": lambda x, y: prdc(x, y, 3),
}


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("d", [2, 12])
def test_the_order_of_samples_does_not_matter(metric, d):
    x, y = normal(90, d, 1), normal(80, d, 2) + 0.3
    order = np.random.default_rng(5).permutation
    once, again = METRICS[metric](x, y), METRICS[metric](order(x), order(y))
    assert once == pytest.approx(again, rel=1e-4, abs=1e-6)


@pytest.mark.parametrize("d", [2, 12])
def test_samples_that_are_the_examples(d):
    """A copy of the data: no distance, and all of it covered."""
    x = normal(90, d)
    assert frechet_of(x, x) == pytest.approx(0, abs=1e-6)
    found = prdc(x, x.copy(), 3)
    assert (found["precision"], found["recall"], found["coverage"]) == (1, 1, 1)
    assert kernel_distance(x, x).value < 0  # the unbiased estimate leaves out the pairs of a sample with itself


@pytest.mark.parametrize("d", [2, 12])
def test_duplicated_samples(d):
    """Each sample k + 1 times or more: its ball has no radius, so it recalls nothing, but it may be precise."""
    x, y = normal(90, d, 1), np.repeat(normal(20, d, 2), 5, axis=0)
    found = prdc(x, y, 3)
    assert found["recall"] == 0
    assert found == pytest.approx(by_hand(x, y, 3), abs=1e-6)
    assert np.isfinite(kernel_distance(x, y).value)


@pytest.mark.parametrize("d", [2, 12])
def test_constant_samples(d):
    """One point again and again: the Fréchet distance to it is E||x - y||^2, and its coverage is next to nothing."""
    x, y = normal(90, d), np.full((90, d), 0.25, np.float32)
    expected = np.square(x.mean(0, dtype=np.float64) - 0.25).sum() + np.trace(frechet.moments(x).covariance)
    np.testing.assert_allclose(frechet_of(x, y), expected, rtol=1e-6)
    found = prdc(x, y, 3)
    assert found["recall"] == 0
    assert found == pytest.approx(by_hand(x, y, 3), abs=1e-6)


@pytest.mark.parametrize("metric", ["frechet", "kernel"])
def test_too_few_samples_are_refused(metric):
    with pytest.raises(ValueError, match=r"needs two samples or more.*not 1"):
        METRICS[metric](normal(1, 3), normal(5, 3))


def test_nearest_finds_the_example():
    x = normal(200, 7)
    index, gap = neighbours.nearest(jnp.asarray(x[[5, 17]] + 1e-3), jnp.asarray(x))
    np.testing.assert_array_equal(index, [5, 17])
    np.testing.assert_allclose(gap, 1e-3 * np.sqrt(7), rtol=0.01)


def test_distances_are_pure_functions_of_rows():
    """Row by row the same, under jit too, so that rows can be shared out over devices."""
    x, y = jnp.asarray(normal(6, 12, 1)), jnp.asarray(normal(9, 12, 2))
    wide, narrow = jnp.full(9, 15.0), jnp.full(6, 12.0)
    whole = neighbours.neighbourhoods(x, narrow, y, wide)
    compiled = jax.jit(neighbours.neighbourhoods)
    rows = [compiled(x[i : i + 1], narrow[i : i + 1], y, wide) for i in range(6)]
    np.testing.assert_allclose(whole.inside, jnp.concatenate([row.inside for row in rows]))
    np.testing.assert_array_equal(whole.covered, jnp.stack([row.covered for row in rows]).any(axis=0))
    nearest = jnp.stack([row.nearest_squared for row in rows]).min(axis=0)
    np.testing.assert_allclose(whole.nearest_squared, nearest, rtol=1e-4)
    assert 0 < whole.covered.sum() < 9
    assert 0 < whole.inside.sum() < 54
