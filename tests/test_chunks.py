"""One schedule cuts the steps of runs and of sweeps, wherever they were interrupted."""

import pytest
from ml_collections import ConfigDict

from genjax.runs.chunks import schedule

TRAIN = ConfigDict({"log_every": 10, "evaluate_every": 30, "checkpoint_every": 20})


@pytest.mark.parametrize("start", [0, 1, 9, 10, 25, 30, 54])
def test_chunks_end_where_those_of_an_uninterrupted_run_end(start):
    whole = [chunk.step for chunk in schedule(TRAIN, 0, 55)]
    assert whole == [10, 20, 30, 40, 50, 55]
    parts = list(schedule(TRAIN, start, 55))
    assert [chunk.step for chunk in parts] == [step for step in whole if step > start]
    assert sum(chunk.length for chunk in parts) == 55 - start


@pytest.mark.parametrize(
    ("also", "evaluated", "saved"),
    [
        (0, [30, 55], [20, 30, 40, 55]),
        (20, [20, 30, 40, 55], [20, 30, 40, 55]),
        (50, [30, 50, 55], [20, 30, 40, 50, 55]),
    ],
)
def test_what_is_evaluated_is_saved(also, evaluated, saved):
    chunks = list(schedule(TRAIN, 0, 55, evaluate_also_every=also))
    assert [chunk.step for chunk in chunks if chunk.evaluate] == evaluated
    assert [chunk.step for chunk in chunks if chunk.save] == saved


def test_a_finished_run_has_no_chunk():
    assert list(schedule(TRAIN, 55, 55)) == []
