"""Trains a model.

uv run scripts/train.py --config configs/vae_digits.py --config.hparams.beta=4 --workdir runs/x
"""

import sys

from genjax.commands.train import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], prog="uv run scripts/train.py"))
