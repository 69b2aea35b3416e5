"""Factors of the GAN: what has no meaning is refused, and each is what its formula says."""

import itertools
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from cases import BATCH, CLASSES, GAN_FACTORS, SHAPE, N, case, small_config, stored
from cases import build as build_case
from present import present

from genjax import config as configs
from genjax.data import describe, load, stored_batch
from genjax.models import FAMILIES
from genjax.models.gan import model as gan_model
from genjax.models.gan.family import FAMILY, build, constant_decay, half_life_decay
from genjax.models.gan.penalties import PENALTIES
from genjax.nn.augmentation import augment
from genjax.rng import stream
from genjax.training import step as steps
from genjax.training.scan import advance, make_train
from genjax.types import Batch, DataSpec, InputError

IMAGES = DataSpec(SHAPE, True, 1 / 255, np.full(SHAPE, 0.5, np.float32), 0.1, classes=CLASSES, examples=N)
POINTS = DataSpec((2,), False, 1.0, np.zeros(2, np.float32), examples=N)
KEY = jax.random.key(0)


def settings_of(**changes):
    return {**FAMILY.settings, "generator_hidden": (4,), "discriminator_hidden": (4,), "latent": 3, **changes}


def make(spec=IMAGES, **changes):
    return FAMILY.make(settings_of(**changes), spec, FAMILY.hparams)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"penalties": ("r1", "r1")}, "'r1' more than once"),
        ({"spectral_norm": True, "weight_clipping": True}, "set one of them"),
        ({"spectral_norm": True, "network": "dcgan", "norm": "group"}, "set model.discriminator_norm to 'none'"),
        ({"augmentation": "ada", "loss": "relativistic"}, "reads the sign of D"),
        ({"packing": 2, "condition": "projection"}, "set model.condition to 'none'"),
        ({"packing": 2, "penalties": ("consistency",)}, "set model.packing to 1"),
        ({"condition": "auxiliary", "spec": POINTS}, "needs data with one label"),
        ({"augmentation": "diffaugment", "spec": POINTS}, "needs images"),
        ({"penalties": ("consistency",), "spec": POINTS}, "needs images"),
        ({"penalties": ("r1",), "pixel_range": "symmetric", "spec": POINTS}, "needs images"),
    ],
)
def test_what_has_no_meaning_is_refused_in_one_line(changes, message):
    with pytest.raises(InputError) as error:
        make(**changes)
    assert message in str(error.value)
    assert "\n" not in str(error.value)


def test_a_generator_may_have_a_norm_beside_spectral_norms():
    chosen = {"network": "dcgan", "channels": 4, "norm": "group", "discriminator_norm": "none", "spectral_norm": True}
    params = make(**chosen).init(KEY, Batch(jnp.zeros((2, *SHAPE))))
    assert any(name.startswith("GroupNorm") for name in params["generator"])
    assert not any(name.startswith("GroupNorm") for name in params["discriminator"])


def test_a_batch_that_packs_do_not_divide_is_refused():
    model = make(packing=3)
    batch = Batch(jnp.zeros((8, *SHAPE)))
    params = model.init(KEY, batch)
    with pytest.raises(InputError, match=r"train\.batch_size = 8 is no multiple of model\.packing = 3"):
        model.objectives["discriminator"].loss(params, batch, KEY)


def test_a_pack_holds_examples_side_by_side():
    gan = build(settings_of(packing=2), IMAGES, FAMILY.hparams)
    x = jax.random.uniform(KEY, (6, *SHAPE))
    packs = gan_model._pack(gan, x)
    assert packs.shape == (3, 8, 8, 2)
    for i in range(3):
        np.testing.assert_array_equal(packs[i, ..., 0], x[2 * i, ..., 0])
        np.testing.assert_array_equal(packs[i, ..., 1], x[2 * i + 1, ..., 0])
    np.testing.assert_array_equal(gan_model._neighbours(gan, x)[0], packs[0])
    points = build(settings_of(packing=2), POINTS, FAMILY.hparams)
    assert gan_model._pack(points, jnp.arange(8.0).reshape(4, 2)).tolist() == [[0, 1, 2, 3], [4, 5, 6, 7]]


