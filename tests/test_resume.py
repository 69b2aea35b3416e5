"""Runs that are killed, stopped, damaged, and what becomes of them: the same bits, or a clear end.

Every story is of real processes. The stories are told side by side, and each test reads one of them.
"""

import json
import random
import re
import signal
import time
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import jax
import numpy as np
import pytest
from command import checkpoint_steps, environment, rows, run_train, start, wait_for_step, write_config
from present import present

from genjax import config, data
from genjax.runs.programs import make_run_programs
from genjax.runs.saving import open_checkpoints

FAR = {"hidden": (256,), "batch_size": 128, "steps": 400, "log_every": 10, "evaluate_every": 40}
STEPS = FAR["steps"]
# Of rate 2e-4 the decay makes of a weight w at each update -1.1 w, and in time what is beyond all numbers.
UNSTABLE = ("--config.optim.discriminator.optimiser=adamw", "--config.hparams.weight_decay=10500")


def uninterrupted(run):
    return SimpleNamespace(ended=run("a"), workdir=run.folder / "a")


def killed(run):
    """SIGKILL at random moments, each time further on; once where slow tests are left out."""
    chance, workdir, at = random.Random(0), run.folder / "b", []
    for least in (0, 120, 260) if run.slow else (120,):
        process = run.start("b")
        wait_for_step(process, workdir, least + chance.randrange(10, 50))
        time.sleep(chance.uniform(0, 0.05))
        process.kill()
        process.communicate()
        at.append((process.returncode, (workdir / "evaluation.json").exists()))
    return SimpleNamespace(killed=at, ended=run("b"), workdir=workdir)


