"""Says what a run or a sweep would do on a GPU or a TPU that is not there, by compilation alone.

uv run scripts/rehearse.py --config configs/vae_digits.py --device h100
"""

import sys

from genjax.commands.rehearse import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], prog="uv run scripts/rehearse.py"))
