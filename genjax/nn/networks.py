"""The table of networks by name. Every family builds its encoders and decoders from it."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import NamedTuple, cast

import flax.linen as nn
import jax.numpy as jnp
import numpy as np
from flax.typing import Initializer
from jaxtyping import Array, Float, Key

from genjax.nn import convnet, mlp
from genjax.nn.layers import ACTIVATIONS, NORMS, PRECISIONS, UPSAMPLINGS
from genjax.types import Params, Settings


class Network(NamedTuple):
    """A kind of network: the functions that build its two halves.

    Attributes:
      encoder: a function of the arguments of `encoder`.
      decoder: a function of the arguments of `decoder`.
    """

    encoder: Callable[[Settings, Sequence[int], tuple[int, ...], int, bool, bool], nn.Module]
    decoder: Callable[[Settings, Sequence[int], tuple[int, ...], Initializer, int, bool], nn.Module]


def _convolutional(encoder: convnet.Blocks | None, decoder: convnet.Blocks | None) -> Network:
    return Network(partial(convnet.encoder, blocks=encoder), partial(convnet.decoder, blocks=decoder))


NETWORKS = {
    "mlp": Network(mlp.encoder, mlp.decoder),
    "dcgan": _convolutional(None, None),
    "sndcgan": _convolutional(convnet.Blocks(convnet.plain_block, 1), None),
    "resnet": _convolutional(*[convnet.Blocks(convnet.residual_block, 1)] * 2),
    "r3gan": _convolutional(*[convnet.Blocks(convnet.bottleneck_block, 2)] * 2),
}

# Every family has these static settings and their defaults. The widths of an MLP are settings of the family itself.
SETTINGS = {
    "network": "mlp",
    "channels": 32,
    "code_size": 7,
    "dense": (),
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

# A sentence about each setting and each choice.
ABOUT = {
    "network": "of encoders, decoders and discriminators",
    "network=mlp": "fully connected layers, for data of any shape",
    "network=dcgan": "strided convolutions, for images (Radford et al. 2016)",
    "network=sndcgan": "the same with a 3x3 convolution after each of an encoder's halvings (Miyato et al. 2018)",
    "network=resnet": "strided convolutions with a residual block at every size (He et al. 2016)",
    "network=r3gan": "strided convolutions with two residual bottlenecks at every size (Huang et al. 2024)",
    "channels": "of a convolutional network at its largest size; twice as many at each smaller one",
    "code_size": "a convolutional network halves images to at most so many pixels a side; with fewer, a discriminator's"
    " last features see more of the image",
    "dense": "widths of fully connected layers between the smallest map and the code or the logit, beginning at the map"
    " (Chen et al. 2016, appendix C); each of their units sees the whole image",
    "norm": "of convolutional layers, with the statistics of one example",
    "norm=none": "nothing",
    "norm=group": "over eight groups of channels (Wu & He 2018)",
    "norm=layer": "over all channels",
    "upsampling": "how a convolutional decoder doubles the size",
    "upsampling=transposed": "a transposed convolution, 4x4 of stride 2",
    "upsampling=nearest": "each pixel four times, then a 3x3 convolution (Odena et al. 2016)",
    "upsampling=subpixel": "a 3x3 convolution to four times the channels, which become pixels (Shi et al. 2016)",
    "precision": "of the computation; parameters and losses are float32",
    "precision=float32": "32 bits; a GPU and a TPU round the factors of products unless JAX is told otherwise",
    "precision=bfloat16": "16 bits",
    "activation": "of hidden layers",
}


def encoder(
    settings: Settings,
    hidden: Sequence[int],
    shape: tuple[int, ...],
    features: int,
    batch_deviation: bool = False,
    grid: bool = False,
) -> nn.Module:
    """Builds a network from examples to vectors, without an activation after the last layer.

    Args:
      settings: of a family; the names in `SETTINGS` are read.
      hidden: widths of an MLP's hidden layers, beginning at the data.
      shape: of an example.
      features: width of the output.
      batch_deviation: whether the last layer sees how much the examples of a batch differ.
      grid: whether the output of a convolutional network is a flattened map of `code_grid`, and each of its positions
        sees a part of the image; an MLP's output sees all of it.

    Raises:
      InputError: the network is convolutional and the data are not images.
    """
    return NETWORKS[settings["network"]].encoder(settings, hidden, shape, features, batch_deviation, grid)


def decoder(
    settings: Settings,
    hidden: Sequence[int],
    shape: tuple[int, ...],
    bias_init: Initializer = nn.initializers.zeros,
    modulators: int = 0,
    grid: bool = False,
) -> nn.Module:
    """Builds a network from vectors to examples, without an activation after the last layer.

    Args:
      settings: of a family; the names in `SETTINGS` are read.
      hidden: widths of an MLP's hidden layers, beginning at the code.
      shape: of an example.
      bias_init: initialiser of the output's bias, which has one entry per value of an example.
      modulators: how many of a vector's last entries set the gain and the offset after each norm of a convolutional
        network.
      grid: whether the input of a convolutional network is a flattened map of `code_grid`.

    Raises:
      InputError: the network is convolutional and the data are not images.
    """
    return NETWORKS[settings["network"]].decoder(settings, hidden, shape, bias_init, modulators, grid)


def code_grid(settings: Settings, shape: tuple[int, ...], positions: int) -> tuple[int, ...]:
    """Returns the shape of a map of codes: the smallest size of a convolutional network, or a row of an MLP's.

    Args:
      settings: of a family.
      shape: of an example.
      positions: of an MLP's map.

    Example:
      >>> code_grid({"network": "dcgan", "code_size": 7}, (28, 28, 1), 8), code_grid({"network": "mlp"}, (28, 28, 1), 8)
      ((7, 7), (8,))
    """
    return (positions,) if settings["network"] == "mlp" else convnet.sizes(shape[:2], settings["code_size"])[-1]


def unused_settings(settings: Settings, *hidden: str) -> set[str]:
    """Lists the settings that have no effect under these settings.

    Convolutional networks do not read the widths of an MLP. An MLP does not read the settings of a convolutional
    network, and it reads the activation only where it has a hidden layer.

    Args:
      settings: of a family.
      *hidden: names of the family's settings that are widths of an MLP.
    """
    if settings["network"] != "mlp":
        return set(hidden)
    has_hidden_layers = any(settings[name] for name in hidden)
    return {*convnet.SETTINGS} if has_hidden_layers else {*convnet.SETTINGS, "activation"}


def initial(module: nn.Module, rng: Key[Array, ""], x: Float[Array, "batch ..."]) -> Params:
    """Draws the parameters of a module before training, for inputs like x."""
    return module.init(rng, x)["params"]


def forward(module: nn.Module, params: Params, x: Float[Array, "batch ..."]) -> Float[Array, "batch ..."]:
    """Computes the output of a module at x."""
    return cast(Array, module.apply({"params": params}, x))


def last_hidden(module: nn.Module, params: Params, x: Float[Array, "batch ..."]) -> Float[Array, "batch features"]:
    """Computes the last hidden layer of an encoder at x, after its activation."""
    _, sown = module.apply({"params": params}, x, mutable=["intermediates"])
    (features,) = cast(Params, sown)["intermediates"]["features"]
    return features.reshape(x.shape[0], -1).astype(jnp.float32)


def start_at(values: Float[np.ndarray, "..."]) -> Initializer:
    """Makes an initialiser of a bias that starts at given values, in their own shape or flattened."""
    return lambda key, shape, dtype=jnp.float32: jnp.asarray(values, dtype).reshape(shape)


def logit(mean: Float[np.ndarray, "*shape"]) -> Float[np.ndarray, "*shape"]:
    """Computes the logit of a mean, after clipping it to [.001, .999] (Burda et al. 2016, section 5).

    Example:
      >>> logit(np.array([0.0, 0.5, 1.0])).round(2).tolist()
      [-6.91, 0.0, 6.91]
    """
    p = np.clip(mean, 0.001, 0.999)
    return np.log(p / (1 - p))
