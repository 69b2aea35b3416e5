"""Factors of the autoencoder: what has no meaning is refused, and each is what its formula says."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.optimize
from cases import BATCH, SHAPE, N, case, stored
from present import present

from genjax.losses import codes
from genjax.losses.discrepancies import maximum_mean_discrepancy
from genjax.metrics.wasserstein import squared_sliced_wasserstein
from genjax.models.autoencoder import corruptions
from genjax.models.autoencoder import model as autoencoder
from genjax.models.autoencoder.family import FAMILY, build
from genjax.models.autoencoder.penalties import CODE_PENALTIES
from genjax.training import optimisers
from genjax.training import step as steps
from genjax.training.scan import advance, make_train
from genjax.types import Batch, DataSpec, InputError

IMAGES = DataSpec(SHAPE, True, 1 / 255, np.full(SHAPE, 0.5, np.float32), 0.1, examples=N)
POINTS = DataSpec((6,), False, 1.0, np.zeros(6, np.float32), examples=N)
KEY = jax.random.key(0)


def make(spec=IMAGES, hparams=None, **changes):
    settings = {**FAMILY.settings, "hidden": (7,), "latent": 3, **changes}
    return FAMILY.make(settings, spec, {**FAMILY.hparams, "step": jnp.int32(99), **(hparams or {})})


def images(n=BATCH, key=KEY):
    return Batch(jax.random.uniform(key, (n, *SHAPE)))


def term(name, of, **changes):
    """The value of a penalty's term in the loss, and the parameters and the batch that it is of."""
    model, batch = make(code_penalty=name, **changes), images()
    params = model.init(KEY, batch)
    _, aux = model.objectives["autoencoder"].loss(params, batch, KEY)
    return aux.metrics[of], model, params, batch


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"bottleneck": "vq", "code_penalty": "l1"}, "is for continuous codes"),
        ({"bottleneck": "fsq", "phi": "tanh"}, "set model.phi to 'identity'"),
        ({"code_penalty": "sparse"}, "needs model.phi 'sigmoid', not 'identity'"),
        ({"code_penalty": "mmd", "phi": "relu"}, "cannot reach"),
        ({"code_penalty": "adversarial", "phi": "elu"}, "cannot reach"),
        ({"bottleneck": "fsq", "levels": (2, 3)}, "needs three levels or more"),
        ({"bottleneck": "fsq", "levels": ()}, "needs three levels or more"),
        ({"bottleneck": "fsq", "levels": (16, 16, 16, 17)}, "has 69,632 codes at a position: 65,536 are the most"),
        ({"bottleneck": "vq", "codes": 65_537}, "65,536 are the most"),
        ({"bottleneck": "lfq", "latent": 17}, "131,072 codes at a position: 65,536 are the most"),
        ({"bottleneck": "vq", "codes": 1}, "needs two codes or more"),
        ({"psi": "tanh"}, "needs model.psi 'sigmoid'"),
        ({"spec": POINTS}, "use 'gaussian' for points"),
    ],
)
def test_what_has_no_meaning_is_refused_in_one_line(changes, message):
    with pytest.raises(InputError) as error:
        make(**changes)
    assert message in str(error.value)
    assert "\n" not in str(error.value)


def test_noise_has_its_deviation_and_masks_have_their_share():
    x = jnp.full((200, 500), 0.7)
    noise = corruptions.add_noise(KEY, x, 0.3) - x
    assert abs(float(noise.mean())) < 4 * 0.3 / math.sqrt(noise.size)
    np.testing.assert_allclose(float(noise.std()), 0.3, rtol=0.02)
    masked = corruptions.mask(KEY, x, 0.25)
    assert set(np.unique(masked).tolist()) == {0.0, np.float32(0.7)}
    np.testing.assert_allclose(float((masked == 0).mean()), 0.25, atol=4 * math.sqrt(0.25 * 0.75 / x.size))


