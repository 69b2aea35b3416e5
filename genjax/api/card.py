"""The model card of an export: what the model is, how it was trained, what was measured, and how it is used."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from genjax.api.fit import NAME as ARRAY
from genjax.api.run import Run
from genjax.evaluation.results import read_evaluation
from genjax.system.files import read_object, write_atomically
from genjax.system.messages import format_value


def write_card(directory: Path, run: Run, signatures: Mapping[str, Any]) -> None:
    """Writes `README.md` with the header that Hugging Face's hub reads."""
    family, source = run.config.model.family, run.config.data.source
    lines = [
        "---",
        "library_name: genjax",
        "tags:",
        *(f"- {tag}" for tag in ("jax", "stablehlo", family)),
        "---",
        "",
        f"# {family} of {source}",
        "",
        f"A model of the family `{family}`, trained with genjax on `{source}` for {run.step:,} steps. "
        "`config.json` has every setting.",
        "",
        *_pictures(directory),
        "## Use",
        "",
        "With JAX alone (`pip install jax flatbuffers`):",
        "",
        "```python",
        *_usage(signatures),
        "```",
        "",
        "| program | what it gives | inputs |",
        "|---|---|---|",
        *(_signature_row(name, signature) for name, signature in signatures.items()),
        "",
        _loading(run),
        "",
        *_training(directory, run),
        *_metrics(directory),
    ]
    write_atomically(directory / "README.md", ("\n".join(lines).rstrip() + "\n").encode())


def _loading(run: Run) -> str:
    if run.config.data.source == ARRAY:
        return (
            "With genjax, and the array that it was fitted to in a file: `genjax.load_run(folder, "
            "data_source='npz:FILE')`, and `genjax evaluate --workdir folder --data npz:FILE`."
        )
    return "With genjax, where the data are: `genjax.load_run(folder)`, and `genjax evaluate --workdir folder`."


def _pictures(directory: Path) -> list[str]:
    titles = {"samples.png": "Samples", "curves.png": "Curves"}
    there = [name for name in titles if (directory / name).is_file()]
    return [line for name in there for line in (f"![{titles[name]}]({name})", "")]


def _usage(signatures: Mapping[str, Any]) -> list[str]:
    name, signature = list(signatures.items())[-1]
    arrays = [_array(argument["shape"], argument["type"]) for argument in signature["inputs"].values()]
    return [
        "import jax",
        "import jax.export",
        "import jax.numpy as jnp",
        "",
        f'{name} = jax.export.deserialize(open("{name}.stablehlo", "rb").read())',
        f"x = {name}.call({', '.join(arrays)})",
    ]


def _array(shape: list[Any], kind: str) -> str:
    """An array that a reader can replace by his own."""
    if shape == [2] and kind == "uint32":
        return "jax.random.key_data(jax.random.key(0))"
    return f"jnp.zeros({tuple(4 if size == 'batch' else size for size in shape)}, jnp.{kind})"


def _signature_row(name: str, signature: Mapping[str, Any]) -> str:
    inputs = ", ".join(
        f"`{key}` {argument['type']} [{', '.join(map(str, argument['shape']))}]"
        for key, argument in signature["inputs"].items()
    )
    shape = ", ".join(map(str, signature["output"]["shape"]))
    return f"| `{name}.stablehlo` | {signature['about']} [{shape}] | {inputs} |"


def _training(directory: Path, run: Run) -> list[str]:
    environment = read_object(directory / "environment.json") or {}
    facts = [(name, environment[name]) for name in ("command", "devices", "jax", "commit") if environment.get(name)]
    data = " --data npz:FILE" if run.config.data.source == ARRAY else ""
    command = f"genjax train --config config.json{data} --workdir again"
    return [
        "## Training",
        "",
        f"`{command}` in this folder trains it again.",
        "",
        *(f"- {name}: `{value}`" for name, value in facts),
        "",
    ]


def _metrics(directory: Path) -> list[str]:
    evaluation = read_evaluation(directory / "evaluation.json")
    figures = {name: value for name, value in evaluation.items() if "/" in name}
    results = evaluation.get("results", [])
    lines = ["## Metrics", "", "| metric | value |", "|---|---|"]
    lines += [f"| {name} | {format_value(value)} |" for name, value in figures.items()]
    if results:
        lines += ["", "| metric | value | error | unit | protocol |", "|---|---|---|---|---|"]
        for result in results:
            protocol = ", ".join(f"{name} {value}" for name, value in result["protocol"].items())
            error = "" if result.get("error") is None else format_value(result["error"])
            value = format_value(result["value"])
            lines.append(f"| {result['metric']} | {value} | {error} | {result.get('unit', '')} | {protocol} |")
    return lines if figures or results else []
