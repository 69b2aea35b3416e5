"""Trains a whole sweep as one program for each static shape.

uv run scripts/sweep.py --config configs/sweeps/vae_digits.py --export-best 3
"""

import sys

from genjax.commands.sweep import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], prog="uv run scripts/sweep.py"))
