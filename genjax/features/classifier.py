"""The last hidden layer of a small convolutional network: one that the package ships, or one of the user's own.

Its file is a safetensors file: float16 parameters by path, and its metadata as one JSON object. Nothing in it is
executed. `genjax train-features` makes it.
"""

import hashlib
import importlib.resources
import json
from collections.abc import Mapping
from functools import cache, partial
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any, NamedTuple, cast

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
from flax.traverse_util import flatten_dict, unflatten_dict

from genjax.features.extractor import Features
from genjax.nn.layers import Conv
from genjax.system.cache import expand
from genjax.system.files import write_atomically
from genjax.system.messages import nearest_name
from genjax.types import Array, InputError, Params

ARCHITECTURE = 1  # raise it when the network changes: an asset belongs to one
SHAPE, OUTPUTS, HIDDEN = (28, 28, 1), 10, 128  # of a file that does not say
SUFFIX = ".safetensors"
LARGEST = 2**12  # side of an image, or number of outputs
CLASSIFICATION, CONTRASTIVE = "classification", "contrastive"  # what a network learned


class Network(nn.Module):
    """Five convolutions to an eighth of each side, a hidden layer of 128 units, and logits. ReLU throughout.

    The features are the hidden layer after its ReLU: what the logits are linear in.
    """

    outputs: int = OUTPUTS

    def setup(self) -> None:
        self.convs = [
            Conv(32, (5, 5), (2, 2)),  # [b, 14, 14, 32] of images of 28x28
            Conv(32, (3, 3)),
            Conv(64, (3, 3), (2, 2)),  # [b, 7, 7, 64]
            Conv(64, (3, 3)),
            Conv(64, (3, 3), (2, 2)),  # [b, 4, 4, 64]
        ]
        self.dense, self.last = nn.Dense(HIDDEN), nn.Dense(self.outputs)

    def features(self, x: Array) -> Array:
        """`[b, h, w, c]` in [0, 1] -> `[b, 128]`, at least 0."""
        for conv in self.convs:
            x = nn.relu(conv(x))
        return nn.relu(self.dense(x.reshape(x.shape[0], -1)))

    def logits(self, features: Array) -> Array:
        """`[b, 128]` -> `[b, outputs]`."""
        return self.last(features)

    def __call__(self, x: Array) -> Array:
        """`[b, h, w, c]` in [0, 1] -> logits `[b, outputs]`."""
        return self.logits(self.features(x))


class Stored(NamedTuple):
    """What a file holds: float32 parameters, metadata (`source`, `test_accuracy`, ...), and the file's SHA-256."""

    params: Params
    metadata: dict[str, Any]
    sha256: str


def load_own(name: str, x: np.ndarray) -> Features:
    """The features of `network:<path>`, a file of `genjax train-features`; logits too, where it learned from labels.

    Args:
      name: as the user wrote it.
      x: `[n, h, w, c]`, any examples of the data.

    Raises:
      InputError: the file is no such file, or the data are of another shape than its images.
    """
    stored = read(expand(name.removeprefix("network:"), name))
    return _features(name, stored, x)


def load(name: str, x: np.ndarray) -> Features:
    """The features and logits of a shipped classifier; `x: [n, 28, 28, 1]` are any examples of the data.

    Raises:
      InputError: there is no such classifier, or the data are of another shape.
    """
    shipped, classifier_name = assets(), name.removeprefix("classifier:")
    nearest_name("classifier", classifier_name, shipped)
    with importlib.resources.as_file(shipped[classifier_name]) as path:
        return _features(name, read(path), x)


def _features(name: str, stored: Stored, x: np.ndarray) -> Features:
    shape = tuple(stored.metadata.get("shape", SHAPE))
    if x.shape[1:] != shape:
        raise InputError(f"{name} takes images of shape {shape}, not data of shape {x.shape[1:]}")
    labelled = stored.metadata.get("objective", CLASSIFICATION) == CLASSIFICATION
    classify = partial(classified, stored.params) if labelled else None
    return Features(name, stored.sha256[:16], HIDDEN, partial(hidden, stored.params), classify)


