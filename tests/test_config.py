"""Configurations: the files that ship, overrides as they are typed, and what a hash sees."""

import json
import re
from pathlib import Path

import pytest

from genjax import config
from genjax.config.defaults import TRAIN
from genjax.models import FAMILIES
from genjax.types import InputError

CONFIGS = sorted(Path(__file__).parents[1].joinpath("configs").glob("*.py"))


@pytest.mark.parametrize("family", FAMILIES)
def test_defaults_can_be_run(family):
    settings = config.default(family)
    config.check(settings)
    assert sorted(settings.optim) == sorted(FAMILIES[family].objectives)
    assert settings.hparams.to_dict().keys() >= config.active(settings).keys()


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_files_that_ship_can_be_run(path):
    settings = config.load(path)
    config.check(settings)
    family, _, source = path.stem.partition("_")
    assert settings.model.family == {"ae": "autoencoder"}.get(family, family)
    data = re.sub("^(tfds:binarized_|tfds:|codes:.*_)", "", settings.data.source)
    assert data.partition("_")[0] == source.rpartition("_")[2]
    assert f"scripts/train.py --config configs/{path.name}" in path.read_text()


def test_defaults_are_not_shared():
    config.default("vae").train.steps = 1
    assert config.default("vae").train.steps == TRAIN["steps"] != 1


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("seed", "7", 7),
        ("seed", " 7 ", 7),
        ("hparams.beta", "4", 4.0),
        ("hparams.beta", "1e-3", 1e-3),
        ("hparams.beta", "-.5", -0.5),
        ("hparams.elbo_b1", "0.5", 0.5),
        ("train.deterministic", "true", True),
        ("train.deterministic", "False", False),
        ("model.hidden", "64", (64,)),
        ("model.hidden", "64,32", (64, 32)),
        ("model.hidden", "(64, 32)", (64, 32)),
        ("model.hidden", "[64, 32]", (64, 32)),
        ("model.hidden", "()", ()),
        ("data.source", "npz:a b.npz", "npz:a b.npz"),
        ("data.source", "3", "3"),
    ],
)
def test_override(name, text, value):
    before = config.default("vae")
    changed = config.flatten(config.override(before, {name: text}))
    assert changed[name] == value
    assert type(changed[name]) is type(value)
    others = {other: old for other, old in config.flatten(before).items() if other != name}
    assert {other: changed[other] for other in others} == others
    assert config.flatten(before) == config.flatten(config.default("vae"))


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("seed", "1.0"),
        ("seed", "True"),
        ("seed", ""),
        ("hparams.beta", "four"),
        ("hparams.beta", "nan"),
        ("hparams.beta", "1e999"),
        ("hparams.beta", "True"),
        ("hparams.beta", "(1,"),
        ("train.deterministic", "yes"),
        ("train.deterministic", "1"),
        ("model.hidden", "64.0"),
        ("model.hidden", "{64}"),
        ("hparams.generator_b1", "0.5"),
        ("hparams", "1"),
        ("", "1"),
    ],
)
def test_override_refuses(name, text):
    with pytest.raises(InputError, match=r"^[^\n]*$"):
        config.override(config.default("vae"), {name: text})


def test_hash_depends_on_values_alone():
    settings = config.default("gan")
    plain = settings.to_dict()
    reverse = {name: plain[name] if name == "seed" else dict(reversed(plain[name].items())) for name in reversed(plain)}
    assert list(config.flatten(reverse)) != list(config.flatten(plain))
    assert config.digest(reverse) == config.digest(settings)
    assert config.digest(config.override(settings, {"seed": "0"})) == config.digest(settings)
    hashes = [config.digest(config.override(settings, {name: "3"})) for name in ("seed", "train.steps", "model.latent")]
    assert len({config.digest(settings), *hashes}) == 4


def test_hash_never_changes():
    assert config.digest({"a": {"b": 0.1, "c": (1, 2)}, "d": "x", "e": False}) == "c6cdf967"


def test_differences_name_the_settings_that_differ():
    settings = config.default("gan")
    other = config.override(settings, {"model.generator_hidden": "8", "hparams.b1": "0", "hparams.generator_b1": "0.2"})
    ours, theirs = config.to_json(settings), config.to_json(other)
    assert config.differences(ours, ours) == []
    assert config.differences(ours, theirs) == [
        "hparams.b1: 0.0, not 0.5",
        "hparams.generator_b1: 0.2, not None",
        "model.generator_hidden: [8], not [256, 256]",
    ]
    assert json.loads(theirs).keys() - json.loads(ours).keys() == {"hparams.generator_b1"}


