"""The regularised autoencoder: z = phi(W1 x + b1), x^ = psi(W2 z + b2), minimising E_x[L(x, x^)] + lambda ||w||^2.

L is the Bernoulli cross-entropy or the squared error, summed over dimensions; w is every kernel and no bias. The
penalty is a term of the loss and not decoupled weight decay, whose optimum is another. Hidden layers may stand
before the code and, mirrored, after it; without any, this is the one-layer model written above.
"""

from functools import partial
from typing import NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from genjax.losses import likelihoods
from genjax.losses.regularisers import kernel_norm
from genjax.nn import networks
from genjax.nn.layers import ACTIVATIONS
from genjax.nn.networks import forward, initial, logit, start_at
from genjax.types import (
    Aux,
    Batch,
    DataSpec,
    Family,
    Hparams,
    InputError,
    Key,
    Model,
    Objective,
    Params,
    Settings,
)

OBJECTIVE = "autoencoder"
TRAINED = ("encoder", "decoder")


class Autoencoder(NamedTuple):
    """The networks and what binds them; `phi` and `psi` are names of `layers.ACTIVATIONS`."""

    encoder: nn.Module
    decoder: nn.Module
    latent: int
    phi: str
    psi: str
    likelihood: str
    hparams: Hparams


def make(settings: Settings, spec: DataSpec, hparams: Hparams) -> Model:
    """Binds the autoencoder to its data and hyperparameters.

    Args:
      settings: `hidden`, `latent`, those of `networks.SETTINGS`, `phi` (code), `psi` (output), and `likelihood`:
        'bernoulli' (cross-entropy) or 'gaussian' (squared error).
      spec: of the data.
      hparams: `lambda_w`, the weight of ||w||^2.

    Raises:
      InputError: a Bernoulli likelihood without a sigmoid output or with data outside [0, 1].
    """
    _check(settings, spec)
    hidden, start = settings["hidden"], start_at(_bias(settings["psi"], spec.mean))
    auto = Autoencoder(
        encoder=networks.encoder(settings, hidden, spec.shape, settings["latent"]),
        decoder=networks.decoder(settings, hidden[::-1], spec.shape, start),
        latent=settings["latent"],
        phi=settings["phi"],
        psi=settings["psi"],
        likelihood=settings["likelihood"],
        hparams=hparams,
    )
    return Model(
        init=partial(init, auto),
        objectives={OBJECTIVE: Objective(TRAINED, partial(loss, auto))},
        evaluate=lambda params, batch, rng: {"recon": recon(auto, params, batch)},
        monitor="recon",
        decode=partial(decode, auto),
        latent=auto.latent,
        encode=partial(encode, auto),
        reconstruct=lambda params, batch, rng: decode(auto, params, encode(auto, params, batch)),
    )


def init(auto: Autoencoder, rng: Key, batch: Batch) -> Params:
    """`{"encoder", "decoder"}`."""
    encoder_key, decoder_key = jax.random.split(rng)
    codes = jnp.zeros((batch.x.shape[0], auto.latent))
    return {
        "encoder": initial(auto.encoder, encoder_key, batch.x),
        "decoder": initial(auto.decoder, decoder_key, codes),
    }


def encode(auto: Autoencoder, params: Params, batch: Batch) -> Float[Array, "batch latent"]:
    """Computes z = phi(W1 x + b1)."""
    return ACTIVATIONS[auto.phi](forward(auto.encoder, params["encoder"], batch.x))


def decode(auto: Autoencoder, params: Params, z: Float[Array, "n latent"]) -> Float[Array, "n *shape"]:
    """Computes x^ = psi(W2 z + b2)."""
    return ACTIVATIONS[auto.psi](forward(auto.decoder, params["decoder"], z))


def recon(auto: Autoencoder, params: Params, batch: Batch) -> Float[Array, " batch"]:
    """Computes L(x, x^) per example: the cross-entropy in nats, from the output's logits, or the squared error."""
    z = encode(auto, params, batch)
    if auto.likelihood == "bernoulli":
        return -likelihoods.bernoulli_log_prob(forward(auto.decoder, params["decoder"], z), batch.x)
    return likelihoods.squared_error(decode(auto, params, z), batch.x)


def loss(auto: Autoencoder, params: Params, batch: Batch, rng: Key) -> tuple[Float[Array, ""], Aux]:
    """Computes E_x[L(x, x^)] + lambda ||w||^2."""
    del rng  # nothing here is random
    error, norm = jnp.mean(recon(auto, params, batch)), kernel_norm({part: params[part] for part in TRAINED})
    total = error + auto.hparams["lambda_w"] * norm
    return total, Aux({"loss": total, "recon": error, "kernel_norm": norm})


def _bias(psi: str, mean: np.ndarray) -> np.ndarray:
    """The output starts at the training mean where psi can be inverted by hand, and at psi(0) elsewhere."""
    return {"sigmoid": logit, "identity": np.asarray}.get(psi, np.zeros_like)(mean)


def _check(settings: Settings, spec: DataSpec) -> None:
    if settings["likelihood"] != "bernoulli":
        return
    if settings["psi"] != "sigmoid":
        raise InputError(f"model.likelihood 'bernoulli' needs model.psi 'sigmoid', not {settings['psi']!r}")
    if not spec.bounded:
        raise InputError("model.likelihood 'bernoulli' needs data in [0, 1]; use 'gaussian' for points")


FAMILY = Family(
    settings={
        **networks.SETTINGS,
        "hidden": (128,),
        "latent": 16,
        "phi": "identity",
        "psi": "sigmoid",
        "likelihood": "bernoulli",
    },
    choices={
        **networks.CHOICES,
        "phi": ACTIVATIONS,
        "psi": ACTIVATIONS,
        "likelihood": ("bernoulli", "gaussian"),
    },
    hparams={"lambda_w": 1e-4},
    objectives=(OBJECTIVE,),
    active_hparams=lambda settings: {"lambda_w"},
    make=make,
    unused_settings=lambda settings: networks.unused_settings(settings, "hidden"),
    about={
        **networks.ABOUT,
        "hidden": "widths of an MLP's hidden layers, beginning at the data",
        "latent": "dimensions of the code",
        "phi": "activation of the code",
        "psi": "activation of the output",
        "likelihood": "L(x, x^)",
        "likelihood=bernoulli": "the cross-entropy, for data in [0, 1] and a sigmoid output",
        "likelihood=gaussian": "the squared error, summed over dimensions",
        "lambda_w": "weight of ||w||^2, all kernels and no bias (Kunin et al. 2019)",
    },
)
