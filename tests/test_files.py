"""Small files: written whole, by no foreseeable name and over no link; read as their content or as one line."""

import io
import json
import zipfile

import numpy as np
import pytest

from genjax.runs.folder import claim
from genjax.system import files
from genjax.types import InputError


def test_a_link_is_replaced_and_what_it_names_stays(tmp_path):
    (tmp_path / "mine").write_text("precious")
    (tmp_path / "config.json").symlink_to(tmp_path / "mine")
    files.write_atomically(tmp_path / "config.json", b"new")
    assert (tmp_path / "mine").read_text() == "precious"
    assert not (tmp_path / "config.json").is_symlink()
    assert (tmp_path / "config.json").read_bytes() == b"new"


def test_the_name_of_an_unfinished_file_cannot_be_foreseen(tmp_path, monkeypatch):
    names = set()
    monkeypatch.setattr(files.os, "fsync", lambda descriptor: names.update(p.name for p in tmp_path.iterdir()))
    for _ in range(5):
        files.write_atomically(tmp_path / "a", b"x")
    assert len(names - {"a"}) == 5
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


def test_what_fails_leaves_nothing(tmp_path, monkeypatch):
    def fail(descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(files.os, "fsync", fail)
    with pytest.raises(OSError, match="No space"):
        files.write_atomically(tmp_path / "a", b"x")
    assert list(tmp_path.iterdir()) == []


def test_what_a_killed_write_left_is_removed_with_the_next_claim(tmp_path):
    (tmp_path / ".evaluation.json.0a1b2c3d4e5f.tmp").write_text("{")
    (tmp_path / "notes.tmp").write_text("mine")
    with claim(tmp_path, {}):
        assert {path.name for path in tmp_path.iterdir()} == {".lock", "config.json", "notes.tmp"}


def test_a_lock_that_is_a_link_empties_nothing(tmp_path):
    (tmp_path / "mine").write_text("precious")
    folder = tmp_path / "run"
    folder.mkdir()
    (folder / ".lock").symlink_to(tmp_path / "mine")
    with pytest.raises(InputError, match=r"\.lock is a link; delete it"), claim(folder, {}):
        pass
    assert (tmp_path / "mine").read_text() == "precious"


DEEP = b'{"a":' + b"[" * 100_000 + b"]" * 100_000 + b"}"


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "it holds no JSON"),
        (b"{", "it holds no JSON"),
        (b"\xff\xfe\x00", "it holds no JSON"),
        (b"[]", "it holds no JSON object"),
        (b"null", "it holds no JSON object"),
        (b"3", "it holds no JSON object"),
        (DEEP, "it is nested too deeply"),
        (b'{"a": ' + b"9" * 5000 + b"}", "Exceeds the limit"),
    ],
)
def test_a_damaged_object_is_one_line(tmp_path, content, reason):
    path = tmp_path / "a.json"
    path.write_bytes(content)
    with pytest.raises(InputError) as caught:
        files.read_object(path)
    assert str(caught.value).startswith(f"{path} cannot be read: {reason}")
    assert "\n" not in str(caught.value)


def test_an_object_is_its_content_and_no_file_is_none(tmp_path):
    assert files.read_object(tmp_path / "a.json") is None
    (tmp_path / "a.json").write_text(json.dumps({"a": [1, None]}))
    assert files.read_object(tmp_path / "a.json") == {"a": [1, None]}
    with pytest.raises(InputError, match="cannot be read: Is a directory"):
        files.read_object(tmp_path)


def archive(**arrays):
    np.savez_compressed(buffer := io.BytesIO(), **arrays)
    return buffer.getvalue()


def renamed(content):
    """An archive with a member that is no array."""
    with zipfile.ZipFile(buffer := io.BytesIO(), "w") as file:
        file.writestr("a.npy", content)
    return buffer.getvalue()


def single():
    np.save(buffer := io.BytesIO(), np.zeros(3))
    return buffer.getvalue()


WHOLE = archive(a=np.arange(1000), b=np.ones(3))


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b"junk" * 9, id="junk"),
        pytest.param(WHOLE[: len(WHOLE) // 2], id="cut"),
        pytest.param(WHOLE[:60] + bytes([WHOLE[60] ^ 255]) + WHOLE[61:], id="flipped"),
        pytest.param(single(), id="one array"),
        pytest.param(renamed(b"no array"), id="a member that is no array"),
        pytest.param(archive(a=np.array([{}], dtype=object)), id="objects"),
    ],
)
def test_damaged_arrays_are_one_line(tmp_path, content):
    path = tmp_path / "a.npz"
    path.write_bytes(content)
    with pytest.raises(InputError) as caught:
        files.read_arrays(path)
    assert str(caught.value).startswith(f"{path} cannot be read: ")
    assert "\n" not in str(caught.value)


def test_arrays_are_their_content(tmp_path):
    (tmp_path / "a.npz").write_bytes(WHOLE)
    arrays = files.read_arrays(tmp_path / "a.npz")
    assert arrays.keys() == {"a", "b"}
    np.testing.assert_array_equal(arrays["a"], np.arange(1000))
