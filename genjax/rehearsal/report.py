"""A rehearsal as text: what was compiled, never what was measured."""

from collections.abc import Sequence
from typing import Any

from genjax.rehearsal.costs import describe_kinds
from genjax.system.messages import numbered

Record = dict[str, Any]
SAID = "compiled, not measured"


def table(record: Record) -> str:
    """The text of one rehearsal."""
    count = f"{record['devices']} x " if record["devices"] > 1 else ""
    lines = [
        f"{count}{record['title']}: {SAID} (JAX {record['jax']}, {record['compiler']})",
        f"  {record['memory_bytes'] / 2**30:.0f} GiB at {record['bandwidth'] / 1e9:,.0f} GB/s, "
        f"{record['peak'] / 1e12:,.0f} TFLOP/s of products at the default precision",
        *(f"  assumed: {line}" for line in record["assumptions"]),
    ]
    for part in record["parts"]:
        data = f"{part['source']}, {part['examples']:,} examples of {'x'.join(map(str, part['shape']))}"
        lines += ["", f"{part['name']}: {numbered(part['trials'], 'trial')}, batches of {part['batch_size']}; {data}"]
        lines += columns([HEAD, *(program_cells(program) for program in part["programs"])])
        lines += [f"  {line}" for line in summary(part)]
    return "\n".join(lines)


HEAD = (
    "program",
    "trials",
    "devices",
    "compiles",
    "arguments",
    "scratch",
    "kernels",
    "FLOPs",
    "bytes",
    "exchanges",
    "time",
)


def program_cells(program: Record) -> tuple[str, ...]:
    """The cells of one program; of a chunk they are those of one step."""
    name = f"{program['name']}, a step" if program["length"] else program["name"]
    shared = (name, str(program["trials"]), str(program["devices"]))
    if program["error"]:
        return (*shared, f"no: {program['error']}", *[""] * (len(HEAD) - 4))
    exchanges = program["collectives"]
    return (
        *shared,
        f"in {program['compile_seconds']:.0f} s",
        megabytes(program["argument_bytes"]),
        megabytes(program["scratch_bytes"]),
        kernels(program),
        operations(program["flops"]),
        megabytes(program["bytes"]),
        f"{exchanges:.0f}, {program['collective_bytes'] / 1e6:.3g} MB" if exchanges else "none",
        time_range(program["seconds"]),
    )


def kernels(program: Record) -> str:
    """How many kernels there are, of which kinds, and in how many command buffers; on a TPU also the cycles."""
    text = f"{program['kernels']:,.0f}"
    if program["cycles"]:
        return f"{text}, {program['cycles']:,.0f} cycles, {program['without_cycles']:,.0f} without"
    if program["library"]:
        text += f" ({describe_kinds(program)})"
    buffers, outside = program["command_buffers"], program["outside_command_buffers"]
    if buffers is None:
        return text
    return f"{text}, {numbered(buffers, 'command buffer')}" + (f", {outside} outside" if outside else "")


def summary(part: Record) -> list[str]:
    """What follows from a part's programs, a line each."""
    lines = []
    if part["fits"] is not None:
        slices = f": {part['trials']} in {numbered(part['slices'], 'slice')}" if part["trials"] > 1 else ""
        lines.append(f"memory holds about {part['fits']:,} trials{slices}")
    for pace in part["paces"]:
        low, high = pace["steps_per_second"]
        gain = f", {range_text(pace['gain'])} times one trial" if pace["trials"] > 1 and pace["gain"] else ""
        lines.append(f"{numbered(pace['trials'], 'trial')}: {low:,.0f} to {high:,.0f} trial steps a second{gain}")
    if "split_gain" in part:
        gain = range_text(part["split_gain"])
        lines.append(f"the batch split over all devices: {gain} times the steps of one device; trials exchange nothing")
    if part["job_seconds"]:
        what = f"{part['steps']:,} steps and {numbered(part['evaluations'], 'evaluation')}"
        what += ", all trials to their ends" if part.get("stopping", "none") != "none" else ""
        lines.append(f"the whole job: {time_range(part['job_seconds'])} for {what}, without compilation and the host")
    return lines


def compare(first: Record, second: Record) -> str:
    """Two devices side by side, program by program; the part of each in turn."""
    rows = [("", first["title"], second["title"])]
    for part, counterpart in zip(first["parts"], second["parts"], strict=False):
        rows.append((part["name"], "", ""))
        theirs = {(p["name"], p["trials"], p["devices"]): p for p in counterpart["programs"]}
        for program in part["programs"]:
            name = (
                f"{program['name']}, {numbered(program['trials'], 'trial')} on {numbered(program['devices'], 'device')}"
            )
            rows.append(
                (name, cost(program), cost(theirs.get((program["name"], program["trials"], program["devices"]))))
            )
        rows.append(("trials that fit", number(part["fits"]), number(counterpart["fits"])))
        rows.append(("the whole job", time_range(part["job_seconds"]), time_range(counterpart["job_seconds"])))
    return "\n".join([f"side by side: {SAID}", *columns(rows)])


def cost(program: Record | None) -> str:
    """`kernels; bytes on the device; time` of a program; why there is none where it does not compile."""
    if program is None:
        return "-"
    if program["error"]:
        return f"does not compile: {program['error']}"
    return (
        f"{program['kernels']:,.0f} kernels; {megabytes(program['bytes_on_device'])}; {time_range(program['seconds'])}"
    )


def number(value: int | None) -> str:
    """`24,319`; a dash where there is none."""
    return "-" if value is None else f"{value:,}"


def columns(rows: Sequence[tuple[str, ...]]) -> list[str]:
    """Rows of cells as lines with aligned columns."""
    widths = [max(len(row[i]) for row in rows if not _is_long(row)) for i in range(len(rows[0]))]
    return [
        "  " + "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    ]


def _is_long(row: tuple[str, ...]) -> bool:
    return any(cell.startswith("no: ") for cell in row)


def megabytes(count: float) -> str:
    """`12.3 MB`, or GB from a thousand of them."""
    return f"{count / 1e9:,.1f} GB" if count >= 1e9 else f"{count / 1e6:,.1f} MB"


def operations(count: float) -> str:
    """`32.3 G`: operations in units of a thousand, a million and so on.

    Example:
      >>> operations(32.346e9), operations(0.0)
      ('32.3 G', '0')
    """
    scale, unit = next(((s, u) for s, u in ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k")) if count >= s), (1, ""))
    return f"{count / scale:,.3g} {unit}".strip()


def range_text(ends: Sequence[float]) -> str:
    """`2.1 to 5.2`, or one number where both ends read alike.

    Example:
      >>> range_text([20.94, 52.1]), range_text([1.0, 1.01])
      ('21 to 52', '1')
    """
    low, high = (f"{end:.2g}" if end < 100 else f"{end:,.0f}" for end in ends)
    return low if low == high else f"{low} to {high}"


def time_range(ends: Sequence[float] | None) -> str:
    """A range of seconds in a unit that suits it.

    Example:
      >>> time_range([1.18e-4, 3.2e-4]), time_range([40.0, 400.0]), time_range(None)
      ('118 to 320 µs', '40 to 400 s', '-')
    """
    if ends is None:
        return "-"
    scale, unit = next(
        (s, u) for s, u in ((1e-6, "µs"), (1e-3, "ms"), (1, "s"), (3600, "h")) if ends[0] < 1000 * s or u == "h"
    )
    return f"{range_text([end / scale for end in ends])} {unit}"
