"""What is read off a compiled program, and what follows from it, on programs for a CPU and on texts written here."""

import importlib.util
import json
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax
from present import present

from genjax.commands import rehearse as command
from genjax.config import default
from genjax.rehearsal import costs, hlo, page, report, targets
from genjax.rehearsal.compiling import read_buffers
from genjax.rehearsal.costs import Kernel
from genjax.rehearsal.devices import DEVICES, describe_gpu, find_device
from genjax.rehearsal.flops import flops_of, valid_taps
from genjax.rehearsal.programs import shaped_dataset
from genjax.rehearsal.roofline import LAUNCH, gain, seconds, slices, trials_that_fit
from genjax.types import InputError

LENGTH = 7

# One step: a product with its bias, a row of a table of a thousand, a metric written in place, an exchange, a copy.
STEP = """HloModule jit_chunk, is_scheduled=true

%adds (p0: f32[8,16], p1: f32[16]) -> f32[8,16] {
  %p0 = f32[8,16]{1,0} parameter(0)
  %p1 = f32[16]{0} parameter(1)
  %b = f32[8,16]{1,0} broadcast(%p1), dimensions={1}
  ROOT %a = f32[8,16]{1,0} add(%p0, %b)
}

%takes (q0: u8[1000,16], q1: s32[]) -> f32[8,16] {
  %q0 = u8[1000,16]{1,0} parameter(0)
  %q1 = s32[] parameter(1)
  %c = s32[] constant(0)
  %s = u8[8,16]{1,0} dynamic-slice(%q0, %q1, %c), dynamic_slice_sizes={8,16}
  ROOT %f = f32[8,16]{1,0} convert(%s)
}

%writes (r0: f32[7], r1: s32[], r2: f32[]) -> f32[7] {
  %r0 = f32[7]{0} parameter(0)
  %r1 = s32[] parameter(1)
  %r2 = f32[] parameter(2)
  %v = f32[1]{0} bitcast(%r2)
  ROOT %u = f32[7]{0} dynamic-update-slice(%r0, %v, %r1)
}

%inner (i: (s32[], f32[8,16])) -> (s32[], f32[8,16]) {
  %i = (s32[], f32[8,16]{1,0}) parameter(0)
  %i0 = s32[] get-tuple-element(%i), index=0
  %i1 = f32[8,16]{1,0} get-tuple-element(%i), index=1
  %n = f32[8,16]{1,0} negate(%i1)
  ROOT %t = (s32[], f32[8,16]{1,0}) tuple(%i0, %n)
}

%below (j: (s32[], f32[8,16])) -> pred[] {
  %j = (s32[], f32[8,16]{1,0}) parameter(0)
  %j0 = s32[] get-tuple-element(%j), index=0
  %k = s32[] constant(3)
  ROOT %l = pred[] compare(%j0, %k), direction=LT
}

%body (arg: (s32[], u8[1000,16], f32[16,16], f32[7])) -> (s32[], u8[1000,16], f32[16,16], f32[7]) {
  %arg = (s32[], u8[1000,16]{1,0}, /*index=2*/f32[16,16]{1,0}, f32[7]{0}) parameter(0)
  %step = s32[] get-tuple-element(%arg), index=0
  %data = u8[1000,16]{1,0} get-tuple-element(%arg), index=1
  %w = f32[16,16]{1,0} get-tuple-element(%arg), index=2
  %log = f32[7]{0} get-tuple-element(%arg), index=3
  %x = f32[8,16]{1,0} fusion(%data, %step), kind=kLoop, calls=%takes
  %y = f32[8,16]{1,0} dot(%x, %w), lhs_contracting_dims={1}, rhs_contracting_dims={0}
  %r = f32[16]{0} all-reduce-start(%bias), replica_groups={{0,1}}, to_apply=%add
  %bias = f32[16]{0} all-reduce-done(%r)
  %z = f32[8,16]{1,0} fusion(%y, %bias), kind=kLoop, calls=%adds, backend_config={"estimated_cycles":"250"}
  %pair = (s32[], f32[8,16]{1,0}) tuple(%step, %z)
  %looped = (s32[], f32[8,16]{1,0}) while(%pair), condition=%below, body=%inner
  %loss = f32[] copy(%scalar)
  %logged = f32[7]{0} fusion(%log, %step, %loss), kind=kLoop, calls=%writes
  ROOT %out = (s32[], u8[1000,16]{1,0}, f32[16,16]{1,0}, f32[7]{0}) tuple(%step, %data, %w, %logged)
}

%test (arg1: (s32[], u8[1000,16], f32[16,16], f32[7])) -> pred[] {
  %arg1 = (s32[], u8[1000,16]{1,0}, f32[16,16]{1,0}, f32[7]{0}) parameter(0)
  %step1 = s32[] get-tuple-element(%arg1), index=0
  %end = s32[] constant(7)
  ROOT %less = pred[] compare(%step1, %end), direction=LT
}

ENTRY %main (m: (s32[], u8[1000,16], f32[16,16], f32[7])) -> f32[7] {
  %m = (s32[], u8[1000,16]{1,0}, f32[16,16]{1,0}, f32[7]{0}) parameter(0)
  %big = f32[4096]{0} copy(%m)
  %loop = (s32[], u8[1000,16]{1,0}, f32[16,16]{1,0}, f32[7]{0}) while(%m), condition=%test, body=%body, \
backend_config={"known_trip_count":{"n":"7"}}
  ROOT %result = f32[7]{0} get-tuple-element(%loop), index=3
}
"""


