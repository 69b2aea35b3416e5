"""Randomness that depends on (seed, step) alone, so that a run can be resumed at any step to the same bit.

No key is split along a chain. A root key gives one stream per use, by name, and a stream gives one key per step.
The order of the examples is a stateless permutation: nothing about it needs to be stored.
"""

import math
import zlib

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Integer, Key, UInt32

HALF_ROUNDS = 8


def stream(root: Key[Array, ""], name: str) -> Key[Array, ""]:
    """Derives the key of one named use of randomness, such as `"shuffle"` or `"elbo"`.

    Example:
      >>> root = jax.random.key(0)
      >>> bool(stream(root, "shuffle") == stream(root, "elbo"))
      False
    """
    return jax.random.fold_in(root, zlib.crc32(name.encode()))


def coarse_uniform(key: Key[Array, ""], shape: tuple[int, ...], bits: int) -> Float[Array, "*shape"]:
    """Draws from the middles of 2^bits equal parts of [0, 1], at the cost of `bits` random bits for each number.

    `jax.random.bits` computes a hash for every number, however few of its bits are asked for, and noise of the size of
    an image is a tenth of a small model's step. Here a word of 32 bits is cut into several numbers. They lie in one row
    of the leading axis, so that devices which share a batch have nothing to exchange.

    Args:
      key: of the draws.
      shape: of the result.
      bits: of each number, 1, 2, 4, 8 or 16.

    Example:
      >>> u = coarse_uniform(jax.random.key(0), (3, 5), bits=2)
      >>> bool(jnp.isin(u, jnp.array([1, 3, 5, 7]) / 8).all())
      True
    """
    of_word = 32 // bits
    rows = shape[0] if shape else 1
    of_row = math.prod(shape[1:])
    words = jax.random.bits(key, (rows, -(-of_row // of_word)), jnp.uint32)
    parts = [words >> jnp.uint32(bits * i) & jnp.uint32(2**bits - 1) for i in range(of_word)]
    numbers = jnp.concatenate(parts, axis=1)[:, :of_row].reshape(shape)
    return (numbers.astype(jnp.float32) + 0.5) / 2.0**bits


def batch_indices(
    key: Key[Array, ""], steps: Integer[Array, " steps"], batch: int, n: int
) -> UInt32[Array, "steps {batch}"]:
    """Computes the indices of the examples that each step sees; every epoch holds every example once.

    The stream of examples is cut into batches without regard to epochs: step `t` takes the positions
    `t * batch ... (t + 1) * batch - 1`, and position `p` belongs to epoch `p // n`.

    Args:
      key: of the order of the examples.
      steps: numbers of the steps.
      batch: examples per step.
      n: examples in the data set.

    Returns:
      Indices from 0 to `n - 1`.

    Raises:
      ValueError: `(n + 1) * batch` does not fit into 32 bits.

    Example:
      >>> indices = batch_indices(jax.random.key(0), jnp.arange(3), batch=2, n=6)
      >>> sorted(indices.ravel().tolist())
      [0, 1, 2, 3, 4, 5]
    """
    if (n + 1) * batch > 2**32:
        raise ValueError(f"a batch of {batch} from {n} examples: their product must stay below 2**32")
    # t * batch overflows in long runs; with t = cycle * n + rest, rest * batch cannot.
    cycle, rest = jnp.divmod(steps.astype(jnp.uint32)[:, None], jnp.uint32(n))  # [T, 1]
    offset = rest * jnp.uint32(batch) + jnp.arange(batch, dtype=jnp.uint32)[None, :]  # [T, batch]
    epoch = cycle * jnp.uint32(batch) + offset // jnp.uint32(n)
    return permute(key, epoch, offset % jnp.uint32(n), n)


def permute(
    key: Key[Array, ""], epoch: UInt32[Array, "*shape"], position: UInt32[Array, "*shape"], n: int
) -> UInt32[Array, "*shape"]:
    """Maps each position of an epoch to an example, by that epoch's permutation of `range(n)`.

    The permutation is a Feistel network on pairs (l, r) in Z_a x Z_b with n <= a b < n + a. Each half-round adds a hash
    of one half to the other half, which is a bijection whatever the hash is. A result outside `range(n)` is sent
    through the network again until it lies inside (cycle walking, Black & Rogaway 2002); at most one position in about
    sqrt(n) needs it.

    Args:
      key: of the family of permutations.
      epoch: number of the epoch.
      position: of the example in the epoch, less than `n`.
      n: size of the permuted set.

    Returns:
      Indices from 0 to `n - 1`.

    Example:
      >>> position = jnp.arange(5, dtype=jnp.uint32)
      >>> sorted(permute(jax.random.key(0), jnp.zeros_like(position), position, 5).tolist())
      [0, 1, 2, 3, 4]
    """
    a = math.isqrt(n - 1) + 1
    b = -(-n // a)
    words = jax.random.bits(key, (HALF_ROUNDS,), jnp.uint32)

    def network(p: UInt32[Array, "*shape"]) -> UInt32[Array, "*shape"]:
        left, right = p // b, p % b
        for word in range(0, HALF_ROUNDS, 2):
            left = (left + _hash(right, epoch, words[word]) % a) % a
            right = (right + _hash(left, epoch, words[word + 1]) % b) % b
        return left * b + right

    return jax.lax.while_loop(lambda p: jnp.any(p >= n), lambda p: jnp.where(p >= n, network(p), p), network(position))


def _hash(
    half: UInt32[Array, "*shape"], epoch: UInt32[Array, "*shape"], word: UInt32[Array, ""]
) -> UInt32[Array, "*shape"]:
    """Mixes three inputs with Murmur3's finaliser, in which every input bit changes every output bit."""
    h = half * jnp.uint32(0x9E3779B1) ^ epoch * jnp.uint32(0x85EBCA77) ^ word
    h = (h ^ h >> 16) * jnp.uint32(0x85EBCA6B)
    h = (h ^ h >> 13) * jnp.uint32(0xC2B2AE35)
    return h ^ h >> 16


def evenly_spaced(count: int, n: int) -> Integer[np.ndarray, " indices"]:
    """Computes `min(count, n)` evenly spaced indices of n examples, so that data sorted by class lose no class.

    Example:
      >>> evenly_spaced(3, 9).tolist()
      [0, 3, 6]
    """
    count = min(count, n)
    return np.arange(count) * n // count
