"""Trains a classifier whose features measure fidelity.

  uv run scripts/train_features.py --source tfds:mnist --out features

It learns from the training split of 28x28 grey images in up to ten classes, rounds its weights to float16, tests these
on the test split, and writes `<name>.safetensors`. Exit codes: 0 finished; 2 input that cannot be used.
"""

import sys

from genjax.commands.arguments import run_quietly
from genjax.commands.train_features import main

if __name__ == "__main__":
    sys.exit(run_quietly(lambda: main(sys.argv[1:], __doc__ or "")))
