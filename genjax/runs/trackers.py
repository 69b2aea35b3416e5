"""Where the numbers and pictures of a run go beside `metrics.jsonl`: TensorBoard, Weights & Biases, MLflow.

Each tracker is one function of `TRACKERS`. Servers, projects and experiments are said by the libraries' own environment
variables (`WANDB_PROJECT`, `MLFLOW_TRACKING_URI`, ...). A run that goes on continues the run of the tracker: its
identifier is kept in the folder. A tracker that fails is left out from there on, and training does not notice.
"""

import math
import os
import secrets
import time
from collections.abc import Callable, Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from genjax.system.files import read_object, write_json
from genjax.system.imports import without_module
from genjax.system.messages import first_line
from genjax.types import InputError

IDENTIFIERS = "trackers.json"
ENLARGED = 4  # times, in TensorBoard: images of 28x28 pixels are too small to see
Pictures = Mapping[str, np.ndarray]


class Tracker(NamedTuple):
    """Where one run's numbers go.

    Attributes:
      numbers: `(step, {name: finite number})` records a row.
      pictures: `(step, {name: [h, w, c] uint8})` records pictures.
      finish: `({name: number})` records the final figures.
      close: ends the record, whether the run was finished or not.
    """

    numbers: Callable[[int, Mapping[str, float]], None]
    pictures: Callable[[int, Pictures], None]
    finish: Callable[[Mapping[str, float]], None]
    close: Callable[[], None]


def tensorboard(folder: Path, step: int, settings: Mapping[str, Any]) -> Tracker:
    """Event files in the run's folder, written as the run goes; settings and final figures are a row of HPARAMS."""
    with without_module("torch"):
        from tensorboardX import summary
        from tensorboardX.event_file_writer import EventsWriter
        from tensorboardX.proto.event_pb2 import Event, SessionLog

    # Files are named by the second: the suffix keeps a run that is resumed within one from overwriting them.
    # tensorboardX's own SummaryWriter has a thread, and leaves a run waiting for ever where the disk is full.
    events = EventsWriter(str(folder / "events"), f".{time.time_ns()}")

    def write(step: int, **content: Any) -> None:
        events.write_event(Event(wall_time=time.time(), step=step, **content))

    # What was shown after the step is hidden.
    write(step + 1 if step else 0, session_log=SessionLog(status=SessionLog.START))

    def numbers(step: int, values: Mapping[str, float]) -> None:
        for name, value in values.items():
            write(step, summary=summary.scalar(name, value))
        events.flush()

    def pictures(step: int, images: Pictures) -> None:
        for name, image in images.items():
            large = image.repeat(ENLARGED, axis=0).repeat(ENLARGED, axis=1)
            write(step, summary=summary.image(name, large, dataformats="HWC"))

    def finish(figures: Mapping[str, float]) -> None:
        hparams = {
            name: value if isinstance(value, bool | int | float) else str(value) for name, value in settings.items()
        }
        numbers(settings["train.steps"], figures)
        for part in summary.hparams(hparams, dict(figures)):
            write(settings["train.steps"], summary=part)

    return Tracker(numbers, pictures, finish, events.close)


def wandb(folder: Path, step: int, settings: Mapping[str, Any]) -> Tracker:
    """A run of Weights & Biases; `WANDB_PROJECT`, `WANDB_MODE` and the like are its own."""
    import wandb as library

    identifier = _identifier(folder, "wandb") or secrets.token_hex(4)
    run = library.init(
        project=os.environ.get("WANDB_PROJECT", "genjax"),
        name=folder.name,
        id=identifier,
        resume="allow",
        dir=folder,
        config=dict(settings),
        settings=library.Settings(silent=True),
    )
    _keep(folder, "wandb", identifier)
    run.define_metric("*", step_metric="step")  # a run that goes on repeats the rows after its checkpoint

    def pictures(step: int, images: Pictures) -> None:
        run.log({"step": step, **{name: library.Image(image.squeeze()) for name, image in images.items()}})

    return Tracker(
        numbers=lambda step, values: run.log({"step": step, **values}),
        pictures=pictures,
        finish=lambda figures: run.summary.update(dict(figures)),
        close=run.finish,
    )


