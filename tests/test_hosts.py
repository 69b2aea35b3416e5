"""Several processes as one run: two of two CPU devices each, over loopback with gloo."""

import json
import signal
import subprocess
import sys
from types import SimpleNamespace

import jax
import numpy as np
import pytest
from command import checkpoint_steps, environment, free_port, rows, run_train, start, wait_for_step

from genjax.commands import train
from genjax.runs.programs import select_devices
from genjax.system import processes
from genjax.training import sharding
from genjax.types import InputError

CONFIG = """
from genjax.config import default

def get_config():
    config = default("autoencoder")
    config.data.source = "ring8"
    config.model.hidden = (16,)
    config.model.latent = 2
    config.model.likelihood = "gaussian"
    config.model.psi = "identity"
    config.train.batch_size = 32
    config.train.steps = 60
    config.train.log_every = 10
    config.train.evaluate_every = 30
    config.train.checkpoint_every = 30
    return config
"""
SECONDS = 180  # no run takes half as long; one that waits for ever is ended


def ends(processes):
    """`(exit code, standard error)` of each, none of which outlives this."""
    try:
        return [(process.communicate(timeout=SECONDS)[1], process.returncode)[::-1] for process in processes]
    finally:
        for process in processes:
            process.kill()


@pytest.fixture(scope="module")
def stories(tmp_path_factory):
    """A run on two processes, the same on one, one that is stopped and resumed, one that does not fit its folder."""
    folder = tmp_path_factory.mktemp("hosts")
    env = environment()
    (folder / "tiny.py").write_text(CONFIG)

    def both(name, *arguments):
        flags = ["--coordinator", f"127.0.0.1:{free_port()}", "--num-processes", "2", *arguments]
        return [
            start(env | {"JAX_NUM_CPU_DEVICES": "2"}, folder, "--config", "tiny.py", "--workdir", f"{name}{i}", *flags)
            for i, flags in enumerate([*flags, "--process-id", str(i)] for i in range(2))
        ]

    whole = ends(both("whole"))
    foreign = ends(both("whole", "--config.seed=1"))
    processes = both("stopped")
    try:
        wait_for_step(processes[0], folder / "stopped0", 10)
        processes[1].send_signal(signal.SIGTERM)
    finally:
        stopped = ends(processes)
    kept = checkpoint_steps(folder / "stopped0")
    resumed = ends(both("stopped"))
    one = run_train(env | {"JAX_NUM_CPU_DEVICES": "4"}, folder, "--config", "tiny.py", "--workdir", "one")
    return SimpleNamespace(
        folder=folder, whole=whole, foreign=foreign, stopped=stopped, kept=kept, resumed=resumed, one=one
    )


@pytest.mark.slow
def test_two_processes_train_as_one_does(stories):
    """Up to the order in which gloo and a single process add up gradients."""
    assert [code for code, _ in stories.whole] == [0, 0], stories.whole
    assert stories.one[0] == 0, stories.one
    two, one = rows(stories.folder / "whole0"), rows(stories.folder / "one")
    assert [row["step"] for row in two] == [10, 20, 30, 40, 50, 60]
    assert [row.keys() for row in two] == [row.keys() for row in one]
    for a, b in zip(two, one, strict=True):
        np.testing.assert_allclose(list(a.values()), list(b.values()), rtol=1e-4)


@pytest.mark.slow
def test_the_first_process_alone_writes(stories):
    (_, told), (_, silent) = stories.whole
    assert told.endswith("pictures and evaluation.json are in whole0\nwhole0/report.html opens in a browser\n")
    assert silent == ""
    assert not (stories.folder / "whole1").exists()
    assert not (stories.folder / "stopped1").exists()
    assert (stories.folder / "whole0" / "latent_plane.png").exists()


@pytest.mark.slow
def test_a_signal_to_one_process_stops_all_after_the_same_chunk(stories):
    (first, told), (second, silent) = stories.stopped
    assert (first, second, silent) == (4, 4, ""), stories.stopped
    assert f"stopped by a signal to another process after step {stories.kept[-1]}; to go on: " in told.splitlines()[-1]


@pytest.mark.slow
def test_a_resumed_run_ends_with_the_same_bits(stories):
    assert [code for code, _ in stories.resumed] == [0, 0], stories.resumed
    assert f"stopped0 goes on from step {stories.kept[-1]}\n" in stories.resumed[0][1]
    whole, resumed = stories.folder / "whole0", stories.folder / "stopped0"
    assert rows(resumed) == rows(whole)
    assert json.loads((resumed / "evaluation.json").read_text()) == json.loads((whole / "evaluation.json").read_text())