def params_and_batch(name):
    c = case(name)
    params = c.init(c.hparams, KEY).params
    first = jax.tree.map(lambda leaf: leaf[:BATCH], stored(c.config))
    return c.functions.model(c.hparams, jnp.int32(0)), params, steps.prepare(IMAGES, KEY, first)


@pytest.mark.parametrize("condition", ["concatenation", "projection"])
def test_the_label_moves_both_players(condition):
    model, params, batch = params_and_batch(f"gan_{condition}")
    other = batch._replace(label=(batch.label + 1) % CLASSES)
    first, second = (model.evaluate(params, b, KEY) for b in (batch, other))
    assert np.all(np.abs(first["real_logit"] - second["real_logit"]) > 1e-6)
    draws = [present(model.sample_class)(params, KEY, label) for label in (batch.label, other.label)]
    assert np.abs(draws[0] - draws[1]).max() > 1e-6


def test_a_projection_is_the_product_with_features():
    """D(x, y) - D(x, y') is (w_y - w_y') . phi(x), phi the last hidden layer."""
    gan = build(settings_of(condition="projection"), IMAGES, FAMILY.hparams)
    batch = Batch(jax.random.uniform(KEY, (4, *SHAPE)), jnp.zeros(4, jnp.int32))
    params = gan_model.init(gan, KEY, batch)
    hidden, last = params["discriminator"]["Dense_0"], params["discriminator"]["Dense_1"]
    centred = 2 * np.asarray(batch.x, np.float64).reshape(4, -1) - 1
    features = centred @ np.asarray(hidden["kernel"], np.float64) + np.asarray(hidden["bias"])
    features = np.where(features > 0, features, 0.2 * features)
    for label, other in itertools.combinations(range(CLASSES), 2):
        both = [
            gan_model.evaluate(gan, params, batch._replace(label=jnp.full(4, y)), KEY)["real_logit"]
            for y in (label, other)
        ]
        columns = np.asarray(last["kernel"], np.float64)
        expected = features @ (columns[:, 1 + label] - columns[:, 1 + other])
        np.testing.assert_allclose(both[0] - both[1], expected, atol=1e-4)


def test_codes_of_information_are_drawn_and_named():
    model, params, batch = params_and_batch("gan_information")
    z = present(model.prior)(params, KEY, 500)
    assert z.shape == (500, 3 + 4)
    assert set(np.argmax(np.asarray(z)[:, 3:], axis=1).tolist()) == set(range(4))
    assert model.sample_class is None
    _, aux = model.objectives["generator"].loss(params, batch, KEY)
    np.testing.assert_allclose(aux.metrics["class_loss"], np.log(4), atol=0.5)  # the classifier knows nothing yet


def test_priors():
    c = case("gan_truncated")
    model, params = c.functions.model(c.hparams, jnp.int32(0)), c.init(c.hparams, KEY).params
    samples = np.asarray(present(model.prior)(params, KEY, 4000))
    assert np.abs(samples).max() <= 1.0
    np.testing.assert_allclose(samples.var(), 0.291, atol=0.01)  # of N(0, 1) within one deviation
    uniform = make(prior="uniform")
    drawn = np.asarray(present(uniform.prior)({}, KEY, 4000))
    assert np.abs(drawn).max() <= 1.0
    np.testing.assert_allclose(drawn.var(), 1 / 3, atol=0.02)


def test_weights_are_clipped_after_every_update():
    c = case("gan_wasserstein")
    state, _ = c.chunk(c.init(c.hparams, KEY), c.hparams, KEY, 3)
    for leaf in jax.tree.leaves(state.params["discriminator"]):
        assert float(jnp.max(jnp.abs(leaf))) <= 0.01
    assert max(float(jnp.max(jnp.abs(leaf))) for leaf in jax.tree.leaves(state.params["generator"])) > 0.01


