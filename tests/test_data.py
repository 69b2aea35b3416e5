"""The built-in sources, the splits, and the shape that every data set has."""

import chex
import numpy as np
import pytest
from present import present

from genjax import data
from genjax.data import Split, mixtures, sprites
from genjax.data.assemble import assemble, pixel_scale
from genjax.data.splits import assign
from genjax.types import InputError

# source: (sizes of the splits, shape, dtype, bounded, scale, columns of targets)
BUILT_IN = {
    "digits": ((1439, 179, 179), (8, 8, 1), np.uint8, True, 1 / 16, ()),
    "ring8": ((10_000, 2_500, 2_500), (2,), np.float32, False, 1.0, ()),
    "grid25": ((10_000, 2_500, 2_500), (2,), np.float32, False, 1.0, ()),
    "sprites": ((19_662, 2_457, 2_457), (64, 64, 1), np.uint8, True, 1.0, (5,)),
    "sprites32": ((19_662, 2_457, 2_457), (32, 32, 1), np.uint8, True, 1.0, (5,)),
}


@pytest.mark.parametrize("source", BUILT_IN)
def test_built_in_source(source):
    sizes, shape, dtype, bounded, scale, columns = BUILT_IN[source]
    dataset = data.load(source)
    assert (dataset.name, dataset.shape, dataset.bounded, dataset.scale) == (source, shape, bounded, scale)
    for split, size in zip((dataset.train, dataset.validation, dataset.test), sizes, strict=True):
        chex.assert_shape(split.x, (size, *shape))
        chex.assert_shape(split.y, (size, *columns))
        assert split.x.dtype == dtype
        assert present(split.y).dtype == np.int32
    if bounded:
        assert dataset.train.x.max() * scale == 1
    chex.assert_trees_all_equal(data.load(source).train, dataset.train)


def test_digits_are_all_there_once():
    dataset = data.load("digits")
    assert dataset.target_names == tuple("0123456789")
    x = np.concatenate([dataset.train.x, dataset.validation.x, dataset.test.x])
    y = np.concatenate([present(split.y) for split in (dataset.train, dataset.validation, dataset.test)])
    np.testing.assert_array_equal(np.bincount(y), [178, 182, 177, 183, 181, 182, 181, 179, 174, 180])
    assert len(np.unique(x, axis=0)) == 1797


def test_describe_gives_the_training_mean_in_a_models_values():
    dataset = data.load("digits")
    spec = data.describe(dataset, dynamic_binarisation=True)
    assert (spec.shape, spec.bounded, spec.scale, spec.dynamic_binarisation) == ((8, 8, 1), True, 1 / 16, True)
    np.testing.assert_allclose(spec.mean, dataset.train.x.astype(np.float64).mean(0) / 16, rtol=1e-6)


@pytest.mark.parametrize(("source", "modes", "nearest"), [("ring8", 8, 2 * np.sin(np.pi / 8)), ("grid25", 25, 2.0)])
def test_mixture_has_distinct_modes_of_the_stated_width(source, modes, nearest):
    dataset = data.load(source)
    assert dataset.modes is not None
    centres, sigma = dataset.modes
    chex.assert_shape(centres, (modes, 2))
    gaps = np.linalg.norm(centres[:, None] - centres[None], axis=-1)[~np.eye(modes, dtype=bool)]
    assert gaps.min() == pytest.approx(nearest, rel=1e-6)  # a ring drawn by linspace(0, 2 pi, 8) has a gap of nought
    for split in (dataset.train, dataset.validation, dataset.test):
        assert len(np.unique(present(split.y))) == modes
        offset = split.x - centres[split.y]
        assert offset.std() == pytest.approx(sigma, rel=0.03)
        # A plane Gaussian has 1 - exp(-9/2) of its mass within three standard deviations.
        assert (np.linalg.norm(offset, axis=1) < 3 * sigma).mean() == pytest.approx(1 - np.exp(-4.5), abs=0.007)
    assert not set(map(tuple, dataset.train.x)) & set(map(tuple, dataset.test.x))


