"""What a test expects to be there, for the type checker and for the reader."""

from typing import TypeVar

T = TypeVar("T")


def present(value: T | None) -> T:
    """The value itself, which is not None."""
    assert value is not None
    return value
