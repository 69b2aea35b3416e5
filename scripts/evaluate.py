"""Evaluates a run.

uv run scripts/evaluate.py --workdir runs/x --metrics likelihood fidelity
"""

import sys

from genjax.commands.evaluate import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], prog="uv run scripts/evaluate.py"))
