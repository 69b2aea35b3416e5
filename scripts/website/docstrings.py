"""An extension of Griffe, which reads the docstrings for the site."""

import re
from typing import Any

import griffe  # pyright: ignore[reportMissingImports]

SESSION = re.compile(r"^>>> .*(?:\n.+)*", flags=re.MULTILINE)


class Examples(griffe.Extension):
    """Lets examples be shown as code.

    A section `Example:` becomes `Examples:`, the only name that Griffe knows, and a session of Python outside of such a
    section becomes a block.
    """

    def on_object(self, *, obj: Any, **_: Any) -> None:
        """Changes one docstring."""
        if obj.docstring is not None:
            text = re.sub(r"^Example:$", "Examples:", obj.docstring.value, flags=re.MULTILINE)
            obj.docstring.value = SESSION.sub(r"```pycon\n\g<0>\n```", text)
