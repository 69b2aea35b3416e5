"""The order of the axes of an array of images: ours is examples, height, width, channels."""

import numpy as np

from genjax.data.source import Source, with_option
from genjax.types import InputError

CHANNELS = (1, 3)


def channels_last(source: Source, key: str, x: np.ndarray) -> np.ndarray:
    """Images `[N, H, W, C]` or `[N, H, W]` of an array whose axes may have another order.

    Args:
      source: whose option `axes` is their order, a letter each, such as `nchw` or `hwn`. Without it, that of four axes
        is told by the place of the channels, and other arrays are returned as they are.
      key: of the array, for an error's line.
      x: the array.

    Raises:
      InputError: two orders suit the shape, or `axes` does not name each axis once.
    """
    where, axes = f"{source.text}: {key!r}", source.options.get("axes")
    if axes is None:
        if x.ndim != 4:
            return x
        axes = _recognise(source, where, x.shape)
    if sorted(axes) not in (sorted("nhw"), sorted("nhwc")):
        raise InputError(f"{where}: axes={axes} must be n, h, w and, where there are channels, c in their order")
    if len(axes) != x.ndim:
        raise InputError(f"{where} has shape {x.shape}, but axes={axes} names {len(axes)} axes")
    return np.ascontiguousarray(x.transpose([axes.index(axis) for axis in "nhwc" if axis in axes]))


def _recognise(source: Source, where: str, shape: tuple[int, ...]) -> str:
    """The order that suits a shape; ours where none does, for `assemble` to refuse."""
    orders = [order for order in ("nhwc", "nchw") if shape[order.index("c")] in CHANNELS]
    if len(orders) == 2:
        choices = " or ".join(with_option(source, "axes", order) for order in orders)
        raise InputError(f"{where} has shape {shape}, with channels last or first; write {choices}")
    return orders[0] if orders else "hwcn" if shape[2] in CHANNELS else "nhwc"