def test_spectral_norm_moves_its_vectors_in_discriminator_updates_alone():
    model, params, batch = params_and_batch("gan_hinge")
    _, of_discriminator = model.objectives["discriminator"].loss(params, batch, KEY)
    _, of_generator = model.objectives["generator"].loss(params, batch, KEY)
    assert set(of_discriminator.state) == {"power_vectors"}
    assert not of_generator.state
    moved = jax.tree.map(
        lambda a, b: float(jnp.abs(a - b).max()), of_discriminator.state["power_vectors"], params["power_vectors"]
    )
    assert min(jax.tree.leaves(moved)) >= 0
    assert max(jax.tree.leaves(moved)) > 1e-3


@pytest.mark.slow
def test_adas_probability_follows_the_rule():
    """It starts at 0, and moves by the images of a step over `ada_images`."""
    c = case("gan_ada")
    state, probabilities = c.init(c.hparams, KEY), []
    for _ in range(7):
        probabilities.append(float(state.params["augmentation"]["probability"]))
        state, _ = c.chunk(state, c.hparams, KEY, 1)
    changes = np.diff(probabilities)
    assert probabilities[0] == 0
    assert set(np.abs(changes)) <= {0.0, BATCH / 64}
    assert changes.max() > 0


def test_lazy_penalties_act_at_every_kth_step_alone():
    c = case("gan_relativistic_r1_r2")  # every second step
    _, params, batch = params_and_batch("gan_relativistic_r1_r2")

    def penalty_of(model):
        return float(model.objectives["discriminator"].loss(params, batch, KEY)[1].metrics["r1"])

    values = [penalty_of(c.functions.model(c.hparams, jnp.int32(step))) for step in range(3)]
    assert values[1] == 0
    assert values[0] == values[2] > 0
    always = FAMILY.make({**c.config.model, "penalty_every": 1}, IMAGES, {**c.hparams, "step": 0, "progress": 0.0})
    np.testing.assert_allclose(values[0], 2 * penalty_of(always), rtol=1e-5)


@pytest.mark.parametrize(
    ("name", "ratio"), [("r1", 4.0), ("r2", 4.0), ("zero_centred", 4.0), ("latent_diversity", 0.25)]
)
def test_the_unit_of_the_images_scales_what_is_squared(name, ratio):
    batch = Batch(jax.random.uniform(KEY, (8, *SHAPE)))
    values = []
    for pixel_range in ("unit", "symmetric"):
        model = make(penalties=(name,), pixel_range=pixel_range)
        params = model.init(KEY, batch)
        values.append(model.objectives[PENALTIES[name].player].loss(params, batch, KEY)[1].metrics[name])
    np.testing.assert_allclose(values[0] / values[1], ratio, rtol=1e-5)


def mlp(layers, x):
    """An MLP with one hidden layer, in float64."""
    hidden = x @ layers["Dense_0"]["kernel"] + layers["Dense_0"]["bias"]
    return np.where(hidden > 0, hidden, 0.2 * hidden) @ layers["Dense_1"]["kernel"] + layers["Dense_1"]["bias"]


def exact_consistency(name, params, x, augmented, z, noise):
    """The mean of a penalty by its formula, for images in [0, 1]; `augmented` are images and samples in [-1, 1]."""

    def critic(images):
        return mlp(params["discriminator"], images)[:, 0]

    def generator(codes):
        return 1 / (1 + np.exp(-mlp(params["generator"], codes)))

    samples, moved = generator(z), generator(z + noise)
    pairs = {
        "consistency": [(2 * x - 1, augmented[0]), (2 * samples - 1, augmented[1])],
        "latent_consistency": [(2 * samples - 1, 2 * moved - 1)],
    }
    if name == "latent_diversity":
        return -np.mean(np.sum((samples - moved) ** 2, axis=1))
    return np.mean(sum((critic(a) - critic(b)) ** 2 for a, b in pairs[name]))


