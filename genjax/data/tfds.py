"""Image data sets of TensorFlow Datasets, `tfds:<name>`, read without TensorFlow and decoded once."""

import functools
import hashlib
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from genjax.data.assemble import assemble, pixel_scale
from genjax.data.cache import cached
from genjax.data.dataset import Dataset, Split
from genjax.data.images import read_size, resize_pixels
from genjax.data.source import Source, parse, with_option
from genjax.data.splits import PARTS, assign
from genjax.system.cache import expand
from genjax.system.messages import describe_unknown
from genjax.types import InputError

LAYOUT = 1  # of the cached arrays: raise it when what is cached for the same files changes
BLOCK = 1_000  # records decoded at a time
NAME = re.compile(r"\w+(/\w[\w.+-]*)?(:\d+\.\d+\.\d+)?")
VERSION = re.compile(r"\d+\.\d+\.\d+")


def load(text: str) -> Dataset:
    """Reads `tfds:<name>` or `tfds:<name>/<config>`, in its newest prepared version or in the one named by `:1.0.0`.

    The data set is looked for in `$TFDS_DATA_DIR`, or else in `~/tensorflow_datasets`, and never downloaded. Where the
    cache holds it, TFDS is not even imported. The option `resize` cuts and resizes images (`images.resize`).
    """
    source = parse(text, ("resize",))
    size = read_size(source)
    data_dir = expand(os.environ.get("TFDS_DATA_DIR") or "~/tensorflow_datasets", "TFDS_DATA_DIR")
    prepared = _find(source, data_dir)
    name = prepared.parent.relative_to(data_dir).as_posix()
    digest = hashlib.sha256(str(LAYOUT).encode())
    for path in sorted(prepared.glob("*.json")):  # a data set prepared anew, from other files, is another entry
        digest.update(path.read_bytes())
    if size is not None:
        digest.update(f"resize={size}".encode())
    build = functools.partial(_decode, source, size, f"{name}:{prepared.name}", data_dir)
    arrays, notes = cached(f"tfds/{name}/{prepared.name}-{digest.hexdigest()[:8]}", build)
    splits = {part: Split(arrays[f"{part}_x"], arrays.get(f"{part}_y")) for part in PARTS}
    return assemble(text, splits, notes["scale"], tuple(notes["target_names"]))


def _find(source: Source, data_dir: Path) -> Path:
    """The folder of the newest prepared version, or of the one asked for."""
    if not NAME.fullmatch(source.location):
        raise InputError(f"{source.text}: a TFDS name is written name, name/config or name:1.0.0")
    name, _, version = source.location.partition(":")
    versions = [path.parent for path in (data_dir / name).glob("*/dataset_info.json")]
    matching = [path for path in versions if VERSION.fullmatch(path.name) and version in ("", path.name)]
    if not matching:
        raise InputError(f"{source.text}: {_absent(name, version, data_dir)}")
    return max(matching, key=lambda path: tuple(map(int, path.name.split("."))))


def _absent(name: str, version: str, data_dir: Path) -> str:
    """One line on how to get what is not prepared."""
    if configs := sorted(path.parent.parent.name for path in (data_dir / name).glob("*/*/dataset_info.json")):
        return f"name one of its configurations, such as tfds:{name}/{configs[0]}"
    import tensorflow_datasets as tfds

    data_sets = tfds.list_builders(with_community_datasets=False)
    if name.split("/")[0] not in data_sets:
        nearest = describe_unknown("data set", name, data_sets)
        return f"it is not in {data_dir}, and TFDS has {nearest}"
    subject = f"version {version} is" if version else "it is"
    command = _build_command(name, data_dir)
    return f"{subject} not prepared in {data_dir}; set TFDS_DATA_DIR to where it is, or prepare it: {command}"


