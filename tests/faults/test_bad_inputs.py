"""Bad input to every command: exit code 2, one line on standard error, nothing on standard output, nothing written."""

import logging

import numpy as np
import pytest

from genjax.commands.main import COMMANDS, main

pytestmark = pytest.mark.slow

VAE, GAN = ("train", "--config", "vae_normal_digits"), ("train", "--config", "gan_conv_mnist")
SWEEP = ("sweep", "--config", "sweeps/vae_digits")
LONG = "a" * 5000


def settings(command, names, values):
    return [(*command, f"--config.{name}={value}") for name in names for value in values]


HPARAMS = [f"hparams.{name}" for name in ("learning_rate", "b1", "b2", "eps", "beta")]
COUNTS = [
    f"train.{name}"
    for name in ("steps", "batch_size", "log_every", "evaluate_every", "checkpoint_every", "evaluate_batch_size")
]
CHOICES = [
    f"model.{name}"
    for name in (
        "network",
        "activation",
        "likelihood",
        "prior",
        "bound",
        "regulariser",
        "norm",
        "posterior",
        "precision",
    )
]
SOURCES = (
    "",
    ":",
    "digit",
    "digits:x",
    "digits#x=1",
    "tfds:",
    "tfds:no_such_set",
    "tfds:../x",
    "npz:",
    "npz:nowhere.npz",
    "npz:.",
    "npz:bad.npz",
    "npz:objects.npz",
    "npz:~nobody_of_this_name/x.npz",
    "npz:" + LONG,
    "npz:good.npz#images=z",
    "npz:good.npz#labels=",
    "npz:good.npz#foo=1",
    "npz:good.npz#resize=0",
    "npz:nan.npz",
    "npy:good.npz",
    "mat:bad.npz",
    "folder:",
    "folder:nowhere",
    "folder:empty",
    "folder:bad.npz",
    "hf:",
    "stacked:",
    "stacked:ring8",
    "stacked:" * 2000 + "digits",
    "codes:",
    "codes:nowhere",
    "codes:empty",
    "\N{GREEK SMALL LETTER ALPHA}",
    "digits\x00",
    LONG,
)
CONFIGS = {
    "empty.py": "",
    "no_config.py": "def get_config(): return 3",
    "raises.py": "def get_config(): raise RuntimeError('two\\nlines')",
    "exits.py": "import sys\nsys.exit(0)",
    "base_exception.py": "class Own(BaseException): pass\ndef get_config(): raise Own('x')",
    "syntax.py": "def get_config(: pass",
    "itself.py": "from genjax import default_config\n"
    "def get_config():\n c = default_config('vae')\n with c.unlocked(): c.model.own = c\n return c",
    "integers.py": "from ml_collections import ConfigDict\ndef get_config(): return ConfigDict({1: 2})",
    "no_group.py": "from genjax import default_config\n"
    "def get_config():\n c = default_config('vae')\n with c.unlocked(): del c.train\n return c",
    "empty_group.py": "from genjax import default_config\n"
    "def get_config():\n c = default_config('vae')\n with c.unlocked(): c.optim = {}\n return c",
    "family.py": "from genjax import default_config\ndef get_config(): return default_config('vea')",
    "not_text.py": "\udcff\udcfe",
    "config.json": "{",
    "list.json": "[]",
    "sweep.json": '{"base.model.family": "vae"}',
    "deep.json": "[" * 50_000,
    "tables.py": "ENTRIES = {'gan_loss': {}}",
}
EVALUATIONS = (
    (),
    ("--workdir", "nowhere"),
    ("--workdir", "empty"),
    ("--workdir", "bad.npz"),
    ("--workdir", LONG),
    *(
        ("--workdir", "empty", f"--{name}", value)
        for name, values in {
            "metrics": ("likelyhood", ""),
            "split": ("all", "tset", ""),
            "checkpoint": ("oldest",),
            "samples": ("0", "-1", "x", "99999999999", "1.5"),
            "importance-samples": ("0", "x"),
            "neighbours": ("0", "x"),
            "annealing-steps": ("0",),
            "chains": ("-3",),
            "seed": ("-1", "4294967296", "x"),
            "sampler": ("mixture:0", "mixture:", "mixture:x", "priors", "run:"),
        }.items()
        for value in values
    ),
    ("--samples", "digits", "--against", "digit"),
    ("--samples", "digits", "--against", "digits", "--features", "foo"),
    ("--samples", "digits", "--against", "digits", "--features", "pca:0"),
    ("--samples", "digits", "--against", "digits", "--features", "network:bad.npz"),
    ("--samples", "digits", "--against", "digits", "--neighbours", "99999"),
    ("--samples", "digits", "--against", "digits", "--out", "no/such/folder.json"),
)
OTHERS = (
    ("trian",),
    ("train",),
    ("train", "--config"),
    ("train", "--config", "vae_digit"),
    ("train", "--config", LONG),
    ("train", "--config", "."),
    ("train", "--config", "sweeps/vae_digits"),
    ("train", "--conf", "vae_digits"),
    (*VAE, "--config.hparams.beta"),
    (*VAE, "--config.hparams.bta=1"),
    (*VAE, "--config.=1"),
    (*VAE, "--steps=3"),
    (*VAE, "x"),
    (*VAE, "--config.hparams.beta=" + "-" * 60_000 + "1"),
    (*VAE, "--config.model.hidden=(10**20,)"),
    (*VAE, "--config.model.hidden=" + "(" * 50_000),
    (*VAE, "--config.model.hidden=(0,)"),
    (*VAE, "--config.model.latent=(2,)"),
    (*VAE, "--config.seed=-1"),
    (*VAE, "--config.seed=4294967296"),
    (*VAE, "--config.data.resident_bytes=-5"),
    (*VAE, "--config.train.devices=-1"),
    (*VAE, "--config.train.devices=1000"),
    (*VAE, "--config.train.evaluate_every=150"),
    (*VAE, "--config.train.matmul_precision=highst"),
    (*VAE, "--config.train.patience=-1"),
    (*VAE, "--config.train.smallest_change=nan"),
    (*VAE, "--config.train.trackers=wand"),
    (*VAE, "--config.schedules.beta=cosin"),
    (*VAE, "--config.optim.elbo.optimiser=adm"),
    (*VAE, "--config.model.samples=0"),
    (*VAE, "--config.model.groups=3"),
    (*VAE, "--config.model.bound=dreg", "--config.model.layers=2", "--config.model.samples=2"),
    (*GAN, "--config.model.penalties=r1,r1"),
    (*GAN, "--config.model.penalties=r3"),
    (*GAN, "--config.model.packing=0"),
    (*GAN, "--config.hparams.beta=1"),
    (*VAE, "--plugin", "nowhere.py"),
    (*VAE, "--plugin", "no_such_module_of_anybody"),
    (*VAE, "--plugin", "tables.py"),
    (*VAE, "--workdir", "bad.npz"),
    (*VAE, "--workdir", "bad.npz/x"),
    ("sweep", "--config", "vae_digits"),
    (*SWEEP, "--config.objective.metric=los"),
    (*SWEEP, "--config.objective.goal=least"),
    (*SWEEP, "--config.strategy=grd"),
    (*SWEEP, "--config.stopping=half"),
    (*SWEEP, "--config.points=-1"),
    (*SWEEP, "--config.base.train.patience=3", "--config.stopping=population"),
    (*SWEEP, "--config.base.train.trackers=wandb"),
    (*SWEEP, "--config.base.hparams.bta=1"),
    (*SWEEP, "--config.memory_bytes=-1"),
    (*SWEEP, "--export-best", "x"),
    ("report", "--workdir", "empty"),
    ("report", "--workdir", "nowhere"),
    ("explore", "--workdir", "empty"),
    ("explore", "--workdir", "empty", "--port", "70000"),
    ("explore", "--workdir", "empty", "--port", "x"),
    ("compare", "nowhere", "empty"),
    ("compare", "bad.npz"),
    ("runs", "nowhere"),
    ("runs", "bad.npz"),
    ("rehearse", "--config", "vae_digit"),
    ("rehearse", "--config", "vae_digits", "--target", "h1000"),
    ("rehearse", "--config", "vae_digits", "--devices", "0"),
    ("train-features", "--source", "digit"),
    ("train-features", "--source", "ring8"),
    ("train-features", "--source", "digits", "--seed", "9" * 30),
    ("train-features", "--source", "digits", "--seed", "-1"),
    ("rehearse", "--config", "vae_digits", "--device", "h100", "--examples", "9", "--shape", "²,8,1"),
    ("evaluate", "--workdir", "empty", "--metrics", "recognition", "--chains", "3"),
    (*VAE, "--workdir", ""),
    ("train-features", "--source", "digits", "--epochs", "0"),
    ("train-features", "--source", "digits", "--out", "nowhere"),
    ("train-features", "--source", "digits", "--objective", "x"),
    ("completion", "tcsh"),
    *((command, "--no-such-option") for command in COMMANDS),
)
CASES = [
    *settings(VAE, HPARAMS, ("nan", "inf", "-inf", "-1", "1e40", "x", "", "'1'", "None")),
    *settings(VAE, COUNTS, ("0", "-1", "1.5", "x", "", "99999999999", "True", "nan")),
    *settings(VAE, CHOICES, ("", "no such", "0", "('a',)")),
    *settings(VAE, ["data.source"], SOURCES),
    *(("train", "--config", name) for name in CONFIGS),
    *(("evaluate", *arguments) for arguments in EVALUATIONS),
    *OTHERS,
]


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A working folder with files that are no data and no configurations."""
    for name, text in CONFIGS.items():
        (tmp_path / name).write_text(text, errors="surrogateescape")
    (tmp_path / "empty").mkdir()
    (tmp_path / "bad.npz").write_bytes(b"\xff" * 100)
    np.savez(tmp_path / "good.npz", x=np.zeros((40, 8, 8), np.uint8))
    np.savez(tmp_path / "nan.npz", x=np.full((40, 8), np.nan))
    np.savez(tmp_path / "objects.npz", x=np.array([{}], dtype=object))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GENJAX_CACHE", str(tmp_path / "empty"))
    monkeypatch.setenv("TFDS_DATA_DIR", str(tmp_path / "empty"))
    return tmp_path


def test_there_are_enough_of_them():
    assert len(CASES) == len(set(CASES)) > 300


@pytest.mark.parametrize("arguments", CASES, ids=lambda arguments: " ".join(arguments)[:90].replace("\x00", "0"))
def test_bad_input_is_one_line(arguments, folder, capsys, caplog):
    before = sorted(folder.rglob("*"))
    with caplog.at_level(logging.WARNING):
        code = main(arguments)
    out, err = capsys.readouterr()
    assert (code, out) == (2, "")
    assert err.startswith("error: ")
    assert err.count("\n") == 1
    assert len(err) < 2000
    assert sorted(folder.rglob("*")) == before
