"""Recognition: how many samples a classifier of the data takes for one of the classes without doubt."""

from collections.abc import Callable
from typing import Any

import jax
import numpy as np

from genjax import features as maps
from genjax.data.source import without_version
from genjax.evaluation import samplers
from genjax.evaluation.examples import chosen_examples, split_of, stored
from genjax.evaluation.fidelity import CLASSIFIERS
from genjax.evaluation.options import Options
from genjax.evaluation.results import Result, averaged
from genjax.metrics.probes import fit_classifier
from genjax.runs.load import LoadedRun

SAMPLES = 1000
TRAINED_ON = 3000  # examples at most
SHIPPED_CLASSES = 10  # of MNIST and of Fashion-MNIST
WITHOUT_DOUBT = 0.9  # the probability of one class

Classify = Callable[[np.ndarray], np.ndarray]  # `[n, *shape] -> [n, classes]`, probabilities


def applies(subject: LoadedRun) -> str:
    """What is missing, or nothing."""
    if len(subject.spec.shape) != 3:
        return "images"
    y = subject.dataset.train.y
    classified = y is not None and y.ndim == 1 and len(np.unique(y)) > 1
    return "" if classified or _shipped(subject) else "data with labels of two classes or more"


def measure(subject: LoadedRun, options: Options, progress: Any) -> list[Result]:
    """The share of samples, and of unseen examples, that are recognised."""
    with progress("recognition", 1) as tick:
        name, classify, classes = _classifier(subject)
        examples = chosen_examples(split_of(subject, options), SAMPLES)
        real = classify(stored(subject, examples.x))
        fake = classify(samplers.samples(subject, options, SAMPLES, "recognition"))
        tick(1)
    protocol = {
        "split": options.split,
        "classifier": name,
        "probability": f"above {WITHOUT_DOUBT}",
        "seed": options.seed,
        "step": subject.step,
    }
    if examples.y is not None:
        protocol["accuracy"] = round(float(np.mean(classes[real.argmax(axis=1)] == examples.y)), 4)
    of_samples = {**protocol, "sampler": options.sampler}
    return [
        averaged("recognised_samples", fake.max(axis=1) > WITHOUT_DOUBT, "", of_samples),
        averaged("recognised_examples", real.max(axis=1) > WITHOUT_DOUBT, "", protocol),
    ]


def _shipped(subject: LoadedRun) -> str:
    """The name of the shipped classifier of these data, or nothing."""
    return CLASSIFIERS.get(without_version(subject.config.data.source), "")


def _classifier(subject: LoadedRun) -> tuple[str, Classify, np.ndarray]:
    """The shipped classifier of the data, or a small one that is trained on them, and the labels of its columns."""
    if name := _shipped(subject):
        features = maps.load(name, stored(subject, subject.dataset.train.x[:1]))
        assert features.classify is not None
        classify = features.classify
        title = f"{name} ({features.digest})"
        return title, lambda x: np.asarray(jax.nn.softmax(maps.over_batches(classify, x))), np.arange(SHIPPED_CLASSES)
    train = chosen_examples(subject.dataset.train, TRAINED_ON)
    assert train.y is not None
    predict = fit_classifier(stored(subject, train.x).reshape(len(train.x), -1), train.y)
    name = f"MLP of {len(train.x):,} training examples"
    return name, lambda x: predict(x.reshape(len(x), -1)), np.unique(train.y)
