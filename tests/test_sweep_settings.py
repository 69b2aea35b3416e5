"""The settings of a sweep: what is refused, what the command line changes, and what a base sets in vain."""

import math

import numpy as np
import pytest
from ml_collections import ConfigDict
from planning import BETA, BETAS, CONFIGS, HIDDEN, LATENT, RANDOM, RATE, RATES, SOBOL, planned, sweep

from genjax import config
from genjax.sweeps import axes, choice, default, integers, log_uniform, plan, settings, together, uniform, values
from genjax.sweeps.axes import Axis
from genjax.types import InputError

AXES = [
    ([], "the sweep has no axes"),
    (["hparams.beta"], "axes hold a str: an axis is made by values, choice, uniform, log_uniform, integers"),
    ([BETAS, None], "axes hold a NoneType"),
    ([{BETA: (1, 2)}], "axes hold a dict"),
    ([(BETA, "values", (1, 2))], "axes hold a tuple"),
    ([Axis(3, "values", (1,))], "axes hold a Axis"),  # pyright: ignore
    ([Axis(BETA, "values", 1)], "axes hold a Axis"),  # pyright: ignore
    ([Axis(BETA, "normal", (0, 1))], "axis hparams.beta: no kind 'normal': there are values, choice, uniform"),
    ([values("hparams.beat", 1, 2)], "no setting 'hparams.beat': the nearest is 'hparams.beta'"),
    ([values("model.hiden", (8,))], "no setting 'model.hiden': the nearest is 'model.hidden'"),
    ([values("hparams.generator_b1", 0.1)], "no setting 'hparams.generator_b1': the nearest is"),
    ([BETAS, RATES, uniform(BETA, 0, 1)], "there are two axes over hparams.beta"),
    ([values("model.family", "vae", "gan")], "there is no axis over model.family: all trials of a sweep share it"),
    ([values("train.log_every", 10, 100)], "there is no axis over train.log_every"),
    ([values("train.deterministic", False, True)], "there is no axis over train.deterministic"),
    ([values(BETA)], "axis hparams.beta has no values"),
    ([values(BETA, 1, 1.0)], "axis hparams.beta lists a value twice"),
    ([values(HIDDEN, (8,), (4,), (8,))], "axis model.hidden lists a value twice"),
    ([values(BETA, 1, "two")], "hparams.beta = 'two' is not of type float"),
    ([values(BETA, True)], "hparams.beta = True is not of type float"),
    ([values(BETA, None)], "hparams.beta = None is not of type float"),
    ([values(BETA, [0.5, 1.0])], "hparams.beta = [0.5, 1.0] is not of type float"),
    ([values(BETA, np.linspace(0, 9, 91))], "is not of type float"),
    ([values(BETA, {})], "hparams.beta = {} is not of type float"),
    ([values(BETA, 1.0, math.nan)], "hparams.beta = nan is not finite"),
    ([values(BETA, 1.0, math.inf)], "hparams.beta = inf is not finite"),
    ([values(BETA, 10**400)], "is not of type float"),
    ([values(LATENT, 2.0)], "model.latent = 2.0 is not of type int"),
    ([values(LATENT, True)], "model.latent = True is not of type int"),
    ([values("seed", 0, 1.0)], "seed = 1.0 is not of type int"),
    ([values(HIDDEN, 8)], "model.hidden = 8 is not of type tuple"),
    ([values(HIDDEN, [8])], "model.hidden = [8] is not of type tuple"),
    ([values(HIDDEN, ([8],))], "model.hidden = [8] is not of type int"),
    ([integers("data.source", 1, 2)], "data.source = 1 is not of type str"),
    ([choice("seed", 0, 1)], "axis seed needs `values` or `integers`"),
    ([uniform("seed", 0, 1)], "axis seed needs `values` or `integers`"),
    ([values("seed", 0, 0)], "axis seed lists a value twice"),
    ([uniform(LATENT, 2, 4)], "model.latent is static, a program for each value: list its values instead of a range"),
    ([log_uniform(BETA, 2, 1)], "axis hparams.beta goes from 2 to 1: the least must come first"),
    ([uniform(BETA, 1, 1)], "axis hparams.beta goes from 1 to 1: the least must come first"),
    ([uniform(BETA, math.nan, 1)], "axis hparams.beta goes from nan to 1: the least must come first"),
    ([uniform(BETA, 0, math.inf)], "axis hparams.beta goes from 0 to inf: no setting is beyond 2**53"),
    ([uniform(BETA, 0, 10**400)], "no setting is beyond 2**53"),
    ([uniform(BETA, -1, 1)], "hparams.beta = -1.0 must not be negative"),
    ([integers(LATENT, -1, 1)], "trial 0 (latent=-1 seed=0): model.latent = -1 must hold whole numbers from 1 on"),
    ([uniform("hparams.elbo_share", 0.5, 2)], "hparams.elbo_share = 2.0 must lie between 0 and 1"),
    ([log_uniform(BETA, 0, 1)], "axis hparams.beta begins at 0: a logarithm needs positive numbers"),
    (
        [uniform(BETA, "0", 1)],  # pyright: ignore
        "axis hparams.beta needs the least and the greatest number, and has ('0', 1)",
    ),
    ([uniform(BETA, False, True)], "axis hparams.beta needs the least and the greatest number"),
    (
        [Axis(BETA, "uniform", (1, 2, 3))],
        "axis hparams.beta needs the least and the greatest number, and has (1, 2, 3)",
    ),
    (
        [integers(LATENT, 2, 4.0)],  # pyright: ignore
        "axis model.latent needs the least and the greatest whole number, and has (2, 4.0)",
    ),
    ([integers(LATENT, 4, 2)], "axis model.latent goes from 4 to 2: the least must come first"),
    ([integers("seed", 0, 100_000)], "the axes make 100,001 trials: more than 100,000"),
    ([integers(LATENT, 1, 2**53), integers("seed", 1, 2**53)], "trials: more than 100,000"),
    ([values("seed", 0, -1)], "trial 1 (seed=-1): seed = -1 must be at least 0 and less than 2**32"),
    ([values(BETA, 1, -1)], "trial 1 (beta=-1 seed=0): hparams.beta = -1.0 must not be negative"),
    ([values(LATENT, 2, 0)], "trial 1 (latent=0 seed=0): model.latent = 0 must hold whole numbers from 1 on"),
    ([values("hparams.decoder_variance", 0.1, 0.2)], "trial 1 (decoder_variance=0.2 seed=0): hparams.decoder_variance"),
    (
        [values("optim.elbo.clip", True, False), values("hparams.clip_norm", 2.0), values("seed", 0, 1)],
        "trial 2 (elbo.clip=False clip_norm=2 seed=0): hparams.clip_norm = 2.0 would not act",
    ),
    ([values("model.likelihood", "bernouli")], "trial 0 (likelihood=bernouli seed=0): no model.likelihood 'bernouli'"),
]


