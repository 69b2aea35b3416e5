"""`python -m genjax`: the same as the command `genjax`."""

import sys

from genjax.commands.main import main

if __name__ == "__main__":
    sys.exit(main())
