"""What a sweep tries: points and their order, draws and how even they are, trials and groups."""

import math

import numpy as np
import pytest
from planning import BETA, BETAS, CONFIGS, HIDDEN, LATENT, RATE, RATES, planned, sweep
from scipy.stats import kstest, qmc

from genjax import config
from genjax.sweeps import axes, choice, integers, log_uniform, plan, settings, together, uniform, values


def points(*swept, **changes):
    """The values of each point, in the order of the axes."""
    made = sweep(*swept, **changes)
    settings.check(made)
    found = plan.make_points(made)
    names = [axis.setting for axis in swept if axis.setting != "seed"]
    assert all(list(point) == names for point in found)
    return [tuple(point.values()) for point in found]


@pytest.mark.parametrize("path", sorted(CONFIGS.joinpath("sweeps").glob("*.py")), ids=lambda path: path.stem)
def test_sweeps_that_ship_can_be_run(path):
    settings.check(config.load(path))
    assert f"scripts/sweep.py --config configs/sweeps/{path.name}" in path.read_text()


@pytest.mark.parametrize(
    ("strategy", "swept", "expected"),
    [
        ("grid", [BETAS, values(LATENT, 2, 4)], [(0.5, 2), (0.5, 4), (1.0, 2), (1.0, 4)]),
        ("grid", [values(LATENT, 4, 2), BETAS], [(4, 0.5), (4, 1.0), (2, 0.5), (2, 1.0)]),
        ("grid", [BETAS, values("seed", 3, 1)], [(0.5,), (1.0,)]),
        ("grid", [integers(LATENT, 2, 4)], [(2,), (3,), (4,)]),
        ("grid", [choice(HIDDEN, (), (8,), (8, 4))], [((),), ((8,),), ((8, 4),)]),
        ("grid", [values("seed", 3, 1)], [()]),
        ("zip", [BETAS, values(LATENT, 2, 4)], [(0.5, 2), (1.0, 4)]),
        ("zip", [values(BETA, 1.0, 1.0, 2.0), choice(LATENT, 2, 4, 4)], [(1.0, 2), (1.0, 4), (2.0, 4)]),
        ("zip", [BETAS, values(LATENT, 2, 4), integers("seed", 0, 4)], [(0.5, 2), (1.0, 4)]),
        ("zip", [values("seed", 3, 1)], [()]),
        ("zip", together({BETA: 0.5}, {LATENT: 2}, {BETA: 1.0, LATENT: 4}), [(0.5, None), (None, 2), (1.0, 4)]),
    ],
)
def test_points_by_hand(strategy, swept, expected):
    assert points(*swept, strategy=strategy) == expected


def test_a_value_that_a_case_leaves_out_is_the_base_s():
    cases = together({"model.regulariser": "mmd", "hparams.mmd_weight": 3}, {BETA: 4.0})
    mmd, plain = planned(sweep(*cases, strategy="zip", base__hparams__beta=2.0))
    assert (mmd.config.model.regulariser, mmd.config.hparams.mmd_weight, mmd.config.hparams.beta) == ("mmd", 3.0, 2.0)
    assert (plain.config.model.regulariser, plain.config.hparams.beta) == ("none", 4.0)
    assert plain.config.hparams.mmd_weight == config.default("vae").hparams.mmd_weight
    assert plan.describe(plain.settings) == "beta=4 seed=0"
    assert len(plan.group_trials([mmd, plain])) == 2


@pytest.mark.parametrize("strategy", ["random", "sobol"])
def test_listed_values_meet_every_draw(strategy):
    found = points(values(LATENT, 2, 4), uniform(BETA, 0, 1), BETAS._replace(setting=RATE), strategy=strategy, points=3)
    draws = [beta for _, beta, _ in found[::4]]
    assert len(set(draws)) == 3
    assert found == [(latent, beta, rate) for beta in draws for latent in (2, 4) for rate in (0.5, 1.0)]


