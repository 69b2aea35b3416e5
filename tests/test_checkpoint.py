"""Checkpoints: what is read back is what was written, and what is kept is the newest and the best."""

import io
import math
from functools import cache

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from cases import few_quick, slow
from present import present

from genjax import config
from genjax.data import load
from genjax.models import FAMILIES
from genjax.runs import loop
from genjax.runs.checkpoints import read_checkpoints
from genjax.runs.programs import make_run_programs
from genjax.runs.saving import open_checkpoints
from genjax.types import InputError, TrainState

OPTIMISERS = {"autoencoder": "adamw", "vae": "rmsprop", "gan": "sgd", "autoregressive": "adam"}


@cache
def initial(family):
    settings = config.default(family)
    for objective in settings.optim:
        settings.optim[objective].optimiser = OPTIMISERS[family]
    return make_run_programs(settings, load("digits")).init()


def numbered(tree):
    """The same tree with every leaf drawn anew, NaN and minus nought among the values."""
    rng = np.random.default_rng(0)
    special = np.array([np.nan, -0.0, np.inf, 1e-45], np.float32)
    leaves, structure = jax.tree.flatten(tree)
    drawn = [np.resize(np.append(special, rng.standard_normal(99)), leaf.shape).astype(leaf.dtype) for leaf in leaves]
    return jax.tree.unflatten(structure, [jnp.asarray(leaf) for leaf in drawn])


def state(step, value=1.0):
    """A small state, of nested optimiser states."""
    params = {"decoder": {"kernel": jnp.full((300, 7), value), "bias": jnp.zeros(7)}}
    return TrainState(jnp.int32(step), params, {"elbo": ((jnp.ones(3), ()), jnp.int32(step))}, {}, jnp.int32(-1))


def bits(tree):
    return [(leaf.dtype, leaf.shape, leaf.tobytes()) for leaf in map(np.asarray, jax.tree.leaves(tree))]


def unreported(line):
    pytest.fail(f"reported: {line}")


def steps(folder):
    return sorted(int(path.name) for path in folder.iterdir() if path.name.isdigit())


@pytest.mark.parametrize("family", FAMILIES)
def test_a_state_is_read_back_to_the_bit(tmp_path, family):
    like = initial(family)
    with np.errstate(invalid="ignore"):
        written = numbered(like)._replace(step=jnp.int32(7), diverged_at=jnp.int32(-1))
    with open_checkpoints(tmp_path / "kept") as checkpoints:
        checkpoints.save(written)
    with open_checkpoints(tmp_path / "kept") as checkpoints:
        read = checkpoints.restore_newest(like, unreported)
    assert bits(read) == bits(written)
    assert jax.tree.structure(read) == jax.tree.structure(like)


def test_a_state_may_be_donated_as_soon_as_save_returns(tmp_path):
    saved = state(1, 1.0)
    with open_checkpoints(tmp_path) as checkpoints:
        checkpoints.save(saved)
        jax.jit(lambda s: jax.tree.map(lambda leaf: leaf * 0, s), donate_argnums=0)(saved)
        assert bits(checkpoints.restore(1, state(0))) == bits(state(1, 1.0))


def test_nothing_saved_is_nothing_restored(tmp_path):
    with open_checkpoints(tmp_path) as checkpoints:
        assert checkpoints.restore_newest(state(0), unreported) is None


@pytest.mark.parametrize(
    ("monitors", "kept"),
    [
        slow([5, 4, 3, 2, 1, 0], [40, 50, 60]),
        ([5, 1, 3, 2, 4, 6], [20, 40, 50, 60]),
        ([5, 1, 3, 0, 4, 6], [40, 50, 60]),
        ([math.nan, 2, math.nan, -math.inf, math.inf, math.nan], [20, 40, 50, 60]),
        slow([None, 2, None, None, None, None], [20, 40, 50, 60]),
        slow([None, math.nan, None, None, None, math.nan], [40, 50, 60]),
        ([1, 1, 1, 1, 1, None], [40, 50, 60]),
    ],
)
@pytest.mark.parametrize("reopened", [False, True])
def test_the_newest_three_and_the_best_are_kept(tmp_path, monitors, kept, reopened):
    """In one process or each from a process of its own: a resumed run knows its best."""
    numbered = list(zip(range(10, 70, 10), monitors, strict=True))
    for some in [[each] for each in numbered] if reopened else [numbered]:
        with open_checkpoints(tmp_path) as checkpoints:
            for step, monitor in some:
                checkpoints.save(state(step), monitor)
    assert steps(tmp_path) == kept


