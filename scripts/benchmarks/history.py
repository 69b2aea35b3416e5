"""How the figures moved from commit to commit: one JSON line for each run of the benchmark."""

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks.cases import CASES
from genjax.system import environment

RIVALS = ("torch_", "pythae")  # how the names of other programs begin
COLUMNS = 6  # commits on the page, the last ones
INTRODUCTION = """
## From commit to commit

The time of the fastest other program over genjax's, the median over the rounds; above 1 genjax is ahead. Every column
is a run of its own, in which all contestants take turns.

"""


def append(path: Path, results: dict[str, Any]) -> None:
    """Writes a run's ratios behind those of the runs before."""
    about = environment.describe()
    line = {
        "commit": about["commit"][:7] + about["commit"][40:],  # a + where files were changed
        "date": datetime.now(UTC).date().isoformat(),
        "jax": results["machine"]["jax"],
        "rounds": results["rounds"],
        "ratios": {
            name: {other: row["over_genjax"]["median"] for other, row in rows.items() if "over_genjax" in row}
            for name, rows in results["cases"].items()
        },
    }
    with path.open("a") as file:
        file.write(json.dumps(line) + "\n")


def read(path: Path) -> list[dict[str, Any]]:
    """The lines of a history, the oldest first."""
    return [json.loads(line) for line in path.read_text().splitlines()]


def best_rival(ratios: dict[str, float]) -> float | None:
    """The time of the fastest other program over genjax's; None where none was measured."""
    return min((ratio for name, ratio in ratios.items() if name.startswith(RIVALS)), default=None)


def markdown(lines: Sequence[dict[str, Any]]) -> str:
    """A section with a table: a row for each case, a column for each of the last commits."""
    lines = list(lines)[-COLUMNS:]
    heads = [f"{line['commit']}, {line['date']}, JAX {line['jax']}" for line in lines]
    rows = ["| | " + " | ".join(heads) + " |", "|---|" + "---|" * len(lines)]
    for name in CASES:
        ratios = [best_rival(line["ratios"].get(name, {})) for line in lines]
        if any(ratios):
            cells = ["" if ratio is None else f"{ratio:.2f}" for ratio in ratios]
            rows.append(f"| `{name}` | {' | '.join(cells)} |")
    return INTRODUCTION + "\n".join(rows) + "\n"