def test_a_denoiser_is_asked_for_the_clean_example():
    """With everything masked the encoder sees nothing: the loss is that of the code of zeros, against x."""
    model, batch = make(corruption="masking", hparams={"masked": 1.0}), images()
    params = model.init(KEY, batch)
    _, aux = model.objectives["autoencoder"].loss(params, batch, KEY)
    x_hat = present(model.decode)(params, present(model.encode)(params, Batch(jnp.zeros_like(batch.x))))
    expected = -(batch.x * jnp.log(x_hat) + (1 - batch.x) * jnp.log1p(-x_hat)).sum(axis=(1, 2, 3))
    np.testing.assert_allclose(aux.metrics["denoised"], expected.mean(), rtol=1e-5)
    values = model.evaluate(params, batch, KEY)
    np.testing.assert_allclose(values["denoised"], expected, rtol=1e-5)
    assert np.all(np.abs(values["recon"] - values["denoised"]) > 1e-4)
    assert model.monitor == "denoised"


def test_linear_denoiser_shrinks_each_direction():
    """W2 W1 = U_k diag(l_i / (l_i + s^2)) U_k^T: the best linear estimate of x from x + s eps, of rank k."""
    rng, variances = np.random.default_rng(0), np.array([4.0, 2.0, 1.0, 0.3, 0.2, 0.1])
    noise = rng.standard_normal((64, 6))
    left, axes = np.linalg.qr(noise - noise.mean(axis=0))[0], np.linalg.qr(rng.standard_normal((6, 6)))[0]
    x = (left * np.sqrt(64 * variances) @ axes.T).astype(np.float32)
    settings = {"hidden": (), "latent": 3, "psi": "identity", "likelihood": "gaussian", "corruption": "gaussian"}
    config = {
        "model": {**FAMILY.settings, **settings},
        "optim": {"autoencoder": {**optimisers.SETTINGS, "schedule": "warmup_cosine"}},
        "train": {"steps": 2000, "batch_size": 256, "evaluate_batch_size": 500},
    }
    state = train(config, {"noise": 0.7, "lambda_w": 0.0, "learning_rate": 0.02, "final_factor": 1e-3}, x)
    w1, w2 = (np.asarray(state.params[part]["Dense_0"]["kernel"]).T for part in ("encoder", "decoder"))
    shrunk = variances[:3] / (variances[:3] + 0.7**2)
    np.testing.assert_allclose(w2 @ w1, axes[:, :3] * shrunk @ axes[:, :3].T, atol=0.02)


def test_l1_and_l2_are_sums_over_the_code():
    value, model, params, batch = term("l1", "l1")
    z = np.asarray(present(model.encode)(params, batch), np.float64)
    np.testing.assert_allclose(value, np.abs(z).sum(axis=1).mean(), rtol=1e-5)
    value, model, params, batch = term("l2", "l2")
    np.testing.assert_allclose(value, np.square(z).sum(axis=1).mean() / 2, rtol=1e-5)


def test_sparsity_and_its_gradient_in_float64():
    """sum_j KL(rho || rho_j); its derivative by an activation is ((1 - rho)/(1 - rho_j) - rho/rho_j) / b."""
    rng = np.random.default_rng(0)
    a = rng.uniform(0.05, 0.95, (8, 3))
    rho, mean = 0.1, a.mean(axis=0)
    expected = rho * np.log(rho / mean) + (1 - rho) * np.log((1 - rho) / (1 - mean))
    activations = jnp.asarray(a, jnp.float32)
    np.testing.assert_allclose(codes.activation_divergence(activations, rho), expected, rtol=1e-4)
    for end, limit in ((0.0, -np.log(1 - mean)), (1.0, -np.log(mean))):
        np.testing.assert_allclose(codes.activation_divergence(activations, end), limit, rtol=1e-5)
    slope = jax.grad(lambda a: jnp.sum(codes.activation_divergence(a, rho)))(activations)
    by_hand = ((1 - rho) / (1 - mean) - rho / mean) / 8
    np.testing.assert_allclose(slope, np.broadcast_to(by_hand, (8, 3)), rtol=1e-4, atol=1e-6)
    dead = jax.grad(lambda a: jnp.sum(codes.activation_divergence(a, rho)))(jnp.zeros((4, 2)))
    assert np.all(np.isfinite(dead))
    value, model, params, batch = term("sparse", "sparsity", phi="sigmoid")
    z = present(model.encode)(params, batch)
    np.testing.assert_allclose(
        value, codes.activation_divergence(z, FAMILY.hparams["sparsity_target"]).sum(), rtol=1e-5
    )


