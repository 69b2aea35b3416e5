"""The command line of `scripts/benchmark.py`: measures what was asked for, and writes it."""

import argparse
import json
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from benchmarks import commits, duels, growth, history, objectives, report, whole_runs
from benchmarks.cases import CASES, Case, dataset
from benchmarks.growth import GROWTHS
from benchmarks.limit import size, state_of
from benchmarks.measures import MEASURES, Measure
from genjax.commands.arguments import bare_parser, refuse, run_quietly

LEAST_CHECKED = 6  # rounds
KINDS = ("cases", "measures", "growth")


def main(arguments: Sequence[str], description: str) -> int:
    """Measures and reports; 0, 1 if `--check` found a slower case, or 2 for arguments that cannot be used."""
    return run_quietly(lambda: _benchmark(arguments, description))


def _benchmark(arguments: Sequence[str], description: str) -> int:
    parsed = benchmark_parser(description).parse_args(arguments)
    for path in (parsed.json, parsed.markdown, parsed.history):
        if path and not path.parent.is_dir():
            refuse(f"{path}: there is no folder {path.parent}")
    if parsed.pictures and not parsed.pictures.is_dir():
        refuse(f"{parsed.pictures}: there is no such folder")

    def say(line: str) -> None:
        print(line, file=sys.stderr, flush=True)

    if parsed.check:
        return _check(parsed, say)
    results: dict[str, Any] = {"machine": report.machine(), "rounds": parsed.rounds, **{kind: {} for kind in KINDS}}
    for name in parsed.only or [*CASES, *MEASURES, *report.BESIDE, *GROWTHS]:
        if name in CASES:
            results["cases"][name] = _case(name, CASES[name], parsed.rounds, say)
        elif name in MEASURES:
            results["measures"][name] = _measure(name, MEASURES[name], parsed.rounds, say)
        elif name in GROWTHS:
            results["growth"][name] = growth.measure(name, parsed.rounds, say)
            if parsed.pictures:
                growth.draw(parsed.pictures, name, results["growth"][name])
        else:
            measured = _beside(name, parsed.rounds, say)
            results[name] = {figure: duels.summary(values) for figure, values in measured.items()}
        _write(parsed, arguments, results)  # after each measurement: a later one may fail
    if parsed.history:
        history.append(parsed.history, results)
        _write(parsed, arguments, results)
    print(report.markdown(results), end="")
    return 0


def _write(parsed: argparse.Namespace, arguments: Sequence[str], results: dict[str, Any]) -> None:
    if parsed.json:
        parsed.json.write_text(json.dumps(results, indent=1) + "\n")
    if parsed.markdown:
        pictures = os.path.relpath(parsed.pictures, parsed.markdown.parent) if parsed.pictures else None
        tables = report.markdown(results, pictures)
        if parsed.history and parsed.history.exists():
            tables += history.markdown(history.read(parsed.history))
        parsed.markdown.write_text(report.page(tables, f"uv run scripts/benchmark.py {' '.join(arguments)}"))


def _check(parsed: argparse.Namespace, say: Callable[[str], None]) -> int:
    """Compares two states of the repository; 1 if a case became slower."""
    before, *after = parsed.check
    names = parsed.only or [*CASES, *MEASURES]
    if len(after) > 1:
        refuse("--check takes one commit, which is compared with the working tree, or two")
    if parsed.rounds < LEAST_CHECKED:
        refuse(f"--check needs {LEAST_CHECKED} rounds at least: an interval of 95% has to fit between them")
    if parsed.json or parsed.markdown or parsed.history:
        refuse("--check writes no --json, no --markdown and no --history")
    if wrong := [name for name in names if name not in CASES and name not in MEASURES]:
        refuse(f"--check compares cases and measures, and {wrong[0]} is neither")
    changes = commits.compare(before, after[0] if after else None, names, parsed.rounds, say)
    print(commits.markdown(changes), end="")
    return int(any(change.verdict == "slower" for change in changes.values()))


def benchmark_parser(description: str) -> argparse.ArgumentParser:
    """The parser of the command."""
    parser = bare_parser("uv run scripts/benchmark.py", description)
    names = [*CASES, *MEASURES, *report.BESIDE, *GROWTHS]
    parser.add_argument("--only", nargs="+", choices=names, metavar="CASE", help=f"of {', '.join(names)}")
    parser.add_argument("--rounds", type=_rounds, default=9, help="turns of each contestant, 5 or more (default 9)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write every figure there")
    parser.add_argument("--markdown", type=Path, metavar="FILE", help="write the tables there")
    parser.add_argument("--pictures", type=Path, metavar="FOLDER", help="draw how times grow, a PNG for each size")
    parser.add_argument("--history", type=Path, metavar="FILE", help="append the ratios there, one line a run")
    parser.add_argument(
        "--check",
        nargs="+",
        metavar="COMMIT",
        help="compare a commit with the working tree, or two commits, their processes in turns; exit code 1 if a case"
        " became slower beyond the noise",
    )
    return parser


def _rounds(text: str) -> int:
    if not text.isdecimal() or int(text) < 5:
        raise argparse.ArgumentTypeError("a median and its spread need 5 rounds at least")
    return int(text)


def _case(name: str, case: Case, rounds: int, say: Callable[[str], None]) -> dict[str, Any]:
    times_of = duels.duel(name, case.contestants, rounds, say)
    examples = case.trials * case.config().train.batch_size
    rows: dict[str, Any] = {}
    for contestant, times in times_of.items():
        if times.missing:
            rows[contestant] = {"missing": times.missing}
            continue
        seconds = duels.summary(times.seconds)
        rows[contestant] = {
            "seconds": seconds,
            "examples_per_second": examples / seconds["median"],
            "over_genjax": duels.summary(duels.ratio(times_of[case.ours], times)),
        }
    rows[case.ours]["memory"] = {
        "peak_bytes": times_of[case.ours].peak_bytes,
        "data_bytes": dataset(case.config()).train.x.nbytes,
        "state_bytes": case.trials * size(state_of(case)),
    }
    return rows


def _measure(name: str, measure: Measure, rounds: int, say: Callable[[str], None]) -> dict[str, Any]:
    times_of = duels.duel(name, measure.contestants, rounds, say)
    ours = times_of[measure.contestants[0]]
    rows: dict[str, Any] = {}
    for contestant, times in times_of.items():
        if times.missing:
            rows[contestant] = {"missing": times.missing}
            continue
        rows[contestant] = {
            "seconds": duels.summary(times.seconds),
            "ours_over_its": duels.summary(duels.ratio(times, ours)),
            "peak_bytes": times.peak_bytes,
        }
    return rows


def _beside(name: str, rounds: int, say: Callable[[str], None]) -> dict[str, list[float]]:
    if name in objectives.OBJECTIVES:
        say(f"{name}: a step of each factor")
        return objectives.ratios(name, rounds)
    return _runs(rounds, say) if name == "runs" else _sweep_runs(say)


def _runs(rounds: int, say: Callable[[str], None]) -> dict[str, list[float]]:
    say("runs: starts and imports")
    started = whole_runs.starts(rounds)
    beyond = whole_runs.imports(rounds)
    say("runs: the loop around the scan")
    share = whole_runs.share_of_bare_scan(rounds)
    return {**started, "imports": beyond, "share_of_bare_scan": share}


def _sweep_runs(say: Callable[[str], None]) -> dict[str, list[float]]:
    say("sweep_runs: a sweep, and a start for each of its trials")
    return whole_runs.sweep_against_starts()
