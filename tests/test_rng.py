"""The stateless shuffle and the named streams."""

import math

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.stats
from cases import slow

from genjax.rng import batch_indices, coarse_uniform, permute, stream

KEY = jax.random.key(0)


@pytest.mark.parametrize("n", [1, 2, 7, 1797, slow(3), slow(16), slow(100), slow(60_000)])
def test_each_epoch_is_a_permutation(n):
    position = jnp.arange(n, dtype=jnp.uint32)
    for epoch in (0, 1, 2**31):
        order = permute(KEY, jnp.full_like(position, epoch), position, n)
        chex.assert_shape(order, (n,))
        assert np.array_equal(np.sort(order), np.arange(n))


def test_epochs_and_keys_have_orders_of_their_own():
    position = jnp.arange(1000, dtype=jnp.uint32)
    orders = [permute(key, jnp.full_like(position, epoch), position, 1000) for key, epoch in keys_and_epochs()]
    for i, a in enumerate(orders):
        for b in orders[:i]:
            assert np.mean(np.asarray(a) == np.asarray(b)) < 0.02  # two random orders agree in one place of n


def keys_and_epochs():
    return [(KEY, 0), (KEY, 1), (KEY, 1000), (jax.random.key(1), 0)]


def test_the_order_looks_random():
    """Where each of 12 positions goes, over 6,000 epochs, is uniform by chi-squared; so is the pair of neighbours."""
    n, epochs = 12, 6000
    epoch = jnp.repeat(jnp.arange(epochs, dtype=jnp.uint32)[:, None], n, axis=1)
    position = jnp.repeat(jnp.arange(n, dtype=jnp.uint32)[None, :], epochs, axis=0)
    order = np.asarray(permute(KEY, epoch, position, n))  # [epochs, n]
    for p in range(n):
        counts = np.bincount(order[:, p], minlength=n)
        assert np.sum((counts - epochs / n) ** 2 / (epochs / n)) < 35  # 11 degrees of freedom: p about 2e-4
    pairs = np.bincount((order[:, 0] * n + order[:, 1]).astype(int), minlength=n * n).reshape(n, n)
    expected = epochs / (n * (n - 1))
    off = pairs[~np.eye(n, dtype=bool)]
    assert np.trace(pairs) == 0
    assert np.sum((off - expected) ** 2 / expected) < 200  # 131 degrees of freedom: p about 1e-4


@pytest.mark.parametrize(("n", "batch"), [(10, 4), (7, 20), slow(10, 10), slow(1797, 128)])
def test_a_stream_of_batches_sees_every_example_once_an_epoch(n, batch):
    steps = 3 * n  # a whole number of epochs
    seen = np.asarray(batch_indices(KEY, jnp.arange(steps), batch, n)).reshape(-1, n)
    assert np.array_equal(np.sort(seen, axis=1), np.broadcast_to(np.arange(n), seen.shape))


def test_a_step_depends_on_its_number_alone():
    whole = batch_indices(KEY, jnp.arange(50), 32, 300)
    assert np.array_equal(whole[20:30], batch_indices(KEY, jnp.arange(20, 30), 32, 300))
    assert np.array_equal(whole[25:26], jax.jit(lambda t: batch_indices(KEY, t[None], 32, 300))(jnp.int32(25)))


def test_no_overflow_in_long_runs():
    """At step 2^31 - 1 the example's number passes 2^38; Python's integers say where it must lie."""
    n, batch, t = 60_000, 128, 2**31 - 1
    number = [t * batch + i for i in range(batch)]
    epoch = jnp.array([p // n for p in number], jnp.uint32)
    position = jnp.array([p % n for p in number], jnp.uint32)
    expected = permute(KEY, epoch, position, n)
    assert np.array_equal(batch_indices(KEY, jnp.array([t]), batch, n)[0], expected)


def test_too_large_a_product_is_refused():
    with pytest.raises(ValueError, match=r"2\*\*32"):
        batch_indices(KEY, jnp.arange(1), 2**16, 2**16)


def test_streams_differ_by_name():
    words = {int(jax.random.bits(stream(KEY, name))) for name in ("init", "shuffle", "elbo", "evaluate")}
    assert len(words) == 4
    assert jax.random.bits(stream(KEY, "init")) == jax.random.bits(stream(KEY, "init"))


@pytest.mark.parametrize("bits", [1, 2, 4, 8, 16])
def test_coarse_numbers_are_uniform_and_independent(bits):
    u = np.asarray(coarse_uniform(jax.random.key(bits), (64, 999), bits))
    count = 2 ** min(bits, 4)
    seen = np.bincount((u.ravel() * count).astype(int), minlength=count)
    assert scipy.stats.chisquare(seen).pvalue > 1e-4
    np.testing.assert_array_equal(u * 2.0**bits % 1, 0.5)
    for lag in (1, 999 // (32 // bits) + 1):  # neighbours, and numbers that were cut out of the same word
        a, b = u[:, :-lag].ravel() - 0.5, u[:, lag:].ravel() - 0.5
        assert abs(np.mean(a * b) / np.var(u)) < 5 / math.sqrt(a.size)


@pytest.mark.parametrize("shape", [(), (5,), (3, 0), (2, 3, 5)])
def test_coarse_numbers_have_any_shape(shape):
    u = coarse_uniform(jax.random.key(0), shape, bits=8)
    chex.assert_shape(u, shape)
    assert bool(((u > 0) & (u < 1)).all())
