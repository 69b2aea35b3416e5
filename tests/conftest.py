"""Settings for every test: checked shapes, strict ranks, two CPU devices, and programs that are compiled once."""

import atexit
import os
import random
import shutil
import sys
import tempfile
from abc import ABCMeta
from collections.abc import Mapping

os.environ.setdefault("JAX_PLATFORMS", "cpu")  # what is shared between two devices is two CPU devices
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # JAX 0.10.0 writes a line of each program that the cache holds


def _make_session_folder(name: str) -> str:
    """A folder that the first process makes, and that the workers and the commands that tests start inherit."""
    folder = tempfile.mkdtemp(prefix=f"genjax-{name}-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


# What one process of the session has compiled, no other compiles again: XLA's programs, and Python's bytecode where it
# may not lie beside the modules. A command imports some two thousand of them.
if "JAX_COMPILATION_CACHE_DIR" not in os.environ:
    os.environ["JAX_COMPILATION_CACHE_DIR"] = _make_session_folder("programs")
os.environ["JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS"] = "0"
if os.environ.pop("PYTHONDONTWRITEBYTECODE", ""):
    os.environ["PYTHONPYCACHEPREFIX"] = sys.pycache_prefix = _make_session_folder("bytecode")
    sys.dont_write_bytecode = False

import jax
import pytest
from jax._src import compiler
from jaxtyping import install_import_hook
from ml_collections import ConfigDict

jax.config.update("jax_numpy_rank_promotion", "raise")
jax.config.update("jax_num_cpu_devices", 2)
jax.config.update("jax_disable_most_optimizations", True)

# XLA of JAX 0.10 has an older generator of a CPU's code too, which compiles a small program in a third of the time. It
# compiles what is not optimised. Modules marked `optimised`, commands in processes of their own, and all tests with a
# later JAX run the code that users have.
_get_compile_options = compiler.get_compile_options


def _get_options_of_quick_compilation(*arguments, env_options_overrides=None, **more):
    options: dict = dict(env_options_overrides or {})
    if jax.config.read("jax_disable_most_optimizations"):
        options["xla_cpu_use_fusion_emitters"] = False
    return _get_compile_options(*arguments, env_options_overrides=options, **more)


if jax.__version__.startswith("0.10."):
    compiler.get_compile_options = _get_options_of_quick_compilation

# At every call of these packages the arguments and the result are compared with the signature, the shapes among them.
# The hook must come before genjax is imported. Users do not have it.
ABCMeta.register(Mapping, ConfigDict)  # pyright: ignore # it has all methods of a mapping, and does not say so
CHECKED = ["genjax.rng", "genjax.losses", "genjax.nn", "genjax.metrics", "genjax.models", "genjax.training"]
install_import_hook(CHECKED, "beartype.beartype")


# The modules that take longest come first, in the order of which pytest-xdist gives them out: no worker is left with a
# long one when the others have finished.
LONGEST = (
    "test_damaged_folders",
    "test_resume",
    "test_sweep_resume",
    "test_stated_errors",
    "test_sweep_command",
    "test_hosts",
    "test_sweep_loop",
    "test_training_trials",
    "test_factor_trials",
    "test_gan_factors",
    "test_evaluation",
    "test_documents",
    "test_bits",
    "test_feed",
    "test_contract",
    "test_api",
    "test_report_page",
    "test_website",
    "test_networks",
    "test_autoencoder_factors",
    "test_docstrings",
    "test_vae_factors",
    "test_checkpoint",
    "test_commands",
    "test_public_names",
    "test_autoregressive",
    "test_vae_exact",
    "test_convolution",
)


def pytest_collection_modifyitems(items):
    """Shuffles the tests, so that none can rely on another: a number in GENJAX_TEST_ORDER gives another order."""
    random.Random(os.environ.get("GENJAX_TEST_ORDER", "0")).shuffle(items)
    modules = list(dict.fromkeys(item.module.__name__ for item in items))
    order = {name: place for place, name in enumerate([*LONGEST, *modules][::-1])}
    items.sort(key=lambda item: order[item.module.__name__], reverse=True)


@pytest.fixture(scope="module", autouse=True)
def _programs_of_the_module(request):
    """Lets LLVM optimise what modules marked `optimised` compile, and forgets a module's programs after it.

    Most tests run a small program once or twice: to optimise it takes longer than to run it. Modules whose assertion
    is that two different programs give the same bits, or that train for long, are marked.
    """
    jax.config.update("jax_disable_most_optimizations", request.node.get_closest_marker("optimised") is None)
    yield
    jax.clear_caches()
