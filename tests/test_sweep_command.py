"""`scripts/sweep.py` in processes of its own: killed, stopped, shared between hosts and between workers of a study."""

import csv
import random
import signal
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from command import environment, start
from test_hosts import free_port

BASE = """
from genjax.config import default

def get_config():
    config = default("vae")
    config.model.hidden, config.model.latent = (8,), 2
    config.train.batch_size = 32
    config.train.steps = {steps}
    config.train.log_every = 10
    config.train.evaluate_every = config.train.checkpoint_every = 20
    return config
"""

SWEEP = """
from pathlib import Path
from genjax.search import default, log_uniform, values

def get_config():
    sweep = default(Path(__file__).with_name("base.py"))
    sweep.axes = (
        {axis},
        values("seed", 0, 1),
    )
    sweep.execution = "map"
    {more}
    return sweep
"""
RATES = 'values("hparams.learning_rate", 1e-3, 1e-2, 1e30), values("model.latent", 2, 3)'
HALVING = 'sweep.strategy, sweep.points = "random", 4; sweep.stopping = "halving"; sweep.halving.first = 50'
DRAWN = 'log_uniform("hparams.learning_rate", 1e-4, 1e-1)'


@pytest.fixture(scope="module")
def env(tmp_path_factory):
    cache = tmp_path_factory.mktemp("cache")
    return environment(cache) | {"GENJAX_CACHE": str(cache / "genjax")}


def written(folder, axis=RATES, more="", steps=200):
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "base.py").write_text(BASE.format(steps=steps))
    (folder / "sweep.py").write_text(SWEEP.format(axis=axis, more=more))
    return folder


def begin(env, folder, *arguments, workdir="s"):
    return start(env, folder, "--config", "sweep.py", "--workdir", workdir, *arguments, script="sweep.py")


def ran(env, folder, *arguments, workdir="s", code=0):
    """The standard error of a sweep that ended with a code."""
    process = begin(env, folder, *arguments, workdir=workdir)
    out, err = process.communicate(timeout=300)
    assert (process.returncode, out) == (code, ""), err
    return err


def table(path):
    with (path / "trials.csv").open() as file:
        return [{name: value for name, value in row.items() if name != "seconds"} for row in csv.DictReader(file)]


def killed(env, folder, times):
    """Kills a sweep at random moments after it has begun to save, and lets the last start finish."""
    moments = random.Random(0)
    for _ in range(times):
        process = begin(env, folder)
        saved = {path: path.stat().st_mtime_ns for path in folder.rglob("cohort-*.npz")}
        deadline = time.monotonic() + 120
        while process.poll() is None and time.monotonic() < deadline:
            if {path: path.stat().st_mtime_ns for path in folder.rglob("cohort-*.npz")} != saved:
                break
            time.sleep(0.005)
        time.sleep(moments.uniform(0, 0.3))
        process.kill()
        process.communicate()
    return ran(env, folder)


@pytest.mark.parametrize(
    ("axis", "more"),
    [
        (RATES, ""),
        (DRAWN, 'sweep.strategy, sweep.points = "random", 4; sweep.stopping = "halving"; sweep.halving.first = 50'),
    ],
    ids=["groups", "halving"],
)
def test_killed_at_any_moment_it_ends_with_the_same_bits(env, tmp_path, axis, more):
    whole, broken = (written(tmp_path / name, axis, more) for name in ("whole", "broken"))
    ran(env, whole)
    killed(env, broken, times=3)
    assert table(broken / "s") == table(whole / "s")
    mine, theirs = (np.load(folder / "s" / "curves.npz") for folder in (broken, whole))
    assert mine.files == theirs.files
    for name in mine.files:
        np.testing.assert_array_equal(mine[name], theirs[name])


