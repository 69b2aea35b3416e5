"""The configurations that come with the package, by name: `vae_digits`, `sweeps/vae_digits`."""

import ast
import re
from pathlib import Path

from genjax.system.messages import nearest_name

NAME = re.compile(r"(sweeps/)?\w{1,100}")
PACKAGE = Path(__file__).parents[1]


def find(text: str) -> Path:
    """The file that a user means by a path, which comes first, or by the name of a shipped configuration.

    Raises:
      InputError: there is no such file, and the text has the form of a name.

    Example:
      >>> find("sweeps/vae_digits").name
      'vae_digits.py'
    """
    path = Path(text)
    if not NAME.fullmatch(text) or path.exists():
        return path
    files = _files()
    return files[nearest_name("config", text, files)]


def describe_shipped() -> dict[str, str]:
    """What each shipped configuration is, `{name: the beginning of its docstring}`; runs come before sweeps.

    Example:
      >>> describe_shipped()["vae_digits"]
      'A VAE on 8x8 digits'
    """
    docs = {name: ast.get_docstring(ast.parse(path.read_text())) or "" for name, path in _files().items()}
    return {name: doc.partition("\n")[0].partition(": `")[0].removesuffix(".") for name, doc in docs.items()}


def _files() -> dict[str, Path]:
    """The files by name. A wheel holds them inside the package; a clone, beside it."""
    inside = PACKAGE / "configs"
    folder = inside if inside.is_dir() else PACKAGE.parent / "configs"
    paths = (*sorted(folder.glob("*.py")), *sorted(folder.glob("sweeps/*.py")))
    return {path.relative_to(folder).with_suffix("").as_posix(): path for path in paths}
