"""Pictures of a sweep: what they choose to show, against values by hand, and that they bear whatever a sweep holds."""

import numpy as np
import pytest
from cases import few_quick
from figures import drawn_figures
from PIL import Image
from swept import CASES, GAN, MINUS, NAN, learning, results

from genjax import plots
from genjax.plots import sweep_effects as effects
from genjax.plots import sweep_maps as maps
from genjax.plots import sweep_scales as laid
from genjax.plots.figure import GAP, LARGEST

PICTURES = {
    "axis_effects": effects.axis_effects,
    "heat": maps.heat,
    "parallel_coordinates": maps.parallel_coordinates,
    "ranked_curves": lambda path, swept: effects.ranked_curves(path, *learning(swept), swept),
    "no_curves": lambda path, swept: effects.ranked_curves(path, np.arange(3), learning(swept)[1][:, :3] * NAN, swept),
}


@pytest.mark.parametrize("picture", PICTURES)
@pytest.mark.parametrize("case", few_quick(list(CASES), 3))
def test_every_sweep_can_be_drawn(tmp_path, case, picture):
    drawn = PICTURES[picture](tmp_path / "a.png", CASES[case])
    assert [p.name for p in tmp_path.iterdir()] == ["a.png"] * (drawn is not False)
    if drawn is not False:
        with Image.open(tmp_path / "a.png") as image:
            assert image.format == "PNG"
            assert len(np.unique(np.asarray(image))) > 10
        assert (tmp_path / "a.png").stat().st_size < LARGEST


@pytest.mark.slow
@pytest.mark.parametrize("picture", PICTURES)
def test_the_same_bytes_whatever_the_users_settings(tmp_path, picture):
    import matplotlib

    PICTURES[picture](tmp_path / "a.png", GAN)
    with matplotlib.rc_context({"axes.facecolor": "red", "font.size": 20, "hatch.linewidth": 5}):
        PICTURES[picture](tmp_path / "b.png", GAN)
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([], (0, 1)),
        ([NAN, np.inf], (0, 1)),
        ([3], (3, 3)),
        ([1, 2, 3, 4], (1, 4)),
        ([1, 2, 3, 1e6], (1, 3)),
        ([1, 2, -1e6, NAN], (1, 2)),
        ([5, 20, 22], (5, 22)),
        ([0, 0, 0, 1], (0, 1)),
        ([7, 7, 7, 7, 1e6], (7, 7)),
    ],
)
def test_limits(values, expected):
    assert laid.limits(np.array(values, float)) == expected


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([1, 2, 3, 1e6], (1, 3, False)),
        ([0.01, 0.03, 0.1, 0.4, 1, 2], (0.01, 2, True)),
        ([-1, 0.03, 0.1, 0.4, 1, 2], (-1, 2, False)),
        ([5, 5], (4.75, 5.25, False)),
        ([0], (-0.05, 0.05, False)),
    ],
)
def test_view(values, expected):
    assert laid.view(np.array(values, float)) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("values", "kind", "places", "labels"),
    [
        ([1, 3, 2], "linear", [0, 1, 0.5], ["1", "2", "3"]),
        ([1, 29], "linear", [0, 1], ["1", "29"]),
        ([1e-4, 1e-2, 1e-3], "log", [0, 1, 0.5], ["0.0001", "0.001", "0.01"]),
        ([0, 1, 10, 100], "log", [0, 1 / 3, 2 / 3, 1], ["0", "1", "10", "100"]),
        ([-1, 100], "linear", [0, 1], [MINUS + "1", "100"]),
        ([4.0], "linear", [0.5], ["4"]),
        (["b", "c", "a"], "categorical", [0.5, 1, 0], ["a", "b", "c"]),
        ([True, False], "categorical", [1, 0], ["False", "True"]),
        ([(8,), (4, 4), [8]], "categorical", [1, 0, 1], ["(4, 4)", "(8,)"]),
        ([None, 3], "categorical", [0, 1], ["default", "3"]),
        (["x" * 30], "categorical", [0.5], ["x" * 23 + "\N{HORIZONTAL ELLIPSIS}"]),
    ],
)
def test_scale(values, kind, places, labels):
    axis = laid.scale(values)
    assert (axis.kind, axis.labels) == (kind, labels)
    np.testing.assert_allclose(axis.places, places, atol=1e-12)