def test_a_signal_saves_and_a_second_start_goes_on(env, tmp_path):
    folder = written(tmp_path, steps=1500)
    process = begin(env, folder)
    while not list(folder.rglob("cohort-*.npz")) and process.poll() is None:
        time.sleep(0.01)
    process.send_signal(signal.SIGTERM)
    _, err = process.communicate(timeout=120)
    assert process.returncode == 4, err
    assert "SIGTERM" in err
    assert "run again to go on" in err
    assert not (folder / "s" / "trials.csv").exists()
    stopped = np.load(next(folder.rglob("cohort-*.npz")))["rows|step"]
    ran(env, folder)
    finished = np.load(next(folder.rglob("cohort-000.npz")))["rows|step"]
    assert len(table(folder / "s")) == 12
    assert 0 < stopped[-1] < 1500 == finished[-1]
    assert len(set(finished)) == len(finished)  # no chunk was run twice


def test_wrong_input_is_one_line_and_exit_code_2(env, tmp_path):
    folder = written(tmp_path, steps=20)
    for arguments, told in (
        (["--config.objective.metric=elob"], "nearest is 'elbo'"),
        (["--config.execution=fast"], "execution"),
        (["--config.base.hparams.bta=1"], "hparams.beta"),
        (["--export-best=-1"], "--export-best"),
    ):
        err = ran(env, folder, *arguments, code=2)
        assert told in err
        assert err.startswith("error: ") or err.splitlines()[-1].startswith("error: ")
        assert "Traceback" not in err
    assert not (folder / "s" / "trials.csv").exists()


def test_two_processes_give_the_table_of_one(env, tmp_path):
    folder = written(tmp_path, steps=40)
    alone = env | {"JAX_NUM_CPU_DEVICES": "4"}
    ran(alone, folder, workdir="one")
    port = free_port()
    shared = ["--coordinator", f"127.0.0.1:{port}", "--num-processes", "2", "--process-id"]
    both = [begin(env | {"JAX_NUM_CPU_DEVICES": "2"}, folder, *shared, str(i), workdir=f"two{i}") for i in range(2)]
    try:
        for process in both:
            _, err = process.communicate(timeout=240)
            assert process.returncode == 0, err
    finally:
        for process in both:
            process.kill()
    assert table(folder / "two0") == table(folder / "one")
    assert not (folder / "two1").exists()  # the first process writes


@pytest.mark.parametrize("storage", ["journal:study.log", "sqlite:///study.db"])
def test_two_workers_share_a_study(env, tmp_path, storage):
    optuna = pytest.importorskip("optuna")
    more = (
        f'sweep.strategy, sweep.points = "optuna", 8; sweep.optuna.storage = "{storage}"; sweep.optuna.study = "s"; '
        'sweep.optuna.batch = 2; sweep.stopping = "halving"; sweep.halving.first = 10; sweep.halving.eta = 2'
    )
    folder = written(tmp_path, 'log_uniform("hparams.learning_rate", 1e-4, 1e15)', more, steps=20)
    with ThreadPoolExecutor() as pool:
        list(pool.map(lambda name: ran(env, folder, workdir=name), ("a", "b")))
    rows = table(folder / "a") + table(folder / "b")
    address = storage if storage.startswith("sqlite") else None
    journal = optuna.storages.journal.JournalFileBackend(str(folder / "study.log"))
    opened = f"sqlite:///{folder / 'study.db'}" if address else optuna.storages.JournalStorage(journal)
    told = optuna.load_study(study_name="s", storage=opened).trials
    assert 8 <= len(told) <= 9  # both may ask for the last one at once
    assert len(rows) == 2 * len(told)
    means = {}
    for row in rows:
        means.setdefault(float(row["hparams.learning_rate"]), []).append(row)
    for trial in told:
        mine = means[trial.params["hparams.learning_rate"]]
        lasted = [float(row["objective"]) for row in mine if row["objective"]]
        expected = "FAIL" if not lasted else "PRUNED" if any(row["state"] == "stopped" for row in mine) else "COMPLETE"
        assert trial.state.name == expected
        if lasted:
            assert trial.value == pytest.approx(np.mean(lasted))
