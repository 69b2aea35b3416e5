"""Disentanglement scores: perfect codes, noise, what must not matter, and what cannot be scored."""

import numpy as np
import pytest

from genjax.data.sprites import FACTORS
from genjax.metrics.disentanglement import (
    beta_vae_score,
    dci,
    factor_vae_score,
    mutual_information_gap,
    pairs,
    separated_attribute_predictability,
)

COUNTS = np.array(list(FACTORS.values()))
GRID = np.stack(np.unravel_index(np.arange(COUNTS.prod()), COUNTS), axis=1)  # [24576, 5]
ROWS = np.random.default_rng(0).permutation(len(GRID))[:3000]
TABLE = GRID[ROWS]  # [3000, 5]
TRAIN, TEST = slice(0, 2000), slice(2000, None)


def perfect(factors):
    """One dimension for each factor, in [0, 1], and two of noise."""
    noise = np.random.default_rng(1).normal(size=(len(factors), 2))
    return np.concatenate([factors / (COUNTS - 1), noise], axis=1)


def noise(factors):
    return np.random.default_rng(2).normal(size=(len(factors), 6))


def blurred(factors):
    """Dimensions that overlap, so that no score is at its bound."""
    codes = perfect(factors)
    codes[:, :5] += 0.15 * np.random.default_rng(3).normal(size=(len(factors), 5))
    codes[:, 5] += 2 * codes[:, 0] + codes[:, 3]
    return codes


def split(function):
    """A score of two splits as a score of all examples."""
    return lambda codes, factors: function(codes[TRAIN], factors[TRAIN], codes[TEST], factors[TEST])


SAP = split(separated_attribute_predictability)


def brute_force_mig(codes, factors, bins):
    from sklearn.metrics import mutual_info_score

    gaps = []
    for v in factors.T:
        information = []
        for c in codes.T:
            cells = np.digitize(c, np.linspace(c.min(), c.max(), bins + 1)[1:-1])
            information.append(mutual_info_score(cells, v))
        second, first = sorted(information)[-2:]
        gaps.append((first - second) / mutual_info_score(v, v))
    return np.mean(gaps)


@pytest.mark.parametrize("bins", [2, 7, 20])
def test_mig_is_what_a_loop_over_pairs_gives(bins):
    codes = blurred(TABLE)
    assert mutual_information_gap(codes, TABLE, bins) == pytest.approx(brute_force_mig(codes, TABLE, bins), abs=1e-9)


@pytest.mark.parametrize("shape", [lambda x: 3 * x + 1, lambda x: -x, np.exp, np.sqrt, lambda x: x**2])
def test_mig_of_a_perfect_code_is_one_under_a_monotone_map(shape):
    """On the whole grid the factors are independent, so nothing is left to the second dimension."""
    codes = shape(GRID / (COUNTS - 1))
    assert mutual_information_gap(codes, GRID, bins=256) == pytest.approx(1, abs=1e-9)


def test_mig_in_twenty_bins_of_sixteen_equal_steps_is_one():
    assert mutual_information_gap(GRID.astype(np.float32), GRID) == pytest.approx(1, abs=1e-9)


def test_mig_of_noise_is_near_zero():
    assert 0 <= mutual_information_gap(noise(GRID), GRID) < 0.02


def test_a_duplicated_dimension_takes_its_factor_out_of_mig():
    codes = GRID[:, [0, 1, 2, 3, 4, 4]]
    assert mutual_information_gap(codes, GRID) == pytest.approx(4 / 5, abs=1e-9)
    assert mutual_information_gap(codes[:, 4:], GRID[:, 4:]) == 0


def test_mig_by_hand():
    """One code that tells two of four values apart: I = log 2, H = log 4, and there is no second dimension."""
    assert mutual_information_gap(np.array([[0.0], [0], [1], [1]]), np.arange(4)[:, None]) == pytest.approx(0.5)


def test_mig_does_not_see_names_copies_or_constant_factors():
    codes = blurred(TABLE)
    score = mutual_information_gap(codes, TABLE)
    assert 0.1 < score < 0.9
    assert mutual_information_gap(codes, 10 * TABLE - 7) == pytest.approx(score, abs=1e-9)
    assert mutual_information_gap(np.tile(codes, (3, 1)), np.tile(TABLE, (3, 1))) == pytest.approx(score, abs=1e-9)
    assert mutual_information_gap(codes, np.c_[TABLE, np.full(len(TABLE), 4)]) == pytest.approx(score, abs=1e-9)


