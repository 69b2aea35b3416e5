"""One contestant in a process of its own: `python -m benchmarks.worker CONTESTANT CASE`.

It says `ready`, or that a package is missing, and then for each line that it reads runs a round and writes its seconds.
At the end of its input it writes the process's greatest memory.
"""

import json
import os
import resource
import sys
import time
from collections.abc import Callable
from typing import Any


def _contestant(name: str) -> Callable[[Any], Callable[[int], object]]:
    """The function that makes it; PyTorch is imported for its own contestants alone."""
    if name == "limit":
        from benchmarks.limit import limit

        return limit
    from benchmarks import jax_contestants as ours
    from benchmarks import measures

    functions = [ours.genjax, ours.genjax_streamed, ours.genjax_sweep, ours.genjax_in_a_row, ours.flax_loop]
    functions += [measures.log_likelihood, measures.kernel_distance, measures.prdc]
    functions += [measures.code_samples, measures.code_samples_anew]
    functions += [measures.decoder_products, measures.feature_products]
    by_name = {function.__name__: function for function in functions}
    if name in by_name:
        return by_name[name]
    if name.startswith("pythae"):
        from benchmarks import pythae_contestants as theirs
    else:
        from benchmarks import torch_contestants as theirs
    return getattr(theirs, name)


def main(contestant: str, name: str) -> None:
    replies = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # whatever a library prints must not reach the replies

    def reply(**message: object) -> None:
        print(json.dumps(message), file=replies, flush=True)

    from benchmarks import growth
    from benchmarks.cases import CASES
    from benchmarks.measures import MEASURES

    case = growth.case_of(name) if ":" in name else {**CASES, **MEASURES}[name]
    try:
        steps = _contestant(contestant)(case)
        for _ in range(2):  # compiles, and settles
            steps(case.steps)
    except ImportError as error:
        reply(missing=error.name or str(error))
        return
    reply(ready=True)
    for _ in sys.stdin:
        began = time.perf_counter()
        steps(case.steps)
        reply(seconds=(time.perf_counter() - began) / case.steps)
    reply(peak_bytes=1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)


if __name__ == "__main__":
    main(*sys.argv[1:])
