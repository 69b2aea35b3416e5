"""A trained run and a finished sweep on plain arrays, and a fit of an array in memory."""

import importlib.util
import shutil
from pathlib import Path
from typing import Any

import jax
import numpy as np
import pytest
import trained

import genjax
from genjax.api import blocks, interpolation, values
from genjax.api.fit import _configure
from genjax.api.sweep import Sweep
from genjax.evaluation import likelihood, samplers
from genjax.evaluation.options import Options
from genjax.types import DataSpec, InputError

BYTES = DataSpec(shape=(2, 2, 1), bounded=True, scale=1 / 255, mean=np.zeros((2, 2, 1)), levels=256)
POINTS = DataSpec(shape=(2,), bounded=False, scale=1.0, mean=np.zeros(2))


@pytest.fixture(scope="module")
def vae(tmp_path_factory):
    return genjax.load_run(trained.train(tmp_path_factory.mktemp("runs") / "vae", hidden=(8,)))


@pytest.fixture(scope="module")
def x(vae):
    return vae.dataset.test.x


@pytest.mark.parametrize("dtype", [np.uint8, np.int32, np.int64])
def test_integers_are_stored_values_and_floats_the_models(dtype):
    stored = np.arange(0, 256, 17).astype(dtype).reshape(-1, 2, 2, 1)
    for floats in (stored / 255, (stored / 255).astype(np.float32), stored[..., 0] / 255):
        np.testing.assert_allclose(values.model_values(BYTES, stored), values.model_values(BYTES, floats), rtol=1e-6)


def test_points_are_what_they_are():
    np.testing.assert_array_equal(values.model_values(POINTS, [[300, -2]]), values.model_values(POINTS, [[300.0, -2]]))


@pytest.mark.parametrize(
    ("spec", "array", "message"),
    [
        (BYTES, np.full((1, 2, 2, 1), 255.0), "x holds floats from 255 to 255: floats of images lie in"),
        (BYTES, np.full((1, 2, 2, 1), 256), "x holds integers from 256 to 256; .* stored from 0 to 255"),
        (BYTES._replace(scale=1 / 16), np.full((1, 2, 2, 1), 255, np.uint8), "are stored from 0 to 16"),
        (BYTES._replace(scale=1.0), np.full((1, 2, 2, 1), 255, np.uint8), "are stored from 0 to 1"),
        (BYTES, np.zeros((2, 2, 1)), r"x has shape \[2, 2, 1\]; this model takes \[n, 2, 2, 1\]"),
        (BYTES, np.full((1, 2, 2, 1), np.nan), "NaN or infinite"),
        (BYTES, np.full((1, 2, 2, 1), "a"), "x holds <U1 values"),
        (POINTS, np.zeros(2), r"x has shape \[2\]; this model takes \[n, 2\]"),
    ],
)
def test_what_a_model_cannot_mean_is_refused_in_one_line(spec, array, message):
    with pytest.raises(InputError, match=message):
        values.model_values(spec, array)


def test_raw_bytes_give_the_codes_that_training_saw(vae, x):
    model_x = x.astype(np.float32) * np.float32(vae.spec.scale)
    direct = vae.model.encode(vae.params, genjax.Batch(jax.numpy.asarray(model_x)))
    np.testing.assert_allclose(vae.encode(x), direct, atol=1e-5)
    np.testing.assert_array_equal(vae.encode(x), vae.encode(model_x))


