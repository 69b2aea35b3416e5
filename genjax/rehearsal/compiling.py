"""Compiles a program and reads what the compiler says of it."""

import re
import tempfile
import time
from pathlib import Path
from typing import Any, NamedTuple

import jax

from genjax.rehearsal import hlo
from genjax.rehearsal.costs import Kernel, program_kernels, step_kernels
from genjax.rehearsal.programs import Program
from genjax.sweeps.memory import bytes_on_device
from genjax.system.messages import first_line

# XLA writes here in which command buffers a GPU's kernels lie; its text of the program does not say so.
THUNKS = "*thunk_sequence_after_thunk_passes.txt"


class Buffers(NamedTuple):
    """How a loop's kernels are given to a GPU: in how many command buffers, and how many outside of them."""

    count: int
    outside: int


class Compiled(NamedTuple):
    """What the compiler says of a program.

    Attributes:
      program: that was compiled.
      seconds: that lowering and compiling took, on this machine.
      error: why it does not compile; empty if it does.
      arguments: bytes on a device.
      scratch: bytes on a device.
      total: bytes on a device: arguments, results that reuse none of them, and scratch.
      kernels: of one step where the program is a chunk, and of the whole program otherwise.
      buffers: of a GPU; None where nothing is known.
    """

    program: Program
    seconds: float
    error: str = ""
    arguments: int = 0
    scratch: int = 0
    total: int = 0
    kernels: tuple[Kernel, ...] = ()
    buffers: Buffers | None = None


def compile_program(program: Program, platform: str) -> Compiled:
    """Compiles a program for the devices that it was lowered for; an error of the compiler is a result as well."""
    started_at = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        options = {"xla_dump_to": folder} if platform == "gpu" else None
        try:
            executable = program.lower().compile(compiler_options=options)
        except (jax.errors.JaxRuntimeError, NotImplementedError) as error:
            return Compiled(program, time.perf_counter() - started_at, first_line(error))
        seconds = time.perf_counter() - started_at
        listings = sorted(Path(folder).glob(THUNKS), key=lambda path: path.stat().st_size)
        buffers = read_buffers(listings[-1].read_text()) if listings else None
    return _describe(program, executable, seconds, buffers)


def _describe(program: Program, executable: Any, seconds: float, buffers: Buffers | None) -> Compiled:
    sizes, module = executable.memory_analysis(), hlo.parse(executable.as_text())
    kernels = step_kernels(module, program.length) if program.length else program_kernels(module)
    return Compiled(
        program,
        seconds,
        arguments=sizes.argument_size_in_bytes,
        scratch=sizes.temp_size_in_bytes,
        total=bytes_on_device(executable),
        kernels=tuple(kernels),
        buffers=buffers if program.length else None,
    )


def read_buffers(text: str) -> Buffers | None:
    """Reads XLA's list of what a GPU is given, of the loop with the longest body; None where there is no loop.

    Example:
      >>> read_buffers('''006: kCopy
      ... 011: kWhile
      ... condition:
      ...     012: kCustomKernel
      ...   body:
      ...     000: kCommandBuffer
      ...         013: kCustomKernel
      ...     014: kCopy
      ... ''')
      Buffers(count=1, outside=1)
    """
    lines = [(len(line) - len(line.lstrip()), line.split()) for line in text.splitlines() if line.strip()]
    bodies = []
    for start, (depth, words) in enumerate(lines):
        if words == ["body:"]:
            end = next((i for i in range(start + 1, len(lines)) if lines[i][0] <= depth), len(lines))
            bodies.append([(indent, kind[1]) for indent, kind in lines[start + 1 : end] if re.match(r"\d+:", kind[0])])
    if not bodies:
        return None
    body = max(bodies, key=len)
    top = [kind for indent, kind in body if indent == min(indent for indent, _ in body)]
    return Buffers(top.count("kCommandBuffer"), len(top) - top.count("kCommandBuffer"))
