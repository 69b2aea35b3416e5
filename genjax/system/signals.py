"""SIGINT and SIGTERM, received even while compiled code runs."""

import contextlib
import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def collect_stop_signals(say: Callable[[str], None]) -> Iterator[list[int]]:
    """Collects SIGINT and SIGTERM, so that a chunk is finished and saved; the second one ends the process at once.

    Python's own handlers wait while compiled code runs: a thread reads the signals as the system delivers them.
    """
    received: list[int] = []
    reader, writer = os.pipe()
    os.set_blocking(writer, False)

    def watch() -> None:
        while number := os.read(reader, 1):
            received.append(number[0])
            if len(received) > 1:
                os._exit(128 + number[0])
            with contextlib.suppress(OSError):  # nobody may be reading
                say(f"{signal.Signals(number[0]).name}: finishing the chunk and saving; once more to stop at once")

    previous_handlers = {number: signal.signal(number, lambda *_: None) for number in (signal.SIGINT, signal.SIGTERM)}
    wakeup = signal.set_wakeup_fd(writer)
    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    try:
        yield received
    finally:
        signal.set_wakeup_fd(wakeup)
        for number, handler in previous_handlers.items():
            signal.signal(number, handler)
        os.close(writer)
        watcher.join()
        os.close(reader)
