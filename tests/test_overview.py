"""`genjax runs`: what a folder of runs and sweeps holds."""

import fcntl
import json

import pytest
import trained

from genjax.commands import main
from genjax.reports.overview import Entry, overview, table


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("many")
    trained.train(folder / "vae", hidden=(8,))
    trained.sweep(folder / "deep" / "sweep", best=1)
    broken = folder / "broken"
    broken.mkdir()
    (broken / "config.json").write_text("{")
    return folder


def by_name(folder):
    return {entry.name: entry for entry in overview(folder)}


def test_runs_and_sweeps_are_listed_and_exported_trials_are_not(folder):
    entries = by_name(folder)
    assert set(entries) == {"vae", "deep/sweep", "broken"}
    figures = json.loads((folder / "vae" / "evaluation.json").read_text())
    run = entries["vae"]
    assert run[:6] == ("vae", "run", "vae", "digits", 2, "finished")
    assert run.figure == f"test/elbo {figures['test/elbo']:.4g}"
    assert entries["deep/sweep"][:6] == ("deep/sweep", "sweep", "vae", "digits", 4, "finished")
    assert entries["deep/sweep"].figure.startswith("best loss ")
    assert entries["broken"] == Entry("broken", "", state="unreadable")


def test_the_trial_that_a_sweep_exported_is_a_run_of_its_own(folder):
    (entry,) = overview(folder / "deep" / "sweep" / "best")
    assert (entry.kind, entry.state) == ("run", "finished")


def test_states(tmp_path):
    run = trained.train(tmp_path / "a", hidden=(8,))
    config = json.loads((run / "config.json").read_text())
    (run / "config.json").write_text(json.dumps({**config, "train.steps": 10}))
    assert by_name(tmp_path)["a"].state == "stopped"
    with (run / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert by_name(tmp_path)["a"].state == "running"
    evaluation = json.loads((run / "evaluation.json").read_text())
    (run / "evaluation.json").write_text(json.dumps({**evaluation, "stopped_early": "no better value"}))
    assert by_name(tmp_path)["a"].state == "finished"
    (run / "diverged.json").write_text("{}")
    assert by_name(tmp_path)["a"].state == "diverged"


@pytest.mark.parametrize("changes", [{"model.family": None}, {"data.source": 3}, {"train.steps": "x"}])
def test_a_damaged_configuration_is_unreadable(tmp_path, changes):
    config = {"model.family": "vae", "data.source": "digits", "train.steps": 10}
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "config.json").write_text(json.dumps(config | changes))
    assert by_name(tmp_path)["a"].state == "unreadable"
    assert "unreadable" in table(overview(tmp_path))


def test_the_command_filters_and_sorts(folder, capsys):
    assert main.main(["runs", str(folder), "--sort", "name"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == list(Entry._fields)
    assert [line.split()[0] for line in lines[1:]] == ["broken", "deep/sweep", "vae"]
    assert main.main(["runs", str(folder), "--sort", "name", "--reverse", "--where", "family=vae", "kind=run"]) == 0
    assert [line.split()[0] for line in capsys.readouterr().out.splitlines()[1:]] == ["vae"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nowhere"], "nowhere: no such folder"),
        ([".", "--sort", "nam"], "no column 'nam': the nearest is 'name'"),
        ([".", "--where", "famly=vae"], "no column 'famly': the nearest is 'family'"),
        ([".", "--where", "vae"], "--where vae: a condition is <column>=<value>"),
    ],
)
def test_wrong_input_is_one_line(arguments, message, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main.main(["runs", *arguments]) == 2
    assert capsys.readouterr().err == f"error: {message}\n"
