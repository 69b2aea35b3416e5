"""Data sets of Hugging Face: folders that are made here, read by its library, without a network."""

import io
import json
import logging
import os
import sys
from collections.abc import Sequence

os.environ["HF_HUB_OFFLINE"] = os.environ["HF_DATASETS_OFFLINE"] = "1"  # before the library is imported

import chex
import numpy as np
import pytest
from PIL import Image
from present import present

from genjax import data
from genjax.data import huggingface
from genjax.types import InputError

datasets = pytest.importorskip("datasets")
RNG = np.random.default_rng(0)
PIXELS = RNG.integers(0, 256, (30, 6, 5), dtype=np.uint8)
CLASSES = datasets.ClassLabel(names=["cat", "dog"])


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("GENJAX_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", str(tmp_path / "hf"))
    return tmp_path / "cache"


def png(pixels):
    Image.fromarray(pixels).save(buffer := io.BytesIO(), "PNG")
    return {"bytes": buffer.getvalue(), "path": None}


def table(pixels: Sequence[np.ndarray] | np.ndarray = PIXELS, **columns):
    """Rows with an image and whatever columns are given as `(feature, values)`."""
    columns = {"img": (datasets.Image(), [png(image) for image in pixels]), **columns}
    features = datasets.Features({name: feature for name, (feature, _) in columns.items()})
    return datasets.Dataset.from_dict({name: values for name, (_, values) in columns.items()}, features=features)


def labelled(pixels=PIXELS):
    return table(pixels, kind=(CLASSES, [i % 2 for i in range(len(pixels))]))


def write(folder, **splits):
    """Parquet files as the hub has them."""
    (folder / "data").mkdir(parents=True, exist_ok=True)
    for name, rows in splits.items():
        rows.to_parquet(folder / "data" / f"{name}-00000-of-00001.parquet")
    return f"hf:{folder}"


def refusal(source):
    with pytest.raises(InputError) as caught:
        data.load(source)
    assert "\n" not in str(caught.value)
    assert str(caught.value).startswith(source)
    return str(caught.value)


@pytest.mark.parametrize("validation", [None, "validation", "valid"])
def test_parquet_with_splits_and_classes(tmp_path, validation):
    splits = {"train": labelled(), "test": labelled(PIXELS[:6])} | (
        {validation: labelled(PIXELS[6:9])} if validation else {}
    )
    dataset = data.load(write(tmp_path / "a", **splits))
    assert (dataset.shape, dataset.scale, dataset.target_names) == ((6, 5, 1), 1 / 255, ("cat", "dog"))
    np.testing.assert_array_equal(dataset.test.x[..., 0], PIXELS[:6])
    np.testing.assert_array_equal(dataset.test.y, [0, 1, 0, 1, 0, 1])
    assert [len(split.x) for split in dataset[1:4]] == ([30, 3, 6] if validation else [27, 3, 6])
    known = {image.tobytes(): i % 2 for i, image in enumerate(PIXELS)}
    assert [known[image.tobytes()] for image in dataset.train.x] == list(present(dataset.train.y))


def test_columns_are_named_where_types_do_not_tell(tmp_path):
    numbers = list(range(30))
    rows = table(other=(datasets.Image(), [png(255 - image) for image in PIXELS]), fine=(CLASSES, [0, 1] * 15),
                 coarse=(CLASSES, [1] * 30), number=(datasets.Value("int64"), numbers))  # fmt: skip
    source = write(tmp_path / "a", train=rows)
    assert f"its columns of images are img, other; name one, as {source}#images=img" in refusal(source)
    assert "its columns of labels are fine, coarse; name one" in refusal(f"{source}#images=other")
    dataset = data.load(f"{source}#images=other,labels=number")
    for image, label in zip(dataset.train.x[..., 0], present(dataset.train.y), strict=True):
        np.testing.assert_array_equal(image, 255 - PIXELS[label])
    assert dataset.target_names == ()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ("images=imgs", "no column 'imgs': the nearest is 'img'; it has img, name, score"),
        ("images=name", "column 'name' holds Value('string'), not images"),
        ("labels=name", "column 'name' holds Value('string'); labels are whole numbers"),
        ("labels=score", "holds Value('float32'); labels are whole numbers"),
        ("labels=img", "labels are whole numbers"),
        ("config=large", "no configuration 'large'"),
        ("resize=0", "must be a whole number"),
        ("split=train", "no option 'split'"),
    ],
)
def test_options_that_cannot_be_used(tmp_path, options, message):
    rows = table(name=(datasets.Value("string"), ["a"] * 30), score=(datasets.Value("float32"), [0.5] * 30))
    assert message in refusal(f"{write(tmp_path / 'a', train=rows)}#{options}")


def test_bytes_without_the_type_of_an_image(tmp_path):
    stored = {"bytes": datasets.Value("binary"), "path": datasets.Value("string")}
    rows = table(img=(stored, [png(image) for image in PIXELS]))
    dataset = data.load(write(tmp_path / "a", train=rows, test=rows))
    np.testing.assert_array_equal(dataset.test.x[..., 0], PIXELS)
    assert dataset.train.y is None


