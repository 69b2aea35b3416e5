"""The share of samples that a classifier of the data recognises."""

import contextlib

import numpy as np
import pytest
import trained

from genjax import features as maps
from genjax.data import Split
from genjax.evaluation import recognition, samplers
from genjax.evaluation.options import Options
from genjax.metrics.probes import fit_classifier
from genjax.runs.load import load_run

OPTIONS = Options(sampler="prior", seed=3)


@contextlib.contextmanager
def progress(*_):
    yield lambda n: None


@pytest.fixture(scope="module")
def subject(tmp_path_factory):
    return load_run(trained.train(tmp_path_factory.mktemp("recognised") / "vae", hidden=(8,)), "newest", print)


def measured(subject):
    return {result.metric: result for result in recognition.measure(subject, OPTIONS, progress)}


@pytest.mark.slow
def test_the_share_is_that_of_samples_whose_class_is_beyond_doubt(subject):
    results, train = measured(subject), subject.dataset.train
    predict = fit_classifier(train.x.reshape(len(train.x), -1) / np.float32(16), train.y)
    drawn = samplers.samples(subject, OPTIONS, 1000, "recognition").reshape(1000, -1)
    assert results["recognised_samples"].value == pytest.approx(np.mean(predict(drawn).max(axis=1) > 0.9), abs=2e-3)
    assert results["recognised_samples"].protocol["sampler"] == "prior"
    examples = results["recognised_examples"]
    assert examples.value > 0.93
    assert examples.protocol["accuracy"] > 0.96
    assert examples.protocol["classifier"] == f"MLP of {len(train.x):,} training examples"


def test_one_class_tells_nothing(subject):
    train = subject.dataset.train
    one = subject._replace(dataset=subject.dataset._replace(train=train._replace(y=np.zeros(len(train.x), int))))
    assert recognition.applies(subject) == ""
    assert recognition.applies(one) == "data with labels of two classes or more"


def test_probabilities_are_of_all_classes_and_right_for_separated_ones():
    rng, labels = np.random.default_rng(0), np.repeat([2, 5, 9], 60)
    x = np.eye(3)[np.repeat([0, 1, 2], 60)] * 4 + rng.normal(size=(180, 3)) * 0.1
    probabilities = fit_classifier(x, labels)(np.concatenate([np.eye(3) * 4, np.ones((1, 3))]))
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, rtol=1e-6)
    np.testing.assert_array_equal(probabilities[:3].argmax(axis=1), [0, 1, 2])
    assert (probabilities[:3].max(axis=1) > 0.9).all()


@pytest.mark.slow
def test_labels_may_have_gaps(subject):
    """A column of the classifier is a class that there is, and not the number of one."""
    data = subject.dataset
    parts = {name: getattr(data, name) for name in ("train", "validation", "test")}
    some = {name: Split(*(values[np.isin(part.y, (3, 7))] for values in part)) for name, part in parts.items()}
    results = measured(subject._replace(dataset=data._replace(**some)))
    assert results["recognised_examples"].protocol["accuracy"] > 0.96


@pytest.mark.slow
def test_a_shipped_classifier_comes_first(subject, monkeypatch):
    images = np.random.default_rng(0).integers(0, 256, (20, 28, 28, 1)).astype(np.uint8)
    split = Split(images, np.arange(20) % 10)
    config = subject.config.copy_and_resolve_references()
    config.data.source = "tfds:mnist:3.0.1"
    spec = subject.spec._replace(shape=(28, 28, 1), scale=1 / 255)
    dataset = subject.dataset._replace(train=split, validation=split, test=split)
    mnist = subject._replace(config=config, spec=spec, dataset=dataset)
    monkeypatch.setattr(samplers, "samples", lambda subject, options, n, use: images[:5] / np.float32(255))
    results = measured(mnist)
    features = maps.load("classifier:mnist", images[:1] / np.float32(255))
    assert results["recognised_samples"].protocol["classifier"] == f"classifier:mnist ({features.digest})"
    assert features.classify is not None
    logits = np.asarray(maps.over_batches(features.classify, images / np.float32(255)), np.float64)
    doubtless = np.exp(logits.max(axis=1)) / np.exp(logits).sum(axis=1) > 0.9
    assert results["recognised_examples"].value == doubtless.mean()
    assert results["recognised_samples"].value == doubtless[:5].mean()


def test_what_it_applies_to(subject):
    assert recognition.applies(subject) == ""
    bare = subject.dataset._replace(train=subject.dataset.train._replace(y=None))
    assert recognition.applies(subject._replace(dataset=bare)) == "data with labels of two classes or more"
    assert recognition.applies(subject._replace(spec=subject.spec._replace(shape=(2,)))) == "images"