@pytest.mark.parametrize("score", [mutual_information_gap, SAP], ids=["mig", "sap"])
def test_the_order_of_examples_and_dimensions_does_not_matter(score):
    codes = blurred(TABLE)
    rng = np.random.default_rng(4)
    order = np.concatenate([rng.permutation(2000), 2000 + rng.permutation(1000)])
    dimensions = rng.permutation(codes.shape[1])
    expected = score(codes, TABLE)
    assert 0.1 < expected < 0.9
    assert score(codes[order], TABLE[order]) == pytest.approx(expected, abs=1e-9)
    assert score(codes[:, dimensions], TABLE[:, ::-1]) == pytest.approx(expected, abs=1e-9)


@pytest.mark.slow
def test_the_order_of_examples_and_dimensions_is_noise_to_dci():
    """A forest's draws follow the order; what they change lies within what another seed changes."""
    codes, rng = blurred(TABLE), np.random.default_rng(4)
    order = np.concatenate([rng.permutation(2000), 2000 + rng.permutation(1000)])
    dimensions = rng.permutation(codes.shape[1])
    expected = dci(codes[TRAIN], TABLE[TRAIN], codes[TEST], TABLE[TEST], seed=0)
    codes, table = codes[order][:, dimensions], TABLE[order]
    assert all(0.1 < score < 0.9 for score in expected)
    permuted = dci(codes[TRAIN], table[TRAIN], codes[TEST], table[TEST], seed=0)
    np.testing.assert_allclose(permuted, expected, atol=0.03)
    assert dci(codes[TRAIN], table[TRAIN], codes[TEST], table[TEST], seed=0) == permuted


def test_sap_of_a_perfect_code_leaves_the_second_dimension_at_chance():
    """1 - 1/V for a factor of V values, 0.833 on average; in a sample the second is a little above chance."""
    assert SAP(perfect(TABLE), TABLE) == pytest.approx(np.mean(1 - 1 / COUNTS), abs=0.03)
    assert SAP(perfect(TABLE)[:, 4:5], TABLE[:, 4:]) == 1  # no second dimension


@pytest.mark.parametrize(("codes", "low", "high"), [(perfect, 0.99, 1), (noise, 0, 0.01)])
def test_dci_bounds(codes, low, high):
    codes = codes(TABLE)
    score = dci(codes[TRAIN], TABLE[TRAIN], codes[TEST], TABLE[TEST], seed=0)
    assert low <= score.disentanglement <= high
    assert low <= score.completeness <= high


def test_dci_by_hand():
    """Two factors in one dimension are complete and not disentangled; one factor in two dimensions is the reverse.

    A dimension counts by the importances that it has: two for the one that tells of two factors.
    """
    a, b, c = np.random.default_rng(5).integers(0, 4, (3, 3000))
    half = 1 - np.log(2) / np.log(3)  # of two alike among three
    together = np.stack([4.0 * a + b, c], axis=1)
    apart = np.stack([a >= 2, a % 2, b], axis=1)
    for codes, factors, expected in [
        (together[:, :1], [a, b], (0, 1, 1)),
        (together, [a, b, c], ((2 * half + 1) / 3, 1, 1)),
        (apart, [a, b], (1, (half + 1) / 2, 1)),
    ]:
        factors = np.stack(factors, axis=1)
        score = dci(codes[TRAIN], factors[TRAIN], codes[TEST], factors[TEST], seed=0)
        np.testing.assert_allclose(score, expected, atol=0.02)


def test_dci_of_noise_predicts_at_chance():
    codes = noise(TABLE)
    score = dci(codes[TRAIN], TABLE[TRAIN], codes[TEST], TABLE[TEST], seed=1)
    assert score.informativeness == pytest.approx(np.mean(1 / COUNTS), abs=0.04)


