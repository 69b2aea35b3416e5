"""How far single code dimensions stand for single factors.

Codes are `[N, K]` floats (posterior means), factors `[N, F]` ints, one column for each ground-truth factor. A factor
that never varies says nothing and is left out. Every score lies in [0, 1]. What cannot be scored is a ValueError of
one line.
"""

from typing import NamedTuple

import numpy as np

from genjax.metrics.probes import check, check_splits, linear_probe

AXES = ("examples", "factors")


class Dci(NamedTuple):
    """Three scores in [0, 1] (Eastwood & Williams 2018).

    Attributes:
      disentanglement: how far a code dimension matters for one factor alone.
      completeness: how far a factor is predicted from one code dimension alone.
      informativeness: mean test accuracy over the factors, where the paper has an error.
    """

    disentanglement: float
    completeness: float
    informativeness: float


def mutual_information_gap(codes: np.ndarray, factors: np.ndarray, bins: int = 20) -> float:
    """MIG: the mean over factors of (I(c_1; v) - I(c_2; v)) / H(v), c_1 and c_2 the two best (Chen et al. 2018, eq. 6).

    Each code dimension is cut into bins of equal width between its least and its greatest value, and all information
    is that of the empirical joint distribution, in nats. A perfect code has 1 where no bin holds two values of its
    factor. A constant dimension has no information, and with a single dimension I(c_2; v) = 0. The estimate of I is
    too great by about (bins - 1) (values - 1) / 2N, which the gap cancels in part.

    Args:
      codes: `[N, K]`, finite.
      factors: `[N, F]`.
      bins: for each code dimension, at least 2.

    Raises:
      ValueError: codes or factors cannot be used, no factor varies, or there are fewer than 2 bins.
    """
    from scipy.special import entr

    codes, factors = check(codes, factors, AXES)
    factors = factors[:, _varying(factors)]
    if bins < 2:
        raise ValueError(f"bins must be at least 2, not {bins}")
    n, k = codes.shape
    offset = codes - codes.min(axis=0)
    width = np.where(np.ptp(codes, axis=0) > 0, np.ptp(codes, axis=0), 1.0)
    cells = np.minimum(offset / width * bins, bins - 1).astype(int) + bins * np.arange(k)  # [N, K], no two k share one
    gaps = []
    for values in _indices(factors).T:
        count = values.max() + 1
        joint = np.bincount((cells * count + values[:, None]).ravel(), minlength=k * bins * count)
        joint = joint.reshape(k, bins, count) / n
        entropy = entr(joint[0].sum(axis=0)).sum()  # of the factor
        # I = H(c) + H(v) - H(c, v)
        information = entr(joint.sum(axis=2)).sum(axis=1) + entropy - entr(joint).sum(axis=(1, 2))  # [K]
        gaps.append(_gap(information / entropy))
    return float(np.mean(gaps))


def separated_attribute_predictability(
    train_codes: np.ndarray, train_factors: np.ndarray, test_codes: np.ndarray, test_factors: np.ndarray
) -> float:
    """SAP: the mean over factors of the gap between the two best single dimensions' accuracies (Kumar et al. 2018).

    A dimension predicts a factor of V values by thresholds on that dimension: a decision tree of at most V leaves, so
    V - 1 thresholds. (A linear support vector machine, one value against the rest, gets 0.38 of 16 equally spaced
    values.) A perfect code has the mean of 1 - (the most frequent value's share), 0.83 for `data.sprites.FACTORS`; with
    a single dimension the second accuracy is 0.

    Args:
      train_codes, test_codes: `[N, K]` and `[n, K]`, finite.
      train_factors, test_factors: `[N, F]` and `[n, F]`.

    Raises:
      ValueError: codes or factors cannot be used, or no training factor varies.
    """
    from sklearn.tree import DecisionTreeClassifier

    train_codes, train_factors, test_codes, test_factors = check_splits(
        train_codes, train_factors, test_codes, test_factors, AXES
    )
    gaps = []
    for factor in _varying(train_factors):
        train, test = train_factors[:, factor], test_factors[:, factor]
        tree = DecisionTreeClassifier(max_leaf_nodes=len(np.unique(train)), random_state=0)
        accuracies = [
            np.mean(tree.fit(train_codes[:, [k]], train).predict(test_codes[:, [k]]) == test)
            for k in range(train_codes.shape[1])
        ]
        gaps.append(_gap(np.array(accuracies)))
    return float(np.mean(gaps))


