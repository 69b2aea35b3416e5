"""Scores of disentanglement: how far single code dimensions represent single factors.

Codes are `[N, K]` floats (posterior means). Factors are `[N, F]` integers with one column for each ground-truth factor;
a factor that never varies is left out. Every score lies in [0, 1]. The functions check their arguments themselves, so
that an error is one line for the user.
"""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Integer, Num

from genjax.metrics.probes import check, check_splits, linear_probe

AXES = ("examples", "factors")
COLLAPSED = 0.05  # the standard deviation of a code below which it says nothing


class Dci(NamedTuple):
    """Three scores in [0, 1] (Eastwood & Williams 2018).

    Attributes:
      disentanglement: how far each code dimension matters for one factor only.
      completeness: how far each factor is predicted from one code dimension only.
      informativeness: mean test accuracy over the factors; the paper has an error instead.
    """

    disentanglement: float
    completeness: float
    informativeness: float


def mutual_information_gap(codes: np.ndarray, factors: np.ndarray, bins: int = 20) -> float:
    """Computes MIG, the mean over factors v of (I(c_1; v) - I(c_2; v)) / H(v) (Chen et al. 2018, equation 6).

    c_1 and c_2 are the two code dimensions with the most information about v. Each dimension is cut into bins of equal
    width between its least and its greatest value, and the information is that of the empirical joint distribution. A
    perfect code has the score 1 where no bin holds two values of its factor. A constant dimension has no information,
    and with a single dimension I(c_2; v) = 0. The estimate of I is too great by about (bins - 1) (values - 1) / 2N
    nats, of which the difference cancels a part.

    Args:
      codes: `[N, K]`, finite.
      factors: `[N, F]`.
      bins: number of bins of each code dimension, at least 2.

    Raises:
      ValueError: codes or factors cannot be used, no factor varies, or there are fewer than 2 bins.

    Example:
      >>> round(mutual_information_gap(np.array([[0.0], [0.0], [1.0], [1.0]]), np.arange(4)[:, None]), 3)
      0.5
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
    """Computes SAP, the mean over factors of the gap between the best two dimensions' accuracies (Kumar et al. 2018).

    A dimension predicts a factor of V values by V - 1 thresholds, which a decision tree of at most V leaves finds. (A
    linear support vector machine of each value against the rest has an accuracy of 0.38 on 16 equally spaced values.)
    The score of a perfect code is the mean over factors of 1 less the share of the most frequent value; it is 0.83 for
    `genjax.data.sprites.FACTORS`. With a single dimension the second accuracy is 0.

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
    """Computes disentanglement, completeness and informativeness from random forests (Eastwood & Williams 2018).

    R_kf is the share of dimension k in the impurity that the forest of factor f removes (their section 2). Dimension k
    has the disentanglement D_k = 1 - H(R_k. / sum_f R_kf) / log F and the weight sum_f R_kf. Factor f has the
    completeness C_f = 1 - H(R_.f) / log K, and all factors have the same weight. Each split of a tree chooses among all
    dimensions, so a dimension without information has R = 0 where another has all of it. A forest without a split has
    C_f = 0. Unless R = 0, D = 1 where there is one factor, and C = 1 where there is one dimension.

    Args:
      train_codes, test_codes: `[N, K]` and `[n, K]`, finite.
      train_factors, test_factors: `[N, F]` and `[n, F]`.
      seed: of the forests; the same seed gives the same bits.

    Raises:
      ValueError: codes or factors cannot be used, no training factor varies, or there are fewer than 100 examples to
        train on, on which a tree would make no split.
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
        forest.n_jobs = 1  # threads would add the trees' votes in any order, and a sum of floats depends on it
        importances.append(forest.feature_importances_)
        accuracies.append(np.mean(forest.predict(test_codes) == test_factors[:, factor]))
    importance = np.stack(importances, axis=1)  # [K, F]
    weights = importance.sum(axis=1)  # [K]
    disentanglement = np.sum(_concentration(importance) * weights) / max(weights.sum(), 1.0)
    return Dci(
        min(float(disentanglement), 1.0), float(np.mean(_concentration(importance.T))), float(np.mean(accuracies))
    )


def pairs(
    factors: Integer[np.ndarray, "examples factors"], rng: np.random.Generator, votes: int, batch: int
) -> tuple[Integer[np.ndarray, "{votes} 2 {batch}"], Integer[np.ndarray, " {votes}"]]:
    """Draws batches of pairs of examples that agree in one factor (Higgins et al. 2017, section 3).

    Each batch is a vote. It draws its factor uniformly among those that vary. The first example of a pair is any
    example. The second is any example with the same value of that factor; it may be the first itself.

    Args:
      factors: of the examples.
      rng: of the draws.
      votes: number of batches.
      batch: number of pairs in a batch.

    Returns:
      Indices of examples, and for each vote the column of the factor that its pairs share.

    Raises:
      ValueError: no factor varies.
    """
    labels = rng.choice(_varying(factors), votes)  # [votes]
    first = rng.integers(len(factors), size=(votes, batch))
    return np.stack([first, _partners(factors, first, labels, rng)], axis=1), labels


def beta_vae_score(codes: np.ndarray, factors: np.ndarray, seed: int, votes: int = 10_000, batch: int = 64) -> float:
    """Computes how often a linear classifier names the factor that a batch of pairs shares (Higgins et al. 2017).

    The classifier is a logistic regression on the standardised mean over the batch of |c_1 - c_2| (their section 3).
    Half of the votes train it and the other half tests it. An accuracy of one over the number of factors that vary is
    that of chance.

    Args:
      codes: `[N, K]`, finite.
      factors: `[N, F]`.
      seed: of the pairs; the same seed gives the same bits.
      votes: number of batches for training and testing together.
      batch: number of pairs in a batch.

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