def damage(path, how):
    content = bytearray(path.read_bytes())
    if how == "truncated":
        path.write_bytes(content[: len(content) // 2])
    elif how == "flipped":
        content[len(content) // 2] ^= 1
        path.write_bytes(content)
    else:
        path.unlink()


# What tensorstore was still reading when a read failed is reported to an event loop that has closed.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("how", ["truncated", "flipped", "deleted"])
@pytest.mark.parametrize(
    "part", few_quick(["arrays/d/*", "arrays/_METADATA", "arrays/manifest.ocdbt", "digest/metadata"], 1)
)
def test_a_damaged_newest_is_reported_and_moved_aside(tmp_path, part, how):
    with open_checkpoints(tmp_path) as checkpoints:
        for step in (10, 20):
            checkpoints.save(state(step, float(step)), monitor=1.5)
    (path,) = (tmp_path / "20").glob(part)
    damage(path, how)
    said = []
    with open_checkpoints(tmp_path) as checkpoints:
        read = checkpoints.restore_newest(state(0), said.append)
        assert bits(read) == bits(state(10, 10.0))
        checkpoints.save(state(20, 20.0))
    (line,) = said
    assert line.startswith("checkpoint 20 cannot be read: skipped, and moved to damaged-20-")
    assert "\n" not in line
    assert steps(tmp_path) == [10, 20]
    with open_checkpoints(tmp_path) as checkpoints:
        assert bits(checkpoints.restore_newest(state(0), unreported)) == bits(state(20, 20.0))


@pytest.mark.parametrize("how", ["truncated", "flipped", "deleted"])
def test_a_damaged_monitor_costs_no_checkpoint(tmp_path, how):
    with open_checkpoints(tmp_path) as checkpoints:
        for step in (10, 20):
            checkpoints.save(state(step), monitor=1.5)
    damage(tmp_path / "20" / "metrics" / "metrics", how)
    with open_checkpoints(tmp_path) as checkpoints:
        assert int(present(checkpoints.restore_newest(state(0), unreported)).step) == 20
        for step in (30, 40, 50, 60):
            checkpoints.save(state(step), monitor=2.0)
    assert steps(tmp_path) == [10, 40, 50, 60]


def content(folder):
    return {path: path.read_bytes() if path.is_file() else None for path in folder.rglob("*")}


def test_a_reader_changes_nothing(tmp_path):
    """Not what another process is writing, not a damaged checkpoint, not a damaged monitor; it passes them over."""
    with open_checkpoints(tmp_path) as checkpoints:
        for step, monitor in ((10, 1.0), (20, 2.0), (30, 3.0)):
            checkpoints.save(state(step, float(step)), monitor)
    (tmp_path / "40.orbax-checkpoint-tmp" / "arrays").mkdir(parents=True)
    damage(tmp_path / "30" / "digest" / "metadata", "truncated")
    damage(tmp_path / "20" / "metrics" / "metrics", "truncated")
    before, said = content(tmp_path), []
    with read_checkpoints(tmp_path) as checkpoints:
        assert checkpoints.best_step() == 10
        assert bits(checkpoints.restore_best(state(0))) == bits(state(10, 10.0))
        assert bits(checkpoints.restore_newest(state(0), said.append)) == bits(state(20, 20.0))
    assert content(tmp_path) == before
    (line,) = said
    assert line.startswith("checkpoint 30 cannot be read: skipped (")


def test_readers_do_not_disturb_a_writer(tmp_path):
    with open_checkpoints(tmp_path) as writer:
        writer.save(state(1), 1.0)
        writer.wait()
        for step in range(2, 12):
            writer.save(state(step), 1.0)
            with read_checkpoints(tmp_path) as reader:
                assert int(present(reader.restore_newest(state(0), lambda line: None)).step) in (step - 1, step)
    assert steps(tmp_path)[-1] == 11


@pytest.mark.parametrize("monitors", [[5, 1, 3], [2, 2, 3], [None, 2, None], [None, None, None], [3, 1, 1]])
def test_a_reader_knows_the_best_as_the_writer_does(tmp_path, monitors):
    with open_checkpoints(tmp_path) as checkpoints:
        for step, monitor in zip((10, 20, 30), monitors, strict=True):
            checkpoints.save(state(step), monitor)
        best = checkpoints.best_step()
    with read_checkpoints(tmp_path) as checkpoints:
        assert checkpoints.best_step() == best
    with open_checkpoints(tmp_path) as checkpoints:
        assert checkpoints.best_step() == best


def test_arrays_that_are_not_those_of_the_digest_are_refused(tmp_path):
    for folder, value in (("a", 1.0), ("b", 2.0)):
        with open_checkpoints(tmp_path / folder) as checkpoints:
            checkpoints.save(state(10, value))
    ours, theirs = (tmp_path / folder / "10" / "digest" / "metadata" for folder in ("a", "b"))
    ours.write_bytes(theirs.read_bytes())
    with open_checkpoints(tmp_path / "a") as checkpoints, pytest.raises(ValueError, match="not what was written"):
        checkpoints.restore(10, state(0))


@pytest.mark.parametrize("kernel", [jnp.zeros((300, 8)), jnp.zeros((7, 300)), jnp.zeros((300, 7), jnp.bfloat16)])
def test_a_state_of_another_shape_or_type_is_refused(tmp_path, kernel):
    with open_checkpoints(tmp_path) as checkpoints:
        checkpoints.save(state(10))
        other = state(0)._replace(params={"decoder": {"kernel": kernel, "bias": jnp.zeros(7)}})
        with pytest.raises(ValueError, match=r"other shapes or types|not what was written"):
            checkpoints.restore(10, other)


def test_where_no_checkpoint_can_be_read_nothing_is_moved_and_nothing_starts_again(tmp_path):
    with open_checkpoints(tmp_path) as checkpoints:
        for step in (10, 20):
            checkpoints.save(state(step))
    for step in (10, 20):
        for path in (tmp_path / str(step) / "arrays").rglob("*"):
            if path.is_file():
                path.write_bytes(b"")
    with open_checkpoints(tmp_path) as checkpoints, pytest.raises(InputError, match=r"no checkpoint in .* can be read"):
        checkpoints.restore_newest(state(0), unreported)
    assert steps(tmp_path) == [10, 20]


@pytest.mark.slow
@pytest.mark.parametrize(
    "edit",
    [lambda rows: [], lambda rows: rows[1:], lambda rows: [rows[0].replace(b"1", b"2", 1), *rows[1:]], None],
    ids=["emptied", "cut", "edited", "as it was"],
)
def test_a_log_that_the_checkpoint_does_not_know_is_said(tmp_path, edit):
    """The rows after the checkpoint are written again in any case, and are no loss."""
    settings = config.default("vae")
    settings.data.source, settings.model.hidden, settings.model.latent = "ring8", (4,), 1
    every = {"log_every": 2, "evaluate_every": 4, "checkpoint_every": 4}
    settings.train.update({"steps": 4, "devices": 1, "trackers": (), **every})
    assert loop.train(settings, tmp_path / "run", io.StringIO()) == loop.FINISHED
    settings.train.steps = 8  # the run goes on
    path = tmp_path / "run" / "metrics.jsonl"
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join([*(lines if edit is None else edit(lines)), b'{"step": 6, "train/loss": 1.0}\n']))
    log = io.StringIO()
    assert loop.train(settings, tmp_path / "run", log) == loop.FINISHED
    assert ("rows are lost or edited" in log.getvalue()) is (edit is not None)


def test_a_run_that_was_stopped_keeps_the_checkpoints_of_one_that_was_not(tmp_path):
    """The checkpoint of a stop, at step 45 between two of the schedule, goes when the next of the schedule is there."""
    kept, scheduled = {}, (10, 20, 30, 40)
    for name, later in {"whole": (50,), "stopped": (45, 50), "just now": (45,)}.items():
        with open_checkpoints(tmp_path / name) as checkpoints:
            for step in (*scheduled, *later):
                checkpoints.save(state(step), 1.0 if step == 10 else 2.0, scheduled=step % 10 == 0)
        kept[name] = steps(tmp_path / name)
    assert kept == {"whole": [10, 30, 40, 50], "stopped": [10, 30, 40, 50], "just now": [10, 20, 30, 40, 45]}
