"""How a source is written, and arrays under other names, in other files and with other orders of their axes."""

import io
from pathlib import Path

import chex
import numpy as np
import pytest
from present import present
from scipy.io import savemat

from genjax import data, default_config
from genjax.api.run import load_run
from genjax.commands.main import main
from genjax.data.source import Source, parse, write
from genjax.runs import loop
from genjax.types import InputError

RNG = np.random.default_rng(0)
GREY = RNG.integers(0, 256, (30, 6, 5), dtype=np.uint8)
COLOUR = RNG.integers(0, 256, (30, 6, 5, 3), dtype=np.uint8)
LABELS = np.arange(30) % 4


def saved(path, **arrays):
    np.savez(path / "a.npz", **arrays)
    return f"npz:{path / 'a.npz'}"


def refusal(source):
    with pytest.raises(InputError) as caught:
        data.load(source)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def all_examples(dataset):
    splits = (dataset.train, dataset.validation, dataset.test)
    return {image.tobytes(): label for split in splits for image, label in zip(split.x, present(split.y), strict=True)}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("digits", ("digits", "", {})),
        ("tfds:mnist:3.0.1", ("tfds", "mnist:3.0.1", {})),
        ("npz:a.npz#images=x,labels=y", ("npz", "a.npz", {"images": "x", "labels": "y"})),
        ("npz:a#b.npz#", ("npz", "a#b.npz", {})),
        ("digits#a=b", ("digits", "", {"a": "b"})),
        ("npz:a#b.npz#images=x=1", ("npz", "a#b.npz", {"images": "x=1"})),
        ("stacked:npz:a.npz#images=x", ("stacked", "npz:a.npz#images=x", {})),
    ],
)
def test_a_source_in_its_parts(text, expected):
    source = parse(text)
    assert source == Source(text, *expected)
    assert write(source) == text


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("npz:a.npz#foo=1", "no option 'foo': there are 'images', 'labels', 'axes', 'resize'"),
        ("npz:a.npz#image=x", "no option 'image': the nearest is 'images'"),
        ("npz:a.npz#images", "an option is written name=value, not 'images'"),
        ("npz:a.npz#images=", "an option is written name=value, not 'images='"),
        ("npz:a.npz#=x", "an option is written name=value, not '=x'"),
        ("npz:a.npz#images=x,", "an option is written name=value, not ''"),
        ("npz:a#b.npz", "a path that has a '#' ends with another"),
        ("npz:a.npz#images=x,images=y", "option 'images' stands there twice"),
        ("npz:a.npz#resize=0", "resize=0 must be a whole number from 1 to 4096"),
        ("folder:a#resize=4097", "resize=4097 must be a whole number"),
        ("folder:a#resize=1.5", "resize=1.5 must be a whole number"),
        ("folder:a#resize=²", "must be a whole number"),
        ("folder:a#images=x", "no option 'images'"),
        ("hf:a#axes=nhwc", "no option 'axes'"),
        ("tfds:mnist#config=x", "no option 'config'"),
        ("stacked:npz:a.npz#foo=1", "no option 'foo'"),
    ],
)
def test_options_that_mean_nothing_are_refused(text, message):
    line = refusal(text)
    assert line.startswith(text.removeprefix("stacked:"))
    assert message in line


def test_a_path_with_a_hash(tmp_path):
    np.savez(tmp_path / "a#b.npz", x=GREY)
    assert data.load(f"npz:{tmp_path / 'a#b.npz'}#").shape == (6, 5, 1)


def test_npz_keys_that_are_named(tmp_path, tmp_path_factory):
    source = saved(tmp_path, pixels=GREY, person=LABELS, other=np.array([{}], dtype=object))
    plain = data.load(saved(tmp_path_factory.mktemp("plain"), x=GREY, y=LABELS))
    chex.assert_trees_all_equal(data.load(f"{source}#images=pixels,labels=person").train, plain.train)
    assert data.load(f"{source}#images=pixels").train.y is None
    assert "Object arrays cannot be loaded" in refusal(f"{source}#images=other")


