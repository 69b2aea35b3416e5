"""Configurations as files: a Python file that a user writes, and the `config.json` of a folder."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ml_collections import ConfigDict

from genjax.config import plugins
from genjax.config.defaults import default, flatten
from genjax.system.user_code import call, run_file
from genjax.types import InputError


def load(path: Path | str) -> ConfigDict:
    """The configuration that a file's `get_config()` returns, or that a run's `config.json` holds.

    A file that defines `ENTRIES` is a plugin as well.

    Raises:
      InputError: no such file, no `get_config`, or an error in it, with its line.
    """
    path = Path(path)
    if not path.is_file():
        raise InputError(f"{path}: no such config file")
    if path.suffix == ".json":
        plugins.check(path.parent)
        return call(path, lambda: from_json(path.read_text()))
    plugins.load_installed()
    definitions = run_file(path)
    if "ENTRIES" in definitions:
        plugins.add(str(path), definitions["ENTRIES"], plugins.hash_files([path]))
    get_config = definitions.get("get_config")
    config = call(path, get_config) if callable(get_config) else None
    if not isinstance(config, ConfigDict):
        raise InputError(f"{path} defines no get_config() that returns a ConfigDict")
    if not _has_names(config):
        raise InputError(f"{path}: the name of a setting is text")
    return config


def _has_names(config: Mapping[Any, Any] | ConfigDict) -> bool:
    """Whether all keys are text, those of inner groups as well."""
    groups = [value for value in config.values() if isinstance(value, Mapping | ConfigDict)]
    return all(isinstance(name, str) for name in config) and all(map(_has_names, groups))


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
