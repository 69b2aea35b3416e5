"""A group's trials compiled for this machine: over all devices, as many at a time as memory holds."""

import json
import math
import os
import time
from collections.abc import Callable, Iterable
from functools import cache, partial
from typing import Any, NamedTuple

import jax
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec
from ml_collections import ConfigDict

from genjax import config as configs
from genjax.data import Dataset, describe, stored_batch
from genjax.runs.programs import check_fit, reads_labels
from genjax.sweeps.plan import Trial
from genjax.system import processes
from genjax.system.compiler import compiled
from genjax.training import sharding, trials
from genjax.training.scan import Train, make_train
from genjax.types import Array, Batch, DataSpec, Hparams, InputError, Model, TrainState

MODES: dict[str, trials.Over] = {"map": trials.sequential, "vmap": trials.vectorised}
MEASURED_STEPS = 5
MEASURED_SECONDS = 0.3
SHARE_OF_MEMORY = {"cpu": 0.5}  # the host needs the rest for itself; an accelerator has it all
DEFAULT_SHARE = 0.9


Resident = Callable[[np.ndarray, Mesh], Array]


class CohortPrograms(NamedTuple):
    """Compiled functions over a fixed number of trials.

    Attributes:
      count: how many trials the programs are for.
      devices: how many share them.
      put: `[T, ...]` from the host to the devices, filled up to a multiple of them with copies of the last trial.
      keys: `(seeds) -> [T]`, each trial's root key, on the devices.
      initial: `(hparams, rngs) -> states`.
      advance: `(states, hparams, rngs, length) -> (states, {name: [T, length]})`; the states are donated.
      take: `(states, trials) -> states`: the trials of these numbers, in the places of all.
      evaluate: `(states, hparams, rngs, split) -> {name: [T]}`, on the `validation` or the `test` split.
      metrics: `() -> names` of what `evaluate` measures.
      like: the shapes of the states.
      needs: `(length) -> bytes` on a device, of the program that advances.
      needs_to_evaluate: `() -> bytes`.
      model: `(hparams, step) -> Model` of one trial.
      spec: of the data.
      dataset: the data.
    """

    count: int
    devices: int
    put: Callable[[Any], Any]
    keys: Callable[[np.ndarray], Array]
    initial: Callable[[Hparams, Array], TrainState]
    advance: Callable[[TrainState, Hparams, Array, int], tuple[TrainState, dict[str, Array]]]
    take: Callable[[TrainState, np.ndarray], TrainState]
    evaluate: Callable[[TrainState, Hparams, Array, str], dict[str, Array]]
    metrics: Callable[[], list[str]]
    like: TrainState
    needs: Callable[[int], int]
    needs_to_evaluate: Callable[[], int]
    model: Callable[[Hparams, Array], Model]
    spec: DataSpec
    dataset: Dataset


def traced(trials: list[Trial]) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """The trials' hyperparameters, `{name: [T]}`, and their seeds, `[T]`."""
    active = [configs.active(trial.config) for trial in trials]
    hparams = {name: np.array([values[name] for values in active], np.float32) for name in active[0]}
    return hparams, np.array([trial.config.seed for trial in trials], np.uint32)


def _keys(seeds: Array) -> Array:
    """The keys that single runs with these seeds would have, `[T]`."""
    return jax.vmap(jax.random.key)(seeds)


