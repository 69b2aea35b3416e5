"""What is compiled is kept where the user says."""

import jax
import pytest

from genjax.system import compiler

SETTINGS = ("jax_compilation_cache_dir", "jax_persistent_cache_min_compile_time_secs")


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
    assert getattr(jax.config, SETTINGS[0]) == str(tmp_path / "programs")


@pytest.mark.usefixtures("jax_settings")
def test_a_cache_that_cannot_be_written_keeps_no_programs(monkeypatch, tmp_path):
    (tmp_path / "file").touch()
    monkeypatch.setenv("GENJAX_CACHE", str(tmp_path / "file"))
    jax.config.update("jax_compilation_cache_dir", None)
    compiler.keep_programs()
    assert getattr(jax.config, SETTINGS[0]) is None


@pytest.mark.usefixtures("jax_settings")
def test_jax_own_setting_of_the_cache_comes_first():
    jax.config.update("jax_compilation_cache_dir", "elsewhere")
    compiler.keep_programs()
    assert getattr(jax.config, SETTINGS[0]) == "elsewhere"


def test_options_are_those_of_the_platform_that_a_program_is_for(monkeypatch):
    monkeypatch.setattr(compiler, "OPTIONS", {"cpu": {"no_such_option": True}})
    assert compiler.compiled(lambda x: x + 1, "gpu")(1.0) == 2
    for platform in ("cpu", None):
        with pytest.raises(jax.errors.JaxRuntimeError, match="no_such_option"):
            compiler.compiled(lambda x: x + 2, platform)(1.0)
