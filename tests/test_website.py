"""What builds the documentation site: links, the search for requests, and the blocks of tutorials."""

import sys
from pathlib import Path

import blocks  # scripts/website is on the path, as while MkDocs loads its hooks
import links
import offline
import pytest
import tutorials

ROOT = Path(__file__).parents[1]


@pytest.mark.parametrize(
    ("page", "link", "translated"),
    [
        ("index.md", "../README.md#data", "guide.md#data"),
        ("tutorials/sweep.md", "../../README.md", "../guide.md"),
        ("tutorials/sweep.md", "../theory.md", "../theory.md"),
        ("guide.md", "docs/theory.md#sources", "theory.md#sources"),
        ("guide.md", "docs/vae_digits.png", "vae_digits.png"),
        ("guide.md", "genjax/features/assets/README.md", "features.md"),
        ("features.md", "../../../docs/design.md", "design.md"),
        ("index.md", "../pyproject.toml", "../pyproject.toml"),
        ("index.md", "https://example.org/docs", "https://example.org/docs"),
    ],
)
def test_links_of_the_repository_become_links_of_the_site(page, link, translated):
    assert links.translate_links(f"[text]({link})", page) == f"[text]({translated})"


@pytest.mark.parametrize(
    ("name", "text", "addresses"),
    [
        ("x.html", '<script src="https://cdn.org/a.js"></script>', ["https://cdn.org/a.js"]),
        ("x.html", '<link rel="stylesheet" href="//fonts.org/a.css">', ["//fonts.org/a.css"]),
        ("x.html", '<link rel="preconnect" href="https://fonts.org">', ["https://fonts.org"]),
        ("x.html", '<style>@import "https://a.org/a.css";</style>', ["https://a.org/a.css"]),
        ("x.html", '<p style="background: url(http://a.org/a.png)">', ["http://a.org/a.png"]),
        ("x.html", '<img src="a.png" srcset="https://a.org/b.png 2x">', ["https://a.org/b.png 2x"]),
        ("x.html", '<img srcset="a.png 1x, //a.org/b.png 2x">', ["//a.org/b.png 2x"]),
        ("x.html", "<style>@import url('https://a.org/a.css')</style>", ["https://a.org/a.css"]),
        ("x.css", '@import url("https://a.org/a.css") screen;', ["https://a.org/a.css"]),
        ("x.css", "p { background: url('https://a.org/a.png') }", ["https://a.org/a.png"]),
        ("x.html", '<a href="https://a.org">a link</a><img src="a.png"><code>src="https://a.org"</code>', []),
        ("x.html", '<link rel="canonical" href="https://a.org">', []),
    ],
)
def test_requests_to_other_hosts_are_seen(tmp_path, name, text, addresses):
    (tmp_path / name).write_text(text)
    assert offline.requests_elsewhere(tmp_path / name) == addresses


PAGE = """
```python
# helper.py
VALUE = 3
```

```python
from helper import VALUE

print(VALUE)
```

```sh
cat helper.py | wc -l
```

```text
not run
```

```python
print(VALUE + 1)
```

<!-- show: runs/x.png: A picture -->

<!-- show: runs/table.md: a table -->
"""


@pytest.fixture
def in_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    yield
    sys.modules.pop("helper", None)


def test_blocks_run_in_their_order_and_share_their_names(in_folder):
    assert list(blocks.run_page(PAGE)) == ["", "3\n", "2\n", "4\n"]


@pytest.mark.parametrize("block", ["```sh\necho before; false\n```", "```python\nprint('before'); 1 / 0\n```"])
def test_a_block_that_fails_says_what_it_printed(in_folder, block):
    with pytest.raises(blocks.BlockError, match="before"):
        list(blocks.run_page(block))


def test_output_and_pictures_are_shown_below_their_blocks():
    text = tutorials.insert(PAGE, ["", "3\n", "2\n", "4\n"], {"runs/x.png": "page/x.png", "runs/table.md": "| a |"})
    assert "print(VALUE)\n```\n\n````{ .text .output }\n3\n````" in text
    assert text.count(".output") == 3
    assert "![A picture](page/x.png)\n\n| a |\n" in text


@pytest.mark.parametrize("path", sorted((ROOT / "docs" / "tutorials").glob("*.md")), ids=lambda path: path.stem)
def test_a_tutorial_has_blocks_to_run(path):
    assert len(blocks.BLOCK.findall(path.read_text())) > 3
