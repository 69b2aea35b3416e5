"""The settings of an autoencoder, which of them act together, and the model that they make."""

import math
from collections.abc import Iterator
from functools import partial

import jax
import numpy as np

from genjax.losses.discrepancies import KERNELS
from genjax.models.autoencoder import model
from genjax.models.autoencoder.about import ABOUT
from genjax.models.autoencoder.bottlenecks import BOTTLENECKS, OF_CODEBOOKS, PART
from genjax.models.autoencoder.corruptions import CORRUPTIONS
from genjax.models.autoencoder.model import Autoencoder
from genjax.models.autoencoder.penalties import CODE_PENALTIES, make_discriminator
from genjax.nn import networks
from genjax.nn.layers import ACTIVATIONS
from genjax.nn.networks import logit, start_at
from genjax.ranges import DECAY, SHARE
from genjax.types import DataSpec, DiscreteCodes, Family, Hparams, InputError, Model, Objective, Settings, Watch

OBJECTIVE, DISCRIMINATOR, GENERATOR = "autoencoder", "discriminator", "generator"
FEW = 0.05  # of a codebook's codes; below it most of the codebook serves nothing
MOST_CODES = 2**16  # at a position: a data set of codes keeps 16 bits, and the perplexity counts each of them


def make(settings: Settings, spec: DataSpec, hparams: Hparams) -> Model:
    """Binds the autoencoder to its data and hyperparameters.

    Args:
      settings: of the family; `docs/models.md` has what each does.
      spec: of the data.
      hparams: of the family.

    Raises:
      InputError: settings that have no meaning together or that do not fit the data.
    """
    for problem in (*_contradictions(settings), *_misfits(settings, spec)):
        raise InputError(problem)
    auto = build(settings, spec, hparams)
    has_prior = auto.penalty.prior
    return Model(
        init=partial(model.init, auto),
        objectives=_objectives(auto),
        evaluate=partial(model.evaluate, auto),
        monitor=model.monitor(settings),
        sample=partial(model.sample, auto) if has_prior else None,
        decode=partial(model.decode, auto),
        latent=auto.latent,
        encode=partial(model.encode, auto),
        reconstruct=lambda params, batch, rng: model.decode(auto, params, model.encode(auto, params, batch)),
        prior=(lambda params, rng, n: jax.random.normal(rng, (n, auto.latent))) if has_prior else None,
        discrete=_discrete(auto),
        watches=_watches(auto),
        sample_metrics=("sliced_wasserstein",) if has_prior else (),
    )


def build(settings: Settings, spec: DataSpec, hparams: Hparams) -> Autoencoder:
    """Makes the networks of checked settings."""
    bottleneck, grid = BOTTLENECKS[settings["bottleneck"]], ()
    if bottleneck is not None:
        grid = networks.code_grid(settings, spec.shape, settings["positions"])
    latent = settings["latent"] if bottleneck is None else math.prod(grid) * bottleneck.dimensions(settings)
    hidden, start = settings["hidden"], start_at(_bias(settings["psi"], spec.mean))
    return Autoencoder(
        encoder=networks.encoder(settings, hidden, spec.shape, latent, grid=bool(grid)),
        decoder=networks.decoder(settings, hidden[::-1], spec.shape, start, grid=bool(grid)),
        discriminator=make_discriminator(settings, latent),
        latent=latent,
        grid=grid,
        settings=settings,
        hparams=hparams,
    )


def _objectives(auto: Autoencoder) -> dict[str, Objective]:
    trained = (PART,) if auto.settings["bottleneck"] == "vq" and auto.settings["codebook"] == "gradient" else ()
    objectives = {OBJECTIVE: Objective((*model.NETWORKS, *trained), partial(model.loss, auto))}
    if auto.discriminator is None:
        return objectives
    return objectives | {
        DISCRIMINATOR: Objective((DISCRIMINATOR,), partial(model.discriminate, auto)),
        GENERATOR: Objective(("encoder",), partial(model.deceive, auto)),
    }


def _discrete(auto: Autoencoder) -> DiscreteCodes | None:
    if auto.bottleneck is None:
        return None
    size = auto.bottleneck.size(auto.settings)
    return DiscreteCodes(auto.grid, size, partial(model.encode_numbers, auto), partial(model.decode_numbers, auto))


def _watches(auto: Autoencoder) -> tuple[Watch, ...]:
    if auto.bottleneck is None:
        return ()
    threshold = FEW * auto.bottleneck.size(auto.settings)
    return (
        Watch(
            "few live codes",
            lambda metrics: metrics["train/perplexity"] < threshold,
            "a batch uses fewer than a twentieth of the discrete codes: use fewer (model.codes, model.levels), raise "
            "hparams.restart_share, or train longer",
        ),
    )


def _bias(psi: str, mean: np.ndarray) -> np.ndarray:
    """The output starts at the training mean where psi can be inverted by hand, and at psi(0) elsewhere."""
    return {"sigmoid": logit, "identity": np.asarray}.get(psi, np.zeros_like)(mean)


