"""Reads the text of a compiled program: computations, their instructions, and the shapes between them."""

import math
import re
from collections.abc import Iterator
from typing import NamedTuple

BITS = {"pred": 8, "token": 0, "opaque": 0, "s4": 4, "u4": 4, "bf16": 16, "c64": 64, "c128": 128}

_HEAD = re.compile(r"^(ENTRY )?%?([\w.\-]+) (\(.*)?\{$")
_INSTRUCTION = re.compile(r"^\s+(ROOT )?%?([\w.\-]+) = ")
_OPCODE = re.compile(r"\s*([a-z][\w\-]*)\(")
_OPERAND = re.compile(r"%([\w.\-]+)")
_ARRAY = re.compile(r"\b([a-z]+[0-9]*[a-z0-9]*)\[([0-9,]*)\](?:\{([^}]*)\})?")
_IN_CORE = re.compile(r"S\([1-9]")
_CALLED = re.compile(r"(?:calls|to_apply|body|condition|true_computation|false_computation)=%?([\w.\-]+)")
_BRANCHES = re.compile(r"branch_computations=\{([^}]*)\}")


class Shape(NamedTuple):
    """An array of a program: its element type, its dimensions, and whether it lies in the device's memory."""

    dtype: str
    dimensions: tuple[int, ...]
    in_memory: bool = True

    @property
    def size(self) -> int:
        """How many elements it has."""
        return math.prod(self.dimensions)

    @property
    def bytes(self) -> float:
        """The bytes that it takes in the device's memory; 0 where it lies in the core itself."""
        return self.size * bits(self.dtype) / 8 if self.in_memory else 0.0


class Instruction(NamedTuple):
    """One operation: `name = shapes opcode(operands), attributes`; several shapes are a tuple."""

    name: str
    shapes: tuple[Shape, ...]
    opcode: str
    operands: tuple[str, ...]
    arguments: str
    attributes: str

    @property
    def bytes(self) -> float:
        """Of all that it returns."""
        return sum(shape.bytes for shape in self.shapes)


class Computation(NamedTuple):
    """A list of instructions in their order; the last one's result is the computation's unless `root` says other."""

    name: str
    instructions: dict[str, Instruction]
    root: str


class Module(NamedTuple):
    """A compiled program."""

    computations: dict[str, Computation]
    entry: str


def bits(dtype: str) -> int:
    """The width of an element type.

    Example:
      >>> bits("f32"), bits("pred"), bits("f8e4m3fn")
      (32, 8, 8)
    """
    if dtype in BITS:
        return BITS[dtype]
    digits = re.match(r"[a-z]+(\d+)", dtype)
    return int(digits[1]) if digits else 0


def parse(text: str) -> Module:
    """Reads `compiled.as_text()`.

    Example:
      >>> import jax
      >>> module = parse(jax.jit(lambda x: x @ x).lower(jax.ShapeDtypeStruct((4, 4), "float32")).compile().as_text())
      >>> root = module.computations[module.entry].root
      >>> module.computations[module.entry].instructions[root].shapes[0].dimensions
      (4, 4)
    """
    computations, entry, name, instructions, root = {}, "", "", {}, ""
    for line in text.splitlines():
        if head := _HEAD.match(line):
            name, instructions, root = head[2], {}, ""
            entry = name if head[1] else entry
        elif line.startswith("}") and name:
            computations[name] = Computation(name, instructions, root or next(reversed(instructions), ""))
            name = ""
        elif name and (start := _INSTRUCTION.match(line)):
            instructions[start[2]] = _instruction(start[2], line[start.end() :])
            root = start[2] if start[1] else root
    return Module(computations, entry)


def _instruction(name: str, text: str) -> Instruction:
    """Reads what stands behind `name =`."""
    end = _closing(text, 0) + 1 if text.startswith("(") else text.index(" ")
    opcode = _OPCODE.match(text, end)
    assert opcode is not None, text
    closing = _closing(text, opcode.end() - 1)
    arguments = text[opcode.end() : closing]
    operands = tuple(_OPERAND.findall(arguments))
    return Instruction(name, shapes(text[:end]), opcode[1], operands, arguments, text[closing + 1 :])


def _closing(text: str, start: int) -> int:
    """Where the bracket that opens at `start` closes."""
    depth = 0
    for i in range(start, len(text)):
        depth += (text[i] == "(") - (text[i] == ")")
        if depth == 0:
            return i
    return len(text)


def shapes(text: str) -> tuple[Shape, ...]:
    """The arrays of a type, those of a tuple in their order.

    A TPU's layout says with `S(1)` and the like that an array lies in the core and not in the memory.

    Example:
      >>> shapes("(f32[8,2]{1,0:T(8,128)S(1)}, s32[])")
      (Shape(dtype='f32', dimensions=(8, 2), in_memory=False), Shape(dtype='s32', dimensions=(), in_memory=True))
    """
    return tuple(
        Shape(dtype, tuple(int(d) for d in dimensions.split(",") if d), _IN_CORE.search(layout) is None)
        for dtype, dimensions, layout in _ARRAY.findall(text)
    )


def called(instruction: Instruction) -> Iterator[str]:
    """The names of the computations that an instruction calls."""
    yield from _CALLED.findall(instruction.attributes)
    for names in _BRANCHES.findall(instruction.attributes):
        yield from _OPERAND.findall(names)
