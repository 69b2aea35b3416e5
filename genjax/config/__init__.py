"""Configurations: defaults, files, overrides from a command line, and the checks that turn a mistake into one line.

A configuration is an `ml_collections.ConfigDict` with `seed`, `data`, `model`, `optim` (one group per objective),
`hparams`, `schedules` and `train`. All of it is static but `hparams`, a flat group of numbers that are traced.
"""

from genjax.config.about import describe
from genjax.config.checks import (
    check,
    check_hparam,
    check_resolved,
    check_type,
    check_values,
    drop_unused,
    plain,
    unused,
    with_defaults,
)
from genjax.config.defaults import (
    active,
    active_objectives,
    default,
    describe_resolved,
    flatten,
    resolve,
    setting_defaults,
)
from genjax.config.files import differences, digest, from_json, load, to_json
from genjax.config.overrides import override, parse, with_absolute_source
from genjax.config.shipped import describe_shipped, find
from genjax.config.units import metric_units, shared_unit

__all__ = [
    "active",
    "active_objectives",
    "check",
    "check_hparam",
    "check_resolved",
    "check_type",
    "check_values",
    "default",
    "describe",
    "describe_resolved",
    "describe_shipped",
    "differences",
    "digest",
    "drop_unused",
    "find",
    "flatten",
    "from_json",
    "load",
    "metric_units",
    "override",
    "parse",
    "plain",
    "resolve",
    "setting_defaults",
    "shared_unit",
    "to_json",
    "unused",
    "with_absolute_source",
    "with_defaults",
]
