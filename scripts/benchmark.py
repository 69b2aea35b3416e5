r"""Measures genjax's speed against PyTorch, pythae, a plain Flax loop and the machine's own limit, side by side.

Every contestant is a process of its own, and they take turns. `uv sync --group benchmark` adds PyTorch and pythae.
On an idle machine, for docs/benchmarks.md:

  uv run scripts/benchmark.py --json docs/benchmarks.json --markdown docs/benchmarks.md --pictures docs \
    --history docs/benchmarks_history.jsonl

Whether a change made a case slower, with the commit before it and the working tree in turns:

  uv run scripts/benchmark.py --check HEAD~1 --only mlp_vae_128 conv_vae
"""

import sys

from benchmarks.command import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], __doc__ or ""))
