"""Convolutions in the form that a platform runs fastest, with the same parameters on all of them.

On a CPU the gradients of XLA's own convolutions are slower than matrix products by a factor of ten to a hundred; only
their forward pass is quick. So on a CPU a convolution is computed as its patches times its kernel. A transposed
convolution is computed as its values times the kernel, added up where the results overlap. Each is the transpose of the
other. All other platforms use XLA's own convolutions.

The forms for a CPU can be differentiated in reverse mode, to any order, and not in forward mode (`jax.jvp`).
"""

from collections.abc import Sequence
from functools import partial
from typing import NamedTuple, cast

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Bool, Float, Integer

Pair = tuple[int, int]
Padding = str | Sequence[Pair]

LAYOUT = ("NHWC", "HWIO", "NHWC")


class Windows(NamedTuple):
    """The positions of windows on an image, with a value per axis: tap u of window i lies at s i + d u - p.

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
        """Counts the windows along an axis."""
        reach = (self.taps[axis] - 1) * self.dilation[axis] + 1
        return (self.size[axis] + sum(self.pads[axis]) - reach) // self.strides[axis] + 1


def conv(
    x: Float[Array, "batch height width channels"],
    kernel: Float[Array, "k_h k_w channels features"],
    strides: Pair,
    padding: Padding,
    dilation: Pair = (1, 1),
) -> Float[Array, "batch new_height new_width features"]:
    """Computes what `lax.conv_general_dilated` returns.

    y[b, i, j, o] = sum_{u, v, c} x[b, s i + d u - p, s j + d v - p, c] kernel[u, v, c, o].

    Args:
      x: images.
      kernel: weights c to o at each tap.
      strides: s, one per axis.
      padding: 'SAME', 'VALID', or a pair (before, after) for each axis.
      dilation: d, the distance between a kernel's taps on each axis.
    """
    reach = [(k - 1) * d + 1 for k, d in zip(kernel.shape[:2], dilation, strict=True)]
    pads = lax.padtype_to_pads(x.shape[1:3], reach, strides, padding) if isinstance(padding, str) else padding
    windows = Windows(_pair(x.shape[1:3]), _pair(kernel.shape[:2]), _pair(strides), _pairs(pads), _pair(dilation))

    def as_product(x: Array, kernel: Array) -> Array:
        columns = cast(Array, patches(x, windows))  # [b, h', w', k_h k_w c]
        return _multiply(columns, kernel.reshape(columns.shape[-1], -1))

    def native(x: Array, kernel: Array) -> Array:
        return lax.conv_general_dilated(x, kernel, strides, pads, rhs_dilation=dilation, dimension_numbers=LAYOUT)

    return lax.platform_dependent(x, kernel, cpu=as_product, default=native)


def conv_transpose(
    x: Float[Array, "batch height width channels"],
    kernel: Float[Array, "k_h k_w channels features"],
    strides: Pair,
    padding: Padding,
) -> Float[Array, "batch new_height new_width features"]:
    """Computes what `lax.conv_transpose` returns: a convolution of x with s - 1 zeros between its values.

    Args:
      x: images.
      kernel: weights c to o at each tap.
      strides: s, one per axis.
      padding: 'SAME' (s times as large), 'VALID', or pairs of zeros around the spread-out x.
    """
    taps, c = kernel.shape[:2], kernel.shape[2]
    pads = (
        [spread_pads(k, s, padding) for k, s in zip(taps, strides, strict=True)]
        if isinstance(padding, str)
        else padding
    )
    sizes = [(n - 1) * s + 2 + sum(p) - k for n, s, p, k in zip(x.shape[1:3], strides, pads, taps, strict=True)]
    # Value i adds to the outputs s i + u - (k - 1 - p): these are the windows of the adjoint convolution.
    cut = [(k - 1 - before, k - 1 - after) for k, (before, after) in zip(taps, pads, strict=True)]
    windows = Windows(_pair(sizes), _pair(taps), _pair(strides), _pairs(cut))

    def as_product(x: Array, kernel: Array) -> Array:
        flipped = kernel[::-1, ::-1].transpose(2, 0, 1, 3)  # [c, k_h, k_w, o]
        return overlap_add(_multiply(x, flipped.reshape(c, -1)), windows)

    def native(x: Array, kernel: Array) -> Array:
        return lax.conv_transpose(x, kernel, strides, pads, dimension_numbers=LAYOUT)

    return lax.platform_dependent(x, kernel, cpu=as_product, default=native)


@partial(jax.custom_vjp, nondiff_argnums=(1,))
def patches(
    x: Float[Array, "batch height width channels"], windows: Windows
) -> Float[Array, "batch new_height new_width columns"]:
    """Puts the taps of every window side by side, in k_h k_w c columns.

    Taps that lie side by side in memory are copied as one run. XLA gathers each run in loops of vector instructions,
    and puts the runs together in one pass; with one index for each tap its loops would be scalar.
    """
    b, h, w, c = x.shape
    (top, bottom), (left, right) = windows.pads
    (h_taps, w_taps), (s_h, s_w), (d_h, d_w) = windows.taps, windows.strides, windows.dilation
    rows = lax.pad(
        x.reshape(b, h, w * c), jnp.zeros((), x.dtype), ((0, 0, 0), (top, bottom, 0), (left * c, right * c, 0))
    )
    width = left + w + right
    starts = s_h * np.arange(windows.count(0))[:, None] * width + s_w * np.arange(windows.count(1))  # [h', w']
    # The taps of a run, and the columns of the first taps: with a dilation no two taps lie side by side.
    length, columns = (w_taps, [0]) if d_w == 1 else (1, [d_w * v for v in range(w_taps)])
    taps = [d_h * u * width + column for u in range(h_taps) for column in columns]
    runs = [_gather_runs(rows, (starts + tap) * c, length * c) for tap in taps]
    return jnp.concatenate(runs, axis=1).reshape(b, *starts.shape, -1)


def _gather_runs(
    rows: Float[Array, "batch height columns"], starts: Integer[np.ndarray, "n m"], length: int
) -> Float[Array, "batch*n*m 1 {length}"]:
    """Takes runs of values that are side by side, from each image's values in a row."""
    b = rows.shape[0]
    numbers = lax.GatherDimensionNumbers(offset_dims=(0, 2), collapsed_slice_dims=(), start_index_map=(1,))
    indices = jnp.asarray(starts.reshape(-1, 1), jnp.int32)
    in_bounds = lax.GatherScatterMode.PROMISE_IN_BOUNDS
    return lax.gather(rows.reshape(b, -1), indices, numbers, (b, length), mode=in_bounds).reshape(-1, 1, length)


