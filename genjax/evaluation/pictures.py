"""The pictures of an evaluation: samples of a fitted sampler, and what each latent dimension carries."""

import math
from collections.abc import Mapping, Sequence

import numpy as np

from genjax import plots
from genjax.evaluation import samplers
from genjax.evaluation.options import Options
from genjax.evaluation.results import Result
from genjax.plots.figure import BLUE, StrPath, drawing
from genjax.plots.ticks import latent_name
from genjax.runs.load import LoadedRun
from genjax.runs.pictures import SAMPLES

NAMED = 20  # bars that have a name


def draw(subject: LoadedRun, options: Options, results: Mapping[str, Sequence[Result]]) -> None:
    """`samples-<sampler>.png` of what `samples.png` does not show, and `kl_per_dimension.png` of a measured VAE."""
    name = samplers.file_name(options.sampler)
    sampled = options.sampler != "prior" and not {"fidelity", "modes"}.isdisjoint(results)
    if sampled and len(subject.spec.shape) == 3:
        images = samplers.samples(subject, options, SAMPLES, "picture")
        plots.samples(subject.workdir / f"samples-{name}.png", images)
    if sampled and subject.spec.shape == (2,):
        x, modes = subject.dataset.validation.x, subject.spec.modes
        points = samplers.samples(subject, options, len(x), "picture")
        centres = None if modes is None else modes.centres
        plots.points(subject.workdir / f"points-{name}.png", x * subject.spec.scale, points, centres)
    for result in results.get("likelihood", ()):
        if result.metric == "active_units" and "kl_per_dimension" in result.details:
            kl, active = (np.asarray(result.details[name]) for name in ("kl_per_dimension", "active"))
            kl_per_dimension(subject.workdir / "kl_per_dimension.png", kl, active)


def kl_per_dimension(path: StrPath, kl: np.ndarray, active: np.ndarray) -> None:
    """Saves a bar for each dimension's mean KL, `[latent]` in nats, from the greatest on; those not active are grey."""
    order = np.argsort(-kl)
    with drawing(path, 6.4, 2.8) as figure:
        axes = figure.subplots()
        for selected, colour, name in ((active, BLUE, "active"), (~active, "#bbbbbb", "not active")):
            places = np.flatnonzero(selected[order])
            if len(places):
                axes.bar(places + 1, kl[order][places], width=0.8, color=colour, label=f"{name}: {len(places)}")
        stride = math.ceil(len(kl) / NAMED)
        axes.set_xticks(1 + np.arange(0, len(kl), stride), [latent_name(int(d)) for d in order[::stride]])
        axes.set(xlabel="latent dimension, by what it carries", ylabel="KL, nats per example", xlim=(0, len(kl) + 1))
        axes.legend()
