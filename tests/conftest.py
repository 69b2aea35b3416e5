"""Strict settings for every test: checked shapes, no silent broadcasting between ranks, two CPU devices."""

import os
from abc import ABCMeta
from collections.abc import Mapping

os.environ.setdefault("JAX_PLATFORMS", "cpu")  # what is shared between two devices is two CPU devices

import jax
from jaxtyping import install_import_hook
from ml_collections import ConfigDict

jax.config.update("jax_numpy_rank_promotion", "raise")
jax.config.update("jax_num_cpu_devices", 2)

# At every call of these packages the arguments and the result are compared with the signature, the shapes among them.
# The hook must come before genjax is imported. Users do not have it.
ABCMeta.register(Mapping, ConfigDict)  # it has all methods of a mapping, and does not say so
CHECKED = ["genjax.rng", "genjax.losses", "genjax.nn", "genjax.metrics", "genjax.models", "genjax.training"]
install_import_hook(CHECKED, "beartype.beartype")