def factor_vae_score(codes: np.ndarray, factors: np.ndarray, seed: int, votes: int = 10_000, batch: int = 64) -> float:
    """Computes how often the dimension that varies least names the factor that is fixed (Kim & Mnih 2018, section 4).

    A vote is a batch of examples that share the value of one factor. Its feature is the dimension whose variance over
    the batch, as a share of its variance over all codes, is the least. The classifier takes for each dimension the
    factor of most of its votes: half of the votes train it and the other half tests it. Dimensions that have collapsed
    to the prior are left out, those whose standard deviation is below 0.05 (Locatello et al. 2019); if all have, the
    feature is the same in every vote. An accuracy of one over the number of factors that vary is that of chance.

    Args:
      codes: `[N, K]`, finite, of a model whose prior has the scale 1.
      factors: `[N, F]`.
      seed: of the votes; the same seed gives the same bits.
      votes: number of batches for training and testing together.
      batch: number of examples in a batch, at least 2.

    Raises:
      ValueError: codes or factors cannot be used, fewer than two factors vary, or votes or examples are too few.
    """
    codes, factors = check(codes, factors, AXES)
    varying = _varying(factors)
    if len(varying) < 2:
        raise ValueError("the FactorVAE score needs two factors that vary")
    if min(votes, batch) < 2:
        raise ValueError(f"the FactorVAE score needs two votes of two examples at least, not {votes} of {batch}")
    rng = np.random.default_rng(seed)
    labels = rng.choice(varying, votes)
    examples = np.repeat(rng.integers(len(factors), size=(votes, 1)), batch, axis=1)
    indices = _partners(factors, examples, labels, rng)  # [votes, batch]
    active = codes[:, codes.std(axis=0) >= COLLAPSED]
    normalised = active / active.std(axis=0) if active.size else np.zeros((len(codes), 1))
    features = np.array([np.argmin(np.var(normalised[index], axis=0)) for index in indices])  # [votes]
    half, counts = votes // 2, np.zeros((normalised.shape[1], factors.shape[1]))
    np.add.at(counts, (features[:half], labels[:half]), 1)
    return float(np.mean(np.argmax(counts, axis=1)[features[half:]] == labels[half:]))


def _partners(
    factors: Integer[np.ndarray, "examples factors"],
    examples: Integer[np.ndarray, "votes batch"],
    labels: Integer[np.ndarray, " votes"],
    rng: np.random.Generator,
) -> Integer[np.ndarray, "votes batch"]:
    """Draws for each example any example with the same value of its vote's factor; it may be the example itself."""
    partners = np.empty_like(examples)
    for factor in np.unique(labels):
        values = _indices(factors[:, [factor]])[:, 0]  # [N]
        order, counts = np.argsort(values, kind="stable"), np.bincount(values)  # examples of one value are neighbours
        of_factor = labels == factor
        value = values[examples[of_factor]]  # [votes of this factor, batch]
        partners[of_factor] = order[(np.cumsum(counts) - counts)[value] + rng.integers(counts[value])]
    return partners


def _varying(factors: Num[np.ndarray, "examples factors"]) -> Integer[np.ndarray, " varying"]:
    """Lists the columns with more than one value."""
    columns = np.flatnonzero(np.ptp(factors, axis=0))
    if not columns.size:
        raise ValueError(f"none of {factors.shape[1]} factors varies over {len(factors)} examples")
    return columns


def _indices(factors: Num[np.ndarray, "examples factors"]) -> Integer[np.ndarray, "examples factors"]:
    """Replaces the values of each column by their ranks 0, 1, ... without gaps."""
    return np.stack([np.unique(column, return_inverse=True)[1] for column in factors.T], axis=1)


def _gap(scores: Float[np.ndarray, " dimensions"]) -> float:
    """Subtracts the second greatest score, or 0 where there is a single score, from the greatest."""
    second, first = np.sort(np.append(scores, 0.0))[-2:]
    return min(max(first - second, 0.0), 1.0)


def _concentration(importance: Float[np.ndarray, "rows columns"]) -> Float[np.ndarray, " rows"]:
    """Computes 1 - entropy / log(columns) of each row as a distribution.

    It is 1 where one column has all of the row's sum, and 0 where all columns are equal.
    """
    from scipy.special import entr

    total = importance.sum(axis=1, keepdims=True)
    shares = importance / np.where(total > 0, total, 1.0)
    entropy = entr(shares).sum(axis=1) / np.log(max(importance.shape[1], 2))
    return np.where(total[:, 0] > 0, np.clip(1 - entropy, 0.0, 1.0), 0.0)
