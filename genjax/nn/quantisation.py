"""Discrete codes: the nearest entry of a codebook that follows its codes, and rounding to levels or to signs."""

import math
from collections.abc import Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int, Key

Vectors = Float[Array, "n dimensions"]
Numbers = Int[Array, " n"]
LEAST_COUNT = 1e-6  # below which a count no longer shrinks, so that a mean stays a mean
SURE = 1e-7  # a mean share so near to 0 or 1 has no gradient, where log 0 would have none that is finite
SPAN = 1.001  # of a bounded code over its outermost levels, which tanh would reach at infinity only


class Codebook(NamedTuple):
    """Moving averages of the codes that were nearest to each entry; an entry is `sums / counts`.

    Attributes:
      sums: of the codes.
      counts: of how many there were.
    """

    sums: Float[Array, "size dimensions"]
    counts: Float[Array, " size"]

    @property
    def entries(self) -> Float[Array, "size dimensions"]:
        """The mean of the codes of each entry."""
        return self.sums / self.counts[:, None]


def straight_through(z: Float[Array, "*shape"], value: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
    """Returns the value, and passes its gradient to z as if nothing was rounded (Bengio et al. 2013).

    Example:
      >>> print(jax.grad(lambda z: 3 * straight_through(z, jnp.round(z)))(0.7))
      3.0
    """
    return z + jax.lax.stop_gradient(value - z)


def nearest_entry(z: Vectors, entries: Float[Array, "size dimensions"]) -> Numbers:
    """Finds the entry of a codebook with the least distance to each vector.

    ||z - e||^2 = ||z||^2 - 2 z e' + ||e||^2, whose first term is the same for all entries: one product.

    Example:
      >>> print(nearest_entry(jnp.array([[0.9], [0.2]]), jnp.array([[0.0], [1.0]])))
      [1 0]
    """
    products = jnp.matmul(z, entries.T, precision="highest")  # [n, size]
    return jnp.argmin(jnp.sum(jnp.square(entries), axis=1)[None] - 2 * products, axis=1)


def start_codebook(rng: Key[Array, ""], z: Vectors, size: int) -> Codebook:
    """Makes a codebook of codes that are drawn from z, with counts of one."""
    return Codebook(z[_draw_rows(rng, len(z), size)], jnp.ones(size))


def move_codebook(book: Codebook, z: Vectors, numbers: Numbers, decay: Array | float) -> Codebook:
    """Moves a codebook's averages by the codes of a batch (van den Oord et al. 2017, appendix A.1).

    With the decay 0 an entry becomes the mean of its codes, and stays where it is if it has none: a step of k-means.

    Args:
      book: that the codes were compared with.
      z: the codes, without gradient.
      numbers: the nearest entry of each.
      decay: of the averages.

    Example:
      >>> book = Codebook(jnp.array([[0.0], [4.0]]), jnp.ones(2))
      >>> moved = move_codebook(book, jnp.array([[3.0], [5.0]]), jnp.array([1, 1]), 0.5)
      >>> print(moved.counts, moved.entries.T)
      [0.5 1.5] [[0. 4.]]
    """
    one_hot = jax.nn.one_hot(numbers, len(book.counts))  # [n, size]
    counts, sums = jnp.sum(one_hot, axis=0), jnp.matmul(one_hot.T, z, precision="highest")
    shrinks = (counts > 0) | (decay * book.counts >= LEAST_COUNT)  # else sums / counts would lose its meaning
    decays = jnp.where(shrinks, decay, 1.0)
    return Codebook(
        decays[:, None] * book.sums + (1 - decay) * sums,
        decays * book.counts + (1 - decay) * counts,
    )


def restart_unused(rng: Key[Array, ""], book: Codebook, z: Vectors, least_share: Array | float) -> Codebook:
    """Replaces each entry that is hardly used by a code of the batch, with a count of one (Dhariwal et al. 2020).

    Args:
      rng: key of the codes.
      book: after its move.
      z: codes of the batch, without gradient.
      least_share: of the mean count, below which an entry is replaced; 0 for never.

    Example:
      >>> book = Codebook(jnp.array([[0.0], [4.0]]), jnp.array([1e-3, 4.0]))
      >>> print(restart_unused(jax.random.key(0), book, jnp.array([[3.0]]), 0.01).entries.T)
      [[3. 1.]]
    """
    unused = book.counts < least_share * jnp.mean(book.counts)
    replacements = z[_draw_rows(rng, len(z), len(book.counts))]
    return Codebook(jnp.where(unused[:, None], replacements, book.sums), jnp.where(unused, 1.0, book.counts))


def perplexity(numbers: Int[Array, "..."], size: int) -> Float[Array, ""]:
    """Computes exp(H) of the frequencies of codes: how many there would be if they were equally frequent.

    Example:
      >>> print(perplexity(jnp.array([0, 1, 0, 1]), 8))
      2.0
    """
    share = jnp.bincount(numbers.reshape(-1), length=size) / numbers.size
    return jnp.exp(-jnp.sum(jax.scipy.special.xlogy(share, share)))


def round_to_levels(z: Float[Array, "n dimensions"], levels: Sequence[int]) -> Float[Array, "n dimensions"]:
    """Bounds each dimension and rounds it to one of its levels, evenly spaced in [-1, 1] (Mentzer et al. 2024).

    L levels are half-integers apart from zero where L is even. tanh(z + s) (L - 1) / 2 is therefore shifted by a half
    before it is rounded, with s = atanh of the shift's share, so that z = 0 stays in the middle of a level. The
    gradient passes the rounding unchanged.

    Args:
      z: codes on the real line.
      levels: L of each dimension.

    Example:
      >>> print(round_to_levels(jnp.array([[-9.0, -9.0], [0.1, 0.9], [9.0, 9.0]]), (3, 5)))
      [[-1.  -1. ]
       [ 0.   0.5]
       [ 1.   1. ]]
    """
    count = np.asarray(levels, np.float32)[None]
    half, offset = (count - 1) * SPAN / 2, np.where(count % 2 == 0, 0.5, 0.0).astype(np.float32)
    bounded = jnp.tanh(z + np.arctanh(offset / half)) * half - offset
    return (straight_through(bounded, jnp.round(bounded)) + offset) * 2 / (count - 1)


def round_to_signs(z: Float[Array, "n dimensions"]) -> Float[Array, "n dimensions"]:
    """Rounds each dimension to -1 or 1, the nearer one (Yu et al. 2024); the gradient passes the rounding unchanged.

    Example:
      >>> print(round_to_signs(jnp.array([[-0.2, 3.0]])))
      [[-1.  1.]]
    """
    return straight_through(z, jnp.where(z > 0, 1.0, -1.0))


def sign_entropies(z: Float[Array, "n dimensions"]) -> tuple[Float[Array, " n"], Float[Array, ""]]:
    """Computes how uncertain the signs of a vector are, and how evenly the batch uses them, in nats.

    q(c|z) ~ exp(-||z - c||^2) over the corners c of {-1, 1}^d has independent signs, with q(c_i = 1|z) =
    sigmoid(4 z_i). So H(q(.|z)) is a sum over the dimensions. The entropy of the batch's mean E q is bounded by the
    sum over the dimensions as well, without the 2^d corners (Zhao et al. 2024).

    Returns:
      H(q(.|z)) of each vector, and sum_i H(E q(c_i|z)).

    Example:
      >>> own, of_batch = sign_entropies(jnp.array([[0.0], [9.0], [-9.0]]))
      >>> print(own.round(3), of_batch.round(3))
      [0.693 0.    0.   ] 0.693
    """
    share = jax.nn.sigmoid(4 * z)
    # H(sigmoid(a)) = softplus(a) - a sigmoid(a), which stays exact where the sigmoid has reached 1.
    own = jnp.sum(jax.nn.softplus(4 * z) - 4 * z * share, axis=1)
    mean = jnp.clip(jnp.mean(share, axis=0), SURE, 1 - SURE)
    of_batch = -jnp.sum(mean * jnp.log(mean) + (1 - mean) * jnp.log1p(-mean))
    return own, of_batch


def levels_to_numbers(values: Float[Array, "n dimensions"], levels: Sequence[int]) -> Numbers:
    """Numbers rounded codes from 0 to the product of the levels - 1; the first dimension changes fastest.

    Example:
      >>> print(levels_to_numbers(jnp.array([[-1.0, -1.0], [1.0, -1.0], [1.0, 1.0]]), (3, 4)))
      [ 0  2 11]
    """
    places = jnp.round((values + 1) * (np.asarray(levels, np.float32)[None] - 1) / 2).astype(jnp.int32)
    return jnp.sum(places * _strides(levels), axis=-1)


def numbers_to_levels(numbers: Numbers, levels: Sequence[int]) -> Float[Array, "n dimensions"]:
    """Computes the rounded codes of numbers: the inverse of `levels_to_numbers`.

    Example:
      >>> print(numbers_to_levels(jnp.array([2]), (3, 4)))
      [[ 1. -1.]]
    """
    count = np.asarray(levels, np.int32)[None]
    places = numbers[:, None] // _strides(levels) % count
    return places * (2 / (count.astype(np.float32) - 1)) - 1


def _strides(levels: Sequence[int]) -> np.ndarray:
    """By how much a step of each dimension changes a number, `[1, dimensions]`."""
    return np.array([[math.prod(levels[:i]) for i in range(len(levels))]], np.int32)


def _draw_rows(rng: Key[Array, ""], rows: int, count: int) -> Int[Array, " {count}"]:
    """So many rows, each once as long as there are enough."""
    if rows >= count:
        return jax.random.permutation(rng, rows)[:count]
    return jax.random.randint(rng, (count,), 0, rows)
