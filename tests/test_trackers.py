"""Trackers: where a run's numbers and pictures go beside `metrics.jsonl`, and that none of them can harm a run."""

import io
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from cases import few_quick

from genjax import config as configs
from genjax.config.defaults import TRACKERS
from genjax.runs import loop, trackers
from genjax.types import InputError

ROOT = Path(__file__).parents[1]
PICTURE = np.full((4, 6, 1), 178, np.uint8)


def small(steps=4, **train):
    config = configs.default("vae")
    config.model.hidden, config.model.latent = (4,), 2
    every = {"log_every": 2, "evaluate_every": 2, "checkpoint_every": 2}
    config.train.update({"steps": steps, "devices": 1, **every, **train})
    return config


def settings(name, steps=4):
    return configs.flatten(small(steps, trackers=(name,)))


@pytest.fixture
def said():
    return []


def opened(folder, name, said, step=0):
    return trackers.Trackers(folder, step, settings(name), said.append)


def test_the_configuration_knows_every_tracker():
    assert set(trackers.TRACKERS) == set(TRACKERS)


@pytest.fixture
def weights_and_biases(monkeypatch):
    """A Weights & Biases that keeps what it is given: `[(name, value), ...]` of each of its runs by identifier."""
    calls: dict[str, list] = {}

    def init(**arguments):
        log = calls.setdefault(arguments["id"], [])
        log.append(("init", arguments))
        return SimpleNamespace(
            define_metric=lambda *a, **k: None,
            log=lambda row: log.append(("log", row)),
            summary=SimpleNamespace(update=lambda figures: log.append(("summary", figures))),
            finish=lambda: log.append(("finish", None)),
        )

    names = iter(("first", "second"))
    monkeypatch.setattr(trackers.secrets, "token_hex", lambda n: next(names, "another"))
    library = SimpleNamespace(init=init, Image=lambda image: image.shape, Settings=lambda **k: None)
    monkeypatch.setitem(__import__("sys").modules, "wandb", library)
    return calls


def test_a_resumed_run_continues_the_run_of_weights_and_biases(tmp_path, said, weights_and_biases):
    run = opened(tmp_path, "wandb", said)
    run.numbers(2, {"train/loss": 1.5, "validation/loss": float("nan")})
    run.pictures(2, {"samples": PICTURE})
    run.close()
    again = opened(tmp_path, "wandb", said, step=2)
    again.numbers(4, {"train/loss": 1.0})
    again.finish({"test/loss": 0.5})
    again.close()
    assert said == []
    assert json.loads((tmp_path / "trackers.json").read_text()) == {"wandb": "first"}
    log = weights_and_biases["first"]
    assert [name for name, _ in log] == ["init", "log", "log", "finish", "init", "log", "summary", "finish"]
    assert log[0][1]["resume"] == "allow"
    assert log[0][1]["config"]["model.latent"] == 2
    assert [value for name, value in log if name == "log"] == [
        {"step": 2, "train/loss": 1.5},
        {"step": 2, "samples": (4, 6)},
        {"step": 4, "train/loss": 1.0},
    ]


@pytest.mark.parametrize("content", ["", "[]", '{"wandb": 3}', '{"wandb": "../x"}', "\\xff"])
def test_a_damaged_identifier_begins_another_run(tmp_path, said, weights_and_biases, content):
    (tmp_path / "trackers.json").write_text(content)
    opened(tmp_path, "wandb", said).close()
    assert said == []
    assert json.loads((tmp_path / "trackers.json").read_text()) == {"wandb": "first"}


def test_weights_and_biases_offline(tmp_path, said, monkeypatch):
    pytest.importorskip("wandb")
    monkeypatch.setenv("WANDB_MODE", "offline")
    monkeypatch.setenv("WANDB_DIR", str(tmp_path))
    run = opened(tmp_path, "wandb", said)
    run.numbers(2, {"train/loss": 1.5})
    run.pictures(2, {"samples": PICTURE})
    run.finish({"test/loss": 0.5})
    run.close()
    assert said == []
    (record,) = tmp_path.glob("wandb/offline-run-*/run-*.wandb")
    deadline = time.monotonic() + 60  # a process of the library writes the record, and on a busy machine later
    while b"train/loss" not in record.read_bytes() and time.monotonic() < deadline:
        time.sleep(0.05)
    assert b"train/loss" in record.read_bytes()


