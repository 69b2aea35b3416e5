"""The group `bounds` of the evaluator on linear-Gaussian models, whose log p(x) is known."""

import contextlib
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from genjax import config as configs
from genjax.data import Dataset, Split, describe
from genjax.evaluation import bounds
from genjax.evaluation import evaluate as evaluator
from genjax.evaluation.options import METRICS, Options, check
from genjax.runs.load import LoadedRun
from genjax.types import Batch, InputError, Likelihood, Model

D, LATENT, VARIANCE, CLASSES = 4, 2, 0.5, 3
RNG = np.random.default_rng(0)
PARAMS = {"w": jnp.asarray(RNG.normal(size=(D, LATENT)), jnp.float32)}
MEANS = jnp.asarray([[0.0, 0.0], [4.0, -4.0], [-4.0, 4.0]])  # of p(z|y)
OPTIONS = Options(annealing_steps=100, chains=8, importance_samples=400)


def log_normal(values, variance):
    return -0.5 * jnp.sum(values**2 / variance + jnp.log(2 * jnp.pi * variance), axis=-1)


def prior_mean(label, n):
    return jnp.zeros((n, LATENT)) if label is None else MEANS[label]


def simulate(labelled, params, rng, n):
    label_key, z_key, x_key = jax.random.split(rng, 3)
    label = jax.random.randint(label_key, (n,), 0, CLASSES) if labelled else None
    z = prior_mean(label, n) + jax.random.normal(z_key, (n, LATENT))
    x = z @ params["w"].T + np.sqrt(VARIANCE) * jax.random.normal(x_key, (n, D))
    return Batch(x, label), z


def log_densities(params, batch, z):
    log_p_z = log_normal(z - prior_mean(batch.label, len(z)), 1.0)
    return log_p_z, log_normal(batch.x - z @ params["w"].T, VARIANCE)


def exact(x, label=None):
    """log p(x), or log p(x|y), in double precision."""
    w = np.asarray(PARAMS["w"], np.float64)
    covariance = w @ w.T + VARIANCE * np.eye(D)
    centred = np.asarray(x, np.float64) - np.asarray(prior_mean(label, len(x)), np.float64) @ w.T
    squares = np.sum(centred * np.linalg.solve(covariance, centred.T).T, axis=1)
    return -0.5 * (np.linalg.slogdet(2 * np.pi * covariance)[1] + squares)


def log_weights(params, batch, rng, k):
    """With q(z|x) = p(z)."""
    z = prior_mean(batch.label, len(batch.x))[None] + jax.random.normal(rng, (k, len(batch.x), LATENT))
    return jax.vmap(lambda z: log_densities(params, batch, z)[1])(z)


def loaded(tmp_path, labelled=False, **changes):
    """A trained model as an evaluation sees it; its data are draws from it, stored in units of a half."""
    batch, _ = simulate(labelled, PARAMS, jax.random.key(1), 60)
    split = Split(np.asarray(2 * batch.x), None if batch.label is None else np.asarray(batch.label))
    dataset = Dataset("line", split, split, split, (D,), bounded=False, scale=0.5)
    config = configs.default("vae")
    config.model.condition = "label" if labelled else "none"
    model = Model(
        init=lambda rng, batch: PARAMS,
        objectives={},
        evaluate=lambda params, batch, rng: {},
        monitor="loss",
        log_weights=log_weights,
        likelihood=Likelihood("gaussian", "nats (density)", density=True),
        simulate=partial(simulate, labelled),
        log_densities=log_densities,
    )
    return LoadedRun(tmp_path, config, dataset, describe(dataset), model._replace(**changes), PARAMS, 7)


@contextlib.contextmanager
def silent(name, total):
    yield lambda count: None


def by_name(results):
    return {result.metric: result for result in results}


@pytest.mark.slow
@pytest.mark.parametrize("labelled", [False, True])
def test_the_bounds_enclose_the_exact_value(tmp_path, labelled):
    subject = loaded(tmp_path, labelled)
    per_example = bounds.simulated_examples(subject, OPTIONS)
    found = jax.jit(per_example)(jnp.arange(bounds.EXAMPLES), PARAMS)
    keys = bounds.row_keys(bounds.key_of(OPTIONS, "simulated bounds"), jnp.arange(bounds.EXAMPLES))
    batch, _ = jax.vmap(lambda key: simulate(labelled, PARAMS, bounds.stream(key, "simulation"), 1))(keys)
    truth = exact(batch.x[:, 0], None if batch.label is None else batch.label[:, 0])
    for name, sign in (("lower_bound", 1), ("upper_bound", -1), ("log_likelihood", 1)):
        error = sign * (np.asarray(found[name]) - truth)
        assert error.mean() < 3 * error.std() / np.sqrt(len(error))
        assert error.mean() > -0.2
        assert np.mean(np.abs(error)) < 0.4


