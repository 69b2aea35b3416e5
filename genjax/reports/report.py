"""The page of a folder, as a file."""

from pathlib import Path

from genjax.reports import page
from genjax.reports.overview import overview
from genjax.reports.run_page import run_page
from genjax.reports.sweep_page import sweep_page
from genjax.types import InputError


def write(workdir: Path, out: Path | None = None) -> Path:
    """Writes the page of a run or a sweep, `report.html` in its folder unless another file is named.

    Returns:
      The file.

    Raises:
      InputError: the folder is neither, or cannot be read or written, or a library is missing.
    """
    page.require()
    if not (workdir / "config.json").is_file():
        raise InputError(f"{workdir} is not the folder of a run or a sweep: it has no config.json")
    make = sweep_page if overview(workdir)[0].kind == "sweep" else run_page
    out = out or workdir / "report.html"
    page.write(out, make(workdir))
    return out
