"""Trains and evaluates what docs/results.md reports.

  uv run scripts/reproduce.py likelihood --runs runs/results

Without a name it lists the experiments and how much of each is done. Each is a handful of runs of train.py or sweep.py
and of evaluate.py; stopped and started again, it goes on. Every row is written to docs/results.json as soon as its runs
are finished, and docs/results.md from that; a row that was never run says so. `certificates` writes
docs/certificates.md: estimators beside the exact values that they must have. Exit codes are those of the command that
failed, or 0.
"""

import sys

from results.command import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], __doc__ or ""))