def test_mixture_extents():
    ring, grid = mixtures.ring8().modes, mixtures.grid25().modes
    assert ring is not None
    assert grid is not None
    np.testing.assert_allclose(np.linalg.norm(ring.centres, axis=1), 1, rtol=1e-6)
    assert sorted(set(grid.centres.ravel().tolist())) == [-4, -2, 0, 2, 4]
    assert (ring.sigma, grid.sigma) == (0.01, 0.05)


@pytest.mark.parametrize("size", [32, 64])
def test_sprites_are_binary_distinct_and_whole(size):
    images = sprites.draw(size)
    chex.assert_shape(images, (*sprites.FACTORS.values(), size, size))
    assert set(np.unique(images)) == {0, 1}
    flat = np.packbits(images.reshape(-1, size * size), axis=1)
    assert len(np.unique(flat, axis=0)) == len(flat)  # no two combinations of factors look the same
    area = images.sum((-1, -2), dtype=np.int64)
    assert (area == area[..., :1, :1]).all()  # no position cuts a sprite off
    assert (np.diff(area, axis=1) > 0).all()  # a larger scale is larger


def test_sprites_move_with_their_factors():
    images, step = sprites.draw(64), 2
    one = images[2, 3, 5]  # [x, y, 64, 64]
    np.testing.assert_array_equal(np.roll(one[4, 7], step, axis=1), one[5, 7])
    np.testing.assert_array_equal(np.roll(one[4, 7], step, axis=0), one[4, 8])
    rows, columns = np.nonzero(images[1, 3, 2, 8, 8])  # an ellipse turned a quarter of the way from flat to upright
    assert np.corrcoef(rows, columns)[0, 1] < -0.4  # anticlockwise: further right is further up


def test_sprite_targets_index_the_factors():
    dataset = data.load("sprites32")
    assert dataset.target_names == ("shape", "scale", "orientation", "x", "y")
    images = sprites.draw(32)
    for split in (dataset.train, dataset.validation, dataset.test):
        np.testing.assert_array_equal(split.x[::500, :, :, 0], images[tuple(present(split.y)[::500].T)])


@pytest.mark.parametrize(
    ("counts", "sizes", "held_out"),
    [
        ({"train": 100}, (80, 10, 10), ["validation", "test"]),
        ({"train": 1797}, (1439, 179, 179), ["validation", "test"]),
        ({"train": 3}, (1, 1, 1), ["validation", "test"]),
        ({"train": 60_000, "test": 10_000}, (54_000, 6_000, 10_000), ["validation"]),
        ({"train": 100, "test": 4}, (96, 4, 4), ["validation"]),
        ({"train": 100, "validation": 7}, (93, 7, 7), ["test"]),
        ({"train": 50, "validation": 7, "test": 9}, (50, 7, 9), []),
    ],
)
def test_missing_splits_are_held_out_of_training(counts, sizes, held_out):
    assigned = assign("somewhere", counts)
    assert list(assigned) == ["train", "validation", "test"]
    assert tuple(len(index) for _, index in assigned.values()) == sizes
    from_train = np.concatenate([index for origin, index in assigned.values() if origin == "train"])
    np.testing.assert_array_equal(np.sort(from_train), np.arange(counts["train"]))
    assert [part for part in ("validation", "test") if assigned[part][0] == "train"] == held_out


def test_the_split_never_changes():
    assigned = assign("somewhere", {"train": 20})
    chex.assert_trees_all_equal(assigned["test"][1], np.array([0, 17]))
    chex.assert_trees_all_equal(assigned["validation"][1], np.array([3, 9]))


@pytest.mark.parametrize(
    ("x", "scale"),
    [
        (np.array([0, 1], np.uint8), 1),
        (np.array([0, 2], np.uint8), 1 / 255),
        (np.array([0, 255], np.uint8), 1 / 255),
        (np.array([0, 0.5], np.float32), 1),
    ],
)
def test_pixel_scale(x, scale):
    assert pixel_scale(x) == scale


IMAGES = np.zeros((20, 4, 5), np.uint8)
POINTS = np.zeros((20, 2), np.float32)
LABELS = np.zeros(20, np.int64)


