"""Image data sets of Hugging Face, `hf:<name or folder>`, read by its library and decoded once."""

import hashlib
import io
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from genjax.data.assemble import assemble
from genjax.data.cache import cached_dataset
from genjax.data.dataset import Dataset, Split
from genjax.data.images import decode, decode_file, read_size, stack
from genjax.data.source import Source, find_path, parse, with_option
from genjax.data.splits import find_parts
from genjax.system.messages import describe_missing
from genjax.types import InputError

LAYOUT = 1  # of the cached arrays: raise it when what is cached for the same data changes
OPTIONS = ("images", "labels", "config", "resize")
NAME = re.compile(r"\w[\w.-]*/\w[\w.-]*")
SAVED = ("dataset_dict.json", "state.json")  # what save_to_disk writes beside the data


def load(text: str) -> Dataset:
    """Reads a folder (of Parquet files, of images, or as `save_to_disk` writes it), or `owner/name` of the hub.

    The images are the column of the type `Image`, and the labels that of the type `ClassLabel`; the options `images`
    and `labels` name others, labels of whole numbers among them. `config` is one of the configurations of a data set,
    and `resize` cuts and resizes the images (`images.resize`). What the hub has is downloaded by the library into its
    own cache, unless `HF_HUB_OFFLINE` is set. No code of a data set is run.
    """
    source = parse(text, OPTIONS)
    size = read_size(source)
    with _one_line(source):
        splits = _open(source)
    parts = find_parts(text, splits)
    if "train" not in parts:
        raise InputError(f"{text}: there is no training split, only {', '.join(splits)}")
    splits = {part: splits[name] for part, name in parts.items()}
    features = splits["train"].features
    image, label = _image_column(source, features), _label_column(source, features)
    content = {part: (len(split), split._fingerprint) for part, split in splits.items()}  # of the files and their times
    digest = hashlib.sha256(repr((LAYOUT, size, image, label, features, content)).encode()).hexdigest()[:16]
    return cached_dataset(text, f"hf/{digest}", lambda: _read(source, size, splits, image, label))


def _open(source: Source) -> dict[str, Any]:
    """`{split: its rows}`."""
    from datasets import load_from_disk

    folder = find_path(source)
    if any((folder / name).is_file() for name in SAVED):
        if "config" in source.options:
            raise InputError(f"{source.text}: what save_to_disk has written has no configurations; leave config out")
        loaded = load_from_disk(str(folder))
    elif folder.is_dir():
        loaded = _load_configuration(source, str(folder.resolve()))
    elif NAME.fullmatch(source.location):
        loaded = _load_configuration(source, source.location)
    else:
        raise InputError(f"{source.text}: no such folder; a data set of the hub is written owner/name")
    return {str(name): split for name, split in loaded.items()} if isinstance(loaded, dict) else {"train": loaded}


def _load_configuration(source: Source, place: str) -> Any:
    from datasets import get_dataset_config_names, load_dataset

    config = source.options.get("config")
    try:
        return load_dataset(place, name=config)
    except ValueError:
        names = get_dataset_config_names(place)
        if config is not None and config not in names:
            raise InputError(f"{source.text}: {describe_missing('configuration', config, names)}") from None
        if config is None and len(names) > 1:
            example = with_option(source, "config", names[0])
            raise InputError(
                f"{source.text}: its configurations are {', '.join(names)}; name one, as {example}"
            ) from None
        raise


def _image_column(source: Source, features: Mapping[str, Any]) -> str:
    from datasets import Image

    # A table that another library wrote holds the same bytes and paths, without the name of the type.
    columns = [
        name
        for name, feature in features.items()
        if isinstance(feature, Image) or (isinstance(feature, dict) and "bytes" in feature)
    ]
    column = _choose(source, "images", columns, features)
    if column is None:
        raise InputError(f"{source.text}: no column has the type Image; it has {', '.join(features)}")
    if column not in columns:
        raise InputError(f"{source.text}: column {column!r} holds {features[column]}, not images")
    return column


