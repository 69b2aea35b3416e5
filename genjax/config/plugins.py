"""What a user's file, module or installed package adds to the tables of the package: losses, factors, families, data.

A plugin says what it adds in a mapping `ENTRIES`, by table and name. It is a program: only those are run that the user
names (`--plugin`, the `--config` file itself, `load_plugin`) or has installed. The folder of a run keeps the names and
hashes of the plugins that its configuration needs; nothing in a folder is ever run.
"""

import functools
import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

from ml_collections import ConfigDict

from genjax.data import SOURCES
from genjax.losses.adversarial import LOSSES, AdversarialLoss
from genjax.losses.bounds import BOUNDS, Bound
from genjax.models import FAMILIES
from genjax.models.autoencoder.corruptions import CORRUPTIONS, Corruption
from genjax.models.autoencoder.penalties import CODE_PENALTIES, CodePenalty
from genjax.models.gan.penalties import PENALTIES, Penalty
from genjax.models.vae.outputs import OUTPUTS
from genjax.models.vae.priors import PRIORS
from genjax.models.vae.regularisers import REGULARISERS, Regulariser
from genjax.nn.layers import ACTIVATIONS
from genjax.nn.networks import NETWORKS, Network
from genjax.system.files import read_object, write_json
from genjax.system.messages import first_line, nearest_name
from genjax.system.user_code import import_module, run_file
from genjax.training.optimisers import OPTIMISERS
from genjax.types import Family, InputError

FILE = "plugins.json"
INSTALLED = "installed:"  # before the name of a package that brings a plugin


class Table(NamedTuple):
    """A table that plugins add to.

    Attributes:
      entries: the table itself, `{name: entry}`.
      kind: of its entries.
      family: the one that gets the hyperparameters of an entry.
    """

    entries: dict[str, Any]
    kind: Any  # for isinstance: a class, or Callable
    family: str | None = None


class Entry(NamedTuple):
    """An entry that brings hyperparameters.

    Attributes:
      value: what stands in the table.
      hparams: `{hyperparameter: default}`.
      about: `{hyperparameter: a sentence}`, for the help of commands.

    Example:
      >>> Entry("a penalty", {"distance_weight": 1.0}).hparams
      {'distance_weight': 1.0}
    """

    value: Any
    hparams: Mapping[str, float] = MappingProxyType({})
    about: Mapping[str, str] = MappingProxyType({})


TABLES = {
    "families": Table(FAMILIES, Family),
    "sources": Table(SOURCES, Callable),
    "networks": Table(NETWORKS, Network),
    "activations": Table(ACTIVATIONS, Callable),
    "optimisers": Table(OPTIMISERS, tuple),
    "gan_losses": Table(LOSSES, AdversarialLoss),
    "gan_penalties": Table(PENALTIES, Penalty, "gan"),
    "vae_bounds": Table(BOUNDS, Bound, "vae"),
    "vae_likelihoods": Table(OUTPUTS, Callable, "vae"),
    "vae_priors": Table(PRIORS, Callable, "vae"),
    "vae_regularisers": Table(REGULARISERS, Regulariser, "vae"),
    "code_penalties": Table(CODE_PENALTIES, CodePenalty, "autoencoder"),
    "corruptions": Table(CORRUPTIONS, Corruption, "autoencoder"),
}


class Plugin(NamedTuple):
    """A plugin that was loaded.

    Attributes:
      digest: SHA-256 of its code; of an installed package, its version.
      names: what it added, `{(table, name)}`.
    """

    digest: str
    names: frozenset[tuple[str, str]]


_LOADED: dict[str, Plugin] = {}  # by what the user called each


def load_plugin(place: str | Path) -> None:
    r"""Adds the entries of a plugin to the tables; one that was loaded before is loaded again.

    Args:
      place: a Python file, or the dotted name of a module.

    Raises:
      InputError: it cannot be run, or it adds something that cannot be added.

    Example:
      >>> import tempfile
      >>> path = Path(tempfile.mkdtemp(), "swish.py")
      >>> _ = path.write_text("import jax\nENTRIES = {'activations': {'squared_relu': lambda x: jax.nn.relu(x) ** 2}}")
      >>> load_plugin(path)
      >>> float(ACTIVATIONS["squared_relu"](3.0))
      9.0
      >>> del ACTIVATIONS["squared_relu"]
    """
    path = Path(place)
    if path.suffix == ".py":
        if not path.is_file():
            raise InputError(f"no plugin {str(place)!r}: there is no such file")
        add(str(place), run_file(path).get("ENTRIES"), hash_files([path]))
    else:
        module = import_module(str(place))
        source = Path(module.__file__ or "")
        files = sorted(source.parent.rglob("*.py")) if hasattr(module, "__path__") else [source]
        add(str(place), getattr(module, "ENTRIES", None), hash_files(files))


