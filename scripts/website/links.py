"""Makes pages of the Markdown files outside of docs/, and lets links work on the site as they do in the repository."""

import posixpath
import re
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
PAGES = {
    "README.md": "guide.md",
    "CHANGELOG.md": "changelog.md",
    "SECURITY.md": "security.md",
    "genjax/features/assets/README.md": "features.md",
}
HOMES = {page: path for path, page in PAGES.items()}
LINK = re.compile(r"(?<=\]\()(?P<path>[\w./-]+)(?=[#)])")

NAME = re.compile(r"<code>(genjax(?:\.\w+)+)</code>")


def on_files(files: Any, config: Any) -> Any:
    """Adds the pages that `PAGES` names."""
    from mkdocs.structure.files import File  # pyright: ignore[reportMissingImports]

    for path, page in PAGES.items():
        files.append(File.generated(config, page, content=(ROOT / path).read_text()))
    return files


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """Turns links between files of the repository into links between pages."""
    return translate_links(markdown, page.file.src_uri)


def on_page_content(content: str, **_: Any) -> str:
    """Links a function that the text names to its place in the API reference, where it has one."""
    return NAME.sub(r'<autoref identifier="\1" optional><code>\1</code></autoref>', content)


def translate_links(markdown: str, page: str) -> str:
    """The text of a page with its links as the site has them; a link to no file stays as it is.

    Args:
      markdown: the text, whose links start at the place of its file in the repository.
      page: the page's path in the site's sources, such as `tutorials/sweep.md`.
    """
    home = posixpath.dirname(HOMES.get(page, f"docs/{page}"))
    start = posixpath.dirname(page)

    def translate(match: re.Match[str]) -> str:
        path = posixpath.normpath(posixpath.join(home, match["path"]))
        target = PAGES.get(path) or path.removeprefix("docs/")
        is_page = path in PAGES or (path.startswith("docs/") and (ROOT / path).is_file())
        return posixpath.relpath(target, start or ".") if is_page else match["path"]

    return LINK.sub(translate, markdown)
