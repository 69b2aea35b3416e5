"""How an evaluation is done: the settings that every result states."""

import re
from typing import NamedTuple

from genjax.system.messages import nearest_name
from genjax.types import InputError

# The groups of metrics, and what each reads of the options below, beside the checkpoint, the split and the seed.
OPTIONS_READ = {
    "likelihood": ("importance_samples",),
    "fidelity": ("features", "sampler", "samples", "neighbours"),
    "recognition": ("sampler",),
    "modes": ("sampler",),
    "latent": ("neighbours",),
    "bounds": ("importance_samples", "annealing_steps", "chains"),
}
METRICS = tuple(OPTIONS_READ)
CHECKPOINTS = ("newest", "best")
SPLITS = ("test", "validation", "train")
SAMPLERS = ("prior", "gaussian", "mixture:<components>", "run:<workdir>", "reconstruction")


class Options(NamedTuple):
    """Settings of an evaluation.

    Attributes:
      metrics: names of `METRICS`; empty for all that apply, except those that are measured on request only.
      checkpoint: one of `CHECKPOINTS`; empty for the best of a run that may stop early, else the newest.
      split: one of `SPLITS`.
      importance_samples: k of the log-likelihood.
      samples: how many are drawn and compared with as many examples; fewer where the split has fewer.
      features: names for `features.load`; empty for those that suit the data.
      sampler: one of `SAMPLERS`; empty for the prior, or a mixture of ten where there is no prior.
      neighbours: k of precision, recall, density and coverage, and of the classification of codes.
      annealing_steps: of the path from the prior to the posterior.
      chains: along that path, for each example.
      seed: of every draw.
    """

    metrics: tuple[str, ...] = ()
    checkpoint: str = ""
    split: str = "test"
    importance_samples: int = 1000
    samples: int = 10_000
    features: tuple[str, ...] = ()
    sampler: str = ""
    neighbours: int = 5
    annealing_steps: int = 1000
    chains: int = 16
    seed: int = 0


def changed(options: Options) -> set[str]:
    """Names the options that are not at their defaults."""
    return {name for name in options._fields if getattr(options, name) != getattr(Options(), name)}


def refuse_unread(options: Options) -> None:
    """Refuses an option that none of the metrics reads that are asked for by name.

    Raises:
      InputError: which, in one line.
    """
    read = {name for metric in options.metrics or METRICS for name in OPTIONS_READ[metric]}
    read_by_any = {name for names in OPTIONS_READ.values() for name in names}
    for name in sorted(changed(options) & (read_by_any - read)):
        readers = " and ".join(metric for metric, names in OPTIONS_READ.items() if name in names)
        raise InputError(f"--{name.replace('_', '-')} would not act: only {readers} would read it")


def check(options: Options) -> None:
    """Refuses options that no evaluation could use.

    Raises:
      InputError: which, in one line.
    """
    for name in options.metrics:
        nearest_name("metric", name, METRICS)
    nearest_name("checkpoint", options.checkpoint, ("", *CHECKPOINTS))
    nearest_name("split", options.split, SPLITS)
    plain = options.sampler in ("", *SAMPLERS) and "<" not in options.sampler
    if not plain and not re.fullmatch(r"mixture:[1-9]\d{0,3}|run:.+", options.sampler):
        raise InputError(f"no sampler {options.sampler!r}: there are {', '.join(SAMPLERS)}")
    for name in ("importance_samples", "samples", "neighbours", "annealing_steps", "chains"):
        if not 1 <= getattr(options, name) < 2**31:
            raise InputError(f"--{name.replace('_', '-')} must be at least 1 and less than 2**31")
    if not 0 <= options.seed < 2**32:
        raise InputError(f"--seed={options.seed} must be at least 0 and less than 2**32")
