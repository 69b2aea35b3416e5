"""Differentiable augmentations of images in [-1, 1], which a discriminator sees in place of the images themselves.

A random transformation T of real and of generated images leaves the generator's target where it is as long as the
distribution of T(x) still determines that of x. The gradient goes through T (Zhao et al. 2020; Karras et al. 2020a).

Shifts are products with matrices of zeros and ones. The gradient of such a product is a product too, where the gradient
of a gather would be a scatter, which is slow.
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from genjax.rng import stream
from genjax.types import Key

Images = Float[Array, "batch height width channels"]
Chosen = Bool[Array, " batch"]

SHIFT = 1 / 8  # of the side, the greatest translation
HOLE = 1 / 2  # of the side, of the square that is cut out


def augment(rng: Key, x: Images, probability: Float[Array, ""] | float = 1.0) -> Images:
    """Applies every transformation of `TRANSFORMATIONS` in turn, each to an image with a probability of its own draw.

    With probability one it is DiffAugment's policy of colour, translation and cutout (Zhao et al. 2020, section 4).

    Args:
      rng: key.
      x: images in [-1, 1].
      probability: of each transformation of each image; 0 leaves the images as they are.

    Example:
      >>> x = jax.random.uniform(jax.random.key(0), (4, 8, 8, 1))
      >>> bool(jnp.all(augment(jax.random.key(1), x, 0.0) == x)), augment(jax.random.key(1), x).shape
      (True, (4, 8, 8, 1))
    """
    for name, transform in TRANSFORMATIONS.items():
        transformed = jax.random.uniform(stream(rng, f"{name} chosen"), x.shape[:1]) < probability
        x = jnp.where(transformed[:, None, None, None], transform(stream(rng, name), x), x)
    return x


def change_colour(rng: Key, x: Images) -> Images:
    """Adds a brightness in [-1/2, 1/2], then scales saturation by up to 2 and contrast by 1/2 to 3/2."""
    brightness, saturation, contrast = jax.random.uniform(rng, (3, x.shape[0], 1, 1, 1))
    x = x + brightness - 0.5
    if x.shape[-1] > 1:  # a grey image has no saturation
        grey = jnp.mean(x, axis=-1, keepdims=True)
        x = grey + 2 * saturation * (x - grey)
    mean = jnp.mean(x, axis=(1, 2, 3), keepdims=True)
    return mean + (0.5 + contrast) * (x - mean)


def translate(rng: Key, x: Images) -> Images:
    """Moves an image by up to an eighth of its side along both axes; what comes in is grey."""
    for axis, key in zip((1, 2), jax.random.split(rng), strict=True):
        n = x.shape[axis]
        limit = int(n * SHIFT + 0.5)
        shift = jax.random.randint(key, (x.shape[0],), -limit, limit + 1)
        source = jnp.arange(n)[None] - shift[:, None]  # [b, n], of each new row
        matrix = (source[..., None] == jnp.arange(n)[None, None]).astype(x.dtype)  # [b, n, n]
        form = "bij,bjwc->biwc" if axis == 1 else "bij,bhjc->bhic"
        x = jnp.einsum(form, matrix, x, precision="highest")  # so that every pixel is the one it was
    return x


def cut_out(rng: Key, x: Images) -> Images:
    """Sets a square of half the side to grey; it may reach over the border."""
    outside = jnp.zeros(x.shape[:3], bool)
    for axis, key in zip((1, 2), jax.random.split(rng), strict=True):
        side = int(x.shape[axis] * HOLE + 0.5)
        centre = jax.random.randint(key, (x.shape[0],), 0, x.shape[axis] + (1 - side % 2))
        far = _outside(jnp.arange(x.shape[axis])[None] - centre[:, None], side)  # [b, n]
        outside |= far[:, :, None] if axis == 1 else far[:, None, :]
    return jnp.where(outside[..., None], x, 0.0)


def next_probability(
    probability: Float[Array, ""], sign: Float[Array, ""], target: Float[Array, ""] | float, step: Array | float
) -> Float[Array, ""]:
    """Moves ADA's probability by one step towards less overfitting (Karras et al. 2020a, section 3.1).

    Args:
      probability: p in [0, 1].
      sign: r_t, the mean sign of the discriminator's logits of real training images: 1 where it knows all of them.
      target: of r_t.
      step: how far p moves: the images of an update over the images in which p can go from 0 to 1.

    Example:
      >>> print(next_probability(jnp.float32(0.5), jnp.float32(0.8), 0.6, 0.25))
      0.75
    """
    return jnp.clip(probability + jnp.sign(sign - target) * step, 0.0, 1.0)


def _outside(offset: Int[Array, "batch n"], side: int) -> Bool[Array, "batch n"]:
    """Whether a pixel lies outside of the `side` pixels around a centre."""
    return (offset < -(side // 2)) | (offset >= side - side // 2)


TRANSFORMATIONS: dict[str, Callable[[Key, Images], Images]] = {
    "colour": change_colour,
    "translation": translate,
    "cutout": cut_out,
}
