"""The units of metrics, which pictures and pages name beside them."""

from collections.abc import Iterable, Mapping
from typing import Any

from genjax.models import FAMILIES

UNITS_OF_MODES = {"reverse_kl": "nats"}  # of the metrics of samples, whatever the family


def metric_units(settings: Mapping[str, Any]) -> dict[str, str]:
    """The units of a run's metrics, those that have one.

    Args:
      settings: of the run, `{dotted name: value}`; those of `flatten`, or of its `config.json`. What is missing has its
        default.

    Example:
      >>> metric_units({"model.family": "gan"})
      {'reverse_kl': 'nats'}
    """
    model = {name.removeprefix("model."): value for name, value in settings.items() if name.startswith("model.")}
    family = FAMILIES.get(model.get("family", ""))
    return {**UNITS_OF_MODES, **(family.units({**family.settings, **model}) if family else {})}


def shared_unit(metric: str, all_settings: Iterable[Mapping[str, Any]]) -> str:
    """The unit of a metric in all of several runs; nothing where it has none or not the same one.

    Example:
      >>> shared_unit("kl", [{"model.family": "vae", "model.likelihood": "bernoulli"}])
      'nats per example'
    """
    units = {metric_units(settings).get(metric, "") for settings in all_settings}
    return units.pop() if len(units) == 1 else ""
