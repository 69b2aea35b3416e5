"""Trains a classifier whose features measure fidelity.

uv run scripts/train_features.py --source tfds:mnist --out features
"""

import sys

from genjax.commands.train_features import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], prog="uv run scripts/train_features.py"))