def test_a_folder_of_images(tmp_path):
    for part, label, i in ((part, label, i) for part in ("train", "test") for label in ("a", "b") for i in range(4)):
        path = tmp_path / "a" / part / label / f"{i}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(PIXELS[i + 4 * (label == "b")]).save(path)
    dataset = data.load(f"hf:{tmp_path / 'a'}")
    assert dataset.target_names == ("a", "b")
    np.testing.assert_array_equal(dataset.test.x[..., 0], PIXELS[:8])
    np.testing.assert_array_equal(dataset.test.y, [0] * 4 + [1] * 4)
    (tmp_path / "a" / "train" / "a" / "2.png").write_bytes(b"hello")
    assert f"({tmp_path / 'a' / 'train' / 'a' / '2.png'}) cannot be read as an image" in refusal(f"hf:{tmp_path / 'a'}")


def test_what_save_to_disk_writes(tmp_path):
    datasets.DatasetDict({"train": labelled(), "test": labelled(PIXELS[:6])}).save_to_disk(tmp_path / "both")
    labelled().save_to_disk(tmp_path / "one")
    np.testing.assert_array_equal(data.load(f"hf:{tmp_path / 'both'}").test.x[..., 0], PIXELS[:6])
    assert len(data.load(f"hf:{tmp_path / 'one'}").train.x) == 24
    assert "has no configurations" in refusal(f"hf:{tmp_path / 'one'}#config=large")


def test_images_of_mixed_sizes(tmp_path):
    source = write(tmp_path / "a", train=table([PIXELS[0], PIXELS[1, :5], *PIXELS[2:]]))
    line = refusal(source)
    assert "image 1 of train is 5x5 pixels, image 0 of train is 5x6" in line
    assert line.endswith(f"as by {source}#resize=64")
    assert [data.load(f"{source}#resize={size}").shape[0] for size in (4, 3)] == [4, 3]


def test_a_configuration_is_named(tmp_path):
    for name in ("large", "small"):
        write(tmp_path / "a" / name, train=labelled() if name == "large" else labelled(PIXELS[:20]))
    configs = [{"config_name": name, "data_files": f"{name}/data/*.parquet"} for name in ("large", "small")]
    (tmp_path / "a" / "README.md").write_text(f"---\nconfigs: {json.dumps(configs)}\n---\n")
    source = f"hf:{tmp_path / 'a'}"
    assert f"its configurations are large, small; name one, as {source}#config=large" in refusal(source)
    assert "no configuration 'smal': the nearest is 'small'" in refusal(f"{source}#config=smal")
    assert len(data.load(f"{source}#config=small").train.x) == 16


def test_decoded_once_and_again_after_a_change(tmp_path, own_cache, monkeypatch):
    source = write(tmp_path / "a", train=labelled())
    first = data.load(source)
    with monkeypatch.context() as patch:
        patch.setattr(huggingface, "decode", None)
        chex.assert_trees_all_equal(data.load(source)[1:4], first[1:4])
    write(tmp_path / "a", train=labelled(255 - PIXELS))
    np.testing.assert_array_equal(data.load(source).train.x, 255 - first.train.x)
    assert len(list((own_cache / "hf").iterdir())) == 2


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({}, "doesn't contain any data files"),
        ({"train.parquet": b"hello"}, "cannot be read (Parquet"),
        ({"train.txt": b"hello\n"}, "no column has the type Image; it has text"),
        ({"train.py": b"raise SystemExit"}, "cannot be read"),
    ],
    ids=["empty", "damaged", "no images", "a program"],
)
def test_folders_that_cannot_be_used(tmp_path, files, message, capfd, monkeypatch):
    monkeypatch.setattr(logging.getLogger("datasets"), "handlers", [logging.StreamHandler(log := io.StringIO())])
    (tmp_path / "a").mkdir()
    for name, content in files.items():
        (tmp_path / "a" / name).write_bytes(content)
    assert message in refusal(f"hf:{tmp_path / 'a'}")
    assert capfd.readouterr().err + log.getvalue() == ""


@pytest.mark.parametrize(
    ("stored", "message"),
    [
        ({"bytes": b"hello", "path": None}, "image 1 of train cannot be read as an image"),
        ({"bytes": b"hello", "path": "face.png"}, "image 1 of train (face.png) cannot be read as an image"),
        (None, "image 1 of train is missing"),
    ],
)
def test_an_image_that_cannot_be_read(tmp_path, stored, message):
    rows = table(img=(datasets.Image(), [png(PIXELS[0]), stored, png(PIXELS[2])]))
    assert message in refusal(write(tmp_path / "a", train=rows))


@pytest.mark.parametrize(
    ("splits", "message"),
    [
        ({"test": labelled()}, "there is no training split, only test"),
        ({"train": labelled(PIXELS[:2])}, "too few examples"),
        ({"train": table(kind=(CLASSES, [0] * 29 + [None]))}, "object labels"),
        ({"train": table(kind=(CLASSES, [0] * 29 + [-1]))}, "number the classes from 0"),
    ],
    ids=["no train", "too few", "a label is missing", "a label is hidden"],
)
def test_rows_that_cannot_be_used(tmp_path, splits, message):
    assert message in refusal(write(tmp_path / "a", **splits))


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("nowhere", "no such folder; a data set of the hub is written owner/name"),
        ("imagefolder", "no such folder; a data set of the hub is written owner/name"),
        ("../a", "no such folder"),
        ("owner/name", "cannot be read (Couldn't reach 'owner/name' on the Hub"),
    ],
)
def test_names(name, message):
    assert message in refusal(f"hf:{name}")


def test_without_the_library_a_line_names_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "datasets", None)
    assert "needs the extra `hf` of genjax-models: pip install" in refusal("hf:owner/name")
