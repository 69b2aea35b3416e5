"""Which trials are better, against values by hand; who survives, and who goes on from whom."""

from math import inf, nan
from pathlib import Path

import numpy as np
import pytest

from genjax import default_config
from genjax.sweeps import default, ranking
from genjax.sweeps.cohorts import Cohort, CohortState, measured_curve

CONFIG = Path(__file__).parents[1] / "configs" / "vae_digits.py"

# A trial per column: measured throughout, last row missing, first alone, never, last infinite, infinite all along.
CURVE = np.array(
    [
        [3.0, 1.0, 5.0, nan, 2.0, inf],
        [1.0, 4.0, nan, nan, -inf, nan],
        [2.0, nan, nan, nan, inf, -inf],
    ]
)


@pytest.mark.parametrize(
    ("of", "goal", "expected"),
    [
        ("last", "min", [2.0, 4.0, 5.0, nan, nan, nan]),
        ("last", "max", [2.0, 4.0, 5.0, nan, nan, nan]),
        ("best", "min", [1.0, 1.0, 5.0, nan, 2.0, nan]),
        ("best", "max", [3.0, 4.0, 5.0, nan, 2.0, nan]),
    ],
)
def test_objective_by_hand(of, goal, expected):
    never = np.zeros(6, bool)
    np.testing.assert_array_equal(ranking.objective(CURVE, never, of, goal), expected)
    np.testing.assert_array_equal(ranking.objective(CURVE[:0], never, of, goal), np.full(6, nan))
    lost = np.arange(6) == 1
    np.testing.assert_array_equal(ranking.objective(CURVE, lost, of, goal), np.where(lost, nan, expected))


@pytest.mark.parametrize(
    ("values", "least", "greatest"),
    [
        ([2.0, nan, 1.0, 3.0], [2, 0, 3, 1], [3, 0, 2, 1]),
        ([nan, 1.0, nan, 1.0, 0.0, 0.0], [4, 5, 1, 3, 0, 2], [1, 3, 4, 5, 0, 2]),
        ([inf, nan, -inf, 0.0], [2, 3, 0, 1], [0, 3, 2, 1]),
        ([nan, nan], [0, 1], [0, 1]),
        ([], [], []),
        ([1.0, 0.0] * 50, [*range(1, 100, 2), *range(0, 100, 2)], [*range(0, 100, 2), *range(1, 100, 2)]),
    ],
)
def test_order_is_stable_and_has_nan_last(values, least, greatest):
    assert ranking.order(np.array(values), "min").tolist() == least
    assert ranking.order(np.array(values), "max").tolist() == greatest


def test_over_seeds_by_hand():
    values = np.array([5.0, 1.0, nan, 3.0, 8.0, nan, nan, nan])
    found = ranking.over_seeds(values, np.array([9, 4, 4, 4, 2, 2, 7, 7]))
    assert found["point"].tolist() == [2, 4, 7, 9]
    assert found["seeds"].tolist() == [2, 3, 2, 1]
    np.testing.assert_array_equal(found["mean"], [8.0, 2.0, nan, 5.0])
    np.testing.assert_array_equal(found["std"], [nan, np.sqrt(2.0), nan, nan])  # over n - 1
    assert all(len(part) == 0 for part in ranking.over_seeds(np.zeros(0), np.zeros(0, int)).values())


POINT = np.repeat([3, 5, 6, 8], 2)
VALUES = np.array([4.0, 4.0, 1.0, 9.0, 2.0, nan, nan, nan])  # means 4, 5, 2 and none


@pytest.mark.parametrize(
    ("goal", "eta", "expected"),
    [("min", 2, [3, 6]), ("max", 2, [3, 5]), ("min", 3, [6]), ("max", 4, [5]), ("min", 5, [6]), ("max", 100, [5])],
)
def test_survivors_are_the_best_points(goal, eta, expected):
    assert ranking.survivors(VALUES, POINT, goal, eta).tolist() == expected


def test_somebody_survives_where_everybody_diverged():
    assert ranking.survivors(np.full(8, nan), POINT, "min", 3).tolist() == [3]


@pytest.mark.parametrize(
    ("first", "eta", "steps", "expected"),
    [
        (100, 3, 2700, [100, 300, 900, 2700]),
        (100, 3, 2701, [100, 300, 900, 2700, 2701]),
        (100, 2, 300, [100, 200, 300]),
        (100, 2, 100, [100]),
    ],
)
def test_rungs_by_hand(first, eta, steps, expected):
    sweep = default(CONFIG)
    assert ranking.rungs(sweep, steps) == [steps]
    sweep.update({"stopping": "halving", "halving": {"first": first, "eta": eta}})
    assert ranking.rungs(sweep, steps) == expected


def exploited(values, goal="min", share=0.25, seed=0):
    return ranking.exploit(np.array(values), goal, share, np.random.default_rng(seed)).tolist()


