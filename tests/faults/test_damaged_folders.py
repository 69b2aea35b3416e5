"""Every file of a run's and a sweep's folder, damaged in every way: a command answers with its result or one line."""

import io
import shutil
import traceback
from pathlib import Path

import pytest
import trained
from rights import bound_by_permissions

from genjax import config as configs
from genjax.api.run import load_run
from genjax.api.sweep import load_sweep
from genjax.commands.arguments import describe_trouble
from genjax.evaluation.evaluate import evaluate
from genjax.evaluation.options import Options
from genjax.reports import comparison, report
from genjax.reports.groups import read_groups
from genjax.reports.overview import overview
from genjax.runs import loop
from genjax.runs.programs import make_run_programs
from genjax.sweeps import default, values
from genjax.sweeps import loop as sweep_loop
from genjax.types import InputError

pytestmark = pytest.mark.slow


def flip(content: bytes) -> bytes:
    middle = len(content) // 2
    return content[:middle] + bytes([content[middle] ^ 0x55]) + content[middle + 1 :] if content else b"\x55"


CONTENTS = {
    "empty": lambda content: b"",
    "cut": lambda content: content[: len(content) // 2],
    "junk": lambda content: b"\xff\x00junk" * 7,
    "flipped": flip,
    "a list": lambda content: b"[]",
    "null": lambda content: b"null",
    "an empty object": lambda content: b"{}",
    "a number": lambda content: b"1e999",
    "deep": lambda content: b"[" * 50_000,
    "twice": lambda content: content + content,
}


def damage(path: Path, kind: str) -> None:
    if kind in CONTENTS:
        path.write_bytes(CONTENTS[kind](path.read_bytes()))
        return
    if kind == "forbidden":
        path.chmod(0)
        return
    path.unlink()
    if kind == "a folder":
        path.mkdir()


KINDS = [*CONTENTS, "deleted", "a folder", "forbidden"]
EVALUATE_EVERY = 2
EVALUATED = ("config.json", "data.json", "evaluation.json")  # what an evaluation reads beside checkpoints and samplers
OPTIONS = Options(metrics=("likelihood", "fidelity"), importance_samples=2, samples=20, sampler="mixture:2")
COSTLY = {"junk", "deleted", "a folder", "forbidden"}  # for commands that take seconds


def answer(command) -> str:
    """The line of a refused command, or nothing; `mistake: ...` where it is neither refused in one line nor done."""
    try:
        with bound_by_permissions():
            command()
    except InputError as error:
        return str(error) if str(error).count("\n") == 0 else f"mistake: {error}"
    except OSError as error:  # the guard of every command makes a line of it
        return describe_trouble(error)[0]
    except Exception as error:
        last = traceback.extract_tb(error.__traceback__)[-1]
        return f"mistake: {type(error).__name__}: {error} ({Path(last.filename).name}, line {last.lineno})"
    return ""


def mistakes(said) -> list[str]:
    return [
        f"{file}, {kind}: {name}: {line}" for (file, kind, name), line in said.items() if line.startswith("mistake")
    ]


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = trained.train(
        tmp_path_factory.mktemp("damaged") / "run", steps=4, evaluate_every=EVALUATE_EVERY, hidden=(8,)
    )
    evaluate(folder, OPTIONS, io.StringIO())
    assert list((folder / "samplers").iterdir())
    return folder


@pytest.fixture(scope="module")
def sweep(tmp_path_factory):
    return trained.sweep(tmp_path_factory.mktemp("damaged") / "sweep")


def small_files(folder):
    """The files that are damaged one by one, the newest checkpoint's too; its arrays: tests/test_checkpoint.py."""
    files = [path.relative_to(folder) for path in sorted(folder.rglob("*")) if path.is_file()]
    left_out = {"d", f"{EVALUATE_EVERY}"}  # parts of paths: arrays, and the older checkpoint
    return [
        path
        for path in files
        if path.suffix != ".png" and path.name != "report.html" and not left_out.intersection(path.parts)
    ]


@pytest.fixture(autouse=True)
def _nothing_drawn_or_traced_twice(monkeypatch):
    """Pictures are written after everything was read, and take most of the time, beside the tracing of programs."""
    programs = {}

    def make_once(config, dataset, adapt):
        key = config.to_json()
        if key not in programs:
            programs[key] = make_run_programs(config, dataset, adapt=adapt)
        return programs[key]

    monkeypatch.setattr(loop, "make_run_programs", make_once)
    monkeypatch.setattr(loop.pictures, "draw", lambda *arguments: None)
    monkeypatch.setattr(loop.pictures, "snapshots", lambda *arguments: {})
    monkeypatch.setattr(sweep_loop.pictures, "draw", lambda *arguments: None)


def longer(folder):
    config = configs.load(folder / "config.json")
    config.train.steps = 6
    return config


def test_a_run(run, tmp_path):
    config, said = longer(run), {}
    for file in small_files(run):
        for kind in KINDS:
            copy = shutil.copytree(run, tmp_path / "copy")
            damage(copy / file, kind)
            commands = {
                "report": lambda copy=copy: report.write(copy),
                "compare": lambda copy=copy: comparison.text(read_groups([copy, run])),
                "runs": lambda copy=copy: overview(copy.parent),
            }
            if "samplers" in file.parts or (file.name in EVALUATED and kind in COSTLY):
                commands["evaluate"] = lambda copy=copy: evaluate(copy, OPTIONS, io.StringIO())
            if kind in COSTLY:
                commands |= {
                    "load": lambda copy=copy: load_run(copy, say=lambda line: None).sample(2, sampler="mixture:2"),
                    "train": lambda copy=copy: loop.train(config, copy, io.StringIO()),
                }
            for name, command in commands.items():
                said[file, kind, name] = answer(command)
            shutil.rmtree(copy)
    assert not mistakes(said), "\n".join(mistakes(said))
    assert sum(map(bool, said.values())) > 50
    assert not any(said[file, "deleted", "runs"] for file in small_files(run))


def test_a_sweep(sweep, tmp_path):
    said = {}
    for file in small_files(sweep):
        for kind in KINDS:
            copy = shutil.copytree(sweep, tmp_path / "copy")
            damage(copy / file, kind)
            again = default(sweep.parent / "base.py")
            again.axes, again.execution = (values("hparams.beta", 0.5, 2.0), values("seed", 0, 1)), "map"
            commands = {
                "load": lambda copy=copy: (load_sweep(copy).best_trial, load_sweep(copy).samples),
                "report": lambda copy=copy: report.write(copy),
                "compare": lambda copy=copy: comparison.text(read_groups([copy, sweep])),
                "runs": lambda copy=copy: overview(copy.parent),
            }
            if kind in COSTLY:
                commands["sweep"] = lambda copy=copy, again=again: sweep_loop.sweep(again, copy, 1, io.StringIO())
            for name, command in commands.items():
                said[file, kind, name] = answer(command)
            shutil.rmtree(copy)
    assert not mistakes(said), "\n".join(mistakes(said))
    assert sum(map(bool, said.values())) > 50
