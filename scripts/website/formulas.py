"""Writes the formulas of a page as MathML, which browsers show without a script."""

import html
import logging
import re
from typing import Any

LOG = logging.getLogger("mkdocs.hooks.formulas")
# A mark behind a formula stays on its line.
FORMULA = re.compile(r'<(span|div) class="arithmatex">\\([(\[])(.*?)\\[)\]]</\1>([.,;:)]*)', flags=re.DOTALL)


def on_page_content(content: str, page: Any, **_: Any) -> str:
    """Replaces what the extension `arithmatex` marked as a formula; an error is logged, which ends a strict build."""
    from math_core import LatexError, LatexToMathML  # pyright: ignore[reportMissingImports]

    converter = LatexToMathML(fancy_error=False)

    def to_mathml(match: re.Match[str]) -> str:
        tag, bracket, formula, mark = match.groups()
        try:
            mathml = converter.convert_with_local_state(html.unescape(formula), displaystyle=bracket == "[")
        except LatexError as error:
            LOG.error("%s: %s: %s", page.file.src_uri, formula, error)
            mathml = f"<code>{formula}</code>"
        return f'<{tag} class="formula">{mathml}{mark}</{tag}>'

    return FORMULA.sub(to_mathml, content)