def _label_column(source: Source, features: Mapping[str, Any]) -> str | None:
    from datasets import ClassLabel

    columns = [name for name, feature in features.items() if isinstance(feature, ClassLabel)]
    column = _choose(source, "labels", columns, features)
    if column is not None and "int" not in str(getattr(features[column], "dtype", "")):
        raise InputError(f"{source.text}: column {column!r} holds {features[column]}; labels are whole numbers")
    return column


def _choose(source: Source, option: str, columns: list[str], features: Mapping[str, Any]) -> str | None:
    """The column that an option names, or else the only one of its type; None where there is none."""
    column = source.options.get(option)
    if column is None:
        if len(columns) > 1:
            example = with_option(source, option, columns[0])
            raise InputError(f"{source.text}: its columns of {option} are {', '.join(columns)}; name one, as {example}")
        return columns[0] if columns else None
    if column not in features:
        raise InputError(f"{source.text}: {describe_missing('column', column, features)}")
    return column


def _read(source: Source, size: int | None, splits: Mapping[str, Any], image: str, label: str | None) -> Dataset:
    with _one_line(source):
        x = stack(source, _images(source, size, splits, image))
        y = {part: None if label is None else np.array(split[:][label]) for part, split in _only(splits, label).items()}
    ends = np.cumsum([len(split) for split in splits.values()])[:-1]
    parts = {part: Split(images, y[part]) for part, images in zip(splits, np.split(x, ends), strict=True)}
    names = getattr(splits["train"].features.get(label), "names", None)
    return assemble(source.text, parts, target_names=tuple(names or ()))


def _only(splits: Mapping[str, Any], column: str | None) -> dict[str, Any]:
    return {part: split if column is None else split.select_columns([column]) for part, split in splits.items()}


def _images(
    source: Source, size: int | None, splits: Mapping[str, Any], column: str
) -> Iterator[tuple[str, np.ndarray]]:
    """Every image with its name."""
    from datasets import Image

    for part, rows in _only(splits, column).items():
        if isinstance(rows.features[column], Image):
            rows = rows.cast_column(column, Image(decode=False))
        for number, row in enumerate(rows):
            name = f"image {number} of {part}"
            yield name, _decode(f"{source.text}: {name}", row[column], size)


def _decode(name: str, stored: Mapping[str, Any] | None, size: int | None) -> np.ndarray:
    content, path = (stored or {}).get("bytes"), (stored or {}).get("path")
    if path:
        name = f"{name} ({path})"
    if content is not None:
        return decode(io.BytesIO(content), name, size)
    if not path:
        raise InputError(f"{name} is missing")
    return decode_file(Path(path), name, size)


@contextmanager
def _one_line(source: Source) -> Iterator[None]:
    """Makes one line of what the library raises, and silences it; trouble of the machine stays as it is."""
    try:
        import datasets
    except ImportError as error:
        install = 'pip install "genjax-models[hf]"'
        raise InputError(f"{source.text}: needs the extra `hf` of genjax-models: {install} ({error})") from error
    try:
        with _quiet(datasets, progress=not find_path(source).is_dir()):
            yield
    except (InputError, MemoryError):
        raise
    except Exception as error:  # of pyarrow, of the library, of its HTTP client, or of a file
        cause = error.__cause__ if isinstance(error, datasets.exceptions.DatasetGenerationError) else None
        cause = cause or error
        if isinstance(cause, OSError) and cause.errno is not None:
            raise cause from error
        raise InputError(f"{source.text}: cannot be read ({' '.join(str(cause).split())})") from error


@contextmanager
def _quiet(datasets: Any, progress: bool) -> Iterator[None]:
    """Keeps the library's log off standard error, and its progress bars unless it may download."""
    verbosity, bars = datasets.logging.get_verbosity(), not datasets.are_progress_bars_disabled()
    datasets.logging.set_verbosity(datasets.logging.CRITICAL)
    if bars and not progress:
        datasets.disable_progress_bars()
    try:
        yield
    finally:
        datasets.logging.set_verbosity(verbosity)
        if bars:
            datasets.enable_progress_bars()
