"""What `scripts/benchmark.py` counts and prints; its contestants' times are measured by running it."""

import importlib
import json
from pathlib import Path

import jax
import numpy as np
import pytest

from genjax import config as configs

SCRIPTS = Path(__file__).parents[1] / "scripts"


@pytest.fixture(autouse=True)
def scripts(monkeypatch):
    monkeypatch.syspath_prepend(str(SCRIPTS))


def test_the_limit_has_every_product_of_the_step():
    """784-512-20 forward, by the weights and, but for the first layer, by the inputs: eleven of two matrices."""
    from benchmarks.cases import CASES
    from benchmarks.limit import products

    found = products(CASES["mlp_vae_32"])
    layers = [(784, 512), (512, 40), (20, 512), (512, 784)]
    assert sum(32 * a * b for a, b in layers) * 3 - 32 * 784 * 512 == sum(
        np.prod(left) * right[1 - right_axis] for left, right, _, right_axis in found
    )
    assert len(found) == 11


def test_ratios_are_taken_round_by_round():
    from benchmarks.duels import Times, ratio, summary

    ours, theirs = Times([1.0, 2.0, 4.0]), Times([3.0, 6.0, 4.0])
    assert ratio(ours, theirs) == [3.0, 3.0, 1.0]
    assert summary([3.0, 3.0, 1.0]) == {"median": 3.0, "least": 1.0, "greatest": 3.0}


@pytest.mark.parametrize(
    ("ratios", "interval", "verdict"),
    [
        # P(all six on one side of the median) = 2 / 64 < 5%; of nine, P(one or none) = 2 (1 + 9) / 512 < 5%.
        ([1.03, 1.04, 1.05, 1.06, 1.07, 1.30], (1.03, 1.30), "slower"),
        ([1.01, 1.04, 1.05, 1.06, 1.07, 1.30], (1.01, 1.30), "as before"),
        ([0.70, 0.90, 0.91, 0.92, 0.93, 0.94, 0.95, 0.96, 1.40], (0.90, 0.96), "faster"),
        ([1.0] * 9, (1.0, 1.0), "as before"),
    ],
)
def test_a_case_changed_if_the_whole_interval_of_its_median_is_beyond_the_tolerance(ratios, interval, verdict):
    from benchmarks.commits import measure_change

    change = measure_change(ratios[::-1])
    assert (change.least, change.greatest) == interval
    assert change.verdict == verdict


def test_an_interval_misses_the_median_in_one_case_of_twenty_at_most():
    from benchmarks.commits import measure_change

    ratios = np.random.default_rng(0).lognormal(size=(4000, 9))  # whose median is 1
    changes = [measure_change(row) for row in ratios]
    held = np.mean([change.least <= 1 <= change.greatest for change in changes])
    assert 0.95 < held < 0.97  # 1 - 20 / 512 = 0.961, with a standard error of 0.003


def test_a_check_ends_with_1_if_a_case_became_slower(monkeypatch, capsys):
    from benchmarks import command, duels

    taken = []

    def take_turns(commands, rounds, say):
        taken.append(commands)
        seconds = {"before": 1.0, "after": 1.1 if commands["after"].case == "mlp_vae_32" else 1.0}
        return {label: duels.Times([seconds[label]] * rounds) for label in commands}

    monkeypatch.setattr(duels, "take_turns", take_turns)
    arguments = ["--rounds", "6", "--only", "burda_vae", "prdc"]
    assert command.main(["--check", "HEAD", *arguments], "") == 0
    assert command.main(["--check", "HEAD", *arguments, "mlp_vae_32"], "") == 1
    assert "| mlp_vae_32 | 1.100 [1.100 to 1.100] | slower |" in capsys.readouterr().out
    first = taken[0]
    assert [one.contestant for one in first.values()] == ["genjax", "genjax"]
    assert first["after"].scripts == SCRIPTS
    assert first["before"].scripts != SCRIPTS
    assert not first["before"].scripts.exists()  # the commit's files are gone again