def stopped(run):
    """SIGTERM, then SIGINT, then a bit of the newest checkpoint turned over."""
    workdir, ends, kept = run.folder / "c", [], []
    for number, step in ((signal.SIGTERM, 10), (signal.SIGINT, 150)):
        process = run.start("c")
        wait_for_step(process, workdir, step)
        process.send_signal(number)
        ends.append((process.communicate()[1], process.returncode))
        kept.append((checkpoint_steps(workdir)[-1], rows(workdir)[-1]["step"]))
    arrays = (workdir / "checkpoints" / str(kept[-1][0]) / "arrays" / "d").iterdir()
    largest = max(arrays, key=lambda path: path.stat().st_size)
    content = bytearray(largest.read_bytes())
    content[len(content) // 2] ^= 1
    largest.write_bytes(content)
    return SimpleNamespace(ends=ends, kept=kept, ended=run("c"), workdir=workdir)


def stopped_at_once(run):
    """A second process beside the first, and then SIGINT twice, while a chunk runs that takes minutes."""
    settings = [f"--config.train.{name}=20000" for name in ("steps", "log_every", "evaluate_every", "checkpoint_every")]
    process = run.start("d", *settings)
    while not list((run.folder / "d").glob("events*")) and process.poll() is None:
        time.sleep(0.05)
    second = run("d", *settings)
    process.send_signal(signal.SIGINT)
    first = next(line for line in process.stderr if line.startswith("SIG"))
    process.send_signal(signal.SIGINT)
    rest = process.communicate(timeout=10)[1]
    return SimpleNamespace(second=second, first=first, rest=rest, code=process.returncode)


def diverged(run):
    return SimpleNamespace(ends=[run("e", *UNSTABLE) for _ in range(2)], workdir=run.folder / "e")


@pytest.fixture(scope="module")
def stories(request, tmp_path_factory):
    """`(story) -> its outcome`; those that are read by slow tests alone are told where slow tests are selected."""
    folder = tmp_path_factory.mktemp("resume")
    env = environment()
    write_config(folder / "far.py", **FAR)
    selected = [item for item in request.session.items if item.module is request.module]
    slow = any(item.get_closest_marker("slow") for item in selected)

    def run(workdir, *arguments):
        return run_train(env, folder, "--config", "far.py", "--workdir", workdir, *arguments)

    run.folder, run.slow = folder, slow
    run.start = lambda workdir, *arguments: start(env, folder, "--config", "far.py", "--workdir", workdir, *arguments)
    with ThreadPoolExecutor(2) as pool:
        chosen = (uninterrupted, diverged, killed, stopped, stopped_at_once) if slow else (uninterrupted, killed)
        outcomes = {story: pool.submit(story, run) for story in chosen}
    return lambda story: outcomes[story].result()


@pytest.fixture(scope="module")
def final_state():
    """`(workdir) -> {path: bytes}` of the state at the last step, its digest verified."""

    def read(workdir):
        settings = config.load(workdir.parent / "far.py")
        like = jax.eval_shape(make_run_programs(settings, data.load(settings.data.source)).init)
        with open_checkpoints(workdir / "checkpoints") as checkpoints:
            state = checkpoints.restore(STEPS, like)
        leaves = jax.tree_util.tree_leaves_with_path(state)
        return {jax.tree_util.keystr(path): np.asarray(leaf).tobytes() for path, leaf in leaves}

    return read


@pytest.mark.slow
@pytest.mark.parametrize("story", [killed, stopped])
def test_a_resumed_run_ends_with_the_same_bits(stories, final_state, story):
    whole, resumed = stories(uninterrupted), stories(story)
    for each in (whole, resumed):
        assert each.ended[0] == 0, each.ended[2]
    state = final_state(resumed.workdir)
    assert {path.split("[")[0] for path in state} == {".step", ".params", ".opt_state", ".average", ".diverged_at"}
    assert state == final_state(whole.workdir)
    assert rows(resumed.workdir) == rows(whole.workdir)
    assert [row["step"] for row in rows(whole.workdir)] == list(range(10, STEPS + 1, 10))
    for name in ("evaluation.json", "samples.png", "traversal.png"):
        assert (resumed.workdir / name).read_bytes() == (whole.workdir / name).read_bytes()


@pytest.mark.slow
def test_the_killed_run_was_killed_while_it_trained(stories):
    story = stories(killed)
    assert story.killed == [(-signal.SIGKILL, False)] * len(story.killed)
    assert len(story.killed) in (1, 3)
    least = {1: 80, 3: 240}[len(story.killed)]
    assert least <= int(present(re.search(r"\bb goes on from step (\d+)\n", story.ended[2]))[1]) < STEPS


@pytest.mark.slow
@pytest.mark.parametrize(("which", "name"), [(0, "SIGTERM"), (1, "SIGINT")])
def test_a_signal_ends_the_chunk_and_saves(stories, which, name):
    story = stories(stopped)
    (said, code), (saved, logged) = story.ends[which], story.kept[which]
    assert code == 4
    assert saved == logged
    assert f"{name}: finishing the chunk and saving; once more to stop at once\n" in said
    assert f"stopped by {name} after step {saved}; to go on: " in said.splitlines()[-1]


@pytest.mark.slow
def test_a_damaged_checkpoint_is_reported_and_passed_over(stories):
    story = stories(stopped)
    (_, _), (damaged, _) = story.kept
    assert "Traceback" not in story.ended[2]
    first, second = story.ended[2].splitlines()[1:3]
    assert first.startswith(f"checkpoint {damaged} cannot be read: skipped, and moved to damaged-{damaged}-")
    assert int(present(re.fullmatch(r"c goes on from step (\d+)", second))[1]) < damaged


@pytest.mark.slow
def test_two_processes_cannot_share_a_folder(stories):
    code, out, err = stories(stopped_at_once).second
    assert (code, out, err) == (2, "", "error: d is in use by another process\n")


@pytest.mark.slow
def test_a_second_signal_stops_at_once(stories):
    story = stories(stopped_at_once)
    assert story.first == "SIGINT: finishing the chunk and saving; once more to stop at once\n"
    assert (story.rest, story.code) == ("", 130)


@pytest.mark.slow
def test_divergence_is_told_each_time_and_keeps_the_last_good_checkpoint(stories):
    story = stories(diverged)
    assert [code for code, _, _ in story.ends] == [3, 3], story.ends
    first, again = (err.splitlines()[-1] for _, _, err in story.ends)
    found = re.fullmatch(r"step (\d+): gradients are not finite; .* \(the checkpoint of step (\d+) is kept\)", first)
    assert found, first
    step, kept = map(int, found.groups())
    assert kept == checkpoint_steps(story.workdir)[-1] <= rows(story.workdir)[-1]["step"] <= step < STEPS
    assert again == first
    assert story.ends[1][2].splitlines()[1] == f"e goes on from step {kept}"
    assert json.loads((story.workdir / "diverged.json").read_text()) == {"diverged_at": step}
    assert not (story.workdir / "evaluation.json").exists()
