"""Discrete codes: codebooks against brute force and k-means, levels against their definition."""

import itertools
import math

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.cluster.vq import kmeans2

from genjax.nn import quantisation
from genjax.nn.quantisation import Codebook

KEY = jax.random.key(0)
NUMBERS = np.random.default_rng(0)


def vectors(n=40, d=3):
    return jnp.asarray(NUMBERS.normal(size=(n, d)), jnp.float32)


def test_nearest_entries_are_those_of_brute_force():
    z, entries = vectors(200), vectors(30)
    distances = np.square(np.asarray(z, np.float64)[:, None] - np.asarray(entries, np.float64)[None]).sum(axis=-1)
    np.testing.assert_array_equal(quantisation.nearest_entry(z, entries), distances.argmin(axis=1))


def test_counts_and_sums_are_averaged_before_they_are_divided():
    """N <- d N + (1 - d) n and m <- d m + (1 - d) sum z in float64, e = m / N; counts start at one."""
    z, numbers, decay = vectors(12, 2), jnp.array([0, 0, 0, 1, 2, 2, 2, 2, 2, 0, 1, 0]), 0.9
    book = Codebook(vectors(4, 2), jnp.ones(4))
    m, n = np.asarray(book.sums, np.float64), np.ones(4)
    for _ in range(3):
        book = quantisation.move_codebook(book, z, numbers, decay)
        one_hot = np.eye(4)[np.asarray(numbers)]
        m, n = decay * m + (1 - decay) * one_hot.T @ np.asarray(z, np.float64), decay * n + (1 - decay) * one_hot.sum(0)
    np.testing.assert_allclose(book.counts, n, rtol=1e-6)
    np.testing.assert_allclose(book.entries, m / n[:, None], rtol=1e-5, atol=1e-6)


def test_an_entry_without_codes_stays_for_ever():
    """Its sum and its count shrink together, and stop before they underflow."""
    book, entry = Codebook(jnp.array([[0.0], [3.0]]), jnp.ones(2)), 3.0
    move = jax.jit(lambda book: quantisation.move_codebook(book, jnp.ones((5, 1)), jnp.zeros(5, jnp.int32), 0.5))
    for _ in range(200):
        book = move(book)
    assert 0 < float(book.counts[1]) < 1e-5
    np.testing.assert_allclose(book.entries[1], entry, rtol=1e-4)
    np.testing.assert_allclose(book.entries[0], 1.0, rtol=1e-6)


