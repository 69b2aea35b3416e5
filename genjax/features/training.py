"""How networks that features come from are trained: a pure function of the data, a recipe and a seed.

With labels a network learns to tell classes apart, as the shipped ones did; without any, to tell which two pictures
were made of one image (Chen et al. 2020).
"""

from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax

from genjax.features.classifier import CLASSIFICATION, CONTRASTIVE, answers, classified, hidden, init
from genjax.features.extractor import over_batches
from genjax.losses.likelihoods import binarise
from genjax.nn.augmentation import change_colour
from genjax.rng import batch_indices, evenly_spaced, stream
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
      objective: one of `OBJECTIVES`.
    """

    epochs: int
    binarised: float = 0.0
    flipped: float = 0.0
    shift: int = 2
    dropout: float = 0.3
    batch: int = 128
    objective: str = CLASSIFICATION


# By the data set's name. What models of MNIST make is judged as grey means and as binary draws; clothes have a mirror
# image, digits have none.
RECIPES = {"mnist": Recipe(8, binarised=0.5), "fashion_mnist": Recipe(10, flipped=0.5, shift=1)}
DEFAULT = Recipe(10)
TEMPERATURE = 0.5
LEAST_STEPS = 1000  # of learning by contrast, whose small data sets need more epochs than labels do
AGREEMENT = 500  # test images that are compared
PROJECTED = 64  # outputs of a network that learns by contrast


def choose_recipe(name: str, objective: str, examples: int, epochs: int | None = None) -> Recipe:
    """The recipe of a data set by its name.

    Args:
      name: of the data set; one that `RECIPES` does not know has the default.
      objective: one of `OBJECTIVES`.
      examples: in the training split.
      epochs: what the user asks for, or None for the recipe's own.
    """
    recipe = RECIPES.get(name, DEFAULT)
    if objective == CONTRASTIVE:  # a crop moves an image already
        least_epochs = -(-LEAST_STEPS // -(-examples // recipe.batch))
        recipe = recipe._replace(objective=objective, shift=0, epochs=max(recipe.epochs, least_epochs))
    return recipe if epochs is None else recipe._replace(epochs=epochs)


class Fit(NamedTuple):
    """What is carried from step to step."""

    params: Params
    opt_state: Any


def start(rng: Key, shape: tuple[int, ...], outputs: int) -> Fit:
    """The state before the first step, for images `(h, w, c)` and so many outputs."""
    params = init(stream(rng, "init"), shape, outputs)
    return Fit(params, optimisers.make_optimiser("classifier", OPTIMISER, HPARAMS).init(params))


def advance(
    fit: Fit, x: Array, y: Array | None, numbers: Array, steps: int, recipe: Recipe, rng: Key
) -> tuple[Fit, Array]:
    """Some steps of AdamW on the recipe's objective, with a warm-up and a half cosine over all of them.

    Args:
      fit: the state before them.
      x: `[n, h, w, c]`, float32 in [0, 1].
      y: `[n]`, labels, where the objective reads them.
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
        labels = None if y is None else y[index]
        loss, grads = jax.value_and_grad(OBJECTIVES[recipe.objective])(fit.params, x[index], labels, recipe, key)
        tx = optimisers.make_optimiser("classifier", OPTIMISER, HPARAMS, number / steps)
        updates, opt_state = tx.update(grads, fit.opt_state, fit.params)
        return Fit(optax.apply_updates(fit.params, updates), opt_state), loss

    indices = batch_indices(stream(rng, "shuffle"), numbers, recipe.batch, len(x))  # [T, batch]
    return jax.lax.scan(step, fit, (numbers, indices))


