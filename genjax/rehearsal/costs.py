"""What one step of a compiled program costs: its kernels, their bytes and operations, and what devices exchange."""

import re
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from genjax.rehearsal.flops import flops_of
from genjax.rehearsal.hlo import Computation, Instruction, Module, called

# What takes no time of its own: names for values that are there already, and the ends of what has been started.
FREE = {
    "parameter",
    "constant",
    "tuple",
    "get-tuple-element",
    "bitcast",
    "after-all",
    "opt-barrier",
    "partition-id",
    "replica-id",
}
COLLECTIVES = {"all-reduce", "all-gather", "reduce-scatter", "collective-permute", "all-to-all", "collective-broadcast"}
_SLICES = {"gather", "dynamic-slice", "slice"}

_TRIPS = re.compile(r'"known_trip_count":\{"n":"(\d+)"\}')
_CYCLES = re.compile(r'"estimated_cycles":"(\d+)"')


class Kernel(NamedTuple):
    """One operation that a device starts.

    Attributes:
      kind: `fusion`, `library` (a call of cuDNN, cuBLAS and the like), `collective` or `other`.
      opcode: of the instruction.
      bytes: that it reads and writes.
      flops: of its products and convolutions.
      cycles: by a TPU's compiler; None where it says nothing.
      times: how often it runs.
    """

    kind: str
    opcode: str
    bytes: float
    flops: float
    cycles: int | None
    times: float = 1.0


def step_kernels(module: Module, length: int) -> list[Kernel]:
    """The kernels of one step of a chunk.

    Args:
      module: a compiled chunk.
      length: its steps. The loop over them is the one with most instructions; a chunk of one step has none.
    """
    if length == 1:
        return program_kernels(module)
    loops = [item for body in _reached(module, module.entry) for item in body.instructions.values() if _is_loop(item)]
    loop = max(loops, key=lambda item: sum(len(body.instructions) for body in _reached(module, *called(item))))
    return list(_repeated(module, loop, _trips(module, loop, length) / length))  # it may have been unrolled


def program_kernels(module: Module) -> list[Kernel]:
    """The kernels of a whole program; a loop of unknown length runs once."""
    return list(_kernels(module, module.entry))


def totals(kernels: list[Kernel]) -> dict[str, float]:
    """Sums over kernels: how many of each kind, bytes, operations, cycles, and what has no cycles."""
    collectives = [kernel for kernel in kernels if kernel.kind == "collective"]
    own = [kernel for kernel in kernels if kernel.kind != "collective"]
    counts = {kind: sum(k.times for k in own if k.kind == kind) for kind in ("fusion", "library", "other")}
    return {
        "kernels": sum(counts.values()),
        **counts,
        "bytes": sum(k.bytes * k.times for k in own),
        "flops": sum(k.flops * k.times for k in own),
        "cycles": sum((k.cycles or 0) * k.times for k in own),
        "without_cycles": sum(k.times for k in own if k.cycles is None),
        "collectives": sum(k.times for k in collectives),
        "collective_bytes": sum(k.bytes * k.times for k in collectives),
    }


def _kernels(module: Module, name: str) -> Iterator[Kernel]:
    computation = module.computations[name]
    for item in computation.instructions.values():
        inner = [] if item.opcode in ("fusion", "custom-call", "reduce") else list(called(item))
        if item.opcode == "while":
            yield from _repeated(module, item, _trips(module, item, 1))
        elif item.opcode == "conditional":
            yield from max((list(_kernels(module, branch)) for branch in inner), key=len)
        elif item.opcode in ("call", "async-start") and not _is_collective(module, item):
            yield from (kernel for part in inner for kernel in _kernels(module, part))
        elif item.opcode not in FREE and not item.opcode.endswith(("-done", "-update")):
            yield _kernel(module, computation, item)


def _repeated(module: Module, loop: Instruction, times: float) -> Iterator[Kernel]:
    """The kernels of a loop; where its length is known, its condition is not asked."""
    for name in called(loop):
        if f"body=%{name}" in loop.attributes or not _TRIPS.search(loop.attributes):
            yield from (kernel._replace(times=kernel.times * times) for kernel in _kernels(module, name))