def jacobian_norms(function, points):
    """||J||_F^2 of each row, from explicit Jacobians."""
    each = jax.vmap(jax.jacobian(lambda row: function(row[None])[0]))(points)
    return np.square(np.asarray(each, np.float64)).reshape(len(points), -1).sum(axis=1)


@pytest.mark.parametrize("phi", ["identity", "sigmoid", "tanh", "relu"])
def test_contraction_of_one_layer_is_the_norm_of_its_jacobian(phi):
    value, model, params, batch = term("contractive", "contraction", hidden=(), phi=phi)
    exact = jacobian_norms(lambda x: present(model.encode)(params, Batch(x)), batch.x)
    np.testing.assert_allclose(value, exact.mean(), rtol=1e-4)


@pytest.mark.parametrize(("penalty", "of"), [("contractive", "contraction"), ("gradient", "gradient")])
def test_estimates_of_jacobians_have_the_exact_mean(penalty, of):
    """Of the encoder by x, of the decoder by z; over 4,000 sign vectors, within four standard errors."""
    model, batch = make(code_penalty=penalty, phi="tanh"), images()
    params = model.init(KEY, batch)
    z = present(model.encode)(params, batch)
    if penalty == "contractive":
        exact = jacobian_norms(lambda x: present(model.encode)(params, Batch(x)), batch.x)
    else:
        exact = jacobian_norms(lambda z: present(model.decode)(params, z), z)
    loss = model.objectives["autoencoder"].loss
    draw = jax.jit(jax.vmap(lambda key: loss(params, batch, key)[1].metrics[of]))
    values = np.asarray(draw(jax.random.split(KEY, 4000)), np.float64)
    assert abs(values.mean() - exact.mean()) < 4 * values.std() / math.sqrt(4000)
    assert values.std() > 0


def test_the_gradient_penalty_moves_the_decoder_alone_through_its_slope():
    """RAE's penalty is by z: a decoder that is linear in z has ||W||_F^2, whatever x is, and its gradient is 2 W."""
    changes = {"hidden": (), "psi": "identity", "likelihood": "gaussian", "code_penalty": "gradient"}
    model = make(POINTS, hparams={"lambda_w": 0.0, "l2_weight": 0.0, "gradient_weight": 1.0}, **changes)
    batch = Batch(jnp.zeros((400, 6)))  # reconstructed exactly at the start: bias and data are zero
    params = model.init(KEY, batch)
    loss = lambda params: model.objectives["autoencoder"].loss(params, batch, KEY)[0]  # noqa: E731
    kernel = np.asarray(params["decoder"]["Dense_0"]["kernel"], np.float64)
    slope = jax.grad(loss)(params)
    np.testing.assert_allclose(loss(params), np.square(kernel).sum(), rtol=0.15)
    np.testing.assert_allclose(slope["decoder"]["Dense_0"]["kernel"], 2 * kernel, atol=0.5 * np.abs(kernel).max())
    assert all(float(jnp.abs(leaf).max()) == 0 for leaf in jax.tree.leaves(slope["encoder"]))


def gaussian_mmd(mean, deviation, d):
    """MMD^2 of N(m, s^2 I) and N(0, I) under exp(-||x - y||^2 / 2d), in closed form."""

    def overlap(variance, distance):
        return (d / (d + variance)) ** (d / 2) * math.exp(-distance / (2 * (d + variance)))

    far = d * mean**2
    return overlap(2 * deviation**2, 0) + overlap(2, 0) - 2 * overlap(deviation**2 + 1, far)