NEARLY_ONE = math.nextafter(1, 0)


@pytest.mark.parametrize(
    ("axis", "table"),
    [
        (uniform(BETA, 2, 4), {0.0: 2.0, 0.25: 2.5, NEARLY_ONE: 4.0}),
        (log_uniform(RATE, 1e-4, 1), {0.0: 1e-4, 0.25: 1e-3, 0.5: 1e-2, NEARLY_ONE: 1.0}),
        (integers(LATENT, 3, 6), {0.0: 3, 0.249: 3, 0.25: 4, NEARLY_ONE: 6}),
        (choice(HIDDEN, (), (8,)), {0.0: (), 0.499: (), 0.5: (8,), NEARLY_ONE: (8,)}),
    ],
    ids=lambda part: getattr(part, "kind", ""),
)
def test_values_along_an_axis_by_hand(axis, table):
    for u, expected in table.items():
        value = axes.value_at(axis, u)
        assert value == (pytest.approx(expected, rel=1e-12) if isinstance(expected, float) else expected)
        assert type(value) is type(expected)


@pytest.mark.parametrize("low", [1e-7, 1e-3, 0.1, 0.3, 0.7])
def test_a_draw_stays_in_its_range(low):
    for make in (uniform, log_uniform):
        for high in (0.9, 1.1, 3.3, 1e7):
            drawn = [axes.value_at(make(BETA, low, high), u) for u in (0.0, 5e-324, 0.5, NEARLY_ONE)]
            assert low <= min(drawn) <= max(drawn) <= high


@pytest.mark.parametrize("strategy", ["random", "sobol"])
def test_draws_are_spread_as_their_axes_say(strategy):
    swept = [uniform(BETA, 2, 5), log_uniform(RATE, 1e-4, 1e-1), integers(LATENT, 3, 6), choice(HIDDEN, (), (8,))]
    beta, rate, latent, hidden = zip(*points(*swept, strategy=strategy, points=4096), strict=True)
    assert kstest(beta, "uniform", (2, 3)).statistic < 0.03  # of 4096 draws: p = 1e-3
    assert kstest(np.log10(rate), "uniform", (-4, 3)).statistic < 0.03
    assert np.abs(np.bincount(latent, minlength=7)[3:] - 1024).max() < 5 * 28  # five standard deviations
    assert abs(hidden.count(()) - 2048) < 5 * 32
    assert (set(latent), set(hidden)) == ({3, 4, 5, 6}, {(), (8,)})


@pytest.mark.parametrize("seed", range(5))
def test_sobol_is_more_even_than_random(seed):
    swept, both = [uniform(BETA, 0, 1), uniform(RATE, 0, 1), uniform("hparams.eps", 0, 1)], {}
    for strategy in ("random", "sobol"):
        both[strategy] = qmc.discrepancy(np.array(points(*swept, strategy=strategy, points=100, draw_seed=seed)))
    assert both["sobol"] < 0.2 * both["random"]
    cells = (64 * np.array(points(*swept, strategy="sobol", points=64, draw_seed=seed))).astype(int)
    assert np.array_equal(np.sort(cells, axis=0), np.tile(np.arange(64)[:, None], 3))  # one point in each of 64 slices


@pytest.mark.parametrize("strategy", ["random", "sobol"])
def test_draws_depend_on_the_seed_and_more_points_begin_with_the_same(strategy):
    swept = [uniform(BETA, 0, 1), choice(LATENT, 2, 4), log_uniform(RATE, 1e-4, 1)]
    found = points(*swept, strategy=strategy, points=11)
    assert len(set(found)) == 11
    for count in (1, 2, 3, 8):
        assert points(*swept, strategy=strategy, points=count) == found[:count]
    assert not set(found) & set(points(*swept, strategy=strategy, points=11, draw_seed=1))


