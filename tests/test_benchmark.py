"""What `scripts/benchmark.py` counts and prints; its contestants' times are measured by running it."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

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
    assert "1,024 MiB, of which data 1.0 and parameters with the optimiser's state 2.0" in text


@pytest.mark.parametrize(
    ("arguments", "message"), [(["--rounds", "4"], "5 rounds at least"), (["--only", "nothing"], "invalid choice")]
)
def test_wrong_arguments_are_refused(arguments, message):
    command = [sys.executable, str(SCRIPTS / "benchmark.py"), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == 2
    assert message in done.stderr
    assert "Traceback" not in done.stderr
