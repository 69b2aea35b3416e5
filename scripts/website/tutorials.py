"""Runs the tutorials while the site is built, and shows below each block what it printed and drew.

A page stays plain Markdown, with the blocks that `blocks.py` runs. A comment `<!-- picture: runs/x/codes.png: Text -->`
becomes the picture, which a block wrote to that path, with the text as its description.
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
PICTURE = re.compile(r"^<!-- picture: (\S+): (.+) -->$", flags=re.MULTILINE)
POOL = ThreadPoolExecutor(max_workers=2)  # pages run side by side while others are rendered


@cache  # `mkdocs serve` builds the site again and again
def start(markdown: str) -> "Future[tuple[list[str], dict[str, bytes]]]":
    """Begins to run a page; the result is what its blocks printed, and its pictures by their paths."""
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
        pictures = {name: (folder / name).read_bytes() for name, _ in PICTURE.findall(markdown)}
        return json.loads(out.read_text()), pictures


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
        printed, pictures = start(page.file.content_string).result()
    except (subprocess.CalledProcessError, OSError) as error:
        LOG.error("%s: %s", page.file.src_uri, getattr(error, "stderr", None) or error)
        return markdown
    return insert(markdown, printed, add_pictures(page.file.src_uri, pictures, config, files))


def add_pictures(page: str, pictures: dict[str, bytes], config: Any, files: Any) -> dict[str, str]:
    """Adds pictures to the files of the site; their links on the page, by their paths in the run's folder."""
    from mkdocs.structure.files import File  # pyright: ignore[reportMissingImports]

    links = {}
    for path, content in pictures.items():
        links[path] = posixpath.join(Path(page).stem, path.replace("/", "-"))
        files.append(File.generated(config, FOLDER + links[path], content=content))
    return links


def insert(markdown: str, printed: list[str], links: dict[str, str]) -> str:
    """The text of a page with what its blocks printed below them, and with its pictures."""
    texts = iter(printed)

    def with_output(block: re.Match[str]) -> str:
        text = next(texts).replace("\r", "\n").strip("\n")
        return f"{block[0]}\n\n````{{ .text .output }}\n{text}\n````" if text else block[0]

    return PICTURE.sub(lambda match: f"![{match[2]}]({links[match[1]]})", blocks.BLOCK.sub(with_output, markdown))
