"""Two states of this repository whose processes take turns: which cases take longer beyond the noise?"""

import math
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from benchmarks import duels
from benchmarks.cases import CASES
from benchmarks.measures import MEASURES
from genjax.types import InputError

ROOT = Path(__file__).parents[2]
CONFIDENCE = 0.95
TOLERANCE = 0.02  # a difference that nobody minds, and that another layout of memory can make


class Change(NamedTuple):
    """What became of a case: the second state's time over the first's, and the interval of its median.

    Attributes:
      ratio: the median over the rounds.
      least, greatest: the ends of the interval, of 95% or more.
    """

    ratio: float
    least: float
    greatest: float

    @property
    def verdict(self) -> str:
        """'slower', 'faster' or 'as before': the whole interval has to be beyond 2%."""
        if self.least > 1 + TOLERANCE:
            return "slower"
        return "faster" if self.greatest < 1 - TOLERANCE else "as before"


def compare(
    before: str, after: str | None, names: Sequence[str], rounds: int, say: Callable[[str], None]
) -> dict[str, Change]:
    """Times genjax's own contestant of each case in both states, round by round.

    Args:
      before: a commit, by any name that git knows.
      after: another; None is the working tree as it is.
      names: of cases and measures.
      rounds: turns of each state.
      say: shows a line.

    Raises:
      InputError: if git does not know a commit, or if one of them cannot run a case.
    """
    changes = {}
    with _scripts(before) as old, _scripts(after) as new:
        for name in names:
            contestant = CASES[name].ours if name in CASES else MEASURES[name].contestants[0]
            commands = {"before": duels.Command(contestant, name, old), "after": duels.Command(contestant, name, new)}
            try:
                times = duels.take_turns(commands, rounds, say)
            except RuntimeError as error:
                raise InputError(f"{name} does not run in both states: {str(error).strip().splitlines()[-1]}") from None
            if missing := next((time.missing for time in times.values() if time.missing), ""):
                raise InputError(f"{name} does not run in both states: {missing} is not installed")
            changes[name] = measure_change(duels.ratio(times["before"], times["after"]))
    return changes


def measure_change(ratios: Sequence[float]) -> Change:
    """The median of some ratios, and an interval for it that holds whatever their distribution is.

    The median is below the k-th least of n values with the probability that a binomial variable of n fair draws is less
    than k; k is the greatest for which both ends together miss it in 5% of all cases at most.

    Example:
      >>> measure_change([1.0, 1.1, 1.2, 1.3, 1.4, 1.5])
      Change(ratio=1.25, least=1.0, greatest=1.5)
    """
    ordered, n = sorted(ratios), len(ratios)
    missed, k = 0.0, 0
    while (missed := missed + 2 * math.comb(n, k) / 2**n) <= 1 - CONFIDENCE:
        k += 1
    if not k:
        raise ValueError(f"{n} ratios are too few for an interval of {CONFIDENCE:.0%}")
    return Change(duels.summary(list(ratios))["median"], ordered[k - 1], ordered[n - k])


def markdown(changes: dict[str, Change]) -> str:
    """The changes as a table."""
    lines = ["| case | time after over before, median [95% interval] | |", "|---|---|---|"]
    for name, change in changes.items():
        spread = f"{change.ratio:.3f} [{change.least:.3f} to {change.greatest:.3f}]"
        lines.append(f"| {name} | {spread} | {change.verdict} |")
    return "\n".join(lines) + "\n"


@contextmanager
def _scripts(commit: str | None) -> Iterator[Path]:
    """The `scripts` folder of a commit in a worktree of its own, or that of the working tree."""
    if commit is None:
        yield ROOT / "scripts"
        return
    with tempfile.TemporaryDirectory() as folder:
        tree = Path(folder) / "tree"
        _git("worktree", "add", "--quiet", "--detach", str(tree), commit)
        try:
            yield tree / "scripts"
        finally:
            _git("worktree", "remove", "--force", str(tree))


def _git(*words: str) -> None:
    completed = subprocess.run(["git", *words], cwd=ROOT, capture_output=True, text=True)
    if completed.returncode:
        raise InputError(f"git {words[0]}: {completed.stderr.strip().splitlines()[-1]}")
