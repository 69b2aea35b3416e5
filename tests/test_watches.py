"""What a person hears of while a model trains: each warning once, also over a resume and in a sweep."""

import csv
import io
import json
import math
from pathlib import Path

import jax
import jax.numpy as jnp
import pytest
from cases import case, stored
from ml_collections import ConfigDict

from genjax import config as configs
from genjax.runs import loop, watches
from genjax.sweeps import default as default_sweep
from genjax.sweeps import loop as sweep_loop
from genjax.sweeps import values
from genjax.types import Watch

RNG = jax.random.key(0)
LOW = Watch("low", lambda metrics: metrics["kl"] < 0.1, "raise it")


def rows(validation, train, monitor="loss"):
    return [
        {"step": 10 * i, f"validation/{monitor}": v, f"train/{monitor}": t}
        for i, (v, t) in enumerate(zip(validation, train, strict=True), 1)
    ]


def names(found):
    return [(warning["name"], warning["step"]) for warning in found]


def test_a_watch_speaks_where_it_holds_twice_in_a_row():
    evaluations = ((10, 0.0), (20, 1.0), (30, 0.05), (40, 0.0), (50, 0.0))
    logged = [{"step": 5, "train/kl": 0.0}, *({"step": step, "validation/kl": kl} for step, kl in evaluations)]
    assert names(watches.find_warnings([LOW], "loss", logged)) == [("low", 40)]
    assert names(watches.find_warnings([LOW], "loss", logged[:4])) == []
    assert watches.describe_warning(watches.find_warnings([LOW], "loss", logged)[0]) == "low at step 40: raise it"


@pytest.mark.parametrize(
    ("validation", "train", "step"),
    [
        ([10, 5, 6, 6, 6], [9, 5, 4, 3, 2], 50),  # worse three times while training improves
        ([10, 5, 6, 6, 6, 6], [9, 5, 4, 3, 2, 1], 50),  # it speaks once
        ([10, 5, 6, 6, 4.9], [9, 5, 4, 3, 2], None),  # the last is the best again
        ([10, 5, 6, 6, 6], [9, 5, 6, 6, 6], None),  # training worsens too
        ([10, 5, 5.1, 5.1, 5.1], [9, 5, 4, 3, 2], None),  # a fiftieth of what was gained is noise
        ([10, 5, 6, 6], [9, 5, 4, 3], None),  # two evaluations are too few
        ([5, 6, 6, 6, 6], [5, 4, 3, 2, 1], None),  # nothing was gained before
        ([10, 5, math.nan, math.nan, math.nan], [9, 5, 4, 3, 2], None),
        ([math.inf, math.nan, 10, 5, 6, 6, 6], [9, 9, 9, 5, 4, 3, 2], 70),  # the first finite one is the start
        ([10, 5, 6, math.nan, 6, 6], [9, 5, 4, 3, 3, 2], 60),
    ],
)
def test_overfitting(validation, train, step):
    found = names(watches.find_warnings([], "loss", rows(validation, train)))
    assert found == ([] if step is None else [("overfitting", step)])
    assert watches.find_warnings([], "another", rows(validation, train)) == []


@pytest.mark.parametrize("kl", [math.nan, math.inf, -math.inf, None])
def test_a_metric_that_is_not_finite_or_not_there_crashes_no_watch(kl):
    """A sweep's rows have no values where a trial's were NaN."""
    logarithm = Watch("logarithm", lambda metrics: math.exp(-metrics["kl"]) > math.log(metrics["kl"]), "-")
    whole = Watch("whole", lambda metrics: int(metrics["kl"]) == 0, "-")
    row = {"validation/loss": 1.0} if kl is None else {"validation/loss": 1.0, "validation/kl": kl}
    logged = [{"step": step, **row} for step in (10, 20)]
    low = [("low", 20)] if kl == -math.inf else []
    assert names(watches.find_warnings([LOW, logarithm, whole], "loss", logged)) == low


