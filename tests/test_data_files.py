"""The user's own arrays and pictures."""

import io
import zipfile

import chex
import numpy as np
import pytest
from PIL import Image
from present import present

from genjax import data
from genjax.data.images import decode_file
from genjax.types import InputError

RNG = np.random.default_rng(0)
GREY = RNG.integers(0, 256, (30, 6, 5), dtype=np.uint8)
COLOUR = RNG.integers(0, 256, (30, 6, 5, 3), dtype=np.uint8)
LABELS = np.arange(30) % 3
PLACES = {"train": slice(0, 20), "validation": slice(20, 24), "test": slice(24, 30)}


@pytest.fixture(autouse=True)
def own_cache(tmp_path_factory, monkeypatch):
    monkeypatch.setenv("GENJAX_CACHE", str(tmp_path_factory.mktemp("cache")))


def saved(path, **arrays):
    np.savez(path / "a.npz", **arrays)
    return f"npz:{path / 'a.npz'}"


@pytest.mark.parametrize(
    ("x", "shape", "dtype", "bounded", "scale"),
    [
        (GREY, (6, 5, 1), np.uint8, True, 1 / 255),
        (COLOUR, (6, 5, 3), np.uint8, True, 1 / 255),
        (GREY > 127, (6, 5, 1), np.uint8, True, 1),
        (GREY // 128, (6, 5, 1), np.uint8, True, 1),
        (GREY / 255, (6, 5, 1), np.float32, True, 1),
        ((COLOUR / 255).astype(np.float16), (6, 5, 3), np.float32, True, 1),
        (RNG.normal(size=(30, 4)), (4,), np.float32, False, 1),
    ],
    ids=["grey", "colour", "bool", "binary", "float", "half", "points"],
)
def test_npz_kinds(tmp_path, x, shape, dtype, bounded, scale):
    dataset = data.load(saved(tmp_path, x=x, y=LABELS))
    assert (dataset.shape, dataset.bounded, dataset.scale) == (shape, bounded, scale)
    assert dataset.train.x.dtype == dtype
    chex.assert_shape([dataset.train.x, dataset.test.x], [(24, *shape), (3, *shape)])
    parts = (dataset.train, dataset.validation, dataset.test)
    kept = {(tuple(np.ravel(x)), y) for part in parts for x, y in zip(part.x, present(part.y), strict=True)}
    assert kept == {(tuple(np.ravel(x)), y) for x, y in zip(x.astype(dtype), LABELS, strict=True)}


def test_npz_with_splits_and_factors(tmp_path):
    factors = np.stack([LABELS, LABELS * 2], axis=1)
    x = {f"x_{part}": GREY[at] for part, at in PLACES.items()}
    y = {f"y_{part}": factors[at] for part, at in PLACES.items()}
    dataset = data.load(saved(tmp_path, **x, **y))
    for split, at in zip((dataset.train, dataset.validation, dataset.test), PLACES.values(), strict=True):
        np.testing.assert_array_equal(split.x[..., 0], GREY[at])
        np.testing.assert_array_equal(split.y, factors[at])


@pytest.mark.parametrize("validation", ["x_validation", "x_val", "x_valid"])
def test_npz_names_of_the_validation_split(tmp_path, validation):
    dataset = data.load(saved(tmp_path, x_train=GREY, **{validation: GREY[:3]}))
    np.testing.assert_array_equal(dataset.validation.x[..., 0], GREY[:3])


def test_a_single_column_is_labels(tmp_path):
    dataset = data.load(saved(tmp_path, x=GREY, y=LABELS[:, None]))
    chex.assert_shape(dataset.train.y, (24,))


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"x": GREY, "x_vali": GREY}, "no key 'x_vali'"),
        ({}, "there is no array"),
        ({"x_train": GREY, "x_tset": GREY}, "the nearest is 'x_test'"),
        ({"x_test": GREY}, "needs either 'x' or 'x_train'"),
        ({"x": GREY, "x_train": GREY}, "needs either 'x' or 'x_train'"),
        ({"x": GREY, "x_test": GREY}, "'x' and 'y' stand alone"),
        ({"x_train": GREY, "y": LABELS}, "'x' and 'y' stand alone"),
        ({"x_train": GREY, "y_test": LABELS}, "has 'y_test' but no 'x_test'"),
        ({"x": GREY, "y": LABELS[1:]}, "30 examples but 29 labels"),
        ({"x": np.array([GREY[0], GREY[1, 1:]], dtype=object)}, "Object arrays cannot be loaded"),
        ({"x": np.where(GREY > 250, np.nan, GREY / 255)}, "NaN"),
    ],
)
def test_npz_refused(tmp_path, arrays, message):
    source = saved(tmp_path, **arrays)
    with pytest.raises(InputError, match=message) as caught:
        data.load(source)
    assert str(caught.value).startswith(source)
    assert "\n" not in str(caught.value)


