"""Early stopping: when a run stops, that it is said and resumed to the same end, and that the best state counts."""

import io
import json

import numpy as np
import pytest

from genjax import config as configs
from genjax.api.run import load_run
from genjax.runs import loop, stopping
from genjax.runs.logs import read_metrics
from genjax.types import InputError

TRAIN = {"patience": 2, "least_steps": 0, "smallest_change": 0.0}


def reason(curve, **changes):
    rows = [{"step": 10 * (i + 1), "validation/loss": value} for i, value in enumerate(curve)]
    return stopping.find_reason({**TRAIN, **changes}, "loss", [{"step": 5, "train/loss": 0.0}, *rows])


@pytest.mark.parametrize(
    ("curve", "changes", "stops"),
    [
        ([3, 2, 1], {}, False),
        ([3, 2, 2, 2], {}, True),
        ([3, 2, 2, 1, 2], {}, False),
        ([3, 2, 1.95, 1.9], {"smallest_change": 0.2}, True),
        ([3, 2, 1.95, 1.7], {"smallest_change": 0.2}, False),
        ([3, 2, 2, 2], {"least_steps": 41}, False),
        ([3, 2, 2, 2], {"least_steps": 40}, True),
        ([3, 2, 2, 2], {"patience": 0}, False),
        ([3, 2, float("nan"), float("inf")], {}, True),
        ([float("nan")] * 2, {}, True),
        ([], {}, False),
    ],
)
def test_a_run_stops_when_patience_is_over(curve, changes, stops):
    assert bool(reason(curve, **changes)) is stops


def test_trials_are_followed_as_runs_are():
    """One that waits, one that improves, one that ended before the others, and one without numbers."""
    curve = np.array([[3, 3, 3, np.inf], [2, 2, 2, np.inf], [2, 1, np.nan, np.inf], [4, 0.5, np.nan, np.inf]])
    course = stopping.follow(TRAIN, np.array([10, 20, 30, 40]), curve)
    assert stopping.is_over(TRAIN, course).tolist() == [True, False, False, True]
    assert course.best_step.tolist() == [20, 40, 20, 0]
    assert course.last_step.tolist() == [40, 40, 20, 40]
    for i, column in enumerate(curve.T):
        measured = column[~np.isnan(column)]
        alone = stopping.follow(TRAIN, 10 * np.arange(1, len(measured) + 1), measured)
        assert stopping.Course(*(part[i] for part in course)) == alone


def config_of_a_run(steps=200):
    """A learning rate so high that the loss soon grows again."""
    config = configs.default("autoencoder")
    config.data.source, config.model.hidden, config.model.latent = "ring8", (4,), 1
    config.model.likelihood = "gaussian"
    config.hparams.learning_rate = 0.3
    every = {"log_every": 5, "evaluate_every": 5, "checkpoint_every": 5}
    config.train.update({"steps": steps, "devices": 1, "patience": 2, "trackers": (), **every})
    return config


@pytest.fixture(scope="module")
def stopped(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs") / "stopped"
    log = io.StringIO()
    assert loop.train(config_of_a_run(), folder, log) == loop.FINISHED
    return folder, log.getvalue()


def test_the_reason_is_said_and_kept_and_the_best_state_is_evaluated(stopped):
    folder, log = stopped
    evaluation, rows = json.loads((folder / "evaluation.json").read_text()), read_metrics(folder / "metrics.jsonl")
    curve = {row["step"]: row["validation/recon"] for row in rows}
    best = min(curve, key=lambda step: curve[step])
    assert rows[-1]["step"] < 200
    assert (evaluation["step"], evaluation["trained_steps"]) == (best, rows[-1]["step"])
    assert best < rows[-1]["step"]
    np.testing.assert_allclose(evaluation["validation/recon"], curve[best], rtol=1e-5)
    assert f"stopped early: {evaluation['stopped_early']}" in log
    assert load_run(folder).step == best
    assert load_run(folder, "newest").step == rows[-1]["step"]


def test_a_second_start_says_how_it_ended(stopped):
    folder, _ = stopped
    for steps in (200, 400):  # more steps change nothing: it has stopped
        log = io.StringIO()
        assert loop.train(config_of_a_run(steps), folder, log) == loop.FINISHED
        assert "is finished: it stopped early, because validation recon has not improved" in log.getvalue()


def test_a_run_that_is_killed_at_any_moment_stops_at_the_same_step(stopped, tmp_path, monkeypatch):
    folder, _ = stopped
    last = read_metrics(folder / "metrics.jsonl")[-1]["step"]

    def kill(*_):
        raise KeyboardInterrupt

    for i, moment in enumerate(("_finish", "_evaluate_chunk")):  # after the last step, and at the first evaluation
        workdir = tmp_path / str(i)
        with monkeypatch.context() as patch:
            patch.setattr(loop, moment, kill)
            with pytest.raises(KeyboardInterrupt):
                loop.train(config_of_a_run(), workdir, io.StringIO())
        assert loop.train(config_of_a_run(), workdir, io.StringIO()) == loop.FINISHED
        assert read_metrics(workdir / "metrics.jsonl")[-1]["step"] == last
        assert (workdir / "evaluation.json").read_text() == (folder / "evaluation.json").read_text()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"patience": -1}, r"train\.patience = -1 must be at least 0"),
        ({"patience": 0, "least_steps": 3}, r"train\.least_steps = 3 would not act"),
        ({"patience": 0, "smallest_change": 0.5}, r"train\.smallest_change = 0\.5 would not act"),
        ({"trackers": ("tensorbord",)}, "the nearest is 'tensorboard'"),
    ],
)
def test_what_cannot_act_is_refused(changes, message):
    config = config_of_a_run()
    config.train.update(changes)
    with pytest.raises(InputError, match=message):
        configs.check(config)
