"""A run's numbers: rows that survive a kill, a bar on a terminal, lines in a pipe."""

import contextlib
import io
import json
import math
import os
import pty
import struct
import termios

import jax.numpy as jnp
import numpy as np
import pytest

from genjax.runs import logs
from genjax.system import progress
from genjax.system.files import write_atomically
from genjax.types import InputError


@contextlib.contextmanager
def terminal(columns, rows=24):
    """A writable terminal and the function that returns all that was written to it."""
    reader, writer = pty.openpty()
    termios.tcsetwinsize(writer, (rows, columns))

    def written():
        text = b""
        with contextlib.suppress(OSError):  # the other end is closed and nothing is left
            while part := os.read(reader, 4096):
                text += part
        return text.decode().replace("\r\n", "\n")

    with os.fdopen(writer, "w") as stream:
        yield stream, written
    os.close(reader)


def settings(steps):
    """What a log reads of a run's settings."""
    return {"train.steps": steps, "train.trackers": ("tensorboard",)}


def row(step, loss: float | np.floating = 1.5, **more):
    return {"step": step, "train/loss": loss, **more}


def events(workdir):
    """`(step, tag, value)` of every event in a folder, and the steps from which TensorBoard purges."""
    from tensorboardX.proto.event_pb2 import Event

    values, purges = [], []
    for path in sorted(workdir.glob("events*")):
        data = path.read_bytes()
        while data:
            (length,) = struct.unpack_from("<Q", data)  # a record: length, its checksum, the event, its checksum
            event = Event.FromString(data[12 : 12 + length])
            data = data[16 + length :]
            values += [(event.step, v.tag, v) for v in event.summary.value]
            purges += [event.step] if event.HasField("session_log") else []
    return values, purges


@pytest.mark.parametrize(
    "value",
    [np.float32(0.1), np.float32(1e-45), jnp.float32(1 / 3), 0.1, 5e-324, -0.0, 1e300, math.inf, -math.inf, math.nan],
)
def test_floats_round_trip_to_the_bit(tmp_path, value):
    path = tmp_path / "metrics.jsonl"
    path.write_bytes(logs.encode_row(row(1, value)))
    json.loads(path.read_text(), parse_constant=lambda name: pytest.fail(f"{name} is not JSON"))
    (read,) = logs.read_metrics(path)
    assert struct.pack("d", read["train/loss"]) == struct.pack("d", float(value))


def test_integers_stay_integers():
    assert logs.encode_row({"step": np.int32(7), "train/n": jnp.int32(3)}) == b'{"step": 7, "train/n": 3}\n'


WHOLE = [logs.encode_row(row(s)) for s in (10, 20, 30)]


@pytest.mark.parametrize(
    ("content", "step", "kept"),
    [
        (b"".join(WHOLE), 30, [10, 20, 30]),
        (b"".join(WHOLE), 20, [10, 20]),
        (b"".join(WHOLE), 0, []),
        (b"".join(WHOLE) + b'{"step": 40, "train/lo', 30, [10, 20, 30]),
        (b"".join(WHOLE) + b'{"step": 40, "train/lo', 20, [10, 20]),
        (b"".join(WHOLE)[:-1], 30, [10, 20, 30]),
        (WHOLE[0] + b"\0\0\0", 10, [10]),
        (b"{", 10, []),
        (b"", 10, []),
        (None, 0, []),
    ],
)
def test_resume_keeps_whole_rows_up_to_the_checkpoint(tmp_path, content, step, kept):
    path = tmp_path / "metrics.jsonl"
    if content is not None:
        path.write_bytes(content)
    with logs.open_metrics(path, step) as file:
        file.write(logs.encode_row(row(step + 5)))
    assert path.read_bytes() == b"".join(WHOLE[: len(kept)]) + logs.encode_row(row(step + 5))
    assert [r["step"] for r in logs.read_metrics(path)] == [*kept, step + 5]
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("line", [b"{\n", b"[1]\n", b'{"loss": 1}\n', b"\n"])
def test_a_bad_line_that_is_not_the_last_is_refused(tmp_path, line):
    path = tmp_path / "metrics.jsonl"
    path.write_bytes(WHOLE[0] + line + WHOLE[1])
    with pytest.raises(InputError, match="line 2"):
        logs.read_metrics(path)


def test_a_failed_write_leaves_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "file"
    write_atomically(path, b"old")

    def fail(_):
        raise OSError("no space")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(OSError, match="no space"):
        write_atomically(path, b"new")
    assert path.read_bytes() == b"old"


