"""Runs the tutorials while the site is built, and shows below each block what it printed and drew.

A page stays plain Markdown, with the blocks that `blocks.py` runs. A comment `<!-- show: runs/x/codes.png: Text -->`
becomes the picture that a block wrote to that path, with the text as its description. Where a path ends with `.md`,
what is written there is shown, without its title.
"""

import json
import logging
import os
import posixpath
import re
import subprocess
import sys
import tempfile
from concurrent.futures import Future, ThreadPoolExecutor
from functools import cache
from pathlib import Path
from typing import Any

import blocks  # this folder is on the path while MkDocs loads its hooks

LOG = logging.getLogger("mkdocs.hooks.tutorials")
FOLDER = "tutorials/"
SHOWN = re.compile(r"^<!-- show: (\S+): (.+) -->$", flags=re.MULTILINE)
POOL = ThreadPoolExecutor(max_workers=2)  # pages run side by side while others are rendered


@cache  # `mkdocs serve` builds the site again and again
def start(markdown: str) -> "Future[tuple[list[str], dict[str, bytes]]]":
    """Begins to run a page; the result is what its blocks printed, and the files that it shows, by their paths."""
    return POOL.submit(_run, markdown)


def _run(markdown: str) -> tuple[list[str], dict[str, bytes]]:
    with tempfile.TemporaryDirectory(prefix="genjax-tutorial-") as scratch:
        page, out, folder = (Path(scratch) / name for name in ("page.md", "out.json", "run"))
        page.write_text(markdown)
        folder.mkdir()
        path = f"{Path(sys.executable).parent}:{os.environ.get('PATH', '')}"  # the command `genjax` lies there
        subprocess.run(
            [sys.executable, blocks.__file__, page, out],
            cwd=folder,
            env={**os.environ, "PATH": path},
            stderr=subprocess.PIPE,
            text=True,
            check=True,
        )
        shown = {name: (folder / name).read_bytes() for name, _ in SHOWN.findall(markdown)}
        return json.loads(out.read_text()), shown


def on_files(files: Any, **_: Any) -> None:
    """Starts all tutorials."""
    for file in files.documentation_pages():
        if file.src_uri.startswith(FOLDER):
            start(file.content_string)


def on_page_markdown(markdown: str, page: Any, config: Any, files: Any) -> str:
    """The page with its output; where a block failed, what it said is logged, which ends a strict build."""
    if not page.file.src_uri.startswith(FOLDER):
        return markdown
    try:
        printed, shown = start(page.file.content_string).result()
    except (subprocess.CalledProcessError, OSError) as error:
        LOG.error("%s: %s", page.file.src_uri, getattr(error, "stderr", None) or error)
        return markdown
    return insert(markdown, printed, add_files(page.file.src_uri, shown, config, files))


def add_files(page: str, shown: dict[str, bytes], config: Any, files: Any) -> dict[str, str]:
    """Adds pictures to the site; their links on the page, or the text of a file, by the paths in the run's folder."""
    from mkdocs.structure.files import File  # pyright: ignore[reportMissingImports]

    contents = {}
    for path, content in shown.items():
        if path.endswith(".md"):
            contents[path] = re.sub(r"\A# .*\n+", "", content.decode())
            continue
        contents[path] = posixpath.join(Path(page).stem, path.replace("/", "-"))
        files.append(File.generated(config, FOLDER + contents[path], content=content))
    return contents


def insert(markdown: str, printed: list[str], contents: dict[str, str]) -> str:
    """The text of a page with what its blocks printed below them, and with its pictures and texts."""
    texts = iter(printed)

    def with_output(block: re.Match[str]) -> str:
        text = next(texts).replace("\r", "\n").strip("\n")
        return f"{block[0]}\n\n````{{ .text .output }}\n{text}\n````" if text else block[0]

    def content(match: re.Match[str]) -> str:
        path, text = match.groups()
        return contents[path] if path.endswith(".md") else f"![{text}]({contents[path]})"

    return SHOWN.sub(content, blocks.BLOCK.sub(with_output, markdown))
