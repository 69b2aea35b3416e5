"""The Python files that are printed in the documents, as modules."""

import re
from pathlib import Path
from types import ModuleType

DOCUMENTS = Path(__file__).parents[1] / "docs"


def printed_files(page: str) -> dict[str, str]:
    """The blocks of Python of a page that begin with a comment with their file's name, `{name: text}`."""
    text = (DOCUMENTS / f"{page}.md").read_text()
    blocks = re.findall(r"^```python\n(.*?)^```$", text, flags=re.DOTALL | re.MULTILINE)
    names = [re.match(r"# (\w+)\.py\n", block) for block in blocks]
    return {name.group(1): block for name, block in zip(names, blocks, strict=True) if name}


def page_module(page: str, name: str) -> ModuleType:
    """One of them as a module, which is not put among the imported ones."""
    module = ModuleType(name)
    exec(compile(printed_files(page)[name], f"{page}.md: {name}.py", "exec"), module.__dict__)
    return module
