"""A small run and a small sweep, compiled for a GPU and a TPU that are not there."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from genjax.rehearsal.devices import find_device
from genjax.rehearsal.targets import missing

ROOT = Path(__file__).parents[1]
pytestmark = [pytest.mark.slow, pytest.mark.accelerators]


def rehearse(folder, *words):
    """What the command writes as JSON of each device."""
    path = folder / "rehearsal.json"
    command = [sys.executable, str(ROOT / "scripts" / "rehearse.py"), *words, "--json", str(path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "compiled, not measured" in done.stdout
    return json.loads(path.read_text())["rehearsals"]


@pytest.fixture(params=["h100", "v5e"])
def device(request):
    device = find_device(request.param)
    if line := missing(device.platform):
        pytest.skip(line)
    return device


def test_a_run_compiles_and_its_batch_is_exchanged_among_devices(device, tmp_path):
    words = ["--config", "configs/ae_onelayer_digits.py", "--device", device.name, "--trials", "1", "8"]
    (alone,) = rehearse(tmp_path, *words)
    (shared,) = rehearse(tmp_path, *words, "--devices", "2")
    train, eight = (next(p for p in r["parts"][0]["programs"] if p["name"] == "train") for r in (alone, shared))
    assert (train["error"], train["collectives"]) == ("", 0)
    assert (eight["error"], eight["collectives"] > 0) == ("", True)
    assert train["flops"] > eight["flops"] > 0
    low, high = alone["parts"][0]["job_seconds"]
    assert 0 < low < high
    assert alone["parts"][0]["fits"] > 1000
    paces = {pace["trials"]: pace["steps_per_second"] for pace in alone["parts"][0]["paces"]}
    assert paces[8][0] > paces[1][0]


def test_a_sweep_compiles_in_one_slice_and_gains_by_it(device, tmp_path):
    (record,) = rehearse(tmp_path, "--config", "configs/sweeps/vae_digits.py", "--device", device.name)
    (part,) = record["parts"]
    assert (part["trials"], part["slices"], part["fits"] > 1000) == (48, 1, True)
    compiled = [(p["name"], p["trials"], p["error"]) for p in part["programs"]]
    assert compiled == [(name, count, "") for count in (1, 48) for name in ("train", "evaluate")]
    alone, together = part["paces"]
    assert alone["gain"] == [1, 1]
    assert 1 < together["gain"][0] <= together["gain"][1] <= 48
