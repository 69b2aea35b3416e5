"""How the shipped classifiers were trained: a pure function of the data, a recipe and a seed."""

from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax

from genjax.features.classifier import answers, classified, hidden, init
from genjax.features.extractor import over_batches
from genjax.losses.likelihoods import binarise
from genjax.rng import batch_indices, stream
from genjax.training import optimisers
from genjax.types import Array, Key, Params

OPTIMISER = {"optimiser": "adamw", "schedule": "warmup_cosine", "clip": False}
HPARAMS = {**optimisers.HPARAMS, "learning_rate": 2e-3, "weight_decay": 0.05}


class Recipe(NamedTuple):
    """What may differ between data sets.

    Attributes:
      epochs: passes over the training split.
      binarised: the share of examples whose pixels are drawn as Bernoulli variables with the grey values as means.
      flipped: the share of examples mirrored left to right.
      shift: the most pixels that an example is moved by, along each axis.
      dropout: the share of hidden units set to zero before the last layer.
      batch: examples per step.
    """

    epochs: int
    binarised: float = 0.0
    flipped: float = 0.0
    shift: int = 2
    dropout: float = 0.3
    batch: int = 128


# By the data set's name. What models of MNIST make is judged as grey means and as binary draws; clothes have a mirror
# image, digits have none.
RECIPES = {"mnist": Recipe(8, binarised=0.5), "fashion_mnist": Recipe(10, flipped=0.5, shift=1)}
DEFAULT = Recipe(10)


class Fit(NamedTuple):
    """What is carried from step to step."""

    params: Params
    opt_state: Any


def start(rng: Key) -> Fit:
    """The state before the first step."""
    params = init(stream(rng, "init"))
    return Fit(params, optimisers.make_optimiser("classifier", OPTIMISER, HPARAMS).init(params))


def advance(fit: Fit, x: Array, y: Array, numbers: Array, steps: int, recipe: Recipe, rng: Key) -> tuple[Fit, Array]:
    """Some steps of AdamW on the cross-entropy, with a warm-up and a half cosine over all of them.

    Args:
      fit: the state before them.
      x: `[n, 28, 28, 1]`, float32 in [0, 1].
      y: `[n]`, labels.
      numbers: `[T]`, the steps' numbers, from 0.
      steps: of the whole training.
      recipe: how an example is varied.
      rng: the training's root key.

    Returns:
      The state after them, and the losses `[T]` in nats.
    """

    def step(fit: Fit, number_and_index: tuple[Array, Array]) -> tuple[Fit, Array]:
        number, index = number_and_index
        key = jax.random.fold_in(stream(rng, "step"), number)
        batch = varied(stream(key, "vary"), x[index], recipe)
        loss, grads = jax.value_and_grad(cross_entropy)(fit.params, batch, y[index], recipe.dropout, key)
        tx = optimisers.make_optimiser("classifier", OPTIMISER, HPARAMS, number / steps)
        updates, opt_state = tx.update(grads, fit.opt_state, fit.params)
        return Fit(optax.apply_updates(fit.params, updates), opt_state), loss

    indices = batch_indices(stream(rng, "shuffle"), numbers, recipe.batch, len(x))  # [T, batch]
    return jax.lax.scan(step, fit, (numbers, indices))


def cross_entropy(params: Params, x: Array, y: Array, dropout: float, rng: Key) -> Array:
    """The batch's mean of -log p(y | x), in nats, with hidden units dropped."""
    features = hidden(params, x)  # [b, 128]
    mask = jax.random.bernoulli(stream(rng, "dropout"), 1 - dropout, features.shape)
    logits = answers(params, jnp.where(mask, features / (1 - dropout), 0.0))
    return jnp.mean(optax.softmax_cross_entropy_with_integer_labels(logits, y))


def varied(rng: Key, x: Array, recipe: Recipe) -> Array:
    """Examples `[b, h, w, c]`, each binarised, mirrored and moved by chance of its own; zeros move in."""
    (b, h, w, c), s = x.shape, recipe.shift
    binarised, mirrored = (
        jax.random.bernoulli(stream(rng, name), share, (b, 1, 1, 1))
        for name, share in (("binarised", recipe.binarised), ("flipped", recipe.flipped))
    )
    x = jnp.where(binarised, binarise(stream(rng, "pixels"), x), x)
    x = jnp.where(mirrored, x[:, :, ::-1], x)
    corners = jax.random.randint(stream(rng, "shift"), (b, 2), 0, 2 * s + 1)
    wide = jnp.pad(x, ((0, 0), (s, s), (s, s), (0, 0)))  # [b, h + 2s, w + 2s, c]
    return jax.vmap(lambda image, corner: jax.lax.dynamic_slice(image, (*corner, 0), (h, w, c)))(wide, corners)


def accuracies(params: Params, x: np.ndarray, y: np.ndarray) -> dict[str, float]:
    """The share of right answers: on images `x: [n, 28, 28, 1]`, and on one binary draw of each."""
    images = {"test_accuracy": x, "binarised_test_accuracy": np.asarray(binarise(jax.random.key(0), jnp.asarray(x)))}
    classify = partial(classified, params)
    right = {name: np.argmax(over_batches(classify, values), axis=1) == y for name, values in images.items()}
    return {name: round(float(np.mean(values)), 6) for name, values in right.items()}