def compiled_text(function, *shapes):
    structs = [jax.ShapeDtypeStruct(shape, jnp.float32) for shape in shapes]
    return present(jax.jit(function).lower(*structs).compile().as_text())


def test_a_step_is_what_its_loop_repeats_and_nothing_around_it():
    kernels = costs.step_kernels(hlo.parse(STEP), LENGTH)
    assert [(k.kind, k.opcode, k.times) for k in kernels] == [
        ("fusion", "fusion", 1),  # the slice
        ("other", "dot", 1),
        ("collective", "all-reduce-start", 1),
        ("fusion", "fusion", 1),  # the bias
        ("other", "compare", 3),  # an inner loop, whose condition says that it runs three times
        ("other", "negate", 3),
        ("other", "copy", 1),
        ("fusion", "fusion", 1),  # the log
    ]
    counts = costs.totals(kernels)
    assert (counts["fusion"], counts["other"], counts["collectives"]) == (3, 1 + 2 * 3 + 1, 1)
    assert (counts["flops"], counts["collective_bytes"], counts["cycles"]) == (2 * 8 * 16 * 16, 16 * 4, 250)
    assert counts["without_cycles"] == counts["kernels"] - 1


def test_of_an_array_only_the_part_that_is_taken_or_replaced_is_counted():
    module = hlo.parse(STEP)
    body = module.computations["body"]
    counted = {name: costs.bytes_of(module, body, body.instructions[name]) for name in ("x", "y", "z", "logged")}
    rows, whole = 8 * 16 * 4, 16 * 16 * 4
    assert counted == {
        "x": 8 * 16 + 4 + rows,  # a byte for each stored value, the index, and the floats
        "y": rows + whole + rows,
        "z": rows + 16 * 4 + rows,
        "logged": 4 + 4 + 4,  # the index, the value, and where it is written
    }


@pytest.mark.parametrize("length", [1, 5])
def test_a_chunk_of_any_length_costs_a_step_per_step(length):
    """On a real program: the products of a step are counted once, whether or not there is a loop."""

    def chunk(x):
        return lax.scan(lambda x, _: (jnp.tanh(x @ x), None), x, None, length=length)[0]

    kernels = costs.step_kernels(hlo.parse(compiled_text(chunk, (16, 16))), length)
    assert costs.totals(kernels)["flops"] == 2 * 16**3


CONVOLUTIONS = {
    "same": {"window_strides": (1, 1), "padding": "SAME"},
    "strided": {"window_strides": (2, 2), "padding": ((1, 1), (1, 1))},
    "transposed": {"window_strides": (1, 1), "padding": ((2, 2), (2, 2)), "lhs_dilation": (2, 2)},
    "dilated": {"window_strides": (1, 1), "padding": "VALID", "rhs_dilation": (2, 2)},
    "grouped": {"window_strides": (1, 1), "padding": "SAME", "feature_group_count": 2},
}


