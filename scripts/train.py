"""Trains a model.

  uv run scripts/train.py --config configs/vae_digits.py --config.hparams.beta=4 --workdir runs/x

Run again, it goes on where it stopped, or says that it is finished. Exit codes: 0 finished; 2 input that cannot be
used; 3 gradients stopped being finite; 4 stopped by SIGINT or SIGTERM after saving.
"""

import sys

from genjax.commands.train import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], description=__doc__ or ""))