@pytest.mark.parametrize(
    ("family", "changes", "gained", "lost"),
    [
        ("vae", {}, {"learning_rate", "b1", "b2", "eps", "beta"}, {"clip_norm", "decoder_variance"}),
        ("vae", {"model.likelihood": "gaussian_fixed"}, {"decoder_variance"}, {"momentum"}),
        ("vae", {"optim.elbo.optimiser": "sgd"}, {"momentum"}, {"b1", "b2", "eps"}),
        ("vae", {"optim.elbo.optimiser": "adamw"}, {"weight_decay", "b1"}, {"decay"}),
        ("vae", {"optim.elbo.optimiser": "rmsprop"}, {"decay", "eps"}, {"b1", "momentum"}),
        ("vae", {"optim.elbo.clip": "true"}, {"clip_norm"}, set()),
        ("vae", {"optim.elbo.schedule": "warmup_cosine"}, {"warmup", "final_factor"}, set()),
        ("vae", {"optim.elbo.schedule": "burda"}, set(), {"warmup", "final_factor"}),
        ("gan", {}, {"generator_learning_rate", "discriminator_learning_rate", "b1"}, {"r1_weight"}),
        ("gan", {"model.penalties": "r1"}, {"r1_weight"}, {"learning_rate"}),
        ("gan", {"hparams.generator_b1": "0.3"}, {"generator_b1", "b1"}, {"discriminator_b1"}),
        ("gan", {"hparams.generator_b1": "0", "hparams.discriminator_b1": "0"}, {"generator_b1"}, {"b1"}),
    ],
)
def test_active_hyperparameters(family, changes, gained, lost):
    settings = config.override(config.default(family), changes)
    config.check(settings)
    names = config.active(settings).keys()
    assert gained <= names
    assert not lost & names


@pytest.mark.parametrize(
    ("family", "changes", "unread"),
    [
        ("vae", {"hparams.momentum": "0.5"}, "momentum"),
        ("vae", {"hparams.decoder_variance": "0.5"}, "decoder_variance"),
        ("gan", {"hparams.r1_weight": "2"}, "r1_weight"),
        ("gan", {"hparams.generator_decay": "0.9"}, "generator_decay"),
        ("vae", {"hparams.elbo_b1": "0.9", "hparams.b1": "0.5"}, "b1"),
    ],
)
def test_a_setting_that_would_not_act_is_refused(family, changes, unread):
    with pytest.raises(InputError, match=f"^hparams.{unread} = .* would not act"):
        config.check(config.override(config.default(family), changes))


def test_an_activation_without_hidden_layers_is_refused():
    settings = config.override(config.default("vae"), {"model.activation": "tanh"})
    config.check(settings)
    with pytest.raises(InputError, match=r"^model.activation = 'tanh' would not act"):
        config.check(config.override(settings, {"model.hidden": "()"}))


@pytest.mark.parametrize(
    ("changes", "unused_settings"),
    [
        ({"model.channels": "16"}, "channels"),
        ({"model.norm": "group"}, "norm"),
        ({"model.upsampling": "nearest"}, "upsampling"),
        ({"model.network": "resnet", "model.hidden": "(64,)"}, "hidden"),
    ],
)
def test_another_networks_settings_are_refused(changes, unused_settings):
    with pytest.raises(InputError, match=f"^model.{unused_settings} = .* would not act"):
        config.check(config.override(config.default("vae"), changes))


SHIPPED = Path(__file__).parents[1] / "configs"


@pytest.mark.parametrize(
    ("file", "typed", "dropped"),
    [
        ("vae_digits", {"model.network": "dcgan"}, ["model.hidden = (256, 256)"]),
        ("vae_digits", {}, []),
        ("gan_ring8", {"model.penalties": "()"}, ["hparams.r1_weight = 0.03"]),
        ("gan_digits", {"model.network": "dcgan"}, []),  # its widths are those that the family has by default
        ("gan_digits", {"model.penalties": "()"}, ["hparams.r1_weight = 0.1", "hparams.r2_weight = 0.1"]),
        (
            "gan_grid25",
            {"model.network": "dcgan", "optim.generator.optimiser": "sgd", "optim.discriminator.optimiser": "sgd"},
            [
                "hparams.b1 = 0.2",
                "model.discriminator_hidden = (64, 64, 64, 64, 64)",
                "model.generator_hidden = (64, 64, 64, 64, 64)",
            ],
        ),
        ("ae_onelayer_digits", {"model.network": "resnet"}, ["model.hidden = ()"]),
    ],
)
def test_what_a_file_sets_in_vain_has_its_default(file, typed, dropped):
    changed = config.override(config.load(SHIPPED / f"{file}.py"), typed)
    settings, notices = config.drop_unused(changed, typed)
    config.check(settings)
    text = "of the configuration file does not act under these settings; its default is used"
    assert notices == [f"{setting} {text}" for setting in dropped]
    names = [setting.partition(" ")[0] for setting in dropped]
    defaults, before = config.flatten(config.default(settings.model.family)), config.flatten(changed)
    assert config.flatten(settings) == before | {name: defaults[name] for name in names}
    assert config.flatten(changed) == before
    assert config.drop_unused(settings, typed) == (settings, [])


