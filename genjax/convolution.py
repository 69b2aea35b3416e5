"""Convolutions in the form that a platform runs fastest, with the same parameters on all of them.

On a CPU XLA's own convolutions are quick forward, and in their gradients slower than matrix products by a factor of ten
to a hundred, so there a convolution is its patches times its kernel. Elsewhere it stays a convolution.
"""

from collections.abc import Sequence

import jax
import jax.numpy as jnp
from jax import lax

from genjax.types import Array

Pair = tuple[int, int]
Padding = str | Sequence[Pair]

LAYOUT = ("NHWC", "HWIO", "NHWC")


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
    window = [(k - 1) * d + 1 for k, d in zip(kernel.shape[:2], dilation, strict=True)]
    pads = lax.padtype_to_pads(x.shape[1:3], window, strides, padding) if isinstance(padding, str) else padding
    return lax.platform_dependent(
        x,
        kernel,
        cpu=lambda x, kernel: _product(x, kernel, strides, pads, dilation),
        default=lambda x, kernel: lax.conv_general_dilated(
            x, kernel, strides, pads, rhs_dilation=dilation, dimension_numbers=LAYOUT
        ),
    )


def conv_transpose(x: Array, kernel: Array, strides: Pair, padding: Padding) -> Array:
    """A convolution of x with s - 1 zeros between its values: what `lax.conv_transpose` returns.

    It is the linear transpose of `conv` with the kernel turned round and its channels swapped, so on a CPU it is
    x times the kernel, each product added where its tap falls.

    Args:
      x: `[b, h, w, c]`.
      kernel: `[k_h, k_w, c, o]`.
      strides: s, one per axis.
      padding: 'SAME' (s times as large), 'VALID', or pairs of zeros around the spread-out x.

    Returns:
      `[b, h', w', o]`.
    """
    sizes, window = x.shape[1:3], kernel.shape[:2]
    pads = [
        _spread_pads(k, s, padding) if isinstance(padding, str) else padding[axis]
        for axis, (k, s) in enumerate(zip(window, strides, strict=True))
    ]
    out = [(n - 1) * s + 1 + sum(p) - k + 1 for n, s, p, k in zip(sizes, strides, pads, window, strict=True)]
    cut = [(k - 1 - before, k - 1 - after) for k, (before, after) in zip(window, pads, strict=True)]
    like = jax.ShapeDtypeStruct((x.shape[0], *out, kernel.shape[3]), x.dtype)

    def product(x: Array, kernel: Array) -> Array:
        turned = kernel[::-1, ::-1].swapaxes(2, 3)  # [k_h, k_w, o, c]
        return jax.linear_transpose(lambda y: _product(y, turned, strides, cut, (1, 1)), like)(x)[0]

    def native(x: Array, kernel: Array) -> Array:
        return lax.conv_transpose(x, kernel, strides, pads, dimension_numbers=LAYOUT)

    return lax.platform_dependent(x, kernel, cpu=product, default=native)


def patches(x: Array, window: Pair, strides: Pair, pads: Sequence[Pair], dilation: Pair = (1, 1)) -> Array:
    """Every window of x, its taps side by side: `[b, h, w, c]` -> `[b, h', w', k_h k_w c]`."""
    x = lax.pad(x, jnp.zeros((), x.dtype), ((0, 0, 0), *((*pad, 0) for pad in pads), (0, 0, 0)))
    rows, columns = (
        [(tap * d, tap * d + (n - (k - 1) * d - 1) // s * s + 1) for tap in range(k)]
        for n, k, s, d in zip(x.shape[1:3], window, strides, dilation, strict=True)
    )
    b, c, (s_h, s_w) = x.shape[0], x.shape[3], strides
    taps = [
        lax.slice(x, (0, top, left, 0), (b, bottom, right, c), (1, s_h, s_w, 1))
        for top, bottom in rows
        for left, right in columns
    ]
    return jnp.concatenate(taps, axis=-1)


def _product(x: Array, kernel: Array, strides: Pair, pads: Sequence[Pair], dilation: Pair) -> Array:
    *window, _, features = kernel.shape
    columns = patches(x, tuple(window), strides, pads, dilation)  # [b, h', w', k_h k_w c]
    rows = columns.reshape(-1, columns.shape[-1])  # [b h' w', k_h k_w c]
    return (rows @ kernel.reshape(-1, features)).reshape(*columns.shape[:3], features)


def _spread_pads(k: int, s: int, padding: str) -> Pair:
    """Zeros around the spread-out x: 'SAME' gives n s values, 'VALID' every one that x reaches and n s at least."""
    if padding == "VALID":
        return k - 1, max(k, s) - 1
    total = k + s - 2
    before = k - 1 if s > k - 1 else -(-total // 2)
    return before, total - before
