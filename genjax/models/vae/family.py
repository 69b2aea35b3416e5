"""The settings of a VAE, which of them act together, and the model that they make."""

import math
from functools import partial

import flax.linen as nn

from genjax.losses.bounds import BOUNDS
from genjax.losses.discrepancies import KERNELS
from genjax.models.vae import adversarial, model, sampling
from genjax.models.vae.about import ABOUT
from genjax.models.vae.checks import check
from genjax.models.vae.networks import Vae, init
from genjax.models.vae.outputs import OUTPUTS, image_discriminator, log_var_floor, make_output, resolve
from genjax.models.vae.posteriors import POSTERIORS
from genjax.models.vae.priors import PRIORS, make_prior
from genjax.models.vae.pseudo_inputs import PSEUDO_INPUTS
from genjax.models.vae.regularisers import REGULARISERS, TC_ESTIMATORS
from genjax.nn import networks
from genjax.nn.networks import start_at
from genjax.ranges import POSITIVE, REAL, SHARE
from genjax.types import DataSpec, Family, Hparams, Model, Objective, Settings, Watch

OBJECTIVE, DISCRIMINATOR = "elbo", "discriminator"
COLLAPSED = 0.05  # nats of all latent variables together, below which a code says nothing of its example


def make(settings: Settings, spec: DataSpec, hparams: Hparams) -> Model:
    """Binds the VAE to its data and hyperparameters.

    Args:
      settings: of the family; `docs/models.md` has what each does.
      spec: of the data.
      hparams: of the family.

    Raises:
      InputError: settings that have no meaning together or that do not fit the data.
    """
    settings = resolve(settings, spec)
    check(settings, spec)
    vae = build(settings, spec, hparams)
    has_densities = settings["posterior"] != "gumbel" and settings["likelihood"] != "features"
    unconditional = not vae.conditional
    return Model(
        init=partial(init, vae),
        objectives=_objectives(vae),
        evaluate=partial(model.evaluate, vae),
        monitor=monitor(settings),
        sample=partial(sampling.sample, vae),
        encode=partial(model.encode, vae),
        decode=partial(sampling.decode, vae) if unconditional else None,
        latent=vae.posterior.latent,
        reconstruct=partial(model.reconstruct, vae),
        prior=partial(sampling.prior, vae),
        infer=partial(model.infer, vae),
        log_weights=partial(model.log_weights, vae) if settings["likelihood"] != "features" else None,
        rates=partial(model.rates, vae),
        likelihood=vae.output.likelihood,
        sample_class=None
        if unconditional
        else lambda params, rng, label: sampling.sample_class(vae, params, rng, label, len(label)),
        simulate=partial(sampling.simulate, vae) if has_densities else None,
        log_densities=partial(model.log_densities, vae) if has_densities else None,
        watches=_watches(vae),
        sample_metrics=("sliced_wasserstein",),
    )


def monitor(settings: Settings) -> str:
    """Names what is compared between steps: of features that move while they are learnt, no loss is."""
    return "sliced_wasserstein" if settings["likelihood"] == "features" else "loss"


def _discriminated(settings: Settings) -> str | None:
    """What the second player sees: 'examples' (VAE-GAN), 'codes' (FactorVAE), or None where there is one player."""
    if settings["likelihood"] == "features":
        return "examples"
    return "codes" if REGULARISERS[settings["regulariser"]].adversarial else None


def _objectives(vae: Vae) -> dict[str, Objective]:
    noise = ("noise",) if vae.output.shared else ()
    discriminated = _discriminated(vae.settings)
    loss = adversarial.generator_loss if discriminated == "examples" else model.loss
    parts = ("encoder", "decoder", *noise, *vae.prior.parts, *vae.posterior.parts)
    objectives = {OBJECTIVE: Objective(parts, partial(loss, vae))}
    if discriminated == "examples":
        objectives[DISCRIMINATOR] = Objective((DISCRIMINATOR,), partial(adversarial.discriminate_examples, vae))
    elif discriminated == "codes":
        discriminate = partial(adversarial.discriminate_codes, vae)
        objectives[DISCRIMINATOR] = Objective((DISCRIMINATOR,), discriminate, batches=2)
    return objectives


def build(settings: Settings, spec: DataSpec, hparams: Hparams) -> Vae:
    """Makes the networks and the three distributions of checked settings."""
    conditional = settings["condition"] == "label"
    posterior = POSTERIORS[settings["posterior"]](settings, hparams)
    output = make_output(settings, spec, hparams)
    encoder = networks.encoder(settings, settings["hidden"], _encoder_shape(settings, spec), posterior.features)
    decoder = networks.decoder(settings, settings["hidden"][::-1], output.start.shape, start_at(output.start))
    bound, regulariser = BOUNDS[settings["bound"]], REGULARISERS[settings["regulariser"]]
    return Vae(
        encoder=encoder,
        decoder=decoder,
        discriminator=_discriminator(settings, spec, posterior.latent),
        posterior=posterior,
        prior=make_prior(settings, spec, encoder),
        output=output,
        bound=bound,
        regulariser=regulariser,
        draws=(settings["groups"] if bound.grouped else 1, settings["samples"]),
        beta=1.0 if regulariser.of_rate else hparams["beta"],
        conditional=conditional,
        settings=settings,
        spec=spec,
        hparams=hparams,
    )


def _discriminator(settings: Settings, spec: DataSpec, latent: int) -> nn.Module | None:
    match _discriminated(settings):
        case "examples":
            return image_discriminator(settings, spec)
        case "codes":
            return networks.encoder({**settings, "network": "mlp"}, settings["discriminator_hidden"], (latent,), 1)
        case _:
            return None


