"""The command `genjax`, and the configurations that it finds by name."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import genjax
from genjax import config
from genjax.commands import completion, main, train
from genjax.config import shipped
from genjax.data import DESCRIPTIONS, SOURCES
from genjax.runs import loop
from genjax.types import InputError

ROOT = Path(__file__).parents[1]


def test_help_has_a_line_for_every_command(capsys):
    for arguments in ([], ["--help"]):
        assert main.main(arguments) == 0
        out = capsys.readouterr().out
        assert all(f"  {name} " in out and line in out for name, line in main.COMMANDS.items())


@pytest.mark.parametrize("name", main.COMMANDS)
def test_every_command_has_help_that_names_it(name, capsys):
    with pytest.raises(SystemExit) as caught:
        main.main([name, "--help"])
    assert caught.value.code == 0
    out = capsys.readouterr().out
    assert out.startswith(f"usage: genjax {name} ")
    assert "%(prog)s" not in out


def test_the_version_and_an_unknown_command(capsys):
    assert main.main(["--version"]) == 0
    assert capsys.readouterr().out == f"genjax {genjax.__version__}\n"
    assert main.main(["trian"]) == 2
    assert capsys.readouterr().err == "error: no command 'trian': the nearest is 'train'\n"


@pytest.mark.parametrize(
    ("line", "completions"),
    [
        ("genjax tr", {"train", "train-features"}),
        ("genjax sweep --config sweeps/vae_d", {"sweeps/vae_digits"}),
        (
            "genjax train --config vae_digits --config.hparams.b",
            {f"--config.hparams.{n}" for n in ("b1", "b2", "beta")},
        ),
        ("genjax sweep --config sweeps/vae_digits --config.hal", {"--config.halving.first", "--config.halving.eta"}),
    ],
)
def test_a_shell_completes_names_and_settings(line, completions, tmp_path):
    answer = tmp_path / "answer"
    asked = {"_ARGCOMPLETE": "1", "COMP_LINE": line, "COMP_POINT": str(len(line)), "COMP_TYPE": "63"}
    asked |= {"_ARGCOMPLETE_STDOUT_FILENAME": str(answer), "_ARGCOMPLETE_IFS": "\n"}
    code = "from genjax.commands.main import main; main()"
    process = subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=os.environ | asked, capture_output=True)
    assert process.returncode == 0
    assert {word.strip() for word in answer.read_text().splitlines()} == completions


@pytest.mark.parametrize("shell", completion.SHELLS)
def test_what_a_shell_needs_is_printed(shell, capsys):
    assert main.main(["completion", shell]) == 0
    assert "_ARGCOMPLETE" in capsys.readouterr().out


def test_help_needs_no_jax():
    code = "import sys; from genjax.commands.main import help_text; help_text(); sys.exit('jax' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT).returncode == 0


def test_every_config_is_listed_with_a_line(capsys):
    assert main.main(["configs"]) == 0
    lines = dict(line.split(maxsplit=1) for line in capsys.readouterr().out.splitlines())
    folder = ROOT / "configs"
    assert set(lines) == {path.relative_to(folder).with_suffix("").as_posix() for path in folder.rglob("*.py")}
    assert lines["vae_digits"] == "A VAE on 8x8 digits"
    assert all("`uv run" not in line for line in lines.values())


def test_every_source_is_listed_with_a_line(capsys):
    assert set(DESCRIPTIONS) == set(SOURCES)
    assert main.main(["data"]) == 0
    out = capsys.readouterr().out
    assert all(f"{name} " in out for name in [*SOURCES, "codes:<workdir>"])


def test_a_shipped_name_trains_into_a_folder_of_that_name(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    calls = []
    monkeypatch.setattr(loop, "train", lambda settings, workdir, **options: calls.append((settings, workdir)) or 0)
    assert train.main(["--config", "vae_digits"]) == 0
    (settings, workdir) = calls.pop()
    assert settings.to_dict() == config.load(ROOT / "configs" / "vae_digits.py").to_dict()
    assert workdir == Path("runs") / f"vae_digits-{config.digest(settings)}"


def test_a_path_comes_before_a_name(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert config.find("vae_digits").is_absolute()
    Path("vae_digits").write_text("")
    assert config.find("vae_digits") == Path("vae_digits")


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("vae_digts", "no config 'vae_digts': the nearest is 'vae_digits'"),
        ("sweeps/vae_digit", "no config 'sweeps/vae_digit': the nearest is 'sweeps/vae_digits'"),
    ],
)
def test_an_unknown_name_is_refused_with_the_nearest(name, message):
    with pytest.raises(InputError, match=f"^{message}$"):
        config.find(name)


def test_a_path_that_is_not_there_is_refused(capsys):
    assert train.main(["--config", "nowhere/vae_digits.py"]) == 2
    assert capsys.readouterr().err == "error: nowhere/vae_digits.py: no such config file\n"


def test_a_wheel_holds_the_configs_inside_the_package(tmp_path, monkeypatch):
    """As the build puts them; the build itself is the business of `.ci/run`."""
    shutil.copytree(ROOT / "configs", tmp_path / "genjax" / "configs")
    monkeypatch.setattr(shipped, "PACKAGE", tmp_path / "genjax")
    path = config.find("sweeps/vae_digits")
    assert path.is_relative_to(tmp_path)
    assert config.load(path).base.model.family == "vae"


@pytest.mark.parametrize("name", config.describe_shipped())
def test_help_behind_a_config_has_a_line_for_every_setting_that_acts(name, capsys):
    command, loaded = ("sweep" if name.startswith("sweeps/") else "train"), config.load(config.find(name))
    with pytest.raises(SystemExit) as caught:
        main.main([command, "--config", name, "--help"])
    assert caught.value.code == 0
    out = capsys.readouterr().out
    base = loaded.get("base", loaded)
    prefix = "--config.base." if "base" in loaded else "--config."
    settings = {**config.flatten(base), **{f"hparams.{n}": v for n, v in config.active(base).items()}}
    lines = {line.split("=")[0].strip(): line for line in out.splitlines() if line.startswith(f"  {prefix}")}
    assert all(f"{prefix}hparams.{hparam}" in lines for hparam in config.active(base))
    assert all(f"{settings[setting.removeprefix(prefix)]} " in f"{line} " for setting, line in lines.items())
    assert all(len(line.rpartition("  ")[2].strip()) > 3 for line in lines.values())
