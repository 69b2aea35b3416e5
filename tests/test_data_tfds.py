"""TFDS: a tiny data set that is prepared here without TensorFlow, and the real ones where they are."""

import io
import json
import os
import shutil
import subprocess
import sys

import chex
import numpy as np
import pytest
from present import present

from genjax import data
from genjax.types import InputError


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("GENJAX_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


TRAIN, TEST = 40, 10


def prepare(
    data_dir, package, version="1.0.0", features=None, fields=(), splits=(("train", TRAIN), ("test", TEST)), values=256
):
    """Prepares `genjax_tiny`, whose image i is filled with i modulo `values`, as TFDS does it, without TensorFlow."""
    import tensorflow_datasets as library
    from etils import epath
    from PIL import Image

    def png(value, *shape):
        buffer = io.BytesIO()
        Image.fromarray(np.full(shape, value, np.uint8)).save(buffer, "PNG")
        buffer.seek(0)
        return buffer

    class GenjaxTiny(library.core.GeneratorBasedBuilder, skip_registration=True):  # pyright: ignore
        VERSION = library.core.Version(version)
        pkg_dir_path = epath.Path(package)

        def _info(self):
            label = library.features.ClassLabel(names=["even", "odd"])
            known = {
                "image": library.features.Image(shape=(6, 5, 1)),
                "photo": library.features.Image(),  # in colour, of any size
                "label": label,
                "other": label,
                "number": np.int64,
            }
            wanted = library.features.FeaturesDict({name: known[name] for name in features or ("image", "label")})
            supervised = ("image", "label") if features is None else None
            return library.core.DatasetInfo(builder=self, features=wanted, supervised_keys=supervised)

        def _split_generators(self, dl_manager):
            return {name: self._generate_examples(n) for name, n in splits}

        def _generate_examples(self, n):
            for i in range(n):
                photo = png(i, 4 + i % 3, 5, 3)
                every = {
                    "image": png(i % values, 6, 5),
                    "photo": photo,
                    "label": i % 2,
                    "other": i % 2,
                    "number": i,
                }
                yield i, {name: every[name] for name in features or ("image", "label")}

    GenjaxTiny(data_dir=data_dir, file_format="array_record").download_and_prepare()


@pytest.fixture
def data_dir(tmp_path, monkeypatch):
    folder = tmp_path / "prepared"
    folder.mkdir()
    monkeypatch.setenv("TFDS_DATA_DIR", str(folder))
    return folder


@pytest.fixture
def tiny(data_dir, tmp_path):
    prepare(data_dir, tmp_path)
    return data_dir


def test_tfds_images_labels_and_held_out_split(tiny):
    dataset = data.load("tfds:genjax_tiny")
    assert (dataset.shape, dataset.scale, dataset.target_names) == ((6, 5, 1), 1 / 255, ("even", "odd"))
    for split, size in ((dataset.train, 36), (dataset.validation, 4), (dataset.test, TEST)):
        chex.assert_shape([split.x, split.y], [(size, 6, 5, 1), (size,)])
        assert isinstance(split.x.base, np.memmap)
        np.testing.assert_array_equal(split.x, np.broadcast_to(split.x[:, :1, :1], split.x.shape))
        np.testing.assert_array_equal(split.y, split.x[:, 0, 0, 0] % 2)
    values = np.concatenate([dataset.train.x, dataset.validation.x])[:, 0, 0, 0]
    np.testing.assert_array_equal(np.sort(values), np.arange(TRAIN))
    np.testing.assert_array_equal(np.sort(dataset.test.x[:, 0, 0, 0]), np.arange(TEST))


def test_second_load_reads_the_cache_alone(tiny, monkeypatch):
    first = data.load("tfds:genjax_tiny")
    for path in tiny.rglob("*array_record*"):
        path.unlink()
    monkeypatch.setitem(sys.modules, "tensorflow_datasets", None)  # importing it is an error from here on
    chex.assert_trees_all_equal(first.train, data.load("tfds:genjax_tiny").train)


def test_truncated_cache_is_decoded_again(tiny, own_cache):
    first = data.load("tfds:genjax_tiny")
    expected = np.array(first.train.x)
    (path,) = own_cache.rglob("train_x.npy")
    path.rename(path.with_suffix(".old"))  # the open map keeps its file
    path.write_bytes(path.with_suffix(".old").read_bytes()[:-10])
    np.testing.assert_array_equal(data.load("tfds:genjax_tiny").train.x, expected)


def test_versions_are_kept_apart_and_the_newest_is_the_default(tiny, tmp_path, own_cache):
    prepare(tiny, tmp_path, version="1.10.0", splits=(("train", 20), ("test", 5)))
    sizes = {source: len(data.load(source).test.x) for source in ("tfds:genjax_tiny", "tfds:genjax_tiny:1.0.0")}
    assert sizes == {"tfds:genjax_tiny": 5, "tfds:genjax_tiny:1.0.0": TEST}
    entries = own_cache.glob("tfds/genjax_tiny/*")
    assert sorted(path.name.partition("-")[0] for path in entries) == ["1.0.0", "1.10.0"]


def test_a_data_set_prepared_anew_is_decoded_anew(tiny, tmp_path):
    assert len(data.load("tfds:genjax_tiny").test.x) == TEST
    shutil.rmtree(tiny / "genjax_tiny")
    prepare(tiny, tmp_path, splits=(("train", 20), ("test", 5)))
    assert len(data.load("tfds:genjax_tiny").test.x) == 5


@pytest.mark.parametrize(("brightest", "scale"), [(1, 1), (2, 1 / 255)])
def test_several_labels_are_factors_and_pixels_binary_in_every_split_keep_their_scale(
    data_dir, tmp_path, brightest, scale
):
    splits = (("train", 2), ("test", 2), ("validation", brightest + 1))  # image i is filled with i
    prepare(data_dir, tmp_path, features=("image", "label", "other"), splits=splits)
    dataset = data.load("tfds:genjax_tiny")
    assert (dataset.scale, dataset.target_names) == (scale, ("label", "other"))
    chex.assert_shape([dataset.train.y, dataset.validation.y], [(2, 2), (brightest + 1, 2)])


@pytest.mark.parametrize(
    ("features", "splits", "message"),
    [
        (("number",), (("train", 3),), "not an image data set; it holds number"),
        (("image",), (("test", 3),), "no training split"),
        (("image",), (("train", 2),), "too few"),
    ],
)
def test_tfds_data_that_cannot_be_used(data_dir, tmp_path, features, splits, message):
    prepare(data_dir, tmp_path, features=features, splits=splits)
    with pytest.raises(InputError, match=message):
        data.load("tfds:genjax_tiny")


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("tfds:cifar10", r"not prepared in .*pip install tensorflow && tfds build cifar10 --file_format=array_record"),
        ("tfds:cifar10:9.9.9", "version 9.9.9 is not prepared"),
        ("tfds:mnst", "and TFDS has no data set 'mnst': the nearest is 'mnist'"),
        ("tfds:qqqq", "it is not in .*, and TFDS has no data set 'qqqq': "),
        ("tfds:../mnist", "is written name"),
        ("tfds:mnist/../x", "is written name"),
    ],
)
def test_absent_tfds_data_is_one_line(data_dir, source, message):
    with pytest.raises(InputError, match=message) as caught:
        data.load(source)
    assert "\n" not in str(caught.value)
    assert not list(data_dir.iterdir())  # nothing is downloaded or made


