"""The page of models is what the tables of the families give, and says something about each entry."""

import importlib.util
from pathlib import Path

import pytest

from genjax.config import about, default, flatten
from genjax.models import FAMILIES
from genjax.sweeps import settings
from genjax.training import optimisers
from genjax.training.schedules import LEARNING_RATES, WEIGHTS

ROOT = Path(__file__).parents[1]


def test_the_page_is_what_the_tables_give():
    spec = importlib.util.spec_from_file_location("describe_models", ROOT / "scripts" / "describe_models.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    assert (ROOT / "docs" / "models.md").read_text() == module.page()


def test_every_setting_of_a_run_and_of_a_sweep_is_described():
    config = flatten({name: part for name, part in default("vae").items() if name in ("seed", "data", "train")})
    knobs = {name for table in (LEARNING_RATES, WEIGHTS) for schedule in table.values() for name in schedule.knobs}
    hparams = {f"hparams.{name}" for name in (*optimisers.HPARAMS, *knobs)}
    assert about.ABOUT.keys() == {*config, *hparams, *(f"optim.{name}" for name in optimisers.SETTINGS)}
    assert settings.ABOUT.keys() == flatten(settings.SWEEP).keys()


@pytest.mark.parametrize("name", FAMILIES)
def test_every_entry_is_described(name):
    """Every setting, hyperparameter and choice; of activations the names say enough."""
    family = FAMILIES[name]
    choices = {f"{key}={choice}" for key, names in family.choices.items() for choice in names}
    activations = {choice for choice in choices if choice.split("=")[0] in ("activation", "phi", "psi")}
    assert family.about.keys() == {*family.settings, *family.hparams, *choices} - activations
