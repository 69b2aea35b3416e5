"""The generative adversarial network (Goodfellow et al. 2014): two players, a generator G and a discriminator D.

x^ = G(z) with z = h ~ N(0, I), or h with the one-hot class behind it; gamma(x) = sigmoid(D(x)) is the probability that
x is real. The discriminator moves first, `critic_steps` times on batches of its own, then the generator. A GAN is a
product of factors:

  loss           `losses.adversarial.LOSSES`  of both players, from D at data and at samples
  penalties      `penalties.PENALTIES`        a set of terms that are added to the discriminator's loss
  weights        spectral norm or clipping    of the discriminator
  augmentation   `nn.augmentation`            what D sees in place of the images
  packing        examples side by side        that D judges together
  condition      `conditions.CONDITIONS`      how both players see a class
  prior          `priors.PRIORS`              of h
"""

from genjax.models.gan.family import FAMILY

__all__ = ["FAMILY"]
