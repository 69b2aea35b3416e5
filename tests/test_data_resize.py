"""Images of mixed sizes: the square in the middle, resampled without aliasing, wherever images come from."""

import os

import chex
import numpy as np
import pytest
from PIL import Image
from test_data_tfds import prepare

from genjax import data
from genjax.data import folder as folders
from genjax.data.images import resize_all, resize_pixels
from genjax.types import InputError

RNG = np.random.default_rng(0)


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("GENJAX_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def photos(tmp_path):
    """Twelve images of random sizes; image i is filled with 20 i, one of them in colour."""
    root = tmp_path / "photos"
    root.mkdir()
    for i in range(12):
        height, width = RNG.integers(5, 40, 2)
        image = Image.fromarray(np.full((height, width), 20 * i, np.uint8))
        (image.convert("RGB") if i == 3 else image).save(root / f"{i:02}.png")
    return root


def all_images(dataset):
    return np.concatenate([dataset.train.x, dataset.validation.x, dataset.test.x])


def test_a_folder_of_mixed_sizes(photos):
    with pytest.raises(InputError, match=rf"cut and resize them, as by folder:{photos}#resize=64") as caught:
        data.load(f"folder:{photos}")
    assert "\n" not in str(caught.value)
    dataset = data.load(f"folder:{photos}#resize=8")
    assert (dataset.shape, dataset.scale) == ((8, 8, 3), 1 / 255)
    np.testing.assert_array_equal(np.sort(all_images(dataset)[:, 0, 0, 0]), 20 * np.arange(12))
    np.testing.assert_array_equal(all_images(dataset).std(axis=(1, 2, 3)), 0)


@pytest.mark.parametrize(
    ("shape", "at"), [((4, 9), np.s_[:, 2:6]), ((9, 4), np.s_[2:6, :]), ((4, 4), np.s_[:, :])], ids=str
)
@pytest.mark.parametrize("channels", [1, 3])
def test_the_square_in_the_middle_is_kept_as_it_is_where_it_has_the_size(shape, at, channels):
    x = RNG.integers(0, 256, (*shape, channels), dtype=np.uint8)
    np.testing.assert_array_equal(resize_pixels(x, 4), x[at])


def test_resizing_does_not_alias():
    """Stripes of one pixel become grey: a filter of fixed support would take every eighth column, all black."""
    stripes = np.zeros((64, 64, 1), np.uint8)
    stripes[:, 1::2] = 255
    assert abs(resize_pixels(stripes, 8).astype(int) - 127).max() <= 5


@pytest.mark.parametrize("shape", [(14, 42), (42, 14), (7, 21), (3, 9)])
def test_the_shorter_side_is_resized_and_the_middle_cut_out(shape):
    x = RNG.integers(0, 256, (*shape, 3), dtype=np.uint8)
    height, width = (7 * length // min(shape) for length in shape)
    whole = np.asarray(Image.fromarray(x).resize((width, height), Image.Resampling.BICUBIC))
    np.testing.assert_array_equal(resize_pixels(x, 7), whole[(height - 7) // 2 :, (width - 7) // 2 :][:7, :7])


@pytest.mark.parametrize("shape", [(9, 6, 8), (9, 6, 8, 1), (9, 6, 8, 3)])
def test_arrays_are_resized(tmp_path, shape):
    x = RNG.integers(0, 256, shape, dtype=np.uint8)
    np.savez(tmp_path / "a.npz", x=x)
    dataset = data.load(f"npz:{tmp_path / 'a.npz'}#resize=3")
    assert dataset.shape == (3, 3, 3 if shape[3:] == (3,) else 1)
    assert {image.tobytes() for image in all_images(dataset)} == {image.tobytes() for image in resize_all("", x, 3)}


@pytest.mark.parametrize(
    "x",
    [np.ones((9, 6, 8), np.uint8), np.ones((9, 6, 8), bool), np.ones((9, 6, 8)), np.ones((9, 2)), np.full(9, 7, "u1")],
    ids=["binary", "bool", "floats", "points", "numbers"],
)
def test_arrays_that_are_not_resized(tmp_path, x):
    np.savez(tmp_path / "a.npz", x=x)
    with pytest.raises(InputError, match="resize is for images of bytes, not 0 and 1 alone") as caught:
        data.load(f"npz:{tmp_path / 'a.npz'}#resize=3")
    assert "\n" not in str(caught.value)


def test_sizes_are_data_of_their_own(photos, own_cache):
    sources = [f"folder:{photos}#resize={size}" for size in (4, 5, 4)]
    digests = [data.fingerprint(data.load(source))["digest"] for source in sources]
    assert digests[0] == digests[2] != digests[1]
    assert len(list((own_cache / "folder").iterdir())) == 2


def test_a_folder_is_decoded_once_and_again_after_a_change(photos, monkeypatch):
    source = f"folder:{photos}#resize=4"
    first = data.load(source)
    decode, decoded = folders.decode_file, []
    monkeypatch.setattr(folders, "decode_file", lambda path, *rest: decoded.append(path) or decode(path, *rest))
    chex.assert_trees_all_equal(data.load(source)[1:4], first[1:4])
    assert decoded == []
    for change in (
        lambda: os.utime(photos / "00.png", ns=(0, 0)),
        lambda: (photos / "00.png").rename(photos / "99.png"),
        lambda: (photos / "99.png").unlink(),
    ):
        change()
        decoded.clear()
        data.load(source)
        assert len(decoded) == len(list(photos.iterdir()))


@pytest.fixture
def data_dir(tmp_path, monkeypatch):
    monkeypatch.setenv("TFDS_DATA_DIR", str(tmp_path))
    return tmp_path


def test_tfds_images_are_resized(data_dir, own_cache):
    prepare(data_dir, data_dir)
    dataset, resized = data.load("tfds:genjax_tiny"), data.load("tfds:genjax_tiny#resize=3")
    assert resized.shape == (3, 3, 1)
    np.testing.assert_array_equal(resized.train.x[:, 0, 0], dataset.train.x[:, 0, 0])
    np.testing.assert_array_equal(resized.train.y, dataset.train.y)
    assert len(list((own_cache / "tfds" / "genjax_tiny").iterdir())) == 2


def test_binary_tfds_images_are_not_resized(data_dir):
    prepare(data_dir, data_dir, values=2)
    with pytest.raises(InputError, match="holds 0 and 1 alone; resize is for images of bytes"):
        data.load("tfds:genjax_tiny#resize=3")


def test_tfds_images_of_mixed_sizes(data_dir):
    prepare(data_dir, data_dir, features=("photo",))
    with pytest.raises(InputError, match="as by tfds:genjax_tiny#resize=64"):
        data.load("tfds:genjax_tiny")
    x = data.load("tfds:genjax_tiny#resize=4").test.x
    np.testing.assert_array_equal(x, np.broadcast_to(x[:, :1, :1], (10, 4, 4, 3)))
    np.testing.assert_array_equal(np.sort(x[:, 0, 0, 0]), np.arange(10))
