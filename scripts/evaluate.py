"""Evaluates a run.

  uv run scripts/evaluate.py --workdir runs/x --metrics likelihood fidelity

Every number comes with its protocol and, where it has one, its standard error: as a table, and in the folder's
`evaluation.json`. Pictures lie beside it. Exit codes: 0 done; 2 input that cannot be used.
"""

import sys

from genjax.commands.evaluate import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], description=__doc__ or ""))
