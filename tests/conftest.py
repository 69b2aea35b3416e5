"""Strict settings for every test: no silent broadcasting between ranks, and two CPU devices to shard over."""

import os

os.environ.setdefault("JAX_PLATFORMS", "cpu")  # what is shared between two devices is two CPU devices

import jax

jax.config.update("jax_numpy_rank_promotion", "raise")
jax.config.update("jax_num_cpu_devices", 2)