def test_mlflow_on_a_file_store(tmp_path, said, monkeypatch):
    library = pytest.importorskip("mlflow")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", (tmp_path / "store").as_uri())
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    run = opened(tmp_path, "mlflow", said)
    run.numbers(2, {"train/loss": 1.5})
    run.close()
    again = opened(tmp_path, "mlflow", said, step=2)
    again.numbers(4, {"train/loss": 1.0})
    again.pictures(4, {"samples": PICTURE})
    again.finish({"test/loss": 0.5})
    again.close()
    assert said == []
    identifier = json.loads((tmp_path / "trackers.json").read_text())["mlflow"]
    client = library.MlflowClient((tmp_path / "store").as_uri())
    history = [(metric.step, metric.value) for metric in client.get_metric_history(identifier, "train/loss")]
    assert history == [(2, 1.5), (4, 1.0)]
    found = client.get_run(identifier)
    assert (found.info.status, found.data.metrics["test/loss"]) == ("FINISHED", 0.5)
    assert found.data.params["model.latent"] == "2"


def fail(*_):
    raise ZeroDivisionError("division by zero")


def nothing(*_):
    pass


FAILING = {
    "at its start": fail,
    "at a row": lambda folder, step, settings: trackers.Tracker(fail, fail, fail, fail),
    "at its end": lambda folder, step, settings: trackers.Tracker(nothing, nothing, nothing, fail),
}


@pytest.mark.parametrize("moment", few_quick(list(FAILING), 1))
def test_a_tracker_that_fails_is_said_once_and_changes_nothing(tmp_path, monkeypatch, moment):
    monkeypatch.setitem(trackers.TRACKERS, "tensorboard", FAILING[moment])
    stream = io.StringIO()
    assert loop.train(small(), tmp_path / "run", stream) == loop.FINISHED
    assert stream.getvalue().count("tensorboard has failed and is left out from here on: division by zero") == 1
    monkeypatch.undo()
    assert loop.train(small(), tmp_path / "whole", io.StringIO()) == loop.FINISHED
    contents = [(tmp_path / name / "evaluation.json").read_text() for name in ("run", "whole")]
    assert contents[0] == contents[1]


def test_what_is_not_installed_is_refused_at_the_start(tmp_path, monkeypatch):
    monkeypatch.setattr(trackers, "find_spec", lambda name: None)
    with pytest.raises(InputError, match="wandb is not installed: uv sync --extra wandb"):
        loop.train(small(trackers=("wandb",)), tmp_path / "run", io.StringIO())
    assert not (tmp_path / "run").exists()


def test_no_tracker_leaves_no_file(tmp_path):
    assert loop.train(small(trackers=()), tmp_path / "run", io.StringIO()) == loop.FINISHED
    assert not list((tmp_path / "run").glob("events*"))


def test_tensorboard_does_not_import_pytorch(tmp_path):
    """tensorboardX does, where there is one: two seconds of every start. Whoever asks for it later still gets it."""
    (tmp_path / "torch.py").write_text("print('imported')")
    code = f"""
from pathlib import Path
from genjax.runs.trackers import TRACKERS
tracker = TRACKERS["tensorboard"](Path({str(tmp_path)!r}), 0, {{}})
tracker.numbers(1, {{"loss": 1.0}})
tracker.close()
print("closed")
import torch
"""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(tmp_path), str(ROOT)])}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == ["closed", "imported"]


@pytest.mark.slow
def test_a_table_of_tensorboard_has_settings_and_final_figures(tmp_path):
    from tensorboardX.proto import event_pb2
    from tensorboardX.proto.plugin_hparams_pb2 import HParamsPluginData

    assert loop.train(small(), tmp_path / "run", io.StringIO()) == loop.FINISHED
    (path,) = (tmp_path / "run").glob("events*")
    data, hparams, tags = path.read_bytes(), {}, set()
    while data:  # length (8 bytes), its checksum (4), the event, its checksum (4)
        size = int.from_bytes(data[:8], "little")
        event, data = event_pb2.Event.FromString(data[12 : 12 + size]), data[16 + size :]
        for value in event.summary.value:
            tags.add(value.tag)
            plugin = HParamsPluginData.FromString(value.metadata.plugin_data.content)
            hparams |= {name: stored.number_value for name, stored in plugin.session_start_info.hparams.items()}
    assert hparams["model.latent"] == 2
    assert {"train/loss", "validation/loss", "test/loss", "samples"} <= tags
