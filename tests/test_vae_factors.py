"""Factors of the VAE beside one another: what has no meaning is refused, and classes are drawn as they are labelled."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from cases import CLASSES, SHAPE, N, build, case, images, slow, small_config, spec_of, stored
from present import present

from genjax import config as configs
from genjax.data import describe, load, stored_batch
from genjax.models import FAMILIES
from genjax.training.scan import advance, make_train
from genjax.types import Batch, DataSpec, InputError

IMAGES = DataSpec(SHAPE, True, 1 / 255, np.full(SHAPE, 0.5, np.float32), 0.1, classes=CLASSES, examples=24)
POINTS = DataSpec((2,), False, 1.0, np.zeros(2, np.float32), examples=24)
BINARY = IMAGES._replace(scale=1.0, binary=True)


def make(spec=IMAGES, **changes):
    family = FAMILIES["vae"]
    return family.make({**family.settings, "hidden": (4,), "latent": 4, **changes}, spec, family.hparams)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"layers": 3}, "one and of two stochastic layers"),
        ({"layers": 2, "posterior": "gumbel"}, "has one layer"),
        ({"layers": 2, "bound": "dreg"}, "needs all layers drawn at once"),
        ({"layers": 2, "prior": "vamp"}, "needs the encoder of the only layer"),
        ({"layers": 2, "regulariser": "tc"}, "needs the rate of each dimension"),
        ({"posterior": "gumbel", "bound": "iwae"}, "relaxed codes of 'gumbel' have none"),
        ({"posterior": "gumbel", "regulariser": "dip"}, "needs the posterior 'gaussian'"),
        ({"posterior": "ladder"}, "set model.layers to 2"),
        ({"posterior": "ladder", "layers": 2, "regulariser": "dip"}, "needs the posterior 'gaussian'"),
        ({"posterior": "gumbel", "regulariser": "mmd"}, "needs codes on the real line"),
        ({"posterior": "flow", "regulariser": "dip"}, "needs the posterior 'gaussian'"),
        ({"posterior": "flow", "regulariser": "free_bits"}, "needs the rate of each dimension"),
        ({"posterior": "flow", "prior": "vamp"}, "mixes Gaussian posteriors"),
        ({"posterior": "flow", "latent": 1}, "needs two latent dimensions"),
        ({"regulariser": "tc", "latent": 1}, "compares dimensions"),
        ({"regulariser": "factor", "latent": 1}, "compares dimensions"),
        ({"prior": "class"}, "needs model.condition 'label'"),
        ({"prior": "flow", "latent": 1}, "two latent dimensions"),
        ({"prior": "vamp", "condition": "label"}, "pseudo-inputs without a class"),
        (
            {"prior": "vamp", "pseudo_inputs": "examples", "components": 25},
            "pseudo-inputs that are examples: there are 24",
        ),
        ({"prior": "mixture", "regulariser": "free_bits"}, "needs the rate of each dimension"),
        ({"prior": "class", "condition": "label", "regulariser": "tc"}, "needs the prior 'normal'"),
        ({"bound": "iwae", "regulariser": "capacity"}, "'iwae' has no such part"),
        ({"regulariser": "free_bits", "free_bits_group": 3}, "does not divide"),
        ({"likelihood": "features", "regulariser": "factor"}, "a discriminator of its own"),
        ({"likelihood": "features", "discriminator_hidden": ()}, "must have one"),
        ({"condition": "label", "spec": POINTS}, "needs data with one label"),
        ({"regulariser": "tc", "spec": IMAGES._replace(examples=0)}, "how many examples"),
        ({"likelihood": "bernoulli", "spec": POINTS}, "needs data in [0, 1]"),
        ({"likelihood": "continuous_bernoulli", "spec": POINTS}, "needs data in [0, 1]"),
        *(
            ({"likelihood": name, "spec": BINARY}, "grey levels")
            for name in ("logistic", "logistic_mixture", "categorical")
        ),
    ],
)
def test_what_has_no_meaning_is_refused_in_one_line(changes, message):
    with pytest.raises(InputError, match=r"^model\.") as error:
        make(**changes)
    assert message in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    "changes",
    [
        {"posterior": "ladder", "layers": 2, "bound": "dreg", "samples": 3},
        {"posterior": "ladder", "layers": 2, "regulariser": "mmd"},
        {"posterior": "ladder", "layers": 2, "regulariser": "factor"},
    ],
)
def test_a_ladder_draws_codes_like_any_other(changes):
    model, batch = make(**changes), Batch(jnp.full((4, *SHAPE), 0.5))
    params = jax.jit(model.init)(jax.random.key(0), batch)
    loss = jax.jit(jax.value_and_grad(model.objectives["elbo"].loss, has_aux=True))
    value, slopes = loss(params, batch, jax.random.key(1))
    assert np.isfinite(value[0])
    assert all(bool(jnp.isfinite(leaf).all()) for leaf in jax.tree.leaves(slopes))
    assert any(bool(leaf.any()) for leaf in jax.tree.leaves(slopes["encoder"]))


def test_of_moving_features_no_loss_is_monitored():
    """A discriminator whose last hidden layer shrinks lowers the loss, and no sample gets better by it."""
    assert make(likelihood="features", network="dcgan").monitor == "sliced_wasserstein"
    assert make().monitor == "loss"
    family = FAMILIES["vae"]
    for likelihood, metric in (("features", "sliced_wasserstein"), ("auto", "loss")):
        assert family.monitor({**family.settings, "likelihood": likelihood}) == metric


def test_renyis_alpha_may_be_negative():
    config = configs.default("vae")
    config.model.bound, config.hparams.renyi_alpha = "renyi", -1.0
    configs.check(config)
    config.hparams.beta = -1.0
    with pytest.raises(InputError, match=r"hparams\.beta"):
        configs.check(config)


@pytest.mark.parametrize(
    ("spec", "name"),
    [
        (BINARY, "bernoulli"),
        (IMAGES._replace(dynamic_binarisation=True), "bernoulli"),
        (IMAGES, "gaussian_shared"),
        (POINTS, "gaussian_shared"),
    ],
)
def test_the_likelihood_suits_the_data(spec, name):
    likelihood = present(make(spec).likelihood)
    assert likelihood.name == name
    assert likelihood.density == (name != "bernoulli")


@pytest.mark.parametrize("name", ["vae", slow("vae_categorical"), slow("vae_continuous_bernoulli"), slow("vae_pixel")])
def test_simulated_data_have_the_mean_that_is_decoded(name):
    c = case(name)
    model = c.functions.model(c.hparams, jnp.int32(0))
    params = c.init(c.hparams, jax.random.key(0)).params
    keys = jax.random.split(jax.random.key(1), 400)
    batch, z = present(model.simulate)(params, jax.random.key(0), 1)

    def again(key):  # x at the same z, through the model's own draws of its decoder
        return present(model.simulate)(params, key, 64)

    drawn, codes = jax.vmap(again)(keys[:40])
    flat = np.asarray(drawn.x).reshape(-1, *SHAPE)
    means = np.asarray(present(model.decode)(params, codes.reshape(-1, codes.shape[-1])))
    residual = (flat - means).reshape(len(flat), -1)
    error = residual.std(axis=0) / np.sqrt(len(flat))
    assert np.all(np.abs(residual.mean(axis=0)) < 5 * error + 1e-3)
    assert spec_of(c.config).bounded
    assert batch.x.shape == (1, *SHAPE)
    assert z.shape == (1, 3)
    if name == "vae":
        assert set(np.unique(flat)) == {0.0, 1.0}


def test_stored_labels_reach_the_losses():
    c = case("vae_label")
    model = c.functions.model(c.hparams, jnp.int32(0))
    params = c.init(c.hparams, jax.random.key(0)).params
    images = stored(c.config)
    batch = Batch(images.x[:4] / 255.0, images.label[:4])
    other = batch._replace(label=(batch.label + 1) % CLASSES)
    first, second = (model.evaluate(params, b, jax.random.key(0))["loss"] for b in (batch, other))
    assert np.all(np.abs(first - second) > 1e-4)


@pytest.mark.slow
@pytest.mark.optimised
@pytest.mark.parametrize("prior", ["class", "normal"])
def test_conditional_samples_are_of_their_class(prior):
    """Trained on digits for a few seconds; the judge is the nearest mean of the training images of a class."""
    digits = load("digits")
    config = configs.default("vae")
    config.model.condition, config.model.prior, config.model.hidden, config.model.latent = "label", prior, (64,), 4
    config.model.likelihood, config.hparams.learning_rate, config.train.steps = "bernoulli", 3e-3, 1000
    train, data = make_train(config, describe(digits)), stored_batch(digits, digits.train, labelled=True)
    hparams = {name: jnp.float32(value) for name, value in configs.active(config).items()}
    rng, data = jax.random.key(0), jax.tree.map(jnp.asarray, data)
    state, _ = jax.jit(lambda: advance(train, train.init(hparams, rng), data, hparams, rng, 1000))()
    label = jnp.repeat(jnp.arange(10), 20)
    sample_class = present(train.model(hparams, state.step).sample_class)
    drawn = np.asarray(sample_class(state.params, jax.random.key(1), label)).reshape(200, -1)
    x, y = np.asarray(digits.train.x).reshape(-1, 64) * digits.scale, present(digits.train.y)
    means = np.stack([x[y == k].mean(axis=0) for k in range(10)])
    nearest = np.argmin(np.square(drawn[:, None] - means).sum(axis=2), axis=1)
    assert np.mean(nearest == np.asarray(label)) > 0.9


def vae_gan():
    c = case("vae_features")
    images = stored(c.config)
    batch = Batch(images.x[:4] / 255.0, None)
    return c.functions.model(c.hparams, jnp.int32(0)), c.init(c.hparams, jax.random.key(0)).params, batch


def test_a_vae_gan_compares_hidden_layers_of_its_discriminator():
    model, params, batch = vae_gan()
    rng = jax.random.key(1)
    value = model.evaluate(params, batch, rng)["recon"]
    z = np.asarray(present(model.infer)(params, batch, rng))
    assert z.shape == (4, 3)
    # At the draw that `evaluate` makes, by hand: phi = relu(x W + b), -log N(phi(x); phi(x^), I).
    hidden = params["discriminator"]["Dense_0"]
    decoded = np.asarray(present(model.decode)(params, jnp.asarray(z)))

    def features(x):
        rows = np.asarray(x, np.float64).reshape(4, -1)
        return np.maximum(rows @ np.asarray(hidden["kernel"], np.float64) + np.asarray(hidden["bias"]), 0)

    difference = features(batch.x) - features(decoded)
    expected = 0.5 * np.sum(difference**2 + np.log(2 * np.pi), axis=1)
    np.testing.assert_allclose(value, expected, rtol=1e-4)
    assert model.log_weights is None
    assert model.simulate is None


@pytest.mark.slow
def test_the_game_of_a_vae_gan_does_not_move_its_encoder():
    """The gradient of the encoder is the same whatever the weight of the generator's loss; the decoder's is not."""
    c = case("vae_features")
    _, params, batch = vae_gan()

    def gradient(weight):
        model = c.functions.model({**c.hparams, "adversarial_weight": jnp.float32(weight)}, jnp.int32(0))
        return jax.grad(lambda p: model.objectives["elbo"].loss(p, batch, jax.random.key(0))[0])(params)

    without, beside = gradient(0.0), gradient(10.0)
    jax.tree.map(np.testing.assert_array_equal, without["encoder"], beside["encoder"])
    kernel = [g["decoder"]["Dense_0"]["kernel"] for g in (without, beside)]
    assert np.abs(kernel[0] - kernel[1]).max() > 1e-4


@pytest.mark.parametrize("kind", ["examples", "from_examples"])
def test_pseudo_inputs_are_examples_of_the_first_batches(kind):
    """As many as one and a half batches, so that the second of four steps brings the last of them."""
    changes = {"model.prior": "vamp", "model.pseudo_inputs": kind, "model.components": 12}
    c = build(small_config("vae", changes))
    state, _ = c.chunk(c.init(c.hparams, jax.random.key(0)), c.hparams, jax.random.key(0), 4)
    seen = np.asarray(c.functions.indices(c.hparams, jax.random.key(0), jnp.int32(0), 2, N)).reshape(-1)[:12]
    assert len(set(seen.tolist())) == 12
    np.testing.assert_array_equal(state.params["pseudo_inputs"]["examples"], images()[seen] * np.float32(1 / 255))
    if kind == "from_examples":
        assert np.all(np.abs(state.params["prior"]["offsets"]).max(axis=(1, 2, 3)) > 0)