@pytest.mark.parametrize(("seed", "votes", "batch"), [(0, 50, 7), (1, 1, 64), (2, 200, 1)])
def test_pairs_share_the_factor_that_the_label_says(seed, votes, batch):
    table = 3 * TABLE[:400]
    indices, labels = pairs(table, np.random.default_rng(seed), votes, batch)
    assert indices.shape == (votes, 2, batch)
    assert labels.shape == (votes,)
    shared = table[indices[:, 0]] == table[indices[:, 1]]  # [votes, batch, F]
    assert np.all(shared[np.arange(votes), :, labels])
    assert indices.min() >= 0
    assert indices.max() < len(table)


def test_pairs_are_drawn_from_all_that_agree_and_from_factors_that_vary():
    table = np.array([[0, 0, 5], [0, 1, 5], [1, 0, 5], [1, 1, 5], [1, 2, 5]])
    indices, labels = pairs(table, np.random.default_rng(0), 2000, 16)
    np.testing.assert_allclose(np.bincount(labels, minlength=3) / 2000, [0.5, 0.5, 0], atol=0.05)
    first, second = indices[labels == 0].swapaxes(0, 1).reshape(2, -1)
    found = np.zeros((5, 5))
    np.add.at(found, (first, second), 1 / first.size)
    agree = table[:, [0]] == table[:, 0]
    np.testing.assert_allclose(found, agree / agree.sum(axis=1, keepdims=True) / 5, atol=0.01)


def test_beta_vae_score_of_perfect_codes_and_of_noise():
    assert beta_vae_score(perfect(TABLE), TABLE, seed=0, votes=1000) >= 0.99
    assert beta_vae_score(noise(TABLE), TABLE, seed=0, votes=2000) == pytest.approx(1 / 5, abs=0.06)


def test_beta_vae_score_ignores_order_of_dimensions_and_repeats_under_its_seed():
    codes = blurred(TABLE)[:, 3:]  # three factors are not in the codes
    score = beta_vae_score(codes, TABLE, seed=0, votes=1000)
    assert 0.3 < score < 0.9
    assert beta_vae_score(codes, TABLE, seed=0, votes=1000) == score
    assert beta_vae_score(codes[:, ::-1], TABLE, seed=0, votes=1000) == pytest.approx(score, abs=0.01)
    order = np.random.default_rng(6).permutation(len(codes))
    assert beta_vae_score(codes[order], TABLE[order], seed=0, votes=1000) == pytest.approx(score, abs=0.08)


def rotated(factors):
    """Each dimension is a mixture of all factors."""
    turn = np.linalg.qr(np.random.default_rng(7).normal(size=(5, 5)))[0]
    standardised = (factors - factors.mean(axis=0)) / factors.std(axis=0)
    return standardised @ turn


def test_factor_vae_score_of_perfect_rotated_and_noisy_codes():
    assert factor_vae_score(perfect(TABLE), TABLE, seed=0, votes=1000) == 1
    assert 0.3 < factor_vae_score(rotated(TABLE), TABLE, seed=0, votes=1000) < 0.9
    assert factor_vae_score(noise(TABLE), TABLE, seed=0, votes=2000) == pytest.approx(1 / 5, abs=0.06)


def test_factor_vae_score_by_hand():
    """The first factor has a dimension: its votes are right, and of the votes of the second factor one half."""
    factors = np.stack(np.meshgrid(np.arange(4), np.arange(4), indexing="ij"), axis=-1).reshape(-1, 2)
    factors = np.tile(factors, (100, 1))
    alone = np.random.default_rng(0).normal(size=(1600, 1))
    first = np.c_[factors[:, :1], alone]
    assert factor_vae_score(first, factors, seed=0, votes=2000) == pytest.approx(3 / 4, abs=0.05)
    assert factor_vae_score(factors.astype(float), factors, seed=0, votes=2000) == 1
    assert factor_vae_score(factors[:, ::-1] * [5.0, 0.1], factors, seed=0, votes=2000) == 1


def test_factor_vae_score_leaves_out_collapsed_dimensions():
    """A dimension of tiny variance that follows one factor exactly says nothing; a greater one says all."""
    noisy = noise(TABLE)
    collapsed, active = (np.c_[noisy, TABLE[:, :1] * scale] for scale in (1e-3, 1.0))
    chance = factor_vae_score(noisy, TABLE, seed=0, votes=2000)
    assert factor_vae_score(collapsed, TABLE, seed=0, votes=2000) == chance
    assert factor_vae_score(active, TABLE, seed=0, votes=2000) > chance + 0.1


