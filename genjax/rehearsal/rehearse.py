"""Rehearses a configuration on a device that is not there, and returns all that is said of it as one record."""

import importlib.metadata
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from typing import Any

import jax
from ml_collections import ConfigDict

from genjax import config as configs
from genjax.data import Dataset
from genjax.rehearsal import programs, roofline
from genjax.rehearsal.compiling import Compiled, compile_program
from genjax.rehearsal.costs import totals
from genjax.rehearsal.devices import Device
from genjax.rehearsal.roofline import Range
from genjax.rehearsal.targets import described_devices
from genjax.runs import chunks
from genjax.runs.programs import fits_device
from genjax.sweeps import plan
from genjax.sweeps.memory import DEFAULT_SHARE, fit_memory
from genjax.sweeps.programs import CohortPrograms
from genjax.types import InputError

TRIALS = (1, 16, 256)
PLUGINS = {"gpu": ("jax-cuda12-plugin", "jax-cuda13-plugin"), "tpu": ("libtpu",)}

Say = Callable[[str], None]


def rehearse(
    config: ConfigDict,
    load: Callable[[str], Dataset],
    device: Device,
    count: int = 1,
    trials: Sequence[int] = (),
    say: Say = lambda line: None,
) -> dict[str, Any]:
    """Compiles what a command would run, and says what can be said without running it.

    Args:
      config: of a single run, or of a sweep.
      load: loads a data set by its source.
      device: that the command would use.
      count: how many of them.
      trials: how many trials side by side are rehearsed as well; `TRIALS` of a single configuration if empty.
      say: is called with a line before each program is compiled.

    Returns:
      What JSON holds: the device, versions, assumptions, and `parts`: one for a run, one for each group of a sweep.

    Raises:
      InputError: the configuration, the data and the devices do not fit one another, or nothing compiles for them.
    """
    devices = described_devices(device, count)
    rehearsal = _Rehearsal(device, devices, load, say)
    make_parts = _sweep_parts if "base" in config else _run_parts
    parts = make_parts(rehearsal, config, trials)
    exchanges = any(program["collectives"] for part in parts for program in part["programs"])
    return {
        "device": device.name,
        "title": device.title,
        "devices": count,
        "platform": device.platform,
        "memory_bytes": device.memory,
        "bandwidth": device.bandwidth,
        "peak": device.peak,
        "jax": jax.__version__,
        "compiler": compiler_version(device.platform),
        "assumptions": [roofline.ASSUMPTIONS[device.platform], *([roofline.EXCHANGES] if exchanges else [])],
        "parts": parts,
    }


def compiler_version(platform: str) -> str:
    """The package that compiles for a platform, and its version."""
    for name in PLUGINS[platform]:
        try:
            return f"{name} {importlib.metadata.version(name)}"
        except importlib.metadata.PackageNotFoundError:
            continue
    return "not installed"


class _Rehearsal:
    """The devices of one rehearsal, and each program's compilation, once."""

    def __init__(self, device: Device, devices: list[Any], load: Callable[[str], Dataset], say: Say):
        self.device, self.devices, self.load, self.say = device, devices, cache(load), say
        self.limit = DEFAULT_SHARE * device.memory

    def compile(self, program: programs.Program) -> Compiled:
        side_by_side = f" of {program.trials} trials" if program.trials > 1 else ""
        self.say(f"{self.device.name}: {program.name}{side_by_side}")
        return compile_program(program, self.device.platform)

    def seconds(self, compiled: Compiled) -> Range:
        return roofline.seconds(compiled.kernels, self.device, len(self.devices))

    def trials(self, config: ConfigDict, count: int, mode: str = "vmap") -> list[Compiled]:
        """The chunk and the evaluation of as many trials in a mode as memory holds, at most `count`."""
        dataset, compiled = self.load(config.data.source), dict[int, list[Compiled]]()

        def make(count: int) -> CohortPrograms:
            return programs.cohort_programs(config, dataset, count, mode, self.devices)

        def bytes_needed(cohort: CohortPrograms) -> int:
            compiled[cohort.count] = [self.compile(p) for p in programs.trial_programs(cohort, config.train.log_every)]
            # A TPU's compiler refuses what does not fit.
            return max(
                int(2 * self.limit) if "RESOURCE_EXHAUSTED" in c.error else c.total for c in compiled[cohort.count]
            )

        return compiled[fit_memory(make, count, int(self.limit), bytes_needed).count]

    def row(self, compiled: Compiled) -> dict[str, Any]:
        """What is said of one program."""
        program, counts, buffers = compiled.program, totals(list(compiled.kernels)), compiled.buffers
        low, high = self.seconds(compiled)
        return {
            "name": program.name,
            "trials": program.trials,
            "devices": program.devices,
            "length": program.length,
            "error": compiled.error,
            "compile_seconds": round(compiled.seconds, 1),
            "argument_bytes": compiled.arguments,
            "scratch_bytes": compiled.scratch,
            "bytes_on_device": compiled.total,
            **counts,
            "command_buffers": None if buffers is None else buffers.count,
            "outside_command_buffers": None if buffers is None else buffers.outside,
            "seconds": None if compiled.error else [low, high],
        }


