"""A line for each run and each sweep below a folder, from the files that they keep; no model is loaded."""

import csv
import fcntl
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

from genjax.runs.logs import read_metrics
from genjax.system.files import read_object
from genjax.system.messages import nearest_name
from genjax.types import InputError

# The metric that is shown of a run: the first that it has, on the test split before the validation split.
MAIN = ("elbo", "log_likelihood", "log_prob", "sliced_wasserstein", "recon", "loss")


class Entry(NamedTuple):
    """One run or one sweep; a field that is not known is empty, or 0.

    Attributes:
      name: of the folder, from where the overview was asked for.
      kind: `run` or `sweep`.
      family: of the model.
      data: the source.
      steps: how many are done, or how many trials a sweep has.
      state: `finished`, `diverged`, `running`, `stopped`, or `unreadable`.
      figure: `test/elbo -23.7`: the main figure; of a sweep the best objective.
      when: something was last written, `2026-01-31 12:00`.
    """

    name: str
    kind: str
    family: str = ""
    data: str = ""
    steps: int = 0
    state: str = "unreadable"
    figure: str = ""
    when: str = ""


def overview(folder: Path) -> list[Entry]:
    """Every run and sweep below a folder; the trials that a sweep has exported are not listed.

    Raises:
      InputError: there is no such folder.
    """
    if not folder.is_dir():
        raise InputError(f"{folder}: no such folder")
    return [_entry(path, path.relative_to(folder).as_posix()) for path in _folders(folder)]


def select(entries: Sequence[Entry], where: Sequence[str], sort: str, reverse: bool) -> list[Entry]:
    """The entries for which every `column=value` holds, in the order of a column.

    Raises:
      InputError: there is no such column, or a condition has another form.

    Example:
      >>> entries = [Entry("a", "run", family="vae", steps=20), Entry("b", "run", family="gan", steps=10)]
      >>> [entry.name for entry in select(entries, [], "steps", False)]
      ['b', 'a']
      >>> [entry.name for entry in select(entries, ["family=vae"], "name", False)]
      ['a']
      >>> figures = [Entry(number, "run", figure=f"test/elbo {number}") for number in ("-29.0", "-300.0", "-2.5")]
      >>> [entry.name for entry in select(figures, [], "figure", False)]
      ['-300.0', '-29.0', '-2.5']
    """
    nearest_name("column", sort, Entry._fields)
    for condition in where:
        column, equals, value = condition.partition("=")
        if not equals:
            raise InputError(f"--where {condition}: a condition is <column>=<value>")
        nearest_name("column", column, Entry._fields)
        entries = [entry for entry in entries if str(getattr(entry, column)) == value]
    return sorted(entries, key=lambda entry: _rank(getattr(entry, sort)), reverse=reverse)


def _rank(value: Any) -> tuple[Any, ...]:
    """What a cell is sorted by: figures such as 'test/elbo -23.7' by their name, and then as numbers."""
    if not isinstance(value, str):
        return (value,)
    name, _, last = value.rpartition(" ")
    try:
        return name, float(last)
    except ValueError:
        return value, 0.0


def table(entries: Sequence[Entry]) -> str:
    """The entries as text, a line each below the names of the columns."""
    cells = [Entry._fields, *(tuple(f"{v:,}" if isinstance(v, int) else v for v in entry) for entry in entries)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    formats = [f"{{:{'>' if name == 'steps' else '<'}{w}}}" for name, w in zip(Entry._fields, widths, strict=True)]
    lines = ("  ".join(formats).format(*row) for row in cells)
    return "\n".join(line.rstrip() for line in lines)


def _folders(folder: Path) -> Iterator[Path]:
    """Folders with a `config.json`, in order; what lies inside of one is a part of it."""
    if (folder / "config.json").is_file():
        yield folder
        return
    for path in sorted(folder.iterdir()):
        if path.is_dir() and not path.is_symlink() and not path.name.startswith("."):
            yield from _folders(path)


def _entry(path: Path, name: str) -> Entry:
    try:
        config = read_object(path / "config.json") or {}
        entry = _sweep(path, name, config) if "base.model.family" in config else _run(path, name, config)
    except (OSError, ValueError, KeyError, TypeError, InputError):
        return Entry(name, "")
    return entry if list(map(type, entry)) == list(map(type, Entry(name, ""))) else Entry(name, "")


def _run(path: Path, name: str, config: Mapping[str, Any]) -> Entry:
    rows = read_metrics(path / "metrics.jsonl")
    step, total = (rows[-1]["step"] if rows else 0), config["train.steps"]
    evaluation = read_object(path / "evaluation.json") or {}
    at_end = step >= total or "stopped_early" in evaluation
    state = "finished" if at_end else "running" if is_held(path) else "stopped"
    state = "diverged" if (path / "diverged.json").exists() else state
    evaluated = [row for row in rows if any(key.startswith("validation/") for key in row)]
    figures = {**(evaluated[-1] if evaluated else {}), **evaluation}
    newest = _modified(path / "metrics.jsonl", path / "evaluation.json", path / "config.json")
    return Entry(name, "run", config["model.family"], config["data.source"], step, state, main_figure(figures), newest)


def _sweep(path: Path, name: str, config: Mapping[str, Any]) -> Entry:
    table, trials, best = path / "trials.csv", 0, ""
    if table.exists():
        with table.open(newline="") as file:
            rows = list(csv.DictReader(file))
        values = [float(row["objective"]) for row in rows if row["objective"]]
        trials, choose = len(rows), min if config["objective.goal"] == "min" else max
        best = f"best {config['objective.metric']} {choose(values):.4g}" if values else ""
    state = "finished" if table.exists() else "running" if is_held(path) else "stopped"
    family, data = config["base.model.family"], config["base.data.source"]
    return Entry(name, "sweep", family, data, trials, state, best, _modified(table, path / "config.json"))


def is_held(path: Path) -> bool:
    """Whether a process is writing in a run's or a sweep's folder."""
    try:
        with (path / ".lock").open() as lock:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:  # there is no lock
        return False
    return False


def main_figure(figures: Mapping[str, Any]) -> str:
    """`test/elbo -23.7`: the main figure among those of a run.

    Example:
      >>> main_figure({"validation/elbo": -24.0, "test/elbo": -23.71, "test/kl": 4.0})
      'test/elbo -23.71'
    """
    for split in ("test", "validation"):
        for metric in MAIN:
            value = figures.get(name := f"{split}/{metric}")
            if isinstance(value, float):
                return f"{name} {value:.4g}"
    return ""


def _modified(*paths: Path) -> str:
    newest = max((path.stat().st_mtime for path in paths if path.exists()), default=0.0)
    return datetime.fromtimestamp(newest).strftime("%Y-%m-%d %H:%M")