@pytest.mark.parametrize(("mean", "deviation"), [(0.0, 1.0), (1.0, 1.0), (0.0, 0.3), (0.5, 2.0)])
def test_rbf_discrepancy_of_two_gaussians_is_its_closed_form(mean, deviation):
    d, n = 3, 200

    def draw(key):
        x, y = (jax.random.normal(k, (n, d)) for k in jax.random.split(key))
        return maximum_mean_discrepancy(mean + deviation * x, y, "rbf")

    values = np.asarray(jax.jit(jax.vmap(draw))(jax.random.split(KEY, 300)), np.float64)
    assert abs(values.mean() - gaussian_mmd(mean, deviation, d)) < 4 * values.std() / math.sqrt(300) + 1e-6


@pytest.mark.parametrize("kernel", ["rbf", "imq"])
def test_discrepancies_of_equal_distributions_are_zero_in_expectation(kernel):
    def draw(key):
        x, y = (jax.random.normal(k, (40, 2)) for k in jax.random.split(key))
        return maximum_mean_discrepancy(x, y, kernel)

    values = np.asarray(jax.jit(jax.vmap(draw))(jax.random.split(KEY, 2000)), np.float64)
    assert abs(values.mean()) < 4 * values.std() / math.sqrt(2000)
    assert values.min() < 0


def test_the_sliced_distance_is_the_cost_of_the_best_assignment():
    """In one dimension W_2^2 of equally many points is the least mean squared distance of any pairing."""
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(25, 1)), 0.5 + 2 * rng.normal(size=(25, 1))
    costs = np.square(x - y.T)
    pairs = scipy.optimize.linear_sum_assignment(costs)
    value = squared_sliced_wasserstein(KEY, jnp.asarray(x, jnp.float32), jnp.asarray(y, jnp.float32), 7)
    np.testing.assert_allclose(value, costs[pairs].mean(), rtol=1e-5)
    slope = jax.grad(lambda x: squared_sliced_wasserstein(KEY, x, x[::-1]))(jnp.asarray(x, jnp.float32))
    assert np.all(np.isfinite(slope))


@pytest.mark.parametrize("penalty", [name for name, row in CODE_PENALTIES.items() if row.prior])
def test_codes_that_are_driven_to_a_prior_give_samples(penalty):
    model, batch = make(code_penalty=penalty), images()
    params = model.init(KEY, batch)
    assert present(model.prior)(params, KEY, 5).shape == (5, 3)
    assert present(model.sample)(params, KEY, 5).shape == (5, *SHAPE)
    assert make().sample is None


def test_the_players_of_codes_move_their_own_parts():
    model, batch = make(code_penalty="adversarial"), images()
    params = model.init(KEY, batch)
    assert {name: objective.trains for name, objective in model.objectives.items()} == {
        "autoencoder": ("encoder", "decoder"),
        "discriminator": ("discriminator",),
        "generator": ("encoder",),
    }
    z = present(model.encode)(params, batch)
    shifted = {**params, "discriminator": jax.tree.map(lambda leaf: leaf * 0, params["discriminator"])}
    for name, expected in {"discriminator": 2 * math.log(2), "generator": math.log(2)}.items():
        loss, _ = model.objectives[name].loss(shifted, batch, KEY)
        np.testing.assert_allclose(loss, expected, rtol=1e-6)  # D = 0 everywhere
    assert z.shape == (BATCH, 3)


def test_commitment_does_not_depend_on_the_batch_size():
    model = make(bottleneck="vq", codes=5, positions=2)
    one = images(4)
    params = model.init(KEY, one)
    two = Batch(jnp.concatenate([one.x, one.x]))
    values = [model.objectives["autoencoder"].loss(params, batch, KEY)[1].metrics for batch in (one, two)]
    for name in ("commitment", "recon", "loss"):
        np.testing.assert_allclose(values[0][name], values[1][name], rtol=1e-5)


