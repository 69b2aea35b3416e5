"""Images of files: decoded by Pillow, cut and resized, and stacked to one array."""

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import numpy as np

from genjax.data.source import Source, whole_number, with_option
from genjax.system.troubles import is_trouble
from genjax.types import InputError

if TYPE_CHECKING:  # Pillow is imported where an image is read
    from PIL.Image import Image

FORMATS = ("PNG", "JPEG", "GIF", "BMP", "PPM", "TIFF", "WEBP")  # for some others Pillow starts a program
LARGEST = 4096  # pixels a side to which an image is resized


def read_size(source: Source) -> int | None:
    """The option `resize` of a source: pixels a side; None where it does not have it."""
    return whole_number(source, "resize", LARGEST)


def decode(file: BinaryIO, name: str, size: int | None = None) -> np.ndarray:
    """Reads an image as `[H, W, 1]` or `[H, W, 3]` uint8.

    Transparent pixels are laid on black, and sixteen bits are cut to eight.

    Args:
      file: in one of `FORMATS`.
      name: of the image, for an error's line.
      size: pixels a side after `resize`; None keeps the image as it is.

    Raises:
      InputError: the image cannot be read.
    """
    from PIL import Image, ImageOps, UnidentifiedImageError

    try:
        with Image.open(file, formats=FORMATS) as opened:
            image = _flatten(ImageOps.exif_transpose(opened))
            return pixels(image if size is None else resize(image, size))
    except MemoryError:
        raise
    except Exception as error:  # a damaged image fails in Pillow, zlib or struct, each with errors of its own
        unknown = isinstance(error, UnidentifiedImageError)
        reason = f"it is none of {', '.join(FORMATS)}" if unknown else " ".join(str(error).split())
        raise InputError(f"{name} cannot be read as an image ({reason})") from error


def decode_file(path: Path, name: str, size: int | None = None) -> np.ndarray:
    """Reads the image of a file; the arguments and errors are those of `decode`."""
    try:
        with path.open("rb") as file:
            return decode(file, name, size)
    except OSError as error:
        if is_trouble(error):
            raise
        raise InputError(f"{name} cannot be read ({error.strerror or error})") from error


def _flatten(image: "Image") -> "Image":
    """The image in mode `L` if it is grey, or else in mode `RGB`."""
    from PIL import Image

    if image.mode.startswith("I"):
        return Image.fromarray((np.asarray(image) >> 8).astype(np.uint8))
    grey = image.mode in ("1", "L", "LA")
    if image.has_transparency_data:
        image = Image.alpha_composite(Image.new("RGBA", image.size, "black"), image.convert("RGBA"))
    return image.convert("L" if grey else "RGB")


def resize(image: "Image", size: int) -> "Image":
    """An image whose shorter side is resampled to `size` pixels, and of which the middle `size` x `size` are kept.

    Pillow's bicubic filter resamples; its support grows with the reduction, so that nothing aliases. Where what is cut
    off is an odd number of the image's own pixels, the right or the lower side loses one more. An image that is
    `size` x `size` keeps its pixels.
    """
    from PIL import Image

    side = min(image.size)
    left, top = ((length - side) // 2 for length in image.size)
    return image.resize((size, size), Image.Resampling.BICUBIC, box=(left, top, left + side, top + side))


def resize_all(where: str, x: np.ndarray, size: int) -> np.ndarray:
    """Images `[N, H, W]` or `[N, H, W, C]` uint8, each of them as `resize` leaves it.

    Raises:
      InputError: the array holds other than images of bytes.
    """
    if x.dtype != np.uint8 or x.ndim not in (3, 4) or x.shape[3:] not in ((), (1,), (3,)) or x.max(initial=0) <= 1:
        raise InputError(
            f"{where} holds {x.dtype} of shape {x.shape}; resize is for images of bytes, not 0 and 1 alone"
        )
    return np.stack([resize_pixels(np.atleast_3d(image), size) for image in x])


def resize_pixels(x: np.ndarray, size: int) -> np.ndarray:
    """An image `[H, W, 1]` or `[H, W, 3]` uint8 as `resize` leaves it."""
    from PIL import Image

    return pixels(resize(Image.fromarray(x[..., 0] if x.shape[-1] == 1 else x), size))


def pixels(image: "Image") -> np.ndarray:
    """`[H, W, 1]` or `[H, W, 3]` uint8, of an image in mode `L` or `RGB`."""
    return np.atleast_3d(np.asarray(image))


def stack(source: Source, images: Iterable[tuple[str, np.ndarray]]) -> np.ndarray:
    """`[N, H, W, C]` of images by their names, in colour if any of them is.

    Raises:
      InputError: they differ in size.
    """
    arrays: list[np.ndarray] = []
    first = ""
    for name, image in images:
        first = first or name
        if arrays and image.shape[:2] != arrays[0].shape[:2]:
            (h, w), (height, width) = image.shape[:2], arrays[0].shape[:2]
            raise InputError(
                f"{source.text}: {name} is {w}x{h} pixels, {first} is {width}x{height}; "
                f"make all the same size, or cut and resize them, as by {with_option(source, 'resize', '64')}"
            )
        arrays.append(image)
    if not arrays:
        raise InputError(f"{source.text}: there is no image")
    channels = max(image.shape[-1] for image in arrays)
    return np.stack([np.broadcast_to(image, (*image.shape[:2], channels)) for image in arrays])