def test_many_values_have_round_ticks_and_decades_only_where_they_fill_them():
    even = np.linspace(0.001, 10, 100)
    assert laid.scale(even.tolist()).kind == "linear"
    assert laid.scale(even.tolist()).labels == ["2", "4", "6", "8", "10"]
    assert laid.scale(even.tolist()).ends == ["0.001", "10"]
    std = laid.scale((10 ** np.linspace(-6, -2, 100)).tolist())
    assert (std.kind, std.labels) == (
        "log",
        ["1e\N{MINUS SIGN}6", "1e\N{MINUS SIGN}5", "0.0001", "0.001", "0.01"],
    )


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([1024, 0.5], ["1024", "0.5"]),
        ([2134.5, 99999.4], ["2130", "100000"]),
        ([0.12345, -0.0], ["0.123", "0"]),
        ([1e6, 3e-7], ["1e6", f"3e{MINUS}7"]),
        ([0.12341, 0.12342], ["0.12341", "0.12342"]),
        ([-2.5, -2.5], [MINUS + "2.5"] * 2),
    ],
)
def test_numerals(values, expected):
    assert laid.numerals(np.array(values)) == expected


@pytest.mark.parametrize(("goal", "ranks"), [("min", [2, 3, 1, 0, 0]), ("max", [3, 2, 1, 0, 0])])
def test_points_average_over_finite_seeds(goal, ranks):
    values = [1, 3, NAN, 5, NAN, 0 if goal == "min" else 9, NAN, NAN]
    swept = results({}, values, [4, 4, 4, 7, 7, 9, 11, 12], [False] * 7 + [True], goal)
    points = laid.points_of(swept)
    np.testing.assert_array_equal(points.of, [0, 0, 0, 1, 1, 2, 3, 4])
    np.testing.assert_allclose(points.mean, [2, 5, values[5], NAN, NAN])
    np.testing.assert_allclose(points.std, [2**0.5, NAN, NAN, NAN, NAN])
    np.testing.assert_array_equal(points.rank, ranks)
    np.testing.assert_array_equal(points.diverged, [False] * 4 + [True])


@pytest.mark.parametrize(
    ("places", "gap", "kept"),
    [([], 1, []), ([0.5], 1, [0]), ([0, 0.1, 0.5, 0.95, 1], 0.2, [0, 2, 4]), ([0, 0.5, 1], 0.6, [0, 2])],
)
def test_thinned(places, gap, kept):
    assert laid.thinned(np.array(places), gap) == kept


def test_dodged_points_keep_their_order_and_their_distance():
    moved = laid.dodged(np.array([0, 1, 0, 0, 0.5, 0, 0]), 0.8)
    np.testing.assert_allclose(moved, [-0.2, 1, -0.1, 0, 0.5, 0.1, 0.2], atol=1e-12)


@pytest.mark.parametrize(
    ("names", "short"),
    [(["hparams.beta", "model.latent"], ["beta", "latent"]), (["a.x", "b.x"], ["a.x", "b.x"]), ([], ["point"])],
)
def test_short_names(names, short):
    assert list(laid.short_names(results({name: [1] for name in names}, [1]))) == short


def test_wrapped():
    assert laid.wrapped("best: learning_rate=1", 16) == "best:\nlearning_rate=1"
    assert laid.wrapped("discriminator_learning_rate", 18) == "discriminator_\nlearning_rate"
    assert laid.wrapped("$x$", 9) == r"\$x\$"


def test_an_objective_of_counts_has_whole_ticks_and_its_unit(tmp_path, monkeypatch):
    figures = drawn_figures(monkeypatch)
    swept = results({"x": [1, 2, 1, 2], "y": [1, 1, 2, 2]}, [1, 2, 3, 3])._replace(unit="modes")
    effects.axis_effects(tmp_path / "axes.png", swept)
    maps.heat(tmp_path / "heat.png", swept)
    effects.ranked_curves(tmp_path / "curves.png", np.arange(2), np.ones((4, 2)) * swept.values[:, None], swept)
    for axis in (figures[0].axes[0].yaxis, figures[1].axes[1].yaxis, figures[2].axes[0].yaxis):
        low, high = sorted(axis.get_view_interval())
        assert [tick for tick in axis.get_majorticklocs() if low <= tick <= high] == [1, 2, 3]
    assert "validation/loss, modes" in figures[2].axes[0].get_ylabel()


