"""Networks whose output at a position depends on earlier positions alone, and how to draw from them.

Examples are rows of numbers from 0 to `levels - 1`. A network gives `levels - 1` logits at each position, those of 1,
2, ... over that of 0: for two levels, the logit of a one.
"""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, cast

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
from flax.typing import Initializer
from jaxtyping import Array, Float, Int, Key

from genjax.nn.layers import ACTIVATIONS
from genjax.nn.networks import start_at
from genjax.types import Params, Settings

Numbers = Int[Array, "batch positions"]
Context = Float[Array, "batch classes"] | None
Logits = Float[Array, "batch positions logits"]
EMBEDDED = 16  # numbers that stand for a level, where there are more than two


class AutoregressiveNetwork(NamedTuple):
    """A kind of network.

    Attributes:
      build: `(settings, positions, levels, mean) -> module`; `mean` is where the outputs of two levels start.
      init: `(module, key, numbers, context) -> params`.
      logits: `(module, params, numbers, context) -> logits`.
      draw: `(module, params, key, n, context) -> numbers [n, positions]`, in one scan over the positions.
      settings: the static settings that it reads.
    """

    build: Callable[[Settings, int, int, np.ndarray], nn.Module]
    init: Callable[[Any, Key[Array, ""], Numbers, Context], Params]
    logits: Callable[[Any, Params, Numbers, Context], Logits]
    draw: Callable[[Any, Params, Key[Array, ""], int, Context], Numbers]
    settings: tuple[str, ...]


class MaskedDense(nn.Module):
    """A fully connected layer whose kernel has fixed zeros.

    Attributes:
      mask: ones and zeros, of the kernel's shape.
      bias_init: of the bias.
    """

    mask: Any
    bias_init: Initializer = nn.initializers.zeros

    @nn.compact
    def __call__(self, x: Float[Array, "batch inputs"]) -> Float[Array, "batch outputs"]:
        kernel = self.param("kernel", nn.initializers.lecun_normal(), self.mask.shape)
        bias = self.param("bias", self.bias_init, (self.mask.shape[1],))
        return x @ (kernel * self.mask) + bias[None]


class Made(nn.Module):
    """A masked autoencoder (Germain et al. 2015); of two levels, inputs are connected with outputs directly as well.

    Hidden unit k has a degree m(k): it sees the positions up to m(k) and is seen by the positions after m(k). Degrees
    are spread evenly.

    Attributes:
      positions, levels: of the examples.
      hidden: widths of the hidden layers.
      activation: of the hidden layers, a name of `layers.ACTIVATIONS`.
      start: initialiser of the output's bias, `[positions * (levels - 1)]`.
    """

    positions: int
    levels: int
    hidden: Sequence[int]
    activation: str
    start: Initializer

    @nn.compact
    def __call__(self, numbers: Numbers, context: Context = None) -> Logits:
        inputs, degrees = self._inputs(numbers)
        outputs = np.repeat(np.arange(self.positions), self.levels - 1)  # a position sees degrees below its own
        h, h_degrees = inputs, degrees
        for width in self.hidden:
            new = np.arange(width) % max(1, self.positions - 1)
            h = MaskedDense(_mask(h_degrees, new, strict=False))(h)
            h = ACTIVATIONS[self.activation](h if context is None else h + nn.Dense(width, use_bias=False)(context))
            h_degrees = new
        logits = MaskedDense(_mask(h_degrees, outputs, strict=True), self.start)(h)
        if self.hidden and self.levels == 2:
            logits += MaskedDense(_mask(degrees, outputs, strict=True))(inputs)
        if context is not None:
            logits += nn.Dense(len(outputs), use_bias=False)(context)
        return logits.reshape(-1, self.positions, self.levels - 1)

    def _inputs(self, numbers: Numbers) -> tuple[Float[Array, "batch inputs"], np.ndarray]:
        """What the first layer sees, and the position of each of its entries."""
        if self.levels == 2:
            return numbers.astype(jnp.float32), np.arange(self.positions)
        width = min(self.levels, EMBEDDED)
        embedded = nn.Embed(self.levels, width)(numbers)  # [b, positions, width]
        return embedded.reshape(len(numbers), -1), np.repeat(np.arange(self.positions), width)


def _mask(inputs: np.ndarray, outputs: np.ndarray, strict: bool) -> np.ndarray:
    """1 where an output's degree is at least an input's, or greater: `[inputs, outputs]` float32."""
    compare = np.greater if strict else np.greater_equal
    return compare(outputs[None], inputs[:, None]).astype(np.float32)


