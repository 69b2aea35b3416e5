"""Three grey images as one in colour."""

import os

import chex
import numpy as np
import pytest
from present import present

from genjax import data
from genjax.data import Split, stacked
from genjax.data.assemble import assemble
from genjax.types import InputError

RAMP = np.arange(60, dtype=np.uint8)[:, None, None] * np.ones((1, 2, 3), np.uint8)  # image i is filled with i
LABELS = np.arange(60) % 4


def test_digits_are_stacked_within_their_split():
    single, triples = data.load("digits"), data.load("stacked:digits")
    assert (triples.name, triples.shape, triples.bounded) == ("stacked:digits", (8, 8, 3), True)
    assert triples.scale == single.scale
    for part in ("train", "validation", "test"):
        split, origin = getattr(triples, part), getattr(single, part)
        chex.assert_shape(split.x, (len(origin.x), 8, 8, 3))
        assert (split.x.dtype, split.y.dtype) == (np.uint8, np.int32)
        known = {image.tobytes(): label for image, label in zip(origin.x[..., 0], origin.y, strict=True)}
        for image, label in zip(split.x[:100], split.y[:100], strict=True):
            digits = [known[np.ascontiguousarray(image[..., channel]).tobytes()] for channel in range(3)]
            assert label == int("".join(map(str, digits)))


def test_triples_never_change():
    chex.assert_trees_all_equal(data.load("stacked:digits").test, data.load("stacked:digits").test)
    np.testing.assert_array_equal(present(data.load("stacked:digits").train.y)[:6], [353, 71, 955, 402, 755, 915])


def test_channels_are_drawn_apart_and_evenly():
    drawn = stacked.stack("s", assemble("ramp", {"train": Split(RAMP, LABELS)})).train.x[:, 0, 0].astype(int)  # [n, 3]
    y = present(data.load("stacked:digits").train.y)
    counts = np.bincount(y, minlength=1000)
    # n picks of a thousand modes leave about 1000 exp(-n / 1000) of them out.
    assert abs((counts == 0).sum() - 1000 * np.exp(-len(y) / 1000)) < 4 * np.sqrt(1000 * 0.24 * 0.76)
    assert all((drawn[:, a] != drawn[:, b]).any() for a, b in ((0, 1), (0, 2), (1, 2)))


@pytest.mark.parametrize(
    ("names", "classes"), [((), 4), (("a", "b", "c", "d", "e"), 5)], ids=["counted in the labels", "named"]
)
def test_labels_count_in_the_number_of_classes(names, classes):
    single = assemble("ramp", {"train": Split(RAMP, LABELS)}, 1 / 255, names)
    split = stacked.stack("s", single).train
    digits = split.x[:, 0, 0].astype(int) % 4  # [n, 3]
    np.testing.assert_array_equal(split.y, digits @ [classes**2, classes, 1])


FLAT = np.zeros((30, 4, 4), np.uint8)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (Split(np.zeros((30, 2), np.float32), LABELS[:30]), r"shape \(2,\)"),
        (Split(np.zeros((30, 4, 4, 3), np.uint8), LABELS[:30]), r"shape \(4, 4, 3\)"),
        (Split(FLAT), "has no labels"),
        (Split(FLAT, np.zeros((30, 2), int)), "has no labels"),
    ],
    ids=["points", "colour", "no labels", "factors"],
)
def test_what_cannot_be_stacked_is_refused(given, message):
    with pytest.raises(InputError, match=message) as caught:
        stacked.stack("stacked:it", assemble("it", {"train": given}))
    assert str(caught.value).startswith("stacked:it: ")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("stacked:stacked:digits", r"only grey images are stacked; stacked:digits has examples of shape \(8, 8, 3\)"),
        ("stacked:ring8", "only grey images"),
        ("stacked:sprites32", "has no labels"),
        ("stacked:digit", "no data source 'digit': the nearest is 'digits'"),
        ("stacked:npz:nowhere.npz", "npz:nowhere.npz: no such file"),
        ("stacked:", "no data source"),
        ("stacked", "no data source"),
        ("stcked:digits", "the nearest is 'stacked:digits'"),
    ],
)
def test_sources_by_name(source, message):
    with pytest.raises(InputError, match=message):
        data.load(source)


@pytest.mark.slow
@pytest.mark.skipif("TFDS_DATA_DIR" not in os.environ, reason="needs the real data")
def test_stacked_mnist_has_a_thousand_modes():
    triples = data.load("stacked:tfds:mnist")
    assert [len(split.x) for split in (triples.train, triples.validation, triples.test)] == [54_000, 6_000, 10_000]
    assert triples.shape == (28, 28, 3)
    assert len(np.unique(present(triples.train.y))) == 1000
