"""A page that is one file: sections of text, tables, figures and pictures, in a template; nothing is fetched."""

import base64
import gzip
import importlib.util
import math
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from genjax.system.files import write_atomically
from genjax.types import InputError

TEMPLATES = Path(__file__).parent / "templates"
NEEDED = ("jinja2", "plotly")


class Text(NamedTuple):
    """Lines: commands, or warnings."""

    title: str
    lines: Sequence[str]
    kind: str = "text"


class Detail(NamedTuple):
    """What a row shows when it is clicked: lines, and a PNG where there is one."""

    lines: Sequence[str]
    picture: bytes = b""


class Table(NamedTuple):
    """Rows of numbers and words; a header that is clicked sorts by its column, and a field filters.

    Attributes:
      title: of the section.
      columns: their names.
      rows: of cells; None is an empty one.
      note: a sentence below the title.
      closed: whether the table is folded away at first.
      details: of each row, or none.
    """

    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[Any]]
    note: str = ""
    closed: bool = False
    details: Sequence[Detail] = ()
    kind: str = "table"


class Figures(NamedTuple):
    """Figures of Plotly, each `{"data": [...], "layout": {...}}`; `wide` ones take the whole width."""

    title: str
    figures: Sequence[dict[str, Any]]
    wide: bool = False
    note: str = ""
    kind: str = "figures"


class Strip(NamedTuple):
    """Pictures over training behind a slider, `[(caption, PNG)]`."""

    title: str
    frames: Sequence[tuple[str, bytes]]
    kind: str = "strip"


class Pictures(NamedTuple):
    """Pictures side by side, `[(caption, PNG)]`."""

    title: str
    pictures: Sequence[tuple[str, bytes]]
    kind: str = "pictures"


Section = Text | Table | Figures | Strip | Pictures


def require() -> None:
    """Refuses to go on without the libraries of pages.

    Raises:
      InputError: one of them is not installed; the line says how to install it.
    """
    if names := missing():
        raise InputError(f"a page needs {' and '.join(names)}: install the extra `report` of genjax-models")


def missing() -> list[str]:
    """The libraries of pages that are not installed."""
    return [name for name in NEEDED if importlib.util.find_spec(name) is None]


def render(title: str, subtitle: str, sections: Sequence[Section]) -> str:
    """The page as HTML; sections without content are left out. What it shows is escaped.

    Raises:
      InputError: a library is missing.
    """
    present = [section for section in sections if (section.rows if isinstance(section, Table) else section[1])]
    script = _plotly() if any(isinstance(section, Figures) for section in present) else ""
    return template("page.html").render(title=title, subtitle=subtitle, sections=present, plotly=script)


def template(name: str) -> Any:
    """A template of pages, which escapes what it shows.

    Raises:
      InputError: a library is missing.
    """
    require()
    from jinja2 import Environment, FileSystemLoader  # pyright: ignore[reportMissingImports]

    environment = Environment(loader=FileSystemLoader(TEMPLATES), autoescape=True, trim_blocks=True, lstrip_blocks=True)
    environment.filters |= {"data_uri": _data_uri, "cell": _cell, "sort_value": _sort_value}
    return environment.get_template(name)


def write(path: Path, html: str) -> None:
    """Writes a page whole or not at all.

    Raises:
      InputError: it cannot be written.
    """
    try:
        write_atomically(path, html.encode())
    except OSError as error:
        raise InputError(f"{path} cannot be written: {error.strerror}") from error


@cache
def _plotly() -> str:
    """Plotly's script, which the page carries with it, compressed to a third: gzip in Base64."""
    from plotly.offline import get_plotlyjs  # pyright: ignore[reportMissingImports]

    return base64.b64encode(gzip.compress(get_plotlyjs().encode(), mtime=0)).decode()


def _data_uri(png: bytes) -> str:
    return f"data:image/png;base64,{base64.b64encode(png).decode()}"


def _sort_value(value: float) -> str:
    """A number as a browser reads it; what is none comes last."""
    return "Infinity" if math.isnan(value) or value == math.inf else "-Infinity" if value == -math.inf else repr(value)


def _cell(value: Any) -> str:
    """A cell as text: numbers to five digits."""
    if value is None or value != value:
        return ""
    return f"{value:.5g}" if isinstance(value, float) else str(value)