def make_cohort_programs(
    config: ConfigDict, dataset: Dataset, count: int, mode: str, resident: Resident
) -> CohortPrograms:
    """The programs of a group for so many trials; each compiles when it is first asked for.

    Raises:
      InputError: the configuration does not fit the data or the devices.
    """
    spec = describe(dataset, config.data.dynamic_binarisation)
    train = make_train(config, spec)
    check_fit(config, dataset, train)
    if dataset.train.x.nbytes > config.data.resident_bytes:
        raise InputError(f"a sweep keeps its data on the device, and {dataset.name} is larger than data.resident_bytes")
    grid = trials.trial_mesh(devices(config, count))
    width = -(-count // grid.size) * grid.size
    over, share = trials.sharded(grid, MODES[mode]), NamedSharding(grid, PartitionSpec(trials.TRIALS))

    labelled = reads_labels(config)

    def split(name: str) -> Batch:
        stored = stored_batch(dataset, getattr(dataset, name), labelled)
        return jax.tree.map(lambda leaf: resident(leaf, grid), stored)

    def put(tree: Any) -> Any:
        return trials.placed(grid, jax.tree.map(lambda leaf: _filled(leaf, width), tree))

    like = _like(train, configs.active(config), width, share)
    initial = jax.jit(partial(trials.initial, train, over=over))
    rooted, taken = jax.jit(_keys, out_shardings=share), jax.jit(trials.select_trials, out_shardings=share)
    chunk, evaluation = _compiled(train, over, like, split)
    return CohortPrograms(
        count=count,
        devices=grid.size,
        put=put,
        keys=lambda seeds: rooted(put(seeds)),
        initial=initial,
        advance=lambda states, hparams, rngs, length: chunk(length)(states, split("train"), hparams, rngs),
        take=lambda states, trials: taken(states, _filled(trials, width)),
        evaluate=lambda states, hparams, rngs, name: evaluation(name)(states, split(name), hparams, rngs),
        metrics=lambda: list(jax.eval_shape(partial(trials.evaluate, train), like[0], split("validation"), *like[1:])),
        like=like[0],
        needs=lambda length: _needs(chunk(length)),
        needs_to_evaluate=lambda: _needs(evaluation("validation")),
        model=train.model,
        spec=spec,
        dataset=dataset,
    )


def _compiled(train: Train, over: trials.Over, like: tuple[Any, ...], split: Callable[[str], Batch]) -> tuple[Any, Any]:
    """`(length) -> program` that trains, and `(split) -> program` that evaluates, each compiled once."""
    states, *rest = like

    def run(states: TrainState, data: Batch, hparams: Hparams, rngs: Array, length: int) -> Any:
        return trials.sweep(train, hparams, rngs, data, length, states, over)

    def measure(states: TrainState, data: Batch, hparams: Hparams, rngs: Array) -> dict[str, Array]:
        return trials.evaluate(train, states, data, hparams, rngs, over)

    step_on = compiled(run, donate_argnums=0, static_argnums=4)
    chunk = cache(lambda length: step_on.lower(states, split("train"), *rest, length).compile())
    evaluation = cache(lambda name: jax.jit(measure).lower(states, split(name), *rest).compile())
    return chunk, evaluation


def _like(train: Train, names: Iterable[str], width: int, share: NamedSharding) -> tuple[Any, ...]:
    """The shapes of states, hyperparameters and keys, and where they lie."""
    hparams = {name: jax.ShapeDtypeStruct((width,), np.float32) for name in names}
    rngs = jax.eval_shape(_keys, jax.ShapeDtypeStruct((width,), np.uint32))
    states = jax.eval_shape(partial(trials.initial, train), hparams, rngs)
    everything = (states, hparams, rngs)
    return jax.tree.map(lambda leaf: jax.ShapeDtypeStruct(leaf.shape, leaf.dtype, sharding=share), everything)


def residence() -> Resident:
    """A function that puts a split on every device of a mesh, and does so once."""
    placed: dict[tuple[int, Mesh], tuple[np.ndarray, Array]] = {}

    def resident(x: np.ndarray, grid: Mesh) -> Array:
        if (id(x), grid) not in placed:
            placed[id(x), grid] = (x, sharding.replicate(grid, x))  # with x itself, so that its id stays its own
        return placed[id(x), grid][1]

    return resident


def devices(config: ConfigDict, count: int) -> list[Any]:
    """As many devices as share the trials evenly: 48 trials are 2 on each of 24 of 32. All of them on many hosts.

    Raises:
      InputError: `train.devices` asks for more than there are.
    """
    every, wanted = jax.devices(), config.train.devices
    if wanted > len(every):
        raise InputError(f"train.devices = {wanted}, but this machine has {len(every)}")
    if jax.process_count() > 1:
        return every
    limit = wanted or len(every)
    return every[: math.ceil(count / math.ceil(count / limit))]


def _filled(leaf: Any, width: int) -> Any:
    missing = width - leaf.shape[0]
    return leaf if missing == 0 else leaf[np.minimum(np.arange(width), leaf.shape[0] - 1)]


def _needs(program: Any) -> int:
    """Bytes on a device, by the compiler's own account: arguments, results that reuse none of them, and scratch."""
    told = program.memory_analysis()
    if told is None:
        return 0
    return told.argument_size_in_bytes + told.output_size_in_bytes - told.alias_size_in_bytes + told.temp_size_in_bytes


def memory(limit: int) -> int:
    """Bytes that a program may take on a device: the limit, or a share of what the device has."""
    if limit:
        return limit
    device = jax.local_devices()[0]
    stats = device.memory_stats()
    if stats and "bytes_limit" in stats:
        whole = stats["bytes_limit"]
    else:
        whole = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // len(jax.local_devices())
    return int(SHARE_OF_MEMORY.get(device.platform, DEFAULT_SHARE) * whole)


def fitting(
    make: Callable[[int], CohortPrograms], count: int, limit: int, needs: Callable[[CohortPrograms], int]
) -> CohortPrograms:
    """Programs of as many of `count` trials as stay within `limit` bytes a device, at least one on each device."""
    while True:
        programs = make(count)
        needed, least = needs(programs), programs.devices
        if needed <= limit or count <= least:
            return programs
        count = max(least, min(count - 1, int(count * limit / needed)))


def fastest(make: Callable[[int, str], CohortPrograms], trials: list[Trial], limit: int) -> tuple[str, str]:
    """The mode in which the group's program trains most steps a second, and a line that says why."""
    count, shared = len(trials), make(len(trials), "map").devices
    if count <= shared:
        return "map", f"map: one trial on each of {shared} device(s)"
    paces = {}
    for mode in MODES:
        programs = fitting(lambda n, mode=mode: make(n, mode), count, limit, lambda p: p.needs(MEASURED_STEPS))
        paces[mode] = _pace(programs, trials[: programs.count])
    best = max(paces, key=lambda mode: paces[mode])
    told = ", ".join(f"{mode} {pace:,.0f}" for mode, pace in paces.items())
    answer = json.dumps([best, f"{best}: measured {told} steps/s on {shared} device(s)"])
    best, why = json.loads(processes.broadcast_bytes(answer.encode()))  # processes time differently
    return best, why


def _pace(programs: CohortPrograms, trials: list[Trial]) -> float:
    """Steps a second, summed over the trials."""
    hparams, seeds = traced(trials)
    hparams, rngs = programs.put(hparams), programs.keys(seeds)
    states, _ = programs.advance(programs.initial(hparams, rngs), hparams, rngs, MEASURED_STEPS)
    jax.block_until_ready(states)
    quickest, began = math.inf, time.perf_counter()
    while time.perf_counter() - began < MEASURED_SECONDS:
        start = time.perf_counter()
        states, _ = programs.advance(states, hparams, rngs, MEASURED_STEPS)
        jax.block_until_ready(states)
        quickest = min(quickest, time.perf_counter() - start)
    return len(trials) * MEASURED_STEPS / quickest
