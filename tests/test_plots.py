"""Pictures: every tile in its place, every pixel its value, the same bytes every time."""

import chex
import numpy as np
import pytest
from figures import drawn_figures
from PIL import Image

from genjax import plots
from genjax.evaluation.pictures import kl_per_dimension
from genjax.plots.figure import GAP, GREY, LARGEST
from genjax.plots.images import enlarge


def read(path):
    with Image.open(path) as image:
        return np.asarray(image.convert("RGB"))


def noise(*shape, seed=0):
    return np.random.default_rng(seed).random(shape, np.float32)


def contains(picture, tile):
    """Whether the bytes of `tile` `[H, W]` stand anywhere in the grey `picture` `[H', W']`."""
    windows = np.lib.stride_tricks.sliding_window_view(picture, tile.shape)
    candidates = np.argwhere(windows[..., 0, 0] == tile[0, 0])
    return any((windows[i, j] == tile).all() for i, j in candidates)


@pytest.mark.parametrize(
    ("n", "columns", "gap", "channels", "expected"),
    [(6, 3, 1, 1, (9, 17, 1)), (5, 3, 2, 3, (10, 19, 3)), (2, 8, 0, 1, (4, 10, 1)), (1, 1, 3, 3, (4, 5, 3))],
)
def test_grid_puts_each_image_in_its_place(n, columns, gap, channels, expected):
    images = noise(n, 4, 5, channels) * 0.9
    grid = plots.image_grid(images, columns, gap)
    chex.assert_shape(grid, expected)
    across = min(n, columns)
    expected_grid = np.full_like(grid, GREY)
    for i, image in enumerate(images):
        top, left = (i // across) * (4 + gap), (i % across) * (5 + gap)
        np.testing.assert_array_equal(grid[top : top + 4, left : left + 5], image)
        expected_grid[top : top + 4, left : left + 5] = image
    np.testing.assert_array_equal(grid, expected_grid)


@pytest.mark.parametrize(
    ("value", "byte"), [(0.0, 0), (1.0, 255), (0.5, 128), (-3.0, 0), (7.0, 255), (np.nan, 0), (np.inf, 255)]
)
def test_bytes(value, byte):
    assert plots.to_uint8(np.array([value], np.float32)) == byte


@pytest.mark.parametrize(("shape", "factor"), [((8, 8, 1), 100), ((71, 71, 3), 11), ((30, 900, 1), 1)])
def test_a_saved_tile_is_enlarged_pixel_by_pixel(tmp_path, shape, factor):
    image = noise(*shape)
    plots.samples(tmp_path / "image.png", image[None])
    saved = read(tmp_path / "image.png")
    chex.assert_shape(saved, (shape[0] * factor, shape[1] * factor, 3))
    pixels = np.kron(plots.to_uint8(image), np.ones((factor, factor, 1), np.uint8))
    np.testing.assert_array_equal(saved, np.broadcast_to(pixels, saved.shape))


def test_samples_are_tiles_of_whole_pixels(tmp_path):
    images = noise(64, 8, 8, 1)
    plots.samples(tmp_path / "samples.png", images)
    saved = read(tmp_path / "samples.png")[..., 0]
    chex.assert_shape(saved, (796, 796))  # 8 tiles of 8 x 12 pixels and 7 gaps of 4
    np.testing.assert_array_equal(saved[106:196:12, 206:296:12], plots.to_uint8(images[10])[..., 0])


def test_a_grey_gap_is_between_white_images(tmp_path):
    white = np.ones((5, 8, 8, 1), np.float32)
    pictures = {
        "samples.png": lambda path: plots.samples(path, white, columns=3),
        "pairs.png": lambda path: plots.pairs(path, white, white, ("input", "reconstruction"), columns=3),
        "traversal.png": lambda path: plots.traversal(path, white[None, :4], np.arange(4), [0]),
        "rows.png": lambda path: plots.sample_rows(path, [("best", white), ("worst", white)]),
    }
    for name, draw in pictures.items():
        draw(tmp_path / name)
        pixels = read(tmp_path / name)[..., 0]
        grey = ((pixels > 150) & (pixels < 240)).sum(axis=0)
        assert (grey > 60).any(), name  # a column of pixels between two tiles


@pytest.mark.parametrize(("n", "channels"), [(64, 1), (25, 3)])
def test_large_noise_stays_small(tmp_path, n, channels):
    plots.samples(tmp_path / "samples.png", noise(n, 80, 80, channels))
    assert read(tmp_path / "samples.png").size > LARGEST
    assert (tmp_path / "samples.png").stat().st_size <= LARGEST


def test_reconstruction_stands_under_its_input(tmp_path):
    inputs, outputs = noise(3, 8, 8, 1), noise(3, 8, 8, 1, seed=1)
    plots.pairs(tmp_path / "pairs.png", inputs, outputs, ("input", "reconstruction"), columns=2)
    picture = read(tmp_path / "pairs.png")[..., 0]
    for x, y in zip(inputs, outputs, strict=True):
        pair = np.concatenate([x, y])
        tile = plots.to_uint8(enlarge(pair, 50))[..., 0]
        stacked = np.insert(tile, 400, np.full((GAP, 1), round(255 * GREY), np.uint8), axis=0)
        assert contains(picture, stacked)


def test_traversal_and_latent_grid_keep_the_order(tmp_path):
    images = noise(2, 3, 8, 8, 1)
    plots.traversal(tmp_path / "traversal.png", images, np.array([-1.5, 0, 1.5]), [0, 1])
    plots.latent_grid(tmp_path / "grid.png", images, (-2, 2, -1, 1))
    for name, gap in (("traversal.png", GAP), ("grid.png", GAP // 2)):
        tiles = enlarge(images.reshape(6, 8, 8, 1), 33)
        grid = plots.to_uint8(plots.image_grid(tiles, 3, gap))[:-1, 1:, 0]  # the ticks touch the edge
        assert contains(read(tmp_path / name)[..., 0], grid)


ROWS = [
    {
        "step": s,
        "train/loss": 9 / s,
        "train/kl": float(s),
        "validation/loss": np.nan if s > 8 else 8 / s,
        "seconds": 1.0,
    }
    for s in range(1, 40)
]
RING = np.stack([np.cos(np.arange(8) * np.pi / 4), np.sin(np.arange(8) * np.pi / 4)], axis=1)
FIGURES = {
    "samples": lambda path: plots.samples(path, noise(10, 8, 8, 3)),
    "pairs": lambda path: plots.pairs(path, noise(5, 8, 8, 3), noise(5, 8, 8, 3), ("input", "reconstruction")),
    "traversal": lambda path: plots.traversal(path, noise(2, 3, 8, 8, 1), np.arange(3), [0, 11], "values"),
    "latent_grid": lambda path: plots.latent_grid(path, noise(2, 3, 8, 8, 1), (-1, 1, -1, 1)),
    "latent_plane": lambda path: plots.latent_plane(path, noise(90, 2), np.arange(90) % 12),
    "curves": lambda path: plots.curves(path, ROWS),
    "no_curves": lambda path: plots.curves(path, []),
    "points": lambda path: plots.points(path, RING, np.append(RING, [[np.nan, 0]], axis=0), RING),
}


@pytest.mark.parametrize("name", FIGURES)
def test_figures_are_deterministic_small_and_leave_no_trace(tmp_path, name):
    import matplotlib

    FIGURES[name](tmp_path / "a.png")
    with matplotlib.rc_context({"axes.facecolor": "red", "font.size": 20, "savefig.dpi": 50}):
        FIGURES[name](tmp_path / "b.png")
        assert [matplotlib.rcParams[k] for k in ("axes.facecolor", "font.size", "savefig.dpi")] == ["red", 20, 50]
    first = (tmp_path / "a.png").read_bytes()
    assert first == (tmp_path / "b.png").read_bytes()
    assert len(first) < LARGEST
    assert b"tEXt" not in first
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.png", "b.png"]
    assert len(np.unique(read(tmp_path / "a.png"))) > 10


def test_curves_show_both_splits_and_a_log_scale_where_it_serves(tmp_path, monkeypatch):
    figures = drawn_figures(monkeypatch)
    plots.curves(tmp_path / "curves.png", ROWS)
    loss, kl = figures[0].axes
    assert [loss.get_title(loc="left"), kl.get_title(loc="left")] == ["loss", "kl"]
    assert [loss.get_yscale(), kl.get_yscale()] == ["log", "linear"]
    assert [[line.get_label() for line in axes.lines] for axes in (loss, kl)] == [["train", "validation"], ["train"]]
    np.testing.assert_array_equal(loss.lines[1].get_ydata(), [row["validation/loss"] for row in ROWS])


def test_related_metrics_share_a_panel_and_metrics_have_units(tmp_path, monkeypatch):
    figures = drawn_figures(monkeypatch)
    losses = {"validation/discriminator_loss": 1.5, "train/generator_loss": 0.5}
    rows = [{"step": s, **losses, "train/kl": 0.1 * s, "validation/r1": 0.2} for s in (1, 2)]
    plots.curves(tmp_path / "curves.png", rows, {"kl": "nats per example"})
    kl, r1, players = sorted(figures[0].axes, key=lambda axes: len(axes.lines))
    assert {axes.get_title(loc="left"): axes.get_ylabel() for axes in (kl, r1)} == {"kl": "nats per example", "r1": ""}
    names = [text.get_text() for text in players.get_legend().get_texts()]
    assert names == ["generator_loss", "discriminator_loss"]
    styles = [(line.get_linestyle(), line.get_label()) for line in players.lines]
    assert styles == [("-", "train"), ("--", "validation")]


@pytest.mark.parametrize("counts", [[1, 1, 1], [0, 3, 1], [25, 12, 7], [7]])
def test_ticks_of_counts_and_of_steps_are_whole(tmp_path, monkeypatch, counts):
    figures = drawn_figures(monkeypatch)
    rows = [{"step": s + 1, "validation/modes_found": float(n)} for s, n in enumerate(counts)]
    plots.curves(tmp_path / "curves.png", rows)
    for axis in (figures[0].axes[0].xaxis, figures[0].axes[0].yaxis):
        low, high = axis.get_view_interval()
        shown = [tick for tick in axis.get_majorticklocs() if low <= tick <= high]
        assert shown
        assert shown == [round(tick) for tick in shown]


def test_latent_dimensions_are_named_from_zero(tmp_path, monkeypatch):
    figures = drawn_figures(monkeypatch)
    plots.traversal(tmp_path / "a.png", noise(2, 3, 8, 8, 1), np.arange(3), [0, 11], "deviations")
    plots.latent_grid(tmp_path / "b.png", noise(2, 3, 8, 8, 1), (-0.93, 2.1, -1, 1))
    plots.latent_plane(tmp_path / "c.png", noise(9, 2))
    kl_per_dimension(tmp_path / "d.png", np.array([0.1, 0.9, 0.5]), np.array([False, True, True]))
    traversal, grid, plane, bars = (figure.axes[0] for figure in figures)
    assert [text.get_text() for text in traversal.get_yticklabels()] == ["z₀", "z₁₁"]
    assert traversal.get_xlabel() == "deviations"
    assert [(axes.get_xlabel(), axes.get_ylabel()) for axes in (grid, plane)] == [("z₀", "z₁")] * 2
    assert [text.get_text() for text in grid.get_xticklabels()] == ["0", "1", "2"]
    assert [text.get_text() for text in bars.get_xticklabels()] == ["z₁", "z₂", "z₀"]
    assert bars.get_ylabel() == "KL, nats per example"


def test_many_latent_dimensions_have_few_names(tmp_path, monkeypatch):
    figures = drawn_figures(monkeypatch)
    kl_per_dimension(tmp_path / "a.png", np.arange(128)[::-1] / 128, np.ones(128, bool))
    ticks = figures[0].axes[0].get_xticks()
    assert len(ticks) <= 20
    assert ticks.tolist() == [round(tick) for tick in ticks]


def test_latent_plane_colours_and_names_every_class(tmp_path, monkeypatch):
    figures = drawn_figures(monkeypatch)
    codes, labels = noise(6, 2), np.array([0, 0, 1, 1, 2, 2])
    plots.latent_plane(tmp_path / "plane.png", codes, labels, ("nought", "one", "two"))
    axes = figures[0].axes[0]
    assert [text.get_text() for text in axes.get_legend().get_texts()] == ["nought", "one", "two"]
    scatter = axes.collections[0]
    colours = {
        tuple(xy): tuple(c) for xy, c in zip(scatter.get_offsets().tolist(), scatter.get_facecolors(), strict=True)
    }
    found = [colours[tuple(xy)] for xy in codes.tolist()]
    assert found[0] == found[1] != found[2] == found[3] != found[4] == found[5]


def test_points_share_axes_and_count_what_lies_outside(tmp_path, monkeypatch):
    figures = drawn_figures(monkeypatch)
    plots.points(tmp_path / "points.png", RING, np.concatenate([RING[:5], [[9.0, 0.0], [np.nan, 0.0]]]), RING)
    left, centre, right = figures[0].axes
    assert left.get_xlim() == centre.get_xlim() == right.get_xlim() == pytest.approx((-1.24, 1.24))
    assert centre.get_title(loc="left") == "samples (2 of 7 outside)"
    density = right.images[0].get_array()
    for (x, y), seen in zip(RING, [1] * 5 + [0] * 3, strict=True):
        cell = density[int((y + 1.24) / 2.48 * 200), int((x + 1.24) / 2.48 * 200)]
        assert (cell > 0.1) == seen


def test_labels_far_from_zero_are_drawn(tmp_path):
    """Classes take their colours in turn, whatever their numbers: nothing is as large as the largest label."""
    codes = np.random.default_rng(0).normal(size=(40, 2))
    labels = np.array([3, 2_000_000_003], np.int32).repeat(20)
    plots.latent_plane(tmp_path / "plane.png", codes, labels)
    assert 0 < (tmp_path / "plane.png").stat().st_size < 300_000
