"""Which settings of a VAE have no meaning together, and which do not fit the data."""

from collections.abc import Iterator

from genjax.models.vae.regularisers import REGULARISERS
from genjax.types import DataSpec, InputError, Settings


def check(settings: Settings, spec: DataSpec) -> None:
    """Refuses settings that have no meaning together, and those that do not fit the data.

    Raises:
      InputError: why, in one line.
    """
    for problem in (*_contradictions(settings), *_misfits(settings, spec)):
        raise InputError(problem)


def _contradictions(settings: Settings) -> Iterator[str]:
    """Names what has no meaning together."""
    bound, prior, regulariser, layers = (settings[name] for name in ("bound", "prior", "regulariser", "layers"))
    factor, conditional = REGULARISERS[regulariser], settings["condition"] == "label"
    if layers > 2:
        yield f"model.layers = {layers}: there are models of one and of two stochastic layers"
    if settings["posterior"] == "gumbel":
        if layers > 1:
            yield "model.posterior 'gumbel' has one layer: set model.layers to 1"
        if bound != "elbo":
            yield f"model.bound {bound!r} needs a density, and relaxed codes of 'gumbel' have none: use 'elbo'"
    if settings["posterior"] == "ladder" and layers == 1:
        yield "model.posterior 'ladder' draws an upper layer too: set model.layers to 2"
    if settings["posterior"] != "gaussian" and factor.moments:
        yield f"model.regulariser {regulariser!r} needs the posterior 'gaussian'"
    if settings["posterior"] == "gumbel" and factor.of_codes:
        yield f"model.regulariser {regulariser!r} needs codes on the real line: 'gumbel' relaxes categories"
    if bound == "dreg" and layers > 1 and settings["posterior"] != "ladder":
        yield "model.bound 'dreg' needs all layers drawn at once: use the posterior 'ladder', or 'iwae' or 'stl'"
    if prior == "vamp" and settings["posterior"] == "flow":
        yield "model.prior 'vamp' mixes Gaussian posteriors: set model.posterior to 'gaussian'"
    if prior == "vamp" and layers > 1:
        yield "model.prior 'vamp' needs the encoder of the only layer: set model.layers to 1"
    if prior == "vamp" and conditional:
        yield "model.prior 'vamp' has pseudo-inputs without a class: use the prior 'class'"
    if prior == "flow" and settings["latent" if layers == 1 else "upper_latent"] < 2:
        yield "model.prior 'flow' divides the dimensions into two halves: it needs two latent dimensions"
    if settings["posterior"] == "flow" and settings["latent"] < 2:
        yield "model.posterior 'flow' divides the dimensions into two halves: it needs two latent dimensions"
    if prior == "class" and not conditional:
        yield "model.prior 'class' needs model.condition 'label'"
    if factor.of_rate and bound != "elbo":
        yield f"model.regulariser {regulariser!r} changes the rate of the bound 'elbo'; {bound!r} has no such part"
    no_closed_form = prior not in ("normal", "class") or layers > 1 or settings["posterior"] == "flow"
    if factor.of_dimensions and no_closed_form:
        yield (
            f"model.regulariser {regulariser!r} needs the rate of each dimension: set one layer, the prior 'normal' "
            "and the posterior 'gaussian'"
        )
    if settings["likelihood"] == "features" and factor.adversarial:
        yield "model.likelihood 'features' has a discriminator of its own: use another regulariser than 'factor'"
    if settings["likelihood"] == "features" and settings["discriminator_hidden"] == () and settings["network"] == "mlp":
        yield "model.likelihood 'features' compares hidden layers: model.discriminator_hidden must have one"
    if (regulariser == "tc" or factor.adversarial) and settings["latent"] < 2 and layers == 1:
        yield f"model.regulariser {regulariser!r} compares dimensions: model.latent = {settings['latent']} has no two"
    if regulariser == "tc" and prior == "class":
        yield "model.regulariser 'tc' needs the prior 'normal'"


def _misfits(settings: Settings, spec: DataSpec) -> Iterator[str]:
    """Names what does not fit the data or the sizes."""
    if settings["condition"] == "label" and not spec.classes:
        yield "model.condition 'label' needs data with one label for each example"
    components = settings["components"]
    if settings["prior"] == "vamp" and settings["pseudo_inputs"] != "learned" and 0 < spec.examples < components:
        yield f"model.components = {components} pseudo-inputs that are examples: there are {spec.examples}"
    if settings["regulariser"] == "tc" and not spec.examples:
        yield "model.regulariser 'tc' needs to know how many examples the training split has (DataSpec.examples)"
    group, latent = settings["free_bits_group"], settings["latent"]
    if settings["regulariser"] == "free_bits" and latent % group:
        yield f"model.free_bits_group = {group} does not divide model.latent = {latent}"
