"""Regularised autoencoders: z = phi(W1 x + b1), x^ = psi(W2 z + b2), minimising E_x[L(x, x^)] + lambda ||w||^2.

L is the Bernoulli cross-entropy or the squared error, summed over dimensions; w is every kernel and no bias. The
penalty is a term of the loss and not decoupled weight decay, whose optimum is another. Hidden layers may stand
before the code and, mirrored, after it; without any, this is the one-layer model written above. Each further factor
is one table:

  corruption     `corruptions.CORRUPTIONS`      what the encoder sees of x
  code penalty   `penalties.CODE_PENALTIES`     what is asked of the codes beside reconstruction
  bottleneck     `bottlenecks.BOTTLENECKS`      whether a code is a vector or a grid of discrete codes
"""

from genjax.models.autoencoder.family import FAMILY, make

__all__ = ["FAMILY", "make"]
