"""One line for each mistake: the nearest right name, and the first line of an error."""

import difflib
from collections.abc import Iterable

from genjax.types import InputError


def nearest_name(what: str, name: str, names: Iterable[str]) -> str:
    """The name itself where it is one of the names; else an InputError tells of the nearest."""
    names = list(names)
    if name in names:
        return name
    near = difflib.get_close_matches(name, names, n=1, cutoff=0.4)
    hint = f"the nearest is {near[0]!r}" if near else f"there are {', '.join(map(repr, names))}"
    raise InputError(f"no {what} {name!r}: {hint}")


def first_line(error: BaseException) -> str:
    """The first line of an error's text, at most 200 characters; the error's type where it has no text."""
    return (str(error).strip() or type(error).__name__).splitlines()[0][:200]
