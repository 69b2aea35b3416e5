"""The command `genjax`: its first argument names a command, and the others are that command's."""

import importlib
import os
import sys
from collections.abc import Sequence
from importlib.metadata import version
from typing import Any

from genjax.commands.arguments import refuse, run_quietly

COMMANDS = {
    "train": "train a model",
    "sweep": "train many models, over settings and seeds",
    "evaluate": "measure a trained model",
    "rehearse": "what a run or a sweep would do on a device that is not there",
    "train-features": "train a classifier whose features measure fidelity",
    "report": "write a page about a run or a sweep",
    "explore": "move the codes of a trained model on a page of this machine",
    "export": "write a trained model for others, with programs that run with JAX alone",
    "compare": "compare runs and sweeps: settings, metrics, paired differences",
    "runs": "list the runs and sweeps of a folder",
    "configs": "list the configurations that come with the package",
    "data": "list the sources of data",
    "completion": "print what makes a shell complete the arguments of genjax",
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs a command; returns its exit code."""
    if "_ARGCOMPLETE" in os.environ:  # a shell asks what may follow
        from genjax.commands.completion import complete

        complete()
    name, *rest = (sys.argv[1:] if arguments is None else arguments) or ["--help"]
    if name in COMMANDS:
        return module_of(name).main(rest, f"genjax {name}")
    return run_quietly(lambda: _answer(name))


def module_of(command: str) -> Any:
    """The module of a command: `main(arguments, prog)` runs it, and `make_parser(prog)` makes its parser.

    Example:
      >>> module_of("train-features").__name__
      'genjax.commands.train_features'
    """
    return importlib.import_module(f"genjax.commands.{command.replace('-', '_')}")


def _answer(name: str) -> int:
    """Answers an argument that is no command."""
    if name in ("-h", "--help"):
        print(help_text())
    elif name == "--version":
        print(f"genjax {version('genjax-models')}")
    else:
        from genjax.system.messages import describe_unknown

        refuse(describe_unknown("command", name, COMMANDS))
    return 0


def help_text() -> str:
    """What `genjax --help` prints."""
    width = max(map(len, COMMANDS))
    lines = [f"  {name.ljust(width)}  {line}" for name, line in COMMANDS.items()]
    return "\n".join(
        [
            "usage: genjax COMMAND [--help] [arguments]",
            "",
            "Autoencoders, VAEs, GANs and autoregressive models in JAX.",
            "",
            *lines,
            "",
            "A first run:  genjax train --config vae_digits",
        ]
    )
