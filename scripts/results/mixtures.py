"""The experiments on mixtures of Gaussians, whose modes are known."""

from results.kinds import Column, Experiment, Row, Sweep


def points(data: str, published: str) -> Experiment:
    """Returns the table of two losses on `data`, ten seeds each."""
    folder = f"gan_{data}_seeds"
    losses = {"non-saturating": "nonsaturating", "minimax": "minimax"}
    return Experiment(
        f"GANs on {data}, ten seeds",
        "Modes found and the share of 2,500 samples within 3 standard deviations of one, at the end of training, with "
        "an R1 penalty, as the sweep's own evaluation has them. "
        f"Published (modes, % good): {published}.",
        (Column("modes found", "test/modes_found"), Column("good samples", "test/good_samples")),
        tuple(Row(label, {folder: Sweep(folder)}, where={"model.loss": loss}) for label, loss in losses.items()),
    )


LOSSES = ("nonsaturating", "minimax", "least_squares", "hinge", "wasserstein", "relativistic")
PENALTY_SETS = ((), ("r1",), ("r1", "r2"), ("zero_centred",), ("wgan_gp",))


def losses_and_penalties(data: str, published: str, without: tuple[object, ...]) -> Experiment:
    """Returns the table of every loss with every set of penalties on `data`, but for those `without`."""
    folder = f"gan_losses_{data}"
    rows = [
        Row(
            f"{loss}, {' + '.join(penalties) or 'no penalty'}",
            {folder: Sweep(folder)},
            where={"model.loss": loss, "model.penalties": str(penalties)},
        )
        for loss in LOSSES
        for penalties in PENALTY_SETS
        if loss not in without and penalties not in without
    ]
    return Experiment(
        f"Losses against penalties on {data}, ten seeds",
        "Small players, a short run and one weight for each penalty, so that methods differ. At the end of training, "
        "of 2,500 samples, as the sweep's own evaluation has them. Published (modes, % good, reverse KL in nats): "
        f"{published}.",
        (
            Column("modes found", "test/modes_found"),
            Column("good samples", "test/good_samples"),
            Column("reverse KL, nats", "test/reverse_kl"),
        ),
        tuple(rows),
        picture="heat.png",
    )


def packing() -> Experiment:
    """Returns the table of packs of one to four on grid25."""
    folder = "gan_packing_grid25"
    published = {"1": "17.3, 94.8, 0.70", "2": "23.8, 91.3, 0.13", "3": "24.6, 94.2, 0.06", "4": "24.8, 93.6, 0.04"}
    return Experiment(
        "Packing on grid25, ten seeds",
        "The same small players without a penalty; published: modes, % good, reverse KL (Lin et al. 2018).",
        (
            Column("modes found", "test/modes_found"),
            Column("good samples", "test/good_samples"),
            Column("reverse KL, nats", "test/reverse_kl"),
        ),
        tuple(
            Row(f"packs of {size}", {folder: Sweep(folder)}, figures, where={"model.packing": size})
            for size, figures in published.items()
        ),
    )