def test_seeds_stand_side_by_side_and_their_deviations_are_shown(tmp_path, monkeypatch):
    figures = drawn_figures(monkeypatch)
    effects.axis_effects(tmp_path / "a.png", results({"prior": ["a"] * 2 + ["b"] * 2}, [1, 9, 4, 5], [0, 0, 1, 1]))
    axes = figures[0].axes[0]
    (dots,) = (c for c in axes.collections if c.get_label() == "trial")
    x = dots.get_offsets()[:, 0]
    assert x[0] < 0 < x[1] < x[2] < 1 < x[3]
    assert axes.get_ylim()[0] < 5 - np.std([1, 9], ddof=1)


def test_curves_mark_what_lies_beyond(tmp_path, monkeypatch):
    figures = drawn_figures(monkeypatch)
    curves = np.array([[3, 2, 1], [4, 2, 1.5], [4, 3, 2], [1e9, 3, 2]])
    effects.ranked_curves(tmp_path / "a.png", np.arange(3), curves, results({"x": [1, 2, 3, 4]}, [1, 1.5, 2, 2]))
    axes = figures[0].axes[0]
    (marks,) = axes.collections
    np.testing.assert_allclose(marks.get_offsets(), [[0, 0.97]])
    assert [text.get_text() for text in axes.get_legend().get_texts()] == ["beyond the axis"]


def test_effects_mark_what_diverged_and_what_lies_beyond(tmp_path, monkeypatch):
    figures = drawn_figures(monkeypatch)
    effects.axis_effects(tmp_path / "a.png", results({"x": [1, 2, 3, 4, 5]}, [1, 2, 3, 1e6, NAN]))
    axes = figures[0].axes[0]
    assert 3 < axes.get_ylim()[1] < 4
    marks = {c.get_label(): c.get_offsets()[0] for c in axes.collections if c.get_label() in effects.LEGEND}
    assert list(marks) == ["beyond the axis", "diverged"]
    np.testing.assert_allclose(list(marks.values()), [[0.75, 0.91], [1, 0.97]])
    words = [text.get_text() for text in figures[0].legends[0].get_texts()]
    assert words == ["point", "median of the points", "beyond the axis", "diverged"]


def test_curves_are_drawn_from_the_worst_to_the_best(tmp_path, monkeypatch):
    figures = drawn_figures(monkeypatch)
    curves = np.array([[9, 2, 1], [9, 3, NAN], [9, NAN, NAN], [8, 1, 0.0]])
    effects.ranked_curves(tmp_path / "a.png", np.arange(3), curves, results({}, [1, 3, NAN, 0]))
    lines = [line.get_ydata().tolist() for line in figures[0].axes[0].lines if len(line.get_ydata()) > 0]
    assert lines == [[9], [9], [9, 3], [3], [9, 2, 1], [8, 1, 0]]  # with the dots that end two of them


def test_a_sweep_without_any_evaluation_has_a_picture(tmp_path):
    effects.ranked_curves(tmp_path / "a.png", np.zeros(0, int), np.zeros((2, 0)), results({}, [1, 2]))
    assert (tmp_path / "a.png").stat().st_size > 0


def test_rows_of_samples(tmp_path, monkeypatch):
    figures = drawn_figures(monkeypatch)
    draws = np.random.default_rng(0)
    cloud = draws.normal(size=(50, 2))
    far = np.concatenate([cloud, [[1e6, 0], [NAN, 0]]])
    effects.sample_rows(tmp_path / "points.png", [("best", cloud), ("worst", far)])
    left, right = figures[0].axes
    assert left.get_xlim() == right.get_xlim()
    assert [axes.get_title(loc="left") for axes in (left, right)] == ["best", "worst (2 of 52 outside)"]
    images = draws.random((15, 8, 8, 1), np.float32)
    for name in ("a.png", "b.png"):
        effects.sample_rows(tmp_path / name, [("best", images), ("a label so long that " * 4, images[:2])])
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()
    shown = figures[1].axes[0].images[0].get_array()  # 2 rows of 12 tiles, enlarged 8 times
    assert shown.shape == (2 * 64 + GAP, 12 * 64 + 11 * GAP, 3)
    np.testing.assert_array_equal(shown[68::8, 68:132:8, 0], plots.to_uint8(images[1, :, :, 0]))