def hidden(params: Params, images: Array) -> Array:
    """The features: `[b, h, w, c]` in [0, 1] -> `[b, 128]`."""
    return cast(Array, Network().apply({"params": params}, images, method="features"))


def classified(params: Params, images: Array) -> Array:
    """The logits: `[b, h, w, c]` in [0, 1] -> `[b, outputs]`."""
    return cast(Array, Network(_outputs(params)).apply({"params": params}, images))


def answers(params: Params, features: Array) -> Array:
    """The logits from the features: `[b, 128]` -> `[b, outputs]`."""
    return cast(Array, Network(_outputs(params)).apply({"params": params}, features, method="logits"))


def _outputs(params: Params) -> int:
    return params["last"]["bias"].shape[-1]


def assets() -> dict[str, Traversable]:
    """`{name: file}` of the classifiers that the package ships, by name."""
    folder = importlib.resources.files("genjax.features") / "assets"
    files = [file for file in folder.iterdir() if file.name.endswith(SUFFIX)]
    return {file.name.removesuffix(SUFFIX): file for file in sorted(files, key=lambda file: file.name)}


def write(path: Path, params: Params, metadata: Mapping[str, Any]) -> None:
    """Writes the parameters as float16 with their metadata (JSON), whole or not at all."""
    from safetensors.numpy import save

    arrays = {path: np.asarray(value, np.float16) for path, value in flatten_dict(dict(params), sep="/").items()}
    # One entry, since the format keeps several in no fixed order: equal contents are equal bytes.
    notes = json.dumps({"architecture": ARCHITECTURE, **metadata}, sort_keys=True)
    write_atomically(path, save(arrays, metadata={"genjax": notes}))


def read(path: Path) -> Stored:
    """Reads what `write` wrote.

    Raises:
      InputError: the file is damaged, or holds another network's parameters.
    """
    from safetensors import SafetensorError, safe_open

    if not path.is_file():
        raise InputError(f"{path}: no such file")
    try:
        with safe_open(path, framework="numpy") as file:
            metadata = dict(json.loads((file.metadata() or {})["genjax"]))
            arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (not a mapping)
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
    except (OSError, SafetensorError, KeyError, TypeError, ValueError) as error:
        raise InputError(f"{path} is no classifier of genjax ({' '.join(str(error).split())})") from error
    sizes = _sizes(metadata)
    if metadata.get("architecture") != ARCHITECTURE or not sizes or _shapes(arrays) != expected_shapes(*sizes):
        architecture = metadata.get("architecture")
        raise InputError(
            f"{path} holds no network of architecture {ARCHITECTURE} but of {architecture}; train it again"
        )
    params = {name: jnp.asarray(value, jnp.float32) for name, value in arrays.items()}
    return Stored(unflatten_dict(params, sep="/"), metadata, digest)


def init(rng: Array, shape: tuple[int, ...] = SHAPE, outputs: int = OUTPUTS) -> Params:
    """Fresh parameters for images of a shape `(h, w, c)`."""
    return Network(outputs).init(rng, jnp.zeros((1, *shape)))["params"]


@cache
def expected_shapes(shape: tuple[int, ...] = SHAPE, outputs: int = OUTPUTS) -> dict[str, tuple[int, ...]]:
    """`{path: shape}` of the network's parameters."""
    fresh = jax.eval_shape(partial(init, shape=shape, outputs=outputs), jax.random.key(0))
    return _shapes(flatten_dict(fresh, sep="/"))


def _sizes(metadata: Mapping[str, Any]) -> tuple[tuple[int, ...], int] | None:
    """The shape of an image and the number of outputs that a file states, or None where it states no such."""
    shape, outputs = metadata.get("shape", list(SHAPE)), metadata.get("outputs", OUTPUTS)
    sizes = [*shape, outputs] if isinstance(shape, list) and len(shape) == 3 else [0]
    if not all(type(size) is int and 1 <= size <= LARGEST for size in sizes):
        return None
    return tuple(shape), outputs


def _shapes(arrays: Mapping[str, Any]) -> dict[str, tuple[int, ...]]:
    return {name: tuple(array.shape) for name, array in arrays.items()}
