"""`scripts/train.py` from outside: what a run leaves, what it says, and what it refuses in one line."""

import errno
import json
import os
import pty
import re
import termios
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from command import checkpoint_steps, environment, rows, run_train, start, write_config
from present import present

from genjax import config
from genjax.commands import sweep, train
from genjax.commands.arguments import assignments, run_quietly
from genjax.runs import loop
from genjax.runs.folder import claim
from genjax.sweeps import loop as sweep_loop
from genjax.system import processes
from genjax.types import InputError

LOSSES = {"discriminator_loss", "generator_loss", "real_logit", "fake_logit"}
EVALUATED = {*LOSSES, "discriminator_accuracy", "sliced_wasserstein", "precision", "recall", "coverage"}


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A folder with a space in its name, a config file in it, and an environment to run in."""
    folder = tmp_path_factory.mktemp("a place")
    write_config(folder / "tiny.py")
    return SimpleNamespace(folder=folder, env=environment())


@pytest.fixture(scope="module")
def finished(place):
    """A whole run in its default folder."""
    code, out, err = run_train(place.env, place.folder, "--config", "tiny.py")
    (workdir,) = (place.folder / "runs").iterdir()
    return SimpleNamespace(code=code, out=out, err=err, workdir=workdir)


def contents(folder):
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_run_leaves_its_records(finished):
    assert finished.code == 0, finished.err
    workdir = finished.workdir
    assert re.fullmatch(r"tiny-[0-9a-f]{8}", workdir.name)
    settings = json.loads((workdir / "config.json").read_text())
    assert (settings["model.family"], settings["model.generator_hidden"], settings["seed"]) == ("gan", [16], 0)
    assert checkpoint_steps(workdir) == [20, 40, 60]
    assert {path.name for path in workdir.glob("*.png")} == {"samples.png", "traversal.png", "curves.png"}
    assert len(list(workdir.glob("events.out.tfevents.*"))) == 1
    evaluation = json.loads((workdir / "evaluation.json").read_text())
    named = {f"{split}/{name}" for split in ("validation", "test") for name in EVALUATED}
    assert evaluation.keys() == {"step"} | named
    assert evaluation["step"] == 60


def test_metrics_are_flat_rows_one_for_each_chunk(finished):
    lines = [json.loads(line) for line in (finished.workdir / "metrics.jsonl").read_text().splitlines()]
    assert [line["step"] for line in lines] == [10, 20, 30, 40, 50, 60]
    always = {"step", "seconds", "examples_per_second"} | {f"train/{name}" for name in LOSSES | {"r1"}}
    evaluated = {f"validation/{name}" for name in EVALUATED}
    for line in lines:
        assert line.keys() == always | (evaluated if line["step"] % 20 == 0 else set())
        assert all(isinstance(value, int | float) for value in line.values())
    last = json.loads((finished.workdir / "evaluation.json").read_text())
    assert {name: lines[-1][name] for name in evaluated} == {name: last[name] for name in evaluated}


def test_a_pipe_gets_plain_lines_on_standard_error(finished):
    assert finished.out == ""
    assert "\r" not in finished.err
    lines = finished.err.splitlines()
    assert lines[0] == "1,439 training examples of digits on 1 x cpu; compiling"
    assert lines[1] == "discriminator: 2 updates a step; the log shows the metrics of the last one"
    assert [line.split("  ")[0] for line in lines[2:-2]] == [f"{step}/60 steps" for step in range(10, 61, 10)]
    assert lines[-2] == f"pictures and evaluation.json are in runs/{finished.workdir.name}"
    assert lines[-1] == f"runs/{finished.workdir.name}/report.html opens in a browser"


def test_run_again_it_is_finished_and_nothing_changes(place, finished):
    before = contents(place.folder)
    code, out, err = run_train(place.env, place.folder, "--config", "tiny.py")
    assert (code, out, err) == (0, "", f"runs/{finished.workdir.name} is finished: 60 steps\n")
    assert contents(place.folder) == before


@pytest.mark.slow
def test_a_terminal_gets_a_bar(place):
    reader, writer = pty.openpty()
    termios.tcsetwinsize(writer, (24, 120))
    process = start(place.env, place.folder, "--config", "tiny.py", "--workdir", "terminal", stderr=writer)
    os.close(writer)
    text = b""
    try:
        while part := os.read(reader, 4096):
            text += part
    except OSError:  # the process has closed its end
        pass
    os.close(reader)
    process.communicate()
    assert process.returncode == 0, text.decode()
    drawn = text.decode().split("\r")
    assert any(re.match(r" 50% █+ +30/60 .* left  discriminator_loss ", line) for line in drawn)
    assert drawn[-3].strip() == "pictures and evaluation.json are in terminal"
    assert drawn[-2].strip() == "terminal/report.html opens in a browser"


@pytest.mark.slow
def test_a_run_ends_when_nobody_reads_its_progress(place):
    process = start(place.env, place.folder, "--config", "tiny.py", "--workdir", "unread")
    assert any(line.startswith("10/60 steps") for line in present(process.stderr))
    present(process.stderr).close()
    process.stderr = None
    process.communicate()
    assert process.returncode == 141
    steps = [row["step"] for row in rows(place.folder / "unread")]
    assert steps == list(range(10, 10 * len(steps) + 1, 10))


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--config", "tiny.py", "--config.hparams.b=0.5"], "no setting 'hparams.b': the nearest is 'hparams.b2'"),
        (["--config.seed=1"], "the following arguments are required: --config"),
    ],
)
def test_a_mistake_is_one_line_and_exit_2(place, arguments, said):
    assert run_train(place.env, place.folder, *arguments) == (2, "", f"error: {said}\n")


@pytest.fixture
def refused(tmp_path, monkeypatch, capsys):
    """`(arguments) -> the one line` with which the command refuses them, in this process."""
    monkeypatch.chdir(tmp_path)
    write_config(tmp_path / "tiny.py")

    def call(*arguments):
        assert train.main(arguments) == 2
        out, err = capsys.readouterr()
        assert out == ""
        assert err.startswith("error: ")
        assert err.endswith("\n")
        assert err.count("\n") == 1
        return err.removeprefix("error: ").rstrip("\n")

    return call


OVERRIDES = [
    ("--config.hparams.ema_decy=1.0", "no setting 'hparams.ema_decy': the nearest is 'hparams.ema_decay'"),
    ("--config.tran.steps=1", "no setting 'tran.steps': the nearest is 'train.steps'"),
    ("--config.train.steps=many", "train.steps = 'many' is not of type int"),
    ("--config.train.steps=1.5", "train.steps = 1.5 is not of type int"),
    ("--config.train.steps=0", "train.steps = 0 must be at least 1"),
    ("--config.train.steps=1000000000000", "must be at least 1 and less than 2**31"),
    ("--config.train.deterministic=1", "train.deterministic = 1 is not of type bool"),
    ("--config.seed=-1", "seed = -1 must be at least 0 and less than 2**32"),
    ("--config.seed=4294967296", "seed = 4294967296 must be at least 0 and less than 2**32"),
    ("--config.hparams.b1=__import__('os')", "is not of type float"),
    ("--config.hparams.b1=1e999", "hparams.b1 = inf is not finite"),
    ("--config.model.generator_hidden=(16,0)", "model.generator_hidden = (16, 0) must hold whole numbers from 1 on"),
    ("--config.model.generator_hidden=('a',)", "must hold whole numbers from 1 on"),
    ("--config.model.latent=0", "model.latent = 0 must hold whole numbers from 1 on"),
    ("--config.model.loss=nonsaturatin", "no model.loss 'nonsaturatin': the nearest is 'nonsaturating'"),
    ("--config.model.penalties=r3", "no model.penalties 'r3': the nearest is 'r2'"),
    ("--config.optim.generator.optimiser=adan", "no optim.generator.optimiser 'adan': the nearest is 'adam'"),
    ("--config.optim.generator.schedule=cosine", "the nearest is 'warmup_cosine'"),
    ("--config.train.evaluate_every=15", "train.evaluate_every = 15 must be a multiple of train.log_every = 10"),
    ("--config.train.checkpoint_every=5", "train.checkpoint_every = 5 must be a multiple of train.log_every = 10"),
    ("--config.hparams.momentum=0.5", "hparams.momentum = 0.5 would not act"),
    ("--config.data.source=digit", "no data source 'digit': the nearest is 'digits'"),
    ("--config.data.source=npz:none.npz", "npz:none.npz: no such file"),
    ("--config.data.source=folder:none", "folder:none"),
    ("--config.train.batch_size=1440", "train.batch_size = 1440 is larger than the training split of digits: 1439"),
    ("--config.train.devices=99", "train.devices = 99, but this machine has"),
    ("--steps=3", "unknown argument '--steps'; settings are given as --config.<setting>=<value>"),
    ("--workd=x", "unknown argument '--workd'"),
    ("more", "unknown argument 'more'"),
    ("--config.train.steps", "--config.train.steps needs a value"),
    ("--workdir", "argument --workdir: expected one argument"),
]


@pytest.mark.parametrize(("argument", "said"), OVERRIDES, ids=[argument for argument, _ in OVERRIDES])
def test_refused_settings(refused, argument, said):
    assert said in refused("--config", "tiny.py", argument)


HEAD = "from genjax.config import default\n"
FILES = [
    ("def get_config(: pass\n", "mine.py, line 1: SyntaxError: "),
    ("x = 1\n", "mine.py defines no get_config() that returns a ConfigDict"),
    ("get_config = 3\n", "mine.py defines no get_config() that returns a ConfigDict"),
    ("def get_config():\n    return {}\n", "mine.py defines no get_config() that returns a ConfigDict"),
    ("import nowhere_to_be_found\n", "mine.py, line 1: ModuleNotFoundError: No module named 'nowhere_to_be_found'"),
    ("def get_config():\n    return {}['a']\n", "mine.py, line 2: KeyError: 'a'"),
    ("def get_config():\n    raise ValueError('one\\ntwo')\n", "mine.py, line 2: ValueError: one two"),
    ("\0", "mine.py: SyntaxError: source code "),
    (
        HEAD + "def get_config():\n    return default('van')\n",
        "mine.py, line 3: no model.family 'van': the nearest is ",
    ),
    (HEAD + "def get_config():\n    c = default('vae')\n    c.train.steps = 'x'\n    return c\n", "line 4: TypeError"),
    (HEAD + "def get_config():\n    c = default('vae')\n    c.model.hiden = (8,)\n    return c\n", "is 'model.hidden'"),
    (HEAD + "def get_config():\n    c = default('vae')\n    del c.model.hidden\n    return c\n", "hidden is missing"),
    (HEAD + "def get_config():\n    c = default('vae')\n    del c['model']\n    return c\n", "no model.family ''"),
    ("from ml_collections import ConfigDict\n\ndef get_config():\n    return ConfigDict()\n", "no model.family ''"),
]


@pytest.mark.parametrize(("text", "said"), FILES, ids=[said for _, said in FILES])
def test_refused_config_files(refused, tmp_path, text, said):
    (tmp_path / "mine.py").write_text(text)
    assert said in refused("--config", "mine.py")


@pytest.mark.parametrize("name", ["none.py", ".", "tiny.py/none.py", "x" * 300], ids=lambda name: name[:20])
def test_refused_paths_of_config_files(refused, name):
    assert refused("--config", name).startswith(f"{name}: ")


@pytest.mark.parametrize(
    ("error", "code", "line"),
    [
        (PermissionError(errno.EACCES, "Permission denied", "runs/x"), 5, "error: runs/x: Permission denied\n"),
        (OSError(errno.ENOSPC, "No space left on device", "a.npz"), 5, "error: a.npz: No space left on device\n"),
        (IsADirectoryError(errno.EISDIR, "Is a directory", "a"), 2, "error: a: Is a directory\n"),
        (OSError("odd"), 2, "error: odd\n"),
        (MemoryError(), 5, "error: out of memory: "),
        (RuntimeError("RESOURCE_EXHAUSTED: 3 GiB"), 5, "error: out of memory: "),
        (RecursionError(), 2, "error: the input is nested too deeply\n"),
        (UnicodeDecodeError("utf-8", b"\xff", 0, 1, "invalid start byte"), 2, "error: the input is no text: "),
    ],
)
def test_trouble_is_one_line_and_a_code(error, code, line, capsys):
    def command():
        raise error

    assert run_quietly(command) == code
    out, err = capsys.readouterr()
    assert (out, err.count("\n")) == ("", 1)
    assert err.startswith(line)


def test_a_mistake_of_the_program_is_not_hidden():
    def command():
        raise RuntimeError("a mistake")

    with pytest.raises(RuntimeError, match="a mistake"):
        run_quietly(command)


def test_dynamic_binarisation_of_points_is_refused(refused):
    said = refused("--config", "tiny.py", "--config.data.source=ring8", "--config.data.dynamic_binarisation=true")
    assert said == "data.dynamic_binarisation needs images, and ring8 holds points"


def test_data_that_cannot_be_used_are_refused(refused, tmp_path):
    np.savez(tmp_path / "bad.npz", x=np.array([[np.nan, 1.0]] * 40))
    assert refused("--config", "tiny.py", "--config.data.source=npz:bad.npz").startswith("npz:bad.npz: train holds NaN")


@pytest.mark.parametrize("workdir", ["tiny.py", "tiny.py/run", "/dev/null/run"])
def test_a_workdir_that_cannot_be_made_is_refused(refused, workdir):
    assert refused("--config", "tiny.py", "--workdir", workdir).startswith(f"cannot write in the folder {workdir}: ")


@pytest.mark.skipif(os.geteuid() == 0, reason="the superuser may write anywhere")
def test_a_workdir_that_may_not_be_written_is_refused(refused, tmp_path):
    (tmp_path / "closed").mkdir(mode=0o500)
    said = refused("--config", "tiny.py", "--workdir", "closed")
    assert said == "cannot write in the folder closed: Permission denied"


def test_a_workdir_of_other_settings_is_refused_and_they_are_named(refused, tmp_path):
    with claim(tmp_path / "taken", config.load(tmp_path / "tiny.py")):
        pass
    said = refused("--config=tiny.py", "--workdir=taken", "--config.seed=1", "--config.model.generator_hidden=(8,8)")
    differing = "model.generator_hidden: [16], not [8, 8]; seed: 0, not 1"
    assert said == f"taken belongs to another configuration; it has {differing}"


def test_a_workdir_in_use_is_refused(refused, tmp_path):
    with claim(tmp_path / "taken", config.load(tmp_path / "tiny.py")):
        assert refused("--config", "tiny.py", "--workdir", "taken") == "taken is in use by another process"


@pytest.mark.parametrize("text", ["", "{", "[1]", "3"])
def test_a_damaged_config_json_is_refused(refused, tmp_path, text):
    (tmp_path / "taken").mkdir()
    (tmp_path / "taken" / "config.json").write_text(text)
    said = refused("--config", "tiny.py", "--workdir", "taken")
    assert said == "taken/config.json is not a configuration; delete it or choose another folder"


def test_the_default_folder_is_named_by_the_settings(tmp_path, monkeypatch):
    write_config(tmp_path / "tiny.py")
    folders = []
    monkeypatch.setattr(loop, "train", lambda _, workdir, **options: folders.append(str(workdir)) or 0)
    for arguments in ([], ["--config.seed=0"], ["--config.seed", "1"], ["--workdir", "x"]):
        assert train.main(["--config", str(tmp_path / "tiny.py"), *arguments]) == 0
    assert re.fullmatch(r"runs/tiny-[0-9a-f]{8}", folders[0])
    assert folders[1] == folders[0] != folders[2]
    assert folders[3] == "x"


def test_a_notice_tells_what_the_file_sets_in_vain(tmp_path, monkeypatch, capsys):
    path, runs = write_config(tmp_path / "tiny.py"), []
    monkeypatch.setattr(loop, "train", lambda settings, workdir, **options: runs.append((settings, workdir)) or 0)
    assert train.main(["--config", str(path), "--config.model.network=dcgan"]) == 0
    (settings, workdir) = runs.pop()
    text = "of the configuration file does not act under these settings; its default is used"
    assert capsys.readouterr().err.splitlines() == [
        f"notice: model.discriminator_hidden = (16,) {text}",
        f"notice: model.generator_hidden = (16,) {text}",
    ]
    assert settings.model.generator_hidden == settings.model.discriminator_hidden == (256, 256)
    assert workdir.name == f"tiny-{config.digest(settings)}"
    monkeypatch.setattr(processes, "is_primary", lambda: False)
    assert train.main(["--config", str(path), "--config.model.network=dcgan"]) == 0
    assert capsys.readouterr().err == ""


def test_a_notice_tells_what_the_base_of_a_sweep_sets_in_vain(tmp_path, monkeypatch, capsys):
    sweeps = []
    monkeypatch.setattr(sweep_loop, "sweep", lambda settings, workdir, best: sweeps.append((settings, workdir)) or 0)
    monkeypatch.setattr(processes, "use_cores_as_devices", lambda: None)
    path = str(Path(__file__).parents[1] / "configs" / "sweeps" / "vae_digits.py")
    assert sweep.main(["--config", path, "--config.base.model.network=dcgan"]) == 0
    (settings, workdir) = sweeps.pop()
    assert capsys.readouterr().err == (
        "notice: base.model.hidden = (256, 256) of the configuration file does not act under these settings; "
        "its default is used\n"
    )
    assert settings.base.model.hidden == (512,)
    assert workdir.name == f"vae_digits-{config.digest(settings)}"
    typed = ["--config.base.model.network=dcgan", "--config.base.model.hidden=8"]
    assert sweep.main(["--config", path, *typed]) == 2
    assert capsys.readouterr().err.startswith("error: base.model.hidden = (8,) would not act")


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ([], {}),
        (["--config.a.b=1", "--config.c", "2"], {"a.b": "1", "c": "2"}),
        (["--config.a=x=y", "--config.b="], {"a": "x=y", "b": ""}),
        (["--config.a", "-1", "--config.a=2"], {"a": "2"}),
    ],
)
def test_assignments(arguments, expected):
    assert assignments(arguments) == expected


@pytest.mark.parametrize("arguments", [["-c"], ["x"], ["--config.a=1", "2"], ["--config.a"]])
def test_other_arguments_are_no_assignments(arguments):
    with pytest.raises(InputError):
        assignments(arguments)
