"""Shows whether a change of the code, or of JAX, changes any bit of a result.

    uv run scripts/fingerprint.py write before.json
    uv run scripts/fingerprint.py write after.json --checkout ../another-checkout
    uv run scripts/fingerprint.py compare before.json after.json

`write` trains every configuration in `configs/` for 200 steps with its own seed, and two sweeps, with the Python that
runs this script and the code of a checkout. It records the SHA-256 of each run's final state, of its rows of metrics
and of its last evaluation, and of each sweep's table of trials. Everything that depends on the clock is left out. A
configuration whose data are not prepared is recorded as refused. `compare` prints a line for each entry, and exits with
1 if one differs or is in one table alone.

This script starts `train.py` and `sweep.py` as a user would and reads the files that they write. It imports nothing
from the package, so it can compare any two commits.
"""

import argparse
import csv
import hashlib
import json
import os
import platform
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from importlib.metadata import version
from pathlib import Path

STEPS = 200
SHORT = {"steps": STEPS, "log_every": 50, "evaluate_every": 100, "checkpoint_every": 100}
SWEEPS = ("vae_digits", "gan_ring8")
CLOCK = ("seconds", "examples_per_second")
Fingerprint = dict[str, str]


def main() -> int:
    arguments = fingerprint_parser().parse_args()
    if arguments.command == "compare":
        return compare(*(json.loads(path.read_text()) for path in (arguments.before, arguments.after)))
    table = {"jax": version("jax"), "python": platform.python_version(), "entries": {}}
    for name in arguments.only or _names(arguments.checkout):
        with tempfile.TemporaryDirectory() as folder:
            table["entries"][name] = fingerprint(arguments.checkout, name, Path(folder) / "run")
        print(name, *(f"{part}={digest[:8]}" for part, digest in table["entries"][name].items()), flush=True)
        arguments.out.write_text(json.dumps(table, indent=2) + "\n")
    return 0


def compare(before: dict, after: dict) -> int:
    """Compares the entries, a line each; returns 1 if one differs or is in one table alone, else 0."""
    print(
        f"before: JAX {before['jax']}, Python {before['python']}; after: JAX {after['jax']}, Python {after['python']}"
    )
    differing = 0
    for name in sorted(before["entries"].keys() | after["entries"].keys()):
        old, new = (table["entries"].get(name) for table in (before, after))
        if old is None or new is None:
            print(f"{name}: only {'after' if old is None else 'before'}")
            differing += 1
            continue
        parts = [part for part in sorted(old.keys() | new.keys()) if old.get(part) != new.get(part)]
        differing += bool(parts)
        print(f"{name}: {'differs in ' + ', '.join(parts) if parts else 'equal'}")
    return 1 if differing else 0


def fingerprint(checkout: Path, name: str, workdir: Path) -> Fingerprint:
    """Trains one configuration of a checkout for a short time and returns the digests of its results.

    Args:
      checkout: the folder of the code.
      name: of a configuration, such as `vae_digits` or `sweeps/vae_digits`.
      workdir: an empty or absent folder, which the run fills.
    """
    sweeps = name.startswith("sweeps/")
    prefix = "--config.base.train" if sweeps else "--config.train"
    settings = [f"{prefix}.{setting}={value}" for setting, value in SHORT.items()]
    settings += ["--config.execution=map"] if sweeps else []  # the default is chosen by a measurement of speed
    script = checkout / "scripts" / ("sweep.py" if sweeps else "train.py")
    config = checkout / "configs" / f"{name}.py"
    command = [sys.executable, str(script), "--config", str(config), "--workdir", str(workdir), *settings]
    environment = {**os.environ, "PYTHONPATH": str(checkout.absolute())}
    process = subprocess.run(command, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True)
    if process.returncode == 2:
        return {"refused": process.stderr.strip().splitlines()[-1]}
    if process.returncode:
        raise SystemExit(f"{' '.join(command)} failed:\n{process.stderr}")
    return _digests_of_sweep(workdir) if sweeps else _digests_of_run(workdir)


def _digests_of_run(workdir: Path) -> Fingerprint:
    rows = map(json.loads, (workdir / "metrics.jsonl").read_text().splitlines())
    return {
        "state": json.loads((workdir / "checkpoints" / str(STEPS) / "digest" / "metadata").read_text())["sha256"],
        "metrics": _digest(_without_clock(rows)),
        "evaluation": _digest([json.loads((workdir / "evaluation.json").read_text())]),
    }


def _digests_of_sweep(workdir: Path) -> Fingerprint:
    with (workdir / "trials.csv").open() as file:
        return {"table": _digest(_without_clock(csv.DictReader(file)))}


def _without_clock(rows: Iterable[dict]) -> list[dict]:
    return [{name: value for name, value in row.items() if name not in CLOCK} for row in rows]


def _digest(content: list[dict]) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def _names(checkout: Path) -> list[str]:
    return [*sorted(path.stem for path in (checkout / "configs").glob("*.py")), *(f"sweeps/{name}" for name in SWEEPS)]


def fingerprint_parser() -> argparse.ArgumentParser:
    """The parser of the command."""
    parser = argparse.ArgumentParser(
        prog="uv run scripts/fingerprint.py",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(dest="command", required=True)
    write = commands.add_parser("write", help="train, and write a table of digests")
    write.add_argument("out", type=Path, help="the table, a JSON file")
    write.add_argument("--checkout", type=Path, default=Path(__file__).parents[1], help="the code (default: this one)")
    write.add_argument("--only", nargs="+", metavar="NAME", help="configurations, such as vae_digits sweeps/vae_digits")
    read = commands.add_parser("compare", help="compare two tables")
    read.add_argument("before", type=Path)
    read.add_argument("after", type=Path)
    return parser


if __name__ == "__main__":
    sys.exit(main())