@pytest.mark.parametrize(
    ("strategy", "expected"),
    [
        ("random", [(0.6369616873214543, 0.2697867137638703), (0.04097352393619469, 0.016527635528529094)]),
        ("sobol", [(0.40994958858937025, 0.9641202185302973), (0.7219116594642401, 0.10752477683126926)]),
    ],
)
def test_draws_never_change(strategy, expected):
    assert points(uniform(BETA, 0, 1), uniform(RATE, 0, 1), strategy=strategy, points=2) == expected


def test_trials_are_points_with_each_seed():
    made = sweep(values(BETA, 4, 2), values("seed", 7, 3), values(HIDDEN, (8, 4)))
    before = config.digest(made)
    trials = planned(made)
    assert [(trial.number, trial.point) for trial in trials] == [(0, 0), (1, 0), (2, 1), (3, 1)]
    for trial, (beta, seed) in zip(trials, [(4.0, 7), (4.0, 3), (2.0, 7), (2.0, 3)], strict=True):
        assert trial.settings == {BETA: beta, HIDDEN: (8, 4), "seed": seed}
        single = {BETA: str(beta), HIDDEN: "8,4", "seed": str(seed)}
        assert config.to_json(trial.config) == config.to_json(config.override(made.base, single))
    later = plan.make_trials(made, plan.make_points(made)[1:], 10, 5)
    assert [(trial.number, trial.point, trial.settings[BETA]) for trial in later] == [(10, 5, 2.0), (11, 5, 2.0)]
    assert config.digest(made) == before


def test_without_an_axis_the_seed_is_the_bases():
    trials = planned(sweep(BETAS, base__seed=5))
    assert [(trial.settings["seed"], trial.config.seed) for trial in trials] == [(5, 5), (5, 5)]


def test_numpys_numbers_are_numbers():
    made = sweep(
        values(BETA, *np.array([0.25, 4])),
        integers("seed", *np.arange(2)),  # pyright: ignore
        uniform(RATE, *np.ones(2) / [4, 1]),
    )
    assert made.axes == (values(BETA, 0.25, 4.0), integers("seed", 0, 1), uniform(RATE, 0.25, 1.0))
    assert {type(value) for axis in made.axes for value in axis.of} == {int, float}


@pytest.mark.parametrize(
    ("base", "swept", "expected"),
    [
        ("vae_digits", [BETAS, RATES, values("seed", 0, 1)], [[0, 1, 2, 3, 4, 5, 6, 7]]),
        ("vae_digits", [values(LATENT, 2, 4), BETAS], [[0, 1], [2, 3]]),
        ("vae_digits", [BETAS, values(LATENT, 4, 2), values("seed", 0, 1)], [[0, 1, 4, 5], [2, 3, 6, 7]]),
        (
            "vae_digits",
            [values("data.source", "digits", "npz:x.npz"), values(HIDDEN, (8,), (4, 2))],
            [[0], [1], [2], [3]],
        ),
        ("gan_digits", [values("hparams.generator_b1", 0.0, 0.5), values("hparams.r1_weight", 1, 2)], [[0, 1, 2, 3]]),
        ("gan_digits", [values("optim.generator.optimiser", "adam", "sgd", "adamw")], [[0], [1], [2]]),
    ],
)
def test_static_settings_alone_part_the_trials(base, swept, expected):
    groups = plan.group_trials(planned(sweep(*swept, base=base)))
    assert [[trial.number for trial in group] for group in groups] == expected


def test_an_objectives_own_hyperparameter_is_an_axis():
    trials = planned(sweep(values("hparams.generator_b1", 0, 0.3), base="gan_digits"))
    assert [config.active(trial.config)["generator_b1"] for trial in trials] == [0.0, 0.3]
    assert [config.active(trial.config)["b1"] for trial in trials] == [0.5, 0.5]


def test_a_point_in_short():
    point = {BETA: 1 / 3, "optim.generator.optimiser": "sgd", HIDDEN: (8, 4), "seed": 2}
    assert plan.describe(point) == "beta=0.3333 generator.optimiser=sgd hidden=(8, 4) seed=2"
