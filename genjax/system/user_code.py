"""Code that the user names on the command line: it is run as a program, and an error in it becomes one line."""

import importlib
import runpy
import traceback
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any, TypeVar

from genjax.types import InputError

T = TypeVar("T")


def run_file(path: Path) -> dict[str, Any]:
    """What a Python file defines, `{name: value}`.

    Raises:
      InputError: the file raises something; the line says where.
    """
    return call(path, lambda: runpy.run_path(str(path)))


def call(path: Path, function: Callable[[], T]) -> T:
    """What a function of a user's file returns.

    Raises:
      InputError: it raises something; the line says where.
    """
    try:
        return function()
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # whatever the user's own code raises, sys.exit included
        raise InputError(f"{_place(path, error)}: {_one_line(error)}") from error


def import_module(name: str) -> ModuleType:
    """The module of a name such as `my_package.losses`, from where Python looks for modules.

    Raises:
      InputError: there is none, or importing it raises something.
    """
    try:
        return importlib.import_module(name)
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        raise InputError(f"{name}: {_one_line(error)}") from error


def _place(path: Path, error: BaseException) -> str:
    """`path, line n`: where in the user's file an error arose, as far as that is known."""
    if isinstance(error, SyntaxError) and error.filename == str(path):
        return f"{path}, line {error.lineno}"
    lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == str(path)]
    return f"{path}, line {lines[-1]}" if lines else str(path)


def _one_line(error: BaseException) -> str:
    text = " ".join((error.msg if isinstance(error, SyntaxError) else str(error)).split())
    return text if isinstance(error, InputError) else f"{type(error).__name__}: {text}"