def corrupted():
    buffer = io.BytesIO()
    np.savez_compressed(buffer, x=GREY)
    return buffer.getvalue()


def zipped_text():
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("x", "hello")
    return buffer.getvalue()


def npy():
    buffer = io.BytesIO()
    np.save(buffer, GREY)
    return buffer.getvalue()


@pytest.mark.parametrize(
    "content",
    [b"", b"PK\x03\x04", b"hello", npy(), zipped_text(), corrupted()[:400], corrupted()[:300] + corrupted()[350:],
     corrupted()[:200] + bytes(20) + corrupted()[220:]],
    ids=["empty", "header", "text", "npy", "zip of text", "cut short", "hole", "damaged"],
)  # fmt: skip
def test_file_that_is_no_npz(tmp_path, content):
    (tmp_path / "a.npz").write_bytes(content)
    with pytest.raises(InputError, match=r"not an npz archive|is no array") as caught:
        data.load(f"npz:{tmp_path / 'a.npz'}")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("source", ["npz:{}/none.npz", "npz:{}", "folder:{}/none", "folder:{}/file"])
def test_no_such_file(tmp_path, source):
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match="no such f"):
        data.load(source.format(tmp_path))


def draw(path, array, mode=None):
    path.parent.mkdir(parents=True, exist_ok=True)
    image = Image.fromarray(array)
    (image.convert(mode) if mode else image).save(path)


def test_folder_of_grey_images(tmp_path):
    for i, image in enumerate(GREY):
        draw(tmp_path / f"{i:02}.png", image)
    (tmp_path / "notes.txt").write_text("passed over")
    (tmp_path / ".hidden.png").write_text("passed over")
    dataset = data.load(f"folder:{tmp_path}")
    assert (dataset.shape, dataset.scale, dataset.train.y, dataset.target_names) == ((6, 5, 1), 1 / 255, None, ())
    x = np.concatenate([dataset.train.x, dataset.validation.x, dataset.test.x])[..., 0]
    assert {image.tobytes() for image in x} == {image.tobytes() for image in GREY}


@pytest.mark.parametrize("validation", ["validation", "val", "valid"])
def test_folder_with_splits_and_classes(tmp_path, validation):
    for part, at in PLACES.items():
        folder = validation if part == "validation" else part
        for i, (image, label) in enumerate(zip(COLOUR[at], LABELS[at], strict=True)):
            draw(tmp_path / folder / "cab"[label] / f"{i:02}.PNG", image)
    dataset = data.load(f"folder:{tmp_path}")
    assert (dataset.shape, dataset.target_names) == ((6, 5, 3), ("a", "b", "c"))
    for split, at in zip((dataset.train, dataset.validation, dataset.test), PLACES.values(), strict=True):
        known = {image.tobytes(): "cab"[label] for image, label in zip(COLOUR[at], LABELS[at], strict=True)}
        assert [dataset.target_names[label] for label in present(split.y)] == [
            known[image.tobytes()] for image in split.x
        ]


def test_an_image_that_has_gone_is_one_line(tmp_path):
    with pytest.raises(InputError, match=r"face cannot be read \(No such file or directory\)"):
        decode_file(tmp_path / "none.png", "face")


def test_formats_for_which_pillow_starts_a_program_are_not_decoded(tmp_path):
    Image.fromarray(COLOUR[0]).save(tmp_path / "0.png", "EPS")
    with pytest.raises(InputError, match=r"0.png cannot be read as an image \(it is none of PNG, JPEG"):
        data.load(f"folder:{tmp_path}")