@pytest.mark.parametrize("name", CONVOLUTIONS)
def test_operations_of_convolutions_are_those_of_the_same_sums_one_by_one(name):
    """Against a convolution of ones, whose result counts the taps that meet a value and not padding or a gap."""
    settings = CONVOLUTIONS[name]
    channels = 4 // settings.get("feature_group_count", 1)
    layout = ("NHWC", "HWIO", "NHWC")

    def conv(x, kernel):
        return lax.conv_general_dilated(x, kernel, dimension_numbers=layout, **settings)

    shapes = (2, 9, 9, 4), (3, 3, channels, 6)
    sums = conv(*(jnp.ones(shape) for shape in shapes))
    module = hlo.parse(compiled_text(conv, *shapes))
    entry = module.computations[module.entry]
    assert sum(flops_of(module, entry, item) for item in entry.instructions.values()) == 2 * float(sums.sum())


def test_valid_taps_with_strides_and_gaps_at_once():
    """A window of 3 over [x . x . x] from one before its start, every third place."""
    spread = np.array([1, 0, 1, 0, 1])
    padded = np.pad(spread, 3)
    expected = sum(padded[3 + 3 * i - 1 + 2 * u] for i in range(2) for u in range(3))
    assert valid_taps(size=3, taps=3, outputs=2, stride=3, pad=1, spread=2, dilation=2) == expected


LIBRARY_CALL = (
    "%c = ({result}, u8[0]{{0}}) custom-call(%x, %y), window={{size=3x3 pad=1_1x1_1}}, dim_labels=b01f_01io->b01f, "
    'custom_call_target="__cudnn${name}"'
)
IMAGE, KERNEL, OUTPUT = "f32[2,5,5,4]{3,2,1,0}", "f32[3,3,4,6]{3,2,1,0}", "f32[2,5,5,6]{3,2,1,0}"


@pytest.mark.parametrize(
    ("name", "operands", "result"),
    [
        ("convForward", (IMAGE, KERNEL), OUTPUT),
        ("convBackwardInput", (OUTPUT, KERNEL), IMAGE),
        ("convBackwardFilter", (IMAGE, OUTPUT), KERNEL),
    ],
)
def test_a_convolution_and_its_gradients_take_the_same_operations(name, operands, result):
    call = LIBRARY_CALL.format(name=name, result=result)
    lines = [f"  %x = {operands[0]} parameter(0)", f"  %y = {operands[1]} parameter(1)", f"  ROOT {call}"]
    module = hlo.parse("\n".join(["ENTRY %main (x: f32[1]) -> f32[1] {", *lines, "}"]))
    (kernel,) = costs.program_kernels(module)
    assert (kernel.kind, kernel.flops) == ("library", 2 * 2 * 6 * 4 * valid_taps(5, 3, 5, 1, 1, 1, 1) ** 2)


def test_command_buffers_are_those_of_the_longest_loop():
    text = """000: kCommandBuffer
006: kWhile
condition:
    007: kCustomKernel
  body:
    009: kCustomKernel
011: kWhile
condition:
    012: kCustomKernel
  body:
    000: kCommandBuffer
        013: kCustomKernel
        014: kCustomKernel
    015: kConvolution
    000: kCommandBuffer
        016: kCustomKernel
020: kCopy
"""
    assert read_buffers(text) == (2, 1)
    assert read_buffers("000: kCopy\n") is None


H100, V5E = find_device("h100"), find_device("v5e")


def kernel(**values):
    return Kernel(**{"kind": "fusion", "opcode": "fusion", "bytes": 0.0, "flops": 0.0, "cycles": None, **values})