@partial(jax.custom_vjp, nondiff_argnums=(1,))
def overlap_add(
    columns: Float[Array, "batch new_height new_width columns"], windows: Windows
) -> Float[Array, "batch height width channels"]:
    """Computes the transpose of `patches`: each value is added to the pixel under its tap."""
    b, _, w, depth = columns.shape
    (h_taps, w_taps), c = windows.taps, depth // (windows.taps[0] * windows.taps[1])
    values = columns.reshape(b, -1, c)
    total = jnp.zeros((b, windows.size[0] * windows.size[1], c), values.dtype)
    for i, u, row_valid in _covering_taps(windows, 0):  # [h] each
        for j, v, column_valid in _covering_taps(windows, 1):  # [w] each
            source = ((i[:, None] * w + j) * h_taps + u[:, None]) * w_taps + v  # [h, w]
            valid = (row_valid[:, None] & column_valid).reshape(-1)
            under_tap = values.at[:, np.where(valid, source.reshape(-1), 0)].get(mode="promise_in_bounds")
            total += jnp.where(valid[:, None], under_tap, 0)
    return total.reshape(b, *windows.size, c)


patches.defvjp(lambda x, windows: (patches(x, windows), None), lambda windows, _, g: (overlap_add(g, windows),))
overlap_add.defvjp(lambda y, windows: (overlap_add(y, windows), None), lambda windows, _, g: (patches(g, windows),))


def _covering_taps(
    windows: Windows, axis: int
) -> list[tuple[Integer[np.ndarray, " n"], Integer[np.ndarray, " n"], Bool[np.ndarray, " n"]]]:
    """Lists which taps cover each of the n pixels along an axis.

    Each item of the list gives every pixel one window i and one tap u of it that lies on the pixel. Some pixels are
    covered by fewer taps than others; the item's third array says where the pair is valid.
    """
    s, d, p = windows.strides[axis], windows.dilation[axis], windows.pads[axis][0]
    pixels = np.arange(windows.size[axis])
    taps = np.arange(windows.taps[axis])
    i, remainder = np.divmod(pixels[:, None] + p - d * taps, s)  # [n, k]
    valid = (remainder == 0) & (i >= 0) & (i < windows.count(axis))
    largest = valid.sum(axis=1).max(initial=0)  # taps on one pixel
    valid_first = np.argsort(~valid, axis=1, kind="stable")[:, :largest].T  # [most, n]
    return [(i[pixels, tap], tap, valid[pixels, tap]) for tap in valid_first]


def _multiply(
    columns: Float[Array, "batch height width k"], kernel: Float[Array, "k features"]
) -> Float[Array, "batch height width features"]:
    b, h, w, k = columns.shape
    return cast(Array, product(columns.reshape(-1, k), kernel)).reshape(b, h, w, -1)


@jax.custom_vjp
def product(rows: Float[Array, "n k"], kernel: Float[Array, "k features"]) -> Float[Array, "n features"]:
    """Multiplies two matrices, of which the first has many more rows than columns."""
    return rows @ kernel


def _product_gradients(
    factors: tuple[Float[Array, "n k"], Float[Array, "k features"]], g: Float[Array, "n features"]
) -> tuple[Float[Array, "n k"], Float[Array, "k features"]]:
    """Computes the gradients of `product` by both factors.

    The second one is a sum over n, which runs twice as fast when the narrower matrix is the transposed one. Without
    the barrier XLA would swap the two matrices back.
    """
    rows, kernel = factors
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
    """Computes the zeros before and after an axis of the spread-out x, for a kernel of k taps and stride s.

    With 'SAME' n values become n s. With 'VALID' the result holds all values that x contributes to, and n s at least.
    """
    if padding == "VALID":
        return k - 1, max(k, s) - 1
    total = k + s - 2
    before = k - 1 if s > k - 1 else -(-total // 2)
    return before, total - before
