"""Configurations as files: a Python file that a user writes, and the `config.json` of a folder."""

import hashlib
import json
import runpy
import traceback
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ml_collections import ConfigDict

from genjax.config.defaults import default, flatten
from genjax.types import InputError


def load(path: Path) -> ConfigDict:
    """The configuration that a file's `get_config()` returns, or that a run's `config.json` holds.

    Raises:
      InputError: no such file, no `get_config`, or an error in it, with its line.
    """
    try:
        if not path.is_file():
            raise InputError("no such config file")
        if path.suffix == ".json":
            return from_json(path.read_text())
        get_config = runpy.run_path(str(path)).get("get_config")
        config = get_config() if callable(get_config) else None
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # whatever the user's own code raises, sys.exit included
        raise InputError(f"{_place(path, error)}: {_one_line(error)}") from error
    if not isinstance(config, ConfigDict):
        raise InputError(f"{path} defines no get_config() that returns a ConfigDict")
    return config


def to_json(config: Mapping[str, Any]) -> str:
    """The canonical text of a configuration: settings sorted by their dotted names."""
    return json.dumps(flatten(config), sort_keys=True, indent=2)


def from_json(text: str) -> ConfigDict:
    """The configuration that `to_json` wrote."""
    flat = json.loads(text)
    if not isinstance(flat, dict) or "model.family" not in flat:
        raise InputError("not the configuration of a run")
    config = default(flat["model.family"])
    with config.unlocked():  # an objective's own hyperparameters are not among the defaults
        config.update_from_flattened_dict({k: tuple(v) if isinstance(v, list) else v for k, v in flat.items()})
    return config


def digest(config: Mapping[str, Any]) -> str:
    """Eight hexadecimal digits that name a configuration's values."""
    return hashlib.sha256(to_json(config).encode()).hexdigest()[:8]


def differences(ours: str, theirs: str) -> list[str]:
    """The settings in which two configurations, as `to_json` writes them, differ: `name: theirs, not ours`."""
    first, second = json.loads(ours), json.loads(theirs)
    return [
        f"{name}: {second.get(name)}, not {first.get(name)}"
        for name in sorted(first.keys() | second.keys())
        if first.get(name) != second.get(name)
    ]


def _place(path: Path, error: BaseException) -> str:
    """`path, line n`: where in the user's file an error arose, as far as that is known."""
    if isinstance(error, SyntaxError) and error.filename == str(path):
        return f"{path}, line {error.lineno}"
    lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == str(path)]
    return f"{path}, line {lines[-1]}" if lines else str(path)


def _one_line(error: BaseException) -> str:
    text = " ".join((error.msg if isinstance(error, SyntaxError) else str(error)).split())
    return text if isinstance(error, InputError) else f"{type(error).__name__}: {text}"
