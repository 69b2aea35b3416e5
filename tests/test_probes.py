"""Probes of codes: separable classes, labels without a pattern, and what cannot be probed."""

import numpy as np
import pytest

from genjax.metrics.probes import linear_probe, nearest_neighbour_accuracy

PROBES = [linear_probe, nearest_neighbour_accuracy]


def clusters(n, spread, seed=0):
    """`[n, 4]` codes around four corners, and which corner."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 4, n)
    return 10 * np.eye(4)[labels] + spread * rng.normal(size=(n, 4)), labels


@pytest.mark.parametrize("probe", PROBES)
@pytest.mark.parametrize("names", [np.arange(4), np.array([7, -1, 100, 3])])
def test_separable_clusters_are_all_found(probe, names):
    codes, labels = clusters(600, 0.5)
    correct = probe(codes[:400], names[labels[:400]], codes[400:], names[labels[400:]])
    assert correct.shape == (200,)
    assert correct.dtype == bool
    assert correct.all()


@pytest.mark.parametrize("probe", PROBES)
def test_labels_without_a_pattern_are_found_at_chance(probe):
    rng = np.random.default_rng(0)
    codes, labels = rng.normal(size=(5000, 5)), rng.integers(0, 4, 5000)
    correct = probe(codes[:3000], labels[:3000], codes[3000:], labels[3000:])
    assert correct.mean() == pytest.approx(0.25, abs=4 * np.sqrt(0.25 * 0.75 / 2000))


@pytest.mark.parametrize("probe", PROBES)
def test_each_answer_belongs_to_its_example(probe):
    codes, labels = clusters(400, 4.0)
    correct = probe(codes[:200], labels[:200], codes[200:], labels[200:])
    assert 0.3 < correct.mean() < 1
    order = np.random.default_rng(1).permutation(200)
    np.testing.assert_array_equal(
        probe(codes[:200], labels[:200], codes[200:][order], labels[200:][order]), correct[order]
    )
    wrong = probe(codes[:200], labels[:200], codes[200:], labels[200:] + 10)  # labels that no training example has
    assert not wrong.any()


@pytest.mark.parametrize("k", [1, 10, 200])
def test_neighbours_vote_as_a_loop_over_sorted_distances_says(k):
    codes, labels = clusters(300, 6.0)
    squared = np.sum((codes[200:, None] - codes[None, :200]) ** 2, axis=-1)  # [100, 200]
    nearest = np.argsort(squared, axis=1)[:, :k]
    predicted = [np.bincount(votes).argmax() for votes in labels[nearest]]
    correct = nearest_neighbour_accuracy(codes[:200], labels[:200], codes[200:], labels[200:], k)
    np.testing.assert_array_equal(correct, predicted == labels[200:])


def test_linear_probe_does_not_see_shift_or_scale_and_bears_a_constant_dimension():
    codes, labels = clusters(400, 5.0)
    expected = linear_probe(codes[:200], labels[:200], codes[200:], labels[200:])
    assert 0.4 < expected.mean() < 1
    moved = np.c_[codes * [1e-6, 1, 1e3, 1e6] + [0, -5, 1e4, 1], np.ones(400)]
    moved = linear_probe(moved[:200], labels[:200], moved[200:], labels[200:])
    assert np.mean(moved != expected) <= 0.01


def test_linear_probe_finds_the_minimum_of_its_loss():
    """At the minimum of sum_i -log p(y_i | x_i) + |W|^2 / 2 over two classes, found here by Newton's method."""
    rng = np.random.default_rng(3)
    x = rng.normal(size=(400, 3))
    y = (x @ [1, -1, 0.5] + rng.normal(size=400) > 0).astype(int)
    features = np.c_[(x[:200] - x[:200].mean(0)) / x[:200].std(0), np.ones(200)]
    weights = np.zeros(4)
    penalty = np.diag([1.0, 1, 1, 0])
    for _ in range(20):
        p = 1 / (1 + np.exp(-features @ weights))
        gradient = features.T @ (p - y[:200]) + penalty @ weights
        weights -= np.linalg.solve((features.T * (p * (1 - p))) @ features + penalty, gradient)
    tested = np.c_[(x[200:] - x[:200].mean(0)) / x[:200].std(0), np.ones(200)]
    correct = linear_probe(x[:200], y[:200], x[200:], y[200:])
    assert np.mean(correct != ((tested @ weights > 0) == y[200:])) <= 0.005


def test_no_warning_where_the_fit_is_stopped(monkeypatch):
    """Warnings are errors in these tests."""
    import sklearn.linear_model

    model = sklearn.linear_model.LogisticRegression
    monkeypatch.setattr(sklearn.linear_model, "LogisticRegression", lambda **settings: model(max_iter=1))
    codes, labels = clusters(200, 5.0)
    assert linear_probe(codes, labels, codes, labels).shape == (200,)


CODES, LABELS = clusters(20, 1.0)
WITH_NAN = np.where(np.arange(80).reshape(20, 4) == 5, np.nan, CODES)


@pytest.mark.parametrize("probe", PROBES)
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((CODES[:0], LABELS[:0], CODES, LABELS), "training codes must be .* not empty"),
        ((CODES, LABELS, CODES[:0], LABELS[:0]), "test codes must be .* not empty"),
        ((CODES[:, 0], LABELS, CODES, LABELS), "must be .examples, dimensions"),
        ((CODES, LABELS[:, None], CODES, LABELS), "training targets must be .examples.; their shape"),
        ((CODES, LABELS[:9], CODES, LABELS), "20 training codes and 9 targets"),
        ((CODES, LABELS, CODES, LABELS[:9]), "20 test codes and 9 targets"),
        ((CODES, LABELS, CODES[:, :2], LABELS), "4 dimensions and test codes 2"),
        ((WITH_NAN, LABELS, CODES, LABELS), "training codes are not all finite"),
        ((CODES, LABELS, WITH_NAN, LABELS), "test codes are not all finite"),
    ],
)
def test_what_cannot_be_probed_is_one_clear_line(probe, arguments, message):
    with pytest.raises(ValueError, match=message) as error:
        probe(*arguments)
    assert "\n" not in str(error.value)


def test_a_linear_probe_needs_two_classes():
    with pytest.raises(ValueError, match="one class"):
        linear_probe(CODES, np.ones(20, int), CODES, LABELS)


@pytest.mark.parametrize("k", [0, 21])
def test_neighbours_must_be_there(k):
    with pytest.raises(ValueError, match=f"k = {k} neighbours cannot be found among 20"):
        nearest_neighbour_accuracy(CODES, LABELS, CODES, LABELS, k)
