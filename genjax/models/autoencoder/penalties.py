"""The table of penalties of an autoencoder's codes. A term is one function of the step's `PenaltyInputs`."""

from collections.abc import Callable, Mapping
from typing import NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from genjax.losses import codes
from genjax.losses.discrepancies import maximum_mean_discrepancy
from genjax.metrics.wasserstein import squared_sliced_wasserstein
from genjax.nn import networks
from genjax.nn.layers import ACTIVATIONS
from genjax.rng import stream
from genjax.types import Hparams, Key, Params, Settings

Codes = Float[Array, "batch latent"]


class PenaltyInputs(NamedTuple):
    """What a penalty reads.

    Attributes:
      encode: from examples to codes, with the parameters of this step.
      decode: from codes to examples, likewise.
      encoder: the encoder's parameters.
      x: what the encoder saw.
      z: its codes.
      settings, hparams: of the model.
      rng: for the penalty alone.
    """

    encode: Callable[[Array], Array]
    decode: Callable[[Array], Array]
    encoder: Params
    x: Float[Array, "batch *shape"]
    z: Codes
    settings: Settings
    hparams: Hparams
    rng: Key


Term = Callable[[PenaltyInputs], Float[Array, ""]]


class CodePenalty(NamedTuple):
    """A penalty of codes.

    Attributes:
      terms: `{name: term}`, each in the loss with the weight `<name>_weight` and in the log under its name.
      settings: the static settings that the terms read.
      hparams: the hyperparameters that the terms read, beside their weights.
      prior: whether the codes are driven to N(0, I), from which the decoder then draws samples.
      adversarial: whether a discriminator of codes does so.
      phi: the activation of the code that the terms need; any if empty.
    """

    terms: Mapping[str, Term] = {}
    settings: tuple[str, ...] = ()
    hparams: tuple[str, ...] = ()
    prior: bool = False
    adversarial: bool = False
    phi: str = ""

    @property
    def weights(self) -> set[str]:
        """The hyperparameters that are weights."""
        return {f"{name}_weight" for name in self.terms}


def penalise(penalty: CodePenalty, inputs: PenaltyInputs) -> tuple[Float[Array, ""], dict[str, Array]]:
    """Computes the weighted sum of a penalty's terms, and each term without its weight."""
    values = {name: term(inputs) for name, term in penalty.terms.items()}
    weighted = (inputs.hparams[f"{name}_weight"] * value for name, value in values.items())
    return sum(weighted, start=jnp.zeros(())), values


def _l1(inputs: PenaltyInputs) -> Float[Array, ""]:
    return jnp.mean(codes.absolute(inputs.z))


def _l2(inputs: PenaltyInputs) -> Float[Array, ""]:
    return jnp.mean(codes.half_square(inputs.z))


def _sparsity(inputs: PenaltyInputs) -> Float[Array, ""]:
    return jnp.sum(codes.activation_divergence(inputs.z, inputs.hparams["sparsity_target"]))


def _contraction(inputs: PenaltyInputs) -> Float[Array, ""]:
    """E ||dz/dx||_F^2: exact for one layer, sum_j phi'(a_j)^2 ||w_j||^2; else an estimate with random signs."""
    if inputs.settings["network"] == "mlp" and not inputs.settings["hidden"]:
        kernel, bias = inputs.encoder["Dense_0"]["kernel"], inputs.encoder["Dense_0"]["bias"]
        a = inputs.x.reshape(len(inputs.x), -1) @ kernel + bias[None]
        _, slope = jax.jvp(ACTIVATIONS[inputs.settings["phi"]], (a,), (jnp.ones_like(a),))
        return jnp.mean(jnp.square(slope) @ jnp.sum(jnp.square(kernel), axis=0))
    signs = jax.random.rademacher(stream(inputs.rng, "signs"), inputs.z.shape, jnp.float32)
    return jnp.mean(codes.squared_jacobian_by_outputs(inputs.encode, inputs.x, signs))


def _gradient(inputs: PenaltyInputs) -> Float[Array, ""]:
    """E ||dx^/dz||_F^2, an estimate with random signs."""
    signs = jax.random.rademacher(stream(inputs.rng, "signs"), inputs.z.shape, jnp.float32)
    return jnp.mean(codes.squared_jacobian_by_inputs(inputs.decode, inputs.z, signs))


def _mmd(inputs: PenaltyInputs) -> Float[Array, ""]:
    draws = jax.random.normal(stream(inputs.rng, "prior"), inputs.z.shape)
    return maximum_mean_discrepancy(inputs.z, draws, inputs.settings["mmd_kernel"])


def _sliced(inputs: PenaltyInputs) -> Float[Array, ""]:
    draws = jax.random.normal(stream(inputs.rng, "prior"), inputs.z.shape)
    return squared_sliced_wasserstein(stream(inputs.rng, "directions"), inputs.z, draws, inputs.settings["projections"])


CODE_PENALTIES = {
    "none": CodePenalty(),
    "l1": CodePenalty({"l1": _l1}),
    "sparse": CodePenalty({"sparsity": _sparsity}, hparams=("sparsity_target",), phi="sigmoid"),
    "contractive": CodePenalty({"contraction": _contraction}),
    "l2": CodePenalty({"l2": _l2}),
    "gradient": CodePenalty({"l2": _l2, "gradient": _gradient}),
    "mmd": CodePenalty({"mmd": _mmd}, settings=("mmd_kernel",), prior=True),
    "sliced": CodePenalty({"sliced": _sliced}, settings=("projections",), prior=True),
    "adversarial": CodePenalty(settings=("discriminator_hidden",), prior=True, adversarial=True),
}


def make_discriminator(settings: Settings, latent: int) -> nn.Module | None:
    """Builds the network that tells codes from draws of N(0, I), where the penalty has one."""
    if not CODE_PENALTIES[settings["code_penalty"]].adversarial:
        return None
    return networks.encoder({**settings, "network": "mlp"}, settings["discriminator_hidden"], (latent,), 1)
