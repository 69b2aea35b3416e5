"""One contestant in a process of its own: `python -m benchmarks.worker CONTESTANT CASE`.

It says `ready`, or that a package is missing, and then for each line that it reads runs a round and writes its seconds.
At the end of its input it writes the process's greatest memory.
"""

import json
import os
import resource
import sys
import time


def _contestant(name: str):
    """The function that makes it; PyTorch is imported for its own contestants alone."""
    if name == "limit":
        from benchmarks.limit import limit

        return limit
    from benchmarks import jax_contestants as ours
    from benchmarks import measures

    own = {one.__name__: one for one in (ours.genjax, ours.genjax_sweep, ours.genjax_in_a_row, ours.flax_loop)}
    paths = (measures.log_likelihood, measures.kernel_distance, measures.prdc)
    own |= {one.__name__: one for one in (*paths, measures.decoder_products, measures.feature_products)}
    if name in own:
        return own[name]
    from benchmarks import torch_contestants as theirs

    others = (theirs.torch_eager, theirs.torch_tuned, theirs.torch_loader, theirs.torch_compile)
    others += (theirs.pythae, theirs.pythae_nll)
    return {other.__name__: other for other in others}[name]


def main(contestant: str, name: str) -> None:
    replies = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # whatever a library prints must not reach the replies

    def reply(**message: object) -> None:
        print(json.dumps(message), file=replies, flush=True)

    from benchmarks.cases import CASES
    from benchmarks.measures import MEASURES

    case = {**CASES, **MEASURES}[name]
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
