"""The names that `import genjax` has: each is documented, with an example that runs."""

import doctest
import inspect
import subprocess
import sys

import jax
import pytest

import genjax
from genjax import models
from genjax.runs import loop


@pytest.fixture(scope="module")
def workdir(tmp_path_factory):
    """The folder of a short run, for the examples that load one."""
    folder = tmp_path_factory.mktemp("runs") / "vae_digits"
    config = genjax.default_config("vae")
    config.model.hidden, config.model.latent = (8,), 2
    config.train.steps = config.train.log_every = config.train.evaluate_every = config.train.checkpoint_every = 2
    with (folder.parent / "log").open("w") as log:
        assert loop.train(config, folder, log) == loop.FINISHED
    return folder


def failures(value, name, **names):
    """What the examples of a docstring print that they should not, `(how many examples, text)`."""
    (example,) = doctest.DocTestFinder(recurse=False).find(value, name, module=False, globs=names)
    output = []
    results = doctest.DocTestRunner(optionflags=doctest.NORMALIZE_WHITESPACE).run(example, out=output.append)
    return results.attempted, "".join(output) if results.failed else ""


@pytest.mark.parametrize("name", [name for name in genjax.__all__ if name != "FAMILIES"])
def test_every_public_name_has_an_example_that_runs(name, workdir):
    value = getattr(genjax, name)
    home = vars(sys.modules[value.__module__])
    examples, text = failures(value, name, **{**home, "workdir": workdir, "jax": jax})
    assert examples, f"{name} has no example"
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
