"""The user's own pictures, `folder:<path>`."""

from pathlib import Path

import numpy as np

from genjax.data.assemble import assemble
from genjax.data.dataset import Dataset, Split
from genjax.data.splits import PARTS
from genjax.types import InputError

SUFFIXES = (".png", ".jpg", ".jpeg")


def load(source: str) -> Dataset:
    """Reads a folder of PNG and JPEG images of one size; files with other endings are passed over.

    The images lie in the folder itself or in one sub-folder per class, all of it once more under `train`, `validation`
    and `test` if the folder has a `train`. Grey images are kept grey unless any is in colour. Transparent pixels are
    laid on black, and sixteen bits are cut to eight.
    """
    root = Path(source.removeprefix("folder:")).expanduser()
    if not root.is_dir():
        raise InputError(f"{source}: no such folder")
    files = {part: _files(source, folder) for part, folder in _parts(source, root).items()}
    classes = sorted({label for labelled in files.values() for _, label in labelled if label is not None})
    images = _decode_all(source, [path for labelled in files.values() for path, _ in labelled])
    splits, start = {}, 0
    for part, labelled in files.items():
        y = [classes.index(label) for _, label in labelled if label is not None]
        splits[part] = Split(images[start : start + len(labelled)], np.array(y) if y else None)
        start += len(labelled)
    return assemble(source, splits, target_names=tuple(classes))


def _parts(source: str, root: Path) -> dict[str, Path]:
    """`{split: its folder}`; the folder itself is `train` where it has no sub-folder of that name."""
    names = [folder.name for folder in _subfolders(root)]
    if "train" not in names:
        return {"train": root}
    if strange := sorted(set(names) - set(PARTS)):
        raise InputError(f"{source}: beside 'train' a sub-folder is 'validation' or 'test', not {strange[0]!r}")
    if _images(root):
        raise InputError(f"{source}: images beside the sub-folder 'train' belong to no split; move them into one")
    return {part: root / part for part in PARTS if part in names}


def _files(source: str, folder: Path) -> list[tuple[Path, str | None]]:
    """Image files in order, each with its class or None."""
    unlabelled: list[tuple[Path, str | None]] = [(path, None) for path in _images(folder)]
    labelled: list[tuple[Path, str | None]] = [
        (path, subfolder.name) for subfolder in _subfolders(folder) for path in _images(subfolder)
    ]
    if unlabelled and labelled:
        raise InputError(f"{source}: {folder.name} has images both in and beside class sub-folders; move them into one")
    if not unlabelled and not labelled:
        raise InputError(f"{source}: there is no PNG or JPEG image in {folder.name} or in its sub-folders")
    return unlabelled or labelled


def _subfolders(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if path.is_dir() and not path.name.startswith("."))


def _images(folder: Path) -> list[Path]:
    visible = (path for path in folder.iterdir() if path.is_file() and not path.name.startswith("."))
    return sorted(path for path in visible if path.suffix.lower() in SUFFIXES)


def _decode_all(source: str, paths: list[Path]) -> np.ndarray:
    """`[N, H, W, C]` uint8, in colour if any image is."""
    images = []
    for path in paths:
        images.append(_decode(path))
        if images[-1].shape[:2] != images[0].shape[:2]:
            (h, w), (height, width) = images[-1].shape[:2], images[0].shape[:2]
            raise InputError(
                f"{source}: {path.name} is {w}x{h} pixels, {paths[0].name} is {width}x{height}; make all the same size"
            )
    channels = max(image.shape[-1] for image in images)
    return np.stack([np.broadcast_to(image, (*image.shape[:2], channels)) for image in images])


def _decode(path: Path) -> np.ndarray:
    """`[H, W, 1]` or `[H, W, 3]` uint8."""
    from PIL import Image, ImageOps

    try:
        with path.open("rb") as file, Image.open(file) as opened:
            image = ImageOps.exif_transpose(opened)
            if image.mode.startswith("I"):
                return (np.asarray(image) >> 8).astype(np.uint8)[..., None]
            grey = image.mode in ("1", "L", "LA")
            if image.has_transparency_data:
                image = Image.alpha_composite(Image.new("RGBA", image.size, "black"), image.convert("RGBA"))
            pixels = np.asarray(image.convert("L" if grey else "RGB"))
    except MemoryError:
        raise
    except Exception as error:  # a damaged image fails in Pillow, zlib or struct, each with errors of its own
        reason = " ".join(str(error).split())
        raise InputError(f"{path} cannot be read as an image ({reason})") from error
    return pixels[..., None] if grey else pixels
