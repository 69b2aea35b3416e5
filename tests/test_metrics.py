"""Evaluation: whole-split means, the sliced Wasserstein distance, coverage of a mixture."""

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from genjax.evaluation.fidelity import prdc
from genjax.metrics.means import dataset_means
from genjax.metrics.mixtures import mode_coverage
from genjax.metrics.neighbours import precision_recall_coverage
from genjax.metrics.wasserstein import sliced_wasserstein
from genjax.types import Batch

KEY = jax.random.key(0)


@pytest.mark.parametrize(("n", "batch"), [(10, 5), (10, 4), (10, 3), (10, 10), (3, 500), (1, 1)])
def test_means_count_every_example_once(n, batch):
    data = jnp.asarray(np.random.default_rng(n).normal(size=(n, 2)).astype(np.float32))
    means = dataset_means(
        lambda batch, rng: {"first": batch.x[:, 0], "norm": jnp.sum(batch.x**2, axis=1)}, Batch(data), batch, KEY
    )
    chex.assert_shape(list(means.values()), ())
    np.testing.assert_allclose(means["first"], np.mean(data[:, 0]), rtol=1e-5)
    np.testing.assert_allclose(means["norm"], np.mean(np.sum(data**2, axis=1)), rtol=1e-5)


def test_padding_does_not_count_even_where_it_is_not_finite():
    data = jnp.arange(1.0, 6.0)

    def infinite_padding(batch, rng):
        return {"x": jnp.where(jnp.arange(4) < 1, batch.x, batch.x / (batch.x - 5))}

    means = dataset_means(infinite_padding, Batch(data), 4, KEY)
    assert np.isfinite(means["x"])  # the last batch is one example and three paddings of infinite value


def test_batches_have_noise_of_their_own():
    data = Batch(jnp.zeros(40))
    means = dataset_means(lambda batch, rng: {"u": jax.random.uniform(rng, batch.x.shape)}, data, 4, KEY)
    alone = jax.random.uniform(jax.random.fold_in(KEY, 0), (4,))
    assert abs(float(means["u"]) - float(alone.mean())) > 1e-3


def test_sliced_wasserstein_of_a_shift_is_its_mean_projection():
    """A shift s moves each projection by theta . s, so the distance is sqrt(E(theta . s)^2) = |s| / sqrt(d)."""
    x = jax.random.normal(KEY, (200, 4))
    shift = jnp.array([[3.0, 0.0, 0.0, 0.0]])
    distance = sliced_wasserstein(KEY, x, x + shift, projections=20_000)
    np.testing.assert_allclose(distance, 3 / np.sqrt(4), rtol=0.02)


def test_sliced_wasserstein_ignores_order_and_sees_spread():
    x = jax.random.normal(KEY, (500, 2, 3))
    assert sliced_wasserstein(KEY, x, x[::-1]) == 0
    np.testing.assert_allclose(sliced_wasserstein(KEY, x, 2 * x), np.sqrt(np.mean(np.square(x))), rtol=0.1)


@pytest.mark.parametrize(
    ("samples", "expected"),
    [
        ([0.5, 0.7, 0.9, 1.2], (1.0, 0.25, 0.5)),  # of one mode; 1 alone is within 0.2 of a sample
        ([0.0, 1.0, 10.0, 11.0], (1.0, 1.0, 1.0)),
        ([0.5, 0.5, 0.5, 0.5], (1.0, 0.0, 0.5)),
        ([-30.0, 40.0, 50.0, 60.0], (0.0, 1.0, 0.0)),  # far from all data, and far apart
    ],
)
def test_precision_recall_coverage_by_hand(samples, expected):
    data = jnp.array([[0.0], [1.0], [10.0], [11.0]])
    shares = precision_recall_coverage(data, jnp.array(samples)[:, None], k=1)
    assert tuple(map(float, shares.values())) == expected


@pytest.mark.parametrize("dimensions", [2, 20])
def test_precision_recall_coverage_of_a_batch_are_those_of_the_evaluator(dimensions):
    x = jax.random.normal(KEY, (300, dimensions))
    y = 0.7 + jax.random.normal(jax.random.key(1), (200, dimensions))
    shares, of_evaluator = precision_recall_coverage(x, y, k=5), prdc(np.asarray(x), np.asarray(y), k=5)
    for name, share in shares.items():
        assert 0.05 < share < 1
        np.testing.assert_allclose(share, of_evaluator[name], atol=1e-6)


CENTRES = jnp.array([[0.0, 0.0], [10.0, 0.0], [0.0, 10.0]])


@pytest.mark.parametrize(
    ("samples", "found", "good"),
    [
        ([[0.0, 0.0], [10.0, 0.0], [0.0, 10.0], [5.0, 5.0]], 3, 0.75),
        ([[0.0, 2.9], [0.0, 3.1]], 1, 0.5),
        ([[5.0, 5.0], [4.0, 4.0]], 0, 0.0),
        ([[0.1, 0.0]] * 8, 1, 1.0),
    ],
)
def test_mode_coverage_by_hand(samples, found, good):
    named = mode_coverage(jnp.array(samples), CENTRES, 1.0)
    assert float(named["modes_found"]) == found
    np.testing.assert_allclose(named["good_samples"], good, rtol=1e-6)


def test_a_perfect_sampler_has_98_89_percent_good_samples():
    pick, noise = jax.random.split(KEY)
    n = 200_000
    samples = CENTRES[jax.random.randint(pick, (n,), 0, 3)] + jax.random.normal(noise, (n, 2))
    named = mode_coverage(samples, CENTRES, 1.0)
    np.testing.assert_allclose(named["good_samples"], 1 - np.exp(-4.5), atol=4 * np.sqrt(0.0111 / n))
    assert float(named["modes_found"]) == 3
