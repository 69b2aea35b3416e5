"""Settings that say `auto` and objectives that a model does not have, in a family of two numbers."""

import csv
import io
import json

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from genjax import config as configs
from genjax import data
from genjax.models import FAMILIES
from genjax.runs import loop
from genjax.runs.load import load_run
from genjax.sweeps import plan, values
from genjax.sweeps import settings as sweep_settings
from genjax.sweeps.loop import sweep
from genjax.training.scan import advance, make_train
from genjax.types import Aux, Batch, DataSpec, Family, InputError, Model, Objective

DIGITS, POINTS = "digits", "ring8"  # `auto` becomes `wide` for images and `narrow` for points


def make(settings, spec, hparams):
    """One number for all of x, and with a critic a second one; `scale` acts where the width is `wide`."""
    assert settings["width"] != "auto"
    scale = hparams["scale"] if settings["width"] == "wide" else 1.0

    def error_of(part):
        def loss(params, batch, rng):
            error = scale * jnp.mean(jnp.square(batch.x - params[part]["value"]))
            return error, Aux({"error" if part == "mean" else "critic_error": error})

        return Objective((part,), loss)

    parts = {"fit": "mean", **({"critic": "critic"} if settings["critic"] == "on" else {})}
    return Model(
        init=lambda rng, batch: {part: {"value": jnp.zeros(())} for part in parts.values()},
        objectives={name: error_of(part) for name, part in parts.items()},
        evaluate=lambda params, batch, rng: {
            "error": jnp.mean(jnp.square(batch.x - params["mean"]["value"]), axis=range(1, batch.x.ndim))
        },
        monitor="error",
    )


def labelled(settings):
    assert settings["width"] != "auto"
    return False


FAMILY = Family(
    settings={"width": "auto", "critic": "none"},
    choices={"width": ("auto", "wide", "narrow"), "critic": ("none", "on")},
    hparams={"scale": 1.0},
    objectives=("fit", "critic"),
    active_hparams=lambda settings: {"scale"} if settings["width"] in ("auto", "wide") else set(),
    make=make,
    active_objectives=lambda settings: ("fit", "critic") if settings["critic"] == "on" else ("fit",),
    resolve=lambda settings, spec: (
        {**settings, "width": "wide" if spec.bounded else "narrow"} if settings["width"] == "auto" else settings
    ),
    labelled=labelled,
)


@pytest.fixture(autouse=True)
def _in_the_table(monkeypatch):
    monkeypatch.setitem(FAMILIES, "numbers", FAMILY)


def small(source=DIGITS, **changes):
    """`hparams__scale=2.0` changes `hparams.scale`."""
    config = configs.default("numbers")
    config.data.source, config.train.batch_size, config.train.steps = source, 8, 20
    config.train.log_every = config.train.evaluate_every = config.train.checkpoint_every = 10
    with config.unlocked():
        config.update_from_flattened_dict({name.replace("__", "."): value for name, value in changes.items()})
    return config


OF_CRITIC = {"optim.critic.optimiser": "sgd", "hparams.critic_learning_rate": 0.5}


@pytest.mark.parametrize(("name", "value"), OF_CRITIC.items())
def test_what_an_objective_reads_acts_where_the_model_has_it(name, value):
    changes = {name.replace(".", "__"): value}
    configs.check(small(**changes, model__critic="on"))
    with pytest.raises(InputError, match=f"{name} = .* would not act"):
        configs.check(small(**changes))
    with pytest.raises(InputError, match="would not act"):
        configs.drop_unused(small(**changes), typed=[name])
    kept, notices = configs.drop_unused(small(**changes))
    assert kept == small()
    assert len(notices) == 1
    assert "critic_learning_rate" not in configs.active(small())


@pytest.mark.parametrize("critic", ["none", "on"])
def test_a_model_may_have_fewer_objectives_than_there_are_optimisers(critic):
    config, spec = small(model__critic=critic), DataSpec((2,), False, 1.0, np.zeros(2))
    train, points, rng = make_train(config, spec), Batch(jnp.ones((16, 2))), jax.random.key(0)
    hparams = configs.active(configs.resolve(config, spec))
    state, metrics = advance(train, train.init(hparams, rng), points, hparams, rng, length=2)
    names = {"none": ["fit"], "on": ["critic", "fit"]}[critic]
    assert sorted(state.opt_state) == names
    assert sorted(metrics) == {"none": ["error"], "on": ["critic_error", "error"]}[critic]


