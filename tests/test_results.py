"""The results page: every row can be run, is read from its runs, and says so where it was not."""

import json
from pathlib import Path

import pytest

from genjax import config
from genjax.types import InputError

ROOT = Path(__file__).parents[1]


@pytest.fixture(autouse=True)
def scripts(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "scripts"))


def evaluated(folder, *results, seconds=(1.5, 2.0)):
    folder.mkdir()
    named = ("metric", "value", "error", "protocol")
    held = {"step": 20, "results": [dict(zip(named, result, strict=True)) for result in results]}
    (folder / "evaluation.json").write_text(json.dumps(held))
    (folder / "metrics.jsonl").write_text("".join(json.dumps({"step": 20, "seconds": each}) + "\n" for each in seconds))


def experiment(**row):
    from results.kinds import Column, Experiment, Row, Run

    run = Run("vae_digits", {"train.steps": "20"}, ("--metrics fidelity",))
    columns = (Column("fd", "frechet_distance"), Column("mig", "mig"))
    rows = (Row("a", {"a0": run, "a1": run}, **row), Row("b", {"b0": run}, "12.3 (somebody)"))
    return Experiment("Title", "Text.", columns, rows)


def test_every_run_is_a_configuration_that_can_be_run():
    from genjax.evaluation import options
    from results.experiments import EXPERIMENTS
    from results.kinds import Run

    folders = {}
    for row in (row for each in EXPERIMENTS.values() for row in each.rows):
        for folder, run in row.runs.items():
            assert folders.setdefault(folder, run) == run, f"{folder} has two configurations"
            if isinstance(run, Run):
                config.check(config.override(config.load(ROOT / "configs" / f"{run.config}.py"), run.settings))
            else:
                assert (ROOT / "configs" / "sweeps" / f"{run.config}.py").exists()
            for each in getattr(run, "evaluations", ()):
                words = each.split()
                groups = [word for word in words if word in options.METRICS]
                assert words[0] == "--metrics"
                assert groups


def test_rows_are_chosen_by_what_their_labels_hold():
    from results.command import choose_rows

    one = experiment()
    assert [row.label for row in choose_rows(one, "")] == ["a", "b"]
    assert [row.label for row in choose_rows(one, "b")] == ["b"]
    with pytest.raises(InputError, match="no row of 'Title' holds 'c': there are 'a', 'b'"):
        choose_rows(one, "c")


def test_a_row_is_read_from_all_of_its_runs(tmp_path):
    from results.measured import format_figure, read_row

    one = experiment(protocol={"sampler": "prior"})
    prior, other = {"step": 20, "sampler": "prior"}, {"step": 20, "sampler": "gaussian"}
    mig = ("mig", 0.2, None, {"step": 20})
    evaluated(tmp_path / "a0", ("frechet_distance", 9.0, 0.1, other), ("frechet_distance", 1.0, 0.1, prior), mig)
    assert read_row(one, one.rows[0], tmp_path) is None  # the other seed is missing
    evaluated(tmp_path / "a1", ("frechet_distance", 3.0, 0.1, prior), mig)
    found = read_row(one, one.rows[0], tmp_path)
    assert found is not None
    assert found["figures"]["fd"]["values"] == [1.0, 3.0]
    assert (found["seconds"], found["steps"]) == (7.0, 20)
    assert format_figure(found["figures"]["fd"]) == "2 [1 to 3]"
    assert format_figure({"values": [-86.9049], "error": 0.21}) == "-86.9 ± 0.21"
    assert format_figure({"values": [1.0, float("nan")], "error": None}) == "not finite in 1 of 2"


def test_features_are_told_apart_without_their_hash(tmp_path):
    from results.measured import read_row

    one = experiment(protocol={"features": "classifier:mnist"})._replace(columns=experiment().columns[:1])
    one = one._replace(rows=(one.rows[0]._replace(runs={"a0": one.rows[0].runs["a0"]}),))
    named = {"step": 20, "features": "classifier:mnist (45d870d21810587b)"}
    evaluated(
        tmp_path / "a0",
        ("frechet_distance", 5.0, None, {**named, "features": "pixels"}),
        ("frechet_distance", 4.0, None, named),
    )
    found = read_row(one, one.rows[0], tmp_path)
    assert found is not None
    assert found["figures"]["fd"]["values"] == [4.0]


def test_what_was_measured_at_an_earlier_step_does_not_count(tmp_path):
    from results.measured import read_row

    one = experiment()._replace(columns=experiment().columns[:1])
    one = one._replace(rows=(one.rows[0]._replace(runs={"a0": one.rows[0].runs["a0"]}),))
    of_steps = [("frechet_distance", value, None, {"step": step}) for step, value in ((10, 5.0), (20, 4.0))]
    evaluated(tmp_path / "a0", *of_steps)
    found = read_row(one, one.rows[0], tmp_path)
    assert found is not None
    assert found["figures"]["fd"]["values"] == [4.0]


def test_a_column_may_be_of_training_or_of_another_run(tmp_path):
    from results.kinds import Column
    from results.measured import read_row

    columns = (Column("distortion", "test/recon"), Column("rate", "test/loss", optional=True, of="_prior"))
    one = experiment()._replace(columns=columns)
    row = one.rows[1]
    evaluated(tmp_path / "b0")
    assert read_row(one, row, tmp_path) is None
    for folder, figures in {"b0": {"step": 20, "test/recon": 7.5}, "b0_prior": {"step": 9, "test/loss": 3.0}}.items():
        (tmp_path / folder).mkdir(exist_ok=True)
        (tmp_path / folder / "evaluation.json").write_text(json.dumps(figures))
        read = read_row(one, row, tmp_path)
        assert read is not None
        rates = [3.0] if folder == "b0_prior" else []
        assert {name: figure["values"] for name, figure in read["figures"].items()} == {
            "distortion": [7.5],
            "rate": rates,
        }


