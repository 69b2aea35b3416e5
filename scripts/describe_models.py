"""Writes docs/models.md from the tables of the families: uv run scripts/describe_models.py."""

import argparse
import sys
from collections.abc import Collection, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from genjax import config as configs
from genjax.config import about, flatten
from genjax.models import FAMILIES
from genjax.nn import networks
from genjax.sweeps import settings
from genjax.training import optimisers, schedules
from genjax.types import Family

PAGE = Path(__file__).parents[1] / "docs" / "models.md"
TITLES = {
    "autoencoder": "Regularised autoencoder",
    "vae": "Variational autoencoder",
    "gan": "Generative adversarial network",
    "autoregressive": "Autoregressive model",
}
TABLE = ("| setting | default | what it does |", "|---|---|---|")
HEAD = """# Models and settings

Every family is a product of factors, and every combination that has a meaning can be trained, swept and evaluated; one
that has none is refused in one line. This page is written by `uv run scripts/describe_models.py` from the tables in
`genjax/models`. A setting is `--config.model.<name>`, a hyperparameter `--config.hparams.<name>`; settings change the
compiled program, hyperparameters do not, so that a sweep maps over them. A hyperparameter may have a schedule:
`--config.schedules.<name>=linear`. What would not act under the other settings cannot be changed. The settings that
every run has, and those of a sweep, stand at the end, with their whole names.
"""


def page() -> str:
    """The text of docs/models.md."""
    lines = _setting_lines(networks.SETTINGS, networks.CHOICES, networks.ABOUT)
    shared = _table("Encoders, decoders and discriminators", lines)
    families = "".join(_section(name, family) for name, family in FAMILIES.items())
    return HEAD + shared + families + _table("Every run", _run_lines()) + _table("Sweeps", _sweep_lines())


def _table(title: str, lines: Iterable[str]) -> str:
    return "\n".join([f"\n## {title}\n", *TABLE, *lines, ""])


def _run_lines() -> Iterator[str]:
    """Settings that every family has, by their full names."""
    defaults = flatten(configs.default("vae")) | {f"optim.{name}": v for name, v in optimisers.SETTINGS.items()}
    of_schedules = [*schedules.WEIGHTS.values(), *schedules.LEARNING_RATES.values()]
    for name, text in about.ABOUT.items():
        group, _, own = name.partition(".")
        values = {float(schedule.knobs[own]): None for schedule in of_schedules if own in schedule.knobs}
        if group != "hparams" or not values:  # a number of several schedules has a default in each
            values = {optimisers.HPARAMS[own] if group == "hparams" else defaults[name]: None}
        yield _row(name.replace("optim.", "optim.<objective>."), " or ".join(map(str, values)), text)


def _sweep_lines() -> Iterator[str]:
    defaults = flatten(settings.SWEEP)
    return (_row(name, defaults[name], text) for name, text in settings.ABOUT.items())


def _row(name: str, value: Any, text: str) -> str:
    return f"| `{name}` | {f'`{value}`' if str(value) else ''} | {_cell(text)} |"


def _section(name: str, family: Family) -> str:
    configs_of_family = sorted(path.name for path in (PAGE.parents[1] / "configs").glob("*.py") if _is_of(path, name))
    shared = networks.SETTINGS if "channels" in family.settings else {}
    own = {key: value for key, value in family.settings.items() if shared.get(key) != value}
    lines = [
        f"\n## {TITLES[name]}: `{name}`\n",
        f"Configurations: {', '.join(f'`configs/{file}`' for file in configs_of_family)}.\n",
        *TABLE,
        *_setting_lines(own, family.choices, family.about),
    ]
    if family.hparams:
        lines += ["", "| hyperparameter | default | what it does |", "|---|---|---|"]
    lines += [f"| `{key}` | {value:g} | {_cell(family.about[key])} |" for key, value in family.hparams.items()]
    return "\n".join(lines) + "\n"


def _setting_lines(
    settings: Mapping[str, Any], choices: Mapping[str, Collection[str]], about: Mapping[str, str]
) -> Iterator[str]:
    """A line for each setting, and below it one for each of its choices that is described."""
    for key, value in settings.items():
        yield f"| `{key}` | `{value}` | {_cell(about[key])} |"
        for choice in choices.get(key, ()):
            if (text := about.get(f"{key}={choice}")) is not None:
                yield f"| &nbsp;&nbsp;`{key}={choice}` | | {_cell(text)} |"


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def _is_of(path: Path, family: str) -> bool:
    return configs.load(path).model.family == family


def models_parser() -> argparse.ArgumentParser:
    """The parser of the command, which takes no arguments."""
    return argparse.ArgumentParser(prog="uv run scripts/describe_models.py", description=__doc__, allow_abbrev=False)


if __name__ == "__main__":
    models_parser().parse_args()
    PAGE.write_text(page())
    print(f"{PAGE} is written", file=sys.stderr)
