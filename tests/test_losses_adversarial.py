"""Adversarial losses at their optimum, penalties against float64, spectral norms against an SVD, augmentations."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from genjax.losses import penalties
from genjax.losses.adversarial import LOSSES
from genjax.nn import augmentation
from genjax.nn.spectral import draw_zero_kernels, initial_vectors, spectral_normalise

KEY = jax.random.key(0)
# Two distributions over six points, for which every expectation is a sum.
P = np.array([0.3, 0.25, 0.2, 0.15, 0.07, 0.03])
Q = np.array([0.05, 0.1, 0.1, 0.2, 0.25, 0.3])
MIDDLE = (P + Q) / 2
JENSEN_SHANNON = 0.5 * np.sum(P * np.log(P / MIDDLE)) + 0.5 * np.sum(Q * np.log(Q / MIDDLE))
# {loss: (the optimal discriminator, the discriminator's loss there)}
OPTIMA = {
    "nonsaturating": (np.log(P / Q), 2 * np.log(2) - 2 * JENSEN_SHANNON),
    "minimax": (np.log(P / Q), 2 * np.log(2) - 2 * JENSEN_SHANNON),
    "least_squares": (P / (P + Q), 0.5 * np.sum(P * Q / (P + Q))),
    "hinge": (np.sign(P - Q), 2 * np.sum(np.minimum(P, Q))),
}


def expected_loss(loss, d):
    """Of the discriminator, over independent x ~ P and x^ ~ Q."""
    real, fake = jnp.repeat(d, 6), jnp.tile(d, 6)
    return jnp.sum(jnp.asarray(np.repeat(P, 6) * np.tile(Q, 6), jnp.float32) * LOSSES[loss].discriminator(real, fake))


@pytest.mark.parametrize("loss", OPTIMA)
def test_the_optimal_discriminator(loss):
    best, value = OPTIMA[loss]
    best = jnp.asarray(best, jnp.float32)
    np.testing.assert_allclose(expected_loss(loss, best), value, rtol=1e-5)
    if loss != "hinge":  # whose slope jumps there
        np.testing.assert_allclose(jax.grad(lambda d: expected_loss(loss, d))(best), 0, atol=1e-6)
    for move in np.random.default_rng(0).normal(size=(20, 6)):
        assert expected_loss(loss, best + jnp.asarray(0.3 * move, jnp.float32)) > value


def test_a_relativistic_discriminator_is_the_log_ratio_up_to_a_constant():
    for constant in (0.0, 3.0):
        best = jnp.asarray(np.log(P / Q) + constant, jnp.float32)
        slope = jax.grad(lambda d: expected_loss("relativistic", d))(best)
        np.testing.assert_allclose(slope, 0, atol=1e-6)


def test_a_wasserstein_critic_measures_the_distance_of_means_of_its_lipschitz_functions():
    """With D(x) = x the loss is the difference of the means: minus the distance of two points."""
    np.testing.assert_allclose(LOSSES["wasserstein"].discriminator(jnp.float32([2.0]), jnp.float32([5.0])), [3.0])


@pytest.mark.parametrize("loss", LOSSES)
def test_the_generator_is_drawn_to_where_the_discriminator_says_real(loss):
    real, fake = jnp.float32([0.5]), jnp.float32([-0.3])
    slope = jax.grad(lambda f: LOSSES[loss].generator(real, f)[0])(fake)
    assert slope[0] < 0
    moved = jax.grad(lambda r: LOSSES[loss].generator(r, fake)[0])(real)
    assert bool(moved[0] != 0) == LOSSES[loss].paired


rng = np.random.default_rng(1)
WEIGHTS, OUT, X, OTHER = rng.normal(size=(3, 4)), rng.normal(size=4), rng.normal(size=(5, 3)), rng.normal(size=(5, 3))


def critic(weights, x):
    """D(x) = out . tanh(x W): `[b, 3] -> [b]`."""
    return jnp.tanh(x @ weights) @ jnp.asarray(OUT, jnp.float32)


def exact_gradient(weights, x):
    return (OUT * (1 - np.tanh(x @ weights) ** 2)) @ weights.T


EXACT = {
    "r1": lambda w, x: 0.5 * np.sum(exact_gradient(w, x) ** 2, axis=1),
    "norm": lambda w, x: (np.linalg.norm(exact_gradient(w, x), axis=1) - 1) ** 2,
    "zero": lambda w, x: np.sum(exact_gradient(w, x) ** 2, axis=1),
}
OURS = {
    "r1": penalties.r1_penalty,
    "norm": penalties.gradient_norm_penalty,
    "zero": lambda logits, x: penalties.gradient_norm_penalty(logits, x, target=0.0),
}


@pytest.mark.parametrize("name", EXACT)
def test_penalties_and_their_gradients_by_the_discriminator(name):
    """Against float64: the value by the chain rule, its gradient by the weights by central differences."""
    x, weights = jnp.asarray(X, jnp.float32), jnp.asarray(WEIGHTS, jnp.float32)

    def total(w):
        return jnp.sum(OURS[name](lambda points: critic(w, points), x))

    np.testing.assert_allclose(
        OURS[name](lambda points: critic(weights, points), x), EXACT[name](WEIGHTS, X), rtol=2e-5, atol=1e-6
    )
    gradient = jax.grad(total)(weights)
    for i, j in np.ndindex(WEIGHTS.shape):
        step = np.zeros_like(WEIGHTS)
        step[i, j] = 1e-5
        slope = np.sum(EXACT[name](WEIGHTS + step, X) - EXACT[name](WEIGHTS - step, X)) / 2e-5
        np.testing.assert_allclose(gradient[i, j], slope, rtol=1e-3, atol=1e-3)


def test_the_norms_gradient_is_finite_where_the_norm_is_zero():
    def total(w):
        return jnp.sum(penalties.gradient_norm_penalty(lambda x: x @ w, jnp.ones((2, 3))))

    assert np.all(np.isfinite(jax.grad(total)(jnp.zeros(3))))


def test_mixtures_lie_between_pairs_with_one_weight_each():
    real, fake = jnp.asarray(X, jnp.float32), jnp.asarray(OTHER, jnp.float32)
    shares = (np.asarray(penalties.mix(KEY, real, fake)) - X) / (OTHER - X)
    np.testing.assert_allclose(shares, np.broadcast_to(shares[:, :1], shares.shape), atol=1e-5)
    assert np.all((shares > 0) & (shares < 1))
    assert len(set(shares[:, 0].round(4))) == len(X)


def kernels():
    return {
        "Conv_0": {"kernel": jax.random.normal(KEY, (3, 3, 4, 6)), "bias": jnp.ones(6)},
        "Dense_0": {"kernel": jax.random.normal(jax.random.key(1), (10, 2))},
    }


def test_spectral_norms_are_those_of_an_svd():
    params = kernels()
    vectors = initial_vectors(KEY, params)
    for _ in range(100):
        normalised, vectors = spectral_normalise(params, vectors)
    again, same = spectral_normalise(params, vectors, iterate=False)
    jax.tree.map(np.testing.assert_array_equal, same, vectors)
    for result in (normalised, again):
        for layer, leaves in params.items():
            largest = np.linalg.svd(np.asarray(leaves["kernel"], np.float64).reshape(-1, leaves["kernel"].shape[-1]))[
                1
            ][0]
            np.testing.assert_allclose(result[layer]["kernel"], leaves["kernel"] / largest, rtol=1e-4)
    np.testing.assert_array_equal(normalised["Conv_0"]["bias"], params["Conv_0"]["bias"])


def test_no_gradient_goes_through_the_power_iteration():
    """d sum(c W / sigma) / dW = c / sigma - sum(c W) / sigma^2 v u^T (Miyato et al. 2018, section 2.1)."""
    params, c = {"Dense_0": {"kernel": kernels()["Dense_0"]["kernel"]}}, jax.random.normal(KEY, (10, 2))
    u = initial_vectors(KEY, params)
    gradient = jax.grad(lambda p: jnp.sum(c * spectral_normalise(p, u)[0]["Dense_0"]["kernel"]))(params)
    w, start, c = (np.asarray(value, np.float64) for value in (params["Dense_0"]["kernel"], u["Dense_0"]["kernel"], c))
    v = w @ start / np.linalg.norm(w @ start)
    moved = v @ w / np.linalg.norm(v @ w)
    sigma = v @ w @ moved
    expected = c / sigma - np.sum(c * w) / sigma**2 * np.outer(v, moved)
    np.testing.assert_allclose(gradient["Dense_0"]["kernel"], expected, rtol=1e-4, atol=1e-5)


def test_kernels_of_zeros_are_drawn():
    zero = {"a": {"kernel": jnp.zeros((400, 50)), "bias": jnp.zeros(50)}, "b": {"kernel": jnp.ones((2, 2))}}
    drawn = draw_zero_kernels(KEY, zero)
    np.testing.assert_allclose(np.std(drawn["a"]["kernel"]), 400**-0.5, rtol=0.05)
    np.testing.assert_array_equal(drawn["a"]["bias"], 0)
    np.testing.assert_array_equal(drawn["b"]["kernel"], 1)


IMAGES = jax.random.uniform(KEY, (32, 16, 12, 3), minval=-1.0)


def test_a_translation_moves_pixels_as_they_are():
    moved = np.asarray(augmentation.translate(KEY, IMAGES))
    shifts = set()
    for image, result in zip(np.asarray(IMAGES), moved, strict=True):
        padded = np.pad(image, ((2, 2), (2, 2), (0, 0)))  # an eighth of 16 is 2, of 12 it rounds to 2
        windows = {(i, j): padded[i : i + 16, j : j + 12] for i in range(5) for j in range(5)}
        equal = [shift for shift, window in windows.items() if np.array_equal(window, result)]
        assert len(equal) == 1
        shifts.add(equal[0])
    assert len(shifts) > 10


def test_the_gradient_of_a_translation_goes_back_the_same_way():
    weights = jax.random.normal(KEY, IMAGES.shape)
    gradient = jax.grad(lambda x: jnp.sum(weights * augmentation.translate(KEY, x)))(IMAGES)
    np.testing.assert_allclose(
        jnp.sum(gradient * IMAGES), jnp.sum(weights * augmentation.translate(KEY, IMAGES)), rtol=1e-4
    )


def test_a_hole_has_half_the_side():
    holes = np.asarray(augmentation.cut_out(KEY, jnp.ones((400, 16, 12, 1))))[..., 0] == 0
    for hole in holes:
        rows, columns = hole.any(axis=1), hole.any(axis=0)
        assert np.array_equal(hole, rows[:, None] & columns)
        assert rows.sum() <= 8
        assert columns.sum() <= 6
    assert max(hole.sum() for hole in holes) == 8 * 6
    assert holes[:, 8, 6].mean() > holes[:, 0, 0].mean()  # it may reach over the border


def test_colours_keep_what_they_must():
    changed = np.asarray(augmentation.change_colour(KEY, IMAGES), np.float64)
    before = np.asarray(IMAGES, np.float64)
    shift = changed.mean(axis=(1, 2, 3)) - before.mean(axis=(1, 2, 3))  # contrast and saturation keep the mean
    assert np.all(np.abs(shift) <= 0.5 + 1e-6)
    assert shift.std() > 0.2
    grey = changed.mean(axis=-1) - changed.mean(axis=(1, 2, 3))[:, None, None]
    grey_before = before.mean(axis=-1) - before.mean(axis=(1, 2, 3))[:, None, None]
    contrast = (grey * grey_before).sum(axis=(1, 2)) / (grey_before**2).sum(axis=(1, 2))
    np.testing.assert_allclose(grey, contrast[:, None, None] * grey_before, atol=1e-5)
    assert np.all((contrast >= 0.5 - 1e-5) & (contrast <= 1.5 + 1e-5))


@pytest.mark.slow
def test_augmentation_has_its_probability():
    unchanged = np.asarray(augmentation.augment(KEY, IMAGES, 0.0))
    np.testing.assert_array_equal(unchanged, IMAGES)
    many = jnp.broadcast_to(IMAGES[:1], (2000, *IMAGES.shape[1:]))
    moved = np.any(np.asarray(augmentation.augment(KEY, many, 0.2)) != np.asarray(many), axis=(1, 2, 3))
    # A shift by zero, one of 25, changes nothing.
    np.testing.assert_allclose(moved.mean(), 1 - 0.8**2 * (0.8 + 0.2 / 25), atol=0.035)
    assert np.any(np.asarray(augmentation.augment(KEY, IMAGES)) != np.asarray(IMAGES), axis=(1, 2, 3)).all()


@pytest.mark.parametrize(
    ("probability", "sign", "expected"),
    [(0.0, -1.0, 0.0), (0.0, 0.7, 0.1), (0.95, 1.0, 1.0), (0.5, 0.6, 0.5), (0.5, 0.2, 0.4)],
)
def test_adas_rule(probability, sign, expected):
    value = augmentation.next_probability(jnp.float32(probability), jnp.float32(sign), jnp.float32(0.6), 0.1)
    np.testing.assert_allclose(value, expected, atol=1e-6)
