"""Every command that the documents, the configs and the scripts print can be pasted into a shell."""

import re
import shlex
from pathlib import Path

import pytest
from documents import DOCUMENTS, printed_files

from genjax import config
from genjax.commands import train
from genjax.commands.arguments import assignments
from genjax.commands.main import COMMANDS, module_of
from genjax.sweeps import settings

ROOT = Path(__file__).parents[1]
PRINTED = [ROOT / "README.md", *ROOT.glob("docs/**/*.md"), *ROOT.glob("genjax/**/*.md"), *ROOT.glob("configs/**/*.py")]
PAGES = [path.relative_to(DOCUMENTS).with_suffix("").as_posix() for path in DOCUMENTS.rglob("*.md")]
OWN_CONFIGS = {name for page in PAGES for name in printed_files(page)}  # the reader writes them first
SCRIPTS = sorted(ROOT.glob("scripts/*.py"))
INSTALLED = "|".join(sorted(COMMANDS, reverse=True))  # train-features before train
COMMAND = re.compile(
    rf"(?:(?:^|[`\s\"])uv run (?=scripts/)|(?:^|`)(?=genjax ))"
    rf"((?:scripts/\w+\.py|genjax (?:{INSTALLED}))(?:[ ][^`\n]*?)?)(?= #| \||`|\n)",
    flags=re.MULTILINE,
)
WITHOUT_UV = re.compile(r"(?<!uv run )scripts/\w+\.py +-[^\n]*")


def commands(path):
    """The commands of a file, without the comment behind them; a line that ends with a backslash goes on."""
    found = [match.group(1).strip() for match in COMMAND.finditer(path.read_text().replace("\\\n", " "))]
    return [text.removesuffix('"') if text.count('"') % 2 else text for text in found]  # a command in quotes


def every_command():
    return sorted(
        {(path.relative_to(ROOT).as_posix(), text) for path in [*PRINTED, *SCRIPTS] for text in commands(path)}
    )


def parse(name, words):
    """Parses a command as it does itself, up to the moment at which it would look at data or at a folder."""
    if name in ("train", "sweep"):
        parsed, rest = module_of(name).make_parser("").parse_known_args(words)
        path = ROOT / config.find(parsed.config)
        if not path.exists():
            assert path.stem in OWN_CONFIGS, f"{path} does not exist"
            return
        module, typed = (settings if name == "sweep" else config), assignments(rest)
        module.drop_unused(module.override(config.load(path), typed), typed)
    elif name == "evaluate":
        module = module_of(name)
        parsed = module.make_parser("").parse_args(words)
        if not parsed.against:
            module.read_options(parsed)
    elif name == "rehearse":
        parsed, rest = module_of(name).make_parser("").parse_known_args(words)
        assert not rest
        assert parsed.all or (ROOT / config.find(parsed.config)).exists()
    else:
        parser = module_of(name).make_parser("") if name in COMMANDS else PARSERS[name]()
        parser.parse_args(words)


def reproduce_parser():
    from results.command import reproduce_parser

    return reproduce_parser("")


def benchmark_parser():
    from benchmarks.command import benchmark_parser

    return benchmark_parser("")


def fingerprint_parser():
    from fingerprint import fingerprint_parser

    return fingerprint_parser()


def models_parser():
    from describe_models import models_parser

    return models_parser()


PARSERS = {
    "describe-models": models_parser,
    "reproduce": reproduce_parser,
    "benchmark": benchmark_parser,
    "fingerprint": fingerprint_parser,
}


@pytest.mark.parametrize(("path", "text"), every_command())
def test_a_printed_command_can_be_pasted(path, text, monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "scripts"))
    first, *words = (word for word in shlex.split(text) if word != "--help")  # it would end the process
    if first == "genjax":
        parse(words[0], words[1:])
        return
    assert (ROOT / first).exists()
    parse(Path(first).stem.replace("_", "-"), words)


def quick_commands():
    """The single runs of configs/ whose data come with the package, and need no preparation."""
    for path, text in every_command():
        script, *words = shlex.split(text)
        is_run = script == "scripts/train.py" and path.startswith("configs/")
        if is_run and config.load(ROOT / words[1]).data.source in ("digits", "ring8"):
            yield pytest.param(words, id=path)


@pytest.mark.slow
@pytest.mark.parametrize("words", list(quick_commands()))
def test_a_quick_command_runs(words, tmp_path, monkeypatch, capsys):
    """With fewer steps: from its data to its pictures."""
    monkeypatch.chdir(ROOT)
    few = {"steps": 4, "log_every": 2, "evaluate_every": 4, "checkpoint_every": 4, "devices": 1}
    settings = [f"--config.train.{name}={value}" for name, value in few.items()]
    assert train.main([*words, *settings, "--workdir", str(tmp_path / "run")]) == 0, capsys.readouterr().err
    assert (tmp_path / "run" / "evaluation.json").exists()


@pytest.mark.parametrize(
    ("text", "command"),
    [
        ("uv run scripts/train.py --config x.py\n", "scripts/train.py --config x.py"),
        ("see `uv run scripts/train.py --config x.py`.", "scripts/train.py --config x.py"),
        ("genjax train-features --source x # why\n", "genjax train-features --source x"),
        ("see `genjax configs`.", "genjax configs"),
        ("genjax report --workdir x || true\n", "genjax report --workdir x"),
    ],
)
def test_commands_are_found_in_blocks_and_in_sentences(tmp_path, text, command):
    (tmp_path / "page.md").write_text(text)
    assert commands(tmp_path / "page.md") == [command]


def test_every_script_and_every_document_that_ought_to_print_a_command_does():
    printed = every_command()
    scripts = {text.split()[0] for _, text in printed} - {"genjax"}
    assert scripts == {path.relative_to(ROOT).as_posix() for path in SCRIPTS}
    silent = {path.relative_to(ROOT).as_posix() for path in PRINTED} - {path for path, _ in printed}
    silent -= {"docs/api/genjax.md", "docs/api/losses.md"}
    assert silent <= {"docs/design.md", "docs/theory.md", "docs/performance.md"}
    assert len(printed) > 80


@pytest.mark.parametrize("path", [*PRINTED, *SCRIPTS], ids=lambda path: path.relative_to(ROOT).as_posix())
def test_no_command_is_printed_that_a_shell_would_not_find(path):
    assert WITHOUT_UV.findall(path.read_text()) == []


def test_the_readme_lists_every_configuration():
    folder, readme = ROOT / "configs", (ROOT / "README.md").read_text()
    names = [path.relative_to(folder).with_suffix("").as_posix() for path in folder.rglob("*.py")]
    assert names
    assert [name for name in names if f"`{name}`" not in readme] == []
