"""What a result was computed with: the command, versions, devices, flags, and the commit of a clone."""

import os
import platform
import shlex
import subprocess
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import jax

PACKAGES = ("genjax-models", "jax", "jaxlib", "flax", "optax", "numpy")
FLAGS = ("XLA_", "JAX_", "CUDA_VISIBLE_DEVICES", "LIBTPU_INIT_ARGS")  # how their environment variables begin
PACKAGE = Path(__file__).parents[1]


def describe() -> dict[str, str]:
    """The command, versions, the system, devices, flags of JAX and XLA, and the commit of a clone of the package.

    Example:
      >>> describe()["jax"] == jax.__version__
      True
    """
    devices = jax.devices()
    facts = {
        "python": platform.python_version(),
        **{name: _version(name) for name in PACKAGES},
        "system": f"{platform.system()} {platform.machine()}",
        "devices": f"{len(devices)} x {devices[0].device_kind}",
        "flags": " ".join(f"{name}={os.environ[name]}" for name in sorted(os.environ) if name.startswith(FLAGS)),
        "commit": _commit(),
        "command": command(),
    }
    return {name: value for name, value in facts.items() if value}


def command() -> str:
    """What was typed to start this process, but for the interpreter and the folder of an installed command."""
    program = Path(sys.argv[0])
    return shlex.join([str(program) if program.suffix == ".py" else program.name, *sys.argv[1:]])


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return ""


def _commit() -> str:
    """The commit of the clone that the package lies in, with `+` where files were changed; empty outside of one."""
    if not (PACKAGE.parent / ".git").exists():
        return ""
    try:
        commit, changed = (_git(*words) for words in (("rev-parse", "HEAD"), ("status", "--porcelain", "-uno")))
    except (OSError, subprocess.SubprocessError):  # there is no git, or it does not answer
        return ""
    return commit + ("+" if changed else "")


def _git(*words: str) -> str:
    command = ["git", "-C", str(PACKAGE.parent), *words]
    return subprocess.run(command, capture_output=True, text=True, timeout=10, check=True).stdout.strip()
