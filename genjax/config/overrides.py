"""Settings as they are typed on a command line."""

import ast
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ml_collections import ConfigDict

from genjax.config.checks import check_type
from genjax.config.defaults import flatten, setting_defaults
from genjax.data.source import make_absolute
from genjax.system.messages import nearest_name, quote
from genjax.types import InputError

NAMES = re.compile(r"[a-z]\w*(,[a-z]\w*)*")  # of a setting that is a set of names


def override(config: ConfigDict, assignments: Mapping[str, str]) -> ConfigDict:
    """A copy with some settings replaced by values as they were typed: `{"hparams.beta": "4"}`.

    Raises:
      InputError: an unknown setting, with the nearest right one, or a value of another type.
    """
    settings = setting_defaults(config) | flatten(config)
    values = {
        name: parse(name, text, settings[nearest_name("setting", name, settings)]) for name, text in assignments.items()
    }
    changed = config.copy_and_resolve_references()
    changed.update_from_flattened_dict(values)
    return changed


def with_absolute_source(config: ConfigDict) -> ConfigDict:
    """A copy whose `data.source` and `train.init_from` mean the same from every folder.

    Raises:
      InputError: the source is not written as one is.
    """
    changed = config.copy_and_resolve_references()
    changed.data.source = make_absolute(config.data.source)
    if config.train.init_from:
        changed.train.init_from = str(Path(config.train.init_from).absolute())
    return changed


def parse(name: str, text: str, like: Any) -> Any:
    """A typed value from the command line, of the type of the setting that it replaces.

    Example:
      >>> [parse("model.penalties", text, ()) for text in ("('r1',)", "r1,r2", "none")]
      [('r1',), ('r1', 'r2'), ()]
    """
    if isinstance(like, str):
        return text
    if isinstance(like, tuple) and NAMES.fullmatch(text):
        return () if text == "none" else tuple(text.split(","))
    try:
        value = ast.literal_eval({"true": "True", "false": "False"}.get(text, text))
    except (ValueError, SyntaxError, MemoryError, RecursionError) as error:  # the last two of deep nesting
        raise InputError(f"{name} = {quote(text)} is not of type {type(like).__name__}") from error
    if isinstance(like, tuple) and isinstance(value, int | list):
        value = tuple(value) if isinstance(value, list) else (value,)
    if isinstance(like, float) and type(value) is int and abs(value) < 2**128:
        value = float(value)
    check_type(name, value, like)
    return value
