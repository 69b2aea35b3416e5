"""The examples in docstrings of the pure packages, of the rehearsal and of what folders say, run one by one."""

import doctest
import importlib
import inspect
import pkgutil

import pytest

from genjax import losses, metrics, nn, rehearsal, reports

MODULES = ["genjax.ranges", "genjax.rng", "genjax.api.values", "genjax.api.blocks", "genjax.api.interpolation"] + [
    f"{package.__name__}.{module.name}"
    for package in (losses, metrics, nn, rehearsal, reports)
    for module in pkgutil.iter_modules(package.__path__)
]
FUNCTIONS = [
    f"{module}.{name}"
    for module in MODULES
    for name, value in vars(importlib.import_module(module)).items()
    if inspect.isfunction(value) and value.__module__ == module and not name.startswith("_")
]


@pytest.mark.parametrize("function", FUNCTIONS)
def test_examples(function):
    module, _, name = function.rpartition(".")
    namespace = vars(importlib.import_module(module))
    # The finder would pass over a function whose calls are checked: its wrapper was defined in another module.
    (example,) = doctest.DocTestFinder(recurse=False).find(
        namespace[name], function, module=False, globs=dict(namespace)
    )
    assert example.examples or not module.startswith("genjax.losses"), "a public loss has an example"
    output = []
    failed, _ = doctest.DocTestRunner(optionflags=doctest.NORMALIZE_WHITESPACE).run(example, out=output.append)
    assert not failed, "".join(output)
