"""`genjax rehearse`."""

import argparse
import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from genjax.commands.arguments import assignments, plain_parser, refuse, run_quietly

DESCRIPTION = """Says what a run or a sweep would do on a GPU or a TPU that is not there, by compilation alone.

  %(prog)s --config vae_digits --device h100

Nothing is run and nothing is measured. The extras `rehearse-gpu` and `rehearse-tpu` of the package install what
compiles for the devices. Exit codes: 0 finished; 2 input that cannot be used, or something to install first.
"""


def main(arguments: Sequence[str], prog: str = "genjax rehearse") -> int:
    """Rehearses a run or a sweep; returns the exit code."""
    return run_quietly(lambda: _rehearse(arguments, prog))


def make_parser(prog: str) -> argparse.ArgumentParser:
    """The parser of the command's own arguments; settings are parsed apart."""
    parser = plain_parser(
        prog, DESCRIPTION, usage="%(prog)s --config NAME --device NAME [--config.SETTING=VALUE ...] [options]"
    )
    parser.add_argument("--config", metavar="NAME", help="of a run or a sweep: a shipped one's name, or a file")
    parser.add_argument("--device", metavar="NAME", help="h100, a100, l4, v5e, v6e, v5p or v4")
    parser.add_argument("--devices", type=int, default=1, metavar="N", help="how many of them (default 1)")
    parser.add_argument("--compare", metavar="NAME", help="another device, side by side")
    parser.add_argument(
        "--trials", type=int, nargs="+", metavar="N", help="side by side as well (default of a run 1 16 256)"
    )
    parser.add_argument("--shape", metavar="H,W,C", help="of an example, where the data are not there: 28,28,1")
    parser.add_argument("--examples", type=int, metavar="N", help="of the training split, with --shape")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all figures here as well")
    parser.add_argument("--all", action="store_true", help="every configuration of configs/, with --page")
    parser.add_argument("--page", type=Path, metavar="FILE", help="write a page, and its figures beside it as JSON")
    return parser


def _rehearse(arguments: Sequence[str], prog: str) -> int:
    for name in ("TF_CPP_MIN_LOG_LEVEL", "TPU_MIN_LOG_LEVEL"):  # the compilers' own lines, before they are imported
        os.environ.setdefault(name, "3")
    from genjax.rehearsal.devices import find_device

    parsed, rest = make_parser(prog).parse_known_args(arguments)
    typed = assignments(rest)
    _check(parsed, typed)
    if parsed.all:
        from genjax.rehearsal import page, targets

        targets.leave_devices_alone()
        page.write(parsed.page, Path("configs"), _say)
        return 0
    devices = [find_device(name) for name in (parsed.device, parsed.compare) if name]
    config = _load_config(parsed.config, typed)
    from genjax.rehearsal import report, targets
    from genjax.rehearsal.rehearse import rehearse

    targets.leave_devices_alone()
    load = _loader(parsed)
    records = [rehearse(config, load, device, parsed.devices, parsed.trials or (), _say) for device in devices]
    print(*(report.table(record) for record in records), sep="\n\n")
    if parsed.compare:
        print("", report.compare(*records), sep="\n")
    if parsed.json:
        parsed.json.write_text(json.dumps({"config": parsed.config, "rehearsals": records}, indent=2) + "\n")
    return 0


def _check(parsed: argparse.Namespace, typed: dict[str, str]) -> None:
    """Refuses arguments that do not go together."""
    if parsed.all != (parsed.page is not None):
        refuse("--all and --page go together")
    others = (parsed.config, parsed.device, parsed.compare, parsed.trials, parsed.shape, parsed.examples, parsed.json)
    if parsed.all and (any(others) or parsed.devices != 1 or typed):
        refuse("--all rehearses every configuration as it is, on the devices of the page")
    if not parsed.all and not (parsed.config and parsed.device):
        refuse("--config and --device are needed")
    if (parsed.shape is None) != (parsed.examples is None):
        refuse("--shape and --examples go together")
    for name in ("devices", "examples", *(["trials"] if parsed.trials else [])):
        values = getattr(parsed, name)
        if values is not None and min(values if isinstance(values, list) else [values]) < 1:
            refuse(f"--{name} must be at least 1")


def _load_config(name: str, typed: dict[str, str]) -> Any:
    """The configuration of a run or a sweep with what was typed, checked as their commands check it."""
    from genjax import config as configs
    from genjax.sweeps import settings

    loaded = configs.load(configs.find(name))
    kind = settings if "base" in loaded else configs
    config, notices = kind.drop_unused(kind.override(loaded, typed), typed)
    for notice in notices:
        _say(f"notice: {notice}")
    return config


def _loader(parsed: argparse.Namespace) -> Any:
    """Loads a data set, or makes one of the shape that was typed."""
    from genjax.rehearsal.programs import shaped_dataset
    from genjax.runs.load import load_data

    if parsed.shape is None:
        return load_data
    parts = parsed.shape.split(",")
    if not all(part.isascii() and part.isdecimal() and int(part) for part in parts) or len(parts) not in (1, 3):
        refuse(f"--shape={parsed.shape} is not a shape such as 28,28,1 of images or 2 of points")
    shape = tuple(map(int, parts))
    return lambda source: shaped_dataset(source, shape, parsed.examples)


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)