def _contradictions(settings: Settings) -> Iterator[str]:
    """Names what has no meaning together."""
    bottleneck, penalty, phi = (settings[name] for name in ("bottleneck", "code_penalty", "phi"))
    if bottleneck != "none" and penalty != "none":
        yield f"model.code_penalty {penalty!r} is for continuous codes: set model.bottleneck to 'none'"
    if bottleneck != "none" and phi != "identity":
        yield f"model.bottleneck {bottleneck!r} bounds the code: set model.phi to 'identity', not {phi!r}"
    if (needed := CODE_PENALTIES[penalty].phi) and phi != needed:
        yield f"model.code_penalty {penalty!r} needs model.phi {needed!r}, not {phi!r}"
    if CODE_PENALTIES[penalty].prior and phi not in ("identity", "leaky_relu"):
        yield f"model.code_penalty {penalty!r} drives codes to N(0, I), which model.phi {phi!r} cannot reach"
    if bottleneck == "fsq" and min(settings["levels"], default=0) < 3:
        yield f"model.levels = {settings['levels']}: each dimension of 'fsq' needs three levels or more; 'lfq' has two"
    if bottleneck == "vq" and settings["codes"] < 2:
        yield f"model.codes = {settings['codes']}: a codebook needs two codes or more"
    kind = BOTTLENECKS[bottleneck]
    if kind is not None and (size := kind.size(settings)) > MOST_CODES:
        yield f"model.bottleneck {bottleneck!r} has {size:,} codes at a position: {MOST_CODES:,} are the most"
    if settings["likelihood"] == "bernoulli" and settings["psi"] != "sigmoid":
        yield f"model.likelihood 'bernoulli' needs model.psi 'sigmoid', not {settings['psi']!r}"


def _misfits(settings: Settings, spec: DataSpec) -> Iterator[str]:
    """Names what does not fit the data."""
    if settings["likelihood"] == "bernoulli" and not spec.bounded:
        yield "model.likelihood 'bernoulli' needs data in [0, 1]; use 'gaussian' for points"


def _active_hparams(settings: Settings) -> set[str]:
    penalty, bottleneck = CODE_PENALTIES[settings["code_penalty"]], BOTTLENECKS[settings["bottleneck"]]
    corruption = CORRUPTIONS[settings["corruption"]]
    return {
        "lambda_w",
        *penalty.weights,
        *penalty.hparams,
        *(() if corruption is None else (corruption.strength,)),
        *(() if bottleneck is None else bottleneck.hparams(settings)),
    }


def _units(settings: Settings) -> dict[str, str]:
    """The cross-entropy has a unit; the squared error has that of the data, squared."""
    bernoulli = settings["likelihood"] == "bernoulli"
    return dict.fromkeys(("loss", "recon", "denoised"), "nats per example") if bernoulli else {}


def _unused_settings(settings: Settings) -> set[str]:
    penalty, bottleneck = CODE_PENALTIES[settings["code_penalty"]], BOTTLENECKS[settings["bottleneck"]]
    read = {*penalty.settings, *(("latent",) if bottleneck is None else bottleneck.settings)}
    if bottleneck is not None and settings["network"] == "mlp":
        read.add("positions")
    optional = {
        "positions",
        *(name for row in CODE_PENALTIES.values() for name in row.settings),
        *(name for row in BOTTLENECKS.values() if row is not None for name in row.settings),
    }
    unused = networks.unused_settings(settings, "hidden") | ({"dense"} if bottleneck is not None else set())
    return (unused - {"activation"} if penalty.adversarial else unused) | (optional - read)


FAMILY = Family(
    settings={
        **networks.SETTINGS,
        "hidden": (128,),
        "latent": 16,
        "phi": "identity",
        "psi": "sigmoid",
        "likelihood": "bernoulli",
        "corruption": "none",
        "code_penalty": "none",
        "mmd_kernel": "imq",
        "projections": 50,
        "discriminator_hidden": (256, 256),
        "bottleneck": "none",
        "codes": 512,
        "codebook": "average",
        "levels": (8, 8, 8),
        "positions": 8,
    },
    choices={
        **networks.CHOICES,
        "phi": ACTIVATIONS,
        "psi": ACTIVATIONS,
        "likelihood": ("bernoulli", "gaussian"),
        "corruption": CORRUPTIONS,
        "code_penalty": CODE_PENALTIES,
        "mmd_kernel": KERNELS,
        "bottleneck": BOTTLENECKS,
        "codebook": OF_CODEBOOKS,
    },
    hparams={
        "lambda_w": 1e-4,
        "noise": 0.3,
        "masked": 0.25,
        "l1_weight": 0.1,
        "sparsity_weight": 1.0,
        "sparsity_target": 0.05,
        "contraction_weight": 0.1,
        "l2_weight": 0.01,
        "gradient_weight": 0.01,
        "mmd_weight": 10.0,
        "sliced_weight": 10.0,
        "commitment_weight": 0.25,
        "codebook_weight": 1.0,
        "entropy_weight": 0.1,
        "codebook_start": 10.0,
        "codebook_decay": 0.99,
        "restart_share": 0.01,
    },
    objectives=(OBJECTIVE, DISCRIMINATOR, GENERATOR),
    ranges={"masked": SHARE, "sparsity_target": SHARE, "codebook_decay": DECAY},
    active_objectives=lambda settings: (
        (OBJECTIVE, DISCRIMINATOR, GENERATOR) if CODE_PENALTIES[settings["code_penalty"]].adversarial else (OBJECTIVE,)
    ),
    active_hparams=_active_hparams,
    make=make,
    unused_settings=_unused_settings,
    about=ABOUT,
    monitor=model.monitor,
    units=_units,
)
