"""Runs and sweeps know their data: other data of the same shape are refused, and an evaluation names them."""

import json

import numpy as np
import pytest
import trained

from genjax import data, default_config
from genjax.config import to_json
from genjax.data import fingerprints
from genjax.evaluation import evaluate
from genjax.evaluation.options import Options
from genjax.runs import loop
from genjax.runs.load import load_run
from genjax.sweeps import default, values
from genjax.sweeps import loop as sweep_loop
from genjax.types import InputError

X = np.random.default_rng(0).integers(0, 256, (60, 4, 4), np.uint8)
Y = np.arange(60) % 3


def written(path, x=X, y=Y):
    np.savez(path, x=x, y=y)
    return data.load(f"npz:{path}")


def changed(index, by=1):
    x = X.copy()
    x.reshape(-1)[index] += by
    return x


def test_a_digest_is_of_all_that_the_data_hold(tmp_path):
    path = tmp_path / "a.npz"
    known = data.fingerprint(written(path))
    assert data.fingerprint(written(path)) == known
    others = [
        written(path, x=changed(0)),
        written(path, x=changed(-1)),
        written(path, y=(Y + 1) % 3),
        written(path, x=X[:59], y=Y[:59]),
        written(path, x=X.reshape(60, 2, 8)),
        written(path, x=X / 255),
    ]
    digests = [data.fingerprint(other)["digest"] for other in others]
    assert len({known["digest"], *digests}) == 1 + len(others)


def test_of_large_data_rows_from_all_over_are_hashed(tmp_path, monkeypatch):
    monkeypatch.setattr(fingerprints, "WHOLE", 100)
    monkeypatch.setattr(fingerprints, "ROWS", 7)
    first = data.fingerprint(written(tmp_path / "a.npz"))
    assert first["splits"]["train"]["hashed_rows"] == 7
    assert first != data.fingerprint(written(tmp_path / "a.npz", x=X + 1))


def settings(path, steps=4):
    config = default_config("vae")
    config.data.source = f"npz:{path}"
    config.model.latent, config.model.hidden = 2, (8,)
    config.train.update(steps=steps, batch_size=8, log_every=2, evaluate_every=2, checkpoint_every=2, devices=1)
    return config


@pytest.mark.slow
def test_a_run_goes_on_with_its_own_data_alone(tmp_path, capsys):
    path, workdir = tmp_path / "a.npz", tmp_path / "run"
    written(path)
    assert loop.train(settings(path), workdir) == loop.FINISHED
    before = {file.name: file.read_bytes() for file in workdir.iterdir() if file.is_file()}
    written(path, x=changed(range(960)))
    message = f"npz:{path} holds other data than {workdir} was made with: its train split has other values"
    for attempt in (
        lambda: loop.train(settings(path, steps=6), workdir),
        lambda: load_run(workdir),
        lambda: evaluate.evaluate(workdir, Options(metrics=("likelihood",), importance_samples=2)),
    ):
        with pytest.raises(InputError) as caught:
            attempt()
        assert str(caught.value) == message
    assert {file.name: file.read_bytes() for file in workdir.iterdir() if file.is_file()} == before
    written(path)
    assert loop.train(settings(path, steps=6), workdir) == loop.FINISHED


@pytest.mark.parametrize(
    ("content", "message"),
    [("{", "cannot be read: it holds no JSON"), ('{"npz:PATH": 3}', "data.json has no fingerprint of it")],
)
def test_a_damaged_record_is_one_line(tmp_path, content, message):
    path, workdir = tmp_path / "a.npz", tmp_path / "run"
    written(path)
    workdir.mkdir()
    (workdir / "data.json").write_text(content.replace("PATH", str(path)))
    with pytest.raises(InputError, match=message):
        loop.train(settings(path), workdir)


@pytest.mark.slow
def test_a_sweep_and_its_exported_trials_know_their_data(tmp_path):
    path = tmp_path / "a.npz"
    written(path)
    (tmp_path / "base.json").write_text(to_json(settings(path)))
    sweep = default(tmp_path / "base.json")
    sweep.axes, sweep.execution = (values("seed", 0, 1),), "map"
    assert sweep_loop.sweep(sweep, tmp_path / "sweep", best=1) == loop.FINISHED
    (exported,) = (tmp_path / "sweep" / "best").iterdir()
    written(path, x=changed(range(960)))
    with pytest.raises(InputError, match="holds other data"):
        load_run(exported)
    with pytest.raises(InputError, match="holds other data"):  # an export would call these the data of the training
        sweep_loop.sweep(sweep, tmp_path / "sweep", best=2)
    (tmp_path / "sweep" / "trials.csv").unlink()
    with pytest.raises(InputError, match="holds other data"):
        sweep_loop.sweep(sweep, tmp_path / "sweep")


def test_an_evaluation_names_its_data(tmp_path):
    workdir = trained.train(tmp_path / "vae", hidden=(8,))
    found = evaluate.evaluate(workdir, Options(metrics=("likelihood",), importance_samples=2))
    digest = data.fingerprint(data.load("digits"))["digest"]
    assert all(result.protocol["data"] == digest[:8] for result in found["likelihood"])
    assert json.loads((workdir / "data.json").read_text())["digits"]["digest"] == digest


@pytest.mark.parametrize(("offset", "deviation"), [(1e6, 0.1), (123.456, 0.0), (-5.0, 2.0)])
def test_the_variance_of_points_far_from_zero(tmp_path, offset, deviation):
    x = offset + deviation * np.random.default_rng(0).normal(size=(3000, 2))
    np.savez(tmp_path / "points.npz", x=x)
    dataset = data.load(f"npz:{tmp_path / 'points.npz'}")
    stored = dataset.train.x.astype(np.float64)
    expected = np.mean(np.square(stored - stored.mean(axis=0)))
    assert data.describe(dataset).variance == pytest.approx(expected, rel=1e-9, abs=1e-12)