def test_every_row_is_on_disk_when_write_returns(tmp_path):
    with logs.open_log(tmp_path, 0, settings(30), io.StringIO()) as run:
        for s in (10, 20, 30):
            run.write(row(s))
            assert (tmp_path / "metrics.jsonl").read_bytes() == b"".join(WHOLE[: s // 10])


@pytest.mark.parametrize("second", [10, 5])
def test_a_step_has_one_row(tmp_path, second):
    with logs.open_log(tmp_path, 0, settings(30), io.StringIO()) as run:
        run.write(row(10))
        with pytest.raises(ValueError, match="a step has one row"):
            run.write(row(second))
    assert len(logs.read_metrics(tmp_path / "metrics.jsonl")) == 1


def test_a_new_run_may_log_step_0_and_a_resumed_one_may_not_repeat(tmp_path):
    with logs.open_log(tmp_path, 0, settings(30), io.StringIO()) as run:
        run.write(row(0))
        run.write(row(10))
    with logs.open_log(tmp_path, 10, settings(30), io.StringIO()) as run, pytest.raises(ValueError, match="step 10"):
        run.write(row(10))
    assert [r["step"] for r in logs.read_metrics(tmp_path / "metrics.jsonl")] == [0, 10]


def test_tensorboard_gets_scalars_and_images_and_purges_on_resume(tmp_path):
    picture = np.zeros((4, 6, 1), np.uint8)
    picture[1, 2] = 178
    with logs.open_log(tmp_path, 0, settings(30), io.StringIO()) as run:
        run.write(row(10, 2.5, **{"validation/loss": 3.5, "train/bad": math.nan}))
        run.images(10, {"samples": picture})
    with logs.open_log(tmp_path, 10, settings(30), io.StringIO()) as run:
        run.write(row(20, 1.25))
    values, purges = events(tmp_path)
    scalars = [(step, tag, v.simple_value) for step, tag, v in values if not v.HasField("image")]
    assert scalars == [(10, "train/loss", 2.5), (10, "validation/loss", 3.5), (20, "train/loss", 1.25)]
    assert purges == [0, 11]
    from PIL import Image

    (image,) = (v.image for *_, v in values if v.HasField("image"))
    pixels = np.asarray(Image.open(io.BytesIO(image.encoded_image_string)).convert("L"))
    np.testing.assert_array_equal(pixels, picture[..., 0].repeat(4, axis=0).repeat(4, axis=1))  # large enough to see


def test_a_pipe_gets_one_plain_line_a_row(monkeypatch):
    """The pace counts from the first row, in whose time compilation is."""
    clock = iter([100.0, 110.0, 120.0])
    monkeypatch.setattr(progress.time, "monotonic", lambda: next(clock))
    shown = progress.lines(stream := io.StringIO(), pace=False)
    speed = {"seconds": 8.0, "examples_per_second": 12345.6}
    first = row(1000, 123.456, **{"train/kl": 12.3, "validation/loss": 12500.0}, **speed)
    shown.show(1000, 3000, logs.describe_row(first))
    shown.say("saved")
    shown.show(2000, 3000, logs.describe_row(row(2000, np.float32(0.0001234))))
    shown.show(3000, 3000, logs.describe_row(row(3000, math.nan)))
    assert stream.getvalue().splitlines() == [
        "1,000/3,000 steps  loss 123.5  kl 12.3 | validation loss 12,500 | 12,346 examples/s",
        "saved",
        "2,000/3,000 steps  loss 0.0001234  00:10 left",
        "3,000/3,000 steps  loss nan  00:00 left",
    ]


def test_lines_that_come_too_soon_are_left_out_but_for_the_last(monkeypatch):
    clock = iter([100.0, 101.0, 106.0, 107.0])
    monkeypatch.setattr(progress.time, "monotonic", lambda: next(clock))
    shown = progress.lines(stream := io.StringIO(), seconds_between_lines=5)
    for done in (0, 100, 600, 700):
        shown.show(done, 700, "alive")
    assert stream.getvalue().splitlines() == [
        "0/700 steps  alive",
        "600/700 steps  alive  100 steps/s  00:01 left",
        "700/700 steps  alive  100 steps/s  00:00 left",
    ]


def test_a_bar_appears_with_the_first_step_and_its_total_may_change():
    with terminal(columns=100) as (stream, written):
        shown = progress.bar(stream)
        shown.say("12 trials")
        shown.show(50, 200, "one")
        shown.show(100, 400, "two")
        shown.close()
        stream.close()
        text = written()
    assert text.startswith("12 trials\n")
    assert "0/0" not in text
    last = text.rsplit("\r", 1)[1]
    for part in (" 25%", "100/400 steps", "steps/s", "left", "two"):
        assert part in last


def test_a_bar_shows_progress_and_ends_its_line_when_interrupted(tmp_path):
    def interrupted(stream):
        with logs.open_log(tmp_path, 50, settings(200), stream) as run:
            run.write(row(100, 123.456))
            run.say("saved")
            raise KeyboardInterrupt

    with terminal(columns=100) as (stream, written):
        with pytest.raises(KeyboardInterrupt):
            interrupted(stream)
        stream.close()
        text = written()
    last = text.rsplit("\r", 1)[1]
    for part in (" 50%", "100/200", "steps/s", "left", "loss 123.5"):
        assert part in last
    assert last.endswith("\n")
    assert "saved\n" in text
    assert len(logs.read_metrics(tmp_path / "metrics.jsonl")) == 1


@pytest.mark.parametrize(
    ("columns", "rows", "redraws"), [(80, 24, True), (80, 3, True), (80, 2, False), (80, 0, False), (0, 24, False)]
)
def test_a_terminal_without_a_size_gets_lines(tmp_path, columns, rows, redraws):
    with terminal(columns, rows) as (stream, written):
        with logs.open_log(tmp_path, 0, settings(20), stream) as run:
            run.write(row(10))
        stream.close()
        text = written()
    assert ("\r" in text) == redraws
    assert "loss 1.5" in text


def test_a_pipe_gets_no_carriage_return(tmp_path):
    reader, writer = os.pipe()
    with os.fdopen(writer, "w") as stream, logs.open_log(tmp_path, 0, settings(20), stream) as run:
        run.write(row(10))
        run.write(row(20))
    text = os.read(reader, 65536).decode()
    os.close(reader)
    assert "\r" not in text
    assert [line.split("  ")[0] for line in text.splitlines()] == ["10/20 steps", "20/20 steps"]
