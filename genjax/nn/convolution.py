"""Convolutions in the form that a platform runs fastest, with the same parameters on all of them.

On a CPU XLA's own convolutions are quick forward, and in their gradients slower than matrix products by a factor of ten
to a hundred. There a convolution is its patches times its kernel, a transposed one its values times the kernel, added
up where they overlap; each is the other's transpose. Elsewhere a convolution stays a convolution.

On a CPU the two differentiate in reverse mode, to any order; `jax.jvp` does not pass them.
"""

from collections.abc import Sequence
from functools import partial
from typing import NamedTuple, cast

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from genjax.types import Array

Pair = tuple[int, int]
Padding = str | Sequence[Pair]

LAYOUT = ("NHWC", "HWIO", "NHWC")


class Windows(NamedTuple):
    """Where windows lie on an image, a value per axis: tap u of window i is at s i + d u - p.

    Attributes:
      size: of the image.
      taps: k, of a window.
      strides: s.
      pads: p before, and the zeros after.
      dilation: d.
    """

    size: Pair
    taps: Pair
    strides: Pair
    pads: tuple[Pair, Pair]
    dilation: Pair = (1, 1)

    def count(self, axis: int) -> int:
        """How many windows there are along an axis."""
        reach = (self.taps[axis] - 1) * self.dilation[axis] + 1
        return (self.size[axis] + sum(self.pads[axis]) - reach) // self.strides[axis] + 1


def conv(x: Array, kernel: Array, strides: Pair, padding: Padding, dilation: Pair = (1, 1)) -> Array:
    """y[b, i, j, o] = sum_{u, v, c} x[b, s i + d u - p, s j + d v - p, c] kernel[u, v, c, o].

    Args:
      x: `[b, h, w, c]`.
      kernel: `[k_h, k_w, c, o]`.
      strides: s, one per axis.
      padding: 'SAME', 'VALID', or a pair (before, after) for each axis.
      dilation: d, the distance of a kernel's taps on each axis.

    Returns:
      `[b, h', w', o]`, what `lax.conv_general_dilated` returns.
    """
    reach = [(k - 1) * d + 1 for k, d in zip(kernel.shape[:2], dilation, strict=True)]
    pads = lax.padtype_to_pads(x.shape[1:3], reach, strides, padding) if isinstance(padding, str) else padding
    windows = Windows(_pair(x.shape[1:3]), _pair(kernel.shape[:2]), _pair(strides), _pairs(pads), _pair(dilation))

    def multiplied(x: Array, kernel: Array) -> Array:
        columns = cast(Array, patches(x, windows))  # [b, h', w', k_h k_w c]
        return _times(columns, kernel.reshape(columns.shape[-1], -1))

    def native(x: Array, kernel: Array) -> Array:
        return lax.conv_general_dilated(x, kernel, strides, pads, rhs_dilation=dilation, dimension_numbers=LAYOUT)

    return lax.platform_dependent(x, kernel, cpu=multiplied, default=native)


def conv_transpose(x: Array, kernel: Array, strides: Pair, padding: Padding) -> Array:
    """A convolution of x with s - 1 zeros between its values: what `lax.conv_transpose` returns.

    Args:
      x: `[b, h, w, c]`.
      kernel: `[k_h, k_w, c, o]`.
      strides: s, one per axis.
      padding: 'SAME' (s times as large), 'VALID', or pairs of zeros around the spread-out x.

    Returns:
      `[b, h', w', o]`.
    """
    taps, c = kernel.shape[:2], kernel.shape[2]
    pads = (
        [spread_pads(k, s, padding) for k, s in zip(taps, strides, strict=True)]
        if isinstance(padding, str)
        else padding
    )
    sizes = [(n - 1) * s + 2 + sum(p) - k for n, s, p, k in zip(x.shape[1:3], strides, pads, taps, strict=True)]
    # Value i reaches the outputs s i + u, less the k - 1 - p that are cut off: the windows of the adjoint convolution.
    cut = [(k - 1 - before, k - 1 - after) for k, (before, after) in zip(taps, pads, strict=True)]
    windows = Windows(_pair(sizes), _pair(taps), _pair(strides), _pairs(cut))

    def multiplied(x: Array, kernel: Array) -> Array:
        turned = kernel[::-1, ::-1].transpose(2, 0, 1, 3)  # [c, k_h, k_w, o]
        return overlap_add(_times(x, turned.reshape(c, -1)), windows)

    def native(x: Array, kernel: Array) -> Array:
        return lax.conv_transpose(x, kernel, strides, pads, dimension_numbers=LAYOUT)

    return lax.platform_dependent(x, kernel, cpu=multiplied, default=native)