def refusal(made):
    with pytest.raises(InputError, match=r"^[^\n]*$") as refused:
        planned(made)
    return str(refused.value)


@pytest.mark.parametrize(("swept", "said"), AXES, ids=[said for _, said in AXES])
def test_refused_axes(swept, said):
    drawn = SOBOL if any(getattr(axis, "kind", "") in axes.CONTINUOUS for axis in swept) else {}
    assert said in refusal(sweep(*swept, **drawn))


ONE = uniform(BETA, 0, 1)
HALVING, POPULATION = {"stopping": "halving"}, {"stopping": "population"}
SWEEPS = [
    ([BETAS], {"strategy": "gird"}, "no strategy 'gird': the nearest is 'grid'"),
    ([BETAS], {"execution": "vmapp"}, "no execution 'vmapp': the nearest is 'vmap'"),
    ([BETAS], {"stopping": "halve"}, "no stopping 'halve': the nearest is 'halving'"),
    ([BETAS], {"objective__goal": "maximum"}, "no objective.goal 'maximum': the nearest is 'max'"),
    ([BETAS], {"objective__of": "first"}, "no objective.of 'first'"),
    ([BETAS], {"stategy": "grid"}, "no setting of a sweep 'stategy': the nearest is 'strategy'"),
    ([BETAS], {"points": 4}, "points = 4 would not act"),
    ([BETAS], {"draw_seed": 4}, "draw_seed = 4 would not act"),
    ([BETAS], {"halving__eta": 4}, "halving.eta = 4 would not act"),
    ([BETAS], {"population__factor": 2.0}, "population.factor = 2.0 would not act"),
    ([BETAS], {"optuna__study": "mine"}, "optuna.study = 'mine' would not act"),
    ([BETAS], {"base__hparams__momentum": 0.5}, "hparams.momentum = 0.5 would not act"),
    ([BETAS], {"draw_seed": -1}, "draw_seed = -1 must be at least 0"),
    ([BETAS], {"memory_bytes": -1}, "memory_bytes = -1 must be at least 0"),
    ([BETAS, values(LATENT, 1, 2, 3)], {"strategy": "zip"}, "{'hparams.beta': 2, 'model.latent': 3}"),
    ([BETAS, values("seed", 0, 0)], {"strategy": "zip"}, "axis seed lists a value twice"),
    (together({BETA: 0.5}, {LATENT: 2}), {}, "axis hparams.beta leaves a value out, which only a zip of settings can"),
    (together({"seed": 0}, {LATENT: 2}), {"strategy": "zip"}, "axis seed leaves a value out"),
    ([ONE], {"strategy": "grid"}, "axis hparams.beta is a range, and a grid needs lists"),
    ([ONE], {"strategy": "zip"}, "axis hparams.beta is a range, and a zip needs lists"),
    ([integers(LATENT, 2, 4)], {"strategy": "zip"}, "axis model.latent is a range, and a zip needs lists"),
    ([ONE], {"strategy": "random"}, "strategy 'random' needs points: how many to draw"),
    ([ONE], {"strategy": "sobol", "points": -1}, "strategy 'sobol' needs points: how many to draw"),
    ([BETAS], RANDOM, "strategy 'random' has nothing to draw: every axis lists its values"),
    ([integers("seed", 0, 4)], SOBOL, "strategy 'sobol' has nothing to draw"),
    ([ONE, BETAS._replace(setting=RATE)], {**RANDOM, "points": 50_001}, "the axes make 100,002 trials"),
    ([ONE], {"strategy": "optuna", "points": 4}, "strategy 'optuna' needs optuna.storage and optuna.study"),
    ([BETAS], {"strategy": "optuna", "points": 4}, "with optuna, which picks them, write `choice`"),
    ([BETAS], {**HALVING, "halving__first": 150}, "halving.first = 150 must be a multiple of base.train.log_every"),
    ([BETAS], {**HALVING, "halving__first": 0}, "halving.first = 0 must be at least 1"),
    ([BETAS], {**HALVING, "halving__eta": 1}, "halving.eta = 1 must be at least 2"),
    ([BETAS], {**HALVING, "halving__first": 5000}, "halving.first = 5000 would not act: base.train.steps = 5000"),
    ([values("train.steps", 2000, 3000)], HALVING, "no axis over train.steps"),
    ([BETAS], {**POPULATION, "population__every": 0}, "population.every = 0 must be a multiple"),
    ([BETAS], {**POPULATION, "population__share": 0.6}, "population.share = 0.6 must be above 0 and at most 0.5"),
    ([BETAS], {**POPULATION, "population__factor": 1.0}, "population.factor = 1.0 must be above 1"),
    ([values(LATENT, 2, 4)], POPULATION, "there is no axis over hparams"),
    (
        [BETAS],
        {**POPULATION, "base__train__patience": 2},
        "train.patience and stopping 'population' do not go together",
    ),
    (
        [BETAS, values("train.patience", 2, 3)],
        POPULATION,
        "train.patience and stopping 'population' do not go together",
    ),
    ([BETAS], {"base__train__least_steps": 2}, "train.least_steps = 2 would not act: train.patience is 0"),
]


