"""The command line of `scripts/benchmark.py`: measures what was asked for, and writes it."""

import argparse
import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from benchmarks import duels, objectives, report, whole_runs
from benchmarks.cases import CASES, Case, dataset
from benchmarks.limit import size, state_of
from benchmarks.measures import MEASURES, Measure
from genjax.commands.arguments import bare_parser, refuse, run_quietly


def main(arguments: Sequence[str], description: str) -> int:
    """Measures and reports; 0, or 2 for arguments that cannot be used."""
    return run_quietly(lambda: _benchmark(arguments, description))


def _benchmark(arguments: Sequence[str], description: str) -> int:
    parsed = benchmark_parser(description).parse_args(arguments)
    for path in (parsed.json, parsed.markdown):
        if path and not path.parent.is_dir():
            refuse(f"{path}: there is no folder {path.parent}")

    def say(line: str) -> None:
        print(line, file=sys.stderr, flush=True)

    results: dict[str, Any] = {"machine": report.machine(), "rounds": parsed.rounds, "cases": {}, "measures": {}}
    for name in parsed.only or [*CASES, *MEASURES, *report.BESIDE]:
        if name in CASES:
            results["cases"][name] = _case(name, CASES[name], parsed.rounds, say)
        elif name in MEASURES:
            results["measures"][name] = _measure(name, MEASURES[name], parsed.rounds, say)
        else:
            measured = _beside(name, parsed.rounds, say)
            results[name] = {figure: duels.summary(values) for figure, values in measured.items()}
        text = report.markdown(results)  # after each measurement: a later one may fail
        if parsed.json:
            parsed.json.write_text(json.dumps(results, indent=1) + "\n")
        if parsed.markdown:
            parsed.markdown.write_text(report.page(text, f"uv run scripts/benchmark.py {' '.join(arguments)}"))
    print(text, end="")
    return 0


def benchmark_parser(description: str) -> argparse.ArgumentParser:
    """The parser of the command."""
    parser = bare_parser("uv run scripts/benchmark.py", description)
    names = [*CASES, *MEASURES, *report.BESIDE]
    parser.add_argument("--only", nargs="+", choices=names, metavar="CASE", help=f"of {', '.join(names)}")
    parser.add_argument("--rounds", type=_rounds, default=9, help="turns of each contestant, 5 or more (default 9)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write every figure there")
    parser.add_argument("--markdown", type=Path, metavar="FILE", help="write the tables there")
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
