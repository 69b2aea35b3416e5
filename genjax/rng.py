"""Randomness that depends on (seed, step) alone, so that a run can be resumed at any step to the same bit.

No key is split along a chain. A root key gives one stream per use, by name, and a stream gives one key per step.
The order of the examples is a stateless permutation: nothing about it needs to be stored.
"""

import math
import zlib

import jax
import jax.numpy as jnp
import numpy as np

from genjax.types import Array, Key

HALF_ROUNDS = 8


def stream(root: Key, name: str) -> Key:
    """The key of one named use of randomness, such as `"shuffle"` or `"elbo"`."""
    return jax.random.fold_in(root, zlib.crc32(name.encode()))


def batch_indices(key: Key, steps: Array, batch: int, n: int) -> Array:
    """Indices of the examples that each step sees; every example is seen once in every epoch.

    The stream of examples is cut into batches without regard to epochs: step `t` takes the positions
    `t * batch ... (t + 1) * batch - 1`, and position `p` belongs to epoch `p // n`.

    Args:
      key: of the order of the examples.
      steps: `[T]`, the steps' numbers.
      batch: examples per step.
      n: examples in the data set.

    Returns:
      `[T, batch]` uint32, less than `n`.
    """
    if (n + 1) * batch > 2**32:
        raise ValueError(f"a batch of {batch} from {n} examples: their product must stay below 2**32")
    # t * batch overflows in long runs; with t = cycle * n + rest, rest * batch cannot.
    cycle, rest = jnp.divmod(steps.astype(jnp.uint32)[:, None], jnp.uint32(n))  # [T, 1]
    offset = rest * jnp.uint32(batch) + jnp.arange(batch, dtype=jnp.uint32)[None, :]  # [T, batch]
    epoch = cycle * jnp.uint32(batch) + offset // jnp.uint32(n)
    return permute(key, epoch, offset % jnp.uint32(n), n)


def permute(key: Key, epoch: Array, position: Array, n: int) -> Array:
    """Where a position of an epoch lies under that epoch's permutation of `range(n)`.

    A Feistel network on pairs (l, r) in Z_a x Z_b with n <= a b < n + a: each half-round adds a hash of one half to the
    other, which is a bijection whatever the hash. An image outside `range(n)` is sent through the network again until
    it falls inside (cycle walking, Black & Rogaway 2002); at most one position in about sqrt(n) needs it.

    Args:
      key: of the family of permutations.
      epoch, position: uint32 arrays of one shape, `position < n`.
      n: the size of the permuted set.

    Returns:
      uint32 of the same shape, less than `n`.
    """
    a = math.isqrt(n - 1) + 1
    b = -(-n // a)
    words = jax.random.bits(key, (HALF_ROUNDS,), jnp.uint32)

    def network(p: Array) -> Array:
        left, right = p // b, p % b
        for word in range(0, HALF_ROUNDS, 2):
            left = (left + _hash(right, epoch, words[word]) % a) % a
            right = (right + _hash(left, epoch, words[word + 1]) % b) % b
        return left * b + right

    return jax.lax.while_loop(lambda p: jnp.any(p >= n), lambda p: jnp.where(p >= n, network(p), p), network(position))


def _hash(half: Array, epoch: Array, word: Array) -> Array:
    """Murmur3's finaliser, which lets every input bit reach every output bit, over the three inputs."""
    h = half * jnp.uint32(0x9E3779B1) ^ epoch * jnp.uint32(0x85EBCA77) ^ word
    h = (h ^ h >> 16) * jnp.uint32(0x85EBCA6B)
    h = (h ^ h >> 13) * jnp.uint32(0xC2B2AE35)
    return h ^ h >> 16


def evenly_spaced(count: int, n: int) -> np.ndarray:
    """Indices of `min(count, n)` of n examples, evenly spaced: an order by class leaves no class out."""
    count = min(count, n)
    return np.arange(count) * n // count