def test_a_configuration_must_be_named(data_dir):
    folder = data_dir / "many" / "small" / "1.0.0"
    folder.mkdir(parents=True)
    (folder / "dataset_info.json").write_text("{}")
    with pytest.raises(InputError, match="such as tfds:many/small"):
        data.load("tfds:many")


def test_a_format_that_needs_tensorflow(tiny):
    path = tiny / "genjax_tiny" / "1.0.0" / "dataset_info.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"fileFormat": "tfrecord"}))
    with pytest.raises(InputError, match="cannot be read without TensorFlow"):
        data.load("tfds:genjax_tiny")


@pytest.mark.parametrize("name", ["features.json", "genjax_tiny-train.array_record-00000-of-00001"])
def test_damaged_tfds_files(tiny, name):
    (tiny / "genjax_tiny" / "1.0.0" / name).write_bytes(b"{")
    with pytest.raises(InputError, match="cannot be read"):
        data.load("tfds:genjax_tiny")


def test_importing_the_sources_imports_none_of_their_libraries():
    libraries = {"tensorflow_datasets", "datasets", "sklearn", "scipy", "PIL"}
    code = f"import sys, genjax.data; print(sorted({libraries} & sys.modules.keys()))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


needs_real_data = pytest.mark.skipif("TFDS_DATA_DIR" not in os.environ, reason="TFDS_DATA_DIR is not set")


@pytest.mark.slow
@needs_real_data
def test_mnist():
    dataset = data.load("tfds:mnist")
    assert (dataset.shape, dataset.scale, dataset.target_names) == ((28, 28, 1), 1 / 255, tuple("0123456789"))
    chex.assert_shape([dataset.train.x, dataset.validation.x], [(54_000, 28, 28, 1), (6_000, 28, 28, 1)])
    labels = np.concatenate([present(dataset.train.y), present(dataset.validation.y)])
    np.testing.assert_array_equal(np.bincount(labels), [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949])
    np.testing.assert_array_equal(
        np.bincount(present(dataset.test.y)), [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]
    )
    assert data.describe(dataset).mean.mean() == pytest.approx(0.1307, abs=5e-4)


@pytest.mark.slow
@needs_real_data
def test_binarized_mnist():
    dataset = data.load("tfds:binarized_mnist")
    assert (dataset.scale, dataset.train.y, dataset.target_names) == (1, None, ())
    for split, size in ((dataset.train, 50_000), (dataset.validation, 10_000), (dataset.test, 10_000)):
        chex.assert_shape(split.x, (size, 28, 28, 1))
        assert set(np.unique(split.x)) == {0, 1}
