"""Which metrics are read together, in one panel of the learning curves."""

from collections.abc import Iterable, Mapping

# A cost beside its greatest term, two players, two logits, two penalties, three shares. The kl is often so much smaller
# than the loss that beside it nothing of it would be seen.
RELATED = (
    ("loss", "recon", "denoised"),
    ("generator_loss", "discriminator_loss"),
    ("real_logit", "fake_logit"),
    ("r1", "r2"),
    ("precision", "recall", "coverage"),
)


def panels(names: Iterable[str]) -> list[tuple[str, ...]]:
    """Metrics in panels, each panel at the place of the first of its metrics.

    Example:
      >>> panels(["elbo", "loss", "kl", "recon"])
      [('elbo',), ('loss', 'recon'), ('kl',)]
    """
    names = list(dict.fromkeys(names))
    groups = {name: tuple(other for other in group if other in names) for group in RELATED for name in group}
    return list(dict.fromkeys(groups.get(name, (name,)) for name in names))


def panel_unit(names: Iterable[str], units: Mapping[str, str]) -> str:
    """The unit that all metrics of a panel share; nothing where they share none."""
    shared = {units.get(name, "") for name in names}
    return shared.pop() if len(shared) == 1 else ""