@pytest.mark.parametrize("n", [0, 1, blocks.FEW, blocks.FEW + 1, blocks.MANY + 1])
def test_any_length_gives_the_same_rows(vae, x, n):
    many = np.resize(x, (blocks.MANY + 1, *x.shape[1:]))
    codes, images, logs = (f(many[:n]) for f in (vae.encode, vae.reconstruct, lambda x: vae.log_likelihood(x, k=4)))
    assert (codes.shape, images.shape, logs.shape) == ((n, 2), (n, 8, 8, 1), (n,))
    np.testing.assert_allclose(codes, vae.encode(many)[:n], rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(images, vae.reconstruct(many)[:n], rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(logs, vae.log_likelihood(many, k=4)[:n], rtol=1e-4)
    assert vae.decode(codes).shape == (n, 8, 8, 1)


def test_a_call_compiles_two_programs_at_most(vae, x):
    for n in (1, 2, 5, 20, 30, 300):
        vae.encode(np.resize(x, (n, *x.shape[1:])))
    assert vae._programs["encode"]._cache_size() <= 2


def test_log_likelihood_is_the_evaluators(vae):
    options = Options(importance_samples=30, seed=3)
    results = likelihood.measure(vae.loaded, options, progress)
    mean = next(result.value for result in results if result.metric == "log_likelihood")
    np.testing.assert_allclose(vae.log_likelihood(vae.dataset.test.x, k=30, seed=3).mean(), mean, rtol=1e-5)


class progress:
    def __init__(self, name, total): ...

    def __enter__(self):
        return lambda count: None

    def __exit__(self, *_): ...


@pytest.mark.parametrize("sampler", ["prior", "gaussian", "mixture:3"])
def test_samples_are_the_evaluators_and_those_of_few_come_first(vae, sampler):
    chosen = Options(sampler=sampler)
    expected = samplers.samples(vae.loaded, chosen, 60, "samples")
    drawn = vae.sample(60, sampler=sampler)
    np.testing.assert_allclose(drawn, expected, atol=1e-5)
    np.testing.assert_array_equal(vae.sample(7, sampler=sampler), drawn[:7])
    assert (vae.sample(7, seed=1, sampler=sampler) != drawn[:7]).any()
    assert drawn.min() >= 0
    assert drawn.max() <= 1


def test_loading_and_sampling_write_nothing(tmp_path):
    folder = trained.train(tmp_path / "vae", hidden=(8,))
    before = sorted(folder.rglob("*"))
    genjax.load_run(folder).sample(3, sampler="gaussian")
    assert sorted(folder.rglob("*")) == before


@pytest.mark.parametrize("path", interpolation.PATHS)
def test_interpolation_begins_and_ends_at_what_is_given(vae, x, path):
    images, codes = vae.interpolate(x[0], x[1], steps=4, path=path), vae.encode(x[:2])
    np.testing.assert_allclose(images[[0, -1]], vae.decode(codes), atol=1e-5)
    np.testing.assert_allclose(vae.interpolate(codes[0], codes[1], steps=4, path=path), images, atol=1e-5)


def test_a_spherical_path_keeps_its_length_and_ends_where_it_should():
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(2, 8))
    b *= np.linalg.norm(a) / np.linalg.norm(b)
    codes = interpolation.path_between(a, b, 9, "spherical")
    np.testing.assert_allclose(np.linalg.norm(codes, axis=1), np.linalg.norm(a), rtol=1e-5)
    np.testing.assert_allclose(codes[[0, -1]], [a, b], rtol=1e-5)
    angles = np.arccos(np.sum(codes[1:] * codes[:-1], axis=1) / np.linalg.norm(a) ** 2)
    np.testing.assert_allclose(angles, angles[0], rtol=1e-3)


@pytest.mark.parametrize("b", [np.ones(3), -np.ones(3), np.zeros(3)])
def test_a_spherical_path_without_an_angle_is_straight(b):
    t = np.linspace(0, 1, 5)
    path = interpolation.spherical(np.ones(3), b, t)
    np.testing.assert_allclose(path, interpolation.linear(np.ones(3), b, t), atol=1e-6)


def refusals():
    yield "vae", lambda run: run.sample(1, label=1), "has not got classes"
    yield "vae", lambda run: run.sample(1, sampler="mixtur"), "no sampler 'mixtur'"
    yield "vae", lambda run: run.sample(1, sampler="reconstruction"), "use reconstruct"
    yield "vae", lambda run: run.decode(np.zeros((1, 3))), r"z has shape \[1, 3\]; codes of this model are \[n, 2\]"
    yield "vae", lambda run: run.encode(run.dataset.test.x, label=1), "reads no labels"
    yield "vae", lambda run: run.log_likelihood(run.dataset.test.x, k=0), "k = 0 must be at least 1"
    yield "vae", lambda run: run.interpolate(*run.dataset.test.x[:2], path="curved"), "no path 'curved'"
    yield "gan", lambda run: run.encode(run.dataset.test.x), "of the family 'gan', has not got an encoder"
    yield "gan", lambda run: run.log_likelihood(run.dataset.test.x), "the model has no likelihood"
    yield "conditional", lambda run: run.encode(run.dataset.test.x), "reads labels: give label"
    yield "conditional", lambda run: run.sample(2, label=[1, 10]), "label holds 1 to 10; the classes are 0 to 9"
    yield "conditional", lambda run: run.sample(2, label=1, sampler="gaussian"), "goes with the prior"
    yield "conditional", lambda run: run.decode(np.zeros((1, 2))), "has not got a decoder of codes alone"


@pytest.fixture(scope="module")
def runs(vae):
    digits = vae.dataset.train
    small: dict[str, Any] = {"steps": 2, "latent": 2, "batch_size": 32}
    conditional = genjax.fit(digits.x, "vae", digits.y, hidden=(8,), condition="label", **small)
    gan = genjax.fit(digits.x, "gan", generator_hidden=(8,), discriminator_hidden=(8,), **small)
    return {"vae": vae, "gan": gan, "conditional": conditional}


@pytest.mark.parametrize(("name", "call", "message"), list(refusals()))
def test_what_a_run_cannot_do_is_refused_in_one_line(runs, name, call, message):
    with pytest.raises(InputError, match=message) as caught:
        call(runs[name])
    assert "\n" not in str(caught.value)


def test_a_conditional_run_takes_and_draws_classes(runs):
    run = runs["conditional"]
    x, y = run.dataset.test.x, run.dataset.test.y
    assert run.encode(x, y).shape == (len(x), 2)
    assert run.log_likelihood(x[:3], k=2, label=4).shape == (3,)
    one, per_image = run.sample(60, label=3), run.sample(60, label=np.full(60, 3))
    np.testing.assert_array_equal(one, per_image)
    assert (run.sample(60, label=4) != one).any()


@pytest.mark.slow
def test_a_fit_is_the_run_of_the_same_configuration(tmp_path, vae):
    """The same array by `npz:` and by `fit`, with the same settings, gives the same parameters."""
    digits = vae.dataset.train
    np.savez(tmp_path / "a.npz", x=digits.x)
    config = genjax.default_config("vae")
    config.data.source, config.model.latent, config.model.hidden = f"npz:{tmp_path / 'a.npz'}", 2, (8,)
    config.train.update({"steps": 3, "log_every": 3, "evaluate_every": 3, "checkpoint_every": 3, "devices": 1})
    from genjax.runs import loop

    with (tmp_path / "log").open("w") as log:
        assert loop.train(config, tmp_path / "run", log) == loop.FINISHED
    rows = []
    fitted = genjax.fit(digits.x, "vae", latent=2, hidden=8, steps=3, devices=1, on_row=rows.append)
    trained_run = genjax.load_run(tmp_path / "run")
    assert fitted.dataset.train.x.shape == trained_run.dataset.train.x.shape
    jax.tree.map(np.testing.assert_array_equal, fitted.params, trained_run.params)
    assert rows == fitted.history
    assert rows[-1]["validation/loss"] == trained_run.history[-1]["validation/loss"]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"latnt": 2}, "no setting 'latnt': the nearest is 'latent'"),
        ({"latent": 2.5}, "model.latent = 2.5 is not of type int"),
        ({"steps": 0}, "train.steps = 0 must be at least 1"),
        ({"channels": 4}, "model.channels = 4 would not act"),
    ],
)
def test_a_setting_that_a_fit_cannot_use_is_refused(vae, settings, message):
    with pytest.raises(InputError, match=message):
        genjax.fit(vae.dataset.train.x, "vae", **settings)


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({}, (100, 1000)),
        ({"steps": 500, "log_every": 200}, (200, 400)),
        ({"steps": 50, "log_every": 100}, (100, 100)),
        ({"evaluate_every": 50}, (50, 50)),
        ({"steps": 7}, (7, 7)),
    ],
)
def test_intervals_that_were_not_given_fit_those_that_were(settings, expected):
    config = _configure("vae", settings)
    assert (config.train.log_every, config.train.evaluate_every) == expected


