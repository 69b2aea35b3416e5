"""docs/accelerators.md: every configuration on a few devices, by compilation alone."""

import datetime
import hashlib
import itertools
import json
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import jax
from ml_collections import ConfigDict

from genjax import config as configs
from genjax.rehearsal.devices import find_device
from genjax.rehearsal.rehearse import compiler_version, rehearse
from genjax.rehearsal.report import megabytes, number, operations, range_text, time_range
from genjax.rehearsal.targets import missing
from genjax.runs.load import load_data
from genjax.types import InputError

DEVICES = ("h100", "v5e")
TRIALS = (256,)
HEAD = """# On accelerators, without having one

XLA compiles for devices that are not there. `scripts/rehearse.py` lowers the very programs that a command would
run, compiles them for a described GPU or TPU, and reads the result: memory, kernels, bytes, exchanges. **Every
figure of this page was compiled and none was measured**: a time is a range under stated assumptions, and no clock
has confirmed it.

```sh
uv sync --extra rehearse-gpu --extra rehearse-tpu
uv run scripts/rehearse.py --config configs/vae_normal_digits.py --device h100 --compare v5e
uv run scripts/rehearse.py --config configs/sweeps/vae_digits.py --device a100 --json sweep.json
uv run scripts/rehearse.py --config configs/vae_mnist.py --device v5e --devices 4 --shape 28,28,1 --examples 60000
uv run scripts/rehearse.py --all --page docs/accelerators.md
```

The last command writes this page, and its figures beside it as `accelerators.json`. It compiles what that file does
not hold for the same versions and settings; without the file, everything.

Without `uv sync`, the smallest installation for GPUs is `pip install jax-cuda12-plugin nvidia-cuda-nvcc-cu12` in the
version of JAX, and for TPUs `pip install "jax[tpu]"`, some 600 MB each. No cuDNN and no cuBLAS is needed to compile.
Where `nvidia-cuda-nvcc` is missing nothing is compiled for a GPU: a CUDA of the system would be used in its place, and
the figures would depend on the machine.

## What a figure is

- **It compiles**: XLA's compiler for the device accepts the program. A GPU's library calls (cuDNN, cuBLAS) are
  named, and which algorithm they take is decided on the device.
- **Memory** is the compiler's account of a program on one device: arguments, results that reuse none of them, and
  scratch. How many trials fit follows from the line through one trial and the largest number that was compiled,
  training and evaluation both, in nine tenths of the memory. A sweep is cut until its trials fit.
- **Kernels** are what a GPU starts in one step, counted in the compiled body of the loop over steps. Those outside
  of command buffers are started one by one. On a TPU the count is of operations, scalar ones among them, and cycles
  are the compiler's estimate.
- **Bytes** are what the kernels of a step read and write, by their operands and results; where a kernel takes a
  part of an array, that part. What stays in a cache is counted, although it is read faster. On a TPU what lies in
  the core itself is not counted.
- **FLOPs** are those of matrix products and convolutions.
- **Time** is a range. {assumptions}
- **The whole job** is its steps and evaluations, all trials to their ends. Compilation, what the host does between
  chunks, checkpoints and pictures come on top.
- Products of float32 are TF32 on a GPU and bfloat16 on a TPU by JAX's default, and the peak is theirs.
  `--config.train.matmul_precision=highest` asks for all of float32: on a TPU the cycles of the rehearsal say what that
  costs; on a GPU the peak is then that of its ordinary cores, which the ranges here do not assume. What rounding does
  to log p(x) was emulated on a CPU: of 1,000 test images of MNIST under `vae_mnist` after 5,400 steps, with 1,000
  samples an image, the mean moves by 0.0001 ± 0.0001 nats with factors of TF32 and by -0.0016 ± 0.0006 with factors of
  bfloat16, and that of an image by 0.015 and 0.11 at most.
- A program that is compiled without its GPU is not found by a run on it. JAX keeps programs under a key that holds the
  compiler's version, which is that of CUDA where there is a GPU, and the GPU's name where it is described; such a
  program also lacks what the compiler chooses by timing. On a TPU the key may be the same, but there was none to try.

Descriptions of the devices, with their sources, are in `genjax/rehearsal/devices.py`.
"""
CONFIG_TABLE = (
    "| config | kernels a step | FLOPs a step | bytes a step | memory | a step "
    "| 256 trials side by side, in steps of one | trials that fit | the whole job |",
    "|---|---|---|---|---|---|---|---|---|",
)
SWEEP_TABLE = (
    "| sweep, group | trials | memory | slices | trial steps a second | in steps of one trial | the whole job |",
    "|---|---|---|---|---|---|---|",
)


def write(path: Path, folder: Path, say: Callable[[str], None]) -> None:
    """Rehearses every configuration of a folder on the devices of the page, and writes the page and its figures.

    Raises:
      InputError: what compiles for a device is not installed, or there is no such folder.
    """
    if not folder.is_dir():
        raise InputError(f"there is no folder {folder}: the page is of the configurations of a clone")
    for name in DEVICES:
        if line := missing(find_device(name).platform):
            raise InputError(line)
    figures = path.with_suffix(".json")
    records = json.loads(figures.read_text())["records"] if figures.exists() else {}
    paths = (*sorted(folder.glob("*.py")), *sorted((folder / "sweeps").glob("*.py")))
    names = {path.relative_to(folder).with_suffix("").as_posix(): path for path in paths}
    for name, config_name in itertools.product(DEVICES, names):
        key, config = f"{config_name} {name}", configs.load(names[config_name])
        state = {"digest": own_digest(config), "versions": _versions(name)}
        record = records.get(key, {})
        if record.get("state") != state or "error" in record:  # data may have been prepared since
            say(key)
            records[key] = {"state": state, **_record(config, name, say)}
            records = dict(sorted(records.items()))
            figures.write_text(json.dumps({"records": records}, indent=1) + "\n")
            path.write_text(text(records, names))  # each time, so that what is stopped leaves what it has
    path.write_text(text(records, names))


