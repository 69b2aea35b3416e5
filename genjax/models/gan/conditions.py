"""How both players of a GAN see a class. The generator always sees it: z is h with the one-hot class behind it.

A discriminator's last layer is linear. So an entry of its output for each class, w_y . phi(x) + b_y, is what a
projection discriminator adds to its logit, and what a classifier on the discriminator's features takes the softmax of.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

Outputs = Float[Array, "batch outputs"]
Label = Int[Array, " batch"] | None


class Condition(NamedTuple):
    """A way to use classes.

    Attributes:
      labelled: whether the classes are the labels of the data; if not they are codes that the generator draws.
      seen: whether the discriminator's input holds the class.
      scored: whether the discriminator's output has an entry for each class beside the logit.
      projected: whether the logit has the entry of the example's class added to it.
      classified: whether the entries are trained to name the class: of 'both' data and samples, of the 'samples'.
      weight: the hyperparameter that such a loss is multiplied by.
    """

    labelled: bool = False
    seen: bool = False
    scored: bool = False
    projected: bool = False
    classified: str = "none"
    weight: str | None = None


CONDITIONS = {
    "none": Condition(),
    "concatenation": Condition(labelled=True, seen=True),
    "projection": Condition(labelled=True, scored=True, projected=True),
    "auxiliary": Condition(labelled=True, scored=True, classified="both", weight="class_weight"),
    "information": Condition(scored=True, classified="samples", weight="information_weight"),
}


def logits(condition: Condition, outputs: Outputs, label: Label) -> Float[Array, " batch"]:
    """Computes D(x), or D(x, y) = w . phi(x) + w_y . phi(x) (Miyato & Koyama 2018, equation 3).

    Example:
      >>> print(logits(CONDITIONS["projection"], jnp.array([[1.0, 0.0, 5.0]]), jnp.array([1])))
      [6.]
    """
    own = outputs[:, 0]
    return own + _entry(outputs[:, 1:], label) if condition.projected else own


def class_loss(outputs: Outputs, label: Label) -> Float[Array, " batch"]:
    """Computes -log p(y|x) of the classifier, in nats.

    It is AC-GAN's (Odena et al. 2017, equation 3) for labels, and InfoGAN's bound of the mutual information of code and
    sample up to the code's entropy (Chen et al. 2016, equation 5) for codes.

    Example:
      >>> print(class_loss(jnp.zeros((1, 3)), jnp.array([1])).round(3))
      [0.693]
    """
    return -_entry(jax.nn.log_softmax(outputs[:, 1:]), label)


def _entry(scores: Outputs, label: Label) -> Float[Array, " batch"]:
    # A product with a one-hot vector: its gradient is one too, where that of an index would be a scatter.
    return jnp.sum(scores * jax.nn.one_hot(label, scores.shape[-1]), axis=-1)
