"""Convolutions in the form that a platform runs fastest, with the same parameters on all of them.

On a CPU the gradients of XLA's own convolutions are slower than matrix products by a factor of ten to a hundred; only
their forward pass is quick. So on a CPU a convolution is computed as one matrix product between slices of its input and
sums of slices (`correlate`). All other platforms use XLA's own convolutions, unless `form` asks for products there too.
"""

import itertools
import math
from collections.abc import Callable, Sequence

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float

Pair = tuple[int, int]
Padding = str | Sequence[Pair]

LAYOUT = ("NHWC", "HWIO", "NHWC")

# The form of the convolutions that are traced inside `with form(...)`: "by_platform" or "products". Under `vmap` over
# kernels XLA's own convolutions become grouped ones, which a GPU's library may compute slowly; products become batched.
form = jax.make_user_context("by_platform")


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
      padding: 'SAME', 'VALID', or a pair (p, after) of zeros for each axis.
      dilation: d, the distance between a kernel's taps on each axis.
    """
    reach = [(k - 1) * d + 1 for k, d in zip(kernel.shape[:2], dilation, strict=True)]
    pads = lax.padtype_to_pads(x.shape[1:3], reach, strides, padding) if isinstance(padding, str) else padding
    size = _count_windows(x.shape[1:3], reach, strides, pads)

    def as_product(x: Array, kernel: Array) -> Array:
        # A group of s x s pixels counts as one: its rows are the axis p, its columns stand in the channels. The taps
        # are grouped alike, and the convolution of groups has stride 1.
        (s_h, s_w), (b, *_, c) = strides, x.shape
        weights = _group_taps(_spread_taps(kernel, dilation), strides)  # [t_h, t_w, s_h, s_w, c, o]
        before = [p for p, _ in pads]
        for axis, s in enumerate(strides):
            if s > 1:
                x = _pad_or_crop(x, 1 + axis, before[axis], s * (size[axis] + weights.shape[axis] - 1))
                before[axis] = 0
        groups = x.reshape(b, x.shape[1] // s_h, s_h, x.shape[2] // s_w, s_w * c)
        y = correlate(groups, weights.reshape(*weights.shape[:3], s_w * c, 1, kernel.shape[3]), before, size)
        return y[:, :, 0]

    def native(x: Array, kernel: Array) -> Array:
        return lax.conv_general_dilated(x, kernel, strides, pads, rhs_dilation=dilation, dimension_numbers=LAYOUT)

    return _in_form(as_product, native, x, kernel)


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
    taps = kernel.shape[:2]
    pads = (
        [spread_pads(k, s, padding) for k, s in zip(taps, strides, strict=True)]
        if isinstance(padding, str)
        else padding
    )
    size = _count_windows([(n - 1) * s + 1 for n, s in zip(x.shape[1:3], strides, strict=True)], taps, (1, 1), pads)

    def as_product(x: Array, kernel: Array) -> Array:
        # A group of s x s outputs counts as one. Output s i + r is the sum over u of
        # x[i - u] kernel[k - 1 - (s u + r)]: the taps are grouped from the last one, and the groups are turned.
        # Output k - 1 - p is the first that is returned.
        (s_h, s_w), (b, h, w, c) = strides, x.shape
        weights = _group_taps(kernel[::-1, ::-1], strides)[::-1, ::-1].transpose(0, 1, 4, 2, 3, 5)
        t_h, t_w, _, _, _, o = weights.shape  # [t_h, t_w, c, s_h, s_w, o]
        rows, columns = h + t_h - 1, w + t_w - 1
        groups = correlate(
            x[:, :, None], weights.reshape(t_h, t_w, 1, c, s_h, s_w * o), (t_h - 1, t_w - 1), (rows, columns)
        )
        y = groups.reshape(b, rows * s_h, columns * s_w, o)
        for axis, (k, (before, _)) in enumerate(zip(taps, pads, strict=True)):
            y = _pad_or_crop(y, 1 + axis, before - (k - 1), size[axis])
        return y

    def native(x: Array, kernel: Array) -> Array:
        return lax.conv_transpose(x, kernel, strides, pads, dimension_numbers=LAYOUT)

    return _in_form(as_product, native, x, kernel)


def _in_form(as_product: Callable[..., Array], native: Callable[..., Array], x: Array, kernel: Array) -> Array:
    if form.value == "products":
        return as_product(x, kernel)
    return lax.platform_dependent(x, kernel, cpu=as_product, default=native)


def correlate(
    x: Float[Array, "batch height p width c"],
    kernel: Float[Array, "t_h t_w p c q o"],
    before: Sequence[int],
    size: Sequence[int],
) -> Float[Array, "batch new_height q new_width o"]:
    """Computes y[b, i, q, j, o] = sum_{u, v, p, c} x[b, i + u - m_h, p, j + v - m_w, c] kernel[u, v, p, c, q, o].

    The taps of an axis are summed by the matrix product, for which the values under all taps are put side by side
    (im2col, Chellapilla et al. 2006), or after it, when it has computed a value for each tap (kn2row, Vasudevan et al.
    2017). Each axis is free to be either. With as many channels as features, 3x3 taps are summed by the product on one
    axis and after it on the other: that is 3 numbers for each channel before the product and 3 after it, where two axes
    of one kind take 9 and 1, or 1 and 9.

    Args:
      x: images, or groups of p rows.
      kernel: weights p, c to q, o at each tap.
      before: m, zeros before each axis.
      size: new_height, new_width.
    """
    *taps, p, c, q, o = kernel.shape
    by_product = _summed_by_product(taps, p * c, q * o)
    shifts = [range(-m, t - m) for m, t in zip(before, taps, strict=True)]
    gathered = [shift if inside else (0,) for shift, inside in zip(shifts, by_product, strict=True)]
    added = [(0,) if inside else shift for shift, inside in zip(shifts, by_product, strict=True)]
    grid = [m if inside else n for m, n, inside in zip(size, (x.shape[1], x.shape[3]), by_product, strict=True)]

    columns = _gather(x, list(itertools.product(*gathered)), grid)  # [b, h, w, gathered taps x p x c]
    (g_h, g_w), (a_h, a_w) = map(len, gathered), map(len, added)
    weights = kernel.reshape(g_h, a_h, g_w, a_w, p, c, q, o)
    values = _multiply(columns.reshape(-1, columns.shape[-1]), weights).reshape(*columns.shape[:3], a_h * a_w, q, o)
    return _add(values, list(itertools.product(*added)), size).astype(x.dtype)


def _summed_by_product(taps: Sequence[int], inputs: int, outputs: int) -> tuple[bool, bool]:
    """Says of each axis whether the product sums its taps.

    What has the fewest numbers at a position is taken: the inputs of the product, and what it returns.
    """

    def count_numbers(by_product: tuple[bool, bool]) -> int:
        taps_inside = math.prod(t for t, inside in zip(taps, by_product, strict=True) if inside)
        return taps_inside * inputs + math.prod(taps) // taps_inside * outputs

    return min(((False, True), (True, True), (False, False), (True, False)), key=count_numbers)


def _gather(
    x: Float[Array, "batch height p width c"], shifts: Sequence[tuple[int, ...]], size: Sequence[int]
) -> Float[Array, "batch {size[0]} {size[1]} columns"]:
    """Puts x[b, i + u, :, j + v] of all shifts (u, v) side by side, with zeros outside of x, ordered (shift, p, c)."""
    b, _, p, _, c = x.shape
    if len(shifts) == 1 and p == 1:
        return x[:, :, 0]
    (top, left), (bottom, right) = (tuple(map(end, zip(*shifts, strict=True))) for end in (min, max))
    x = _pad_or_crop(x, 1, -top, size[0] + bottom - top)
    x = _pad_or_crop(x, 3, -left, size[1] + right - left)
    slices = [
        x[:, u - top : u - top + size[0], row, v - left : v - left + size[1]] for u, v in shifts for row in range(p)
    ]
    columns = jnp.concatenate([part.reshape(b * math.prod(size), 1, c) for part in slices], axis=1)
    return columns.reshape(b, *size, len(slices) * c)


def _multiply(columns: Float[Array, "n k"], weights: Float[Array, "g_h a_h g_w a_w p c q o"]) -> Float[Array, "n m"]:
    """Sums columns, one for each (g_h, g_w, p, c), into values, one for each (a_h, a_w, q, o).

    The gradient by the weights is a product of the columns and the gradient of the values, one of them transposed. It
    is up to twice as fast if that is the narrower one. Automatic differentiation transposes the columns if the weights
    are a matrix [k, m], and the values' gradient if they are one [m, k].
    """
    k, m = columns.shape[1], weights.size // columns.shape[1]
    if k <= m:
        matrix, of_weights = weights.transpose(0, 2, 4, 5, 1, 3, 6, 7).reshape(k, m), 0
    else:
        matrix, of_weights = weights.transpose(1, 3, 6, 7, 0, 2, 4, 5).reshape(m, k), 1
    wide = jnp.promote_types(columns.dtype, jnp.float32)  # half precision waits until all taps are added
    return lax.dot_general(columns, matrix, (((1,), (of_weights,)), ((), ())), preferred_element_type=wide)


def _add(
    values: Float[Array, "batch height width taps q o"], shifts: Sequence[tuple[int, ...]], size: Sequence[int]
) -> Float[Array, "batch {size[0]} q {size[1]} o"]:
    """Computes y[b, i, q, j] = sum of values[b, i + u, j + v, (u, v), q] over all shifts (u, v)."""
    b, h, w, taps, q, o = values.shape
    slices = jnp.split(values.reshape(b, h, w, taps * q * o), taps * q, axis=-1)  # [b, h, w, o] each
    placed = [
        _pad_or_crop(_pad_or_crop(part, 1, -u, size[0]), 2, -v, size[1])
        for part, ((u, v), _) in zip(slices, itertools.product(shifts, range(q)), strict=True)
    ]
    return jnp.stack([sum(placed[row::q]) for row in range(q)], axis=2)


def _pad_or_crop(x: Float[Array, "..."], axis: int, before: int, size: int) -> Float[Array, "..."]:
    """Moves x by `before` along an axis of the given size, with zeros outside of x, and crops what lies beyond."""
    after = size - before - x.shape[axis]
    if before == after == 0:
        return x
    return lax.pad(x, jnp.zeros((), x.dtype), [(before, after, 0) if i == axis else (0, 0, 0) for i in range(x.ndim)])


def _spread_taps(kernel: Float[Array, "k_h k_w c o"], dilation: Pair) -> Float[Array, "r_h r_w c o"]:
    """Puts d - 1 zeros between the taps of each axis."""
    zeros = [(0, 0, d - 1) for d in dilation]
    return lax.pad(kernel, jnp.zeros((), kernel.dtype), [*zeros, (0, 0, 0), (0, 0, 0)])


def _group_taps(kernel: Float[Array, "k_h k_w c o"], strides: Pair) -> Float[Array, "t_h t_w s_h s_w c o"]:
    """Puts s taps of each axis into a group; the last group ends with zeros."""
    (s_h, s_w), (k_h, k_w, c, o) = strides, kernel.shape
    t_h, t_w = -(-k_h // s_h), -(-k_w // s_w)
    padded = _pad_or_crop(_pad_or_crop(kernel, 0, 0, t_h * s_h), 1, 0, t_w * s_w)
    return padded.reshape(t_h, s_h, t_w, s_w, c, o).swapaxes(1, 2)


def _count_windows(
    size: Sequence[int], reach: Sequence[int], strides: Pair, pads: Sequence[Sequence[int]]
) -> list[int]:
    """Counts the windows along each axis."""
    return [max(0, (n + sum(p) - r) // s + 1) for n, r, s, p in zip(size, reach, strides, pads, strict=True)]


def spread_pads(k: int, s: int, padding: str) -> Pair:
    """Computes the zeros before and after an axis of the spread-out x, for a kernel of k taps and stride s.

    With 'SAME' n values become n s. With 'VALID' the result holds all values that x contributes to, and n s at least.

    Raises:
      ValueError: the padding is neither.
    """
    if padding not in ("SAME", "VALID"):
        raise ValueError(f"the padding of a transposed convolution is 'SAME', 'VALID' or pairs, not {padding!r}")
    if padding == "VALID":
        return k - 1, max(k, s) - 1
    total = k + s - 2
    before = k - 1 if s > k - 1 else -(-total // 2)
    return before, total - before