def test_commitment_is_summed_over_positions():
    model, batch = make(bottleneck="vq", codes=5, positions=2), images()
    params = model.init(KEY, batch)
    _, aux = model.objectives["autoencoder"].loss(params, batch, KEY)
    z = np.asarray(batch.x, np.float64).reshape(BATCH, -1)
    for layer, activate in {"Dense_0": lambda h: np.maximum(h, 0), "Dense_1": lambda h: h}.items():
        kernel, bias = (np.asarray(params["encoder"][layer][name], np.float64) for name in ("kernel", "bias"))
        z = activate(z @ kernel + bias)
    quantised = np.asarray(present(model.encode)(params, batch), np.float64)
    np.testing.assert_allclose(aux.metrics["commitment"], np.square(z - quantised).sum(axis=1).mean(), rtol=1e-4)


@pytest.mark.parametrize("network", ["mlp", "dcgan"])
@pytest.mark.parametrize(
    "changes",
    [
        {"bottleneck": "vq", "codes": 5},
        {"bottleneck": "fsq", "levels": (3, 4)},
        {"bottleneck": "lfq", "latent": 3},
    ],
)
def test_numbers_of_codes_decode_to_reconstructions(network, changes):
    model, batch = make(network=network, channels=2, **changes), images()
    params = model.init(KEY, batch)
    discrete = present(model.discrete)
    numbers = discrete.encode(params, batch)
    assert numbers.shape == (BATCH, *discrete.grid)
    assert discrete.grid == ((8,) if network == "mlp" else (4, 4))
    assert 0 <= int(numbers.min()) <= int(numbers.max()) < discrete.size
    rebuilt = discrete.decode(params, numbers)
    np.testing.assert_allclose(rebuilt, present(model.reconstruct)(params, batch, KEY), atol=1e-5)


def test_a_position_of_a_map_sees_a_part_of_the_image():
    model = make(network="dcgan", channels=2, bottleneck="fsq", levels=(8, 8))
    batch = images()
    params = model.init(KEY, batch)
    changed = batch.x.at[:, 0, 0].set(9.0)
    before, after = (present(model.discrete).encode(params, Batch(x)) for x in (batch.x, changed))
    differ = np.asarray(jnp.any(before != after, axis=0))
    assert differ[0, 0]
    assert not differ[2:].any()
    assert not differ[:, 2:].any()


def test_a_codebook_starts_and_restarts_at_codes_of_the_batch():
    """At the learning rate zero the codes are those of the first parameters, at both positions."""
    c = case("autoencoder_bottleneck_vq")
    still = {**c.hparams, "learning_rate": jnp.float32(0)}
    first = c.init(still, KEY)
    auto = build(c.config.model, IMAGES, c.hparams)
    x = steps.prepare(IMAGES, KEY, stored(c.config)).x
    z = np.asarray(autoencoder.continuous_code(auto, first.params, x)).reshape(-1, 3)

    def farthest(entries):
        return np.abs(entries[:, None] - z[None]).max(axis=-1).min(axis=1).max()

    assert farthest(np.asarray(first.params["codebook"]["sums"])) > 0.1  # before the first step: N(0, I)
    after, _ = c.chunk(first, still, KEY, 1)
    assert after.params["codebook"]["counts"].sum() == BATCH * 2  # every code of the batch
    restarted, _ = c.chunk(first, {**still, "restart_share": jnp.float32(1e9)}, KEY, 1)
    np.testing.assert_array_equal(restarted.params["codebook"]["counts"], 1.0)
    assert farthest(np.asarray(restarted.params["codebook"]["sums"])) < 1e-5


def train(config, hparams, x):
    """The state after all steps on an array of points."""
    spec = DataSpec(x.shape[1:], False, 1.0, x.mean(axis=0))
    functions = make_train(config, spec, family=FAMILY)
    traced = {name: jnp.float32(v) for name, v in {**optimisers.HPARAMS, **FAMILY.hparams, **hparams}.items()}
    run = jax.jit(lambda rng: advance(functions, functions.init(traced, rng), Batch(jnp.asarray(x)), traced, rng, 2000))
    return run(KEY)[0]
