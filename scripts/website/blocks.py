"""Runs the blocks of a tutorial in their order; `python blocks.py PAGE FILE` writes what each printed to a JSON file.

The current folder is that of the run. A block of `sh` is given to the shell, a block of `python` to one interpreter for
the whole page. A block of Python that begins with a comment with a file's name, `# my_config.py`, is written to that
file.
"""

import contextlib
import io
import json
import re
import subprocess
import sys
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import Any

BLOCK = re.compile(r"^```(?P<language>python|sh)\n(?P<code>.*?)^```$", flags=re.DOTALL | re.MULTILINE)
FILE_NAME = re.compile(r"# ([\w-]+\.py)\n")


class BlockError(Exception):
    """A block failed; the message holds what it printed."""


def run_page(markdown: str) -> Iterator[str]:
    """Yields what the blocks print, one after another; that of a written file is empty.

    Raises:
      BlockError: a command or a line of Python failed.
    """
    namespace: dict[str, Any] = {"__name__": "__main__"}
    for block in BLOCK.finditer(markdown):
        code = block["code"]
        if block["language"] == "sh":
            yield _run_shell(code)
        elif name := FILE_NAME.match(code):
            Path(name[1]).write_text(code)
            yield ""
        else:
            yield _run_python(code, namespace)


def _run_shell(code: str) -> str:
    result = subprocess.run(["bash", "-ec", code], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if result.returncode:
        raise BlockError(f"{code}ended with exit code {result.returncode}:\n{result.stdout}")
    return result.stdout


def _run_python(code: str, namespace: dict[str, Any]) -> str:
    printed = io.StringIO()
    try:
        with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(printed):
            exec(compile(code, "<block>", "exec"), namespace)
    except Exception as error:
        raise BlockError(f"{code}failed:\n{printed.getvalue()}{traceback.format_exc()}") from error
    return printed.getvalue()


def main(page: str, out: str) -> None:
    """Runs a page and writes the list of what its blocks printed."""
    sys.path.insert(0, "")  # the files that the page writes can be imported
    try:
        Path(out).write_text(json.dumps(list(run_page(Path(page).read_text()))))
    except BlockError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main(*sys.argv[1:])