def replaced(array, value):
    changed = array.astype(np.float64)
    changed.flat[3] = value
    return changed


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"test": data.Split(IMAGES)}, "no training split"),
        ({"train": data.Split(IMAGES[:0])}, "empty split"),
        ({"train": data.Split(IMAGES[:2])}, "too few"),
        ({"train": data.Split(IMAGES), "test": data.Split(IMAGES[:0])}, "empty split"),
        ({"train": data.Split(IMAGES), "test": data.Split(IMAGES[:, 1:])}, "must be alike"),
        ({"train": data.Split(IMAGES), "test": data.Split(IMAGES / 1.0)}, "must be alike"),
        ({"train": data.Split(IMAGES, LABELS), "test": data.Split(IMAGES)}, "different kinds of labels"),
        ({"train": data.Split(IMAGES, LABELS[:-1])}, "20 examples but 19 labels"),
        ({"train": data.Split(IMAGES, LABELS - 1)}, "number the classes from 0"),
        ({"train": data.Split(IMAGES, LABELS + 2**40)}, "number the classes from 0"),
        ({"train": data.Split(IMAGES, LABELS / 2)}, "labels are integers"),
        ({"train": data.Split(IMAGES, np.array(["a"] * 20))}, "labels are integers"),
        ({"train": data.Split(IMAGES.astype(object))}, "object values"),
        ({"train": data.Split(IMAGES.astype(np.int64))}, "int64 values"),
        ({"train": data.Split(IMAGES.astype(np.complex64))}, "complex64 values"),
        ({"train": data.Split(IMAGES[0])}, "has shape"),
        ({"train": data.Split(np.array(3, np.uint8))}, "has shape"),
        ({"train": data.Split(POINTS[:, 0])}, "has shape"),
        ({"train": data.Split(IMAGES[..., None, None])}, "has shape"),
        ({"train": data.Split(np.zeros((20, 3, 8, 8), np.uint8))}, "1 or 3 channels, last"),
        ({"train": data.Split(IMAGES[:, :, :0])}, "cannot be empty"),
        ({"train": data.Split(replaced(IMAGES, np.nan))}, "NaN or infinite"),
        ({"train": data.Split(replaced(IMAGES, np.inf))}, "NaN or infinite"),
        ({"train": data.Split(replaced(POINTS, np.nan))}, "NaN or infinite"),
        ({"train": data.Split(replaced(POINTS, 1e300))}, "NaN or infinite"),
        ({"train": data.Split(replaced(IMAGES, 255.0))}, "values from 0 to 255"),
        ({"train": data.Split(replaced(IMAGES, -0.1))}, "values from -0.1 to 0"),
    ],
)
def test_what_cannot_be_used_is_refused_in_one_line(given, message):
    with pytest.raises(InputError, match=message) as caught:
        assemble("somewhere", given)
    assert str(caught.value).startswith("somewhere: ")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("digit", "the nearest is 'digits'"),
        ("ring", "the nearest is 'ring8'"),
        ("tfsd:mnist", "the nearest is 'tfds:mnist'"),
        ("digits:3", "no data source"),
        ("tfds", "no data source"),
        ("npz:", "no data source"),
        ("", "'digits', 'ring8', 'grid25', 'sprites', 'sprites32', 'tfds:<name>', 'npz:<path>', 'npy:<path>', "),
        ("digits#resize=4", "digits#resize=4: digits has no options"),
        ("digit#", "the nearest is 'digits'"),
    ],
)
def test_unknown_source_names_the_nearest_and_all(source, message):
    with pytest.raises(InputError, match=message) as caught:
        data.load(source)
    assert "\n" not in str(caught.value)


def test_one_scale_serves_all_splits():
    """A training split that happens to be binary does not make the others' pixels run up to 255."""
    dark, bright = np.array([0, 1] * 50, np.uint8).reshape(25, 2, 2), np.full((5, 2, 2), 255, np.uint8)
    mixed = assemble("mixed", {"train": Split(dark), "validation": Split(bright), "test": Split(dark)})
    assert mixed.scale == 1 / 255
    assert assemble("dark", {"train": Split(dark), "test": Split(dark)}).scale == 1
