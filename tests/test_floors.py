"""The house keeps its floors: a room imports only from floors below it."""

import ast
from pathlib import Path

import pytest

import genjax

ROOT = Path(genjax.__file__).parent
FLOORS = [
    {"types"},
    {"rng"},
    {"likelihoods", "divergences", "adversarial", "convolution"},
    {"layers"},
    {"networks"},
    {"models"},
    {"optim", "metrics"},
    {"step"},
    {"train"},
    {"mesh", "sweep"},
    {"atomic", "data", "hosts", "interrupts"},
    {"compiler", "plots"},
    {"checkpoint", "logs", "config", "features", "feed", "sweep_plots"},
    {"report", "workdir", "search"},
    {"programs"},
    {"run", "evaluation"},
    {"trials"},
    {"commands"},
]
PURE = set().union(*FLOORS[:10])
INPUT_AND_OUTPUT = {"pathlib", "os", "io", "sys", "shutil", "tempfile", "orbax", "matplotlib", "tensorboardX", "tqdm"}


def floor(room: str) -> int:
    return next(i for i, rooms in enumerate(FLOORS) if room in rooms)


def room_of(path: Path) -> str:
    return path.relative_to(ROOT).parts[0].removesuffix(".py")


def imports(path: Path) -> list[str]:
    """Dotted names of all modules that a file imports, those inside functions as well."""
    names = []
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        if isinstance(node, ast.ImportFrom):
            names += [f"{node.module}.{alias.name}" for alias in node.names]
    return names


FILES = sorted(path for path in ROOT.rglob("*.py") if path != ROOT / "__init__.py")


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_point_down(path):
    room = room_of(path)
    for name in imports(path):
        if not name.startswith("genjax."):
            assert room not in PURE or name.split(".")[0] not in INPUT_AND_OUTPUT, f"{room} imports {name}"
            continue
        other = name.split(".")[1]
        if other != room:
            assert floor(other) < floor(room), f"{room} imports {other}"


def test_every_room_has_a_floor():
    assert {room_of(path) for path in FILES} == set().union(*FLOORS)
