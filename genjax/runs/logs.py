"""Where a run's numbers go: `metrics.jsonl`, TensorBoard, and a bar on the terminal or lines in a pipe.

A row is one flat mapping: `step`, `train/<name>`, `validation/<name>`, and the only two entries that depend on the
clock, `seconds` and `examples_per_second`. A step has one row, so its train and validation values are written together.
"""

import json
import math
import os
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple, TextIO

import numpy as np

from genjax.system.files import write_atomically
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
        except (ValueError, TypeError, KeyError):
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
    kept = b"".join(line for line, row in _parse(path) if 0 < step >= row["step"])
    if not path.exists() or path.read_bytes() != kept:
        write_atomically(path, kept)
    return path.open("ab", buffering=0)


class Progress(NamedTuple):
    """What a person watches: `show(row)`, `say(message)`, `close()`."""

    show: Callable[[Mapping[str, Any]], None]
    say: Callable[[str], None]
    close: Callable[[], None]


def _short(value: float) -> str:
    return f"{value:,.0f}" if 1e3 <= abs(value) < 1e7 else f"{value:.4g}"


def _losses(row: Mapping[str, Any]) -> str:
    """`loss 123.4  kl 12.3 | validation loss 125`."""
    groups = []
    for prefix, title in (("train/", ""), ("validation/", "validation ")):
        values = [f"{k.removeprefix(prefix)} {_short(float(v))}" for k, v in row.items() if k.startswith(prefix)]
        groups += [title + "  ".join(values)] if values else []
    return " | ".join(groups)


def bar(step: int, total_steps: int, stream: TextIO) -> Progress:
    """Progress on a terminal: one bar that redraws itself."""
    from tqdm import tqdm

    line = tqdm(
        total=total_steps,
        initial=step,
        file=stream,
        unit=" steps",
        dynamic_ncols=True,
        mininterval=0,
        miniters=1,
        bar_format="{percentage:3.0f}% {bar:12} {n:,}/{total:,}  {rate_noinv_fmt}  {remaining} left  {desc}",
    )

    def show(row: Mapping[str, Any]) -> None:
        line.set_description_str(_losses(row), refresh=False)
        line.update(row["step"] - line.n)

    def say(message: str) -> None:
        line.write(message, file=stream)

    return Progress(show, say, line.close)


def lines(step: int, total_steps: int, stream: TextIO) -> Progress:
    """Progress in a pipe or a file: one plain line a row."""
    from tqdm import tqdm

    since, before = (step, time.monotonic()), step

    def show(row: Mapping[str, Any]) -> None:
        nonlocal since, before
        done, now = row["step"], time.monotonic()
        parts = [f"step {done:,}/{total_steps:,}", _losses(row)]
        if "examples_per_second" in row:
            pace = (done - before) / float(row["seconds"])
            parts.append(f"| {_short(pace)} steps/s  {float(row['examples_per_second']):,.0f} examples/s")
        if since[0] < done < total_steps:
            left = (total_steps - done) * (now - since[1]) / (done - since[0])
            parts.append(f"eta {tqdm.format_interval(left)}")
        if since[0] == step:  # compilation is in the first row's time: the pace counts from here
            since = (done, now)
        before = done
        say("  ".join(part for part in parts if part))

    def say(message: str) -> None:
        print(message, file=stream, flush=True)

    return Progress(show, say, lambda: None)


def draws(stream: TextIO) -> bool:
    """Whether a bar can be drawn there."""
    try:
        columns, rows = os.get_terminal_size(stream.fileno())  # 0 in a container's terminal that nobody sized
    except (OSError, ValueError):
        return False
    return columns > 0 and rows > 2  # on fewer tqdm hides its bar


class Logs:
    """The open outputs of one run; see `open_logs`. Leaving its `with` block closes them, on Ctrl-C as well."""

    def __init__(self, metrics: BinaryIO, tensorboard: Any, progress: Progress, step: int):
        self.metrics, self.tensorboard, self.progress, self.step = metrics, tensorboard, progress, step

    def write(self, row: Mapping[str, Any]) -> None:
        """Records one row everywhere; its step must be later than the last row's.

        A row that must survive a kill is written before the checkpoint of its step is.
        """
        step = int(row["step"])
        if step <= self.step:
            raise ValueError(f"a row for step {step} after that of step {self.step}: a step has one row")
        self.metrics.write(encode_row(row))
        self.step = step
        for name, value in row.items():
            if name != "step" and math.isfinite(value):
                self.tensorboard.add_scalar(name, float(value), step)
        self.progress.show(row)

    def images(self, step: int, pictures: Mapping[str, np.ndarray]) -> None:
        """Shows pictures in TensorBoard: `{name: [H, W, C]}` uint8, one channel or three."""
        for name, picture in pictures.items():
            self.tensorboard.add_image(name, picture, step, dataformats="HWC")

    def say(self, message: str) -> None:
        """Prints a line for the person who watches, without breaking the bar."""
        self.progress.say(message)

    def close(self) -> None:
        self.progress.close()
        self.tensorboard.close()
        self.metrics.close()

    def __enter__(self) -> "Logs":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def open_logs(workdir: str | os.PathLike[str], step: int, total_steps: int, stream: TextIO | None = None) -> Logs:
    """Opens every output of a run.

    Args:
      workdir: an existing folder.
      step: of the checkpoint that the run goes on from, 0 for a new run; what was logged after it is dropped.
      total_steps: at which the run ends.
      stream: for progress, `sys.stderr` by default: a bar where it is a terminal, plain lines where it is not.
    """
    from tensorboardX import SummaryWriter

    metrics = open_metrics(Path(workdir) / "metrics.jsonl", step)
    # Event files are named by the second: the suffix keeps a run that is resumed within one from overwriting them.
    suffix = f".{time.time_ns()}"
    tensorboard = SummaryWriter(
        os.fspath(workdir), purge_step=step + 1 if step else 0, flush_secs=10, filename_suffix=suffix
    )
    out = sys.stderr if stream is None else stream
    progress = (bar if draws(out) else lines)(step, total_steps, out)
    return Logs(metrics, tensorboard, progress, step or -1)  # a new run may have a row for step 0
