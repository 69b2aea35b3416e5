"""A sweep on the host, from its configuration to its table: groups, halving, populations, slices, exports."""

import csv
import io
import json
import shutil

import numpy as np
import pytest

from genjax import config as configs
from genjax.models import FAMILIES
from genjax.runs import loop
from genjax.sweeps import batches, default, execution, log_uniform, programs, values
from genjax.sweeps.loop import sweep
from genjax.types import InputError

CONFIG = """
from genjax.config import default

def get_config():
    config = default("vae")
    config.model.hidden, config.model.latent = (8,), 2
    config.train.batch_size = 32
    config.train.steps = 40
    config.train.log_every = 10
    config.train.evaluate_every = config.train.checkpoint_every = 20
    return config
"""


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    path = tmp_path_factory.mktemp("base") / "vae.py"
    path.write_text(CONFIG)
    return path


@pytest.fixture(scope="module", autouse=True)
def _cache(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GENJAX_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture
def counts(monkeypatch):
    """How many trials each program that was asked for has."""
    made, make = [], programs.make_cohort_programs

    def recorded(config, dataset, count, *rest, **options):
        made.append(count)
        return make(config, dataset, count, *rest, **options)

    monkeypatch.setattr(programs, "make_cohort_programs", recorded)
    return made


def swept(base, axes, **settings):
    config = default(base)
    config.axes, config.execution = axes, "map"
    config.update_from_flattened_dict({name.replace("__", "."): value for name, value in settings.items()})
    return config


def ran(config, folder, best=0):
    """The table of a finished sweep, and what was said."""
    code = sweep(config, folder, best, out := io.StringIO())
    assert code == loop.FINISHED
    return table(folder), out.getvalue()


def table(folder):
    with (folder / "trials.csv").open() as file:
        return [{k: v for k, v in row.items() if k != "seconds"} for row in csv.DictReader(file)]


RATES = values("hparams.learning_rate", 1e-3, 1e-2, 1e30)


@pytest.mark.slow
def test_groups_and_a_diverging_trial(base, tmp_path):
    config = swept(base, (RATES, values("model.latent", 2, 3), values("seed", 0, 7)))
    rows, said = ran(config, tmp_path / "s", best=2)
    assert "12 trials: 6 points, 2 seeds each; 2 groups, by model.latent; 2 training programs" in said
    assert [int(row["trial"]) for row in rows] == list(range(12))
    for row in rows:
        diverged = row["hparams.learning_rate"] == "1e+30"
        assert row["state"] == ("diverged" if diverged else "finished")
        assert (row["diverged_at"], row["objective"] != "") == ((row["steps"], False) if diverged else ("", True))
        assert row["steps"] == ("1" if diverged else "40")
    curves = np.load(tmp_path / "s" / "curves.npz")
    assert curves["step"].tolist() == [10, 20, 30, 40]
    assert curves["validation/loss"].shape == (12, 4)
    assert np.isfinite(curves["train/loss"][:4]).all()
    last = curves["validation/loss"][:, -1]
    assert [f"{x!r}" for x in last[:8].tolist()] == [row["validation/loss"] for row in rows[:8]]
    ranking = [line for line in (tmp_path / "s" / "leaderboard.md").read_text().splitlines() if line.startswith("|")]
    assert ranking[-1].endswith("| 2 | 2 |  | 8 |") or ranking[-1].endswith("| 2 | 2 |  | 10 |")
    pictures = {path.name for path in (tmp_path / "s").glob("*.png")}
    assert pictures == {"axes.png", "heat.png", "parallel.png", "curves.png", "samples.png"}


@pytest.mark.slow
def test_the_same_numbers_as_a_single_run(base, tmp_path):
    rows, _ = ran(swept(base, (RATES, values("seed", 3, 4))), tmp_path / "s", best=1)
    best = json.loads((next((tmp_path / "s" / "best").iterdir()) / "config.json").read_text())
    trial = next(r for r in rows if r["seed"] == str(best["seed"]) and float(r["hparams.learning_rate"]) == 0.01)
    config = configs.override(
        configs.load(base), {"hparams.learning_rate": "0.01", "seed": trial["seed"], "train.devices": "1"}
    )
    assert loop.train(config, tmp_path / "r", io.StringIO()) == loop.FINISHED
    alone = json.loads((tmp_path / "r" / "evaluation.json").read_text())
    for name in ("validation/elbo", "validation/recon", "test/elbo", "test/sliced_wasserstein"):
        np.testing.assert_allclose(float(trial[name]), alone[name], rtol=1e-5)


@pytest.mark.slow
def test_an_exported_trial_is_a_run(base, tmp_path):
    rows, _ = ran(swept(base, (RATES,), objective__metric="recon"), tmp_path / "s", best=5)
    folders = sorted((tmp_path / "s" / "best").iterdir())
    assert [path.name for path in folders] == ["1-trial-1", "2-trial-0"]  # the third diverged
    config = configs.load(folders[0] / "config.json")
    assert config.hparams.learning_rate == 1e-2
    assert loop.train(config, folders[0], io.StringIO()) == loop.FINISHED
    measured = json.loads((folders[0] / "evaluation.json").read_text())
    np.testing.assert_allclose(measured["test/recon"], float(rows[1]["test/recon"]), rtol=1e-5)
    longer = configs.override(config, {"train.steps": "60"})
    assert loop.train(longer, folders[0], said := io.StringIO()) == loop.FINISHED
    assert "goes on from step 40" in said.getvalue()
    assert json.loads((folders[0] / "evaluation.json").read_text())["step"] == 60


@pytest.mark.slow
def test_states_that_were_deleted_cannot_be_exported(base, tmp_path):
    config = swept(base, (values("seed", 0, 1),))
    ran(config, tmp_path / "s")
    shutil.rmtree(tmp_path / "s" / "batches")
    with pytest.raises(InputError, match=r"s/batches is gone.* nothing to export"):
        ran(config, tmp_path / "s", best=1)
    assert not (tmp_path / "s" / "best").exists()
    ran(config, tmp_path / "s")  # it is finished, and there is nothing to do


@pytest.mark.slow
def test_halving_drops_work(base, tmp_path, counts):
    axes = (log_uniform("hparams.learning_rate", 1e-4, 1e-1), values("seed", 0, 1))
    halving = {"stopping": "halving", "halving__first": 10, "halving__eta": 2}
    config = swept(base, axes, strategy="random", points=4, **halving)
    rows, said = ran(config, tmp_path / "s")
    assert "3 training programs to compile" in said
    assert sorted(set(counts), reverse=True) == [8, 4, 2]  # the survivors of each rung fill a smaller program
    by_point = [rows[i : i + 2] for i in range(0, 8, 2)]
    assert sorted(int(a["steps"]) for a, _ in by_point) == [10, 10, 20, 40]
    assert all(a["steps"] == b["steps"] for a, b in by_point)  # a point stops with all of its seeds
    unstopped, _ = ran(swept(base, axes, strategy="random", points=4), tmp_path / "u")
    finished = next(i for i, row in enumerate(rows) if row["steps"] == "40")
    assert rows[finished]["validation/loss"] == unstopped[finished]["validation/loss"]  # moved together, same bits
    at_ten = np.load(tmp_path / "s" / "curves.npz")["validation/loss"][:, 0].reshape(4, 2).mean(axis=1)
    survivors = [i for i, (a, _) in enumerate(by_point) if a["steps"] != "10"]
    assert sorted(survivors) == sorted(np.argsort(at_ten)[:2])


@pytest.mark.slow
def test_a_rung_is_judged_by_what_was_known_there(base, tmp_path):
    axes = (log_uniform("hparams.learning_rate", 1e-4, 1e-1), values("model.latent", 2, 3))
    halving = {"stopping": "halving", "halving__first": 10, "halving__eta": 2}
    config = swept(base, axes, strategy="random", points=3, **halving)
    rows, _ = ran(config, tmp_path / "s")
    (tmp_path / "s" / "trials.csv").unlink()
    (tmp_path / "s" / "batches" / "000" / "cohort-001.npz").unlink()  # the other group is at its end already
    again, _ = ran(config, tmp_path / "s")
    assert again == rows
    assert len({row["steps"] for row in rows}) == 3


@pytest.mark.slow
def test_a_population_copies_the_best(base, tmp_path):
    population = {
        "stopping": "population",
        "population__every": 10,
        "population__share": 0.5,
        "population__factor": 2.0,
    }
    axes = (values("hparams.learning_rate", 1e-4, 1e-2, 1e-6, 3e-2),)
    rows, _ = ran(swept(base, axes, **population), tmp_path / "s", best=1)
    curves = np.load(tmp_path / "s" / "curves.npz")
    parents, rates = curves["population/0/parent"], curves["population/0/hparams.learning_rate"]
    assert curves["population/0/step"].tolist() == [10, 20, 30]
    before = np.array([1e-4, 1e-2, 1e-6, 3e-2], np.float32)
    for e, step in enumerate((10, 20, 30)):
        loss = curves["validation/loss"][:, curves["step"].tolist().index(step)]
        worst, best = np.argsort(loss)[2:], np.argsort(loss)[:2]
        assert set(parents[e, worst]) <= set(best)
        assert parents[e, best].tolist() == best.tolist()
        for i in worst:
            moved = np.clip(before[parents[e, i]] * np.array([0.5, 2.0]), 1e-6, 3e-2)
            assert np.isclose(rates[e, i], moved, rtol=1e-5).any()
        np.testing.assert_array_equal(rates[e, best], before[best].astype(float))
        before = rates[e]
    assert [float(row["final/learning_rate"]) for row in rows] == pytest.approx(before.tolist())
    exported = json.loads(next((tmp_path / "s" / "best").glob("*/config.json")).read_text())
    assert exported["hparams.learning_rate"] in before.tolist()


@pytest.mark.slow
def test_what_memory_does_not_hold_runs_in_slices(base, tmp_path):
    axes = (RATES, values("seed", 0, 1, 2))
    whole, _ = ran(swept(base, axes), tmp_path / "w")
    made = batches.program_maker()(whole_config(base, axes), 4, "map")
    memory = max(made.bytes_to_train(10), made.bytes_to_evaluate())
    sliced, said = ran(swept(base, axes, memory_bytes=memory), tmp_path / "s")
    assert "memory holds 4 of a group's 9 trials: 3 at a time" in said
    assert len(list((tmp_path / "s" / "batches" / "000").glob("cohort-*.npz"))) == 3
    assert [row["diverged_at"] for row in sliced] == [row["diverged_at"] for row in whole]
    mine, theirs = (np.load(tmp_path / folder / "curves.npz") for folder in "sw")
    assert mine.files == theirs.files
    for name in mine.files:  # a program of another width may add up an evaluation in another order
        np.testing.assert_allclose(mine[name], theirs[name], rtol=1e-5 if name.startswith("validation") else 0)


def whole_config(base, axes):
    return swept(base, axes).base


@pytest.mark.slow
def test_a_second_run_says_that_it_is_finished(base, tmp_path):
    config = swept(base, (RATES,))
    rows, _ = ran(config, tmp_path / "s")
    stamps = {path: path.stat().st_mtime_ns for path in (tmp_path / "s").rglob("*") if path.is_file()}
    again, said = ran(config, tmp_path / "s", best=1)
    assert again == rows
    assert "is finished" in said
    assert "best/1-trial-1: go on with genjax train" in said
    touched = {path for path, stamp in stamps.items() if path.stat().st_mtime_ns != stamp}
    assert {path.name for path in touched} <= {".lock"}


@pytest.mark.slow
def test_auto_measures_and_says_so(base, tmp_path):
    config = swept(base, (RATES, values("seed", 0, 1)))
    config.execution = "auto"
    rows, said = ran(config, tmp_path / "s")
    known = json.loads((tmp_path / "s" / "execution.json").read_text())
    assert known["mode"] in programs.MODES
    assert f"execution {known['why']}" in said
    assert "steps/s on 2 devices" in known["why"]
    assert len(rows) == 6


@pytest.mark.parametrize(
    ("platform", "lowered", "expected"),
    [
        ("cpu", "stablehlo.dot_general", ["map", "vmap"]),
        ("gpu", "stablehlo.dot_general", ["map", "vmap"]),
        ("gpu", "stablehlo.convolution", ["map", "vmap", "vmap_products"]),
        ("tpu", "stablehlo.convolution", ["map", "vmap"]),
    ],
)
def test_what_cannot_differ_is_not_measured(platform, lowered, expected):
    assert execution.distinct_modes(platform, lambda: lowered) == expected


@pytest.mark.slow
def test_a_setting_that_did_not_exist_yet_keeps_what_was_trained(base, tmp_path, monkeypatch):
    config = swept(base, (values("seed", 0, 1),))
    ran(config, tmp_path / "s")
    path = tmp_path / "s" / "batches" / "000" / "cohort-000.npz"
    content = path.read_bytes()
    monkeypatch.setitem(FAMILIES, "vae", FAMILIES["vae"]._replace(settings=FAMILIES["vae"].settings | {"later": 3}))
    _, said = ran(swept(base, (values("seed", 0, 1),)), tmp_path / "s", best=1)
    assert "start again" not in said
    assert "best/1-trial-" in said
    assert path.read_bytes() == content


@pytest.mark.slow
def test_a_damaged_file_starts_its_trials_again(base, tmp_path):
    config = swept(base, (RATES,))
    rows, _ = ran(config, tmp_path / "s")
    (tmp_path / "s" / "trials.csv").unlink()
    path = tmp_path / "s" / "batches" / "000" / "cohort-000.npz"
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(bytes(content))
    again, said = ran(config, tmp_path / "s")
    assert "cannot be read" in said
    assert again == rows


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"objective.metric": "elob"}, "no validation metric 'elob': the nearest is 'elbo'"),
        ({"base.data.source": "ring8", "base.model.likelihood": "bernoulli"}, "needs data in"),
        ({"base.train.batch_size": 10**6}, "larger than the training split"),
    ],
)
def test_what_does_not_fit_is_told_before_training(base, tmp_path, changes, message):
    config = swept(base, (RATES,))
    config.update_from_flattened_dict(changes)
    with pytest.raises(InputError, match=message):
        sweep(config, tmp_path / "s", 0, io.StringIO())
    assert not (tmp_path / "s" / "batches").exists()


