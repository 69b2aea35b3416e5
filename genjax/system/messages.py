"""Words for people: the nearest right name, the first line of an error, a value of a setting."""

import difflib
from collections.abc import Iterable, Mapping
from typing import Any, TypeVar

from genjax.types import InputError

T = TypeVar("T")
LISTED = 40  # names at most
LONGEST = 80  # characters of what a user wrote that a line repeats


def nearest_name(what: str, name: str, names: Iterable[str]) -> str:
    """Returns the name where it is one of the names.

    Raises:
      InputError: it is none of them; the line is that of `describe_unknown`.
    """
    names = list(names)
    if name in names:
        return name
    raise InputError(describe_unknown(what, name, names))


def describe_unknown(what: str, name: str, names: Iterable[str]) -> str:
    """`no setting 'hparams.bta': the nearest is 'hparams.beta'`; all the names where none is near."""
    names = list(names)
    return f"no {what} {quote(name)}: {_hint(difflib.get_close_matches(name, names, n=1, cutoff=0.4), names)}"


def describe_missing(what: str, name: str, names: Iterable[str]) -> str:
    """The line of `describe_unknown`, and all the names of what is there."""
    names = list(names)
    line = describe_unknown(what, name, names)
    return f"{line}; it has {', '.join(names)}" if "the nearest is" in line else line


def find_by_prefix(what: str, name: str, table: Mapping[str, T]) -> T:
    """The entry of a table for a name such as `pca:64`, where the table's name for it is `pca:<components>`.

    Raises:
      InputError: there is no such entry; the line names the nearest.
    """
    head, colon, argument = name.partition(":")
    by_prefix = {key.partition("<")[0]: value for key, value in table.items()}
    if head + colon in by_prefix and bool(colon) == bool(argument):
        return by_prefix[head + colon]
    of_head = [key for key in table if key.partition("<")[0].rstrip(":") == head]
    if of_head:  # something stands behind it that should not, or nothing that should
        raise InputError(f"no {what} {quote(name)}: it is written {of_head[0]}")
    near = [
        match + argument if match.endswith(":") else match
        for match in difflib.get_close_matches(head + colon, by_prefix, n=1)
    ]
    raise InputError(f"no {what} {quote(name)}: {_hint(near, table)}")


def quote(text: str) -> str:
    """The text in quotes, cut where it is long.

    Example:
      >>> quote("digit"), quote(9 * "0123456789")
      ("'digit'", "'0123456789012345678901234567890123456789...'")
    """
    return repr(text if len(text) <= LONGEST else f"{text[: LONGEST // 2]}...")


def _hint(near: list[str], names: Iterable[str]) -> str:
    if near:
        return f"the nearest is {near[0]!r}"
    names = list(names)
    return f"there are {', '.join(map(repr, names))}" if len(names) <= LISTED else f"none of {len(names)} is near it"


def numbered(number: int, noun: str) -> str:
    """A number with its noun.

    Example:
      >>> numbered(1, "seed"), numbered(1200, "seed")
      ('1 seed', '1,200 seeds')
    """
    return f"{number:,} {noun}" + ("" if number == 1 else "s")


def first_line(error: BaseException) -> str:
    """The first line of an error's text, at most 200 characters; the error's type where it has no text."""
    return (str(error).strip() or type(error).__name__).splitlines()[0][:200]


def format_value(value: Any) -> str:
    """A value of a setting as a person would write it; None leaves what the base of a sweep has.

    Example:
      >>> [format_value(value) for value in (0.00012345, (64, 32), ("r1", "r2"), (), None)]
      ['0.0001234', '(64, 32)', 'r1 + r2', 'none', 'default']
    """
    if value is None:
        return "default"
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, list | tuple) and all(isinstance(name, str) for name in value):
        return " + ".join(value) or "none"
    return str(value)