def test_factor_vae_score_repeats_under_its_seed_and_ignores_the_order_of_dimensions():
    codes = blurred(TABLE)[:, 3:]  # three factors are not in the codes
    score = factor_vae_score(codes, TABLE, seed=0, votes=1000)
    assert 0.3 < score < 0.9
    assert factor_vae_score(codes, TABLE, seed=0, votes=1000) == score
    assert factor_vae_score(codes, TABLE, seed=1, votes=1000) != score
    assert factor_vae_score(codes[:, ::-1], TABLE, seed=0, votes=1000) == score
    assert factor_vae_score(codes, 10 * TABLE - 7, seed=0, votes=1000) == score


def test_constant_codes_score_nothing():
    codes = np.full((len(TABLE), 3), 0.1)
    assert mutual_information_gap(codes, TABLE) == pytest.approx(0, abs=1e-12)
    assert SAP(codes, TABLE) == 0
    assert dci(codes[TRAIN], TABLE[TRAIN], codes[TEST], TABLE[TEST], seed=0)[:2] == (0, 0)
    assert beta_vae_score(codes, TABLE, seed=0, votes=400) < 0.35
    assert factor_vae_score(codes, TABLE, seed=0, votes=2000) == pytest.approx(1 / 5, abs=0.06)


CODES = np.arange(600.0).reshape(200, 3)
WITH_NAN = np.where(CODES == 4, np.nan, CODES)
FACTOR = np.arange(200)[:, None] % [2, 3]
SCORES = {
    "mig": mutual_information_gap,
    "sap": lambda c, f: separated_attribute_predictability(c, f, c, f),
    "dci": lambda c, f: dci(c, f, c, f, seed=0),
    "beta": lambda c, f: beta_vae_score(c, f, seed=0),
    "factor": lambda c, f: factor_vae_score(c, f, seed=0),
}


@pytest.mark.parametrize("score", SCORES.values(), ids=SCORES)
@pytest.mark.parametrize(
    ("codes", "factors", "message"),
    [
        (CODES[:1], FACTOR[:1], "varies|100"),
        (CODES[:0], FACTOR[:0], "not empty"),
        (CODES, FACTOR[:199], "200 .*codes and 199 targets"),
        (CODES, np.ones_like(FACTOR), "none of 2 factors varies over 200 examples"),
        (CODES, FACTOR[:, 0], r"\[examples, factors\]"),
        (CODES[:, 0], FACTOR, r"\[examples, dimensions\]"),
        (WITH_NAN, FACTOR, "not all finite"),
        (np.where(CODES == 4, np.inf, CODES), FACTOR, "not all finite"),
    ],
)
def test_what_cannot_be_scored_is_one_clear_line(score, codes, factors, message):
    with pytest.raises(ValueError, match=message) as error:
        score(codes, factors)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: mutual_information_gap(CODES, FACTOR, bins=1), "bins"),
        (lambda: dci(CODES[:99], FACTOR[:99], CODES, FACTOR, seed=0), "100 training examples"),
        (lambda: dci(CODES, FACTOR, CODES[:, :2], FACTOR, seed=0), "dimensions"),
        (lambda: dci(CODES, FACTOR, CODES, FACTOR[:, :1], seed=0), "targets"),
        (lambda: separated_attribute_predictability(CODES, FACTOR, WITH_NAN, FACTOR), "test codes are not all finite"),
        (lambda: beta_vae_score(CODES, FACTOR[:, :1], seed=0), "two factors"),
        (lambda: beta_vae_score(CODES, FACTOR, seed=0, votes=1), "two votes"),
        (lambda: factor_vae_score(CODES, FACTOR[:, :1], seed=0), "two factors"),
        (lambda: factor_vae_score(CODES, FACTOR, seed=0, votes=1), "two votes of two examples at least, not 1 of 64"),
        (lambda: factor_vae_score(CODES, FACTOR, seed=0, batch=1), "two votes of two examples"),
    ],
)
def test_each_score_names_what_it_lacks(call, message):
    with pytest.raises(ValueError, match=message):
        call()
