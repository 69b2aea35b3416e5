"""Says what a run or a sweep would do on a GPU or a TPU that is not there, by compilation alone.

  uv run scripts/rehearse.py --config configs/vae_digits.py --device h100

Nothing is run and nothing is measured. `uv sync --extra rehearse-gpu` or `--extra rehearse-tpu` installs what compiles
for the devices. Exit codes: 0 finished; 2 input that cannot be used, or something to install first.
"""

import sys

from genjax.commands.rehearse import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], description=__doc__ or ""))
