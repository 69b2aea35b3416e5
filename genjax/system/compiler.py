"""How XLA is asked to compile a run's programs, and where it keeps them for the next run."""

import contextlib
import os
from collections.abc import Callable
from typing import Any

import jax

from genjax.system import cache

# A step that may be frozen reads the old state after the new one is known. On a CPU XLA copies the whole state first,
# unless its analysis of regions shows it that there is nothing to copy. It changes no bits (docs/performance.md).
OPTIONS = {"cpu": {"xla_cpu_copy_insertion_use_region_analysis": True}}

DETERMINISTIC = "--xla_gpu_deterministic_ops=true"

# Most of a start is a handful of programs; the many small ones would cost more to look up than to compile.
LEAST_SECONDS = 0.2


def compiled(function: Callable[..., Any], platform: str | None = None, **options: Any) -> Any:
    """`jax.jit(function, **options)` with the options of the platform that it will run on; JAX's default if None."""
    return jax.jit(function, compiler_options=OPTIONS.get(platform or jax.default_backend()), **options)


def ask_for_determinism(deterministic: bool) -> None:
    """Asks a GPU's compiler for operations that give the same bits each time; before the first program is compiled."""
    flags = os.environ.get("XLA_FLAGS", "")
    if deterministic and DETERMINISTIC not in flags:
        os.environ["XLA_FLAGS"] = f"{flags} {DETERMINISTIC}".strip()


def keep_programs() -> None:
    """Keeps compiled programs in the user's cache, unless JAX's own settings say where, or that nothing is kept.

    `JAX_COMPILATION_CACHE_DIR` moves the folder, `GENJAX_CACHE` it and the data's; `JAX_ENABLE_COMPILATION_CACHE=false`
    keeps nothing. Where the cache cannot be written, nothing is kept: each start then takes as long as the first.
    """
    if jax.config.jax_compilation_cache_dir is None:  # pyright: ignore[reportAttributeAccessIssue]
        folder = cache.root() / "programs"
        with contextlib.suppress(OSError):
            folder.mkdir(parents=True, exist_ok=True)
        if not os.access(folder, os.W_OK | os.X_OK):
            return
        jax.config.update("jax_compilation_cache_dir", str(folder))
        jax.config.update("jax_persistent_cache_min_compile_time_secs", LEAST_SECONDS)
