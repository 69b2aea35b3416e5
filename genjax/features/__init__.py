"""Feature maps that distances between distributions of images are measured in, each as one `Features`."""

import numpy as np

from genjax.features import classifier, linear
from genjax.features.extractor import Features, extract_all, over_batches
from genjax.system.messages import find_by_prefix

__all__ = ["KINDS", "Features", "extract_all", "load", "over_batches"]

# What stands in angle brackets is the user's to fill in.
KINDS = {
    "pixels": linear.pixels,
    "pca:<components>": linear.pca,
    "classifier:<name>": classifier.load,
    "network:<path>": classifier.load_own,
}


def load(name: str, x: np.ndarray) -> Features:
    """Makes a feature map by its name, such as `pixels`, `pca:64`, `classifier:mnist` or `network:faces.safetensors`.

    Args:
      name: of the map.
      x: `[n, *shape]` float32, training examples as a model sees them; `pca` is fitted on them, the others read the
        shape alone. The classifiers take one channel: give `x[..., :1]` to classify the channels of stacked images
        one by one.

    Raises:
      InputError: there is no such map, or it does not fit the data.
    """
    return find_by_prefix("features", name, KINDS)(name, x)