@pytest.mark.parametrize("name", ["consistency", "latent_consistency", "latent_diversity"])
def test_consistency_penalties_and_their_gradients_by_hand(name):
    """Against float64: the value by its formula, its gradient by all weights of the player by central differences."""
    model = FAMILY.make(settings_of(penalties=(name,)), IMAGES, {**FAMILY.hparams, "code_noise": 0.5})
    batch, player, rng = Batch(jax.random.uniform(KEY, (8, *SHAPE))), PENALTIES[name].player, jax.random.key(1)
    params = model.init(KEY, batch)

    def penalty(part):
        return model.objectives[player].loss({**params, player: part}, batch, rng)[1].metrics[name]

    z, of_penalties = jax.random.normal(rng, (8, 3)), stream(rng, "penalties")
    noise = 0.5 * jax.random.normal(stream(of_penalties, "codes"), z.shape)
    sources = {"real": batch.x, "fake": gan_model.decode(build(settings_of(), IMAGES, FAMILY.hparams), params, z)}
    augmented = [augment(stream(of_penalties, f"consistency {key}"), 2 * x - 1) for key, x in sources.items()]
    exact = jax.tree.map(lambda leaf: np.array(leaf, np.float64), params)
    x, *augmented = (np.asarray(images, np.float64).reshape(8, -1) for images in (batch.x, *augmented))
    formula = partial(exact_consistency, name, exact, x, augmented, *(np.asarray(c, np.float64) for c in (z, noise)))
    value, gradient = jax.value_and_grad(penalty)(params[player])
    assert abs(formula()) > 1e-4
    np.testing.assert_allclose(value, formula(), rtol=1e-4)
    for leaf, slopes in zip(jax.tree.leaves(exact[player]), jax.tree.leaves(gradient), strict=True):
        expected = np.zeros(leaf.shape)
        for index in np.ndindex(leaf.shape):
            values = []
            for step in (1e-6, -2e-6):
                leaf[index] += step
                values.append(formula())
            leaf[index] += 1e-6
            expected[index] = (values[0] - values[1]) / 2e-6
        np.testing.assert_allclose(slopes, expected, rtol=1e-3, atol=1e-5 * np.abs(expected).max() + 1e-8)


def test_lecams_averages_follow_the_logits():
    c = case("gan_zero_centred_lecam")
    state, metrics = c.chunk(c.init(c.hparams, KEY), c.hparams, KEY, 4)
    expected = 0.0
    for value in np.asarray(metrics["real_logit"], np.float64):
        expected = 0.99 * expected + 0.01 * value
    np.testing.assert_allclose(state.params["logits"]["real"], expected, rtol=1e-4)
    assert np.asarray(metrics["lecam"])[0] == 0  # before lecam_start
    assert np.all(np.asarray(metrics["lecam"])[1:] > 0)


def test_averages_half_life():
    hparams = {**FAMILY.hparams, "step": 10**6}
    decay = float(half_life_decay(hparams, 64))
    np.testing.assert_allclose(decay ** (10e3 / 64), 0.5, rtol=1e-5)
    early = {**hparams, "step": 9}  # 640 images seen: the half-life is 32 images
    np.testing.assert_allclose(half_life_decay(early, 64), 0.25, rtol=1e-5)
    np.testing.assert_allclose(constant_decay(hparams, 64), 0.999, rtol=1e-5)


