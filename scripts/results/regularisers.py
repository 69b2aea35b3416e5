"""The experiment on regularisers: what disentangles, and at which price in distortion."""

import statistics
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from genjax.plots.figure import CLASSES, drawing
from results.kinds import Column, Experiment, Row, Sweep

FOLDER = "vae_regularisers_sprites32"
SEEDS = 3
SCORES = ("MIG", "SAP", "DCI disentanglement", "FactorVAE score")
# Each regulariser's name, its columns in the sweep's table, and the setting whose weights it is tried with.
WEIGHTS = {
    "beta-VAE, beta": ({"model.regulariser": ""}, "hparams.beta", ("1.0", "4.0", "8.0")),
    "capacity, C": ({"model.regulariser": "capacity"}, "hparams.capacity", ("5.0", "10.0", "15.0")),
    "beta-TC, beta": ({"model.regulariser": "tc"}, "hparams.tc_weight", ("2.0", "6.0", "10.0")),
    "FactorVAE, gamma": ({"model.regulariser": "factor"}, "hparams.tc_weight", ("5.0", "10.0", "30.0")),
    "DIP-VAE I, lambda": ({"model.dip": "i"}, "hparams.dip_diagonal", ("10.0", "100.0", "300.0")),
    "DIP-VAE II, lambda": ({"model.dip": "ii"}, "hparams.dip_off_diagonal", ("3.0", "10.0", "30.0")),
    "InfoVAE, MMD": ({"model.regulariser": "mmd"}, "hparams.mmd_weight", ("10.0", "100.0", "500.0")),
    "free bits, nats": ({"model.regulariser": "free_bits"}, "hparams.free_bits", ("0.25", "1.0", "2.0")),
}


def experiment() -> Experiment:
    """Returns the table of regularisers and weights on sprites."""
    points = sum(len(weights) for *_, weights in WEIGHTS.values())
    sweep = {FOLDER: Sweep(FOLDER, points * SEEDS, ("--metrics latent",))}
    rows = [
        Row(f"{name} = {float(weight):g}", sweep, where={**settings, setting: weight})
        for name, (settings, setting, weights) in WEIGHTS.items()
        for weight in weights
    ]
    return Experiment(
        "Disentanglement against reconstruction: regularisers and their weights on sprites",
        "Sprites of 32x32 pixels over a full grid of five factors; 1024-256-256-10, 2,000 steps of 128, three seeds, "
        "one sweep. InfoVAE has beta = 0, and the other weights are the defaults. Runs are short: differences between "
        "neighbouring weights are within the seeds' spread.",
        (
            Column("distortion, nats", "test/recon"),
            Column("rate, nats", "test/kl"),
            Column("MIG", "mig"),
            Column("SAP", "sap"),
            Column("DCI disentanglement", "dci_disentanglement"),
            Column("FactorVAE score", "factor_vae_score"),
        ),
        tuple(rows),
        picture=draw,
    )


def draw(figures: Mapping[str, Any], path: Path) -> None:
    """Draws each score over distortion: a dot for a seed, a line through the medians from weight to weight.

    Args:
      figures: `{row's label: {"figures": {heading: {"values"}}}}`; rows that are missing are left out.
      path: of the picture.
    """
    with drawing(path, 7.5, 6.5) as figure:
        panels = figure.subplots(2, 2, sharex=True)
        for panel, score in zip(panels.flat, SCORES, strict=True):
            panel.set(title=score, xscale="log")
            panel.set_xticks([20, 50, 100, 200], ["20", "50", "100", "200"])
            panel.minorticks_off()
            for colour, name in zip(CLASSES, WEIGHTS, strict=False):
                _draw_regulariser(panel, figures, name, score, colour)
        for panel in panels[-1]:
            panel.set_xlabel("distortion, nats (better to the left)")
        handles, labels = figure.axes[0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside lower center", ncols=4)


def _draw_regulariser(panel: Any, figures: Mapping[str, Any], name: str, score: str, colour: str) -> None:
    medians = []
    for weight in WEIGHTS[name][2]:
        row = figures.get(f"{name} = {float(weight):g}")
        if row is None:
            continue
        x, y = (row["figures"][heading]["values"] for heading in ("distortion, nats", score))
        panel.plot(x, y, "o", color=colour, markersize=3, alpha=0.5)
        medians.append((statistics.median(x), statistics.median(y)))
    panel.plot(*zip(*medians, strict=True), "-", color=colour, label=name.partition(",")[0]) if medians else None