def test_what_nothing_reads_goes_on_to_say_auto(monkeypatch):
    monkeypatch.setitem(FAMILIES, "numbers", FAMILY._replace(unused_settings=lambda settings: {"width"}))
    config = small()
    assert configs.resolve(config, data.describe(data.load(DIGITS))) is config


def test_a_run_keeps_what_auto_became(tmp_path):
    folder, config = tmp_path / "run", small(hparams__scale=2.0)
    name, stream = configs.digest(config), io.StringIO()
    assert loop.train(config, folder, stream) == loop.FINISHED
    assert stream.getvalue().count("model.width is 'wide' for these data (auto)") == 1
    assert configs.digest(config) == name  # the next command finds the same folder
    kept = json.loads((folder / "config.json").read_text())
    assert kept["model.width"] == "wide"
    assert load_run(folder).config.model.width == "wide"
    (folder / "config.json").write_text(json.dumps({**kept, "model.width": "auto"}))
    assert load_run(folder).config.model.width == "wide"


def test_what_acts_under_auto_alone_is_refused_once_the_data_are_known(tmp_path):
    config = small(POINTS, hparams__scale=2.0)
    configs.check(config)  # before they are
    message = r"hparams\.scale = 2\.0 would not act: .*; model\.width is 'narrow' for these data \(auto\)"
    with pytest.raises(InputError, match=message):
        loop.train(config, tmp_path / "run", io.StringIO())
    assert not (tmp_path / "run").exists()
    assert loop.train(small(POINTS), tmp_path / "run", io.StringIO()) == loop.FINISHED


def swept(tmp_path, base, *axes):
    path = tmp_path / "base.json"
    path.write_text(configs.to_json(base))
    config = sweep_settings.default(path)
    config.axes, config.execution, config.objective.metric = axes, "map", "error"
    return config


def test_a_sweep_shows_what_auto_became(tmp_path):
    config = swept(tmp_path, small(), values("model.width", "auto", "wide", "narrow"), values("seed", 0, 1))
    stream = io.StringIO()
    assert sweep(config, tmp_path / "sweep", best=1, stream=stream) == loop.FINISHED
    assert stream.getvalue().count("model.width is 'wide' for these data (auto)") == 1
    assert "6 trials: 3 points, 2 seeds each; 2 groups" in stream.getvalue()  # auto and wide are one program
    widths = ["wide", "wide", "narrow"]
    planned = json.loads((tmp_path / "sweep" / "batches" / "000" / "plan.json").read_text())
    assert planned["points"] == [{"model.width": width} for width in widths]
    with (tmp_path / "sweep" / "trials.csv").open() as lines:
        assert [row["model.width"] for row in csv.DictReader(lines)] == [w for w in widths for _ in range(2)]
    exported = json.loads(next((tmp_path / "sweep" / "best").glob("*/config.json")).read_text())
    assert exported["model.width"] in ("wide", "narrow")


def test_an_axis_that_acts_under_auto_alone_is_refused(tmp_path):
    config = swept(tmp_path, small(POINTS), values("hparams.scale", 2.0, 3.0))
    message = r"trial 0 \(scale=2 seed=0\): hparams\.scale = 2\.0 would not act.*'narrow' for these data \(auto\)"
    with pytest.raises(InputError, match=message):
        sweep(config, tmp_path / "sweep", stream=io.StringIO())
    assert not (tmp_path / "sweep").exists()


def test_a_setting_of_the_base_is_left_out_where_it_does_not_act(tmp_path):
    config = swept(tmp_path, small(hparams__scale=2.0), values("data.source", DIGITS, POINTS))
    trials = plan.resolve_trials(
        config,
        plan.make_trials(config, plan.make_points(config)),
        lambda of_trial: data.describe(data.load(of_trial.data.source)),
    )
    of_trials = [(trial.config.model.width, trial.config.hparams.scale) for trial in trials]
    assert of_trials == [("wide", 2.0), ("narrow", 1.0)]