def _decode(source: Source, size: int | None, reference: str, data_dir: Path, folder: Path) -> dict[str, Any]:
    """Writes `<split>_x.npy`, and `<split>_y.npy` if there are targets, and returns scale and target names."""
    records = _open(source.text, reference, data_dir)
    counts = {part: len(records[part]) for part in PARTS if part in records}
    if "train" not in counts:
        raise InputError(f"{source.text}: there is no training split, only {', '.join(records)}")
    info = records["train"].dataset_info
    image, shape = _image_feature(source, size, info)
    targets, names = _target_features(info)
    largest = 0
    for part, (origin, index) in assign(source.text, counts).items():
        y = []
        with (folder / f"{part}_x.npy").open("wb") as file:
            header = {"descr": "|u1", "fortran_order": False, "shape": (len(index), *shape)}
            np.lib.format.write_array_header_1_0(file, header)
            for block in _blocks(source.text, records[origin], index):
                images = (record[image] if size is None else resize_pixels(record[image], size) for record in block)
                file.write(np.stack(list(images)).tobytes())
                largest = max(largest, *(int(record[image].max()) for record in block))
                y += [[record[target] for target in targets] for record in block]
        if targets:
            np.save(folder / f"{part}_y.npy", np.array(y, np.int32))
    if size is not None and largest <= 1:
        raise InputError(f"{source.text} holds 0 and 1 alone; resize is for images of bytes")
    scales = [pixel_scale(np.load(folder / f"{part}_x.npy", mmap_mode="r")) for part in PARTS]
    return {"scale": min(scales), "target_names": names}


def _open(source: str, reference: str, data_dir: Path) -> Any:
    """`{split: its records}`."""
    import tensorflow_datasets as tfds

    try:
        return tfds.data_source(reference, data_dir=data_dir, download=False)
    except NotImplementedError as error:
        command = f"{_build_command(reference.partition(':')[0], data_dir)} --overwrite"
        raise InputError(
            f"{source}: its files cannot be read without TensorFlow; prepare it again: {command}"
        ) from error
    except (OSError, ValueError, RuntimeError) as error:
        raise InputError(f"{source}: what {data_dir} holds cannot be read ({_line(error)})") from error


def _build_command(name: str, data_dir: Path) -> str:
    return f"pip install tensorflow && tfds build {name} --file_format=array_record --data_dir={data_dir}"


def _line(error: Exception) -> str:
    return " ".join(str(error).split())


def _blocks(source: str, records: Any, index: np.ndarray) -> Iterator[list[dict[str, Any]]]:
    for start in range(0, len(index), BLOCK):
        try:
            yield records.__getitems__(index[start : start + BLOCK].tolist())
        except (OSError, ValueError, RuntimeError, IndexError) as error:
            raise InputError(f"{source}: its records cannot be read ({_line(error)})") from error


def _image_feature(source: Source, size: int | None, info: Any) -> tuple[str, tuple[int, ...]]:
    """Name of the image, which is the supervised input if that is one, or else the only one; and its shape as kept."""
    import tensorflow_datasets as tfds

    images = [name for name, feature in info.features.items() if isinstance(feature, tfds.features.Image)]
    images = [name for name in images if name in (info.supervised_keys or ())] or images
    if len(images) != 1:
        raise InputError(f"{source.text}: not an image data set; it holds {', '.join(sorted(info.features))}")
    feature = info.features[images[0]]
    if feature.np_dtype != np.uint8:
        raise InputError(f"{source.text}: its images are {np.dtype(feature.np_dtype)}; only uint8 images are read")
    shape = feature.shape if size is None else (size, size, feature.shape[-1])
    if None in shape:
        example = with_option(source, "resize", "64")
        raise InputError(f"{source.text}: its images differ in size; cut and resize them, as by {example}")
    return images[0], shape


def _target_features(info: Any) -> tuple[list[str], list[str]]:
    """The label that the data set declares, or else all of its scalar labels as factors; and the target names."""
    import tensorflow_datasets as tfds

    # Features that are read back from files come in no fixed order.
    labels = sorted(name for name, feature in info.features.items() if isinstance(feature, tfds.features.ClassLabel))
    labels = [name for name in labels if name in (info.supervised_keys or ())] or labels
    names = info.features[labels[0]].names if len(labels) == 1 else labels
    return labels, list(names)