def _encoder_shape(settings: Settings, spec: DataSpec) -> tuple[int, ...]:
    """What the encoder sees: the examples, with the class beside or behind them in a conditional model."""
    classes = spec.classes if settings["condition"] == "label" else 0
    if settings["network"] == "mlp":
        return (math.prod(spec.shape) + classes,)
    return (*spec.shape[:-1], spec.shape[-1] + classes)


def _watches(vae: Vae) -> tuple[Watch, ...]:
    floor = math.exp(log_var_floor(vae.spec) + 0.1)
    return (
        Watch(
            "collapsed posterior",
            lambda metrics: metrics["kl"] < COLLAPSED,
            "the codes say nothing of the examples (kl below 0.05 nats): lower the weight of the rate, which is "
            "hparams.beta or the regulariser's, or give it a schedule (config.schedules.beta = 'linear'), or use "
            "another model.likelihood",
        ),
        Watch(
            "variance at its floor",
            lambda metrics: metrics.get("variance", math.inf) < floor,
            "the decoder's variance has fallen to the rounding of grey levels: the density grows by it alone; use "
            "model.likelihood 'gaussian_fixed' or one of grey levels",
        ),
    )


def _active_hparams(settings: Settings) -> set[str]:
    regulariser = REGULARISERS[settings["regulariser"]]
    conditions = {
        "beta": not regulariser.of_rate,
        "decoder_variance": settings["likelihood"] == "gaussian_fixed",
        "adversarial_weight": settings["likelihood"] == "features",
        "temperature": settings["posterior"] == "gumbel",
    }
    own = {*regulariser.hparams, *BOUNDS[settings["bound"]].hparams}
    return own | {name for name, acts in conditions.items() if acts}


def _units(settings: Settings) -> dict[str, str]:
    nats = "nats of features" if settings["likelihood"] == "features" else "nats"
    return {**dict.fromkeys(("loss", "recon", "elbo"), f"{nats} per example"), "kl": "nats per example"}


def _unused_settings(settings: Settings) -> set[str]:
    gumbel = settings["posterior"] == "gumbel"
    has_flow = settings["posterior"] == "flow" or (settings["prior"] == "flow" and not gumbel)
    read = REGULARISERS[settings["regulariser"]].settings
    conditions = {
        "groups": BOUNDS[settings["bound"]].grouped,
        "prior": not gumbel,
        "components": settings["prior"] in ("mixture", "vamp") and not gumbel,
        "pseudo_inputs": settings["prior"] == "vamp" and not gumbel,
        "couplings": has_flow,
        "coupling_hidden": has_flow,
        "categories": gumbel,
        "logistics": settings["likelihood"] == "logistic_mixture",
        "upper_hidden": settings["layers"] > 1,
        "upper_latent": settings["layers"] > 1,
        **{name: name in read for regulariser in REGULARISERS.values() for name in regulariser.settings},
    }
    if settings["likelihood"] == "features" and settings["network"] == "mlp":
        conditions["discriminator_hidden"] = True
    unused = networks.unused_settings(settings, "hidden")
    if settings["layers"] > 1 or has_flow or _discriminated(settings):
        unused -= {"activation"}
    return unused | {name for name, acts in conditions.items() if not acts}


FAMILY = Family(
    settings={
        **networks.SETTINGS,
        "hidden": (512,),
        "latent": 20,
        "bound": "elbo",
        "samples": 1,
        "groups": 1,
        "prior": "normal",
        "components": 10,
        "pseudo_inputs": "learned",
        "couplings": 4,
        "coupling_hidden": 64,
        "posterior": "gaussian",
        "categories": 10,
        "likelihood": "auto",
        "logistics": 5,
        "regulariser": "none",
        "tc_estimator": "weighted",
        "discriminator_hidden": (256, 256),
        "dip": "ii",
        "mmd_kernel": "imq",
        "free_bits_group": 1,
        "layers": 1,
        "upper_hidden": (100, 100),
        "upper_latent": 50,
        "condition": "none",
    },
    choices={
        **networks.CHOICES,
        "bound": BOUNDS,
        "prior": PRIORS,
        "pseudo_inputs": PSEUDO_INPUTS,
        "posterior": POSTERIORS,
        "likelihood": ("auto", *OUTPUTS),
        "regulariser": REGULARISERS,
        "tc_estimator": TC_ESTIMATORS,
        "dip": ("i", "ii"),
        "mmd_kernel": KERNELS,
        "condition": ("none", "label"),
    },
    hparams={
        "beta": 1.0,
        "decoder_variance": 0.1,
        "adversarial_weight": 1.0,
        "temperature": 1.0,
        "elbo_share": 0.05,
        "renyi_alpha": 0.5,
        "capacity": 25.0,
        "capacity_weight": 100.0,
        "free_bits": 0.1,
        "information_weight": 1.0,
        "tc_weight": 6.0,
        "dimension_weight": 1.0,
        "dip_off_diagonal": 10.0,
        "dip_diagonal": 10.0,
        "mmd_weight": 10.0,
    },
    objectives=(OBJECTIVE, DISCRIMINATOR),
    active_objectives=lambda settings: (OBJECTIVE, DISCRIMINATOR) if _discriminated(settings) else (OBJECTIVE,),
    active_hparams=_active_hparams,
    make=make,
    unused_settings=_unused_settings,
    resolve=resolve,
    labelled=lambda settings: settings["condition"] == "label",
    units=_units,
    about=ABOUT,
    monitor=monitor,
    ranges={"renyi_alpha": REAL, "elbo_share": SHARE, "decoder_variance": POSITIVE, "temperature": POSITIVE},
)
