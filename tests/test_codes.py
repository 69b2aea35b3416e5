"""Discrete codes of a run as data for another, which then draws samples for it."""

import io
from types import SimpleNamespace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from present import present

from genjax import config as configs
from genjax.evaluation import evaluate as evaluator
from genjax.evaluation import samplers
from genjax.evaluation.options import Options
from genjax.runs import loop
from genjax.runs.load import load_data, load_run
from genjax.training.step import prepare
from genjax.types import Batch, InputError

pytestmark = pytest.mark.slow
SHORT = {"train.steps": 20, "train.log_every": 10, "train.evaluate_every": 10, "train.checkpoint_every": 10}
OPTIONS = Options(samples=60, sampler="")


def trained(folder, family, **changes):
    config = configs.default(family)
    with config.unlocked():
        config.update_from_flattened_dict({**SHORT, "train.devices": 1, **changes})
    assert loop.train(config, folder, io.StringIO()) == loop.FINISHED
    return folder


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """An autoencoder with discrete codes, another one, and a model of the first one's codes."""
    root = tmp_path_factory.mktemp("runs")
    discrete = {"model.network": "dcgan", "model.channels": 2, "model.bottleneck": "fsq", "model.levels": (5, 3)}
    codes = trained(root / "codes", "autoencoder", **discrete)
    continuous = trained(root / "continuous", "autoencoder", **{"model.hidden": (6,), "model.latent": 3})
    prior = trained(root / "prior", "autoregressive", **{"model.hidden": (16,), "data.source": f"codes:{codes}"})
    return SimpleNamespace(codes=codes, continuous=continuous, prior=prior)


def test_codes_are_a_data_set_with_the_labels_of_the_examples(runs):
    dataset, run = load_data(f"codes:{runs.codes}"), load_run(runs.codes)
    assert dataset.train.x.dtype == np.uint8
    assert dataset.train.x.shape == (len(run.dataset.train.x), 4, 4, 1)
    assert dataset.scale == 1 / 14
    np.testing.assert_array_equal(dataset.test.y, run.dataset.test.y)
    x = prepare(run.spec, jax.random.key(0), Batch(jnp.asarray(run.dataset.test.x)))
    np.testing.assert_array_equal(dataset.test.x[..., 0], present(run.model.discrete).encode(run.params, x))
    assert (runs.codes / "codes" / "step-20.npz").is_file()
    again = load_data(f"codes:{runs.codes}")  # from the file
    np.testing.assert_array_equal(again.train.x, dataset.train.x)


def test_a_model_of_codes_draws_samples_for_their_decoder(runs):
    options = OPTIONS._replace(sampler=f"run:{runs.prior}")
    subject, prior = load_run(runs.codes), load_run(runs.prior)
    assert prior.spec.levels == 15
    drawn = samplers.samples(subject, options, 60, "a test")
    assert drawn.shape == (60, 8, 8, 1)
    again = samplers.samples(subject, options, 60, "a test")
    np.testing.assert_array_equal(drawn, again)
    outputs = np.unique(drawn.reshape(60, -1), axis=0)
    assert len(outputs) > 10  # not one picture
    results = evaluator.evaluate(runs.codes, options._replace(metrics=("fidelity",)), io.StringIO())["fidelity"]
    assert {result.protocol.get("sampler", f"run:{runs.prior}") for result in results} == {f"run:{runs.prior}"}
    assert (runs.codes / "samples-run-prior.png").is_file()


def test_the_likelihood_of_a_model_of_codes_is_exact(runs):
    results = evaluator.evaluate(runs.prior, OPTIONS._replace(metrics=("likelihood",)), io.StringIO())["likelihood"]
    values = {result.metric: result for result in results}
    assert values.keys() == {"log_likelihood", "bits_per_dimension"}
    run = load_run(runs.prior)
    x = prepare(run.spec, jax.random.key(0), Batch(jnp.asarray(run.dataset.test.x)))
    expected = np.asarray(present(run.model.log_prob)(run.params, x), np.float64)
    np.testing.assert_allclose(values["log_likelihood"].value, expected.mean(), rtol=1e-5)
    np.testing.assert_allclose(values["bits_per_dimension"].value, -expected.mean() / np.log(2) / 16, rtol=1e-5)
    assert values["log_likelihood"].protocol["exact"] is True


@pytest.mark.parametrize(
    ("subject", "sampler", "message"),
    [
        ("continuous", "run:{prior}", "draws discrete codes, and the model has none"),
        ("codes", "run:{continuous}", "models digits, and not the codes of"),
        ("codes", "run:{codes}/nowhere", "is not the folder of a run"),
    ],
)
def test_samplers_that_do_not_fit_are_refused_in_one_line(runs, subject, sampler, message):
    options = OPTIONS._replace(sampler=sampler.format(**vars(runs)))
    with pytest.raises(InputError, match=message) as error:
        samplers.samples(load_run(vars(runs)[subject]), options, 10, "a test")
    assert "\n" not in str(error.value)


def test_a_run_without_discrete_codes_is_no_source(runs):
    with pytest.raises(InputError, match="its model has no discrete codes"):
        load_data(f"codes:{runs.continuous}")
    with pytest.raises(InputError, match="no data source 'code:x': the nearest is 'codes:x'"):
        load_data("code:x")
    with pytest.raises(InputError, match="codes:x#foo=1: codes has no options"):
        load_data("codes:x#foo=1")