def cross_entropy(params: Params, x: Array, y: Array | None, recipe: Recipe, rng: Key) -> Array:
    """Computes the batch's mean of -log p(y | x), in nats, of varied examples and with hidden units dropped."""
    features = hidden(params, varied(stream(rng, "vary"), x, recipe))  # [b, 128]
    mask = jax.random.bernoulli(stream(rng, "dropout"), 1 - recipe.dropout, features.shape)
    logits = answers(params, jnp.where(mask, features / (1 - recipe.dropout), 0.0))
    return jnp.mean(optax.softmax_cross_entropy_with_integer_labels(logits, y))


def contrast(params: Params, x: Array, y: Array | None, recipe: Recipe, rng: Key) -> Array:
    """Computes the batch's mean of the normalised, tempered cross-entropy of pairs (Chen et al. 2020, equation 1).

    Two views are made of each image. The loss is -log of the share of the partner among all other views of the batch,
    each weighted by exp(cosine / 0.5) of the outputs, in nats.
    """
    del y
    views = jnp.concatenate([view(stream(rng, name), x, recipe) for name in ("first view", "second view")])  # [2b, ...]
    z = classified(params, views)
    z = z * jax.lax.rsqrt(jnp.maximum(jnp.sum(jnp.square(z), axis=1, keepdims=True), 1e-12))
    b = len(x)
    cosines = jnp.where(jnp.eye(2 * b, dtype=bool), -jnp.inf, jnp.matmul(z, z.T, precision="highest") / TEMPERATURE)
    partners = jnp.concatenate([jnp.arange(b, 2 * b), jnp.arange(b)])
    return jnp.mean(optax.softmax_cross_entropy_with_integer_labels(cosines, partners))


OBJECTIVES = {CLASSIFICATION: cross_entropy, CONTRASTIVE: contrast}


def view(rng: Key, x: Array, recipe: Recipe) -> Array:
    """Views of images `[b, h, w, c]`: a random crop at full size, in other colours, varied as the recipe says.

    A crop holds 50 to 100% of the image's area.
    """
    b, h, w, c = x.shape
    side = jnp.sqrt(jax.random.uniform(stream(rng, "area"), (b,), minval=0.5))  # as a share of the image's
    corner = jax.random.uniform(stream(rng, "corner"), (b, 2)) * (1 - side)[:, None] * jnp.array([[h, w]])  # in pixels

    def crop(image: Array, side: Array, corner: Array) -> Array:
        scale = jnp.full(2, 1 / side)
        return jax.image.scale_and_translate(image, (h, w, c), (0, 1), scale, -corner * scale, "linear")

    cropped = jax.vmap(crop)(x, side, corner)
    return varied(stream(rng, "vary"), jnp.clip(change_colour(stream(rng, "colour"), cropped), 0.0, 1.0), recipe)


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


def agreement(params: Params, x: np.ndarray, recipe: Recipe) -> dict[str, float]:
    """The share of images `x: [n, h, w, c]` whose view has, among one other view of each, its own as the nearest."""
    images, outputs = x[evenly_spaced(min(AGREEMENT, len(x)), len(x))], []
    for name in ("first view", "second view"):
        views = view(stream(jax.random.key(0), name), jnp.asarray(images), recipe)
        z = over_batches(partial(classified, params), np.asarray(views))
        outputs.append(z / np.maximum(np.linalg.norm(z, axis=1, keepdims=True), 1e-6))
    nearest = np.argmax(outputs[0] @ outputs[1].T, axis=1)
    return {"test_agreement": round(float(np.mean(nearest == np.arange(len(nearest)))), 6)}


def accuracies(params: Params, x: np.ndarray, y: np.ndarray) -> dict[str, float]:
    """The share of right answers: on images `x: [n, h, w, c]`, and on one binary draw of each."""
    images = {"test_accuracy": x, "binarised_test_accuracy": np.asarray(binarise(jax.random.key(0), jnp.asarray(x)))}
    classify = partial(classified, params)
    right = {name: np.argmax(over_batches(classify, values), axis=1) == y for name, values in images.items()}
    return {name: round(float(np.mean(values)), 6) for name, values in right.items()}
