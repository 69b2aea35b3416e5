"""Samples that anybody drew against data, and two sets against each other, without a run."""

import io
import json

import numpy as np
import pytest
from present import present

from genjax import data
from genjax.commands.main import main
from genjax.evaluation import sample_sets
from genjax.evaluation.options import Options
from genjax.types import InputError

PIXELS = Options(features=("pixels",))
RNG = np.random.default_rng(0)


def write(path, x):
    np.savez(path, x=x)
    return f"npz:{path}"


def measure(samples, against, options=PIXELS):
    results = sample_sets.compare(samples, against, options, io.StringIO())["fidelity"]
    return {result.metric: result for result in results}


@pytest.fixture(scope="module")
def training_images(tmp_path_factory):
    """Training images of the digits, as samples of a model that has learnt them by heart."""
    digits = data.load("digits")
    x = digits.train.x[:179] * np.float32(digits.scale)
    return write(tmp_path_factory.mktemp("samples") / "memorised.npz", x)


def test_memorised_examples_are_near_the_data_and_nearer_to_the_training_data(training_images):
    measured = measure(training_images, "digits")
    assert measured["precision"].value > 0.9
    assert measured["nearest_to_samples"].value == pytest.approx(0, abs=1e-3)
    assert measured["nearest_to_examples"].value > 0.5
    protocol = measured["frechet_distance"].protocol
    assert (protocol["samples"], protocol["split"]) == (179, "test")
    assert protocol["of"].startswith(training_images)
    assert protocol["data"].startswith("digits (")


def test_noise_is_far_from_the_data(tmp_path):
    noise = write(tmp_path / "noise.npz", RNG.random((200, 8, 8, 1)).astype(np.float32))
    measured = measure(noise, "digits")
    assert measured["precision"].value == measured["coverage"].value == 0
    assert measured["kernel_distance"].value > 10 * present(measured["kernel_distance"].error)


def test_a_set_has_no_distance_to_itself_and_all_of_it_counts(training_images):
    measured = measure(training_images, training_images, PIXELS._replace(split="all"))
    assert measured["frechet_distance"].value == pytest.approx(0, abs=1e-6)
    assert measured["recall"].value == measured["precision"].value == 1
    assert measured["recall"].protocol["samples"] == 179
    assert "nearest_to_samples" not in measured  # there is no training split to be near to


def test_the_command_prints_a_table_and_writes_json(training_images, tmp_path, capsys):
    arguments = ["evaluate", "--samples", training_images, "--against", "digits", "--features", "pca:8"]
    assert main([*arguments, "--out", str(tmp_path / "results.json")]) == 0
    table = capsys.readouterr().out
    written = json.loads((tmp_path / "results.json").read_text())["results"]
    assert all(result["metric"] in table for result in written)
    assert "pca:8" in table


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--samples", "digits", "--against", "digits", "--out", "."], "--out .: it is a folder; name a file"),
        (["--samples", "digits", "--against", "ring8"], "only sets of one kind compare"),
        (["--samples", "npz:nowhere.npz", "--against", "digits"], "npz:nowhere.npz"),
        (["--samples", "100", "--against", "digits"], "needs --samples SOURCE"),
        (["--against", "digits"], "needs --samples SOURCE"),
        (["--samples", "digits"], "--workdir names the run"),
        (["--samples", "digits", "--workdir", "x"], "--samples=digits must be a number"),
        (["--workdir", "x", "--out", "r.json"], "--out acts with --against alone"),
        (["--samples", "digits", "--against", "digits", "--workdir", "x"], "--workdir would not act"),
        (["--samples", "digits", "--against", "digits", "--sampler", "prior"], "--sampler would not act"),
        (["--samples", "digits", "--against", "digits", "--split", "some"], "no split 'some'"),
        (["--samples", "digits", "--against", "digits", "--neighbours", "9999"], "samples are too few"),
        (["--samples", "digits", "--against", "digits", "--features", "pixel"], "the nearest is 'pixels'"),
    ],
)
def test_what_cannot_be_compared_is_one_line(arguments, message, capsys):
    assert main(["evaluate", *arguments]) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1


def test_sets_of_points_compare_as_they_are(tmp_path):
    points = write(tmp_path / "points.npz", RNG.normal(size=(300, 2)).astype(np.float32))
    assert measure(points, "ring8", Options())["frechet_distance"].protocol["features"] == "pixels"
    with pytest.raises(InputError, match="images of shape"):
        measure(points, "digits")
