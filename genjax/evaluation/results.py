"""A number with all that it takes to read it: its error, its unit and its protocol."""

import shutil
import sys
import textwrap
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple, TextIO

import numpy as np

from genjax.system.files import read_object
from genjax.types import InputError


class Result(NamedTuple):
    """One number of an evaluation.

    Attributes:
      metric: its name.
      value: the number.
      error: its standard error, or None where there is none (`protocol["error"]` says what it is over).
      unit: such as nats an example; empty for a plain number.
      protocol: how it was measured: split, counts, seed, features and their hash.
      details: what else was found on the way, for `evaluation.json` alone.
    """

    metric: str
    value: float
    error: float | None
    unit: str
    protocol: Mapping[str, Any]
    details: Mapping[str, Any] = MappingProxyType({})


def averaged(metric: str, values: np.ndarray, unit: str, protocol: Mapping[str, Any]) -> Result:
    """The mean of per-example values `[n]` in double precision, with its standard error s / sqrt(n)."""
    exact = np.asarray(values, np.float64)
    error = float(exact.std(ddof=1) / np.sqrt(len(exact))) if len(exact) > 1 else None
    return Result(metric, float(exact.mean()), error, unit, {**protocol, "error": f"over {len(exact):,} examples"})


def table(groups: Mapping[str, Sequence[Result]], width: int | None = None) -> str:
    """The results `{group: results}` as text: under a line with what a group's protocols share, one line a result.

    Args:
      groups: of results.
      width: of the terminal; lines are broken between words there, and what some results of a group share stands above
        them. None is for a file or another program: each result has one line, however long.
    """
    if width is not None:
        return "\n\n".join(_section(name, results, width) for name, results in groups.items())
    cells = [_cells(result) for results in groups.values() for result in results]
    widths = [max((len(cells[i]) for cells in cells), default=0) for i in range(4)]
    blocks = []
    for name, results in groups.items():
        common, own = _divide_protocols(results)
        lines = [f"{name}: {common}"]
        for result, differing in zip(results, own, strict=True):
            metric, value, error, unit = _cells(result)
            padded = (metric.ljust(widths[0]), value.rjust(widths[1]), error.ljust(widths[2]), unit.ljust(widths[3]))
            lines.append("  ".join(("", *padded, differing)).rstrip())
        blocks.append("\n".join(lines))
    return "\n\n".join(blocks)


def _section(name: str, results: Sequence[Result], width: int) -> str:
    """A group for a person: short rows under what they share, broken between words."""

    def line(text: str, indent: int) -> list[str]:
        spaces = indent * " "
        return textwrap.wrap(text, max(width, 30), initial_indent=spaces, subsequent_indent=f"{spaces}  ")

    common, own = _divide_protocols(results)
    lines, above = line(f"{name}: {common}", 0), ""
    widths = [max(len(_cells(result)[i]) for result in results) for i in range(4)]
    for result, differing in sorted(zip(results, own, strict=True), key=lambda pair: bool(pair[1])):
        if differing != above:
            lines += line(differing, 2)
            above = differing
        metric, value, error, unit = _cells(result)
        lines.append(
            f"    {metric.ljust(widths[0])}  {value.rjust(widths[1])}  {error.ljust(widths[2])}  {unit}".rstrip()
        )
    return "\n".join(lines)


def _cells(result: Result) -> tuple[str, str, str, str]:
    error = "" if result.error is None else f"± {result.error:.2g}"
    return result.metric, f"{result.value:.5g}", error, result.unit


def _divide_protocols(results: Sequence[Result]) -> tuple[str, list[str]]:
    """What the protocols of a group share, in words, and what is each result's own."""
    shared = set.intersection(*(set(result.protocol.items()) for result in results))

    def words(result: Result, common: bool) -> str:
        return _format_protocol({k: v for k, v in result.protocol.items() if ((k, v) in shared) == common})

    return words(results[0], True), [words(result, False) for result in results]


def terminal_width() -> int | None:
    """The width of the terminal that standard output is, or None where it is a file or a pipe."""
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else None


def to_json(result: Result) -> dict[str, Any]:
    """A result as JSON holds it; a number that is not finite is its name."""
    content = {**result._asdict(), "protocol": dict(result.protocol), "details": dict(result.details)}
    return {name: _to_json_value(value) for name, value in content.items()}


def _to_json_value(value: Any) -> Any:
    """A value that JSON can hold."""
    if isinstance(value, dict):
        return {name: _to_json_value(item) for name, item in value.items()}
    if isinstance(value, list):
        return [_to_json_value(item) for item in value]
    return str(value) if isinstance(value, float) and not np.isfinite(value) else value


def read_evaluation(path: Path) -> dict[str, Any]:
    """Reads an `evaluation.json`; nothing where there is no file.

    Raises:
      InputError: its results are not those of an evaluation.
    """
    content = read_object(path) or {}
    results = content.get("results", [])
    if not isinstance(results, list) or not all(map(_is_result, results)):
        raise InputError(f"{path} cannot be read: its results are not those of an evaluation")
    warnings = content.get("warnings", [])
    if not isinstance(warnings, list) or not all(map(_is_warning, warnings)):
        raise InputError(f"{path} cannot be read: its warnings are not those of a run")
    return content


def _is_result(value: Any) -> bool:
    return isinstance(value, dict) and {"metric", "value"} <= value.keys() and isinstance(value.get("protocol"), dict)


def _is_warning(value: Any) -> bool:
    return isinstance(value, dict) and {"name", "advice"} <= value.keys() and isinstance(value.get("step"), int)


def merged(old: Sequence[Mapping[str, Any]], new: Sequence[Result]) -> list[dict[str, Any]]:
    """Results by metric and protocol: what was measured again takes the place of what was there."""
    by_identity = {_identity(result): dict(result) for result in [*old, *map(to_json, new)]}
    return list(by_identity.values())


def _identity(result: Mapping[str, Any]) -> tuple[str, ...]:
    return (result["metric"], *(f"{name}={value}" for name, value in sorted(result["protocol"].items())))


def _format_protocol(protocol: Mapping[str, Any]) -> str:
    words = ((name.replace("_", " "), value) for name, value in protocol.items())
    return ", ".join(f"{name} {value:,}" if type(value) is int else f"{name} {value}" for name, value in words)


def show_progress(stream: TextIO) -> Callable[[str, int], Any]:
    """`with progress(name, total) as tick`: a bar on a terminal, and nothing elsewhere."""
    from tqdm import tqdm

    @contextmanager
    def progress(name: str, total: int) -> Iterator[Callable[[int], Any]]:
        with tqdm(total=total, desc=name, file=stream, leave=False, disable=not stream.isatty()) as bar:
            yield bar.update

    return progress