def test_labels_alone_may_be_named(tmp_path):
    source = saved(tmp_path, x=GREY, y=LABELS, coarse=LABELS // 2)
    assert present(data.load(f"{source}#labels=coarse").train.y).max() == 1


def test_labels_are_not_read_beside_images_that_are_named(tmp_path):
    assert data.load(f"{saved(tmp_path, x=GREY, y=LABELS)}#images=x").train.y is None


def test_a_pattern_stands_for_the_keys_of_all_splits(tmp_path):
    arrays = {"train_images": GREY, "val_images": GREY[:5], "test_images": GREY[5:8]}
    labels = {"train_labels": LABELS, "val_labels": LABELS[:5], "test_labels": LABELS[5:8]}
    dataset = data.load(f"{saved(tmp_path, **arrays, **labels)}#images=*_images,labels=*_labels")
    for split, at in ((dataset.train, slice(None)), (dataset.validation, slice(5)), (dataset.test, slice(5, 8))):
        np.testing.assert_array_equal(split.x[..., 0], GREY[at])
        np.testing.assert_array_equal(split.y, LABELS[at])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ("images=pixel", "no key 'pixel': the nearest is 'pixels'; it has number, person, pixels, scores, test_x"),
        ("images=qqq", "no key 'qqq': there are 'number', 'person', 'pixels'"),
        ("images=pixels,labels=persons", "no key 'persons': the nearest is 'person'"),
        ("images=*_pixels", "no key 'train_pixels'"),
        ("images=*_x", "there is no training split, only test"),
        ("labels=person", "no key 'x_train'"),
        ("images=pixels,labels=*_x", "has 'test_x' but no 'pixels' of that split"),
        ("images=scores", "holds NaN"),
        ("images=number", "holds int64 values"),
        ("images=person", "holds int64 values"),
        ("images=pixels,labels=scores", "has float64 labels"),
        ("images=pixels,labels=number", "labels are integers"),
    ],
)
def test_keys_that_cannot_be_used(tmp_path, options, message):
    arrays = {"pixels": GREY, "person": LABELS, "scores": np.full((30, 2), np.nan), "number": 3, "test_x": GREY}
    assert message in refusal(f"{saved(tmp_path, **arrays)}#{options}")


def test_npy_file_and_folder(tmp_path):
    np.save(tmp_path / "x.npy", GREY)
    np.save(tmp_path / "y.npy", LABELS)
    plain = data.load(saved(tmp_path, x=GREY, y=LABELS))
    chex.assert_trees_all_equal(data.load(f"npy:{tmp_path}")[1:4], plain[1:4])
    file = data.load(f"npy:{tmp_path / 'x.npy'}")
    np.testing.assert_array_equal(file.train.x, plain.train.x)
    assert file.train.y is None


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "there is no array"),
        (b"", "not plain arrays, as numpy.save writes them"),
        (b"hello", "not plain arrays"),
        (np.array([{}], dtype=object), "not plain arrays"),
    ],
    ids=["empty folder", "empty file", "text", "objects"],
)
def test_npy_refused(tmp_path, content, message):
    if isinstance(content, bytes):
        (tmp_path / "x.npy").write_bytes(content)
    elif content is not None:
        np.save(tmp_path / "x.npy", content)
    assert message in refusal(f"npy:{tmp_path}")


def test_mat_in_the_layout_of_svhn(tmp_path):
    savemat(tmp_path / "a.mat", {"X": COLOUR.transpose(1, 2, 3, 0), "y": LABELS[:, None].astype(float)})
    dataset = data.load(f"mat:{tmp_path / 'a.mat'}#images=X,labels=y")
    expected = {image.tobytes(): label for image, label in zip(COLOUR, LABELS, strict=True)}
    assert all_examples(dataset) == expected
    again = data.load(f"mat:{tmp_path / 'a.mat'}#images=X,labels=y,axes=hwcn")
    chex.assert_trees_all_equal(again[1:4], dataset[1:4])


def test_mat_of_grey_images_and_a_row_of_labels(tmp_path):
    savemat(tmp_path / "a.mat", {"x": GREY.transpose(1, 2, 0), "y": LABELS[None].astype(float)})
    source = f"mat:{tmp_path / 'a.mat'}"
    assert f"write {source}#axes=hwn if" in refusal(source)
    dataset = data.load(f"{source}#axes=hwn")
    assert all_examples(dataset) == {g.tobytes(): label for g, label in zip(GREY, LABELS, strict=True)}


HDF5 = b"MATLAB 7.3 MAT-file".ljust(124) + b"\x00\x02IM" + bytes(384) + b"\x89HDF\r\n\x1a\n"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (HDF5, "not a MATLAB file of a version before 7.3"),
        (b"", "not a MATLAB file"),
        (b"hello", "not a MATLAB file"),
        ({"x": np.array([GREY[0], "a"], dtype=object)}, "'x' holds objects (cells or structures)"),
        ({"x": {"a": 1}}, "'x' holds objects"),
        ({"x": GREY, "y": LABELS / 2}, "labels are integers"),
        ({"X": GREY}, "needs either 'x' or 'x_train', or #images=<key>; it has X"),
    ],
    ids=["7.3", "empty", "text", "cells", "structure", "labels of halves", "another key"],
)
def test_mat_refused(tmp_path, content, message):
    path = tmp_path / "a.mat"
    if isinstance(content, bytes):
        path.write_bytes(content)
    else:
        savemat(path, content)
    assert message in refusal(f"mat:{path}")