def test_an_objectives_own_hyperparameter_is_removed():
    plain = config.override(config.default("gan"), {"optim.generator.optimiser": "sgd"})
    changed = config.override(plain, {"hparams.generator_b1": "0.3"})
    settings, notices = config.drop_unused(changed, {"optim.generator.optimiser"})
    assert notices == [
        "hparams.generator_b1 = 0.3 of the configuration file does not act under these settings; it is left out"
    ]
    assert config.to_json(settings) == config.to_json(plain)
    assert config.digest(settings) == config.digest(plain) != config.digest(changed)


@pytest.mark.parametrize(
    ("typed", "refused"),
    [
        ({"model.network": "dcgan", "model.hidden": "(64,)"}, r"model.hidden = \(64,\)"),
        ({"model.network": "dcgan", "model.hidden": "(256,256)"}, r"model.hidden = \(256, 256\)"),
        ({"hparams.momentum": "0.5"}, "hparams.momentum = 0.5"),
        ({"hparams.elbo_momentum": "0.9"}, "hparams.elbo_momentum = 0.9"),
    ],
)
def test_what_was_typed_in_vain_is_refused(typed, refused):
    changed = config.override(config.load(SHIPPED / "vae_digits.py"), typed)
    with pytest.raises(InputError, match=f"^{refused} would not act: nothing under these settings reads it$"):
        config.drop_unused(changed, typed)


def test_dropping_refuses_what_cannot_be_run():
    changed = config.override(config.default("vae"), {"model.network": "dcgn"})
    with pytest.raises(InputError, match="the nearest is 'dcgan'"):
        config.drop_unused(changed)


@pytest.mark.parametrize("setting", ["train.trackers", "model.penalties"])
def test_names_are_no_numbers(setting):
    with pytest.raises(InputError, match=f"{setting} holds 1, and takes names"):
        config.check(config.override(config.default("gan"), {setting: "(1,)"}))


@pytest.mark.parametrize(
    ("family", "name", "value", "message"),
    [
        ("autoencoder", "lambda_w", "-1e-3", "must not be negative"),
        ("autoencoder", "learning_rate", "1e39", "beyond float32"),
        ("autoencoder", "learning_rate", "1" + 400 * "0", "is not of type float"),
        ("autoencoder", "masked", "2.0", "must lie between 0 and 1"),
        ("vae", "b1", "1.0", "b1 = 1.0 must be at least 0 and below 1"),
        ("vae", "elbo_b2", "1.5", "elbo_b2 = 1.5 must be at least 0 and below 1"),
        ("vae", "decoder_variance", "0.0", "must be above 0"),
        ("vae", "temperature", "1e-40", "must be above 0"),
        ("vae", "renyi_alpha", "-1e39", "beyond float32"),
        ("gan", "ada_target", "-2.0", "must lie between -1 and 1"),
    ],
)
def test_values_out_of_range_are_refused(family, name, value, message):
    with pytest.raises(InputError, match=message):
        config.check(config.override(config.default(family), {f"hparams.{name}": value}))


@pytest.mark.parametrize(
    ("family", "likelihood", "expected"),
    [
        ("vae", "bernoulli", {"kl": "nats per example", "loss": "nats per example"}),
        ("vae", "features", {"kl": "nats per example", "recon": "nats of features per example"}),
        ("autoencoder", "bernoulli", {"recon": "nats per example", "kernel_norm": ""}),
        ("autoencoder", "gaussian", {"recon": "", "loss": ""}),
        ("gan", None, {"generator_loss": "", "reverse_kl": "nats"}),
    ],
)
def test_units_of_metrics(family, likelihood, expected):
    settings = config.flatten(config.default(family)) | {"model.likelihood": likelihood}
    units = config.metric_units(settings)
    assert {name: units.get(name, "") for name in expected} == expected


def test_runs_of_different_units_share_none():
    settings = [config.flatten(config.default(family)) for family in ("vae", "autoencoder")]
    assert config.shared_unit("recon", settings) == "nats per example"
    assert config.shared_unit("kl", settings) == ""
