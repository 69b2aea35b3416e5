"""Every source of data, each as one `Dataset`."""

from collections.abc import Callable, Mapping
from types import MappingProxyType

from genjax.data import arrays, digits, folder, huggingface, mixtures, sprites, stacked, tfds
from genjax.data.dataset import Dataset, Modes, Split, describe, stored_batch
from genjax.data.fingerprints import fingerprint
from genjax.data.source import parse
from genjax.system.messages import find_by_prefix

__all__ = ["DESCRIPTIONS", "SOURCES", "Dataset", "Modes", "Split", "describe", "fingerprint", "load", "stored_batch"]

# What stands in angle brackets is the user's to fill in.
SOURCES: dict[str, Callable[[str], Dataset]] = {
    "digits": digits.load,
    "ring8": mixtures.ring8,
    "grid25": mixtures.grid25,
    "sprites": sprites.load,
    "sprites32": sprites.load32,
    "tfds:<name>": tfds.load,
    "npz:<path>": arrays.load,
    "npy:<path>": arrays.load,
    "mat:<path>": arrays.load,
    "folder:<path>": folder.load,
    "hf:<name>": huggingface.load,
    "stacked:<source>": lambda source: stacked.stack(source, load(parse(source).location)),
}

DESCRIPTIONS = {
    "digits": "1,797 grey images of 8x8 pixels, ten classes, from scikit-learn",
    "ring8": "eight Gaussians on a ring in the plane",
    "grid25": "twenty-five Gaussians on a grid in the plane",
    "sprites": "binary drawings of 64x64 pixels, whose shape, scale, orientation and place are known",
    "sprites32": "the same at 32x32",
    "tfds:<name>": "an image data set that TensorFlow Datasets has prepared in TFDS_DATA_DIR",
    "npz:<path>": "arrays x (or x_train, x_validation, x_test) and, if any, y; others by #images=<key>,labels=<key>",
    "npy:<path>": "the same of a folder of .npy files, or one such file, which is x",
    "mat:<path>": "the same of a MATLAB file before version 7.3: #images=X,labels=y",
    "folder:<path>": "PNG or JPEG images, in sub-folders of classes or not; of mixed sizes with #resize=<pixels>",
    "hf:<name>": "an image data set of the Hugging Face hub, as owner/name, or a folder as their library reads it",
    "stacked:<source>": "three grey images of a source as the channels of one",
}


def load(source: str, more: Mapping[str, Callable[[str], Dataset]] = MappingProxyType({})) -> Dataset:
    """Loads a data set by its source: `digits`, `tfds:mnist`, `npz:faces.npz`, `folder:photos`, `stacked:digits`, ...

    Args:
      source: as the user wrote it.
      more: sources of a layer above, beside those of `SOURCES`.

    Raises:
      InputError: there is no such source, or what it holds cannot be used.

    Example:
      >>> digits = load("digits")
      >>> digits.train.x.shape, digits.train.x.dtype
      ((1439, 8, 8, 1), dtype('uint8'))
    """
    name = source if ":" in source else parse(source, ()).kind  # sources without a colon have no options
    return find_by_prefix("data source", name, {**SOURCES, **more})(name)
