"""The variational autoencoder (Kingma & Welling 2014; Rezende et al. 2014), as a product of factors.

A model p(x, z) = p(z) p(x|z) and a posterior q(z|x). Without further settings the prior is N(0, I), the posterior
N(mu(x), diag sigma^2(x)), and the cost is KL(q(z|x) || p(z)) - E_q[log p(x|z)], in nats per example: summed over
dimensions, averaged over the batch, with one draw z = mu + sigma * eps per example. Reported as

  recon = -log p(x|z), kl = KL(q || p) >= 0, elbo = -(recon + kl), whose mean over z is at most log p(x),

and loss = recon + beta kl (Higgins et al. 2017), which is -elbo at beta = 1. Each factor is one table:

  bound        `losses.bounds.BOUNDS`           what is maximised, and how its gradient is estimated
  prior        `priors.PRIORS`                  p(z)
  posterior    `posteriors.POSTERIORS`          q(z|x)
  likelihood   `outputs.OUTPUTS`                p(x|z)
  regulariser  `regularisers.REGULARISERS`      what is added to the bound, or changes its rate
  layers       1, or 2 with a second layer above the first
  condition    whether networks and prior see the class of an example
"""

from genjax.models.vae.family import FAMILY

__all__ = ["FAMILY"]
