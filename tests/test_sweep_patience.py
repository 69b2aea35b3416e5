"""Early stopping of a sweep's trials: at the step of their single runs, without a trace in the others."""

import csv
import io
import json

import numpy as np
import pytest

from genjax import config as configs
from genjax.api.run import load_run
from genjax.runs import loop
from genjax.sweeps import cohort_files, cohort_training, default, values
from genjax.sweeps import loop as sweep_loop
from genjax.sweeps.loop import sweep

pytestmark = pytest.mark.slow

CONFIG = """
from genjax.config import default

def get_config():
    config = default("autoencoder")
    config.data.source, config.model.hidden, config.model.latent = "ring8", (4,), 1
    config.model.likelihood = "gaussian"
    every = {"log_every": 5, "evaluate_every": 5, "checkpoint_every": 5}
    config.train.update({"steps": 60, "patience": 2, "trackers": (), **every})
    return config
"""
RATES = (1e-3, 0.2, 0.3, 0.7, 1.5, 1e30)
EARLY = {1, 2, 3, 4}  # the trials that stop early, after 50, 25, 30 and 15 steps; the last one diverges


class Ran:
    """A finished sweep."""

    def __init__(self, folder, said, counts):
        self.folder, self.said, self.counts = folder, said, counts
        with (folder / "trials.csv").open() as file:
            self.rows = list(csv.DictReader(file))
        self.curves = dict(np.load(folder / "curves.npz"))


def configured(base, rates=RATES, **settings):
    config = default(base)
    config.axes, config.execution = (values("hparams.learning_rate", *rates),), "map"
    config.update_from_flattened_dict({name.replace("__", "."): value for name, value in settings.items()})
    return config


def ran(config, folder, best=0):
    """The sweep, and how many trials the programs had that trained it."""
    counts, train_chunks, out = [], cohort_training.train_chunks, io.StringIO()

    def counted(programs, *rest):
        counts.append(programs.count)
        return train_chunks(programs, *rest)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(cohort_training, "train_chunks", counted)
        assert sweep(config, folder, best, out) == loop.FINISHED
    return Ran(folder, out.getvalue(), counts)


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    folder = tmp_path_factory.mktemp("base")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GENJAX_CACHE", str(folder / "cache"))
        (folder / "base.py").write_text(CONFIG)
        yield folder / "base.py"


@pytest.fixture(scope="module")
def patient(base, tmp_path_factory):
    return ran(configured(base), tmp_path_factory.mktemp("sweeps") / "patient", best=1)


def single(base, folder, **settings):
    """The folder of a single run of the base with other settings."""
    config = configs.override(configs.load(base), {"train.devices": "1", **settings})
    assert loop.train(config, folder, io.StringIO()) == loop.FINISHED
    return json.loads((folder / "evaluation.json").read_text())


def test_a_trial_stops_where_its_single_run_does_and_is_judged_by_the_same_state(base, patient, tmp_path):
    assert {int(row["trial"]) for row in patient.rows if row["state"] == "stopped early"} == EARLY
    for i in (0, 1, 2):
        row, alone = patient.rows[i], single(base, tmp_path / str(i), **{"hparams.learning_rate": str(RATES[i])})
        assert row["stopped_early"] == alone.get("stopped_early", "")
        assert (int(row["best_step"]), int(row["steps"])) == (alone["step"], alone["trained_steps"])
        for name in ("validation/recon", "test/recon"):
            np.testing.assert_allclose(float(row[name]), alone[name], rtol=1e-5)
        assert row["objective"] == row["validation/recon"] == row["best"]


def test_a_diverged_trial_has_no_best_state(patient):
    row = patient.rows[5]
    assert (row["state"], row["objective"], row["best_step"], row["stopped_early"]) == ("diverged", "", "", "")