def test_folder_of_jpegs(tmp_path):
    smooth = np.linspace(40, 200, 64).astype(np.uint8).reshape(8, 8)
    for i in range(10):
        draw(tmp_path / f"{i}.jpeg", smooth + np.uint8(i))
    x = data.load(f"folder:{tmp_path}").train.x
    chex.assert_shape(x, (8, 8, 8, 1))
    assert abs(x[0, ..., 0].astype(int) - smooth).max() < 16


CLEAR = np.dstack([COLOUR[0], np.zeros((6, 5), np.uint8)])
OPAQUE = np.dstack([COLOUR[0], np.full((6, 5), 255, np.uint8)])


@pytest.mark.parametrize(
    ("array", "mode", "expected"),
    [
        (GREY[0] > 127, None, 255 * (GREY[0] > 127)[..., None]),
        (GREY[0].astype(np.uint16) * 257, None, GREY[0][..., None]),
        (OPAQUE, None, COLOUR[0]),
        (CLEAR, None, 0 * COLOUR[0]),
        (np.dstack([GREY[0], OPAQUE[..., 3]]), None, GREY[0][..., None]),
        (GREY[0], "P", np.dstack([GREY[0]] * 3)),
    ],
    ids=["1 bit", "16 bits", "opaque", "transparent", "grey with alpha", "palette"],
)
def test_image_modes(tmp_path, array, mode, expected):
    for i in range(3):
        draw(tmp_path / f"{i}.png", array, mode)
    np.testing.assert_array_equal(data.load(f"folder:{tmp_path}").train.x[0], expected)


def test_grey_images_among_coloured_ones_become_coloured(tmp_path):
    draw(tmp_path / "0.png", COLOUR[0])
    for i in range(1, 10):
        draw(tmp_path / f"{i}.png", GREY[i])
    dataset = data.load(f"folder:{tmp_path}")
    x = np.concatenate([dataset.train.x, dataset.validation.x, dataset.test.x])
    assert {image.tobytes() for image in x} == {COLOUR[0].tobytes()} | {
        np.dstack([g] * 3).tobytes() for g in GREY[1:10]
    }


def picture_bytes(image):
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, "PNG")
    return buffer.getvalue()


PNG = picture_bytes(COLOUR[0])


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({}, "no PNG or JPEG"),
        ({"notes.txt": b""}, "no PNG or JPEG"),
        ({"0.png": PNG, "1.png": picture_bytes(GREY[0, :4])}, "1.png is 5x4 pixels, 0.png is 5x6"),
        ({"0.png": PNG, "1.png": b""}, "1.png cannot be read"),
        ({"0.png": PNG, "1.png": b"hello"}, "1.png cannot be read"),
        ({"0.png": PNG, "1.png": PNG[:80]}, "1.png cannot be read"),
        ({"0.png": PNG, "1.png": PNG[:60] + bytes(10) + PNG[70:]}, "1.png cannot be read"),
        ({"0.png": PNG, "a/1.png": PNG}, "both in and beside class sub-folders"),
        ({"train/0.png": PNG, "vla/1.png": PNG}, "'validation', 'val' or 'test', not 'vla'"),
        ({"train/0.png": PNG, "val/1.png": PNG, "validation/1.png": PNG}, "'val' and 'validation' are the same split"),
        ({"test/0.png": PNG, "val/1.png": PNG}, "no sub-folder 'train' beside 'test'"),
        ({"training/0.png": PNG, "validation/1.png": PNG, "test/2.png": PNG}, "no sub-folder 'train' beside 'test'"),
        ({"Train/0.png": PNG, "Test/1.png": PNG}, "no sub-folder 'train' beside 'Test'"),
        ({"train/0.png": PNG, "1.png": PNG}, "belong to no split"),
        ({"train/0.png": PNG, "test/1.txt": b""}, "no PNG or JPEG image in test"),
        ({"train/a/0.png": PNG, "test/1.png": PNG}, "different kinds of labels"),
        ({"0.png": PNG, "1.png": PNG}, "too few"),
    ],
)
def test_folder_refused(tmp_path, files, message):
    for name, content in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(content)
    with pytest.raises(InputError, match=message) as caught:
        data.load(f"folder:{tmp_path}")
    assert "\n" not in str(caught.value)