@pytest.mark.parametrize(
    ("device", "count", "kernels", "low", "high"),
    [
        (H100, 1, [kernel(times=73)], 73e-6, 219e-6),  # starts alone
        (H100, 1, [kernel(bytes=H100.bandwidth, flops=1.0)], 1 + 1e-6, 2 + 3e-6),  # the slower of the two counts
        (H100, 1, [kernel(bytes=1.0, flops=2 * H100.peak)], 2 + 1e-6, 4 + 3e-6),
        (H100, 4, [kernel(kind="collective", bytes=H100.link)], 1.5 + 1e-6, 3 + 3e-6),  # 2 (n - 1) / n
        (V5E, 1, [kernel(cycles=1500, times=2), kernel()], 2e-6, 4e-6 + 200 / 1.5e9),
    ],
)
def test_a_range_of_seconds(device, count, kernels, low, high):
    assert seconds(kernels, device, count) == pytest.approx((low, high), rel=1e-9)


def test_a_gain_lies_between_its_ends_over_all_assumptions():
    """Of one trial that starts kernels and 256 that move bytes: slow starts and fast memory gain most."""
    alone, together = [kernel(times=100)], [kernel(bytes=H100.bandwidth * 1e-3)]
    low, high = gain(alone, together, 256, H100)
    assert low == pytest.approx(256 * 100 * LAUNCH.low / (LAUNCH.low + 2e-3))
    assert high == pytest.approx(256 * 100 * LAUNCH.high / (LAUNCH.high + 1e-3))


