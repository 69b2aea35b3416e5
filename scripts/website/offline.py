"""Refuses a site whose pages would ask another host for something; links that a reader follows are free."""

import logging
import re
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

LOG = logging.getLogger("mkdocs.hooks.offline")
ELSEWHERE = re.compile(r"\s*(?:https?:)?//", flags=re.IGNORECASE)
IN_STYLE = re.compile(r"(?:@import\s+(?:url\()?|url\()\s*[\"']?([^\"')\s;]+)")
ATTRIBUTES = ("src", "poster", "data", "background")  # and `href` of every element but these:
FOLLOWED = ("a", "area", "base")
ONLY_SAID = {"canonical", "next", "prev", "author", "license"}  # a `link` that a browser does not load


class _Requests(HTMLParser):
    """Collects the addresses that a browser loads with a page."""

    def __init__(self) -> None:
        super().__init__()
        self.addresses: list[str] = []
        self.in_style = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Looks at the attributes of an element."""
        values = {name: value or "" for name, value in attrs}
        self.in_style = tag == "style"
        self.addresses += [values[name] for name in ATTRIBUTES if name in values]
        self.addresses += map(str.strip, values.get("srcset", "").split(","))
        self.addresses += IN_STYLE.findall(values.get("style", ""))
        if tag not in FOLLOWED and not ONLY_SAID & set(values.get("rel", "").split()):
            self.addresses += [values[name] for name in ("href", "xlink:href") if name in values]

    def handle_data(self, data: str) -> None:
        """Looks at the text of a `style` element."""
        if self.in_style:
            self.addresses += IN_STYLE.findall(data)


def requests_elsewhere(path: Path) -> list[str]:
    """The addresses on other hosts that a browser would load with a page or a style sheet."""
    text = path.read_text()
    if path.suffix == ".css":
        addresses = IN_STYLE.findall(text)
    else:
        parser = _Requests()
        parser.feed(text)
        addresses = parser.addresses
    return [address for address in addresses if ELSEWHERE.match(address)]


def on_post_build(config: Any) -> None:
    """Warns of each such address; `--strict` makes an error of it."""
    for path, address in _in_site(Path(config["site_dir"])):
        LOG.warning("%s asks another host for %s", path, address)


def _in_site(site: Path) -> Iterator[tuple[Path, str]]:
    for path in sorted((*site.rglob("*.html"), *site.rglob("*.css"))):
        yield from ((path, address) for address in requests_elsewhere(path))