def test_contestants_go_backwards_in_every_second_round(monkeypatch):
    from benchmarks import duels

    turns = []

    class Worker:
        def __init__(self, command):
            self.label, self.process = command.contestant, self
            self.stdin = self

        def write(self, text):
            turns.extend([self.label] * (text == "go"))

        def flush(self): ...
        def close(self): ...
        def wait(self): ...

    monkeypatch.setattr(duels, "_start", Worker)
    monkeypatch.setattr(duels, "_reply", lambda worker: {"seconds": 1.0, "peak_bytes": 1})
    times = duels.duel("any", ("a", "b"), 3, lambda line: None)
    assert turns == ["a", "b", "b", "a", "a", "b"]
    assert times["b"] == duels.Times([1.0] * 3, 1)


def test_a_missing_package_is_a_row_that_says_so():
    from benchmarks.report import markdown

    row = {"median": 0.002, "least": 0.001, "greatest": 0.003}
    one = {"median": 1.0, "least": 1.0, "greatest": 1.0}
    memory = {"peak_bytes": 2**30, "data_bytes": 2**20, "state_bytes": 2**21}
    rows = {
        "genjax": {"seconds": row, "examples_per_second": 64e3, "over_genjax": one, "memory": memory},
        "pythae": {"missing": "torch"},
    }
    text = markdown({"machine": {"processor": "one"}, "cases": {"mlp_vae_128": rows}})
    assert "| genjax, as `train.py` runs it | 2 [1 to 3] | 64,000 | 1 [1 to 1] |" in text
    assert "| pythae's trainer | not measured: `torch` is not installed | | |" in text
    assert "1,024 MiB, of which data 1.0 on each device and parameters with the optimiser's state 2.0" in text


def test_the_trials_of_a_case_differ_in_learning_rate_and_seed_alone():
    from benchmarks.cases import CASES, planned

    for case in CASES.values():
        first, *others = [configs.flatten(trial.config) for trial in planned(case)]
        assert first == configs.flatten(case.config())
        assert len(others) == case.trials - 1
        for other in others:
            assert {name for name in first if first[name] != other[name]} == {"seed", "hparams.learning_rate"}
        seen = {(one["seed"], one.get("hparams.learning_rate")) for one in (first, *others)}
        assert len({seed for seed, _ in seen}) == len({rate for _, rate in seen}) == case.trials


@pytest.mark.slow
def test_a_sweep_and_single_runs_in_a_row_train_the_same_trials():
    from benchmarks.cases import CASES
    from benchmarks.jax_contestants import genjax_in_a_row, genjax_sweep

    case = CASES["sweep_digits_vae"]._replace(config=CASES["one_layer"].config)  # which compiles soonest
    together, in_a_row = genjax_sweep(case), genjax_in_a_row(case)
    for _ in range(2):  # a round goes on from the one before
        states, alone = together(2), in_a_row(2)
    assert len(alone) == case.trials == 16
    assert {int(state.step) for state in alone} == set(states.step.tolist()) == {4}
    leaves = zip(*(jax.tree.leaves(state.params) for state in alone), strict=True)
    for ours, theirs in zip(jax.tree.leaves(states.params), leaves, strict=True):
        np.testing.assert_allclose(ours, np.stack(theirs), rtol=1e-4, atol=1e-6)
        assert len(np.unique(np.reshape(ours, (16, -1)), axis=0)) == 16


def test_a_sweep_s_figures_are_those_of_all_its_trials(monkeypatch, tmp_path, capsys):
    from benchmarks import command, duels
    from benchmarks.cases import CASES
    from benchmarks.limit import size, state_of

    def duel(name, contestants, rounds, say):
        times = [0.04, 0.06, 0.08, 0.08]  # genjax_sweep's first
        return {c: duels.Times([s] * rounds, 2**30) for c, s in zip(contestants, times, strict=True)}

    monkeypatch.setattr(duels, "duel", duel)
    path = tmp_path / "measured.json"
    assert command.main(["--only", "sweep_mlp_vae", "--rounds", "5", "--json", str(path)], "") == 0
    case, rows = CASES["sweep_mlp_vae"], json.loads(path.read_text())["cases"]["sweep_mlp_vae"]
    assert list(rows) == ["genjax_sweep", "genjax_in_a_row", "torch_eager", "torch_tuned"]
    assert rows["genjax_sweep"]["memory"]["state_bytes"] == 16 * size(state_of(case))
    text = capsys.readouterr().out
    assert f"A round is 16 trials x {case.steps} steps" in text
    assert "ms for 16 steps, one of each trial" in text
    assert "| genjax, all trials as one program, as `sweep.py` runs it | 40 [40 to 40] | 51,200 | 1 [1 to 1] |" in text
    assert "| PyTorch, eager, data as one tensor | 80 [80 to 80] | 25,600 | 2 [2 to 2] |" in text


