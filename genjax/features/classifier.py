"""`classifier:<name>`: the last hidden layer of a small convolutional classifier that the package ships.

An asset is a safetensors file: float16 parameters by path, and its metadata as one JSON object. Nothing in it is
executed. `scripts/train_features.py` makes it.
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
from genjax.system.files import write_atomically
from genjax.system.messages import nearest_name
from genjax.types import Array, InputError, Params

ARCHITECTURE = 1  # raise it when the network changes: an asset belongs to one
SHAPE, CLASSES, HIDDEN = (28, 28, 1), 10, 128
SUFFIX = ".safetensors"


class Network(nn.Module):
    """Five convolutions from 28x28 to 4x4 pixels, a hidden layer of 128 units, and ten logits. ReLU throughout.

    The features are the hidden layer after its ReLU: what the logits are linear in.
    """

    def setup(self) -> None:
        self.convs = [
            Conv(32, (5, 5), (2, 2)),  # [b, 14, 14, 32]
            Conv(32, (3, 3)),
            Conv(64, (3, 3), (2, 2)),  # [b, 7, 7, 64]
            Conv(64, (3, 3)),
            Conv(64, (3, 3), (2, 2)),  # [b, 4, 4, 64]
        ]
        self.dense, self.last = nn.Dense(HIDDEN), nn.Dense(CLASSES)

    def features(self, x: Array) -> Array:
        """`[b, 28, 28, 1]` in [0, 1] -> `[b, 128]`, at least 0."""
        for conv in self.convs:
            x = nn.relu(conv(x))
        return nn.relu(self.dense(x.reshape(x.shape[0], -1)))

    def logits(self, features: Array) -> Array:
        """`[b, 128]` -> `[b, 10]`."""
        return self.last(features)

    def __call__(self, x: Array) -> Array:
        """`[b, 28, 28, 1]` in [0, 1] -> logits `[b, 10]`."""
        return self.logits(self.features(x))


class Stored(NamedTuple):
    """What a file holds: float32 parameters, metadata (`source`, `test_accuracy`, ...), and the file's SHA-256."""

    params: Params
    metadata: dict[str, Any]
    sha256: str


def load(name: str, x: np.ndarray) -> Features:
    """The features and logits of a shipped classifier; `x: [n, 28, 28, 1]` are any examples of the data.

    Raises:
      InputError: there is no such classifier, or the data are of another shape.
    """
    shipped, classifier_name = assets(), name.removeprefix("classifier:")
    nearest_name("classifier", classifier_name, shipped)
    if x.shape[1:] != SHAPE:
        raise InputError(f"{name} takes images of shape {SHAPE}, not data of shape {x.shape[1:]}")
    with importlib.resources.as_file(shipped[classifier_name]) as path:
        stored = read(path)
    extract, classify = partial(hidden, stored.params), partial(classified, stored.params)
    return Features(name, stored.sha256[:16], HIDDEN, extract, classify)


def hidden(params: Params, images: Array) -> Array:
    """The features: `[b, 28, 28, 1]` in [0, 1] -> `[b, 128]`."""
    return cast(Array, Network().apply({"params": params}, images, method="features"))


def classified(params: Params, images: Array) -> Array:
    """The logits: `[b, 28, 28, 1]` in [0, 1] -> `[b, 10]`."""
    return cast(Array, Network().apply({"params": params}, images))


def answers(params: Params, features: Array) -> Array:
    """The logits from the features: `[b, 128]` -> `[b, 10]`."""
    return cast(Array, Network().apply({"params": params}, features, method="logits"))


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

    try:
        with safe_open(path, framework="numpy") as file:
            metadata = dict(json.loads((file.metadata() or {})["genjax"]))
            arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (not a mapping)
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
    except (OSError, SafetensorError, KeyError, TypeError, ValueError) as error:
        raise InputError(f"{path} is no classifier of genjax ({' '.join(str(error).split())})") from error
    if metadata.get("architecture") != ARCHITECTURE or _shapes(arrays) != expected_shapes():
        architecture = metadata.get("architecture")
        raise InputError(
            f"{path} holds no network of architecture {ARCHITECTURE} but of {architecture}; train it again"
        )
    params = {name: jnp.asarray(value, jnp.float32) for name, value in arrays.items()}
    return Stored(unflatten_dict(params, sep="/"), metadata, digest)


def init(rng: Array) -> Params:
    """Fresh parameters."""
    return Network().init(rng, jnp.zeros((1, *SHAPE)))["params"]


@cache
def expected_shapes() -> dict[str, tuple[int, ...]]:
    """`{path: shape}` of the network's parameters."""
    return _shapes(flatten_dict(jax.eval_shape(init, jax.random.key(0)), sep="/"))


def _shapes(arrays: Mapping[str, Any]) -> dict[str, tuple[int, ...]]:
    return {name: tuple(array.shape) for name, array in arrays.items()}
