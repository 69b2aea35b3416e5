"""`scripts/sweep.py` in processes of its own: wrong input, several hosts, several workers of one study."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from command import environment, free_port
from sweeping import begin, ran, table, written


@pytest.fixture(scope="module")
def env(tmp_path_factory):
    cache = tmp_path_factory.mktemp("cache")
    return environment() | {"GENJAX_CACHE": str(cache / "genjax")}


@pytest.mark.slow
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


@pytest.mark.slow
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


@pytest.mark.slow
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
    rows = [row for path in folder.glob("[ab]/trials.csv") for row in table(path.parent)]  # one may come too late
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
