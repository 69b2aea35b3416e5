"""The tables: one entry per measurement, as JSON, and as Markdown for a page or a terminal."""

import os
import platform
from importlib import metadata
from pathlib import Path
from typing import Any

import jax

from benchmarks import growth, objectives, whole_runs
from benchmarks.cases import CASES, Case
from benchmarks.measures import MEASURES

NAMES = {
    "genjax": "genjax, as `train.py` runs it",
    "genjax_sweep": "genjax, all trials as one program, as `sweep.py` runs it",
    "genjax_in_a_row": "genjax, one trial after another, as `train.py` runs it",
    "limit": "the limit: BLAS products and the optimiser's bytes",
    "flax_loop": "plain Flax loop, one jitted step a batch",
    "torch_eager": "PyTorch, eager, data as one tensor",
    "torch_tuned": "PyTorch, eager, Adam fused, channels last",
    "torch_loader": "PyTorch, eager, DataLoader",
    "torch_compile": "PyTorch, torch.compile",
    "pythae": "pythae's trainer",
    "log_likelihood": "genjax, as `evaluate.py` measures it",
    "kernel_distance": "genjax, as `evaluate.py` measures it",
    "prdc": "genjax, as `evaluate.py` measures it",
    "code_samples": "genjax, keys and values kept",
    "code_samples_anew": "all positions computed anew for each",
    "decoder_products": "the decoder's matrix products alone, in BLAS",
    "feature_products": "three matrix products alone, in BLAS",
    "pythae_nll": "pythae's `get_nll`",
}
BESIDE = {  # what is measured beside the cases
    "runs": "Beside the steps (MLP VAE 784-512-20, batch 128)",
    "objectives": "A step of each factor of a VAE over a step of the plain one (MLP 784-512-20, batch 128)",
    "gan_objectives": "A step of each factor of a GAN over a step of the plain one (DCGAN at 28x28, batch 64)",
    "autoencoder_objectives": "A step of each factor of an autoencoder over a step of the plain one (MLP 784-512-20,"
    " batch 128)",
    "code_objectives": "A step with a map of 7x7 discrete codes over a step of the plain one (convolutions at 28x28,"
    " batch 128, 16 dimensions)",
    "sweep_runs": "A sweep with everything (`configs/vae_normal_digits.py`,"
    f" {len(whole_runs.starts_of_sweep())} trials x {whole_runs.SWEPT_STEPS:,} steps, {whole_runs.SWEPT_ROUNDS} rounds,"
    " compilation cache warm)",
}
FIGURES = {
    "cold": "process start to first step, nothing compiled before, s",
    "warm": "process start to first step, compilation cache warm, s",
    "imports": "importing genjax beyond importing jax, s",
    "share_of_bare_scan": "a run with logs, checkpoints and evaluations: its speed over the bare scan's",
    "sweep": "`sweep.py`, s",
    "starts": "a start of `train.py` for each trial, one after another, s",
    "sweep_against_starts": "the starts' time over the sweep's",
    **{factor: factor for _, factors in objectives.OBJECTIVES.values() for factor in factors},
}
PACKAGES = ("jax", "jaxlib", "flax", "optax", "numpy", "torch", "pythae")


def machine() -> dict[str, str]:
    """What the figures were measured on."""
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text().splitlines() if cpuinfo.exists() else []
    models = {line.partition(":")[2].strip() for line in lines if line.startswith("model name")}
    devices = {f"{device.platform} ({device.device_kind})" for device in jax.devices()}
    return {
        "processor": ", ".join(sorted(models)) or platform.processor(),
        "cores": str(len(os.sched_getaffinity(0))),
        "devices": ", ".join(sorted(devices)),
        "python": platform.python_version(),
        **{name: _version(name) for name in PACKAGES},
    }


def _version(name: str) -> str:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return "not installed"


