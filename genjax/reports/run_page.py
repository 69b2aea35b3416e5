"""The page of a run: what it was, how it learned, what it draws, and what was measured of it."""

import shlex
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from genjax import config as configs
from genjax.evaluation.results import read_evaluation
from genjax.reports import figures
from genjax.reports.filmstrip import read_images
from genjax.reports.overview import overview
from genjax.reports.page import Figures, Pictures, Section, Strip, Table, Text, render
from genjax.runs.load import read_config
from genjax.runs.logs import read_metrics
from genjax.system.files import read_object

PNG = b"\x89PNG\r\n\x1a\n"  # begins every such file


def run_page(workdir: Path) -> str:
    """The page of a run's folder as HTML.

    Raises:
      InputError: the folder is not a run's, or a file of it cannot be read.
    """
    config, rows = read_config(workdir), read_metrics(workdir / "metrics.jsonl")
    (entry,) = overview(workdir)
    evaluation = read_evaluation(workdir / "evaluation.json")
    words = (entry.family, entry.data, f"{entry.steps:,} steps", entry.state, entry.figure, entry.when)
    sections: list[Section] = [
        Text("Warnings", [f"{w['name']} at step {w['step']:,}: {w['advice']}" for w in evaluation.get("warnings", ())]),
        *strips(workdir),
        Pictures("Pictures", pictures(workdir, without=("curves",))),
        Figures("Learning curves", figures.curves(rows, configs.metric_units(configs.flatten(config)))),
        metrics_table(evaluation),
        results_table(evaluation.get("results", ())),
        *settings_tables(configs.flatten(config), configs.flatten(configs.default(config.model.family))),
        environment_table(workdir),
        Text("The same run again", [command(workdir)]),
    ]
    return render(workdir.absolute().name, ", ".join(word for word in words if word), sections)


def command(workdir: Path) -> str:
    """The command that trains this run again, from the settings that it keeps."""
    folder = workdir.absolute()
    plugins = [word for name in _read(workdir / "plugins.json") if "/" in name for word in ("--plugin", name)]
    words = ["genjax", "train", "--config", str(folder / "config.json"), "--workdir", f"{folder}-again", *plugins]
    return shlex.join(words)


def strips(workdir: Path) -> list[Section]:
    """What was drawn during training, behind a slider for each kind of picture."""
    return [
        Strip(f"{name.capitalize()} during training", [(f"step {step:,}", png) for step, png in frames])
        for name, frames in read_images(workdir).items()
    ]


def pictures(workdir: Path, without: Iterable[str] = ()) -> list[tuple[str, bytes]]:
    """The PNG files of a folder, each under its name. A link, which may lead anywhere, is passed over."""
    paths = [path for path in sorted(workdir.glob("*.png")) if path.stem not in set(without)]
    files = {path: path.read_bytes() for path in paths if path.is_file() and not path.is_symlink()}
    return [(path.stem.replace("_", " "), content) for path, content in files.items() if content.startswith(PNG)]


def metrics_table(evaluation: Mapping[str, Any]) -> Table:
    """The figures of training's own evaluation, a row for each metric."""
    names = dict.fromkeys(key.partition("/")[2] for key in evaluation if "/" in key)
    rows = [[name, evaluation.get(f"validation/{name}"), evaluation.get(f"test/{name}")] for name in names]
    return Table("Figures at the end of training", ["metric", "validation", "test"], rows)


def results_table(results: Iterable[Mapping[str, Any]]) -> Table:
    """What the evaluator measured, with errors and protocols."""
    rows = [
        [
            result["metric"],
            result["value"],
            result.get("error"),
            result.get("unit", ""),
            ", ".join(f"{name.replace('_', ' ')} {value}" for name, value in result["protocol"].items()),
        ]
        for result in results
    ]
    return Table("Evaluation", ["metric", "value", "standard error", "unit", "protocol"], rows)


def settings_tables(settings: Mapping[str, Any], defaults: Mapping[str, Any]) -> list[Section]:
    """The settings that differ from the defaults, and the others folded away."""
    absent = object()
    differing = {name: value for name, value in settings.items() if defaults.get(name, absent) != value}
    return [
        Table(
            "Settings that differ from the defaults",
            ["setting", "value", "default"],
            [[name, str(value), str(defaults.get(name, ""))] for name, value in sorted(differing.items())],
        ),
        Table(
            "The other settings",
            ["setting", "value"],
            [[name, str(value)] for name, value in sorted(settings.items()) if name not in differing],
            closed=True,
        ),
    ]


def environment_table(workdir: Path) -> Table:
    """Versions, devices and the commit."""
    return Table("Environment", ["what", "value"], [list(pair) for pair in _read(workdir / "environment.json").items()])


def _read(path: Path) -> dict[str, Any]:
    """A small JSON file of a folder; nothing where there is none."""
    return read_object(path) or {}
