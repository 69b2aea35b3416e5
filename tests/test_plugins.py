"""Plugins: what a user's file, module or package adds to the tables, and what a folder knows of it."""

import json
from importlib.metadata import EntryPoint, EntryPoints

import pytest

import genjax
from genjax.commands.main import main
from genjax.config import plugins
from genjax.types import InputError

LOSS = """
import jax
import jax.numpy as jnp
from genjax import Entry, default_config
from genjax.losses.adversarial import AdversarialLoss
from genjax.models.gan.penalties import Penalty

def discriminator(real, fake):
    return jax.nn.softplus(-real) + jax.nn.softplus(fake)

def generator(real, fake):
    return jax.nn.softplus(-fake)

def drift(judged, hparams):
    return jnp.square(judged.real_logit)

ENTRIES = {
    "gan_losses": {"logistic": AdversarialLoss(discriminator, generator)},
    "gan_penalties": {
        "drift": Entry(Penalty(drift, of_gradient=False), {"drift_weight": 1e-3}, {"drift_weight": "of D(x)^2"})
    },
}

def get_config():
    config = default_config("gan")
    config.data.source = "ring8"
    config.model.generator_hidden = config.model.discriminator_hidden = (4,)
    config.model.loss, config.model.penalties = "logistic", ("drift",)
    config.train.steps = config.train.log_every = config.train.evaluate_every = config.train.checkpoint_every = 2
    config.train.devices = 1
    return config
"""


@pytest.fixture(autouse=True)
def _tables_as_before(monkeypatch):
    """Each test begins with the tables of the package and no plugin, and leaves them so."""
    tables = {name: dict(table.entries) for name, table in plugins.TABLES.items()}
    monkeypatch.setattr(plugins, "_LOADED", {})
    plugins.load_installed.cache_clear()
    yield
    plugins.load_installed.cache_clear()
    for name, table in plugins.TABLES.items():
        table.entries.clear()
        table.entries.update(tables[name])


def forget(monkeypatch):
    """As in a new process: no plugin is loaded, and no table has its entries."""
    for plugin in plugins._LOADED.values():
        for table, name in plugin.names:
            del plugins.TABLES[table].entries[name]
    monkeypatch.setattr(plugins, "_LOADED", {})


@pytest.mark.slow
def test_a_run_of_a_plugin_is_evaluated_with_it_and_says_so_without(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "loss.py").write_text(LOSS)
    assert main(["train", "--config", "loss.py", "--workdir", "x", "--config.hparams.drift_weight=0.5"]) == 0
    digest = plugins.hash_files([tmp_path / "loss.py"])
    assert json.loads((tmp_path / "x" / "plugins.json").read_text()) == {"loss.py": digest}
    assert json.loads((tmp_path / "x" / "config.json").read_text())["hparams.drift_weight"] == 0.5

    forget(monkeypatch)
    evaluate = ["evaluate", "--workdir", "x", "--metrics", "modes"]
    capsys.readouterr()
    assert main(evaluate) == 2
    assert (
        f"x was made with the plugin loss.py (sha256 {digest[:12]}): give --plugin loss.py" in capsys.readouterr().err
    )

    (tmp_path / "elsewhere.py").write_text(LOSS)  # the same code under another name
    assert main([*evaluate, "--plugin", "elsewhere.py"]) == 0
    assert "plugin" not in capsys.readouterr().err

    forget(monkeypatch)
    (tmp_path / "loss.py").write_text(LOSS + "# another line\n")
    assert main([*evaluate, "--plugin", "loss.py"]) == 0
    assert "the plugin loss.py is not the one that x was made with" in capsys.readouterr().err


