"""The pictures that a run logged while it trained, from its event files for TensorBoard."""

import struct
from collections.abc import Iterator
from pathlib import Path

from genjax.system.imports import without_module

FRAMES = 40  # at most, evenly spaced


def read_images(workdir: Path) -> dict[str, list[tuple[int, bytes]]]:
    """`{name: [(step, PNG), ...]}` in the order of the steps; what a resumed run logged again takes the place.

    A file that breaks off, or is damaged, is read up to there.
    """
    from google.protobuf.message import DecodeError

    with without_module("torch"):
        from tensorboardX.proto.event_pb2 import Event  # pyright: ignore[reportAttributeAccessIssue]

    images: dict[str, dict[int, bytes]] = {}
    for path in sorted(workdir.glob("events.out.tfevents.*")):
        for record in _records(path.read_bytes()):
            try:
                event = Event.FromString(record)
            except DecodeError:
                break
            for value in event.summary.value:
                if value.HasField("image"):
                    images.setdefault(value.tag, {})[event.step] = value.image.encoded_image_string
    return {name: thin(sorted(by_step.items())) for name, by_step in images.items()}


def thin(frames: list[tuple[int, bytes]]) -> list[tuple[int, bytes]]:
    """At most so many frames, the first and the last among them.

    Example:
      >>> [step for step, _ in thin([(step, b"") for step in range(79)])][:3]
      [0, 2, 4]
    """
    if len(frames) <= FRAMES:
        return frames
    return [frames[round(i * (len(frames) - 1) / (FRAMES - 1))] for i in range(FRAMES)]


def _records(data: bytes) -> Iterator[bytes]:
    """The records of a TFRecord file: a length of eight bytes, four of its checksum, the data, four of theirs."""
    start = 0
    while start + 12 <= len(data):
        (length,) = struct.unpack_from("<Q", data, start)
        end = start + 12 + length
        if end + 4 > len(data):
            return
        yield data[start + 12 : end]
        start = end + 4