def dci(
    train_codes: np.ndarray, train_factors: np.ndarray, test_codes: np.ndarray, test_factors: np.ndarray, seed: int
) -> Dci:
    """Disentanglement, completeness and informativeness from random forests (Eastwood & Williams 2018, section 2).

    R_kf is dimension k's share of the impurity that factor f's forest removes. Dimension k has
    D_k = 1 - H(R_k. / sum_f R_kf) / log F, weighted by sum_f R_kf; factor f has C_f = 1 - H(R_.f) / log K, and the
    factors count alike. Every split sees every dimension, so that one that says nothing has R = 0 where another says
    all. A forest that finds no split has C_f = 0. With one factor D = 1, with one dimension C = 1, unless R = 0.

    Args:
      train_codes, test_codes: `[N, K]` and `[n, K]`, finite.
      train_factors, test_factors: `[N, F]` and `[n, F]`.
      seed: of the forests; the same seed gives the same bits.

    Raises:
      ValueError: codes or factors cannot be used, no training factor varies, or there are fewer than 100 examples to
        train on, of which a tree would make no split.
    """
    from sklearn.ensemble import RandomForestClassifier

    train_codes, train_factors, test_codes, test_factors = check_splits(
        train_codes, train_factors, test_codes, test_factors, AXES
    )
    if len(train_codes) < 100:
        raise ValueError(f"DCI needs 100 training examples at least, not {len(train_codes)}")
    importances, accuracies = [], []
    for factor in _varying(train_factors):
        forest = RandomForestClassifier(
            50, max_features=None, min_samples_leaf=20, max_samples=0.5, n_jobs=-1, random_state=seed
        )
        forest.fit(train_codes, train_factors[:, factor])
        forest.n_jobs = 1  # threads add the trees' votes in any order, and float sums depend on it
        importances.append(forest.feature_importances_)
        accuracies.append(np.mean(forest.predict(test_codes) == test_factors[:, factor]))
    importance = np.stack(importances, axis=1)  # [K, F]
    weights = importance.sum(axis=1)  # [K]
    disentanglement = np.sum(_concentration(importance) * weights) / max(weights.sum(), 1.0)
    return Dci(
        min(float(disentanglement), 1.0), float(np.mean(_concentration(importance.T))), float(np.mean(accuracies))
    )


def pairs(factors: np.ndarray, rng: np.random.Generator, votes: int, batch: int) -> tuple[np.ndarray, np.ndarray]:
    """Batches of pairs that agree in one factor, drawn from a table (Higgins et al. 2017, section 3).

    A vote draws its factor uniformly among those that vary. The first of a pair is any example and the second any that
    has the first's value of that factor; where no other has it, both are the same example.

    Args:
      factors: `[N, F]`.
      rng: of the draws.
      votes: batches.
      batch: pairs in a batch.

    Returns:
      Indices of examples, `[votes, 2, batch]`, and the column of the factor that each vote's pairs share, `[votes]`.

    Raises:
      ValueError: no factor varies.
    """
    labels = rng.choice(_varying(factors), votes)  # [votes]
    first = rng.integers(len(factors), size=(votes, batch))
    second = np.empty_like(first)
    for factor in np.unique(labels):
        values = _indices(factors[:, [factor]])[:, 0]  # [N]
        order, counts = np.argsort(values, kind="stable"), np.bincount(values)  # the examples of a value are a run
        chosen = labels == factor
        value = values[first[chosen]]  # [chosen, batch]
        second[chosen] = order[(np.cumsum(counts) - counts)[value] + rng.integers(counts[value])]
    return np.stack([first, second], axis=1), labels


def beta_vae_score(codes: np.ndarray, factors: np.ndarray, seed: int, votes: int = 10_000, batch: int = 64) -> float:
    """How often a linear classifier names the factor that a batch of pairs shares (Higgins et al. 2017, section 3).

    It sees the mean over the batch of |c_1 - c_2|, `[K]`, standardised, and is a logistic regression. Half of the votes
    train it and half test it. Chance is one over the number of factors that vary.

    Args:
      codes: `[N, K]`, finite.
      factors: `[N, F]`.
      seed: of the pairs; the same seed gives the same bits.
      votes: for training and testing together.
      batch: pairs in a vote.

    Raises:
      ValueError: codes or factors cannot be used, fewer than two factors vary, or the votes are too few.
    """
    codes, factors = check(codes, factors, AXES)
    if len(_varying(factors)) < 2:
        raise ValueError("the beta-VAE score needs two factors that vary")
    if votes < 2:
        raise ValueError(f"the beta-VAE score needs two votes at least, not {votes}")
    indices, labels = pairs(factors, np.random.default_rng(seed), votes, batch)
    differences = np.stack([np.mean(np.abs(codes[a] - codes[b]), axis=0) for a, b in indices])  # [votes, K]
    half = votes // 2
    return float(np.mean(linear_probe(differences[:half], labels[:half], differences[half:], labels[half:])))


def _varying(factors: np.ndarray) -> np.ndarray:
    """The columns with more than one value."""
    columns = np.flatnonzero(np.ptp(factors, axis=0))
    if not columns.size:
        raise ValueError(f"none of {factors.shape[1]} factors varies over {len(factors)} examples")
    return columns


def _indices(factors: np.ndarray) -> np.ndarray:
    """Each column's values as their ranks 0, 1, ... without gaps."""
    return np.stack([np.unique(column, return_inverse=True)[1] for column in factors.T], axis=1)


def _gap(scores: np.ndarray) -> float:
    """The greatest less the second greatest, which is 0 where there is one alone."""
    second, first = np.sort(np.append(scores, 0.0))[-2:]
    return min(max(first - second, 0.0), 1.0)


def _concentration(importance: np.ndarray) -> np.ndarray:
    """1 - entropy / log(columns) of each row as a distribution: 1 for one column alone, 0 for all alike or none."""
    from scipy.special import entr

    total = importance.sum(axis=1, keepdims=True)
    shares = importance / np.where(total > 0, total, 1.0)
    entropy = entr(shares).sum(axis=1) / np.log(max(importance.shape[1], 2))
    return np.where(total[:, 0] > 0, np.clip(1 - entropy, 0.0, 1.0), 0.0)
