"""Simple classifiers that predict labels from codes.

The functions check their arguments themselves, so that an error is one line for the user.
"""

from collections.abc import Callable

import numpy as np
from jaxtyping import Bool, Float, Int


def linear_probe(
    train_codes: np.ndarray, train_labels: np.ndarray, test_codes: np.ndarray, test_labels: np.ndarray
) -> Bool[np.ndarray, " test"]:
    """Says for each test example whether multinomial logistic regression on standardised codes is right.

    The loss is a sum over examples plus the penalty |W|^2 / 2, so its minimum exists even where the classes are
    separable. Codes are standardised by the mean and the standard deviation of the training codes.

    Args:
      train_codes, test_codes: `[N, K]` and `[n, K]`, finite.
      train_labels, test_labels: `[N]` and `[n]`, ints.

    Returns:
      One value per test example; their mean is the test accuracy.

    Raises:
      ValueError: codes or labels cannot be used, or the training labels are of one class. The message is one line.

    Example:
      >>> codes, labels = np.array([[0.0], [1.0], [9.0], [10.0]]), np.array([0, 0, 1, 1])
      >>> linear_probe(codes, labels, np.array([[2.0], [8.0]]), np.array([0, 0])).tolist()
      [True, False]
    """
    import warnings

    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    train_codes, train_labels, test_codes, test_labels = check_splits(
        train_codes, train_labels, test_codes, test_labels, ("examples",)
    )
    if np.all(train_labels == train_labels[0]):
        raise ValueError("the training labels are of one class; a linear probe needs two")
    model = make_pipeline(StandardScaler(), LogisticRegression(C=1.0, max_iter=1000))
    with warnings.catch_warnings():  # a fit stopped after 1000 iterations is a classifier too
        warnings.simplefilter("ignore", ConvergenceWarning)
        model.fit(train_codes, train_labels)
    return model.predict(test_codes) == test_labels


def fit_classifier(
    x: Float[np.ndarray, "train dims"], labels: Int[np.ndarray, " train"]
) -> Callable[[np.ndarray], np.ndarray]:
    """Fits an MLP with one hidden layer of 128 units: scikit-learn's, 200 epochs of Adam at 3e-3, with the seed 0.

    Args:
      x: examples.
      labels: of them.

    Returns:
      `[n, dims] -> [n, classes]`, the probabilities of the classes that there are, in the order of their labels.

    Example:
      >>> x = np.repeat(np.eye(2), 50, axis=0)
      >>> predict = fit_classifier(x, np.repeat([3, 7], 50))
      >>> predict(np.eye(2)).argmax(axis=1).tolist()
      [0, 1]
    """
    import warnings

    from sklearn.exceptions import ConvergenceWarning
    from sklearn.neural_network import MLPClassifier

    model = MLPClassifier((128,), learning_rate_init=3e-3, max_iter=200, tol=0.0, n_iter_no_change=200, random_state=0)
    with warnings.catch_warnings():  # it says that it could go on
        warnings.simplefilter("ignore", ConvergenceWarning)
        model.fit(x, labels)
    return model.predict_proba


def nearest_neighbour_accuracy(
    train_codes: np.ndarray, train_labels: np.ndarray, test_codes: np.ndarray, test_labels: np.ndarray, k: int = 10
) -> Bool[np.ndarray, " test"]:
    """Says for each test example whether the majority of its k nearest training codes is right.

    Distances are Euclidean, between codes that are not standardised. Where classes have equally many votes, the
    smallest label wins.

    Args:
      train_codes, test_codes: `[N, K]` and `[n, K]`, finite.
      train_labels, test_labels: `[N]` and `[n]`, ints.
      k: the number of neighbours, each with one vote.

    Returns:
      One value per test example; their mean is the test accuracy.

    Raises:
      ValueError: codes or labels cannot be used, or k is not in 1..N. The message is one line.

    Example:
      >>> codes, labels = np.array([[0.0], [1.0], [9.0], [10.0]]), np.array([0, 0, 1, 1])
      >>> nearest_neighbour_accuracy(codes, labels, np.array([[2.0], [8.0]]), np.array([0, 0]), k=1).tolist()
      [True, False]
    """
    from sklearn.neighbors import KNeighborsClassifier

    train_codes, train_labels, test_codes, test_labels = check_splits(
        train_codes, train_labels, test_codes, test_labels, ("examples",)
    )
    if not 1 <= k <= len(train_codes):
        raise ValueError(f"k = {k} neighbours cannot be found among {len(train_codes)} training examples")
    model = KNeighborsClassifier(k, algorithm="brute").fit(train_codes, train_labels)
    return model.predict(test_codes) == test_labels


def check_splits(
    train_codes: np.ndarray,
    train_targets: np.ndarray,
    test_codes: np.ndarray,
    test_targets: np.ndarray,
    axes: tuple[str, ...],
) -> tuple[Float[np.ndarray, "train latent"], np.ndarray, Float[np.ndarray, "test latent"], np.ndarray]:
    """Checks both splits as `check` does, and that their columns agree; returns the codes in float64 and the targets.

    Raises:
      ValueError: one line that says what is wrong.
    """
    train_codes, train_targets = check(train_codes, train_targets, axes, "training ")
    test_codes, test_targets = check(test_codes, test_targets, axes, "test ")
    if train_codes.shape[1] != test_codes.shape[1]:
        raise ValueError(f"training codes have {train_codes.shape[1]} dimensions and test codes {test_codes.shape[1]}")
    if train_targets.shape[1:] != test_targets.shape[1:]:
        raise ValueError(f"training targets have shape {train_targets.shape} and test targets {test_targets.shape}")
    return train_codes, train_targets, test_codes, test_targets


def check(
    codes: np.ndarray, targets: np.ndarray, axes: tuple[str, ...], split: str = ""
) -> tuple[Float[np.ndarray, "examples latent"], np.ndarray]:
    """Checks that codes and targets fit together; returns the codes in float64 and the targets.

    Args:
      codes: `[N, K]`, finite, with N and K at least 1.
      targets: `[N]` labels or `[N, F]` factors.
      axes: the names of the targets' axes.
      split: what an error calls the examples, with a space behind it.

    Raises:
      ValueError: one line that says what is wrong.
    """
    codes, targets = np.asarray(codes, np.float64), np.asarray(targets)
    if codes.ndim != 2 or codes.size == 0:
        raise ValueError(f"{split}codes must be [examples, dimensions] and not empty; their shape is {codes.shape}")
    if targets.ndim != len(axes):
        raise ValueError(f"{split}targets must be [{', '.join(axes)}]; their shape is {targets.shape}")
    if len(codes) != len(targets):
        raise ValueError(f"there are {len(codes)} {split}codes and {len(targets)} targets")
    if not np.all(np.isfinite(codes)):
        raise ValueError(f"{split}codes are not all finite")
    return codes, targets