class Transformer(nn.Module):
    """A causal transformer with norms before its layers (Vaswani et al. 2017; Radford et al. 2019).

    Attributes:
      positions, levels: of the examples.
      width: of a position's vector.
      layers: blocks of attention and of a hidden layer of four times the width.
      heads: of the attention.
      activation: of the hidden layers, a name of `layers.ACTIVATIONS`.
      decode: whether it is called for one position after another and keeps keys and values in the collection `cache`.
    """

    positions: int
    levels: int
    width: int
    layers: int
    heads: int
    activation: str
    decode: bool = False

    @nn.compact
    def __call__(
        self, previous: Int[Array, "batch length"], places: Int[Array, " length"], context: Context = None
    ) -> Float[Array, "batch length logits"]:
        """Computes logits at `places` from the number before each; before the first stands `levels`."""
        small = nn.initializers.normal(0.02)
        h = nn.Embed(self.levels + 1, self.width, embedding_init=small)(previous)
        h += nn.Embed(self.positions, self.width, embedding_init=small)(places)[None]
        if context is not None:
            h += nn.Dense(self.width, use_bias=False)(context)[:, None]
        mask = None if self.decode else nn.make_causal_mask(previous)
        for _ in range(self.layers):
            attend = nn.MultiHeadDotProductAttention(self.heads, decode=self.decode)
            h += attend(nn.LayerNorm()(h), mask=mask)
            inner = ACTIVATIONS[self.activation](nn.Dense(4 * self.width)(nn.LayerNorm()(h)))
            h += nn.Dense(self.width, kernel_init=nn.initializers.normal(0.02 / (2 * self.layers) ** 0.5))(inner)
        return nn.Dense(self.levels - 1, kernel_init=small)(nn.LayerNorm()(h))


def log_prob(logits: Logits, numbers: Numbers) -> Float[Array, " batch"]:
    """Computes log p(x) = sum_i log p(x_i | x_1, ..., x_(i-1)), in nats per example.

    Example:
      >>> print(log_prob(jnp.zeros((1, 3, 1)), jnp.array([[0, 1, 1]])).round(3))  # 3 log 1/2
      [-2.079]
    """
    log_p = jax.nn.log_softmax(_with_zero(logits))
    return jnp.sum(jnp.take_along_axis(log_p, numbers[..., None], axis=-1)[..., 0], axis=1)


def _with_zero(logits: Float[Array, "*rows logits"]) -> Float[Array, "*rows logits+1"]:
    return jnp.concatenate([jnp.zeros((*logits.shape[:-1], 1)), logits], axis=-1)


def _init_made(made: Made, rng: Key[Array, ""], numbers: Numbers, context: Context) -> Params:
    return made.init(rng, numbers, context)["params"]


def _made_logits(made: Made, params: Params, numbers: Numbers, context: Context) -> Logits:
    return cast(Array, made.apply({"params": params}, numbers, context))


def _draw_made(made: Made, params: Params, rng: Key[Array, ""], n: int, context: Context) -> Numbers:
    def place_number(numbers: Numbers, place: Array) -> tuple[Numbers, None]:
        logits = _made_logits(made, params, numbers, context)[:, place]
        number = jax.random.categorical(jax.random.fold_in(rng, place), _with_zero(logits))
        return numbers.at[:, place].set(number), None

    return jax.lax.scan(place_number, jnp.zeros((n, made.positions), jnp.int32), jnp.arange(made.positions))[0]


def _init_transformer(transformer: Transformer, rng: Key[Array, ""], numbers: Numbers, context: Context) -> Params:
    return transformer.init(rng, numbers, jnp.arange(numbers.shape[1]), context)["params"]


def _transformer_logits(transformer: Transformer, params: Params, numbers: Numbers, context: Context) -> Logits:
    first = jnp.full_like(numbers[:, :1], transformer.levels)
    previous = jnp.concatenate([first, numbers[:, :-1]], axis=1)
    return cast(Array, transformer.apply({"params": params}, previous, jnp.arange(numbers.shape[1]), context))


def _draw_transformer(
    transformer: Transformer, params: Params, rng: Key[Array, ""], n: int, context: Context
) -> Numbers:
    decoder, places = transformer.clone(decode=True), jnp.arange(transformer.positions)
    numbers_before = jnp.zeros((n, transformer.positions), jnp.int32)
    shapes = jax.eval_shape(lambda: decoder.init(rng, numbers_before, places, context))["cache"]
    cache = jax.tree.map(lambda leaf: jnp.zeros(leaf.shape, leaf.dtype), shapes)

    def place_number(carry: tuple[Params, Array], place: Array) -> tuple[tuple[Params, Array], Array]:
        cache, previous = carry
        logits, variables = decoder.apply(
            {"params": params, "cache": cache}, previous[:, None], place[None], context, mutable=["cache"]
        )
        number = jax.random.categorical(jax.random.fold_in(rng, place), _with_zero(cast(Array, logits)[:, 0]))
        return (cast(Params, variables)["cache"], number), number

    _, numbers = jax.lax.scan(place_number, (cache, jnp.full(n, transformer.levels)), places)
    return numbers.T


def _build_made(settings: Settings, positions: int, levels: int, mean: np.ndarray) -> nn.Module:
    start = start_at(mean.reshape(-1)) if levels == 2 else nn.initializers.zeros
    return Made(positions, levels, tuple(settings["hidden"]), settings["activation"], start)


def _build_transformer(settings: Settings, positions: int, levels: int, mean: np.ndarray) -> nn.Module:
    del mean
    sizes = (settings[name] for name in ("width", "depth", "heads"))
    return Transformer(positions, levels, *sizes, activation=settings["activation"])


NETWORKS = {
    "made": AutoregressiveNetwork(_build_made, _init_made, _made_logits, _draw_made, ("hidden",)),
    "transformer": AutoregressiveNetwork(
        _build_transformer, _init_transformer, _transformer_logits, _draw_transformer, ("width", "depth", "heads")
    ),
}
