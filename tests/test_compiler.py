"""The options that programs are compiled with change no bits, and what is compiled is kept where the user says."""

import chex
import jax
import pytest
from cases import N, case, stored

from genjax.system import compiler

SETTINGS = ("jax_compilation_cache_dir", "jax_persistent_cache_min_compile_time_secs")


@pytest.mark.parametrize("name", ["autoencoder", "vae_binarised", "gan_critic", "gan_dcgan"])
def test_the_options_change_no_bits(name):
    c = case(name)

    def chunk(state, data, hparams, rng):
        indices = c.functions.indices(hparams, rng, state.step, 5, N)
        return c.functions.chunk(state, data, indices, hparams, rng)

    rng, ends = jax.random.key(0), []
    for jit in (jax.jit, compiler.compiled):
        state = c.init(c.hparams, rng)
        ends.append(jit(chunk, donate_argnums=0)(state, stored(), c.hparams, rng))
    chex.assert_trees_all_equal(*ends)


@pytest.fixture
def jax_settings():
    before = {name: getattr(jax.config, name) for name in SETTINGS}
    yield
    for name, value in before.items():
        jax.config.update(name, value)


@pytest.mark.usefixtures("jax_settings")
def test_programs_are_kept_in_the_users_cache(monkeypatch, tmp_path):
    monkeypatch.setenv("GENJAX_CACHE", str(tmp_path))
    jax.config.update("jax_compilation_cache_dir", None)
    compiler.keep_programs()
    assert jax.config.jax_compilation_cache_dir == str(tmp_path / "programs")


@pytest.mark.usefixtures("jax_settings")
def test_jax_own_setting_of_the_cache_comes_first():
    jax.config.update("jax_compilation_cache_dir", "elsewhere")
    compiler.keep_programs()
    assert jax.config.jax_compilation_cache_dir == "elsewhere"
