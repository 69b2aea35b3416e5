"""`scripts/sweep.py` killed or stopped: a second start goes on, to the same bits."""

import os
import random
import shlex
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from command import environment
from sweeping import DRAWN, RATES, begin, ran, table, written

KILLS = int(os.environ.get("GENJAX_KILLS", "2"))  # of each sweep


OPTUNA = """sweep.strategy, sweep.points, sweep.optuna.batch = "optuna", 4, 2
    sweep.optuna.storage, sweep.optuna.study = f"sqlite:///{Path(__file__).with_name('study.db')}", "one"
"""


@pytest.fixture(scope="module")
def env(tmp_path_factory):
    cache = tmp_path_factory.mktemp("cache")
    return environment() | {"GENJAX_CACHE": str(cache / "genjax")}


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


@pytest.mark.slow
@pytest.mark.parametrize(
    ("axis", "more", "state"),
    [
        (RATES, "", "diverged"),
        (
            DRAWN,
            'sweep.strategy, sweep.points = "random", 4; sweep.stopping = "halving"; sweep.halving.first = 50',
            "stopped",
        ),
        (
            DRAWN,
            'sweep.strategy, sweep.points = "random", 4; sweep.stopping = "population"; sweep.population.every = 40',
            "finished",
        ),
        (RATES, "sweep.base.train.patience, sweep.base.train.smallest_change = 1, 15.0", "stopped early"),
    ],
    ids=["groups", "halving", "population", "patience"],
)
def test_killed_at_any_moment_it_ends_with_the_same_bits(env, tmp_path, axis, more, state):
    whole, broken = (written(tmp_path / name, axis, more) for name in ("whole", "broken"))
    ran(env, whole)
    killed(env, broken, times=KILLS)
    assert table(broken / "s") == table(whole / "s")
    assert state in {row["state"] for row in table(whole / "s")}
    mine, theirs = (np.load(folder / "s" / "curves.npz") for folder in (broken, whole))
    assert mine.files == theirs.files
    for name in mine.files:
        np.testing.assert_array_equal(mine[name], theirs[name])


@pytest.mark.slow
def test_a_study_that_was_killed_ends_with_as_many_points_as_were_asked_for(env, tmp_path):
    """Each study has points of its own, so the points are counted: none is lost, and none is trained twice."""
    pytest.importorskip("optuna")
    folder = written(tmp_path, DRAWN, OPTUNA)
    killed(env, folder, times=KILLS)
    rows = table(folder / "s")
    assert sorted((row["point"], row["seed"]) for row in rows) == [(str(p), str(s)) for p in range(4) for s in (0, 1)]
    assert len({row["hparams.learning_rate"] for row in rows}) == 4
    assert {row["state"] for row in rows} == {"finished"}


@pytest.mark.slow
def test_a_signal_saves_and_a_second_start_goes_on(env, tmp_path):
    folder = written(tmp_path, steps=1500)
    process = begin(env, folder)
    while not list(folder.rglob("cohort-*.npz")) and process.poll() is None:
        time.sleep(0.01)
    process.send_signal(signal.SIGTERM)
    _, err = process.communicate(timeout=120)
    assert process.returncode == 4, err
    assert "SIGTERM" in err
    assert not (folder / "s" / "trials.csv").exists()
    stopped = np.load(next(folder.rglob("cohort-*.npz")))["rows|step"]
    command = shlex.split(err.rpartition("; to go on: ")[2])
    assert subprocess.run([sys.executable, *command], cwd=folder, env=env, timeout=120).returncode == 0
    finished = np.load(next(folder.rglob("cohort-000.npz")))["rows|step"]
    assert len(table(folder / "s")) == 12
    assert 0 < stopped[-1] < 1500 == finished[-1]
    assert len(set(finished)) == len(finished)  # no chunk was run twice
