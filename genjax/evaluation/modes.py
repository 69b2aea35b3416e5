"""Modes: how many of a known mixture's modes samples find, and how good they are."""

from typing import Any

import jax.numpy as jnp
import numpy as np

from genjax import features as maps
from genjax.data.source import without_version
from genjax.evaluation import samplers
from genjax.evaluation.options import Options
from genjax.evaluation.results import Result
from genjax.metrics.mixtures import mode_coverage
from genjax.metrics.scores import stacked_modes
from genjax.runs.load import LoadedRun

MIXTURE_SAMPLES, STACKED_SAMPLES = 2500, 26_000  # as the literature has it
STACKED = "stacked:tfds:mnist"


def applies(subject: LoadedRun) -> str:
    """What is missing, or nothing."""
    stacked = without_version(subject.config.data.source) == STACKED
    has_modes = subject.spec.modes is not None or stacked
    return "" if has_modes else f"data whose modes are known (a mixture, or {STACKED})"


def measure(subject: LoadedRun, options: Options, progress: Any) -> list[Result]:
    """Modes found, and the share of good samples of a mixture or the evenness of a thousand stacked digits."""
    with progress("modes", 1) as tick:
        results = _mixture(subject, options) if subject.spec.modes is not None else _stacked(subject, options)
        tick(1)
    return results


def _protocol(subject: LoadedRun, options: Options, n: int) -> dict[str, Any]:
    return {"samples": n, "sampler": options.sampler, "seed": options.seed, "step": subject.step}


def _mixture(subject: LoadedRun, options: Options) -> list[Result]:
    modes, n = subject.spec.modes, MIXTURE_SAMPLES
    assert modes is not None
    points = jnp.asarray(samplers.samples(subject, options, n, "modes"))
    coverage = mode_coverage(points, jnp.asarray(modes.centres), modes.sigma)
    share, protocol = float(coverage["good_samples"]), _protocol(subject, options, n)
    binomial = {**protocol, "error": "binomial"}
    return [
        Result("modes_found", float(coverage["modes_found"]), None, f"of {len(modes.centres)}", protocol),
        Result("good_samples", share, float(np.sqrt(share * (1 - share) / n)), "", binomial),
    ]


def _stacked(subject: LoadedRun, options: Options) -> list[Result]:
    n = STACKED_SAMPLES
    images = samplers.samples(subject, options, n, "modes")  # [n, 28, 28, 3]
    features = maps.load("classifier:mnist", images[:1, ..., :1])
    assert features.classify is not None
    digits = [maps.over_batches(features.classify, images[..., c : c + 1]).argmax(axis=1) for c in range(3)]
    coverage = stacked_modes(jnp.asarray(100 * digits[0] + 10 * digits[1] + digits[2]))
    protocol = {**_protocol(subject, options, n), "features": f"{features.name} ({features.digest})"}
    return [
        Result("modes_found", float(coverage["modes_found"]), None, "of 1000", protocol),
        Result("kl_to_uniform", float(coverage["kl_to_uniform"]), None, "nats", protocol),
    ]
