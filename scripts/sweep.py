"""Trains a whole sweep as one program for each static shape.

  uv run scripts/sweep.py --config configs/sweeps/vae_digits.py --export-best 3

Run again, it goes on where it stopped, or says that it is finished. Exit codes: 0 finished; 2 input that cannot be
used; 4 stopped by SIGINT or SIGTERM after saving. A trial that diverges is a row of the table, not a failure.
"""

import sys

from genjax.commands.sweep import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], description=__doc__ or ""))
