"""docs/theory.md: every name of the package that it cites exists, and every closed form has its text and its row."""

import pkgutil
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
THEORY = (ROOT / "docs" / "theory.md").read_text()
NAMES = sorted(set(re.findall(r"`(genjax\.[\w.]+)`", THEORY)))
TESTS = sorted(set(re.findall(r"`(tests/\w+\.py)`", THEORY)))


@pytest.mark.parametrize("name", NAMES)
def test_a_cited_name_exists(name):
    assert pkgutil.resolve_name(name) is not None


def test_modules_are_cited_by_their_full_names():
    """A file's name alone, as in `likelihoods.py`, would not be checked."""
    assert len(NAMES) > 20
    assert not [path for path in re.findall(r"`([\w/]+\.py)`", THEORY) if path not in TESTS]


@pytest.mark.parametrize("path", TESTS)
def test_a_cited_test_exists(path):
    assert (ROOT / path).exists()


def test_closed_forms_have_text_and_tests():
    assert re.findall(r"^\*\*(\d)\. ", THEORY, flags=re.MULTILINE) == list("12345678")
    assert set(re.findall(r"^\| (\d)", THEORY, flags=re.MULTILINE)) == set("12345678")
    assert set(re.findall(r"[Cc]losed forms? (\d)", THEORY)) <= set("12345678")