@pytest.mark.slow
def test_what_the_first_process_refuses_ends_all(stories):
    line = "error: whole0 belongs to another configuration; it has seed: 0, not 1\n"
    assert stories.foreign == [(2, line), (2, line)]


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--coordinator=a:1"], "are given together or not at all"),
        (["--num-processes=2", "--process-id=0"], "are given together or not at all"),
        (["--coordinator=a:1", "--num-processes=2", "--process-id=2"], "--process-id=2 is not one of 2 processes"),
        (["--coordinator=a:1", "--num-processes=2", "--process-id=-1"], "--process-id=-1 is not one of 2 processes"),
        (["--coordinator=a", "--num-processes=2", "--process-id=1"], "--coordinator=a is not of the form HOST:PORT"),
        (["--coordinator=a:1", "--num-processes=two", "--process-id=1"], "invalid int value: 'two'"),
    ],
)
def test_wrong_flags_are_told_in_one_line(tmp_path, capsys, flags, message):
    (tmp_path / "tiny.py").write_text(CONFIG)
    assert train.main(["--config", str(tmp_path / "tiny.py"), *flags]) == 2
    told = capsys.readouterr().err
    assert told.startswith("error: ")
    assert message in told
    assert told.count("\n") == 1


@pytest.mark.slow
@pytest.mark.parametrize("number", [0, 1])
def test_processes_that_do_not_meet_in_time_end(tmp_path, number):
    join = f"processes.start('127.0.0.1:{free_port()}', 2, {number})"
    code = f"from genjax.system import processes; processes.JOIN_SECONDS = 1; {join}"
    ended = subprocess.run(
        [sys.executable, "-c", code], env=environment(), capture_output=True, text=True, timeout=SECONDS
    )
    assert ended.returncode == 2
    assert ended.stderr.startswith("error: not all processes have met at 127.0.0.1:")
    assert ended.stderr.count("\n") == 1


STEP = {"SLURM_JOB_ID": "7", "SLURM_NTASKS": "4", "SLURM_PROCID": "0"}
POD = {"KUBERNETES_SERVICE_HOST": "10.0.0.1"}
TPU = {"TPU_ML_PLATFORM": "JAX"}


@pytest.mark.parametrize(
    ("environment", "found"),
    [
        ({}, False),
        (STEP, False),  # a shell of salloc, or the script of sbatch
        (STEP | {"SLURM_STEP_NUM_TASKS": "1"}, False),  # an interactive step
        (STEP | {"SLURM_STEP_NUM_TASKS": "4"}, True),
        ({"OMPI_COMM_WORLD_SIZE": "1"}, False),
        ({"OMPI_COMM_WORLD_SIZE": "2"}, True),
        ({"TPU_SKIP_MDS_QUERY": "1"}, False),  # what importing JAX sets where there is no TPU
        (TPU | {"TPU_SKIP_MDS_QUERY": "1"}, False),
        (TPU, True),
        (TPU | {"TPU_WORKER_HOSTNAMES": "localhost"}, False),
        (TPU | {"TPU_WORKER_HOSTNAMES": "a,b"}, True),
        (TPU | {"TPU_WORKER_HOSTNAMES": "localhost", "MEGASCALE_NUM_SLICES": "2"}, True),
        (TPU | {"TPU_PROCESS_ADDRESSES": "local", "TPU_WORKER_HOSTNAMES": "a,b"}, False),
        ({"TPU_WORKER_HOSTNAMES": "a,b"}, False),  # there is no TPU
        (POD, False),
        (POD | {"JOB_COMPLETION_INDEX": "0"}, False),  # JAX would need the package `kubernetes`
    ],
)
def test_clusters_are_known_by_the_environment(environment, found):
    assert processes.in_cluster(environment) == found


def test_an_indexed_job_is_a_cluster_where_jax_can_ask_for_it(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: name == "kubernetes" or None)
    assert processes.in_cluster(POD | {"JOB_COMPLETION_INDEX": "0"})


def test_one_process_agrees_with_itself():
    tree = {"a": jax.numpy.arange(3)}
    assert processes.is_single_process()
    assert processes.is_primary()
    assert processes.broadcast_bytes(b"x") == b"x"
    assert processes.broadcast_tree(tree, tree) is tree
    assert [processes.any_of(flag) for flag in (True, False)] == [True, False]
    assert isinstance(processes.gather(tree)["a"], np.ndarray)
    with pytest.raises(InputError, match="told"), processes.raise_together():
        raise InputError("told")


def devices(*owners):
    return [SimpleNamespace(id=i, process_index=owner) for i, owner in enumerate(owners)]


@pytest.mark.parametrize(
    ("wanted", "batch", "used"),
    [(0, 8, [0, 2, 1, 3]), (0, 6, [0, 1]), (2, 8, [0, 1]), (4, 8, [0, 2, 1, 3])],
)
def test_every_process_lends_as_many_devices(wanted, batch, used):
    assert [device.id for device in select_devices(sharding.by_process(devices(0, 1, 0, 1)), wanted, batch)] == used


@pytest.mark.parametrize(
    ("wanted", "batch", "message"),
    [
        (6, 12, "train.devices = 6, but 2 processes have 4"),
        (3, 12, "train.devices = 3 cannot be shared out among 2 processes"),
        (0, 7, "train.batch_size = 7 cannot be split over 2 devices"),
        (4, 6, "train.batch_size = 6 cannot be split over 4 devices"),
    ],
)
def test_what_processes_cannot_share_is_refused(wanted, batch, message):
    with pytest.raises(InputError, match=message):
        select_devices(sharding.by_process(devices(0, 0, 1, 1)), wanted, batch)