@partial(jax.custom_vjp, nondiff_argnums=(1,))
def patches(x: Array, windows: Windows) -> Array:
    """Every window's taps side by side: `[b, h, w, c]` -> `[b, h', w', k_h k_w c]`."""
    b, _, _, c = x.shape
    x = lax.pad(x, jnp.zeros((), x.dtype), ((0, 0, 0), *((*pad, 0) for pad in windows.pads), (0, 0, 0)))
    rows, columns = (
        s * np.arange(windows.count(axis))[:, None] + d * np.arange(windows.taps[axis])  # [h', k_h]
        for axis, (s, d) in enumerate(zip(windows.strides, windows.dilation, strict=True))
    )
    places = rows[:, None, :, None] * x.shape[2] + columns[None, :, None, :]  # [h', w', k_h, k_w]
    # One gather: XLA shares it between cores, where a concatenation of slices runs on one.
    found = x.reshape(b, -1, c).at[:, places.reshape(-1)].get(mode="promise_in_bounds")
    return found.reshape(b, *places.shape[:2], -1)


@partial(jax.custom_vjp, nondiff_argnums=(1,))
def overlap_add(columns: Array, windows: Windows) -> Array:
    """The transpose of `patches`: `[b, h', w', k_h k_w c]` -> `[b, h, w, c]`, each value added where its tap lies."""
    b, _, w, depth = columns.shape
    (h_taps, w_taps), c = windows.taps, depth // (windows.taps[0] * windows.taps[1])
    values = columns.reshape(b, -1, c)
    none = values.shape[1]  # the place of a row of zeros behind them
    values = lax.pad(values, jnp.zeros((), values.dtype), ((0, 0, 0), (0, 1, 0), (0, 0, 0)))
    total = jnp.zeros((b, windows.size[0] * windows.size[1], c), values.dtype)
    for i, u, there in _reaching(windows, 0):  # [h] each
        for j, v, here in _reaching(windows, 1):  # [w] each
            place = ((i[:, None] * w + j) * h_taps + u[:, None]) * w_taps + v  # [h, w]
            place = np.where(there[:, None] & here, place, none).reshape(-1)
            total += values.at[:, place].get(mode="promise_in_bounds")
    return total.reshape(b, *windows.size, c)


patches.defvjp(lambda x, windows: (patches(x, windows), None), lambda windows, _, g: (overlap_add(g, windows),))
overlap_add.defvjp(lambda y, windows: (overlap_add(y, windows), None), lambda windows, _, g: (patches(g, windows),))


def _reaching(windows: Windows, axis: int) -> list[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """The windows i and taps u that reach each place of an axis, `[n]` each, in as many rounds as the most need."""
    s, d, p = windows.strides[axis], windows.dilation[axis], windows.pads[axis][0]
    place, u = np.arange(windows.size[axis])[:, None], np.arange(windows.taps[axis])
    i, left = np.divmod(place + p - d * u, s)  # [n, k]
    there = (left == 0) & (i >= 0) & (i < windows.count(axis))
    first = np.argsort(~there, axis=1, kind="stable")[:, : there.sum(axis=1).max(initial=0)].T  # [rounds, n]
    every = np.arange(windows.size[axis])
    return [(i[every, tap], tap, there[every, tap]) for tap in first]


def _times(columns: Array, kernel: Array) -> Array:
    """`[b, h, w, k] [k, o] -> [b, h, w, o]`."""
    b, h, w, k = columns.shape
    return cast(Array, product(columns.reshape(-1, k), kernel)).reshape(b, h, w, -1)


@jax.custom_vjp
def product(rows: Array, kernel: Array) -> Array:
    """`[n, k] [k, o] -> [n, o]`, for n much larger than k and o."""
    return rows @ kernel


def _product_gradients(saved: tuple[Array, Array], g: Array) -> tuple[Array, Array]:
    """The sum over n runs twice as fast with the narrower factor turned; without the barrier XLA swaps the two back."""
    rows, kernel = saved
    over_n = (((0,), (0,)), ((), ()))
    if rows.shape[1] <= g.shape[1]:
        return g @ kernel.T, lax.dot_general(rows, g, over_n)
    return g @ kernel.T, lax.optimization_barrier(lax.dot_general(g, rows, over_n)).T


product.defvjp(lambda rows, kernel: (rows @ kernel, (rows, kernel)), _product_gradients)


def _pair(values: Sequence[int]) -> Pair:
    first, second = values
    return first, second


def _pairs(pads: Sequence[Sequence[int]]) -> tuple[Pair, Pair]:
    top_bottom, left_right = pads
    return _pair(top_bottom), _pair(left_right)


def spread_pads(k: int, s: int, padding: str) -> Pair:
    """Zeros around the spread-out x: 'SAME' gives n s values, 'VALID' every one that x reaches and n s at least."""
    if padding == "VALID":
        return k - 1, max(k, s) - 1
    total = k + s - 2
    before = k - 1 if s > k - 1 else -(-total // 2)
    return before, total - before