ACTIVATION = {"activations": {"cube": lambda x: x**3}}
REFUSED = {
    "no mapping": ([1], "defines no ENTRIES"),
    "no mapping of names": ({"families": [1]}, "defines no ENTRIES"),
    "unknown table": ({"gan_loses": {}}, "the nearest is 'gan_losses'"),
    "another kind": ({"families": {"mine": 3}}, "families 'mine' is no Family"),
    "a name that is taken": ({"activations": {"relu": abs}}, "has an entry 'relu' already"),
    "hyperparameters of no family": ({"activations": {"x": genjax.Entry(abs, {"a": 1.0})}}, "bring no hyperparameters"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_added_is_refused_and_nothing_is_added(case):
    entries, message = REFUSED[case]
    if isinstance(entries, dict):
        entries = {**ACTIVATION, **entries} if "activations" not in entries else entries
    before = {name: set(table.entries) for name, table in plugins.TABLES.items()}
    with pytest.raises(InputError, match="the plugin p") as caught:
        plugins.add("p", entries, "")
    assert message in str(caught.value)
    assert {name: set(table.entries) for name, table in plugins.TABLES.items()} == before


def test_a_name_belongs_to_the_plugin_that_brought_it():
    plugins.add("first", ACTIVATION, "1")
    plugins.add("first", {"activations": {"cube": lambda x: 2 * x**3}}, "2")  # the user has edited it
    assert plugins.TABLES["activations"].entries["cube"](1.0) == 2.0
    with pytest.raises(InputError, match="already"):
        plugins.add("second", ACTIVATION, "1")


def test_a_folder_keeps_the_plugins_that_its_configuration_names(tmp_path):
    plugins.add("shape.py", ACTIVATION, "12")
    plugins.add("data.py", {"sources": {"mine:<path>": lambda source: None}}, "34")
    plugins.add("unused.py", {"activations": {"unused": abs}}, "56")
    config = genjax.default_config("vae")
    assert plugins.needed(config) == {}
    assert plugins.record(tmp_path, config) == []
    assert not (tmp_path / "plugins.json").exists()
    config.model.activation, config.data.source = "cube", "mine:a.bin"
    assert plugins.needed(config) == {"shape.py": "12", "data.py": "34"}
    assert plugins.needed({"axes": [["model.activation", ("relu", "cube")]]}) == {"shape.py": "12"}  # of a sweep


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("ENTRIES = {}\n1 / 0", "plugin.py, line 2: ZeroDivisionError"),
        ("import sys\nsys.exit(3)", "plugin.py, line 2: SystemExit: 3"),
        ("a = 1", "defines no ENTRIES"),
        (None, "there is no such file"),
    ],
)
def test_a_plugin_that_cannot_be_run_is_one_line(text, message, tmp_path, capsys):
    if text is not None:
        (tmp_path / "plugin.py").write_text(text)
    assert main(["data", "--plugin", str(tmp_path / "plugin.py")]) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1


def test_a_module_is_a_plugin_by_its_dotted_name(tmp_path, monkeypatch):
    (tmp_path / "package_of_mine").mkdir()
    (tmp_path / "package_of_mine" / "__init__.py").write_text("")
    (tmp_path / "package_of_mine" / "shapes.py").write_text("ENTRIES = {'activations': {'cube': lambda x: x**3}}")
    monkeypatch.syspath_prepend(tmp_path)
    genjax.load_plugin("package_of_mine.shapes")
    assert plugins.TABLES["activations"].entries["cube"](2.0) == 8.0
    with pytest.raises(InputError, match=r"no_such_module: ModuleNotFoundError"):
        genjax.load_plugin("no_such_module")


def test_an_installed_package_adds_what_its_entry_points_name(monkeypatch, capsys):
    point = EntryPoint("packaged", "genjax.data.digits:load", "genjax.sources")
    other = EntryPoint("other", "no.such:thing", "console_scripts")
    monkeypatch.setattr(plugins, "entry_points", lambda: EntryPoints([point, other]))
    assert main(["data"]) == 0
    assert "packaged" in capsys.readouterr().out
    assert genjax.load_data("packaged").train.x.shape == (1439, 8, 8, 1)
    broken = EntryPoint("broken", "genjax.no_such_module", "genjax.sources")
    monkeypatch.setattr(plugins, "entry_points", lambda: EntryPoints([broken]))
    plugins.load_installed.cache_clear()
    assert main(["data"]) == 2
    assert "genjax.no_such_module" in capsys.readouterr().err