def test_a_mistake_in_a_watch_is_not_hidden():
    logged = [{"step": step, "validation/kl": 0.0} for step in (10, 20)]
    with pytest.raises(ZeroDivisionError):
        watches.find_warnings([Watch("ratio", lambda metrics: 1 / metrics["kl"] > 1, "-")], "loss", logged)


@pytest.mark.parametrize("name", ["autoencoder", "vae_auto", "gan"])
def test_watches_read_metrics_that_the_model_has(name):
    c = case(name)
    state = jax.eval_shape(c.functions.init, c.hparams, RNG)
    evaluated = jax.eval_shape(c.functions.evaluate, state, stored(c.config), c.hparams, RNG)
    trained = jax.eval_shape(lambda state: c.chunk(state, c.hparams, RNG, 1)[1], state)
    metrics = dict.fromkeys((*evaluated, *(f"train/{metric}" for metric in trained)), 0.9)
    model = c.functions.model(c.hparams, jnp.int32(0))
    assert len(model.watches) == (0 if name == "autoencoder" else 2)
    assert not any(watch.holds(metrics) for watch in model.watches)


def collapsing() -> ConfigDict:
    """A VAE whose rate costs so much that its codes say nothing."""
    config = configs.default("vae")
    config.model.hidden, config.model.latent = (8,), 2
    config.hparams.beta, config.hparams.learning_rate = 1e4, 1e-2
    config.train.steps, config.train.log_every, config.train.batch_size = 300, 50, 16
    config.train.evaluate_every = config.train.checkpoint_every = 100
    return config


@pytest.mark.slow
def test_a_run_says_it_once_and_keeps_it(tmp_path):
    """Also where a finished run goes on to more steps."""
    said = []
    for steps in (200, 300):
        config = collapsing()
        config.train.steps = steps
        stream = io.StringIO()
        assert loop.train(config, tmp_path / "run", stream) == loop.FINISHED
        said.append(stream.getvalue())
    assert "model.likelihood is 'gaussian_shared' for these data (auto)" in said[0]
    assert said[0].count("collapsed posterior at step") == 1
    assert "collapsed posterior at step" not in said[1]
    warnings = json.loads((tmp_path / "run" / "evaluation.json").read_text())["warnings"]
    assert [warning["name"] for warning in warnings] == ["collapsed posterior"]
    kept = json.loads((tmp_path / "run" / "config.json").read_text())
    assert kept["model.likelihood"] == "gaussian_shared"
    config = collapsing()
    config.model.likelihood = "gaussian_shared"  # what it became may be said as well
    assert loop.train(config, tmp_path / "run", io.StringIO()) == loop.FINISHED


@pytest.mark.slow
def test_a_sweep_says_it_once_and_its_table_names_the_trials(tmp_path):
    sweep = default_sweep(Path(__file__).parents[1] / "configs" / "vae_digits.py")
    with sweep.unlocked():
        sweep.base = collapsing()
    sweep.axes = (values("hparams.beta", 1e-4, 1e4), values("model.likelihood", "auto", "bernoulli"))
    sweep.execution = "map"
    stream = io.StringIO()
    assert sweep_loop.sweep(sweep, tmp_path / "sweep", best=1, stream=stream) == sweep_loop.FINISHED
    assert stream.getvalue().count("collapsed posterior in 2 of 4 trials") == 1
    with (tmp_path / "sweep" / "trials.csv").open() as lines:
        table = list(csv.DictReader(lines))
    assert len(table) == 4
    for row in table:
        assert row["warnings"] == ("collapsed posterior" if float(row["hparams.beta"]) > 1 else "")
        assert row["model.likelihood"] in ("gaussian_shared", "bernoulli")
    assert "Warnings: collapsed posterior in 2 of 4 trials" in (tmp_path / "sweep" / "leaderboard.md").read_text()
    exported = json.loads(next((tmp_path / "sweep" / "best").glob("*/config.json")).read_text())
    assert exported["model.likelihood"] in ("gaussian_shared", "bernoulli")
