"""How the time of a step grows with one size, beside the machine's limit: a table of cases, and a picture of each."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from ml_collections import ConfigDict

from benchmarks import duels
from benchmarks.cases import CONFIGS, Case, of_noise
from genjax.config import load

NAMES = {
    "genjax": "genjax",
    "genjax_sweep": "genjax",
    "genjax_streamed": "genjax, data on the host",
    "limit": "the limit",
}


class Growth(NamedTuple):
    """What grows, over which sizes, and what is timed at a size.

    Attributes:
      title: of the picture.
      axis: what its horizontal axis shows.
      sizes: that are measured.
      case: of a size.
      contestants: that take turns.
    """

    title: str
    axis: str
    sizes: tuple[int, ...]
    case: Callable[[int], Case]
    contestants: tuple[str, ...] = ("genjax", "limit")


def _mlp(batch: int = 128, width: int = 512) -> ConfigDict:
    config = of_noise("vae")
    config.model.hidden, config.train.batch_size = (width,), batch
    return config


def _convolutional(pixels: int) -> ConfigDict:
    config = of_noise("vae", 5_000, pixels)
    config.model.network, config.train.batch_size = "dcgan", 64
    return config


def _many(examples: int) -> ConfigDict:
    config = of_noise("vae", examples, 8)
    config.model.hidden = (256,)
    return config


def _case(steps: int, config: Callable[[], ConfigDict], trials: int = 1) -> Case:
    return Case("", steps, config, trials=trials)


GROWTHS = {
    "growth_batch": Growth(
        "MLP VAE 784-512-20",
        "examples in a batch",
        (8, 16, 32, 64, 128, 256, 512, 1024),
        lambda n: _case(max(8, 6400 // n), lambda: _mlp(batch=n)),
    ),
    "growth_width": Growth(
        "MLP VAE 784-width-20, batch 128",
        "width",
        (64, 128, 256, 512, 1024, 2048),
        lambda n: _case(max(10, 25_600 // n), lambda: _mlp(width=n)),
    ),
    "growth_pixels": Growth(
        "Convolutional VAE, 32 base channels, batch 64",
        "pixels of a side",
        (8, 16, 32, 64),
        lambda n: _case(max(4, 12_800 // n**2), lambda: _convolutional(n)),
    ),
    "growth_examples": Growth(
        "MLP VAE 64-256-20, batch 128",
        "examples of 8x8 pixels",
        (1_000, 10_000, 100_000, 1_000_000, 10_000_000),
        lambda n: _case(200, lambda: _many(n)),
        ("genjax", "genjax_streamed", "limit"),
    ),
    "growth_trials": Growth(
        "Sweep of VAEs on digits, 64-256-256-8, batch 128",
        "trials",
        (1, 4, 16, 64, 256),
        lambda n: _case(max(2, 640 // n), lambda: load(CONFIGS / "vae_normal_digits.py"), n),
        ("genjax_sweep", "limit"),
    ),
}


def case_of(name: str) -> Case:
    """The case that a worker is asked for, as `<growth>:<size>`."""
    growth, _, size = name.partition(":")
    return GROWTHS[growth].case(int(size))


def measure(name: str, rounds: int, say: Callable[[str], None]) -> dict[str, Any]:
    """Times all sizes of a growth.

    Returns:
      {size: {contestant: summary of the seconds of a step}}; the size as text, for JSON.
    """
    growth = GROWTHS[name]
    measured = {}
    for size in growth.sizes:
        times = duels.duel(f"{name}:{size}", growth.contestants, rounds, say)
        measured[str(size)] = {contestant: duels.summary(one.seconds) for contestant, one in times.items()}
    return measured


def markdown(name: str, measured: dict[str, Any], pictures: str | None = None) -> str:
    """A growth as a table, behind its picture if there is a folder of pictures."""
    growth = GROWTHS[name]
    lines = [f"## {growth.title}: {growth.axis} (`{name}`)", ""]
    if pictures is not None:
        lines += [f"![Time of a step over {growth.axis}, and the limit]({Path(pictures, name)}.png)", ""]
    lines += [f"| {growth.axis} | " + " | ".join(f"{NAMES[c]}, ms" for c in growth.contestants) + " |"]
    lines += ["|---|" + "---|" * len(growth.contestants)]
    for size, row in measured.items():
        cells = [_format(row[contestant]) for contestant in growth.contestants]
        lines.append(f"| {int(size):,} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _format(seconds: dict[str, float]) -> str:
    return "{:.3g} [{:.3g} to {:.3g}]".format(*(1e3 * seconds[part] for part in ("median", "least", "greatest")))


def draw(folder: Path, name: str, measured: dict[str, Any]) -> None:
    """Saves a picture of a growth: both axes logarithmic, a line for each contestant with its spread."""
    from matplotlib.ticker import LogLocator

    from genjax.plots.figure import BLUE, INK, ORANGE, drawing

    growth = GROWTHS[name]
    colours = {"limit": INK, "genjax_streamed": ORANGE}
    sizes = [int(size) for size in measured]
    with drawing(folder / f"{name}.png", 4.2, 2.8) as figure:
        axes = figure.add_subplot()
        for contestant in growth.contestants:
            parts = {
                part: [1e3 * measured[str(size)][contestant][part] for size in sizes]
                for part in ("median", "least", "greatest")
            }
            colour = colours.get(contestant, BLUE)
            style = "--" if contestant == "limit" else "-"
            axes.plot(sizes, parts["median"], style, color=colour, marker="o", markersize=3, label=NAMES[contestant])
            axes.fill_between(sizes, parts["least"], parts["greatest"], color=colour, alpha=0.15, linewidth=0)
        axes.set(xscale="log", yscale="log", xlabel=growth.axis, ylabel="time of a step, ms", title=growth.title)
        axes.set_xticks(sizes, [f"{size:,}" for size in sizes])
        axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axes.yaxis.set_major_formatter(lambda value, position: f"{value:g}")
        axes.minorticks_off()
        axes.legend()