@pytest.mark.parametrize(
    ("values", "goal", "share", "best", "worst"),
    [
        ([5.0, 1.0, 4.0, 2.0, 3.0, 9.0, 8.0, 7.0], "min", 0.25, {1, 3}, {5, 6}),
        ([5.0, 1.0, 4.0, 2.0, 3.0, 9.0, 8.0, 7.0], "max", 0.25, {5, 6}, {1, 3}),
        ([5.0, 1.0, nan, 2.0, 3.0, nan, nan, 7.0], "min", 0.25, {1, 3}, {5, 6}),
        ([5.0, nan, nan, nan, nan, nan, nan, nan], "max", 0.5, {0}, {4, 5, 6, 7}),
        ([5.0, 1.0, 4.0], "min", 0.25, {1}, {0}),
        ([2.0, 1.0], "max", 0.1, {0}, {1}),
    ],
)
def test_the_worst_go_on_from_the_best(values, goal, share, best, worst):
    parents = set()
    for seed in range(20):
        source = exploited(values, goal, share, seed)
        assert source == exploited(values, goal, share, seed)
        assert {i for i, parent in enumerate(source) if parent != i} == worst
        parents |= {source[i] for i in worst}
    assert parents == best


@pytest.mark.parametrize("values", [[nan] * 8, [1.0], []])
def test_with_nobody_better_everybody_goes_on_from_itself(values):
    assert exploited(values, share=0.5) == list(range(len(values)))


HPARAMS = {
    "beta": np.array([0.1, 1.0, 3.0, 0.7, 0.0, 0.3], np.float32),
    "eps": np.array([1.0, 2.0, 3.0, 4.0, 5.0, 6.0], np.float32) / 3,
}
SOURCE = np.array([0, 1, 1, 2, 0, 5])  # 2 from 1, 3 from 2, 4 from 0: each from what its parent was


def explored(ranges, factor=2.0, seed=0):
    return ranking.explore(HPARAMS, SOURCE, ranges, factor, np.random.default_rng(seed))


def test_only_copies_explore_times_or_over_the_factor():
    seen = set()
    for seed in range(20):
        moved = explored({"beta": (0.0, 10.0)}, seed=seed)
        np.testing.assert_array_equal(moved["eps"], HPARAMS["eps"][SOURCE])
        np.testing.assert_array_equal(moved["beta"][[0, 1, 5]], HPARAMS["beta"][[0, 1, 5]])
        seen.add(tuple((moved["beta"] / HPARAMS["beta"][SOURCE])[2:5].tolist()))
        assert {name: values.dtype for name, values in moved.items()} == dict.fromkeys(HPARAMS, np.dtype(np.float32))
        np.testing.assert_array_equal(moved["beta"], explored({"beta": (0.0, 10.0)}, seed=seed)["beta"])
    assert seen == {(a, b, c) for a in (0.5, 2.0) for b in (0.5, 2.0) for c in (0.5, 2.0)}


def test_copies_stay_in_their_range_and_others_as_they_are():
    moved = explored({"beta": (0.5, 2.0)}, factor=100.0)["beta"]
    assert set(moved[2:5].tolist()) <= {0.5, 2.0}
    np.testing.assert_array_equal(moved[[0, 1, 5]], HPARAMS["beta"][[0, 1, 5]])


def test_what_was_measured_and_is_no_number_is_not_still_to_come():
    """A trial that improves, one whose last value is NaN, one that was stopped, and one that was never measured."""
    config = default_config("vae")
    config.train.update(steps=30, log_every=5, evaluate_every=10)
    rows = {
        "step": np.array([5, 10, 15, 20]),
        "train/elbo": np.zeros((4, 4)),
        "validation/elbo": np.array([[nan] * 4, [3, 9, 5, nan], [nan] * 4, [4, nan, nan, nan]]),
    }
    rest = {"alive": np.arange(4), "states": None, "hparams": {}, "seconds": np.zeros(4), "test": {}, "moves": {}}
    state = CohortState(step=20, rows=rows, steps=np.array([20, 20, 10, 5]), diverged_at=np.full(4, -1), **rest)
    curve = measured_curve(Cohort(0, config, []), state, "elbo")
    expected = [[nan] * 4, [3, 9, 5, nan], [nan] * 4, [4, np.inf, nan, nan]]
    np.testing.assert_array_equal(curve, expected)
    values = ranking.objective(curve, np.zeros(4, bool), "last", "max")
    np.testing.assert_array_equal(values, [4, nan, 5, nan])
    np.testing.assert_array_equal(ranking.order(values, "max")[:2], [2, 0])
    np.testing.assert_array_equal(measured_curve(Cohort(0, config, []), state, "kl"), np.full((4, 4), nan))


def test_a_row_in_which_nothing_is_a_number_was_measured_where_it_had_to_be():
    config = default_config("vae")
    config.train.update(steps=20, log_every=5, evaluate_every=10)
    rows = {"step": np.array([10, 15]), "validation/elbo": np.full((2, 1), nan)}
    rest = {"alive": np.arange(1), "states": None, "hparams": {}, "seconds": np.zeros(1), "test": {}, "moves": {}}
    state = CohortState(step=15, rows=rows, steps=np.array([15]), diverged_at=np.full(1, -1), **rest)
    np.testing.assert_array_equal(measured_curve(Cohort(0, config, []), state, "elbo"), [[np.inf], [nan]])