def test_a_half_life_counts_the_images_of_all_batches_of_an_update():
    hparams = {**FAMILY.hparams, "step": 10**6}
    model = FAMILY.make(settings_of(average="half_life", accumulate=4), IMAGES, hparams)
    assert model.average_decay is not None
    np.testing.assert_allclose(model.average_decay(16), half_life_decay(hparams, 64), rtol=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize("name", GAN_FACTORS)
def test_each_factor_is_resumed_and_swept_exactly(name):
    """Ten steps in two parts are ten steps; trials side by side are trials one by one, to rounding."""
    c = case(name)
    start = c.init(c.hparams, KEY)
    whole, _ = c.chunk(start, c.hparams, KEY, 10)
    assert int(whole.diverged_at) == -1
    half, _ = c.chunk(start, c.hparams, KEY, 5)
    resumed, _ = c.chunk(half, c.hparams, KEY, 5)
    jax.tree.map(np.testing.assert_array_equal, resumed, whole)
    rates = jnp.float32([1e-4, 3e-4])
    trials = {name: jnp.stack([value] * 2) for name, value in c.hparams.items()} | {"generator_learning_rate": rates}
    both, _ = jax.jit(jax.vmap(partial(c.chunk.__wrapped__, length=5), in_axes=(None, 0, None)))(start, trials, KEY)
    for i in range(2):
        alone, _ = c.chunk(start, jax.tree.map(lambda leaf, i=i: leaf[i], trials), KEY, 5)
        mine = jax.tree.map(lambda leaf, i=i: leaf[i], both)
        jax.tree.map(partial(np.testing.assert_allclose, rtol=2e-3, atol=2e-4), mine.params, alone.params)


@pytest.mark.slow
@pytest.mark.optimised
@pytest.mark.parametrize("condition", ["concatenation", "projection", "auxiliary"])
def test_conditional_samples_are_of_their_class(condition):
    """Trained on digits for some seconds; the judge is the nearest mean of the training images of a class."""
    digits = load("digits")
    config = configs.default("gan")
    config.model.condition, config.model.penalties, config.model.latent = condition, ("r1",), 16
    config.model.generator_hidden = config.model.discriminator_hidden = (128,)
    config.hparams.generator_learning_rate = config.hparams.discriminator_learning_rate = 1e-3
    config.hparams.ema_decay, config.train.steps = 0.99, 2000
    train, data = make_train(config, describe(digits)), stored_batch(digits, digits.train, labelled=True)
    hparams = {name: jnp.float32(value) for name, value in configs.active(config).items()}
    data = jax.tree.map(jnp.asarray, data)
    state, _ = jax.jit(lambda: advance(train, train.init(hparams, KEY), data, hparams, KEY, 2000))()
    label = jnp.repeat(jnp.arange(10), 20)
    sample_class = present(train.model(hparams, state.step).sample_class)
    drawn = np.asarray(sample_class(steps.averaged_params(state), jax.random.key(1), label)).reshape(200, -1)
    x, y = np.asarray(digits.train.x).reshape(-1, 64) * digits.scale, present(digits.train.y)
    means = np.stack([x[y == k].mean(axis=0) for k in range(10)])
    nearest = np.argmin(np.square(drawn[:, None] - means).sum(axis=2), axis=1)
    assert np.mean(nearest == np.asarray(label)) > 0.8


def test_the_family_is_in_the_table():
    assert FAMILIES["gan"] is FAMILY


@pytest.mark.slow
def test_gradient_norms_of_both_players():
    """Under gradient descent a step moves a player by its rate times the norm."""
    descent = {f"optim.{player}.optimiser": "sgd" for player in ("discriminator", "generator")}
    rates = {f"hparams.{player}_learning_rate": 0.5 for player in ("discriminator", "generator")}
    config = small_config("gan", {**descent, **rates, "hparams.momentum": 0.0, "train.gradient_norms": True})
    c = build_case(config)
    start = c.init(c.hparams, KEY)
    state, metrics = c.chunk(start, c.hparams, KEY, 1)
    for player in ("discriminator", "generator"):
        change = jax.tree.map(jnp.subtract, state.params[player], start.params[player])
        norm = np.sqrt(sum(float(jnp.sum(leaf**2)) for leaf in jax.tree.leaves(change)))
        np.testing.assert_allclose(metrics[f"{player}_gradient_norm"][0], norm / 0.5, rtol=1e-3)
    plain = case("gan")
    assert "generator_gradient_norm" not in plain.chunk(plain.init(plain.hparams, KEY), plain.hparams, KEY, 1)[1]
