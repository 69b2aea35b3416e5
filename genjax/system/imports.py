"""Imports of libraries whose own optional imports take longer than all the rest."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def without_module(name: str) -> Iterator[None]:
    """Imports in the block find that a module is not installed, unless it is imported already.

    tensorboardX imports PyTorch where there is one, which takes two seconds of every start and serves nothing here.

    Example:
      >>> with without_module("zipapp"):
      ...     try:
      ...         import zipapp
      ...     except ImportError:
      ...         print("not found")
      not found
      >>> import zipapp
    """
    if name in sys.modules:
        yield
        return
    sys.modules[name] = None  # pyright: ignore[reportArgumentType]  # how Python marks what cannot be imported
    try:
        yield
    finally:
        del sys.modules[name]
