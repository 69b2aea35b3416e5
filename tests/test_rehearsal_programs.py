"""What is rehearsed is what is run: the same programs, to the letter, on this machine's devices."""

import jax
import pytest
from cases import small_config

from genjax import data
from genjax.rehearsal import programs as rehearsed
from genjax.rehearsal import rehearse
from genjax.rehearsal.compiling import compile_program
from genjax.rehearsal.costs import totals
from genjax.rehearsal.devices import DEVICES
from genjax.runs import feeding
from genjax.runs.programs import make_run_programs
from genjax.sweeps import default as sweep_of
from genjax.sweeps import programs as sweeps
from genjax.sweeps import values
from genjax.types import InputError

pytestmark = pytest.mark.slow
FEEDS = {"resident": 2**32, "streamed": 1}


@pytest.fixture(scope="module")
def digits():
    return data.load("digits")


@pytest.mark.parametrize("devices", [1, 2])
@pytest.mark.parametrize("feed", FEEDS)
def test_a_run_compiles_the_chunk_that_was_rehearsed(feed, devices, digits, monkeypatch):
    changes = {"train.log_every": 5, "data.resident_bytes": FEEDS[feed], "train.devices": devices}
    config, lowered = small_config("vae", changes), []
    make_chunk = getattr(feeding, f"{feed}_chunk")

    def record(functions, platform):
        chunk = make_chunk(functions, platform)

        def call(*arguments):
            lowered.append(chunk.lower(*arguments).as_text())
            return chunk(*arguments)

        return call

    with monkeypatch.context() as patch:
        patch.setattr(feeding, f"{feed}_chunk", record)
        programs = make_run_programs(config, digits)
        programs.advance(programs.init(), 5)
    train = next(iter(rehearsed.run_programs(config, digits, jax.devices())))
    assert (train.name, train.length, train.devices) == ("train", 5, devices)
    assert [train.lower().as_text()] == lowered


def test_a_sweep_compiles_the_programs_that_were_rehearsed(digits):
    config = small_config("gan", {})
    run, dry = (
        sweeps.make_cohort_programs(config, digits, 4, "vmap", sweeps.residence()),
        rehearsed.cohort_programs(config, digits, 4, "vmap", jax.devices()),
    )
    assert dry.lower_chunk(2).as_text() == run.lower_chunk(2).as_text()
    assert dry.lower_evaluation("validation").as_text() == run.lower_evaluation("validation").as_text()
    assert [(p.name, p.length, p.trials, p.devices) for p in rehearsed.trial_programs(dry, 2)] == [
        ("train", 2, 4, 2),
        ("evaluate", 0, 4, 2),
    ]


@pytest.mark.parametrize(("execution", "mode"), [("auto", "vmap"), ("map", "map"), ("vmap_products", "vmap_products")])
def test_a_sweep_is_rehearsed_as_it_would_be_executed(execution, mode, digits, monkeypatch):
    asked = []

    def record(config, dataset, count, mode, devices):
        asked.append((count, mode))
        raise InputError("no more is needed")

    monkeypatch.setattr(rehearse, "described_devices", lambda device, count: jax.devices())
    monkeypatch.setattr(rehearse.programs, "cohort_programs", record)
    sweep = sweep_of("configs/vae_digits.py")
    sweep.axes, sweep.execution = (values("seed", 0, 1, 2),), execution
    with pytest.raises(InputError, match="no more is needed"):
        rehearse.rehearse(sweep, lambda source: digits, DEVICES["h100"])
    assert asked == [(1, mode)]


def test_every_program_of_a_run_compiles_and_costs_something(digits):
    config = small_config("vae", {"train.devices": 1})
    compiled = [compile_program(p, "cpu") for p in rehearsed.run_programs(config, digits, jax.devices())]
    assert [c.program.name for c in compiled] == ["train", "evaluate", "64 samples", "log p(x)"]
    assert all(not c.error and totals(list(c.kernels))["flops"] > 0 and c.total >= c.arguments > 0 for c in compiled)


def test_what_does_not_compile_is_a_result_with_its_reason():
    def lower():
        raise jax.errors.JaxRuntimeError("RESOURCE_EXHAUSTED: too large\nand more")

    assert compile_program(rehearsed.Program("train", lower), "cpu").error == "RESOURCE_EXHAUSTED: too large"


def test_data_of_a_shape_give_the_programs_of_data_of_that_shape(digits):
    """But for the factor of their bytes, a constant of the program."""
    config = small_config("vae", {"model.likelihood": "bernoulli"})
    like = rehearsed.shaped_dataset("digits", digits.shape, len(digits.train.x))
    real = digits._replace(scale=like.scale)
    chunks = [next(iter(rehearsed.run_programs(config, source, jax.devices()))).lower() for source in (real, like)]
    assert chunks[0].as_text() == chunks[1].as_text()