@pytest.mark.slow
def test_files_of_exchanged_cohorts_are_not_taken_for_one_another(base, tmp_path):
    config = swept(base, (values("model.latent", 2, 3), values("seed", 0, 1)))
    rows, _ = ran(config, tmp_path / "s")
    (folder,) = (tmp_path / "s" / "batches").iterdir()
    first, second = (folder / f"cohort-00{i}.npz" for i in range(2))
    first.rename(tmp_path / "aside")
    second.rename(first)
    (tmp_path / "aside").rename(second)
    (tmp_path / "s" / "trials.csv").unlink()
    again, said = ran(config, tmp_path / "s")
    assert [{**row, "seconds": ""} for row in again] == [{**row, "seconds": ""} for row in rows]
    assert said.count("holds other trials: its trials start again") == 2


@pytest.mark.slow
def test_points_that_were_asked_for_before_a_kill_are_not_lost(base, tmp_path, monkeypatch):
    optuna = pytest.importorskip("optuna")
    config = swept(base, (log_uniform("hparams.learning_rate", 1e-4, 1e-2),))
    config.strategy, config.points = "optuna", 4
    config.optuna.storage, config.optuna.study, config.optuna.batch = f"journal:{tmp_path / 'study.log'}", "s", 2
    plans = []

    def killed(path, content, write=batches.write_on_primary):
        if path.name == "plan.json" and len(plans) < 2:
            plans.append(content)
            raise KeyboardInterrupt
        write(path, content)

    monkeypatch.setattr(batches, "write_on_primary", killed)
    for _ in range(2):
        with pytest.raises(KeyboardInterrupt):
            ran(config, tmp_path / "s")
    assert plans[0] == plans[1]
    rows, _ = ran(config, tmp_path / "s")
    rates = {row["hparams.learning_rate"] for row in rows}
    assert len(rates) == 4
    backend = optuna.storages.journal.JournalFileBackend(str(tmp_path / "study.log"))
    told = optuna.load_study(study_name="s", storage=optuna.storages.JournalStorage(backend)).trials
    assert {str(trial.params["hparams.learning_rate"]) for trial in told} == rates
    assert all(trial.state.is_finished() for trial in told)
