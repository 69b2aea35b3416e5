"""The logs of a run: `metrics.jsonl`, trackers such as TensorBoard, and what the person who watches sees.

A row is one flat mapping: `step`, `train/<name>`, `validation/<name>`, and the only two entries that depend on the
clock, `seconds` and `examples_per_second`. A step has one row, so its train and validation values are written together.
"""

import hashlib
import json
import math
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, BinaryIO, Protocol, TextIO

import numpy as np

from genjax.runs.trackers import Trackers
from genjax.system.files import DAMAGES, write_atomically
from genjax.system.progress import Progress, open_progress, short
from genjax.types import InputError

# JSON has no number for these, and `null` could not be read back: the names are those that protobuf's JSON uses.
NON_FINITE = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}


def encode_row(row: Mapping[str, Any]) -> bytes:
    """One line of `metrics.jsonl`, its newline included; every float is read back to the same bit."""
    numbers = {name: _number(value) for name, value in row.items()}
    return json.dumps(numbers, allow_nan=False).encode() + b"\n"


def _number(value: Any) -> int | float | str:
    array = np.asarray(value)
    if np.issubdtype(array.dtype, np.integer):
        return int(array)
    number = float(array)
    if math.isfinite(number):
        return number
    return "NaN" if math.isnan(number) else "Infinity" if number > 0 else "-Infinity"


def _parse(path: Path) -> list[tuple[bytes, dict[str, Any]]]:
    lines = path.read_bytes().splitlines(keepends=True) if path.exists() else []
    rows = []
    for i, line in enumerate(lines):
        try:
            row = json.loads(line)
            row["step"] = int(row["step"])
        except (TypeError, OverflowError, *DAMAGES):
            if i == len(lines) - 1:  # torn: its process was killed in the middle of the write
                break
            raise InputError(f"{path}, line {i + 1}: not a row of metrics; mend or delete the file") from None
        restored = {k: NON_FINITE.get(v, v) if isinstance(v, str) else v for k, v in row.items()}
        rows.append((line.removesuffix(b"\n") + b"\n", restored))
    return rows


def read_metrics(path: str | os.PathLike[str]) -> list[dict[str, Any]]:
    """The rows of a `metrics.jsonl`, in the order of the file; none where there is no file.

    A torn last line is left out, so a run can be read while it writes.

    Raises:
      InputError: any other line is not a row.
    """
    return [row for _, row in _parse(Path(path))]


def open_metrics(path: str | os.PathLike[str], step: int) -> BinaryIO:
    """Opens a `metrics.jsonl` for appending, after cutting off what a resumed run will write again.

    Args:
      path: of the file, made if it is not there.
      step: of the checkpoint that the run goes on from; rows of later steps are dropped, and so is a torn last line.
        0 is a run from the start: every row is dropped.

    Returns:
      A file without a buffer: each `write` is one call to the system, so a killed process loses no whole row.
    """
    path = Path(path)
    lines_to_keep = b"".join(line for line, row in _parse(path) if 0 < step >= row["step"])
    if not path.exists() or path.read_bytes() != lines_to_keep:
        write_atomically(path, lines_to_keep)
    return path.open("ab", buffering=0)


class Log(Protocol):
    """Where the numbers of one run go."""

    def write(self, row: Mapping[str, Any]) -> None:
        """Records the row of one step."""
        ...

    def images(self, step: int, pictures: Mapping[str, np.ndarray]) -> None:
        """Records pictures, `{name: [H, W, C]}` uint8, one channel or three."""
        ...

    def finish(self, figures: Mapping[str, float]) -> None:
        """Records the final figures."""
        ...

    def digest(self) -> str:
        """A digest of all rows."""
        ...

    def say(self, message: str) -> None:
        """Prints a line for the person who watches."""
        ...


class NullLog:
    """A log that keeps nothing: for the processes beside the first one."""

    def write(self, row: Mapping[str, Any]) -> None:
        """Does nothing."""

    def images(self, step: int, pictures: Mapping[str, np.ndarray]) -> None:
        """Does nothing."""

    def finish(self, figures: Mapping[str, float]) -> None:
        """Does nothing."""

    def digest(self) -> str:
        """A digest of nothing."""
        return ""

    def say(self, message: str) -> None:
        """Does nothing."""


class FileLog:
    """The open files of one run and its display; see `open_log`. Leaving its `with` block closes them all."""

    def __init__(
        self, metrics: BinaryIO, earlier: bytes, trackers: Trackers, progress: Progress, step: int, total_steps: int
    ):
        self._metrics, self._trackers, self._progress = metrics, trackers, progress
        self._digest = hashlib.sha256(earlier)
        self._step, self._total_steps = step, total_steps

    def write(self, row: Mapping[str, Any]) -> None:
        """Records one row everywhere; its step must be later than the last row's.

        A row that must survive a kill is written before the checkpoint of its step is.
        """
        step = int(row["step"])
        if step <= self._step:
            raise ValueError(f"a row for step {step} after that of step {self._step}: a step has one row")
        line = encode_row(row)
        self._metrics.write(line)
        self._digest.update(line)
        self._step = step
        self._trackers.numbers(step, {name: value for name, value in row.items() if name != "step"})
        self._progress.show(step, self._total_steps, describe_row(row))

    def images(self, step: int, pictures: Mapping[str, np.ndarray]) -> None:
        """Shows pictures in the trackers."""
        self._trackers.pictures(step, pictures)

    def finish(self, figures: Mapping[str, float]) -> None:
        """Gives the final figures to the trackers."""
        self._trackers.finish(figures)

    def digest(self) -> str:
        """The SHA-256 of `metrics.jsonl`, with the rows of earlier processes."""
        return self._digest.hexdigest()

    def say(self, message: str) -> None:
        """Prints a line without breaking the bar."""
        self._progress.say(message)

    def __enter__(self) -> "FileLog":
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.close()
        self._trackers.close()
        self._metrics.close()


def describe_row(row: Mapping[str, Any]) -> str:
    """`loss 123.4  kl 12.3 | validation loss 125 | 9,000 examples/s`; the pace is that of training alone."""
    groups = []
    for prefix, title in (("train/", ""), ("validation/", "validation ")):
        values = [f"{k.removeprefix(prefix)} {short(float(v))}" for k, v in row.items() if k.startswith(prefix)]
        groups += [title + "  ".join(values)] if values else []
    if "examples_per_second" in row:
        groups.append(f"{float(row['examples_per_second']):,.0f} examples/s")
    return " | ".join(groups)


def open_log(
    workdir: str | os.PathLike[str],
    step: int,
    settings: Mapping[str, Any],
    stream: TextIO | None = None,
) -> FileLog:
    """Opens every output of a run.

    Args:
      workdir: an existing folder.
      step: of the checkpoint that the run goes on from, 0 for a new run; what was logged after it is dropped.
      settings: of the run, by their dotted names.
      stream: for progress, `sys.stderr` by default: a bar where it is a terminal, plain lines where it is not.
    """
    path = Path(workdir) / "metrics.jsonl"
    metrics = open_metrics(path, step)
    progress = open_progress(sys.stderr if stream is None else stream, pace=False)
    trackers = Trackers(Path(workdir), step, settings, progress.say)
    first = step or -1  # a new run may have a row for step 0
    return FileLog(metrics, path.read_bytes(), trackers, progress, first, settings["train.steps"])
