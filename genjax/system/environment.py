"""What a result was computed with: versions, devices, and the commit of a clone."""

import platform
import subprocess
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import jax

PACKAGES = ("genjax-models", "jax", "jaxlib", "flax", "optax", "numpy")
PACKAGE = Path(__file__).parents[1]


def describe() -> dict[str, str]:
    """Versions of Python and of packages, the system, the devices, and the commit where the package lies in a clone.

    Example:
      >>> describe()["jax"] == jax.__version__
      True
    """
    devices = jax.devices()
    known = {
        "python": platform.python_version(),
        **{name: _version(name) for name in PACKAGES},
        "system": f"{platform.system()} {platform.machine()}",
        "devices": f"{len(devices)} x {devices[0].device_kind}",
        "commit": _commit(),
    }
    return {name: value for name, value in known.items() if value}


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