def test_seeds_of_a_sweep_are_its_trials(tmp_path):
    from results.experiments import EXPERIMENTS
    from results.measured import read_row

    folder = tmp_path / "gan_ring8_seeds"
    folder.mkdir()
    head = "trial,model.loss,seed,steps,test/modes_found,test/good_samples,seconds\n"
    trials = "2,minimax,0,50,8,0.9,2\n3,minimax,1,50,7,0.8,3\n0,nonsaturating,0,50,8,1,4\n"
    (folder / "trials.csv").write_text(head + trials)
    found = read_row(EXPERIMENTS["ring8"], EXPERIMENTS["ring8"].rows[1], tmp_path)
    assert found is not None
    assert found["figures"]["modes found"]["values"] == [8, 7]
    assert (found["seconds"], found["steps"]) == (5, 50)


def test_evaluations_of_trials_are_found_in_their_folders(tmp_path):
    from results.command import commands
    from results.kinds import Column, Experiment, Row, Sweep
    from results.measured import read_row

    sweep = Sweep("vae_digits", 2, ("--metrics latent",))
    row = Row("beta = 4", {"s": sweep}, where={"hparams.beta": "4.0"})
    one = Experiment("Title", "Text.", (Column("kl", "test/kl"), Column("mig", "mig")), (row,))
    (tmp_path / "s" / "best").mkdir(parents=True)
    trials = "trial,hparams.beta,steps,test/kl,seconds\n0,1.0,50,3.0,1\n1,4.0,50,2.0,1\n11,4.0,50,1.0,1\n"
    (tmp_path / "s" / "trials.csv").write_text(trials)
    evaluated(tmp_path / "s" / "best" / "1-trial-11", ("mig", 0.3, None, {}))
    (tmp_path / "s" / "best" / "2-trial-1").mkdir()
    train, *evaluations = commands(one, row, tmp_path)
    assert train[-2:] == ["--export-best", "2"]
    assert [command[4] for command in evaluations] == [str(tmp_path / "s" / "best" / "2-trial-1")]
    assert read_row(one, row, tmp_path) is None  # the other seed is not evaluated
    evaluated(tmp_path / "s" / "best" / "3-trial-1", ("mig", 0.2, None, {}))
    (tmp_path / "s" / "best" / "2-trial-1").rmdir()
    found = read_row(one, row, tmp_path)
    assert found is not None
    assert {heading: figure["values"] for heading, figure in found["figures"].items()} == {
        "kl": [2.0, 1.0],
        "mig": [0.2, 0.3],
    }


def test_regularisers_are_drawn(tmp_path):
    from results.regularisers import SCORES, WEIGHTS, draw, experiment

    labels = [row.label for row in experiment().rows]
    assert len(labels) == sum(len(weights) for *_, weights in WEIGHTS.values())
    values = {heading: {"values": [1.0, 2.0, 4.0]} for heading in ("distortion, nats", *SCORES)}
    draw({key: {"figures": values} for key in labels[:4]}, tmp_path / "some.png")
    draw({key: {"figures": values} for key in labels}, tmp_path / "all.png")
    assert (tmp_path / "some.png").read_bytes() != (tmp_path / "all.png").read_bytes()


def test_what_was_not_run_says_so():
    from results.page import markdown

    figure = {"values": [1.0], "error": None}
    figures = {"x": {"a": {"figures": {"fd": figure, "mig": figure}, "seconds": 7.0, "steps": 20, "machine": "a CPU"}}}
    text = markdown({"x": experiment()}, figures)
    assert "| a | 1 | 1 |  | 20 steps, 7 s (a CPU) |" in text
    assert "| b | not run |  | 12.3 (somebody) |  |" in text
    assert (
        "uv run scripts/train.py --config configs/vae_digits.py --config.train.steps=20 --workdir runs/results/a0"
        in text
    )


def test_the_page_is_what_its_figures_give():
    from results.experiments import EXPERIMENTS
    from results.page import markdown

    figures = json.loads((ROOT / "docs" / "results.json").read_text())
    assert (ROOT / "docs" / "results.md").read_text() == markdown(EXPERIMENTS, figures)
    for name, rows in figures.items():
        assert rows.keys() <= {row.label for row in EXPERIMENTS[name].rows}


def test_without_a_name_the_command_lists_what_is_done(tmp_path, capsys):
    from results.command import main
    from results.experiments import EXPERIMENTS

    assert main(["--runs", str(tmp_path)], "") == 0
    assert [line.split(":")[0] for line in capsys.readouterr().out.splitlines()] == list(EXPERIMENTS)


def test_where_published_code_is_compared_ours_is_exact():
    from results.published import comparisons

    for row in comparisons(installed=False):
        assert row.ours == pytest.approx(row.exact, abs=1e-5), row.quantity
        assert (
            f"| {row.quantity} | {row.exact:.5f} | {row.ours:.5f} |" in (ROOT / "docs" / "certificates.md").read_text()
        )