def test_a_file_of_another_kind_says_how_it_is_written(tmp_path):
    np.save(tmp_path / "x.npy", GREY)
    assert f"is written npy:{tmp_path / 'x.npy'}" in refusal(f"npz:{tmp_path / 'x.npy'}")


@pytest.mark.parametrize(
    ("order", "option"),
    [("nhwc", ""), ("nchw", ""), ("hwcn", ""), ("nhwc", "nhwc"), ("nchw", "nchw"), ("cnwh", "cnwh")],
)
def test_axes_are_told_apart_or_said(tmp_path, order, option):
    x = COLOUR.transpose(["nhwc".index(axis) for axis in order])
    dataset = data.load(saved(tmp_path, x=x, y=LABELS) + (f"#axes={option}" if option else ""))
    assert dataset.shape == (6, 5, 3)
    assert all_examples(dataset) == {image.tobytes(): label for image, label in zip(COLOUR, LABELS, strict=True)}


@pytest.mark.parametrize(
    ("shape", "option", "message"),
    [
        ((30, 3, 32, 3), "", "with channels last or first; write npz:a.npz#axes=nhwc or npz:a.npz#axes=nchw"),
        ((30, 1, 8, 1), "", "with channels last or first"),
        ((30, 2, 8, 9), "", "1 or 3 channels, last"),
        ((30, 3, 8, 9), "nhcc", "axes=nhcc must be n, h, w and"),
        ((30, 3, 8, 9), "NCHW", "axes=NCHW must be n, h, w and"),
        ((30, 3, 8, 9), "nhw", "but axes=nhw names 3 axes"),
        ((30, 8, 9), "nhwc", "but axes=nhwc names 4 axes"),
        ((30, 8, 9, 3), "nchw", "1 or 3 channels, last"),
    ],
)
def test_axes_refused(tmp_path, monkeypatch, shape, option, message):
    monkeypatch.chdir(tmp_path)
    np.savez("a.npz", x=np.full(shape, 7, np.uint8))
    assert message in refusal("npz:a.npz" + (f"#axes={option}" if option else ""))


@pytest.mark.parametrize("order", ["nhwc", "nchw"])
def test_an_order_that_is_said_decides(tmp_path, order):
    dataset = data.load(f"{saved(tmp_path, x=np.full((30, 3, 8, 3), 7, np.uint8))}#axes={order}")
    assert dataset.shape == {"nhwc": (3, 8, 3), "nchw": (8, 3, 3)}[order]


def test_options_reach_the_source_that_is_stacked(tmp_path):
    source = saved(tmp_path, pixels=GREY, person=LABELS)
    triples = data.load(f"stacked:{source}#images=pixels,labels=person")
    assert (triples.shape, triples.name) == ((6, 5, 3), f"stacked:{source}#images=pixels,labels=person")


@pytest.mark.slow
def test_a_run_finds_its_data_from_any_folder_and_where_they_were_moved_to(tmp_path, monkeypatch):
    """The path of the data is kept whole; other contents at the new place are refused."""
    here, elsewhere = tmp_path / "here", tmp_path / "elsewhere"
    here.mkdir()
    elsewhere.mkdir()
    np.savez(here / "a.npz", x=RNG.normal(size=(60, 3)).astype(np.float32))
    np.savez(elsewhere / "other.npz", x=RNG.normal(size=(60, 3)).astype(np.float32))
    config = default_config("vae")
    config.data.source, config.model.hidden, config.model.latent = "npz:a.npz", (4,), 1
    every = {"log_every": 2, "evaluate_every": 2, "checkpoint_every": 2}
    config.train.update({"steps": 2, "batch_size": 16, "devices": 1, "trackers": (), **every})
    monkeypatch.chdir(here)
    assert loop.train(config, Path("run"), io.StringIO()) == loop.FINISHED
    monkeypatch.chdir(elsewhere)
    assert load_run(here / "run").sample(3).shape == (3, 3)
    (here / "a.npz").rename(elsewhere / "moved.npz")
    with pytest.raises(InputError, match="no such file"):
        load_run(here / "run")
    evaluate = ["evaluate", "--workdir", str(here / "run"), "--metrics", "fidelity"]
    assert main([*evaluate, "--data", "npz:moved.npz"]) == 0
    assert main([*evaluate, "--data", "npz:other.npz"]) == 2
    config.train.steps, config.data.source = 4, f"npz:{here / 'a.npz'}"
    assert loop.train(config, here / "run", io.StringIO(), data_source="npz:moved.npz") == loop.FINISHED
