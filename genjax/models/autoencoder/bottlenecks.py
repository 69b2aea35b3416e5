"""The table of bottlenecks: how a vector of the encoder becomes one of finitely many."""

import math
from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from genjax.nn import quantisation
from genjax.nn.quantisation import Codebook
from genjax.rng import stream
from genjax.types import Hparams, Key, Params, Settings

Vectors = Float[Array, "n dimensions"]
Numbers = Int[Array, " n"]
PART = "codebook"  # of params
OF_CODEBOOKS = {  # how entries follow codes, and the hyperparameters of each way
    "average": ("codebook_start", "codebook_decay", "restart_share"),
    "gradient": ("codebook_weight",),
}


class Learned(NamedTuple):
    """What a bottleneck gives to the loss.

    Attributes:
      values: what the decoder sees; their gradient passes to the encoder.
      numbers: of the values.
      losses: `{name: per vector}`, each in the loss with the weight `<name>_weight`.
      state: parts of params that are overwritten.
    """

    values: Vectors
    numbers: Numbers
    losses: dict[str, Float[Array, " n"]] = {}  # noqa: RUF012 (no code writes into it)
    state: Params = {}  # noqa: RUF012


class Bottleneck(NamedTuple):
    """A kind of discrete code; every function begins with the settings.

    Attributes:
      dimensions: how many a vector has.
      size: how many values a vector may have.
      init: `(settings, key) -> parts of params`.
      quantise: `(settings, params, vectors) -> values, numbers`.
      look_up: `(settings, params, numbers) -> values`.
      learn: `(settings, hparams, params, vectors, key) -> Learned`, what training does.
      settings: the static settings that it reads.
      hparams: the hyperparameters that it reads, `(settings) -> names`.
    """

    dimensions: Callable[[Settings], int]
    size: Callable[[Settings], int]
    init: Callable[[Settings, Key], Params]
    quantise: Callable[[Settings, Params, Vectors], tuple[Vectors, Numbers]]
    look_up: Callable[[Settings, Params, Numbers], Vectors]
    learn: Callable[[Settings, Hparams, Params, Vectors, Key], Learned]
    settings: tuple[str, ...]
    hparams: Callable[[Settings], set[str]]


def _init_codebook(settings: Settings, rng: Key) -> Params:
    shape = (settings["codes"], settings["latent"])
    if settings["codebook"] == "gradient":
        return {PART: {"entries": jax.random.uniform(rng, shape, minval=-1.0, maxval=1.0) / settings["codes"]}}
    return {PART: Codebook(jax.random.normal(rng, shape), jnp.ones(settings["codes"]))._asdict()}


def _entries(settings: Settings, params: Params) -> Float[Array, "size dimensions"]:
    book = params[PART]
    return book["entries"] if settings["codebook"] == "gradient" else Codebook(**book).entries


def _nearest(settings: Settings, params: Params, z: Vectors) -> tuple[Vectors, Numbers]:
    entries = _entries(settings, params)
    numbers = quantisation.nearest_entry(z, entries)
    return entries[numbers], numbers


def _learn_codebook(settings: Settings, hparams: Hparams, params: Params, z: Vectors, rng: Key) -> Learned:
    """z_q = e_k with k the nearest; ||z - sg(e)||^2 draws codes to entries (van den Oord et al. 2017, equation 3).

    Entries follow codes by ||sg(z) - e||^2, or by moving averages, which start as k-means.
    """
    fixed = jax.lax.stop_gradient(z)
    if settings["codebook"] == "gradient":
        value, numbers = _nearest(settings, params, fixed)
        fit = {"codebook": jnp.sum(jnp.square(fixed - value), axis=1)}
        return Learned(*_pass_through(z, value, numbers), {"commitment": _square(z, value), **fit})
    book, step = Codebook(**params[PART]), hparams["step"]
    start = quantisation.start_codebook(stream(rng, "start"), fixed, settings["codes"])
    book = jax.tree.map(lambda first, later: jnp.where(step == 0, first, later), start, book)
    numbers = quantisation.nearest_entry(fixed, book.entries)  # before the entries move
    value = book.entries[numbers]
    decay = jnp.where(step < hparams["codebook_start"], 0.0, hparams["codebook_decay"])
    moved = quantisation.move_codebook(book, fixed, numbers, decay)
    moved = quantisation.restart_unused(stream(rng, "restart"), moved, fixed, hparams["restart_share"])
    return Learned(*_pass_through(z, value, numbers), {"commitment": _square(z, value)}, {PART: moved._asdict()})


def _pass_through(z: Vectors, value: Vectors, numbers: Numbers) -> tuple[Vectors, Numbers]:
    return quantisation.straight_through(z, value), numbers


def _square(z: Vectors, value: Vectors) -> Float[Array, " n"]:
    return jnp.sum(jnp.square(z - jax.lax.stop_gradient(value)), axis=1)


def _round(settings: Settings, params: Params, z: Vectors) -> tuple[Vectors, Numbers]:
    del params  # the levels are fixed
    values = quantisation.round_to_levels(z, settings["levels"])
    return values, quantisation.levels_to_numbers(values, settings["levels"])


def _take_signs(settings: Settings, params: Params, z: Vectors) -> tuple[Vectors, Numbers]:
    del params  # the corners of a cube are fixed
    values = quantisation.round_to_signs(z)
    return values, quantisation.levels_to_numbers(values, _two_levels(settings))


def _learn_signs(settings: Settings, hparams: Hparams, params: Params, z: Vectors, rng: Key) -> Learned:
    """||z - sg(sign z)||^2, and H(q(c|z)) - H(E q(c|z)): signs that are certain, and used evenly (Yu et al. 2024)."""
    del hparams, rng
    values, numbers = _take_signs(settings, params, z)
    own, of_batch = quantisation.sign_entropies(z)
    return Learned(values, numbers, {"commitment": _square(z, values), "entropy": own - of_batch})


def _two_levels(settings: Settings) -> tuple[int, ...]:
    return (2,) * settings["latent"]


BOTTLENECKS: dict[str, Bottleneck | None] = {
    "none": None,
    "vq": Bottleneck(
        dimensions=lambda settings: settings["latent"],
        size=lambda settings: settings["codes"],
        init=_init_codebook,
        quantise=_nearest,
        look_up=lambda settings, params, numbers: _entries(settings, params)[numbers],
        learn=_learn_codebook,
        settings=("codes", "codebook", "latent"),
        hparams=lambda settings: {"commitment_weight", *OF_CODEBOOKS[settings["codebook"]]},
    ),
    "fsq": Bottleneck(
        dimensions=lambda settings: len(settings["levels"]),
        size=lambda settings: math.prod(settings["levels"]),
        init=lambda settings, rng: {},
        quantise=_round,
        look_up=lambda settings, params, numbers: quantisation.numbers_to_levels(numbers, settings["levels"]),
        learn=lambda settings, hparams, params, z, rng: Learned(*_round(settings, params, z)),
        settings=("levels",),
        hparams=lambda settings: set(),
    ),
    "lfq": Bottleneck(
        dimensions=lambda settings: settings["latent"],
        size=lambda settings: 2 ** settings["latent"],
        init=lambda settings, rng: {},
        quantise=_take_signs,
        look_up=lambda settings, params, numbers: quantisation.numbers_to_levels(numbers, _two_levels(settings)),
        learn=_learn_signs,
        settings=("latent",),
        hparams=lambda settings: {"commitment_weight", "entropy_weight"},
    ),
}
