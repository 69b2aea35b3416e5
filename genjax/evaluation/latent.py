"""What codes say: labels, by a linear probe and by neighbours, and known factors, each in dimensions of its own."""

from typing import Any

import numpy as np

from genjax.data import Split
from genjax.evaluation.examples import batch_of, binarisation, chosen_examples, codes, split_of
from genjax.evaluation.options import Options
from genjax.evaluation.results import Result, averaged
from genjax.metrics import disentanglement, probes
from genjax.runs.load import LoadedRun
from genjax.types import InputError

TRAINED_ON, TESTED_ON = 10_000, 10_000  # codes at most
RESAMPLES = 20


def applies(subject: LoadedRun) -> str:
    """What is missing, or nothing."""
    if subject.model.encode is None:
        return "a model with an encoder"
    return "" if subject.dataset.test.y is not None else "data with labels or factors"


def measure(subject: LoadedRun, options: Options, progress: Any) -> list[Result]:
    """Accuracies where the data have labels; MIG, DCI, SAP and the scores of votes where they have factors."""
    if options.split == "train":
        raise InputError("latent trains on codes of the training split: measure it on test or validation")
    train = chosen_examples(subject.dataset.train, TRAINED_ON)
    test = chosen_examples(split_of(subject, options), TESTED_ON)
    protocol = {
        "split": options.split,
        "examples": len(test.x),
        "train_examples": len(train.x),
        "binarisation": binarisation(subject),
        "seed": options.seed,
        "step": subject.step,
    }
    with progress("latent", 1) as tick:
        coded = [(codes(subject, batch_of(subject, split), options), _targets(split)) for split in (train, test)]
        try:
            results = _measure_codes(*coded[0], *coded[1], options, protocol)
        except ValueError as error:
            raise InputError(f"the codes cannot be measured: {error}") from error
        tick(1)
    return results


def _measure_codes(
    train: np.ndarray,
    train_targets: np.ndarray,
    test: np.ndarray,
    test_targets: np.ndarray,
    options: Options,
    protocol: dict[str, Any],
) -> list[Result]:
    """Of labels `[N]` or of factors `[N, F]`, whichever the data have."""
    data = (train, train_targets, test, test_targets)
    if train_targets.ndim == 1:
        k = options.neighbours
        accuracy = probes.nearest_neighbour_accuracy(*data, k)
        return [
            averaged("linear_probe", probes.linear_probe(*data), "", protocol),
            averaged("nearest_neighbour_accuracy", accuracy, "", {**protocol, "neighbours": k}),
        ]
    dci = disentanglement.dci(*data, options.seed)
    votes = {
        "beta_vae_score": disentanglement.beta_vae_score,
        "factor_vae_score": disentanglement.factor_vae_score,
    }
    of_test = {name: value for name, value in protocol.items() if name != "train_examples"}
    return [
        _information_gap(test, test_targets, options.seed, of_test),
        Result("sap", disentanglement.separated_attribute_predictability(*data), None, "", protocol),
        *(Result(f"dci_{name}", value, None, "", protocol) for name, value in dci._asdict().items()),
        *(Result(name, score(test, test_targets, options.seed), None, "", of_test) for name, score in votes.items()),
    ]


def _information_gap(codes: np.ndarray, factors: np.ndarray, seed: int, protocol: dict[str, Any]) -> Result:
    """MIG, and its standard deviation over bootstrap samples of the examples."""
    rng = np.random.default_rng(seed)
    indices = (rng.integers(len(codes), size=len(codes)) for _ in range(RESAMPLES))
    resampled = [disentanglement.mutual_information_gap(codes[index], factors[index]) for index in indices]
    with_error = {**protocol, "error": f"over {RESAMPLES} bootstrap samples"}
    value = disentanglement.mutual_information_gap(codes, factors)
    return Result("mig", value, float(np.std(resampled, ddof=1)), "", with_error)


def _targets(split: Split) -> np.ndarray:
    assert split.y is not None
    return split.y
