"""Networks from data to vectors and from vectors to data, by name. Every family builds its players from these two."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import NamedTuple, cast

import flax.linen as nn
import jax.numpy as jnp
import numpy as np
from flax.typing import Initializer

from genjax.nn import convnet, mlp
from genjax.nn.layers import ACTIVATIONS, NORMS, PRECISIONS, UPSAMPLINGS
from genjax.types import Array, Key, Params, Settings


class Network(NamedTuple):
    """A kind of network: what builds its two halves."""

    encoder: Callable[[Settings, Sequence[int], tuple[int, ...], int], nn.Module]
    decoder: Callable[[Settings, Sequence[int], tuple[int, ...], Initializer], nn.Module]


NETWORKS = {
    "mlp": Network(mlp.encoder, mlp.decoder),
    "dcgan": Network(partial(convnet.encoder, blocks=0), partial(convnet.decoder, blocks=0)),
    "resnet": Network(partial(convnet.encoder, blocks=1), partial(convnet.decoder, blocks=1)),
}

# A family's static settings start with these; `hidden`, the widths of an MLP, are its own.
SETTINGS = {
    "network": "mlp",
    "channels": 32,
    "norm": "none",
    "upsampling": "transposed",
    "precision": "float32",
    "activation": "relu",
}
CHOICES = {
    "network": NETWORKS,
    "norm": NORMS,
    "upsampling": UPSAMPLINGS,
    "precision": PRECISIONS,
    "activation": ACTIVATIONS,
}


def encoder(settings: Settings, hidden: Sequence[int], shape: tuple[int, ...], features: int) -> nn.Module:
    """A network from examples `[b, *shape]` to vectors `[b, features]`, with no activation after the last layer.

    Args:
      settings: a family's, of which those in `SETTINGS` are read.
      hidden: widths of an MLP's hidden layers, from the data on.
      shape: of an example.
      features: width of the output.

    Raises:
      InputError: a convolutional network for data that are no square images.
    """
    return NETWORKS[settings["network"]].encoder(settings, hidden, shape, features)


def decoder(
    settings: Settings,
    hidden: Sequence[int],
    shape: tuple[int, ...],
    bias_init: Initializer = nn.initializers.zeros,
) -> nn.Module:
    """A network from vectors `[b, k]` to data `[b, *shape]`, whose bias, one per value, starts at `bias_init`."""
    return NETWORKS[settings["network"]].decoder(settings, hidden, shape, bias_init)


def unused_settings(settings: Settings, *hidden: str) -> set[str]:
    """The names of the settings that nothing reads under these: another network's; `hidden` are those of an MLP."""
    if settings["network"] != "mlp":
        return set(hidden)
    return {*mlp.IDLE} if any(settings[name] for name in hidden) else {*mlp.IDLE, "activation"}


def initial(module: nn.Module, rng: Key, x: Array) -> Params:
    """A module's parameters before training, for inputs like x."""
    return module.init(rng, x)["params"]


def forward(module: nn.Module, params: Params, x: Array) -> Array:
    """A module's output at x."""
    return cast(Array, module.apply({"params": params}, x))


def start_at(values: np.ndarray) -> Initializer:
    """An initialiser of a bias whose values are given, in their own shape or flattened."""
    return lambda key, shape, dtype=jnp.float32: jnp.asarray(values, dtype).reshape(shape)


def logit(mean: np.ndarray) -> np.ndarray:
    """The logit of a mean clipped to [.001, .999] (Burda et al. 2016), so that sigmoid(logit) is the mean."""
    p = np.clip(mean, 0.001, 0.999)
    return np.log(p / (1 - p))