def test_stopped_trials_leave_the_bits_of_the_others(base, patient, tmp_path):
    endless = ran(configured(base, base__train__patience=0), tmp_path / "endless")
    assert endless.counts == [6]
    assert {row["state"] for row in endless.rows} == {"finished", "diverged"}
    assert endless.curves["step"].tolist() == patient.curves["step"].tolist()
    for name, rtol in {"train/loss": 0, "validation/recon": 1e-5}.items():  # evaluations depend on a program's width
        for i, row in enumerate(patient.rows[:5]):
            until = patient.curves["step"] <= int(row["steps"])
            np.testing.assert_allclose(patient.curves[name][i, until], endless.curves[name][i, until], rtol=rtol)
            assert np.isnan(patient.curves[name][i, ~until]).all()


def test_half_of_the_places_are_freed_at_a_time(patient):
    assert patient.counts == [6, 3, 1]
    assert len(patient.rows) == 6


def test_an_exported_trial_is_its_best_state_and_ends_as_its_single_run(patient):
    i = int(min(EARLY, key=lambda i: float(patient.rows[i]["objective"])))
    (folder,) = (patient.folder / "best").glob(f"*-trial-{i}")
    assert load_run(folder).step == int(patient.rows[i]["best_step"])
    assert loop.train(configs.load(folder / "config.json"), folder, io.StringIO()) == loop.FINISHED
    again = json.loads((folder / "evaluation.json").read_text())
    assert again["stopped_early"] == patient.rows[i]["stopped_early"]
    for name, value in {"step": "best_step", "trained_steps": "steps", "test/recon": "test/recon"}.items():
        np.testing.assert_allclose(again[name], float(patient.rows[i][value]), rtol=1e-5)


def test_the_leader_and_the_trials_that_are_left_are_shown(patient):
    last = [line for line in patient.said.splitlines() if " alive" in line][-1]
    best = min((row for row in patient.rows if row["objective"]), key=lambda row: float(row["objective"]))
    assert f"best recon {float(best['objective']):.4g} (trial {best['trial']})  1 trial alive" in last
    done, total = last.split(" steps")[0].split("/")
    assert done == total  # what stopped trials are not trained for does not remain
    assert "4 of 6 trials stopped early" in (patient.folder / "leaderboard.md").read_text()


def test_killed_wherever_it_was_saved_it_ends_with_the_same_bits(base, patient, tmp_path, monkeypatch):
    """Where trials stop and where a smaller program has begun, at the last step, and before the test split."""
    moments, save = [25, 30, 60], cohort_files.save

    def killed(path, cohort, state):
        save(path, cohort, state)
        if state.step in moments:
            moments.remove(state.step)
            raise KeyboardInterrupt

    monkeypatch.setattr(cohort_files, "save", killed)
    monkeypatch.setattr(sweep_loop, "SAVING_SHARE", np.inf)
    for _ in range(3):
        with pytest.raises(KeyboardInterrupt):
            ran(configured(base), tmp_path)
    again = ran(configured(base), tmp_path)
    assert [{**row, "seconds": ""} for row in again.rows] == [{**row, "seconds": ""} for row in patient.rows]
    mine, theirs = (np.load(next(folder.rglob("cohort-000.npz"))) for folder in (tmp_path, patient.folder))
    assert set(mine.files) == set(theirs.files)
    for name in set(mine.files) - {"seconds"}:
        np.testing.assert_array_equal(mine[name], theirs[name])


def test_halving_leaves_the_rule_as_it_is(base, tmp_path):
    """Rungs evaluate at steps of their own, which do not count as evaluations without a better value."""
    rates = (0.01, 0.05, 0.1, 0.15, 0.3, 0.7, 2.0, 1e30)
    rarely = {"base__train__evaluate_every": 15, "base__train__patience": 1}
    alone = ran(configured(base, rates, **rarely), tmp_path / "alone")
    halving = {"stopping": "halving", "halving__first": 20, "halving__eta": 2}
    halved = ran(configured(base, rates, **rarely, **halving), tmp_path / "halved")
    assert {row["state"] for row in halved.rows} == {"stopped", "stopped early", "finished", "diverged"}
    for row, expected in zip(halved.rows, alone.rows, strict=True):
        if row["state"] == "stopped early":
            assert row["steps"] == expected["steps"]
            assert row["stopped_early"] == expected["stopped_early"]
        assert (row["test/recon"] != "") == (row["state"] in ("stopped early", "finished"))
