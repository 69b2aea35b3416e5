"""Autoregressive models: p(x) = prod_i p(x_i | x_1, ..., x_(i-1)), over the levels of pixels or over discrete codes.

The likelihood is exact, in nats per example; the cost is -log p(x). Pixels come row by row, channels last.
"""

import math
from collections.abc import Iterator
from functools import partial
from typing import NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from genjax.nn import autoregression
from genjax.nn.autoregression import NETWORKS, AutoregressiveNetwork
from genjax.nn.layers import ACTIVATIONS
from genjax.nn.networks import logit
from genjax.types import (
    Aux,
    Batch,
    DataSpec,
    Family,
    Hparams,
    InputError,
    Key,
    Likelihood,
    Model,
    Objective,
    Params,
    Settings,
)

OBJECTIVE, PART = "autoregressive", "network"
PerExample = Float[Array, " batch"]
Label = Int[Array, " batch"] | None


class Autoregressive(NamedTuple):
    """The network and what binds it; an example is a row of `positions` numbers below `levels`."""

    network: AutoregressiveNetwork
    module: nn.Module
    shape: tuple[int, ...]
    levels: int
    classes: int

    @property
    def positions(self) -> int:
        """How many numbers an example has."""
        return math.prod(self.shape)


def make(settings: Settings, spec: DataSpec, hparams: Hparams) -> Model:
    """Binds the model to its data; it has no hyperparameter of its own.

    Args:
      settings: of the family; `docs/models.md` has what each does.
      spec: of the data, whose values are levels.
      hparams: of the family.

    Raises:
      InputError: the data have no levels or no labels, or the heads do not divide the width.
    """
    del hparams
    for problem in _problems(settings, spec):
        raise InputError(problem)
    network, shape = NETWORKS[settings["network"]], tuple(spec.shape)
    module = network.build(settings, math.prod(shape), spec.levels, logit(np.asarray(spec.mean)))
    classes = spec.classes if settings["condition"] == "label" else 0
    model = Autoregressive(network, module, shape, spec.levels, classes)
    return Model(
        init=partial(init, model),
        objectives={OBJECTIVE: Objective((PART,), partial(loss, model))},
        evaluate=lambda params, batch, rng: {"loss": -log_prob(model, params, batch)},
        monitor="loss",
        sample=partial(sample, model),
        sample_class=partial(sample_class, model) if classes else None,
        log_prob=partial(log_prob, model),
        likelihood=Likelihood("categorical", "nats", density=False),
    )


def init(model: Autoregressive, rng: Key, batch: Batch) -> Params:
    """Draws the parameters of the network."""
    numbers = jnp.zeros((len(batch.x), model.positions), jnp.int32)
    return {PART: model.network.init(model.module, rng, numbers, _context(model, batch.label))}


def log_prob(model: Autoregressive, params: Params, batch: Batch) -> PerExample:
    """Computes log p(x), or log p(x|y) of a conditional model, in nats."""
    numbers = to_numbers(model, batch.x)
    logits = model.network.logits(model.module, params[PART], numbers, _context(model, batch.label))
    return autoregression.log_prob(logits, numbers)


def loss(model: Autoregressive, params: Params, batch: Batch, rng: Key) -> tuple[Float[Array, ""], Aux]:
    """Computes E_x[-log p(x)]."""
    del rng  # nothing here is random
    value = -jnp.mean(log_prob(model, params, batch))
    return value, Aux({"loss": value})


def sample(model: Autoregressive, params: Params, rng: Key, n: int) -> Float[Array, "{n} *shape"]:
    """Draws examples; those of a conditional model are of classes that are equally likely."""
    label_key, key = jax.random.split(rng)
    label = jax.random.randint(label_key, (n,), 0, model.classes) if model.classes else None
    return _draw(model, params, key, n, label)


def sample_class(model: Autoregressive, params: Params, rng: Key, label: Int[Array, " n"]) -> Float[Array, "n *shape"]:
    """Draws examples of given classes."""
    return _draw(model, params, rng, len(label), label)


def to_numbers(model: Autoregressive, x: Float[Array, "batch *shape"]) -> Int[Array, "batch positions"]:
    """Computes which level each value in [0, 1] is."""
    return jnp.round(x.reshape(len(x), -1) * (model.levels - 1)).astype(jnp.int32)


def _draw(model: Autoregressive, params: Params, rng: Key, n: int, label: Label) -> Float[Array, "{n} *shape"]:
    numbers = model.network.draw(model.module, params[PART], rng, n, _context(model, label))
    return (numbers / (model.levels - 1)).reshape(n, *model.shape)


def _context(model: Autoregressive, label: Label) -> Float[Array, "batch classes"] | None:
    return jax.nn.one_hot(label, model.classes) if model.classes else None


def _problems(settings: Settings, spec: DataSpec) -> Iterator[str]:
    if spec.levels < 2:
        yield "the family 'autoregressive' needs values with levels: images of integers, codes, or binarised images"
    if settings["network"] == "transformer" and settings["width"] % settings["heads"]:
        yield f"model.heads = {settings['heads']} does not divide model.width = {settings['width']}"
    if settings["condition"] == "label" and not spec.classes:
        yield "model.condition 'label' needs data with one label for each example"


def _unused_settings(settings: Settings) -> set[str]:
    unused = {name for network in NETWORKS.values() for name in network.settings}
    unused -= set(NETWORKS[settings["network"]].settings)
    return unused | ({"activation"} if settings["network"] == "made" and not settings["hidden"] else set())


FAMILY = Family(
    settings={
        "network": "made",
        "hidden": (512,),
        "width": 64,
        "depth": 3,
        "heads": 4,
        "activation": "relu",
        "condition": "none",
    },
    choices={"network": NETWORKS, "activation": ACTIVATIONS, "condition": ("none", "label")},
    hparams={},
    objectives=(OBJECTIVE,),
    active_hparams=lambda settings: set(),
    make=make,
    unused_settings=_unused_settings,
    labelled=lambda settings: settings["condition"] == "label",
    units=lambda settings: {"loss": "nats per example"},
    about={
        "network": "from the values before a position to the distribution of its own",
        "network=made": "a masked MLP (Germain et al. 2015)",
        "network=transformer": "causal attention over the positions (Vaswani et al. 2017)",
        "hidden": "widths of the hidden layers of 'made'",
        "width": "of a position's vector in a transformer",
        "depth": "blocks of a transformer",
        "heads": "of its attention",
        "activation": "of hidden layers",
        "condition": "what the network knows of an example",
        "condition=none": "nothing",
        "condition=label": "its class; a source without labels is refused",
    },
)
