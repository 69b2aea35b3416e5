"""Two axes of a sweep against each other, as cells or as points, and the bar of ranks."""

import numpy as np
import pytest
from figures import drawn_figures
from matplotlib.collections import QuadMesh
from swept import CASES, NAN, RANDOM, VAE, learning, results

from genjax.plots import sweep_effects as effects
from genjax.plots import sweep_maps as maps
from genjax.plots import sweep_scales as laid

DIAGONAL = results({"a.x": [1, 2, 3, 4], "a.rate": [1e-4, 1e-3, 1e-2, 0.1]}, [4, 3, 2, NAN])
LETTERS = [chr(ord("a") + i) for i in range(20)]


@pytest.mark.parametrize(
    ("case", "expected"),
    [("vae", ["beta", "learning_rate"]), ("gan", ["learning_rate", "r1_weight", "loss"]), ("random", [])],
)
def test_heat_chooses_its_axes(case, expected):
    swept = CASES[case]
    scales = {name: laid.scale(values) for name, values in laid.short_names(swept).items()}
    assert sorted(laid.chosen_axes(scales, laid.points_of(swept), swept.goal)) == sorted(expected)


def test_heat_shows_the_cells_means_and_what_diverged(tmp_path, monkeypatch):
    figures = drawn_figures(monkeypatch)
    swept = results({"x": [1, 2, 1, 2, 1], "y": [1, 1, 2, 2, 1]}, [1, NAN, 3, 4, 2])
    assert maps.heat(tmp_path / "heat.png", swept)
    axes = figures[0].axes[0]
    np.testing.assert_array_equal(axes.collections[0].get_array().filled(-1), [[1.5, -1], [3, 4]])
    assert [text.get_text() for text in axes.texts] == ["1.50", "3.00", "4.00"]
    assert [patch.get_hatch() is not None for patch in axes.patches] == [True]


@pytest.mark.parametrize(
    ("swept", "mesh"),
    [
        (VAE, True),
        (DIAGONAL, False),
        (RANDOM, False),
        (results({"x": LETTERS, "y": list(range(20))}, range(20)), False),
        (results({"x": [1, 2, 1], "y": [1, 1, 2]}, [1, 2, 3]), True),
    ],
)
def test_a_heat_map_that_would_be_empty_is_a_scatter(tmp_path, monkeypatch, swept, mesh):
    figures = drawn_figures(monkeypatch)
    assert maps.heat(tmp_path / "heat.png", swept)
    assert isinstance(figures[0].axes[0].collections[0], QuadMesh) is mesh


def test_a_scatter_shows_every_point_and_what_diverged(tmp_path, monkeypatch):
    figures = drawn_figures(monkeypatch)
    maps.heat(tmp_path / "heat.png", DIAGONAL)
    axes, bar = figures[0].axes
    dots, crosses = axes.collections
    np.testing.assert_allclose(dots.get_offsets(), np.array([[0, 0], [1, 1], [2, 2]]) / 3)
    np.testing.assert_array_equal(dots.get_array(), [4, 3, 2])
    np.testing.assert_allclose(crosses.get_offsets(), [[1, 1]])
    assert [axes.get_xlabel(), axes.get_ylabel()] == ["x", "rate"]
    assert [text.get_text() for text in axes.get_xticklabels()] == ["1", "2", "3", "4"]
    assert bar.get_ylabel() == "validation/loss (lower is better)"


def test_one_axis_has_no_map(tmp_path):
    assert not maps.heat(tmp_path / "heat.png", results({"x": [1, 2]}, [1, 2]))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("count", [2, 3, 6, 12, 16, 100])
def test_ranks_are_whole_and_evenly_ticked(tmp_path, monkeypatch, count):
    figures = drawn_figures(monkeypatch)
    swept = results({"x": list(range(count))}, range(count))
    maps.parallel_coordinates(tmp_path / "a.png", swept)
    effects.ranked_curves(tmp_path / "b.png", *learning(swept), swept)
    for figure in figures:
        (bar,) = (axes for axes in figure.axes if axes.get_ylabel() == "rank")
        ticks = bar.get_yticks()
        assert ticks[0] == 1
        assert len(set(np.diff(ticks))) == 1
        assert ticks.tolist() == [round(tick) for tick in ticks]
        assert ticks[-1] > 0.7 * count
