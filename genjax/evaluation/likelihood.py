"""Likelihood: log p(x) by importance sampling, the bound and its parts, what each latent dimension carries."""

import math
from typing import Any

import jax
import numpy as np

from genjax.evaluation.examples import binarisation, key_of, row_keys, split_of
from genjax.evaluation.options import Options
from genjax.evaluation.results import Result, averaged
from genjax.evaluation.rows import over_rows
from genjax.evaluation.subject import Subject
from genjax.losses.divergences import standard_normal_kl
from genjax.metrics.importance import importance
from genjax.rng import stream
from genjax.training.step import prepare
from genjax.types import Array, Key, Params

ROWS, DRAWS = 10, 25  # images and samples of each at a time on each device: what fits a core's cache
ACTIVE = 0.01  # the variance of the posterior's mean above which a dimension is active (Burda et al. 2016)


def applies(subject: Subject) -> str:
    """What is missing, or nothing."""
    return "" if subject.model.log_weights is not None else "a model with a likelihood"


def measure(subject: Subject, options: Options, progress: Any) -> list[Result]:
    """log p(x), the bound, rate and distortion, bits per dimension, active units."""
    x = split_of(subject, options).x
    with progress("likelihood", len(x)) as tick:
        of_each = over_rows(per_example(subject, options), ROWS, tick)
        found = of_each((x, np.arange(len(x))), subject.params)
    protocol = {
        "split": options.split,
        "examples": len(x),
        "importance_samples": options.importance_samples,
        "binarisation": binarisation(subject),
        "seed": options.seed,
        "step": subject.step,
    }
    unit = "nats" if _is_likelihood(subject) else "nats (cross-entropy)"
    rate = found["kl"].sum(axis=1)
    missed = found["relative_variance"].astype(np.float64)
    details = {"monte_carlo_error": float(np.sqrt(missed.sum()) / len(x)), "falls_short_by_about": missed.mean() / 2}
    return [
        averaged("log_likelihood", found["log_likelihood"], unit, protocol)._replace(details=details),
        averaged("bits_per_dimension", bits(subject, found["log_likelihood"]), unit.replace("nats", "bits"), protocol),
        averaged("elbo", found["elbo"], unit, protocol),
        averaged("rate", rate, "nats", protocol),
        averaged("distortion", -found["elbo"] - rate, unit, protocol),
        _active_units(subject, found, protocol),
    ]


def _active_units(subject: Subject, found: dict[str, np.ndarray], protocol: dict[str, Any]) -> Result:
    """How many dimensions' posterior means vary, and the KL of each."""
    active = np.var(found["mean"], axis=0, dtype=np.float64) > ACTIVE  # [latent]
    kl = np.mean(found["kl"], axis=0, dtype=np.float64)
    told = {"kl_per_dimension": kl.tolist(), "active": active.tolist()}
    return Result("active_units", int(active.sum()), None, f"of {subject.model.latent}", protocol, told)


def per_example(subject: Subject, options: Options):
    """The pure function of rows: `((examples [b, *shape], numbers [b]), params) -> {name: [b, ...]}`."""
    model, key = subject.model, key_of(options, "likelihood")
    assert model.log_weights is not None
    assert model.posterior is not None
    log_weights, posterior = model.log_weights, model.posterior

    def one(stored: Array, key: Key, params: Params) -> dict[str, Array]:
        x = prepare(subject.spec, stream(key, "binarise"), stored)[None]  # [1, *shape]
        drawn = importance(
            lambda x, rng, k: log_weights(params, x, rng, k),
            x,
            stream(key, "importance"),
            options.importance_samples,
            DRAWS,
        )
        mean, log_var = posterior(params, x)
        named = {**drawn._asdict(), "mean": mean, "kl": standard_normal_kl(mean, log_var)}
        return {name: value[0] for name, value in named.items()}

    def of_rows(rows: tuple[Array, Array], params: Params) -> dict[str, Array]:
        return jax.vmap(one, (0, 0, None))(rows[0], row_keys(key, rows[1]), params)

    return of_rows


def bits(subject: Subject, log_likelihood: np.ndarray) -> np.ndarray:
    """-log2 p(x) per dimension, `[n]`; of a density, that of stored values, whose unit is `scale` of the model's."""
    per_nat = 1 / (math.log(2) * math.prod(subject.spec.shape))
    unit = 0.0 if _is_discrete(subject) else math.log2(subject.spec.scale)
    return -np.asarray(log_likelihood, np.float64) * per_nat - unit


def _is_discrete(subject: Subject) -> bool:
    return subject.config.model.get("likelihood") == "bernoulli"


def _is_likelihood(subject: Subject) -> bool:
    """Whether a Bernoulli decoder, where there is one, is asked about binary pixels."""
    stored_binary = subject.dataset.train.x.dtype == np.uint8 and subject.spec.scale == 1
    return subject.spec.dynamic_binarisation or stored_binary or not _is_discrete(subject)
