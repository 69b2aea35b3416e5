"""Training that starts from the parameters of another run."""

import io
import json
import shutil

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import trained

from genjax import config as configs
from genjax import load_run, load_sweep
from genjax.runs import loop, start
from genjax.sweeps import default, values
from genjax.sweeps import loop as sweep_loop
from genjax.training.scan import make_train
from genjax.types import InputError


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    """The folder of a finished autoencoder."""
    return trained.train(tmp_path_factory.mktemp("source") / "run", "autoencoder", hidden=(4,))


def config_from(source, steps=2, **train):
    config = configs.default("autoencoder")
    config.model.update({"hidden": (4,), "latent": 2})
    every = {"log_every": 2, "evaluate_every": 2, "checkpoint_every": 2}
    config.train.update({"steps": steps, "devices": 1, "trackers": (), **every, "init_from": str(source), **train})
    config.seed = 7
    return config


def first_params(config, source):
    """The parameters before the first step."""
    weights = start.read_weights(config.train.init_from, config.train.init_parts)
    train = start.starting_from(make_train(config, load_run(source).spec), weights)
    hparams = {name: jnp.float32(value) for name, value in configs.active(config).items()}
    return jax.jit(train.init)(hparams, jax.random.key(config.seed)).params


def same(a, b):
    return jax.tree.all(jax.tree.map(lambda x, y: bool((x == y).all()), a, b))


def test_all_parts_or_those_that_are_named_come_from_the_other_run(source):
    theirs, config = load_run(source).params, config_from(source)
    assert same(first_params(config, source), theirs)
    config.train.init_parts = ("encoder",)
    params = first_params(config, source)
    assert same(params["encoder"], theirs["encoder"])
    assert not same(params["decoder"], theirs["decoder"])


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"model.latent": 3}, r"is float32\[3, 4\] here, and float32\[2, 4\] in"),
        ({"model.hidden": (4, 4)}, r"run has no|here, and"),
        ({"train.init_parts": ("encoder", "decodr")}, "the nearest is 'decoder'"),
        ({"train.init_from": "nowhere"}, "is not the folder of a run"),
        ({"train.init_from": "", "train.init_parts": ("encoder",)}, "would not act"),
    ],
)
def test_what_does_not_fit_is_one_line_and_leaves_no_folder(source, tmp_path, changes, message):
    config = config_from(source)
    config.update_from_flattened_dict(changes)
    with pytest.raises(InputError, match=message):
        loop.train(config, tmp_path / "run", io.StringIO())
    assert not (tmp_path / "run").exists()


def test_a_run_goes_on_without_the_one_that_it_started_from(source, tmp_path):
    copy = shutil.copytree(source, tmp_path / "copy")
    assert loop.train(config_from(copy), tmp_path / "run", io.StringIO()) == loop.FINISHED
    assert json.loads((tmp_path / "run" / "init.json").read_text())["from"] == str(copy)
    shutil.rmtree(copy)
    assert loop.train(config_from(copy, steps=4), tmp_path / "run", io.StringIO()) == loop.FINISHED


def test_other_parameters_than_a_run_began_from_are_refused(source, tmp_path):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "init.json").write_text('{"sha256": "0"}')  # it was killed before its first checkpoint
    with pytest.raises(InputError, match="holds other parameters than"):
        loop.train(config_from(source), tmp_path / "run", io.StringIO())


def test_a_run_that_was_killed_in_its_first_checkpoint_still_starts_there(source, tmp_path, monkeypatch):
    """A checkpoint whose writing was broken off is none: the parameters are read again, and not drawn."""
    broken = tmp_path / "run" / "checkpoints" / "2.orbax-checkpoint-tmp"
    broken.mkdir(parents=True)
    asked, read = [], start.read_weights
    monkeypatch.setattr(start, "read_weights", lambda *arguments: asked.append(arguments) or read(*arguments))
    assert loop.train(config_from(source), tmp_path / "run", io.StringIO()) == loop.FINISHED
    assert asked == [(str(source), ())]
    assert loop.train(config_from(source, steps=4), tmp_path / "run", io.StringIO()) == loop.FINISHED
    assert len(asked) == 1  # the checkpoint has them


@pytest.mark.slow
@pytest.mark.parametrize("execution", ["map", "vmap"])
def test_every_trial_of_a_sweep_starts_there(source, tmp_path, execution):
    """With a learning rate of nothing the trials stay there: all seeds have the same error as the other run."""
    (tmp_path / "base.py").write_text(
        "from genjax.config import default\ndef get_config(): return default('autoencoder')"
    )
    sweep = default(tmp_path / "base.py")
    sweep.base = config_from(source)
    sweep.base.hparams.learning_rate, sweep.base.optim.autoencoder.optimiser = 0.0, "sgd"
    sweep.axes, sweep.execution = (values("seed", 0, 1, 2),), execution
    assert sweep_loop.sweep(sweep, tmp_path / "sweep", 0, io.StringIO()) == loop.FINISHED
    rows = load_sweep(tmp_path / "sweep").rows
    expected = json.loads((source / "evaluation.json").read_text())["test/recon"]
    np.testing.assert_allclose([row["test/recon"] for row in rows], expected, rtol=1e-5)
