"""The names that `import genjax` has: each is documented, with an example that runs."""

import doctest
import inspect
import subprocess
import sys

import jax
import pytest
import trained

import genjax
from genjax import models


@pytest.fixture(scope="module")
def trained_names(tmp_path_factory):
    """A short run and a small sweep, and their folders, by the names that examples have for them."""
    folder = tmp_path_factory.mktemp("runs")
    workdir = trained.train(folder / "vae_digits", hidden=(8,))
    sweep_workdir = trained.sweep(folder / "sweep")
    loaded = {"run": genjax.load_run(workdir), "sweep": genjax.load_sweep(sweep_workdir)}
    return {"workdir": workdir, "sweep_workdir": sweep_workdir, "jax": jax, **loaded}


METHODS = [
    (owner, name)
    for owner in (genjax.Run, genjax.Sweep)
    for name, value in vars(owner).items()
    if not name.startswith("_") and (inspect.isfunction(value) or isinstance(value, property))
]


def failures(value, name, **names):
    """What the examples of a docstring print that they should not, `(how many examples, text)`."""
    (example,) = doctest.DocTestFinder(recurse=False).find(value, name, module=False, globs=names)
    output = []
    results = doctest.DocTestRunner(optionflags=doctest.NORMALIZE_WHITESPACE).run(example, out=output.append)
    return results.attempted, "".join(output) if results.failed else ""


@pytest.mark.parametrize("name", [name for name in genjax.__all__ if name != "FAMILIES"])
def test_every_public_name_has_an_example_that_runs(name, trained_names):
    value = getattr(genjax, name)
    home = vars(sys.modules[value.__module__])
    examples, text = failures(value, name, **{**trained_names, **home})
    assert examples, f"{name} has no example"
    assert not text


@pytest.mark.parametrize(("owner", "name"), METHODS)
def test_every_method_has_an_example_that_runs(owner, name, trained_names):
    value = vars(owner)[name]
    examples, text = failures(value, name, **{**trained_names, **vars(sys.modules[owner.__module__])})
    assert examples or isinstance(value, property), f"{name} has no example"
    assert not text


@pytest.mark.parametrize("module", [genjax, models], ids=lambda module: module.__name__)
def test_examples_of_modules(module):
    examples, text = failures(module, module.__name__, **vars(module))
    assert examples
    assert not text


def test_every_public_name_is_there_and_listed():
    assert set(genjax.__all__) <= set(dir(genjax))
    assert all(inspect.getdoc(getattr(genjax, name)) for name in genjax.__all__)
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        genjax.nothing  # noqa: B018


def test_importing_genjax_imports_no_jax():
    code = "import sys, genjax; sys.exit('jax' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
