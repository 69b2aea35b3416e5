"""The user's own arrays: `npz:<path>`, `npy:<path>` and `mat:<path>`."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path

import numpy as np

from genjax.data.assemble import assemble
from genjax.data.axes import channels_last
from genjax.data.dataset import Dataset, Split
from genjax.data.images import read_size, resize_all
from genjax.data.source import Source, find_path, parse, with_option
from genjax.data.splits import NAMES, find_parts
from genjax.system.messages import describe_missing, describe_unknown
from genjax.system.troubles import is_trouble
from genjax.types import InputError

OPTIONS = ("images", "labels", "axes", "resize")
KEYS = ("x", "y", *(f"{axis}_{name}" for name in NAMES for axis in "xy"))  # without the options `images` and `labels`

Arrays = Mapping[str, np.ndarray]


def load(text: str) -> Dataset:
    """Reads `x`, or `x_train` and, if there are any, `x_validation` (or `x_val`) and `x_test`; `y...` likewise.

    The option `images` names another array than `x`, or with `*` one for each split: `images=*_x` stands for `train_x`,
    `val_x` and so on; `labels` likewise. Where neither is named, any further array is refused, since it may be a
    misspelt split. `axes` is the order of the images' axes (`axes.channels_last`), and `resize` cuts and resizes images
    of bytes (`images.resize`). `assemble` says what the arrays may be.
    """
    source = parse(text, OPTIONS)
    size = read_size(source)
    with _open(source) as arrays:
        splits = {part: _split(source, arrays, *keys) for part, keys in _choose(source, list(arrays)).items()}
    if size is not None:
        splits = {part: Split(resize_all(f"{text}: {part}", x, size), y) for part, (x, y) in splits.items()}
    return assemble(text, splits)


def _split(source: Source, arrays: Arrays, images: str, labels: str | None) -> Split:
    x = _member(source, arrays, images)
    y = None if labels is None else _member(source, arrays, labels)
    if source.kind == "mat" and y is not None:
        y = _integers(y)
    if y is not None and y.ndim and x.ndim == 3 and len(x) != len(y) == x.shape[-1] and "axes" not in source.options:
        raise InputError(
            f"{source.text}: {images!r} has shape {x.shape}, and there are {len(y)} labels; "
            f"write {with_option(source, 'axes', 'hwn')} if its last axis is that of the examples"
        )
    return Split(channels_last(source, images, x), y)


def _integers(y: np.ndarray) -> np.ndarray:
    """Labels as MATLAB has them: whole numbers are doubles, and a vector is a row or a column."""
    y = y.ravel() if y.ndim == 2 and len(y) == 1 else y
    is_whole = np.issubdtype(y.dtype, np.floating) and bool((y == np.round(y)).all()) and bool((abs(y) < 2**31).all())
    return y.astype(np.int64) if is_whole else y


def _choose(source: Source, keys: list[str]) -> dict[str, tuple[str, str | None]]:
    """The keys of images and labels, `{split: (images, labels or None)}`."""
    images, labels = source.options.get("images"), source.options.get("labels")
    default = "x" if "x" in keys else "x_*"
    if images is None and labels is None:
        _check_keys(source.text, keys)
    of_images = _by_split(source, images or default, keys)
    if labels is not None:
        of_labels = _by_split(source, labels, keys)
    else:
        of_labels = {} if images else _by_split(source, default.replace("x", "y"), keys, optional=True)
    if missing := of_labels.keys() - of_images.keys():
        part = min(missing)
        raise InputError(
            f"{source.text}: has {of_labels[part]!r} but no {(images or default).replace('*', part)!r} of that split"
        )
    return {part: (key, of_labels.get(part)) for part, key in of_images.items()}


def _check_keys(text: str, keys: list[str]) -> None:
    """Refuses keys of which some would not be read, or that do not say what they are."""
    if ("x" in keys) == ("x_train" in keys):
        raise InputError(f"{text}: needs either 'x' or 'x_train', or #images=<key>; it has {', '.join(sorted(keys))}")
    if unknown := sorted(set(keys) - set(KEYS)):
        raise InputError(f"{text}: {describe_unknown('key', unknown[0], KEYS)}")
    if {"x", "y"} & set(keys) and set(keys) - {"x", "y"}:
        raise InputError(f"{text}: 'x' and 'y' stand alone; beside other splits call them 'x_train' and 'y_train'")


def _by_split(source: Source, pattern: str, keys: list[str], optional: bool = False) -> dict[str, str]:
    """`{split: key}` of one array, which is `train`, or of a pattern with `*` for the names of the splits."""
    by_name = {name: pattern.replace("*", name) for name in (NAMES if "*" in pattern else ("train",))}
    parts = find_parts(source.text, [name for name, key in by_name.items() if key in keys])
    if not parts and not optional:
        raise InputError(f"{source.text}: {describe_missing('key', by_name['train'], sorted(keys))}")
    return {part: by_name[name] for part, name in parts.items()}


def _member(source: Source, arrays: Arrays, key: str) -> np.ndarray:
    with _refusing(source):
        array = arrays[key]
    if not isinstance(array, np.ndarray):
        raise InputError(f"{source.text}: member {key!r} is no array")
    if array.dtype.hasobject:
        raise InputError(f"{source.text}: {key!r} holds objects (cells or structures), not numbers")
    return array


@contextmanager
def _open(source: Source) -> Iterator[Arrays]:
    """The arrays of a file, those of an archive read when they are looked up."""
    path = find_path(source)
    if not (path.exists() if source.kind == "npy" else path.is_file()):
        raise InputError(f"{source.text}: no such file")
    kind = path.suffix.removeprefix(".")
    if kind in OPENERS and kind != source.kind:
        raise InputError(f"{source.text}: a file of that name is written {kind}:{source.location}")
    with ExitStack() as stack:
        with _refusing(source):
            arrays = OPENERS[source.kind](path, stack)
        if not len(arrays):
            raise InputError(f"{source.text}: there is no array in it")
        yield arrays


@contextmanager
def _refusing(source: Source) -> Iterator[None]:
    """Makes one line of what a damaged file raises; zip, zlib, struct, NumPy and SciPy have errors of their own."""
    try:
        yield
    except MemoryError:
        raise
    except Exception as error:
        if is_trouble(error):
            raise
        text = " ".join(str(error).split()).removesuffix(" when allow_pickle=False")
        reason = "it holds something else than arrays" if "pickle" in text else text  # NumPy advises to execute it
        raise InputError(f"{source.text}: not {FORMATS[source.kind]} ({reason})") from error


def _open_npz(path: Path, stack: ExitStack) -> Arrays:
    arrays = np.load(stack.enter_context(path.open("rb")), allow_pickle=False)
    if isinstance(arrays, np.ndarray):
        raise ValueError("it is a single array")
    return stack.enter_context(arrays)


def _open_npy(path: Path, stack: ExitStack) -> Arrays:
    """A file is `x`. Of a folder, each `<key>.npy` is an array. They are mapped into memory."""
    files = {file.stem: file for file in path.glob("*.npy")} if path.is_dir() else {"x": path}
    return {key: np.lib.format.open_memmap(file, mode="r") for key, file in files.items()}


def _open_mat(path: Path, stack: ExitStack) -> Arrays:
    from scipy.io import loadmat

    return {key: array for key, array in loadmat(path).items() if not key.startswith("__")}


OPENERS: dict[str, Callable[[Path, ExitStack], Arrays]] = {"npz": _open_npz, "npy": _open_npy, "mat": _open_mat}
FORMATS = {
    "npz": "an npz archive of plain, equal-sized arrays",
    "npy": "plain arrays, as numpy.save writes them",
    "mat": "a MATLAB file of a version before 7.3, as save('-v7') writes it",
}
