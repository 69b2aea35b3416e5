"""A start that is refused leaves nothing behind, so that the corrected command is not refused for it."""

import json

import pytest
from command import write_config
from sweeping import DRAWN, RATES, written

from genjax import config
from genjax.commands import sweep, train
from genjax.runs.folder import check_folder
from genjax.sweeps import batches
from genjax.system import processes
from genjax.types import InputError

REFUSED_RUNS = [
    "--config.data.source=npz:none.npz",
    "--config.data.source=digit",
    "--config.data.source=ring8 --config.model.network=dcgan",
    "--config.train.batch_size=1440",
    "--config.train.devices=99",
    "--config.train.steps=0",
    "--config.model.latnt=3",
]
REFUSED_SWEEPS = [
    "--config.objective.metric=elob",
    "--config.base.data.source=npz:none.npz",
    "--config.base.data.source=ring8 --config.base.model.likelihood=bernoulli",
    "--config.base.train.batch_size=1440",
    "--config.base.train.devices=99",
    "--config.base.data.resident_bytes=1",
    "--config.execution=fast",
]
STUDY = 'sweep.strategy, sweep.points = "optuna", 4; sweep.optuna.storage = "{}"; sweep.optuna.study = "s"'


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(processes, "use_cores_as_devices", lambda: None)
    return tmp_path


@pytest.mark.parametrize("arguments", REFUSED_RUNS)
def test_a_refused_run_leaves_nothing(folder, arguments):
    write_config(folder / "configs" / "tiny.py")
    assert train.main(["--config", "configs/tiny.py", *arguments.split()]) == 2
    assert [path.name for path in folder.iterdir()] == ["configs"]


@pytest.mark.parametrize("arguments", REFUSED_SWEEPS)
def test_a_refused_sweep_leaves_nothing(folder, arguments):
    written(folder / "configs", RATES)
    assert sweep.main(["--config", "configs/sweep.py", *arguments.split()]) == 2
    assert [path.name for path in folder.iterdir()] == ["configs"]


@pytest.mark.parametrize(
    "arguments",
    ["--config.objective.metric=elob", "--config.base.data.source=ring8 --config.base.model.likelihood=bernoulli"],
)
def test_a_refused_sweep_makes_no_study(folder, arguments):
    written(folder / "configs", DRAWN, STUDY.format("journal:study.log"))
    assert sweep.main(["--config", "configs/sweep.py", *arguments.split()]) == 2
    assert [path.name for path in folder.iterdir()] == ["configs"]


@pytest.mark.slow
def test_a_study_with_other_axes_is_refused_and_leaves_no_folder(folder, capsys):
    optuna = pytest.importorskip("optuna")
    storage = "sqlite:///study.db"
    study = optuna.create_study(storage=storage, study_name="s")
    capsys.readouterr()
    study.ask({"hparams.beta": optuna.distributions.FloatDistribution(0.1, 1.0)})
    written(folder / "configs", DRAWN, STUDY.format(storage))
    assert sweep.main(["--config", "configs/sweep.py"]) == 2
    assert capsys.readouterr().err == "error: study 's' has other axes: hparams.beta\n"
    assert not (folder / "runs").exists()


def test_the_programs_of_all_static_values_are_looked_at_before_a_study_begins(folder, monkeypatch):
    """Optuna's points are not known yet; a combination of choices that cannot be run is refused all the same."""
    axis = 'choice("model.likelihood", "bernoulli", "gaussian_shared"), choice("data.source", "digits", "ring8")'
    configs = written(folder / "configs", axis, STUDY.format("journal:study.log"))
    text = (configs / "sweep.py").read_text().replace("import default,", "import choice, default,")
    (configs / "sweep.py").write_text(text)
    looked_at = []
    check_fit = batches.check_fit

    def recorded(config, trials, make_programs):
        looked_at.extend(tuple(trial.settings[name] for name in trial.settings if name != "seed") for trial in trials)
        return check_fit(config, trials, make_programs)

    monkeypatch.setattr(batches, "check_fit", recorded)
    assert sweep.main(["--config", "configs/sweep.py"]) == 2
    assert set(looked_at) == {(a, b) for a in ("bernoulli", "gaussian_shared") for b in ("digits", "ring8")}
    assert not (folder / "runs").exists()


def test_a_folder_from_before_a_setting_existed_has_its_default(tmp_path):
    """A setting that a later version adds makes no folder foreign; a value of its own does."""
    settings = config.default("vae")
    written = config.flatten(settings)
    del written["train.patience"], written["train.trackers"]
    (tmp_path / "config.json").write_text(json.dumps(written))
    check_folder(tmp_path, settings)
    settings.train.patience = 3
    with pytest.raises(InputError, match=r"train\.patience: 0, not 3"):
        check_folder(tmp_path, settings)