def _kernel(module: Module, computation: Computation, item: Instruction) -> Kernel:
    if _is_collective(module, item):
        operands = sum(computation.instructions[name].bytes for name in item.operands)
        return Kernel("collective", item.opcode, operands, 0.0, None)
    kind = {"fusion": "fusion", "custom-call": "library"}.get(item.opcode, "other")
    cycles = _CYCLES.search(item.attributes)
    return Kernel(
        kind,
        item.opcode,
        bytes_of(module, computation, item),
        flops_of(module, computation, item),
        int(cycles[1]) if cycles else None,
    )


def _is_collective(module: Module, item: Instruction) -> bool:
    if item.opcode == "async-start":
        inner = [module.computations[name].instructions.values() for name in called(item)]
        return any(part.opcode in COLLECTIVES for parts in inner for part in parts)
    return item.opcode.removesuffix("-start") in COLLECTIVES


def bytes_of(module: Module, computation: Computation, item: Instruction) -> float:
    """Bytes that a kernel reads and writes: of an array of which it takes or replaces a part, that part."""
    operands = [computation.instructions[name] for name in item.operands if name in computation.instructions]
    if item.opcode == "fusion":
        body = module.computations[next(called(item))]
        inputs = {int(i.arguments): i for i in body.instructions.values() if i.opcode == "parameter"}
        reads = sum(_read(body, inputs[n], operand) for n, operand in enumerate(operands) if n in inputs)
        return reads + _written(body, body.instructions[body.root])
    if item.opcode in _SLICES:
        return 2 * item.bytes
    if item.opcode == "dynamic-update-slice":
        return 2 * operands[1].bytes
    if item.opcode.endswith("-start"):  # a copy between memories: its result names the source as well
        return 2 * sum(operand.bytes for operand in operands)
    return sum(operand.bytes for operand in operands) + item.bytes


def _read(body: Computation, parameter: Instruction, operand: Instruction) -> float:
    """Bytes that a fusion reads of one operand."""
    names = {parameter.name}
    for item in body.instructions.values():
        if item.opcode == "bitcast" and names.intersection(item.operands):
            names.add(item.name)
    users = [item for item in body.instructions.values() if item.name not in names and names & {*item.operands}]
    parts = [_part(user) for user in users if user.operands[0] in names]
    if len(parts) < len(users) or None in parts:
        return operand.bytes
    return min(operand.bytes, sum(part for part in parts if part is not None))


def _part(user: Instruction) -> float | None:
    """Bytes that an operation reads of its first operand; None for all of them."""
    if user.opcode in _SLICES:
        return user.bytes
    return 0.0 if user.opcode == "dynamic-update-slice" else None


def _written(body: Computation, root: Instruction) -> float:
    """Bytes that a fusion writes: of an array that it updates in place, the update's."""
    if root.opcode == "tuple":
        return sum(_written(body, body.instructions[name]) for name in root.operands)
    if root.opcode == "bitcast" and root.operands[0] in body.instructions:
        return _written(body, body.instructions[root.operands[0]])
    if root.opcode == "dynamic-update-slice":
        return body.instructions[root.operands[1]].bytes
    return root.bytes


def _is_loop(item: Instruction) -> bool:
    return item.opcode == "while"


def _trips(module: Module, loop: Instruction, otherwise: int) -> int:
    """How often a loop runs, by the compiler's note or by its condition; `otherwise` where neither says."""
    if trips := _TRIPS.search(loop.attributes):
        return int(trips[1])
    condition = re.search(r"condition=%?([\w.\-]+)", loop.attributes)
    items = module.computations[condition[1]].instructions if condition else {}
    limits = [int(item.arguments) for item in items.values() if item.opcode == "constant" and item.arguments.isdigit()]
    compares = [item for item in items.values() if item.opcode == "compare" and "direction=LT" in item.attributes]
    return limits[0] if len(limits) == len(compares) == 1 else otherwise


def _reached(module: Module, *names: str) -> list[Computation]:
    """The computations that run when these do, each once, without the insides of fusions."""
    reached: dict[str, Computation] = {}
    waiting = list(names)
    while waiting:
        name = waiting.pop()
        if name in reached or name not in module.computations:
            continue
        reached[name] = module.computations[name]
        for item in reached[name].instructions.values():
            if item.opcode in ("while", "call", "conditional", "async-start"):
                waiting += called(item)
    return list(reached.values())


def describe_kinds(counts: Mapping[str, float]) -> str:
    """`60 fusions, 12 library calls, 1 other`: the kernels of each kind that there are."""
    names = {"fusion": "fusions", "library": "library calls", "other": "others"}
    return ", ".join(f"{counts[kind]:.0f} {name}" for kind, name in names.items() if counts[kind])