def _run_parts(rehearsal: _Rehearsal, config: ConfigDict, trials: Sequence[int]) -> list[dict[str, Any]]:
    """The one part of a single run: its own programs, and what its trials would be as a sweep."""
    dataset = rehearsal.load(config.data.source)
    config = configs.resolve(config, programs.spec_of(config, dataset))
    own = [rehearsal.compile(program) for program in programs.run_programs(config, dataset, rehearsal.devices)]
    by_name = {compiled.program.name: compiled for compiled in own}
    counts = set(trials or TRIALS) if fits_device(config, dataset) else set()  # a sweep keeps its data on the device
    several = len(rehearsal.devices) > 1  # one trial lies on one device then, and the run's batch on all of them
    more = [rehearsal.trials(config, n) for n in sorted(counts | {1} if several else counts - {1})]
    cohorts = more if several else [[by_name["train"], by_name["evaluate"]], *more]
    part = _part(rehearsal, "the run", 1, cohorts, config)
    part["programs"] = [rehearsal.row(c) for c in [*own, *(compiled for cohort in more for compiled in cohort)]]
    if several and not (more[0][0].error or by_name["train"].error):
        split = (more[0][0].kernels, by_name["train"].kernels, 1, rehearsal.device, len(rehearsal.devices))
        part["split_gain"] = list(roofline.gain(*split))
    evaluations = sum(chunk.evaluate for chunk in chunks.schedule(config.train, 0, config.train.steps))
    return [part | _job(rehearsal, config, by_name["train"], by_name["evaluate"], 1, evaluations)]


def _sweep_parts(rehearsal: _Rehearsal, sweep: ConfigDict, trials: Sequence[int]) -> list[dict[str, Any]]:
    """A part for each group of a sweep's trials, which one program trains."""
    if sweep.strategy == "optuna":
        raise InputError("strategy 'optuna' chooses points from results: rehearse with --config.strategy=random")
    planned = plan.make_trials(sweep, plan.make_points(sweep))
    planned = plan.resolve_trials(sweep, planned, lambda c: programs.spec_of(c, rehearsal.load(c.data.source)))
    return [_group_part(rehearsal, sweep, group, trials) for group in plan.group_trials(planned)]


def _group_part(
    rehearsal: _Rehearsal, sweep: ConfigDict, group: list[plan.Trial], trials: Sequence[int]
) -> dict[str, Any]:
    config = group[0].config
    static = {
        axis.setting: group[0].settings[axis.setting]
        for axis in sweep.axes
        if axis.setting != "seed" and not axis.setting.startswith("hparams.")
    }
    mode = "vmap" if sweep.execution == "auto" else sweep.execution  # what auto would measure, no rehearsal can
    by_count = {count: rehearsal.trials(config, count, mode) for count in sorted({1, len(group), *trials})}
    cohorts = list(by_count.values())
    part = _part(rehearsal, plan.describe(static) or "all trials", len(group), cohorts, config)
    part["programs"] = [rehearsal.row(compiled) for cohort in cohorts for compiled in cohort]
    part["stopping"] = sweep.stopping
    train, evaluate = by_count[len(group)]
    evaluations = sum(chunk.evaluate for chunk in chunks.schedule(config.train, 0, config.train.steps))
    return part | _job(rehearsal, config, train, evaluate, -(-len(group) // train.program.trials), evaluations)


def _part(
    rehearsal: _Rehearsal, name: str, count: int, cohorts: list[list[Compiled]], config: ConfigDict
) -> dict[str, Any]:
    """How many trials fit, in how many slices those of the plan run, and steps a second by the number of trials."""
    trained = [cohort for cohort in cohorts if not any(compiled.error for compiled in cohort)]
    share = len(rehearsal.devices)
    sizes = {-(-cohort[0].program.trials // share): float(max(c.total for c in cohort)) for cohort in trained}
    fits = roofline.trials_that_fit(rehearsal.limit, sizes) * share if len(sizes) > 1 else None
    dataset = rehearsal.load(config.data.source)
    return {
        "name": name,
        "trials": count,
        "batch_size": config.train.batch_size,
        "source": config.data.source,
        "shape": list(dataset.shape),
        "examples": len(dataset.train.x),
        "fits": fits,
        "slices": None if fits is None else roofline.slices(count, fits),
        "paces": list(_paces(rehearsal, [cohort[0] for cohort in trained])),
    }


def _paces(rehearsal: _Rehearsal, chunks_by_trials: list[Compiled]) -> Iterator[dict[str, Any]]:
    """Steps a second of all trials together, and how many times those of one trial alone."""
    for compiled in chunks_by_trials:
        step, trials, first = rehearsal.seconds(compiled), compiled.program.trials, chunks_by_trials[0]
        alone = first.kernels if first.program.trials == 1 else None
        devices = (rehearsal.device, len(rehearsal.devices))
        yield {
            "trials": trials,
            "steps_per_second": [trials / step.high, trials / step.low],
            "gain": list(roofline.gain(alone, compiled.kernels, trials, *devices)) if alone else None,
        }


def _job(
    rehearsal: _Rehearsal, config: ConfigDict, train: Compiled, evaluate: Compiled, slices: int, evaluations: int
) -> dict[str, Any]:
    """What the whole job takes on the device: its steps and evaluations, without compilation and the host's part."""
    if train.error or evaluate.error:
        return {"steps": config.train.steps, "evaluations": evaluations, "job_seconds": None}
    total = rehearsal.seconds(train).times(config.train.steps).plus(rehearsal.seconds(evaluate).times(evaluations))
    return {"steps": config.train.steps, "evaluations": evaluations, "job_seconds": list(total.times(slices))}
