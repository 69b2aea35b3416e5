"""The layers of docs/design.md: a module imports only from layers below it, and the pure layers never read or write."""

import ast
import re
from pathlib import Path

import pytest

import genjax

ROOT = Path(genjax.__file__).parent
DESIGN = Path(__file__).parents[1] / "docs" / "design.md"
ROW = re.compile(r"^\| (\d+) \| ([^|]+) \|", flags=re.MULTILINE)
LAYERS = {
    name.strip("`/"): int(number)
    for number, names in ROW.findall(DESIGN.read_text())
    for name in re.findall("`[^`]+`", names)
}
PURE = {"ranges", "types", "rng", "losses", "nn", "metrics", "models", "training"}
INPUT_AND_OUTPUT = {"pathlib", "os", "io", "sys", "shutil", "tempfile", "orbax", "matplotlib", "tensorboardX", "tqdm"}
FILES = sorted(path for path in ROOT.rglob("*.py") if path != ROOT / "__init__.py")


def place_of(path: Path) -> str:
    """The package or module directly under `genjax` that a file belongs to."""
    return path.relative_to(ROOT).parts[0].removesuffix(".py")


def imports(path: Path) -> list[str]:
    """The dotted names of all modules that a file imports, those inside functions as well."""
    names = []
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        if isinstance(node, ast.ImportFrom):
            names += [f"{node.module}.{alias.name}" for alias in node.names]
    return names


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_point_down(path):
    place = place_of(path)
    for name in imports(path):
        first, _, rest = name.partition(".")
        if first != "genjax":
            assert place not in PURE or first not in INPUT_AND_OUTPUT, f"{place} imports {name}"
            continue
        other = rest.split(".")[0]
        assert other == place or LAYERS[other] < LAYERS[place], f"{place} imports {other}"


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_private_name_crosses_modules(path):
    private = [name for name in imports(path) if name.startswith("genjax") and name.rpartition(".")[2].startswith("_")]
    assert not private


def test_the_document_lists_every_package():
    assert {place_of(path) for path in FILES} == set(LAYERS)
