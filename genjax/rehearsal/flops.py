"""Floating-point operations of matrix products and convolutions, from their shapes; nothing else is counted."""

import re

from genjax.rehearsal.hlo import Computation, Instruction, Module, Shape, called

_LIBRARY = re.compile(r'custom_call_target="([^"]*)"')
_CONTRACTED = re.compile(r"lhs_contracting_dims=\{([\d,]*)\}")
_LABELS = re.compile(r"dim_labels=(\w+)_(\w+)->(\w+)")
_WINDOW = re.compile(r"window=\{([^}]*)\}")


def flops_of(module: Module, computation: Computation, instruction: Instruction) -> float:
    """A multiplication and an addition for each product; those of the computations that a fusion calls among them."""
    if instruction.opcode in ("fusion", "async-start"):
        inner = [module.computations[name] for name in called(instruction)]
        return sum(flops_of(module, body, item) for body in inner for item in body.instructions.values())
    operands = [computation.instructions[name].shapes[0] for name in instruction.operands if _known(computation, name)]
    if instruction.opcode == "dot":
        return _of_dot(instruction, operands)
    if instruction.opcode == "convolution":
        return _of_convolution(instruction, (operands[0], operands[1], instruction.shapes[0]))
    if instruction.opcode == "custom-call":
        return _of_library_call(instruction, operands)
    return 0.0


def _known(computation: Computation, name: str) -> bool:
    return name in computation.instructions and bool(computation.instructions[name].shapes)


def _of_dot(instruction: Instruction, operands: list[Shape]) -> float:
    """2 |result| k, where k is the product of the dimensions that are summed over."""
    dimensions = _CONTRACTED.search(instruction.attributes)
    summed = 1
    for dimension in dimensions[1].split(",") if dimensions else ():
        summed *= operands[0].dimensions[int(dimension)] if dimension else 1
    return 2.0 * instruction.shapes[0].size * summed


def _of_library_call(instruction: Instruction, operands: list[Shape]) -> float:
    """Those of cuDNN's convolutions and cuBLAS's products; of other calls nothing is known."""
    target = _LIBRARY.search(instruction.attributes)
    name, result = target[1] if target else "", instruction.shapes[0]
    if "convBackwardInput" in name:  # (gradient of the output, kernel) -> gradient of the input
        return _of_convolution(instruction, (result, operands[1], operands[0]))
    if "convBackwardFilter" in name:  # (input, gradient of the output) -> gradient of the kernel
        return _of_convolution(instruction, (operands[0], result, operands[1]))
    if "cudnn$conv" in name:
        return _of_convolution(instruction, (operands[0], operands[1], result))
    if "cublas" in name and '"lhs_contracting_dimensions"' in instruction.attributes:
        dimensions = re.search(r'"lhs_contracting_dimensions":\[([^\]]*)\]', instruction.attributes)
        contracted = [int(d) for d in re.findall(r"\d+", dimensions[1] if dimensions else "")]
        summed = 1
        for dimension in contracted:
            summed *= operands[0].dimensions[dimension]
        return 2.0 * result.size * summed
    return 0.0


def _of_convolution(instruction: Instruction, arrays: tuple[Shape, Shape, Shape]) -> float:
    """2 per value of the output, feature of its group and tap that lies on the input and not on padding or a gap.

    Args:
      instruction: with its window and the labels of its dimensions.
      arrays: the input, the kernel and the output.
    """
    labels = _LABELS.search(instruction.attributes)
    window = _window(instruction)
    if labels is None:
        return 0.0
    (_, kernel, output), (in_labels, kernel_labels, out_labels) = arrays, labels.groups()
    total = 2.0 * kernel.dimensions[kernel_labels.index("i")]
    total *= output.dimensions[out_labels.index("b")] * output.dimensions[out_labels.index("f")]
    for axis in range(len(in_labels) - 2):
        sizes = [
            array.dimensions[of.index(str(axis))]
            for array, of in zip(arrays, (in_labels, kernel_labels, out_labels), strict=True)
        ]
        total *= valid_taps(*sizes, *(window[name][axis] for name in ("stride", "pad", "lhs_dilate", "rhs_dilate")))
    return total


def valid_taps(size: int, taps: int, outputs: int, stride: int, pad: int, spread: int, dilation: int) -> int:
    """Pairs of an output and a tap that meet a value of the input along one axis.

    Output i and tap u meet position s i + d u - p of the input with e - 1 gaps between its values.

    Example:
      >>> valid_taps(size=3, taps=3, outputs=3, stride=1, pad=1, spread=1, dilation=1)
      7
    """
    count = 0
    for tap in range(taps):
        offset = dilation * tap - pad
        if stride == 1 and spread == 1:
            count += max(0, min(outputs, size - offset) - max(0, -offset))
            continue
        positions = (stride * i + offset for i in range(outputs))
        count += sum(0 <= p < (size - 1) * spread + 1 and p % spread == 0 for p in positions)
    return count


def _window(instruction: Instruction) -> dict[str, list[int]]:
    """Strides, padding before, and the dilations of input and kernel, one of each per axis."""
    labels, text = _LABELS.search(instruction.attributes), _WINDOW.search(instruction.attributes)
    axes = len(labels[1]) - 2 if labels else 0
    fields = dict(re.findall(r"(\w+)=(\S+)", text[1])) if text else {}
    numbers = {name: [int(n) for n in re.findall(r"-?\d+", value.replace("_", " "))] for name, value in fields.items()}
    pads = numbers.get("pad", [0] * 2 * axes)[::2]
    rest = {name: numbers.get(name, [1] * axes) for name in ("stride", "lhs_dilate", "rhs_dilate")}
    return {"pad": pads, **rest}