@pytest.mark.parametrize(("swept", "changes", "said"), SWEEPS, ids=[said for *_, said in SWEEPS])
def test_refused_sweeps(swept, changes, said):
    assert said in refusal(sweep(*swept, **changes))


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"points": 4.0}, "points = 4.0 is not of type int"),
        ({"axes": BETAS}, "axes = Axis(setting='hparams.beta', kind='values', of=(0.5, 1.0)) is not of type tuple"),
        ({"halving": 3}, "no setting of a sweep 'halving'"),
        ({"base": "vae"}, "this configuration is a single run's: start it with genjax train"),
    ],
)
def test_refused_types(changes, said):
    assert said in refusal(ConfigDict({**sweep(BETAS).to_dict(), **changes}))


def test_a_missing_setting_is_named():
    made = sweep(BETAS)
    del made.objective.of
    assert refusal(made) == "setting objective.of is missing"


def test_single_runs_and_sweeps_are_told_apart():
    single = config.load(CONFIGS / "vae_digits.py")
    for refuse in (settings.check, lambda single: settings.override(single, {})):
        with pytest.raises(InputError, match=r"^this configuration is a single run's: start it with genjax train$"):
            refuse(single)
    with pytest.raises(InputError, match=r"^[^\n]*$"):
        config.check(sweep(BETAS))


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("points", "4", 4),
        ("strategy", "sobol", "sobol"),
        ("objective.goal", "max", "max"),
        ("population.share", "0.5", 0.5),
        ("base.seed", "3", 3),
        ("base.train.steps", "100", 100),
        ("base.hparams.learning_rate", "1", 1.0),
        ("base.hparams.elbo_b1", "0.5", 0.5),
        ("base.model.hidden", "64,32", (64, 32)),
    ],
)
def test_override(name, text, value):
    before = sweep(BETAS)
    changed = config.flatten(settings.override(before, {name: text}))
    assert changed == {**config.flatten(sweep(BETAS)), name: value}
    assert type(changed[name]) is type(value)
    assert config.flatten(before) == config.flatten(sweep(BETAS))


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("point", "4", "no setting of a sweep 'point': the nearest is 'points'"),
        ("halving.frist", "4", "no setting of a sweep 'halving.frist': the nearest is 'halving.first'"),
        ("base.train.stps", "4", "no setting of a sweep 'base.train.stps': the nearest is 'base.train.steps'"),
        ("train.steps", "4", "no setting of a sweep 'train.steps': the nearest is 'base.train.steps'"),
        ("base", "x", "no setting of a sweep 'base': the nearest is"),
        ("", "x", "no setting of a sweep ''"),
        ("base.hparams.generator_b1", "0", "no setting of a sweep 'base.hparams.generator_b1'"),
        ("points", "many", "points = 'many' is not of type int"),
        ("base.train.steps", "1.5", "base.train.steps = 1.5 is not of type int"),
        ("axes", "()", "axes are written in the config file, not on the command line"),
        ("base.hparams.beta", "4", "base.hparams.beta = 4 would not act: an axis says what it is"),
    ],
)
def test_override_refuses(name, text, said):
    with pytest.raises(InputError, match=r"^[^\n]*$") as refused:
        settings.override(sweep(BETAS), {name: text})
    assert said in str(refused.value)


