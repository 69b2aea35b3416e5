"""A trained model for others: a folder as Hugging Face's hub has them, whose programs run with JAX alone.

The parameters are one safetensors file, and encoder, decoder and sampler are StableHLO for CPUs, NVIDIA GPUs and TPUs,
with the parameters in them and any number of examples. `load_run` reads the folder as it reads a run's.
"""

import shutil
import tempfile
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.export
import jax.numpy as jnp

from genjax import config as configs
from genjax.api.card import write_card
from genjax.api.run import Run
from genjax.runs import weights
from genjax.runs.programs import reads_labels
from genjax.system.files import write_json
from genjax.types import Array, Batch, InputError

PLATFORMS = ("cpu", "cuda", "tpu")
DRAWS = 16  # of the sampler, whose number must be known when it is compiled
SIGNATURES = "signatures.json"
COPIED = ("data.json", "environment.json", "evaluation.json", "plugins.json", "samples.png", "curves.png")


class Program(NamedTuple):
    """A function of a model as it is exported.

    Attributes:
      function: of arrays alone.
      inputs: `{name: (shape, type)}`; `batch` stands for any number of examples.
      about: what it does, in a sentence.
    """

    function: Callable[..., Array]
    inputs: dict[str, tuple[tuple[Any, ...], str]]
    about: str


def export(run: Run, directory: Path | str) -> list[str]:
    """Writes a run for others; of a folder that an export wrote before, its own files are written anew.

    Args:
      run: of `load_run`.
      directory: which is made.

    Returns:
      The names of the files.

    Raises:
      InputError: the folder holds something else, or the extra `export` is not installed.

    Example:
      >>> import tempfile
      >>> names = export(run, tempfile.mkdtemp())
      >>> [name for name in names if name.endswith(".stablehlo")]
      ['decoder.stablehlo', 'encoder.stablehlo', 'sampler.stablehlo']
    """
    if find_spec("flatbuffers") is None:
        raise InputError("an export needs the package flatbuffers: uv sync --extra export")
    directory = Path(directory)
    if directory.is_dir() and any(directory.iterdir()) and not (directory / SIGNATURES).is_file():
        raise InputError(f"{directory} holds something else than an export; choose another folder")
    directory.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=directory.parent, prefix=f".{directory.name}.") as unfinished:
        complete = Path(unfinished, directory.name)
        _write(run, complete)
        names = sorted(path.name for path in complete.iterdir())
        if not directory.is_dir():
            complete.rename(directory)
            return names
        for name in names:
            (complete / name).replace(directory / name)
        for path in {*directory.glob("*.stablehlo"), *(directory / name for name in COPIED)}:
            if path.name not in names:
                path.unlink(missing_ok=True)  # of the export before
    return names


def _write(run: Run, directory: Path) -> None:
    """Writes all files of an export into a folder, which is made."""
    directory.mkdir()
    weights.write(directory / weights.FILE, run.params, run.step)
    (directory / "config.json").write_text(configs.to_json(run.config))
    signatures = {}
    for name, program in programs_of(run):
        exported = jax.export.export(jax.jit(program.function), platforms=PLATFORMS)(*_arguments(program))
        (directory / f"{name}.stablehlo").write_bytes(exported.serialize())
        output = exported.out_avals[0]
        signatures[name] = {
            "about": program.about,
            "inputs": {key: {"shape": list(shape), "type": kind} for key, (shape, kind) in program.inputs.items()},
            "output": {"shape": [str(size) if not isinstance(size, int) else size for size in output.shape]},
            "platforms": list(PLATFORMS),
        }
    write_json(directory / SIGNATURES, signatures)
    for name in COPIED:
        if (run.workdir / name).is_file():
            shutil.copyfile(run.workdir / name, directory / name)
    write_card(directory, run, signatures)


def programs_of(run: Run) -> Iterator[tuple[str, Program]]:
    """The programs that a model has, by name."""
    model, params, shape = run.model, run.params, tuple(run.spec.shape)
    kind = "images in [0, 1]" if run.spec.bounded else "points"
    example = {"x": (("batch", *shape), "float32")}
    label = {"label": (("batch",), "int32")} if reads_labels(run.config) else {}
    key = {"key": ((2,), "uint32")}
    if (decode := model.decode) is not None and model.latent is not None:
        z = {"z": (("batch", model.latent), "float32")}
        yield "decoder", Program(lambda z: decode(params, z), z, f"the {kind} that codes stand for")
    if (encode := model.encode) is not None:
        yield (
            "encoder",
            Program(lambda x, *label: encode(params, Batch(x, *label)), {**example, **label}, f"the codes of {kind}"),
        )
    if (sample_class := model.sample_class) is not None:
        yield (
            "sampler",
            Program(
                lambda key, label: sample_class(params, jax.random.wrap_key_data(key), label),
                {**key, "label": ((DRAWS,), "int32")},
                f"{DRAWS} draws of classes: {kind}; the key is two random numbers",
            ),
        )
    elif (sample := model.sample) is not None:
        yield (
            "sampler",
            Program(
                lambda key: sample(params, jax.random.wrap_key_data(key), DRAWS),
                key,
                f"{DRAWS} draws: {kind}; the key is two random numbers",
            ),
        )


def _arguments(program: Program) -> list[jax.ShapeDtypeStruct]:
    """The shapes of a program's inputs, with `batch` as a symbol."""
    scope = jax.export.SymbolicScope()
    shapes = [
        jax.export.symbolic_shape(", ".join(map(str, shape)), scope=scope) if "batch" in shape else shape
        for shape, _ in program.inputs.values()
    ]
    kinds = [jnp.dtype(kind) for _, kind in program.inputs.values()]
    return [jax.ShapeDtypeStruct(shape, kind) for shape, kind in zip(shapes, kinds, strict=True)]