@pytest.mark.parametrize(("limit", "fits"), [(100.0, 45), (32.0, 11), (31.9, 10), (12.0, 1), (11.9, 0)])
def test_trials_that_fit_lie_on_the_line_through_two_programs(limit, fits):
    assert trials_that_fit(limit, {1: 12.0, 11: 32.0}) == fits
    assert slices(90, fits) == (-(-90 // fits) if fits else 0)


@pytest.mark.parametrize("device", DEVICES.values(), ids=DEVICES)
def test_every_device_is_described_in_full(device):
    assert min(device.memory, device.bandwidth, device.peak, device.link) > 0
    if device.platform == "tpu":
        assert device.clock > 0
        assert targets.topology_shape(device.name, 1).startswith("2x2")
    else:
        text = describe_gpu(device)
        assert text.count("{") == text.count("}")
        fields = {line.split(":")[0].strip() for line in text.splitlines() if ":" in line}
        assert {"core_count", "clock_rate_ghz", "l2_cache_size", "shared_memory_per_block_optin"} <= fields


@pytest.mark.parametrize(("count", "shape"), [(1, "2x2"), (5, "2x4"), (256, "16x16")])
def test_the_smallest_network_of_chips(count, shape):
    assert targets.topology_shape("v6e", count) == shape
    with pytest.raises(InputError, match="at most 256"):
        targets.topology_shape("v6e", 257)


def test_a_shape_stands_for_a_data_set_and_takes_no_memory():
    dataset = shaped_dataset("big", (64, 64, 3), 10**6)
    assert (dataset.train.x.nbytes, dataset.train.x.strides) == (10**6 * 64 * 64 * 3, (0, 0, 0, 0))
    assert (dataset.bounded, dataset.scale, len(dataset.test.x)) == (True, 1 / 255, 10**5)
    points = shaped_dataset("points", (2,), 50)
    assert (points.bounded, points.train.x.dtype, len(points.validation.x)) == (False, np.float32, 10)


ARGUMENTS = ["--config", "configs/vae_digits.py", "--device", "h100"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--device", "h100"], "--config and --device are needed"),
        ([*ARGUMENTS[:3], "h10"], "no device 'h10': the nearest is 'h100'"),
        ([*ARGUMENTS, "--compare", "v5"], "no device 'v5'"),
        ([*ARGUMENTS, "--config.hparams.bta=1"], "the nearest is 'hparams.beta'"),
        ([*ARGUMENTS, "--shape", "28,28,1"], "--shape and --examples go together"),
        ([*ARGUMENTS, "--shape", "28,28", "--examples", "9"], "is not a shape such as"),
        ([*ARGUMENTS, "--devices", "0"], "--devices must be at least 1"),
        ([*ARGUMENTS, "--trials", "4", "0"], "--trials must be at least 1"),
        ([*ARGUMENTS, "--all", "--page", "x.md"], "--all rehearses every configuration"),
        (["--all", "--page", "x.md", "--json", "x.json"], "--all rehearses every configuration"),
        (["--all", "--page", "x.md", "--devices", "4"], "--all rehearses every configuration"),
        (["--all"], "--all and --page go together"),
        ([*ARGUMENTS, "--page", "x.md"], "--all and --page go together"),
    ],
)
def test_wrong_input_is_one_line(arguments, message, capsys, monkeypatch):
    monkeypatch.setattr(targets, "leave_devices_alone", lambda: None)
    assert command.main(arguments) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1


@pytest.mark.parametrize("name", ["h100", "v5e"])
def test_what_is_not_installed_is_named_with_the_command_that_installs_it(name, capsys, monkeypatch):
    monkeypatch.setattr(targets, "leave_devices_alone", lambda: None)
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    assert command.main([*ARGUMENTS[:3], name]) == 2
    assert f"uv sync --extra rehearse-{find_device(name).platform}" in capsys.readouterr().err


def program(**values):
    zero = dict.fromkeys(("argument_bytes", "scratch_bytes", "bytes_on_device", "bytes", "flops", "cycles"), 0.0)
    counts = dict.fromkeys(("kernels", "fusion", "library", "other", "without_cycles", "collectives"), 0.0)
    texts = {
        "name": "train",
        "trials": 1,
        "devices": 1,
        "length": 100,
        "error": "",
        "compile_seconds": 1.0,
        "collective_bytes": 0.0,
    }
    buffers = {"command_buffers": None, "outside_command_buffers": None}
    return {**zero, **counts, **texts, **buffers, "seconds": [1e-4, 3e-4], **values}


def test_the_table_says_that_nothing_was_measured_and_why_a_program_does_not_compile():
    part = {
        "name": "the run",
        "trials": 48,
        "batch_size": 8,
        "source": "digits",
        "shape": [8, 8, 1],
        "examples": 1439,
        "fits": 20,
        "slices": 3,
        "steps": 10,
        "evaluations": 1,
        "job_seconds": [0.5, 1.5],
        "paces": [{"trials": 16, "steps_per_second": [1e3, 5e3], "gain": [11.0, 16.0]}],
        "programs": [
            program(kernels=73.0, command_buffers=2, outside_command_buffers=1),
            program(name="evaluate", length=0, error="it is too large", seconds=None),
        ],
    }
    device = {"device": "h100", "title": "NVIDIA H100", "devices": 4, "memory_bytes": 2**30, "bandwidth": 1e12}
    record = {**device, "peak": 1e12, "jax": "0", "compiler": "none", "assumptions": ["A"], "parts": [part]}
    text = report.table(json.loads(json.dumps(record)))
    for words in (
        "4 x NVIDIA H100: compiled, not measured",
        "73, 2 command buffers, 1 outside",
        "100 to 300 µs",
        "no: it is too large",
        "48 in 3 slices",
        "11 to 16 times one trial",
        "the whole job: 500 to 1,500 ms",
    ):
        assert words in text
    assert "does not compile: it is too large" in report.compare(record, record)


def test_the_page_holds_a_row_of_each_record():
    """The page is written by the command; only the list of what is not compiled yet depends on what else there is."""
    path = Path(__file__).parents[1] / "docs" / "accelerators.md"
    records = json.loads(path.with_suffix(".json").read_text())["records"]
    assert len(records) > 30
    text, written = page.text(records, ()), path.read_text()
    assert set(text.splitlines()) <= set(written.splitlines())
    rows, written_rows = ({line for line in lines.splitlines() if line.startswith("| `")} for lines in (text, written))
    assert written_rows == rows


def test_a_page_of_no_folder_is_refused(tmp_path):
    with pytest.raises(InputError, match="there is no folder"):
        page.write(tmp_path / "page.md", tmp_path / "configs", print)


def test_a_page_compiles_again_what_a_configuration_itself_changes():
    config = default("vae")
    digest = page.own_digest(config)
    config.model.latent = 3
    assert page.own_digest(config) != digest
    config.model.latent = default("vae").model.latent
    assert page.own_digest(config) == digest