def markdown(results: dict[str, Any], pictures: str | None = None) -> str:
    """All of a run's results as tables; `pictures` is the folder of those that were drawn, seen from the page."""
    parts = [_machine(results["machine"]), *(_case(name, rows) for name, rows in results["cases"].items())]
    parts += [_measure(name, rows) for name, rows in results.get("measures", {}).items()]
    parts += [_beside(title, results[name]) for name, title in BESIDE.items() if name in results]
    parts += [growth.markdown(name, measured, pictures) for name, measured in results.get("growth", {}).items()]
    return "\n\n".join(parts) + "\n"


PAGE = """# Speed

This page compares the speed of genjax with that of other programs for the same models, on the same machine.
`{command}` measures the figures and writes the page. [performance.md](performance.md) says what they mean.

{tables}"""


def page(tables: str, command: str) -> str:
    """The tables as a page that says how to make it again."""
    return PAGE.format(command=command, tables=tables)


def _machine(properties: dict[str, str]) -> str:
    return "Measured on " + "; ".join(f"{name} {value}" for name, value in properties.items()) + "."


def _case(name: str, rows: dict[str, Any]) -> str:
    case = CASES[name]
    lines = [f"## {case.title} (`{name}`)", "", *_heads(case), "|---|---|---|---|"]
    for contestant, row in rows.items():
        if "missing" in row:
            lines.append(f"| {NAMES[contestant]} | not measured: `{row['missing']}` is not installed | | |")
            continue
        milliseconds = _spread({key: 1e3 * value for key, value in row["seconds"].items()})
        pace, over = f"{row['examples_per_second']:,.0f}", _spread(row["over_genjax"])
        lines.append(f"| {NAMES[contestant]} | {milliseconds} | {pace} | {over} |")
    memory = rows[case.ours]["memory"]
    lines += ["", "genjax's process at its greatest: " + _memory(memory) + "."]
    return "\n".join(lines)


def _measure(name: str, rows: dict[str, Any]) -> str:
    measure = MEASURES[name]
    heads = f"| | ms an {measure.once}" if measure.once[0] in "aeiou" else f"| | ms a {measure.once}"
    heads += ", median [spread] | genjax's time over its, median [spread] | memory at its greatest, MiB |"
    lines = [f"## {measure.title} (`{name}`)", "", heads, "|---|---|---|---|"]
    for contestant, row in rows.items():
        if "missing" in row:
            lines.append(f"| {NAMES[contestant]} | not measured: `{row['missing']}` is not installed | | |")
            continue
        milliseconds = _spread({key: 1e3 * value for key, value in row["seconds"].items()})
        over, peak = _spread(row["ours_over_its"]), row["peak_bytes"] / 2**20
        lines.append(f"| {NAMES[contestant]} | {milliseconds} | {over} | {peak:,.0f} |")
    return "\n".join(lines)


def _heads(case: Case) -> list[str]:
    if case.trials == 1:
        return ["| | ms a step, median [spread] | examples/s | its time over genjax's, median [spread] |"]
    return [
        f"A round is {case.trials} trials x {case.steps} steps; all but the sweep train one trial after another.",
        "",
        f"| | ms for {case.trials} steps, one of each trial, median [spread] | examples/s over all trials"
        " | its time over the sweep's, median [spread] |",
    ]


def _memory(memory: dict[str, int]) -> str:
    data, state, peak = (memory[name] / 2**20 for name in ("data_bytes", "state_bytes", "peak_bytes"))
    parts = f"data {data:,.1f} on each device and parameters with the optimiser's state {state:,.1f}"
    return f"{peak:,.0f} MiB, of which {parts}"


def _beside(title: str, rows: dict[str, Any]) -> str:
    lines = [f"## {title}", "", "| | median [spread] |", "|---|---|"]
    return "\n".join([*lines, *(f"| {FIGURES[name]} | {_spread(row)} |" for name, row in rows.items())])


def _spread(row: dict[str, float]) -> str:
    return "{} [{} to {}]".format(*(_figure(row[part]) for part in ("median", "least", "greatest")))


def _figure(value: float) -> str:
    return f"{value:,.0f}" if value >= 1000 else f"{value:.3g}"
