"""The user's own pictures, `folder:<path>`."""

import hashlib
from pathlib import Path

import numpy as np

from genjax.data.assemble import assemble
from genjax.data.cache import cached_dataset
from genjax.data.dataset import Dataset, Split
from genjax.data.images import decode_file, read_size, stack
from genjax.data.source import Source, find_path, parse
from genjax.data.splits import NAMES, find_parts
from genjax.types import InputError

LAYOUT = 1  # of the cached arrays: raise it when what is cached for the same files changes
SUFFIXES = (".png", ".jpg", ".jpeg")

Files = dict[str, list[tuple[Path, str | None]]]  # image files by their split, each with its class or None


def load(text: str) -> Dataset:
    """Reads a folder of PNG and JPEG images; files with other endings are passed over.

    The images lie in the folder itself or in one sub-folder per class, all of it once more under `train`, `validation`
    (or `val`) and `test` if the folder has a `train`. Grey images are kept grey unless any is in colour. They are of
    one size, or the option `resize` makes them so (`images.resize`). They are decoded once, and again after a file has
    changed.
    """
    source = parse(text, ("resize",))
    size, root = read_size(source), find_path(source)
    if not root.is_dir():
        raise InputError(f"{text}: no such folder")
    files = {part: _files(text, folder) for part, folder in _parts(text, root).items()}
    return cached_dataset(text, f"folder/{_digest(root, size, files)}", lambda: _read(source, size, root, files))


def _digest(root: Path, size: int | None, files: Files) -> str:
    """Sixteen digits that are others whenever a file or the size is another."""
    digest = hashlib.sha256(repr((LAYOUT, size, root.resolve().parts)).encode())
    for path, _ in (file for labelled in files.values() for file in labelled):
        status = path.stat()
        identity = path.relative_to(root).parts, status.st_size, status.st_mtime_ns, status.st_ctime_ns
        digest.update(repr(identity).encode())
    return digest.hexdigest()[:16]


def _read(source: Source, size: int | None, root: Path, files: Files) -> Dataset:
    classes = sorted({label for labelled in files.values() for _, label in labelled if label is not None})
    paths = [path for labelled in files.values() for path, _ in labelled]
    images = stack(source, ((path.relative_to(root).as_posix(), decode_file(path, str(path), size)) for path in paths))
    splits, start = {}, 0
    for part, labelled in files.items():
        y = [classes.index(label) for _, label in labelled if label is not None]
        splits[part] = Split(images[start : start + len(labelled)], np.array(y) if y else None)
        start += len(labelled)
    return assemble(source.text, splits, target_names=tuple(classes))


def _parts(source: str, root: Path) -> dict[str, Path]:
    """`{split: its folder}`; the folder itself is `train` where no sub-folder is called `train`."""
    names = [folder.name for folder in _subfolders(root)]
    parts, strange = find_parts(source, names), sorted(set(names) - set(NAMES))
    if "train" not in parts:
        if of_splits := [name for name in names if name.lower() in (*NAMES, "training")]:
            raise InputError(f"{source}: there is no sub-folder 'train' beside {of_splits[0]!r}")
        return {"train": root}
    if strange:
        raise InputError(f"{source}: beside 'train' a sub-folder is 'validation', 'val' or 'test', not {strange[0]!r}")
    if _images(root):
        raise InputError(f"{source}: images beside the sub-folder 'train' belong to no split; move them into one")
    return {part: root / name for part, name in parts.items()}


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
