"""What a person sees while a sweep runs: trials alive, the best so far, steps a second over all trials, time left."""

import time
from collections.abc import Callable
from typing import NamedTuple, TextIO

from genjax.runs.logs import draws

SILENCE = 5.0  # seconds between two plain lines


class Watch(NamedTuple):
    """`show(steps done, of how many, beside)`, steps summed over trials; `say(message)`; `close()`."""

    show: Callable[[int, int, str], None]
    say: Callable[[str], None]
    close: Callable[[], None]


def bar(stream: TextIO) -> Watch:
    """One bar on a terminal, which redraws itself."""
    from tqdm import tqdm

    line = tqdm(
        total=0,
        file=stream,
        dynamic_ncols=True,
        mininterval=0.2,
        bar_format="{percentage:3.0f}% {bar:12} {n:,}/{total:,} steps  {rate_noinv_fmt}  {remaining} left  {desc}",
        unit=" steps",
        delay=1e-9,
    )

    def show(done: int, total: int, beside: str) -> None:
        if line.n == 0 and done:
            line.initial = done  # what was done before this process counts for no pace
            line.n = done
            line.start_t = time.time()
        line.total = total
        line.set_description_str(beside, refresh=False)
        line.update(max(0, done - line.n))

    return Watch(show, lambda message: line.write(message, file=stream), line.close)


def lines(stream: TextIO) -> Watch:
    """Plain lines in a pipe or a file, one every few seconds."""
    from tqdm import tqdm

    first: tuple[float, int] | None = None
    latest = -SILENCE

    def show(done: int, total: int, beside: str) -> None:
        nonlocal first, latest
        now = time.monotonic()
        first = first or (now, done)
        if now - latest < SILENCE and done < total:
            return
        latest, parts = now, [f"{done:,}/{total:,} steps", beside]
        if done > first[1]:
            pace = (done - first[1]) / (now - first[0])
            parts += [f"{pace:,.0f} steps/s", f"{tqdm.format_interval((total - done) / pace)} left"]
        say("  ".join(parts))

    def say(message: str) -> None:
        print(message, file=stream, flush=True)

    return Watch(show, say, lambda: None)


def silent() -> Watch:
    """For the processes beside the first."""
    return Watch(lambda done, total, beside: None, lambda message: None, lambda: None)


def watch(stream: TextIO) -> Watch:
    """A bar where it can be drawn, plain lines where it cannot."""
    return (bar if draws(stream) else lines)(stream)