def test_steps_with_the_decay_zero_are_k_means():
    """Lloyd's iterations, from the same codes; an empty entry stays, and sums are stored, not means."""
    z = jnp.concatenate([vectors(30, 2), 5 + vectors(30, 2)])
    book = quantisation.start_codebook(KEY, z, 4)
    start = np.asarray(book.entries, np.float64)
    assert {tuple(row) for row in start.tolist()} <= {tuple(row) for row in np.asarray(z, np.float64).tolist()}
    for _ in range(15):
        book = quantisation.move_codebook(book, z, quantisation.nearest_entry(z, book.entries), 0.0)
    means, labels = kmeans2(np.asarray(z, np.float64), start, iter=15, minit="matrix", missing="raise")
    np.testing.assert_allclose(book.entries, means, rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(book.counts, np.bincount(labels, minlength=4))
    np.testing.assert_allclose(book.sums, book.entries * book.counts[:, None], rtol=1e-6)


def test_a_start_takes_different_codes():
    z = vectors(8, 2)
    assert len(np.unique(np.asarray(quantisation.start_codebook(KEY, z, 8).sums), axis=0)) == 8
    chex.assert_shape(quantisation.start_codebook(KEY, z, 20).sums, (20, 2))


def test_only_what_is_hardly_used_starts_again():
    book, z = Codebook(jnp.array([[1.0], [2.0], [3.0]]), jnp.array([0.02, 1.0, 3.0])), jnp.full((5, 1), 7.0)
    restarted = quantisation.restart_unused(KEY, book, z, 0.1)
    np.testing.assert_allclose(restarted.entries[:, 0], [7, 2, 1])
    np.testing.assert_allclose(restarted.counts, [1, 1, 3])
    chex.assert_trees_all_equal(quantisation.restart_unused(KEY, book, z, 0.0), book)


@pytest.mark.parametrize("levels", [(2,), (3,), (4,), (5,), (8,), (2, 3), (8, 5, 5)])
def test_levels_are_even_symmetric_and_as_many_as_they_say(levels):
    z = jnp.asarray(list(itertools.product(*[np.linspace(-6, 6, 241 if len(levels) == 1 else 41)] * len(levels))))
    values = np.asarray(jax.jit(lambda z: quantisation.round_to_levels(z, levels))(z.astype(jnp.float32)))
    for dimension, count in enumerate(levels):
        found = np.unique(values[:, dimension].round(5))
        np.testing.assert_allclose(found, np.linspace(-1, 1, count), atol=1e-5)
        np.testing.assert_allclose(found, -found[::-1], atol=1e-5)
    numbers = np.asarray(quantisation.levels_to_numbers(jnp.asarray(values), levels))
    assert set(numbers.tolist()) == set(range(math.prod(levels)))
    np.testing.assert_allclose(quantisation.numbers_to_levels(jnp.asarray(numbers), levels), values, atol=1e-6)


@pytest.mark.parametrize("count", [2, 3, 4, 7, 8])
def test_rounding_comes_before_scaling_and_zero_is_in_the_middle_of_a_level(count):
    """Between two bounded codes that round alike nothing changes, and around zero lies a whole level."""
    half = (count - 1) * quantisation.SPAN / 2
    offset = 0.5 if count % 2 == 0 else 0.0
    shift = math.atanh(offset / half)
    for whole in range(-(count // 2), (count - 1) // 2 + 1):
        places = np.clip((whole + np.array([-0.49, 0.0, 0.49]) + offset) / half, -0.99999, 0.99999)
        z = jnp.asarray(np.arctanh(places) - shift, jnp.float32)[:, None]
        values = quantisation.round_to_levels(z, (count,))
        np.testing.assert_allclose(values[:, 0], 2 * (whole + offset) / (count - 1), atol=1e-5)
    np.testing.assert_allclose(np.tanh(shift) * half - offset, 0.0, atol=1e-12)


def test_gradients_pass_as_if_nothing_was_rounded():
    """d/dz of the value is that of the bounded code: (1 - tanh^2) half 2 / (L - 1)."""
    slope = jax.grad(lambda z: quantisation.round_to_levels(z[None], (5,))[0, 0])(jnp.array([0.3]))
    np.testing.assert_allclose(slope, (1 - math.tanh(0.3) ** 2) * quantisation.SPAN, rtol=1e-5)
    weight = jnp.array([2.0, -1.0])
    slope = jax.grad(lambda z: jnp.sum(weight * quantisation.straight_through(z, jnp.round(z))))(jnp.array([0.6, 1.2]))
    np.testing.assert_allclose(slope, weight)


def test_entropies_of_signs_are_those_of_all_corners():
    """q(c|z) ~ exp(-||z - c||^2) over the 2^d corners; the batch's is a bound, exact for one sign."""
    z = vectors(7, 3) / 2
    corners = np.array(list(itertools.product([-1.0, 1.0], repeat=3)))
    logits = -np.square(np.asarray(z, np.float64)[:, None] - corners[None]).sum(axis=-1)
    q = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    own, of_batch = quantisation.sign_entropies(z)
    np.testing.assert_allclose(own, -(q * np.log(q)).sum(axis=1), rtol=1e-5)
    mean = q.mean(axis=0)
    assert float(of_batch) >= -(mean * np.log(mean)).sum()
    share = q @ (corners[:, 1] > 0)  # of the second sign alone
    expected = -(share.mean() * np.log(share.mean()) + (1 - share.mean()) * np.log(1 - share.mean()))
    np.testing.assert_allclose(quantisation.sign_entropies(z[:, 1:2])[1], expected, rtol=1e-5)


def test_entropies_of_signs_have_finite_gradients_far_from_zero():
    slope = jax.grad(lambda z: sum(jnp.sum(value) for value in quantisation.sign_entropies(z)))
    assert np.isfinite(slope(jnp.array([[-1e3, 0.0], [-1e4, 1e4]]))).all()
    own, of_batch = quantisation.sign_entropies(jnp.array([[1e4, -1e4]]))
    np.testing.assert_allclose([own[0], of_batch], 0.0, atol=1e-5)


@pytest.mark.parametrize("count", [1, 2, 5])
def test_signs_are_numbered_by_their_bits(count):
    z = jnp.asarray(list(itertools.product([-0.5, 0.5], repeat=count)), jnp.float32)
    values = quantisation.round_to_signs(z)
    np.testing.assert_array_equal(values, np.sign(z))
    bits = (np.asarray(z) > 0) @ (2 ** np.arange(count))
    np.testing.assert_array_equal(quantisation.levels_to_numbers(values, (2,) * count), bits)
    slope = jax.grad(lambda z: jnp.sum(quantisation.round_to_signs(z) * 3))(z)
    np.testing.assert_array_equal(slope, 3)


def test_perplexity_counts_equally_frequent_codes():
    np.testing.assert_allclose(quantisation.perplexity(jnp.arange(30) % 5, 9), 5.0, rtol=1e-6)
    np.testing.assert_allclose(quantisation.perplexity(jnp.zeros((4, 2), jnp.int32), 9), 1.0, rtol=1e-6)
    share = np.array([0.5, 0.25, 0.25])
    expected = math.exp(-(share * np.log(share)).sum())
    np.testing.assert_allclose(quantisation.perplexity(jnp.array([0, 0, 1, 2]), 3), expected, rtol=1e-6)
