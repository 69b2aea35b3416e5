"""`genjax compare`: settings that differ, and paired differences over common seeds."""

import json
import shutil

import numpy as np
import pytest
import trained
from scipy import stats

from genjax.commands import main
from genjax.reports import comparison
from genjax.reports.differences import MOST, POWER, paired_difference, seeds_needed
from genjax.reports.groups import read_groups


def test_a_difference_is_that_of_a_paired_t_test():
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(2, 6))
    difference = paired_difference(dict(enumerate(a)), dict(enumerate(b)))
    test = stats.ttest_rel(a, b)
    interval = test.confidence_interval(0.95)
    assert difference is not None
    assert difference[:4] == pytest.approx((np.mean(a - b), interval.low, interval.high, 6))


def test_only_common_seeds_with_finite_values_count():
    ours, theirs = {0: 1.0, 1: 2.0, 2: float("nan"), 7: 5.0}, {0: 0.0, 1: 1.5, 2: 0.0, 8: 3.0}
    difference = paired_difference(ours, theirs)
    assert difference is not None
    assert (difference.mean, difference.seeds) == (0.75, 2)
    assert paired_difference({0: 1.0}, {1: 1.0}) is None
    one = paired_difference({0: 1.0}, {0: 0.5})
    assert one is not None
    assert one[1:] == (None, None, 1, None)


@pytest.mark.parametrize("effect", [0.3, 1.0, 2.5])
def test_as_many_seeds_as_are_needed_find_the_effect(effect):
    """By simulation: the power is reached with that many, and not with one less."""
    n = seeds_needed(effect, 1.0)
    assert n is not None
    rng, powers = np.random.default_rng(1), []
    for count in (n - 1, n):
        x = rng.normal(effect, 1.0, size=(40_000, count))
        powers.append(np.mean((stats.ttest_1samp(x, 0.0, axis=1).pvalue < 0.05) & (x.mean(axis=1) > 0)))
    assert powers[0] < POWER + 0.005
    assert powers[1] > POWER - 0.005


@pytest.mark.parametrize(("mean", "std", "needed"), [(0.0, 1.0, None), (1e-9, 1.0, None), (1e9, 1.0, 2), (1.0, 0.0, 2)])
def test_extremes_of_an_effect(mean, std, needed):
    assert seeds_needed(mean, std) == needed
    assert needed is None or needed <= MOST


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Two folders of runs, each with two seeds, one of them evaluated; and a sweep."""
    folder = tmp_path_factory.mktemp("compared")
    sweep = trained.sweep(folder / "sweep", best=4)
    for path in sorted((sweep / "best").iterdir()):
        settings = json.loads((path / "config.json").read_text())
        name = "low" if settings["hparams.beta"] == 0.5 else "high"
        shutil.copytree(path, folder / name / f"seed-{settings['seed']}")
        loss = {"low": 10.0, "high": 12.0}[name] + settings["seed"]
        result = {"metric": "fid", "value": loss, "error": None, "unit": "", "protocol": {"split": "test", "step": 2}}
        (folder / name / f"seed-{settings['seed']}" / "evaluation.json").write_text(
            json.dumps({"step": 2, "test/loss": loss, "results": [result]})
        )
    return folder


def test_a_folder_of_seeds_is_one_group(folder):
    groups = read_groups([folder / "low", folder / "high"])
    assert [sorted(group.members) for group in groups] == [[0, 1], [0, 1]]
    settings, metrics = comparison.tables(groups)
    assert list(map(list, settings.rows)) == [["hparams.beta", "0.5", "2.0"]]
    rows = {(row[0], row[1]): row[2:] for row in metrics.rows}
    for name in ("test/loss", "fid (split test)"):
        assert rows[name, str(folder / "low")] == [10.5, pytest.approx(0.5**0.5), 2, None, None, None, None]
        assert rows[name, str(folder / "high")] == [12.5, pytest.approx(0.5**0.5), 2, 2.0, "2 to 2", 2, 2]


def test_the_points_of_a_sweep_are_groups(folder):
    groups = read_groups([folder / "sweep"])
    assert [group.name for group in groups] == [f"{folder / 'sweep'} beta={beta}" for beta in (0.5, 2.0)]
    rows = (folder / "sweep" / "trials.csv").read_text().splitlines()
    column = rows[0].split(",").index("test/loss")
    losses = [float(row.split(",")[column]) for row in rows[1:]]
    values = [row[2] for row in comparison.tables(groups)[1].rows if row[0] == "test/loss"]
    assert values == pytest.approx([np.mean(losses[:2]), np.mean(losses[2:])])


def test_curves_are_means_over_seeds(folder):
    low = read_groups([folder / "low"])[0]
    steps, values = comparison.mean_curve(low, "loss")
    own = [member.curves["loss"] for member in low.members.values()]
    assert steps == [2]
    assert values == pytest.approx([np.mean([curve[0][1] for curve in own])])


def test_the_command_prints_tables_and_writes_a_page(folder, capsys, tmp_path):
    arguments = ["compare", str(folder / "low"), str(folder / "high")]
    assert main.main(arguments) == 0
    out = capsys.readouterr().out
    assert "Settings that differ:" in out
    assert "fid (split test)" in out
    pytest.importorskip("plotly")
    assert main.main([*arguments, "--out", str(tmp_path / "c.html")]) == 0
    page = (tmp_path / "c.html").read_text()
    assert "<td>fid (split test)</td>" in page
    assert page.count('class="figure"') == len(read_groups([folder / "low"])[0].members[0].curves)


def test_of_several_steps_the_one_counts_at_which_training_ended(folder, tmp_path):
    run = shutil.copytree(folder / "low" / "seed-0", tmp_path / "runs" / "a")
    of_steps = [
        {"metric": "fid", "value": value, "protocol": {"split": "test", "step": step}}
        for step, value in ((2, 1.0), (1, 5.0), (3, 7.0))
    ]
    (run / "evaluation.json").write_text(json.dumps({"step": 2, "results": of_steps}))
    (group,) = read_groups([tmp_path / "runs"])
    assert group.members[0].metrics["fid (split test)"] == 1.0


def test_wrong_input_is_one_line(folder, tmp_path, capsys):
    twice, seedless = tmp_path / "twice", shutil.copytree(folder / "low", tmp_path / "seedless")
    path = seedless / "seed-0" / "config.json"
    path.write_text(json.dumps({k: v for k, v in json.loads(path.read_text()).items() if k != "seed"}))
    for name in ("a", "b"):
        shutil.copytree(folder / "low" / "seed-0", twice / name)
    cases = [
        ([tmp_path / "nowhere"], "nowhere: no such folder"),
        ([folder / "low"], "holds one group of runs: there is nothing to compare it with"),
        ([seedless, folder / "high"], "config.json cannot be read: it has no seed"),
        ([twice], "holds two runs of the seed 0 with the same settings"),
        ([folder / "low" / "seed-0" / "checkpoints"], "holds no run and no sweep that can be read"),
    ]
    for paths, message in cases:
        assert main.main(["compare", *map(str, paths)]) == 2
        error = capsys.readouterr().err
        assert message in error
        assert error.count("\n") == 1