@pytest.mark.slow
def test_each_result_has_its_error_unit_and_protocol(tmp_path):
    subject = loaded(tmp_path, labelled=True)
    found = by_name(bounds.measure(subject, OPTIONS, silent))
    simulated = ("simulated_lower_bound", "simulated_upper_bound", "simulated_gap", "simulated_log_likelihood")
    assert tuple(found) == (*simulated, "lower_bound")
    gap = found["simulated_upper_bound"].value - found["simulated_lower_bound"].value
    assert found["simulated_gap"].value == pytest.approx(gap, abs=1e-5)
    assert abs(gap) < 0.1
    for name, result in found.items():
        assert result.error is not None
        assert result.error > 0
        assert result.unit == ("nats" if name == "simulated_gap" else "nats (density)")
        protocol = {"annealing_steps": 100, "chains": 8, "leapfrog_steps": 10, "seed": 0, "step": 7}
        assert protocol.items() <= result.protocol.items()
        assert result.protocol["split"] == ("test" if name == "lower_bound" else "simulated")
        assert result.protocol["examples"] == (60 if name == "lower_bound" else bounds.EXAMPLES)
        assert ("importance_samples" in result.protocol) == (name == "simulated_log_likelihood")
    test = subject.dataset.test
    truth = exact(0.5 * test.x, test.y).mean()
    assert found["lower_bound"].value == pytest.approx(truth, abs=0.1)


@pytest.mark.slow
def test_an_example_has_its_key_by_its_number(tmp_path):
    """Neither the block nor the device that a row falls to changes its value."""
    subject = loaded(tmp_path)
    rows, few = (Batch(subject.dataset.test.x[:12]), np.arange(12)), OPTIONS._replace(annealing_steps=10)
    values = (
        bounds.over_rows(bounds.stored_examples(subject, few), block)(rows, PARAMS)["lower_bound"] for block in (1, 6)
    )
    np.testing.assert_allclose(*values, atol=1e-3)


@pytest.mark.parametrize("label", range(CLASSES))
def test_draws_from_the_prior_are_of_the_class_of_the_example(tmp_path, label):
    z = bounds.prior_draws(loaded(tmp_path, labelled=True), PARAMS, jnp.array([label]), jax.random.key(0), 2000)
    assert z.shape == (2000, 1, LATENT)
    np.testing.assert_allclose(z.mean(axis=(0, 1)), MEANS[label], atol=5 / np.sqrt(2000))
    np.testing.assert_allclose(z.std(axis=(0, 1)), 1.0, atol=0.1)


def test_a_model_without_weights_has_bounds_alone(tmp_path):
    for weights, names in ((None, set()), (log_weights, {"log_likelihood"})):
        per_example = bounds.simulated_examples(loaded(tmp_path, log_weights=weights), OPTIONS)
        shapes = jax.eval_shape(per_example, jnp.arange(5), PARAMS)
        assert shapes.keys() == {"lower_bound", "upper_bound"} | names
        assert {shape.shape for shape in shapes.values()} == {(5,)}


def test_it_applies_to_models_that_simulate_and_only_on_request(tmp_path):
    subject = loaded(tmp_path)
    assert bounds.applies(subject) == ""
    assert tuple(evaluator.METRICS) == METRICS
    assert [name for name, group in evaluator.METRICS.items() if group.on_request] == ["bounds"]
    for missing in ("simulate", "log_densities"):
        lacking = subject._replace(model=subject.model._replace(**{missing: None}))
        assert bounds.applies(lacking).startswith("a model that simulates")


@pytest.mark.parametrize("name", ["annealing_steps", "chains"])
def test_there_is_a_step_and_a_chain(name):
    with pytest.raises(InputError, match=f"--{name.replace('_', '-')} must be at least 1"):
        check(Options()._replace(**{name: 0}))
