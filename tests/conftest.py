"""Settings for every test: checked shapes, strict ranks, two CPU devices, and programs that are compiled once."""

import atexit
import os
import shutil
import tempfile
from abc import ABCMeta
from collections.abc import Mapping

os.environ.setdefault("JAX_PLATFORMS", "cpu")  # what is shared between two devices is two CPU devices
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # JAX 0.10.0 writes a line of each program that the cache holds

# The first process of a session makes this folder, and the workers and the commands that tests start inherit it:
# what one of them has compiled, no other compiles again.
if "JAX_COMPILATION_CACHE_DIR" not in os.environ:
    os.environ["JAX_COMPILATION_CACHE_DIR"] = tempfile.mkdtemp(prefix="genjax-programs-")
    atexit.register(shutil.rmtree, os.environ["JAX_COMPILATION_CACHE_DIR"], ignore_errors=True)
os.environ["JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS"] = "0"

import jax
import pytest
from jaxtyping import install_import_hook
from ml_collections import ConfigDict

jax.config.update("jax_numpy_rank_promotion", "raise")
jax.config.update("jax_num_cpu_devices", 2)
jax.config.update("jax_disable_most_optimizations", True)

# At every call of these packages the arguments and the result are compared with the signature, the shapes among them.
# The hook must come before genjax is imported. Users do not have it.
ABCMeta.register(Mapping, ConfigDict)  # pyright: ignore # it has all methods of a mapping, and does not say so
CHECKED = ["genjax.rng", "genjax.losses", "genjax.nn", "genjax.metrics", "genjax.models", "genjax.training"]
install_import_hook(CHECKED, "beartype.beartype")


@pytest.fixture(scope="module", autouse=True)
def _programs_of_the_module(request):
    """Lets LLVM optimise what modules marked `optimised` compile, and forgets a module's programs after it.

    Most tests run a small program once or twice: to optimise it takes longer than to run it. Modules whose assertion
    is that two different programs give the same bits, or that train for long, are marked.
    """
    jax.config.update("jax_disable_most_optimizations", request.node.get_closest_marker("optimised") is None)
    yield
    jax.clear_caches()
