"""The example of docs/extending.md, run as it is printed there; the optimum of its linear case is known."""

import importlib
import sys

import chex
import numpy as np
import pytest
from documents import printed_files

from genjax import config as configs
from genjax.config import plugins
from genjax.models import FAMILIES
from genjax.types import InputError

VARIANCES = np.array([4.0, 2.0, 1.0, 0.3, 0.2, 0.1])


@pytest.fixture
def printed(tmp_path, monkeypatch):
    """The folder of the page's files, on the path of imports."""
    files = printed_files("extending")
    for name, block in files.items():
        (tmp_path / f"{name}.py").write_text(block)
    monkeypatch.syspath_prepend(tmp_path)
    yield tmp_path
    for name in files:
        sys.modules.pop(name, None)


def test_linear_denoiser_shrinks_each_direction(printed):
    """W2 W1 = U_k diag(l_i / (l_i + s^2)) U_k^T: the best linear estimate of x from x + s eps, of rank k."""
    rng = np.random.default_rng(0)
    noise = rng.standard_normal((64, 6))
    left, axes = np.linalg.qr(noise - noise.mean(axis=0))[0], np.linalg.qr(rng.standard_normal((6, 6)))[0]
    x = (left * np.sqrt(64 * VARIANCES) @ axes.T).astype(np.float32)  # centred, with these variances along these axes
    settings = {"hidden": (), "latent": 3, "phi": "identity", "psi": "identity"}
    hparams = {"noise": 0.7, "lambda_w": 0.0, "learning_rate": 0.02, "final_factor": 1e-3}
    fit = importlib.import_module("fit")
    state, metrics = fit.train(x, settings, hparams, steps=2000, batch_size=256)
    w1, w2 = (np.asarray(state.params[part]["Dense_0"]["kernel"]).T for part in ("encoder", "decoder"))
    shrunk = VARIANCES[:3] / (VARIANCES[:3] + 0.7**2)
    np.testing.assert_allclose(w2 @ w1, axes[:, :3] * shrunk @ axes[:, :3].T, atol=0.02)
    chex.assert_shape(metrics["recon"], (2000,))
    minimum = VARIANCES.sum() - np.sum(shrunk * VARIANCES[:3])
    np.testing.assert_allclose(np.mean(metrics["recon"][-500:]), minimum, rtol=0.02)


def test_the_plugin_of_the_page_brings_its_hyperparameter(printed, monkeypatch):
    before = FAMILIES["gan"]
    config = configs.load(printed / "drift.py")
    try:
        configs.check(config)
        assert configs.active(config)["drift_weight"] == 1e-3
    finally:
        FAMILIES["gan"] = before
        del plugins.TABLES["gan_penalties"].entries["drift"]
        monkeypatch.setattr(plugins, "_LOADED", {})


def test_denoiser_joins_the_table(printed, monkeypatch):
    monkeypatch.setitem(FAMILIES, "denoiser", importlib.import_module("denoiser").FAMILY)
    config = configs.load(printed / "denoiser_digits.py")
    configs.check(config)
    assert configs.active(config)["noise"] == 0.2
    with pytest.raises(InputError, match=r"the nearest is 'hparams\.noise'"):
        configs.override(config, {"hparams.nois": "1"})