PENALTIES, NETWORKS = values("model.penalties", (), ("r1",)), choice("model.network", "mlp", "dcgan")
VAIN = "of the configuration file does not act"


@pytest.mark.parametrize(
    ("made", "dropped", "notices"),
    [
        (sweep(BETAS), [], []),
        (
            sweep(BETAS, base__model__network="dcgan"),
            ["model.hidden"],
            [f"base.model.hidden = (256, 256) {VAIN} under these settings; its default is used"],
        ),
        (
            sweep(NETWORKS),
            [],
            [f"base.model.hidden = (256, 256) {VAIN} in some of the trials; there its default is used"],
        ),
        (
            sweep(NETWORKS, values(LATENT, 2, 4), strategy="zip"),
            [],
            [f"base.model.hidden = (256, 256) {VAIN} in some of the trials; there its default is used"],
        ),
        (
            sweep(PENALTIES, base="gan_ring8"),
            [],
            [f"base.hparams.r1_weight = 0.03 {VAIN} in some of the trials; there its default is used"],
        ),
        (
            sweep(PENALTIES, base="gan_ring8", base__model__penalties=()),
            [],
            [f"base.hparams.r1_weight = 0.03 {VAIN} in some of the trials; there its default is used"],
        ),
        (
            sweep(values("hparams.elbo_eps", 1e-8, 1e-6), base="vae_mnist"),
            ["hparams.eps"],
            [f"base.hparams.eps = 0.0001 {VAIN} under these settings; its default is used"],
        ),
    ],
)
def test_what_a_base_sets_in_vain_has_its_default(made, dropped, notices):
    changed, lines = settings.drop_unused(made)
    assert lines == notices
    settings.check(changed)
    defaults, before = config.flatten(config.default(made.base.model.family)), config.flatten(made.base)
    assert config.flatten(changed.base) == before | {name: defaults[name] for name in dropped}
    for trial in planned(changed):
        config.check(trial.config)
    if dropped:
        with pytest.raises(InputError, match="would not act: nothing under these settings reads it"):
            settings.check(made)
    else:
        assert config.to_json(changed.base) == config.to_json(made.base)


def test_trials_have_the_bases_settings_where_they_act():
    trials = planned(sweep(PENALTIES, base="gan_ring8"))
    assert [trial.config.hparams.r1_weight for trial in trials] == [1.0, 0.03]
    assert [trial.config.model.hidden for trial in planned(sweep(NETWORKS))] == [(256, 256), (512,)]
    assert len(plan.group_trials(planned(sweep(NETWORKS)))) == 2


@pytest.mark.parametrize(
    ("typed", "where"),
    [
        ({"base.model.network": "dcgan", "base.model.hidden": "8"}, "under these settings"),
        ({"base.model.hidden": "8"}, "in some of the trials"),
    ],
)
def test_what_was_typed_for_a_base_in_vain_is_refused(typed, where):
    swept = BETAS if "base.model.network" in typed else NETWORKS
    made = settings.override(sweep(swept), typed)
    with pytest.raises(InputError, match=rf"^base.model.hidden = \(8,\) would not act: nothing {where} reads it$"):
        settings.drop_unused(made, typed)
    settings.drop_unused(made)  # from a file it may stand


def test_a_base_may_be_a_path_as_text_or_a_name_that_comes_with_the_package():
    bases = [default(base).base for base in (CONFIGS / "vae_digits.py", str(CONFIGS / "vae_digits.py"), "vae_digits")]
    assert bases[0].to_dict() == bases[1].to_dict() == bases[2].to_dict()
    assert config.load(str(CONFIGS / "vae_digits.py")).to_dict() == bases[0].to_dict()