def mlflow(folder: Path, step: int, settings: Mapping[str, Any]) -> Tracker:
    """A run of MLflow; `MLFLOW_TRACKING_URI` and `MLFLOW_EXPERIMENT_NAME` say where."""
    import mlflow as library
    from mlflow.entities import Metric, Param
    from mlflow.exceptions import MlflowException

    client = library.MlflowClient()
    experiment = library.set_experiment(os.environ.get("MLFLOW_EXPERIMENT_NAME", "genjax"))
    identifier = _identifier(folder, "mlflow") or "none"
    try:
        client.get_run(identifier)
    except MlflowException:  # of another server, or deleted: a run of its own begins
        identifier = client.create_run(experiment.experiment_id, run_name=folder.name).info.run_id
        _keep(folder, "mlflow", identifier)
        client.log_batch(identifier, params=[Param(name, str(value)) for name, value in settings.items()])
    client.update_run(identifier, status="RUNNING")
    status = ["KILLED"]

    def numbers(step: int, values: Mapping[str, float]) -> None:
        timestamp = int(1000 * time.time())
        client.log_batch(identifier, metrics=[Metric(name, value, timestamp, step) for name, value in values.items()])

    def pictures(step: int, images: Pictures) -> None:
        for name, image in images.items():
            client.log_image(identifier, image.squeeze(), f"{name.replace('/', '-')}-{step}.png")

    def finish(figures: Mapping[str, float]) -> None:
        numbers(settings["train.steps"], figures)
        status[:] = ["FINISHED"]

    return Tracker(numbers, pictures, finish, lambda: client.set_terminated(identifier, status[0]))


TRACKERS: dict[str, Callable[[Path, int, Mapping[str, Any]], Tracker]] = {
    "tensorboard": tensorboard,
    "wandb": wandb,
    "mlflow": mlflow,
}
EXTRAS = ("wandb", "mlflow")  # trackers whose library is an extra; both have the tracker's name


def check_installed(names: Sequence[str]) -> None:
    """Refuses a tracker whose library is not there.

    Raises:
      InputError: which, and the extra that brings it.
    """
    for name in names:
        if name in EXTRAS and find_spec(name) is None:
            raise InputError(f"train.trackers: {name} is not installed: uv sync --extra {name}")


class Trackers:
    """The trackers of one run; one that fails is said once and left out."""

    def __init__(self, folder: Path, step: int, settings: Mapping[str, Any], say: Callable[[str], None]):
        self._say, self._open = say, dict[str, Tracker]()
        for name in settings["train.trackers"]:
            self._try(name, lambda name=name: self._open.setdefault(name, TRACKERS[name](folder, step, settings)))

    def numbers(self, step: int, values: Mapping[str, float]) -> None:
        """Records those of the numbers that are finite."""
        finite = {name: float(value) for name, value in values.items() if math.isfinite(value)}
        self._each(lambda tracker: tracker.numbers(step, finite))

    def pictures(self, step: int, images: Pictures) -> None:
        """Records pictures."""
        self._each(lambda tracker: tracker.pictures(step, images))

    def finish(self, figures: Mapping[str, float]) -> None:
        """Records the final figures."""
        finite = {name: float(value) for name, value in figures.items() if math.isfinite(value)}
        self._each(lambda tracker: tracker.finish(finite))

    def close(self) -> None:
        """Ends all records."""
        self._each(lambda tracker: tracker.close())

    def _each(self, act: Callable[[Tracker], None]) -> None:
        for name, tracker in list(self._open.items()):
            self._try(name, lambda tracker=tracker: act(tracker))

    def _try(self, name: str, act: Callable[[], Any]) -> None:
        try:
            act()
        except Exception as error:  # whatever a tracker's library raises
            self._open.pop(name, None)
            self._say(f"{name} has failed and is left out from here on: {first_line(error)}")


def _identifier(folder: Path, name: str) -> str | None:
    """The identifier of the tracker's run that the folder goes on with; None where there is none that can be read."""
    try:
        identifier = (read_object(folder / IDENTIFIERS) or {}).get(name)
    except InputError:
        return None
    return identifier if isinstance(identifier, str) and identifier.isalnum() else None


def _keep(folder: Path, name: str, identifier: str) -> None:
    """Keeps an identifier in the run's folder."""
    try:
        content = read_object(folder / IDENTIFIERS) or {}
    except InputError:
        content = {}
    write_json(folder / IDENTIFIERS, {**content, name: identifier})