@functools.cache
def load_installed() -> None:
    """Adds what installed packages bring: entry points of the groups `genjax.<table>`, such as `genjax.families`.

    Raises:
      InputError: a package brings something that cannot be added.
    """
    by_package: dict[tuple[str, str], dict[str, dict[str, Any]]] = {}
    installed = entry_points()  # one look at what is installed, for all tables
    for table in TABLES:
        for point in installed.select(group=f"genjax.{table}"):
            package = (point.dist.name, point.dist.version) if point.dist else (point.module, "")
            by_package.setdefault(package, {}).setdefault(table, {})[point.name] = _load_point(point)
    for (name, version), entries in by_package.items():
        add(INSTALLED + name, entries, version)


def add(name: str, entries: Any, digest: str) -> None:
    """Adds entries to the tables in the name of a plugin.

    Args:
      name: of the plugin.
      entries: `{table: {name: entry}}`; an `Entry` brings hyperparameters.
      digest: of the plugin's code.

    Raises:
      InputError: there is no such table, an entry is of another kind, or its name is taken.
    """
    earlier = _LOADED.get(name, Plugin("", frozenset()))
    _check_entries(name, entries, earlier.names)
    for table, added in entries.items():
        for key, value in added.items():
            entry = value if isinstance(value, Entry) else Entry(value)
            TABLES[table].entries[key] = entry.value
            if family := TABLES[table].family:
                kind = FAMILIES[family]
                hparams, about = {**kind.hparams, **entry.hparams}, {**kind.about, **entry.about}
                FAMILIES[family] = kind._replace(hparams=hparams, about=about)
    _LOADED[name] = Plugin(digest, frozenset((table, key) for table, added in entries.items() for key in added))


def _check_entries(name: str, entries: Any, own: frozenset[tuple[str, str]]) -> None:
    """Refuses entries that cannot be added, before any is."""
    if not isinstance(entries, Mapping) or not all(isinstance(added, Mapping) for added in entries.values()):
        raise InputError(f"the plugin {name} defines no ENTRIES, a mapping {{table: {{name: entry}}}}")
    for table, added in entries.items():
        kind = TABLES[nearest_name(f"table of the plugin {name}:", table, TABLES)].kind
        for key, value in added.items():
            entry = value if isinstance(value, Entry) else Entry(value)
            if not isinstance(entry.value, kind):
                raise InputError(f"the plugin {name}: {table} {key!r} is no {kind.__name__}")
            if key in TABLES[table].entries and (table, key) not in own:
                raise InputError(f"the plugin {name}: {table} has an entry {key!r} already")
            if entry.hparams and TABLES[table].family is None:
                raise InputError(f"the plugin {name}: an entry of {table} can bring no hyperparameters")


def needed(config: Mapping[str, Any]) -> dict[str, str]:
    """The plugins whose entries a configuration names, `{plugin: hash}`."""
    words = {word.partition(":")[0] for word in _words(config)}
    return {
        name: plugin.digest
        for name, plugin in sorted(_LOADED.items())
        if any(key.partition(":")[0] in words for _, key in plugin.names)
    }


def record(folder: Path, config: Mapping[str, Any]) -> list[str]:
    """Writes `plugins.json`, the plugins that a folder's configuration needs; a line for each that has changed."""
    plugins, before = needed(config), read_object(folder / FILE)
    if plugins or before:
        write_json(folder / FILE, plugins)
    return _changes(folder, before or {}, plugins)


def check(folder: Path) -> list[str]:
    """Refuses a folder that needs a plugin which is not loaded; a line for each that has changed.

    Raises:
      InputError: a plugin is missing; the line says which to give.
    """
    load_installed()
    recorded = read_object(folder / FILE) or {}
    for name, digest in recorded.items():
        if not any(_is_same(name, digest, ours, plugin.digest) for ours, plugin in _LOADED.items()):
            wish = f"install {name.removeprefix(INSTALLED)} {digest}" if INSTALLED in name else f"give --plugin {name}"
            raise InputError(f"{folder} was made with the plugin {name} (sha256 {str(digest)[:12]}): {wish}")
    return _changes(folder, recorded, {name: plugin.digest for name, plugin in _LOADED.items()})


def _is_same(name: str, digest: str, other: str, other_digest: str) -> bool:
    """Whether two plugins are the same one: of the same code, or of the same name."""
    return digest == other_digest or Path(name).name == Path(other).name


def _changes(folder: Path, before: Mapping[str, Any], after: Mapping[str, str]) -> list[str]:
    return [
        f"the plugin {ours} is not the one that {folder} was made with: its code has changed"
        for name, digest in before.items()
        for ours, of_ours in after.items()
        if _is_same(name, digest, ours, of_ours) and digest != of_ours
    ]


def hash_files(files: Sequence[Path]) -> str:
    """SHA-256 of files, one after the other."""
    digest = hashlib.sha256()
    for path in files:
        digest.update(path.read_bytes())
    return digest.hexdigest()


def _load_point(point: EntryPoint) -> Any:
    try:
        return point.load()
    except Exception as error:  # whatever the package raises when it is imported
        raise InputError(f"the plugin {point.value} of an installed package fails: {first_line(error)}") from error


def _words(value: Any) -> Iterator[str]:
    """Every string in nested mappings and sequences."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping | ConfigDict):
        yield from (word for inner in value.values() for word in _words(inner))
    elif isinstance(value, Sequence):
        yield from (word for inner in value for word in _words(inner))