def test_a_history_has_a_line_for_each_run_and_the_page_the_fastest_rival_of_each_case(monkeypatch, tmp_path):
    from benchmarks import command, duels

    paces = [{"torch_eager": 3.0, "torch_tuned": 2.0, "limit": 0.5}, {"torch_eager": 1.5, "torch_tuned": 2.0}]

    def duel(name, contestants, rounds, say):
        return {c: duels.Times([paces[0].get(c, 1.0)] * rounds, 2**30) for c in contestants}

    monkeypatch.setattr(duels, "duel", duel)
    history, page = tmp_path / "history.jsonl", tmp_path / "page.md"
    arguments = ["--rounds", "5", "--history", str(history), "--markdown", str(page), "--only"]
    assert command.main([*arguments, "dcgan_r1", "one_layer"], "") == 0
    paces.pop(0)
    assert command.main([*arguments, "dcgan_r1"], "") == 0
    first, second = [json.loads(line) for line in history.read_text().splitlines()]
    assert first["ratios"]["dcgan_r1"] == {"genjax": 1.0, "limit": 0.5, "torch_eager": 3.0, "torch_tuned": 2.0}
    assert (first["jax"], first["rounds"], list(second["ratios"])) == (jax.__version__, 5, ["dcgan_r1"])
    assert "| `dcgan_r1` | 2.00 | 1.50 |\n| `one_layer` | 1.00 |  |" in page.read_text()


def test_a_growth_is_a_table_and_a_picture_of_all_its_sizes(monkeypatch, tmp_path, capsys):
    from benchmarks import command, duels
    from benchmarks.growth import GROWTHS

    def duel(name, contestants, rounds, say):
        size = int(name.partition(":")[2])
        return {c: duels.Times([1e-6 * size * (2 if c == "limit" else 3)] * rounds) for c in contestants}

    monkeypatch.setattr(duels, "duel", duel)
    files = {"json": "x.json", "markdown": "page.md", "pictures": "."}
    options = [part for name, file in files.items() for part in (f"--{name}", str(tmp_path / file))]
    assert command.main(["--rounds", "5", *options, "--only", *GROWTHS], "") == 0
    assert "](growth_examples.png)" in (tmp_path / "page.md").read_text()
    text = capsys.readouterr().out
    assert "| examples of 8x8 pixels | genjax, ms | genjax, data on the host, ms | the limit, ms |" in text
    assert "| 10,000 | 30 [30 to 30] | 30 [30 to 30] | 20 [20 to 20] |" in text
    measured = json.loads((tmp_path / "x.json").read_text())["growth"]
    assert {name: [int(size) for size in rows] for name, rows in measured.items()} == {
        name: list(growth.sizes) for name, growth in GROWTHS.items()
    }
    assert sorted(path.stem for path in tmp_path.glob("*.png")) == sorted(GROWTHS)


@pytest.mark.parametrize("growth", ["growth_batch", "growth_width", "growth_pixels", "growth_examples"])
def test_what_grows_is_what_the_growth_says(growth):
    from benchmarks import growth as growths
    from benchmarks.cases import dataset

    small, large = (growths.case_of(f"{growth}:{size}").config() for size in growths.GROWTHS[growth].sizes[:2])
    changed = {name: (value, configs.flatten(large)[name]) for name, value in configs.flatten(small).items()}
    changed = {name: values for name, values in changed.items() if values[0] != values[1]}
    assert (
        changed
        == {
            "growth_batch": {"train.batch_size": (8, 16)},
            "growth_width": {"model.hidden": ((64,), (128,))},
            "growth_pixels": {"data.source": ("noise:5000x8", "noise:5000x16")},
            "growth_examples": {"data.source": ("noise:1000x8", "noise:10000x8")},
        }[growth]
    )
    if growth == "growth_examples":
        assert dataset(small).train.x.shape == (1000, 8, 8, 1)