def own_digest(config: ConfigDict) -> str:
    """Eight hexadecimal digits that name what a configuration sets: a new setting elsewhere changes none of them."""
    base = config.get("base", config)
    defaults = configs.flatten(configs.default(base.model.family))
    defaults |= {f"base.{name}": value for name, value in defaults.items()}
    own = {name: repr(v) for name, v in configs.flatten(config).items() if name not in defaults or v != defaults[name]}
    return hashlib.sha256(json.dumps(own, sort_keys=True).encode()).hexdigest()[:8]


def _versions(name: str) -> str:
    return f"JAX {jax.__version__}, {compiler_version(find_device(name).platform)}"


def _record(config: ConfigDict, name: str, say: Callable[[str], None]) -> dict[str, Any]:
    today = datetime.datetime.now(tz=datetime.UTC).date().isoformat()
    try:
        trials = () if "base" in config else TRIALS  # a sweep has trials of its own
        return {"date": today, **rehearse(config, load_data, find_device(name), trials=trials, say=say)}
    except InputError as error:
        return {"date": today, "error": str(error)}


def text(records: dict[str, Any], names: Iterable[str]) -> str:
    """The page, of the figures by `<config> <device>`, and of the names of all configurations."""
    assumptions = {a for record in records.values() for a in record.get("assumptions", ())}
    lines = [HEAD.format(assumptions=" ".join(f"{_capitalised(a)}." for a in sorted(assumptions)))]
    for name in DEVICES:
        device = find_device(name)
        of_device = {key.split()[0]: r for key, r in records.items() if key.split()[1] == name}
        said = sorted({f"{r['state']['versions']}, {r['date']}" for r in of_device.values()})
        runs = [line for key, r in of_device.items() if not key.startswith("sweeps/") for line in _run_rows(key, r)]
        sweeps = [line for key, r in of_device.items() if key.startswith("sweeps/") for line in _sweep_rows(key, r)]
        lines += [f"## One {device.title}\n", f"{'; '.join(said)}. Compiled, not measured.\n", *CONFIG_TABLE, *runs]
        lines += ["", *SWEEP_TABLE, *sweeps, ""]
        if absent := [f"`{config}`" for config in names if config not in of_device]:
            lines += [f"Not compiled yet: {', '.join(absent)}.", ""]
    return "\n".join(lines)


def _capitalised(line: str) -> str:
    return line[0].upper() + line[1:]


def _run_rows(key: str, record: dict[str, Any]) -> Iterator[str]:
    if "error" in record:
        yield f"| `{key}` | {record['error']} | | | | | | | |"
        return
    part = record["parts"][0]
    train = part["programs"][0]
    if train["error"]:
        yield f"| `{key}` | does not compile: {train['error']} | | | | | | | |"
        return
    most = max((pace for pace in part["paces"] if pace["gain"]), key=lambda pace: pace["trials"], default=None)
    count = "" if most is None or most["trials"] in (1, TRIALS[-1]) else f" ({most['trials']} trials)"
    gain = "" if most is None or most["trials"] == 1 else range_text(most["gain"]) + count
    yield (
        f"| `{key}` | {_kernels(train)} | {operations(train['flops'])} | {megabytes(train['bytes'])} "
        f"| {megabytes(train['bytes_on_device'])} | {time_range(train['seconds'])} | {gain} "
        f"| {number(part['fits'])} | {time_range(part['job_seconds'])} |"
    )


def _kernels(program: dict[str, Any]) -> str:
    if program["cycles"]:
        return f"{program['kernels']:,.0f} ({program['cycles'] / 1e3:,.0f} k cycles)"
    library = f", {program['library']:,.0f} of them library calls" if program["library"] else ""
    outside = program["outside_command_buffers"]
    return f"{program['kernels']:,.0f}{library}" + (f", {outside} outside command buffers" if outside else "")


def _sweep_rows(key: str, record: dict[str, Any]) -> Iterator[str]:
    if "error" in record:
        yield f"| `{key}` | {record['error']} | | | | | |"
        return
    for part in record["parts"]:
        train = next((p for p in part["programs"][::-1] if p["name"] == "train"), None)
        pace = part["paces"][-1] if part["paces"] else None
        if train is None or train["error"] or pace is None:
            reason = train["error"] if train else "no program"
            yield f"| `{key}`, {part['name']} | does not compile: {reason} | | | | | |"
            continue
        low, high = pace["steps_per_second"]
        yield (
            f"| `{key}`, {part['name']} | {part['trials']} | {megabytes(train['bytes_on_device'])} | {part['slices']} "
            f"| {low:,.0f} to {high:,.0f} | {range_text(pace['gain'] or [1, 1])} | {time_range(part['job_seconds'])} |"
        )
