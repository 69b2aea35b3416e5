"""What a person sees while a command runs: one bar on a terminal, plain lines in a pipe or a file."""

import os
import re
import time
from collections.abc import Callable
from functools import partial
from typing import NamedTuple, TextIO


class Progress(NamedTuple):
    """A display of how far a command has come.

    Attributes:
      show: `(done, total, text) -> None`: steps that are done, of how many, and what to show beside them.
      say: `(message) -> None`: prints a line, without breaking the bar.
      close: `() -> None`: ends the bar's line.
    """

    show: Callable[[int, int, str], None]
    say: Callable[[str], None]
    close: Callable[[], None]


def open_progress(stream: TextIO, seconds_between_lines: float = 0.0, pace: bool = True) -> Progress:
    """A bar where the stream can draw one, plain lines where it cannot.

    Args:
      stream: such as `sys.stderr`.
      seconds_between_lines: plain lines that come sooner after another are left out, but for the last one.
      pace: whether plain lines tell steps per second of the clock; not where the text beside them has a pace.
    """
    return bar(stream) if can_draw(stream) else lines(stream, seconds_between_lines, pace)


def can_draw(stream: TextIO) -> bool:
    """Whether the stream is a terminal that is large enough for a bar."""
    try:
        columns, rows = os.get_terminal_size(stream.fileno())  # 0 in a container's terminal that nobody sized
    except (OSError, ValueError):
        return False
    return columns > 0 and rows > 2  # on fewer rows tqdm hides its bar


def bar(stream: TextIO) -> Progress:
    """One bar that redraws itself; it appears when there is something to show."""
    from tqdm import tqdm

    current: tqdm | None = None

    def show(done: int, total: int, text: str) -> None:
        nonlocal current
        columns = os.get_terminal_size(stream.fileno()).columns
        form = next(form for form in FORMS if columns >= form.columns)
        text = fit(text, columns - form.beside - form.counts * len(f"{total:,}"))
        if current is None:
            current = _make_bar(stream, done, total, text)
        current.bar_format, current.total, current.n = form.format, total, max(done, current.n)
        current.set_description_str(text)

    def say(message: str) -> None:
        tqdm.write(message, file=stream)

    return Progress(show, say, lambda: None if current is None else current.close())


def _make_bar(stream: TextIO, done: int, total: int, text: str):
    """A bar whose pace counts from here: what was done before the first call includes compilation."""
    from tqdm import tqdm

    return tqdm(
        initial=done,
        total=total,
        desc=text,
        file=stream,
        unit=" steps",
        dynamic_ncols=True,
        bar_format=FORMS[-1].format,
    )


class Form(NamedTuple):
    """What a bar has beside its text.

    Attributes:
      columns: of the narrowest terminal that it is for.
      beside: columns that it takes, without the numbers of steps.
      counts: how many numbers of steps it has.
      format: of tqdm.
    """

    columns: int
    beside: int
    counts: int
    format: str


FORMS = (
    Form(100, 56, 2, "{percentage:3.0f}% {bar:12} {n:,}/{total:,} steps  {rate_noinv_fmt}  {remaining} left  {desc}"),
    Form(70, 28, 2, "{percentage:3.0f}% {n:,}/{total:,} steps  {remaining} left  {desc}"),
    Form(0, 14, 0, "{percentage:3.0f}% {remaining}  {desc}"),
)


def fit(text: str, width: int) -> str:
    """As many of the numbers of a text as there is room for, each with its name.

    Example:
      >>> fit("loss 123.4  kl 12.3 | validation loss 125.1", 24)
      'loss 123.4  kl 12.3'
      >>> fit("loss 123.4", 5)
      ''
    """
    ends = [match.start() for match in re.finditer(r"  | \| |$", text)]
    return text[: max((end for end in ends if end <= width), default=0)]


def lines(stream: TextIO, seconds_between_lines: float = 0.0, pace: bool = True) -> Progress:
    """Plain lines: steps, text, and from the second one on the pace and the time that is left."""
    from tqdm import tqdm

    first: tuple[float, int] | None = None  # the pace counts from here: what was done before includes compilation
    latest = -seconds_between_lines

    def show(done: int, total: int, text: str) -> None:
        nonlocal first, latest
        seconds = time.monotonic()
        first = first or (seconds, done)
        if seconds - latest < seconds_between_lines and done < total:
            return
        latest, parts = seconds, [f"{done:,}/{total:,} steps", text]
        if done > first[1] and seconds > first[0]:
            per_second = (done - first[1]) / (seconds - first[0])
            parts += [f"{short(per_second)} steps/s"] if pace else []
            parts.append(f"{tqdm.format_interval((total - done) / per_second)} left")
        print_line(stream, "  ".join(part for part in parts if part))

    return Progress(show, partial(print_line, stream), lambda: None)


def print_line(stream: TextIO, message: str) -> None:
    """Prints a line by one write: a signal's line comes from a thread, and must not fall between a line and its end."""
    stream.write(f"{message}\n")
    stream.flush()


def short(value: float) -> str:
    """A number in as few characters as tell it: `0.001235`, `123.5`, `12,346`."""
    return f"{value:,.0f}" if 1e3 <= abs(value) < 1e7 else f"{value:.4g}"


def silent() -> Progress:
    """Shows nothing: for the processes beside the first one."""
    return Progress(lambda done, total, text: None, lambda message: None, lambda: None)