def test_numbers_may_be_numpys():
    config = _configure("vae", {"beta": np.float64(4), "latent": np.int64(2), "hidden": np.array([16, 8])})
    assert (config.hparams.beta, config.model.latent, config.model.hidden) == (4.0, 2, (16, 8))


def test_no_fewer_than_no_samples(vae):
    with pytest.raises(InputError, match="n = -3 draws"):
        vae.sample(-3)


def test_a_trials_settings_are_those_of_its_run():
    settings = {
        "axes": [["hparams.learning_rate"], ["model.hidden"], ["hparams.beta_duration"]],
        **{f"base.optim.{player}.optimiser": "adam" for player in ("generator", "discriminator")},
        **{f"base.hparams.{player}_learning_rate": 1.0 for player in ("generator", "discriminator")},
    }
    row = {"hparams.learning_rate": 0.1, "model.hidden": "(16,)", "hparams.beta_duration": 0.2, "seed": 3}
    assert Sweep(Path("s"), settings, [row], np.zeros(1), {}).settings_of(row) == {
        "hparams.discriminator_learning_rate": 0.1,
        "hparams.generator_learning_rate": 0.1,
        "model.hidden": (16,),
        "hparams.beta_duration": 0.2,
        "seed": 3,
    }


def test_a_table_with_cells_beyond_its_columns_is_refused(sweep, tmp_path):
    shutil.copytree(sweep.workdir, tmp_path / "s")
    table = tmp_path / "s" / "trials.csv"
    lines = table.read_text().splitlines()
    table.write_text("\n".join([*lines[:-1], f"{lines[-1]},5"]))
    with pytest.raises(InputError, match="more cells than there are columns"):
        genjax.load_sweep(tmp_path / "s")


