"""Likelihood: log p(x) by importance sampling, the bound and its parts, what each latent dimension carries."""

import math
from typing import Any

import jax
import numpy as np

from genjax.evaluation.examples import batch_of, binarisation, key_of, row_keys, split_of
from genjax.evaluation.options import Options
from genjax.evaluation.results import Result, averaged
from genjax.evaluation.rows import over_rows
from genjax.metrics.importance import importance
from genjax.rng import stream
from genjax.runs.load import LoadedRun
from genjax.training.step import prepare
from genjax.types import Array, Batch, Key, Params

# Images at a time on each device, and samples of each: what fits a core's cache, and elsewhere what fills a device.
ROWS, ROWS_ELSEWHERE, DRAWS = {"cpu": 10}, 500, 25
EXACT_ROWS = 100  # images at a time on each device, where log p(x) is computed and not estimated
ACTIVE = 0.01  # the variance of the posterior's mean above which a dimension is active (Burda et al. 2016)


def applies(subject: LoadedRun) -> str:
    """What is missing, or nothing."""
    has_likelihood = subject.model.log_weights is not None or subject.model.log_prob is not None
    return "" if has_likelihood else "a model with a likelihood"


def measure(subject: LoadedRun, options: Options, progress: Any) -> list[Result]:
    """log p(x), the bound, rate and distortion, bits per dimension, active units."""
    batch = batch_of(subject, split_of(subject, options))
    x = batch.x
    if subject.model.log_prob is not None:
        return _exact(subject, options, batch, progress)
    with progress("likelihood", len(x)) as tick:
        measure_rows = over_rows(per_example(subject, options), rows_of_block(), tick)
        values = measure_rows((batch, np.arange(len(x))), subject.params)
    protocol = {
        "split": options.split,
        "examples": len(x),
        "importance_samples": options.importance_samples,
        "binarisation": binarisation(subject),
        "seed": options.seed,
        "step": subject.step,
    }
    likelihood = subject.model.likelihood
    unit = "nats" if likelihood is None else likelihood.unit
    variance = values["relative_variance"].astype(np.float64)
    details = {
        "monte_carlo_error": float(np.sqrt(variance.sum()) / len(x)),
        "falls_short_by_about": variance.mean() / 2,
    }
    results = [
        averaged("log_likelihood", values["log_likelihood"], unit, protocol)._replace(details=details),
        averaged(
            "bits_per_dimension",
            bits(subject, values["log_likelihood"]),
            unit.replace("nats", "bits"),
            protocol,
        ),
        averaged("elbo", values["elbo"], unit, protocol),
    ]
    if "rates" in values:
        rate = values["rates"].sum(axis=1)
        results += [
            averaged("rate", rate, "nats", protocol),
            averaged("distortion", -values["elbo"] - rate, unit, protocol),
        ]
    if "code" in values:
        results.append(_active_units(subject, values, protocol))
    return results


def _exact(subject: LoadedRun, options: Options, batch: Batch, progress: Any) -> list[Result]:
    """log p(x) of a model that computes it, and bits per dimension."""
    log_prob, key = subject.model.log_prob, key_of(options, "likelihood")
    assert log_prob is not None

    def measure_row(stored: Batch, key: Key, params: Params) -> Array:
        prepared = prepare(subject.spec, stream(key, "binarise"), stored)
        return log_prob(params, jax.tree.map(lambda leaf: leaf[None], prepared))[0]

    def of_rows(rows: tuple[Batch, Array], params: Params) -> Array:
        return jax.vmap(measure_row, (0, 0, None))(rows[0], row_keys(key, rows[1]), params)

    with progress("likelihood", len(batch.x)) as tick:
        values = over_rows(of_rows, EXACT_ROWS, tick)((batch, np.arange(len(batch.x))), subject.params)
    protocol = {
        "split": options.split,
        "examples": len(batch.x),
        "exact": True,
        "binarisation": binarisation(subject),
        "seed": options.seed,
        "step": subject.step,
    }
    return [
        averaged("log_likelihood", values, "nats", protocol),
        averaged("bits_per_dimension", bits(subject, values), "bits", protocol),
    ]


def rows_of_block(platform: str | None = None) -> int:
    """How many images each device of a platform, JAX's default if None, measures at a time."""
    return ROWS.get(platform or jax.default_backend(), ROWS_ELSEWHERE)


def _active_units(subject: LoadedRun, values: dict[str, np.ndarray], protocol: dict[str, Any]) -> Result:
    """How many dimensions of the codes vary; and the KL of each, where the model's groups are its dimensions."""
    active = np.var(values["code"], axis=0, dtype=np.float64) > ACTIVE  # [latent]
    details = {"active": active.tolist()}
    if "rates" in values and values["rates"].shape[1] == len(active):
        details["kl_per_dimension"] = np.mean(values["rates"], axis=0, dtype=np.float64).tolist()
    return Result("active_units", int(active.sum()), None, f"of {len(active)}", protocol, details)


def per_example(subject: LoadedRun, options: Options):
    """The pure function of rows: `((examples [b, *shape], numbers [b]), params) -> {name: [b, ...]}`."""
    model, key = subject.model, key_of(options, "likelihood")
    assert model.log_weights is not None  # `applies` says so
    log_weights, rates, encode = model.log_weights, model.rates, model.encode

    def measure_row(stored: Batch, key: Key, params: Params) -> dict[str, Array]:
        prepared = prepare(subject.spec, stream(key, "binarise"), stored)
        batch = jax.tree.map(lambda leaf: leaf[None], prepared)  # [1, ...]
        estimates = importance(
            lambda batch, rng, k: log_weights(params, batch, rng, k),
            batch,
            stream(key, "importance"),
            options.importance_samples,
            DRAWS,
        )
        values = estimates._asdict()
        if rates is not None:
            values["rates"] = rates(params, batch, stream(key, "rates"))
        if encode is not None:
            values["code"] = encode(params, batch)
        return {name: value[0] for name, value in values.items()}

    def of_rows(rows: tuple[Batch, Array], params: Params) -> dict[str, Array]:
        return jax.vmap(measure_row, (0, 0, None))(rows[0], row_keys(key, rows[1]), params)

    return of_rows


def bits(subject: LoadedRun, log_likelihood: np.ndarray) -> np.ndarray:
    """-log2 p(x) per dimension, `[n]`; of a density, that of stored values, whose unit is `scale` of the model's."""
    per_nat = 1 / (math.log(2) * math.prod(subject.spec.shape))
    likelihood = subject.model.likelihood
    unit = math.log2(subject.spec.scale) if likelihood is None or likelihood.density else 0.0
    return -np.asarray(log_likelihood, np.float64) * per_nat - unit
