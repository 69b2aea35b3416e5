"""What a VAE's loss has beside distortion and beta times the rate, or in place of that rate.

A regulariser is one function of the posterior's draws for a batch. Its value is one number, in nats per example,
because a covariance, a total correlation or a mean rate belongs to a batch and not to an example.
"""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from genjax.losses import moments, rates, total_correlation
from genjax.losses.discrepancies import maximum_mean_discrepancy
from genjax.losses.divergences import normal_log_prob
from genjax.types import Hparams, Settings

Codes = Float[Array, "batch latent"]
Value = tuple[Float[Array, ""], dict[str, Array]]


class Inferred(NamedTuple):
    """The posterior of a batch, as regularisers see it.

    Attributes:
      rates: KL(q(z|x) || p(z)) of each group of latent variables, in nats.
      z: one draw for each example.
      mean, log_var: the moments of a Gaussian q(z|x).
      prior: as many draws from p(z); a function, because only one regulariser needs them.
      logits: a discriminator's logits of codes: that z is a draw of q(z) and not of the product of its marginals.
      examples: how many the training split has.
    """

    rates: Float[Array, "batch groups"]
    z: Codes
    mean: Codes
    log_var: Codes
    prior: Callable[[], Codes]
    logits: Callable[[Codes], Float[Array, " batch"]]
    examples: int


class Regulariser(NamedTuple):
    """A term of a VAE's loss.

    Attributes:
      value: `(inferred, settings, hparams) -> (value, {metric: value})`; None stands for no term.
      of_rate: whether it takes the place of beta times the rate; it is added to it otherwise.
      of_dimensions: whether it needs the rate of each dimension.
      moments: whether it needs the moments of a Gaussian posterior.
      of_codes: whether it compares draws of codes on the real line.
      adversarial: whether it needs the discriminator, a second player.
      hparams: the hyperparameters that it reads.
      settings: the settings that it reads.
    """

    value: Callable[[Inferred, Settings, Hparams], Value] | None
    of_rate: bool = False
    of_dimensions: bool = False
    moments: bool = False
    of_codes: bool = False
    adversarial: bool = False
    hparams: tuple[str, ...] = ()
    settings: tuple[str, ...] = ()


def capacity(inferred: Inferred, settings: Settings, hparams: Hparams) -> Value:
    """Computes gamma |KL - C| of the batch's mean rate (Burgess et al. 2018, equation 8); C may have a schedule."""
    del settings
    rate = jnp.mean(jnp.sum(inferred.rates, axis=-1))
    return hparams["capacity_weight"] * rates.capacity_penalty(rate, hparams["capacity"]), {}


def free_bits(inferred: Inferred, settings: Settings, hparams: Hparams) -> Value:
    """Computes beta sum_g max(KL_g, floor) over groups of dimensions (Kingma et al. 2016, equation 15)."""
    floored = rates.free_bits(inferred.rates, hparams["free_bits"], settings["free_bits_group"])
    return hparams["beta"] * floored, {}


def tc(inferred: Inferred, settings: Settings, hparams: Hparams) -> Value:
    """Computes alpha MI + beta TC + gamma DKL, the parts of the rate (Chen et al. 2018, equation 4)."""
    pairwise = total_correlation.log_pairwise(inferred.z, inferred.mean, inferred.log_var)
    log_q, log_product = TC_ESTIMATORS[settings["tc_estimator"]](pairwise, float(inferred.examples))
    parts = total_correlation.decompose(
        log_posterior=normal_log_prob(inferred.z, inferred.mean, inferred.log_var),
        log_q=log_q,
        log_product=log_product,
        log_prior=normal_log_prob(inferred.z, jnp.zeros_like(inferred.z), jnp.zeros_like(inferred.z)),
    )
    information, correlation, dimensions = (jnp.mean(part) for part in parts)
    value = (
        hparams["information_weight"] * information
        + hparams["tc_weight"] * correlation
        + hparams["dimension_weight"] * dimensions
    )
    return value, {"mutual_information": information, "total_correlation": correlation, "dimension_kl": dimensions}


def factor(inferred: Inferred, settings: Settings, hparams: Hparams) -> Value:
    """Computes gamma TC from a discriminator, E log D(z) / (1 - D(z)) (Kim & Mnih 2018, equation 3)."""
    del settings
    correlation = jnp.mean(inferred.logits(inferred.z))
    return hparams["tc_weight"] * correlation, {"total_correlation": correlation}


def dip(inferred: Inferred, settings: Settings, hparams: Hparams) -> Value:
    """Computes the penalty on the covariance of codes (Kumar et al. 2018, equations 6 and 7)."""
    off_diagonal, diagonal = moments.dip_penalty_parts(inferred.mean, inferred.log_var, settings["dip"])
    value = hparams["dip_off_diagonal"] * off_diagonal + hparams["dip_diagonal"] * diagonal
    return value, {"off_diagonal": off_diagonal, "diagonal": diagonal}


def mmd(inferred: Inferred, settings: Settings, hparams: Hparams) -> Value:
    """Computes lambda MMD^2 between q(z) and p(z) (Zhao et al. 2019, equation 6; beta = 0 gives the MMD-VAE)."""
    discrepancy = maximum_mean_discrepancy(inferred.z, inferred.prior(), settings["mmd_kernel"])
    return hparams["mmd_weight"] * discrepancy, {"mmd": discrepancy}


def discriminator_loss(
    logits: Callable[[Codes], Float[Array, " batch"]], z: Codes, permuted: Codes
) -> Float[Array, " batch"]:
    """Computes half of -log D(z) - log(1 - D(z')), z' permuted in each dimension (Kim & Mnih 2018, algorithm 2)."""
    return 0.5 * (jax.nn.softplus(-logits(z)) + jax.nn.softplus(logits(permuted)))


TC_ESTIMATORS = {
    "weighted": total_correlation.minibatch_weighted,
    "stratified": total_correlation.minibatch_stratified,
}

REGULARISERS = {
    "none": Regulariser(None),
    "capacity": Regulariser(capacity, of_rate=True, hparams=("capacity", "capacity_weight")),
    "free_bits": Regulariser(
        free_bits,
        of_rate=True,
        of_dimensions=True,
        hparams=("beta", "free_bits"),
        settings=("free_bits_group",),
    ),
    "tc": Regulariser(
        tc,
        of_rate=True,
        of_dimensions=True,
        moments=True,
        hparams=("information_weight", "tc_weight", "dimension_weight"),
        settings=("tc_estimator",),
    ),
    "factor": Regulariser(
        factor, of_codes=True, adversarial=True, hparams=("tc_weight",), settings=("discriminator_hidden",)
    ),
    "dip": Regulariser(dip, moments=True, hparams=("dip_off_diagonal", "dip_diagonal"), settings=("dip",)),
    "mmd": Regulariser(mmd, of_codes=True, hparams=("mmd_weight",), settings=("mmd_kernel",)),
}