def test_a_sweep_s_limit_is_that_of_all_its_trials(monkeypatch):
    from benchmarks import growth, limit

    ran = []
    monkeypatch.setattr(limit, "_timed", lambda product: lambda: ran.append(product))
    monkeypatch.setattr(limit, "_moved", lambda case: lambda: ran.append("moved"))
    one, four = (growth.case_of(f"growth_trials:{trials}") for trials in (1, 4))
    limit.limit(four)(2)
    assert ran == 2 * 4 * [*limit.products(one), "moved"]


def test_the_starts_have_the_settings_of_the_sweep_s_trials(tmp_path):
    from benchmarks import whole_runs
    from genjax.commands.arguments import assignments
    from genjax.sweeps import plan, settings

    (tmp_path / "sweep.py").write_text(whole_runs.SWEEP)
    sweep = configs.load(tmp_path / "sweep.py")
    settings.check(sweep)
    trials = plan.make_trials(sweep, plan.make_points(sweep))
    started = []
    for script, flag, path, *rest in whole_runs.starts_of_sweep():
        assert (script, flag) == ("train.py", "--config")
        started.append(configs.override(configs.load(Path(path)), assignments(rest)))
    assert [configs.to_json(config) for config in started] == [configs.to_json(trial.config) for trial in trials]
    assert len(plan.group_trials(trials)) == 1
    assert len({configs.digest(config) for config in started}) == 16


def test_a_sweep_and_its_starts_take_turns(monkeypatch, capsys):
    from benchmarks import command, whole_runs

    ran = []

    def in_a_row(commands, folder, environment):
        ran.append([script for script, *_ in commands])
        return 10.0 if ran[-1] == ["sweep.py"] else 25.0

    monkeypatch.setattr(whole_runs, "_in_a_row", in_a_row)
    assert command.main(["--only", "sweep_runs"], "") == 0
    assert ran == [["sweep.py"], ["train.py"], *[["sweep.py"], ["train.py"] * 16] * 3]
    text = capsys.readouterr().out
    assert "16 trials x 1,000 steps, 3 rounds" in text
    assert "| the starts' time over the sweep's | 2.5 [2.5 to 2.5] |" in text


@pytest.mark.parametrize(
    ("module", "arguments", "message"),
    [
        ("benchmarks", ["--rounds", "4"], "5 rounds at least"),
        ("benchmarks", ["--rounds", "x"], "5 rounds at least"),
        ("benchmarks", ["--only", "nothing"], "invalid choice"),
        ("benchmarks", ["--json", "nowhere/x.json"], "there is no folder nowhere"),
        ("benchmarks", ["--pictures", "nowhere"], "there is no such folder"),
        ("benchmarks", ["nothing"], "unrecognized arguments"),
        ("benchmarks", ["--check", "no-such-commit"], "invalid reference: no-such-commit"),
        ("benchmarks", ["--check", "a", "b", "c"], "or two"),
        ("benchmarks", ["--check", "HEAD", "--rounds", "5"], "6 rounds at least"),
        ("benchmarks", ["--check", "HEAD", "--json", "x.json"], "no --json"),
        ("benchmarks", ["--check", "HEAD", "--only", "runs"], "runs is neither"),
        ("results", ["likelyhood"], "the nearest is 'likelihood'"),
        ("results", ["--runs"], "expected one argument"),
    ],
)
def test_wrong_arguments_are_refused_in_one_line(module, arguments, message, capsys):
    assert importlib.import_module(f"{module}.command").main(arguments, "") == 2
    line = capsys.readouterr().err
    assert message in line
    assert line.startswith("error: ")
    assert line.count("\n") == 1