def test_what_a_notebook_shows_of_it_is_one_line(vae, sweep):
    assert repr(vae) == f"<vae of digits at step 2, {vae.workdir}>"
    assert repr(sweep) == f"<sweep of 4 trials over hparams.beta, {sweep.workdir}>"


def test_a_fit_that_diverges_says_so(vae):
    with pytest.raises(FloatingPointError, match="not finite at step"):
        genjax.fit(vae.dataset.train.x, "vae", hidden=(8,), latent=2, steps=5, learning_rate=1e38)


@pytest.fixture(scope="module")
def sweep(tmp_path_factory):
    return genjax.load_sweep(trained.sweep(tmp_path_factory.mktemp("sweeps") / "s"))


def test_a_sweep_has_its_table_its_curves_and_its_best_run(sweep):
    assert [(row["hparams.beta"], row["seed"]) for row in sweep.rows] == [(0.5, 0), (0.5, 1), (2.0, 0), (2.0, 1)]
    assert sweep.steps.tolist() == [2]
    for row, value in zip(sweep.rows, sweep.curves["validation/loss"][:, -1], strict=True):
        assert row["validation/loss"] == pytest.approx(value)
    best = min(sweep.rows, key=lambda row: row["objective"])
    assert sweep.best_trial == best
    run = sweep.best_run()
    assert (run.config.hparams.beta, run.config.seed) == (best["hparams.beta"], best["seed"])
    with pytest.raises(InputError, match="has not exported rank 2: genjax sweep --export-best 2 writes it"):
        sweep.best_run(2)


def test_the_table_is_a_data_frame_where_pandas_is_installed(sweep, monkeypatch):
    if importlib.util.find_spec("pandas"):
        assert sweep.table["objective"].min() == sweep.best_trial["objective"]
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    assert sweep.table is sweep.rows


def test_what_is_no_finished_sweep_is_refused(sweep, vae, tmp_path):
    for folder, message in [
        (vae.workdir, "is not the folder of a sweep"),
        (tmp_path, "is not the folder of a sweep: it has no config.json"),
    ]:
        with pytest.raises(InputError, match=message):
            genjax.load_sweep(folder)
    (tmp_path / "config.json").write_text((sweep.workdir / "config.json").read_text())
    with pytest.raises(InputError, match=r"is not finished: it has no trials\.csv"):
        genjax.load_sweep(tmp_path)
    with pytest.raises(InputError, match="is a sweep"):
        genjax.load_run(sweep.workdir)


@pytest.mark.parametrize("name", ["patience", "init_from", "trackers"])
def test_what_acts_in_folders_alone_is_refused_by_a_fit(name):
    value = {"patience": 3, "init_from": "runs/x", "trackers": ()}[name]
    with pytest.raises(InputError, match=rf"train\.{name} acts in runs that have a folder"):
        genjax.fit(np.zeros((40, 2), np.float32), **{name: value})
