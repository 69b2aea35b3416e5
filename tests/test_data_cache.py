"""Arrays that are computed once and memory-mapped from then on."""

import os
import threading
import time

import chex
import numpy as np
import pytest

from genjax import data
from genjax.data import cache
from genjax.types import InputError


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("GENJAX_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def build_ramp(folder):
    np.save(folder / "ramp.npy", np.arange(1000))
    return {"unit": "m"}


def refuse_to_build(folder):
    raise AssertionError("the cache was complete")


def test_cached_arrays_are_built_once_and_mapped():
    first, _ = cache.cached("a/b", build_ramp)
    second, notes = cache.cached("a/b", refuse_to_build)
    assert notes == {"unit": "m"}
    assert isinstance(second["ramp"], np.memmap)
    assert not second["ramp"].flags.writeable
    chex.assert_trees_all_equal(first, second, {"ramp": np.arange(1000)})


def cut(path):
    path.write_bytes(path.read_bytes()[:-1])


def garble(path):
    path.write_bytes(bytes(path.stat().st_size))


def flip(path):
    content = bytearray(path.read_bytes())
    content[len(content) * 2 // 3] ^= 1
    path.write_bytes(content)


@pytest.mark.parametrize(
    "damage", [cut, garble, flip, lambda path: path.unlink()], ids=["cut short", "zeroed", "flipped", "deleted"]
)
@pytest.mark.parametrize("name", ["ramp.npy", "manifest.json"])
def test_damaged_cache_is_rebuilt(own_cache, name, damage):
    cache.cached("a", build_ramp)
    damage(own_cache / "a" / name)
    arrays, _ = cache.cached("a", build_ramp)
    np.testing.assert_array_equal(arrays["ramp"], np.arange(1000))
    cache.cached("a", refuse_to_build)


def test_of_a_large_file_blocks_from_all_over_are_compared(tmp_path, monkeypatch):
    for name, value in (("WHOLE", 1000), ("BLOCK", 100), ("BLOCKS", 5)):
        monkeypatch.setattr(cache, name, value)
    content = bytearray(np.random.default_rng(0).bytes(2000))
    (tmp_path / "a").write_bytes(content)
    known, seen = cache.checksum(tmp_path / "a"), 0
    for place in range(0, 2000, 10):
        content[place] ^= 1
        (tmp_path / "a").write_bytes(content)
        seen += cache.checksum(tmp_path / "a") != known
        content[place] ^= 1
    assert seen == 50  # a quarter of the file is read
    (tmp_path / "a").write_bytes(content[:-1])
    assert cache.checksum(tmp_path / "a") != known


def test_interrupted_build_leaves_nothing_that_counts(own_cache):
    def interrupted(folder):
        build_ramp(folder)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        cache.cached("a", interrupted)
    assert not list((own_cache / "a").iterdir())
    assert cache.cached("a", build_ramp)[1] == {"unit": "m"}


def test_two_builders_at_once_both_get_the_whole_entry(own_cache):
    barrier, found = threading.Barrier(2), []

    def build_together(folder):
        barrier.wait(timeout=10)
        notes = build_ramp(folder)
        barrier.wait(timeout=10)
        return notes

    threads = [threading.Thread(target=lambda: found.append(cache.cached("a", build_together))) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    chex.assert_trees_all_equal(*(arrays for arrays, _ in found), {"ramp": np.arange(1000)})
    assert sorted(path.name for path in (own_cache / "a").iterdir()) == ["manifest.json", "ramp.npy"]


def test_cache_that_cannot_be_written(own_cache):
    own_cache.touch()
    with pytest.raises(InputError, match="set GENJAX_CACHE"):
        cache.cached("a", build_ramp)


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        ({"GENJAX_CACHE": "/one", "XDG_CACHE_HOME": "/two"}, "/one"),
        ({"GENJAX_CACHE": "", "XDG_CACHE_HOME": "/two"}, "/two/genjax"),
        ({"GENJAX_CACHE": "", "XDG_CACHE_HOME": "", "HOME": "/home"}, "/home/.cache/genjax"),
    ],
)
def test_cache_root(monkeypatch, variables, expected):
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert cache.root().as_posix() == expected


@pytest.mark.parametrize("name", ["GENJAX_CACHE", "TFDS_DATA_DIR"])
def test_the_home_of_nobody_is_one_line(monkeypatch, name):
    monkeypatch.setenv(name, "~nouser/x")
    with pytest.raises(InputError, match=f"{name}: ~nouser/x has no home folder"):
        data.load("tfds:mnist") if name == "TFDS_DATA_DIR" else cache.root()


def test_what_a_killed_builder_left_is_removed_after_a_day(own_cache):
    for name, age in (("old", 2 * cache.A_DAY), ("young", 60.0)):
        (left := own_cache / "a" / f"{cache.PARTIAL}{name}").mkdir(parents=True)
        os.utime(left, times=(time.time() - age, time.time() - age))
    cache.cached("a", build_ramp)
    assert [path.name for path in (own_cache / "a").glob(f"{cache.PARTIAL}*")] == [f"{cache.PARTIAL}young"]


def test_a_file_that_cannot_be_decoded_is_not_a_cache_that_cannot_be_written(own_cache):
    def build(folder):
        raise PermissionError(13, "Permission denied", "/a/picture.png")

    with pytest.raises(PermissionError, match=r"/a/picture\.png"):
        cache.cached("a", build)
