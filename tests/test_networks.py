"""Networks by name: shapes at every size, residual blocks that start as nothing, and half precision."""

import math
from functools import partial

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from cases import few_quick, slow
from jax.flatten_util import ravel_pytree

from genjax.nn import networks
from genjax.nn.convnet import sizes
from genjax.nn.layers import append_batch_deviation
from genjax.types import InputError

KEY = jax.random.key(0)


def settings(**changes):
    return {**networks.SETTINGS, "network": "dcgan", "channels": 4, **changes}


@pytest.mark.parametrize(
    ("size", "code_size", "expected"),
    [
        ((8, 8), 7, [(8, 8), (4, 4)]),
        ((27, 27), 7, [(27, 27), (14, 14), (7, 7)]),
        ((28, 20), 7, [(28, 20), (14, 10), (7, 5)]),
        ((28, 28), 6, [(28, 28), (14, 14), (7, 7), (4, 4)]),
        ((8, 9), 1, [(8, 9), (4, 5), (2, 3), (1, 2), (1, 1)]),
        ((9, 64), 7, [(9, 64), (5, 32), (3, 16), (2, 8), (1, 4)]),
    ],
)
def test_an_image_is_halved_down_to_the_size_of_a_code(size, code_size, expected):
    assert sizes(size, code_size) == expected


SIZES = [(8, 8), (13, 9), (28, 20), *((n, n) for n in (*range(9, 18), 27, 31, 32, 33, 63, 64)), (8, 64), (33, 10)]


@pytest.mark.parametrize("size", few_quick(SIZES, 3))
@pytest.mark.parametrize("network", ["dcgan", "sndcgan", "resnet", "r3gan"])
def test_shapes_of_every_size(network, size):
    for upsampling, norm, channels in (("transposed", "none", 1), ("nearest", "group", 3), ("subpixel", "layer", 3)):
        chosen, shape = settings(network=network, upsampling=upsampling, norm=norm), (*size, channels)
        encoder, decoder = networks.encoder(chosen, (), shape, 5), networks.decoder(chosen, (), shape)
        x, z = jax.ShapeDtypeStruct((2, *shape), jnp.float32), jax.ShapeDtypeStruct((2, 3), jnp.float32)
        chex.assert_shape(jax.eval_shape(encoder.init_with_output, KEY, x)[0], (2, 5))
        chex.assert_shape(jax.eval_shape(decoder.init_with_output, KEY, z)[0], (2, *shape))


@pytest.mark.parametrize("shape", [(2,), (7, 7, 1), (28, 7, 1)])
def test_convolutions_need_images(shape):
    for build in (lambda: networks.encoder(settings(), (), shape, 5), lambda: networks.decoder(settings(), (), shape)):
        with pytest.raises(InputError, match="needs images of 8 pixels a side or more"):
            build()


@pytest.mark.parametrize(("code_size", "positions", "channels"), [(7, (7, 5), 8), (6, (4, 3), 16), (1, (1, 1), 64)])
def test_a_smaller_code_is_halved_more_often(code_size, positions, channels):
    """Both halves of a network have as many levels; the encoder's last map has the size and its channels."""
    chosen, shape = settings(code_size=code_size), (28, 20, 1)
    assert networks.code_grid(chosen, shape, 0) == positions
    encoder, decoder = networks.encoder(chosen, (), shape, 5), networks.decoder(chosen, (), shape)
    params = jax.eval_shape(partial(networks.initial, encoder), KEY, jnp.zeros((2, *shape)))
    assert params["Dense_0"]["kernel"].shape == (math.prod(positions) * channels, 5)
    params = jax.eval_shape(partial(networks.initial, decoder), KEY, jnp.zeros((2, 3)))
    assert params["Dense_0"]["kernel"].shape == (3, math.prod(positions) * channels)
    z = jax.ShapeDtypeStruct((2, 3), jnp.float32)
    chex.assert_shape(jax.eval_shape(decoder.init_with_output, KEY, z)[0], (2, *shape))


def test_dense_layers_stand_between_the_map_and_the_code():
    chosen, shape = settings(dense=(6, 3)), (8, 8, 1)
    encoder, decoder = networks.encoder(chosen, (), shape, 5), networks.decoder(chosen, (), shape)
    params = networks.initial(encoder, KEY, jnp.zeros((2, *shape)))
    widths = {name: layer["kernel"].shape for name, layer in params.items() if name.startswith("Dense")}
    assert widths == {"Dense_0": (64, 6), "Dense_1": (6, 3), "Dense_2": (3, 5)}
    assert networks.last_hidden(encoder, params, jnp.zeros((2, *shape))).shape == (2, 3)
    params = networks.initial(decoder, KEY, jnp.zeros((2, 5)))
    widths = {name: layer["kernel"].shape for name, layer in params.items() if name.startswith("Dense")}
    assert widths == {"Dense_0": (5, 3), "Dense_1": (3, 6), "Dense_2": (6, 64)}
    assert networks.forward(decoder, params, jnp.zeros((2, 5))).shape == (2, *shape)


@pytest.mark.parametrize(
    ("changes", "sees"), [({}, False), ({"code_size": 4}, False), ({"dense": (4,)}, True), ({"code_size": 1}, True)]
)
def test_what_judges_both_ends_of_an_image_together(changes, sees):
    """The second derivative of a logit by two far pixels is zero where it is a sum of scores of patches."""
    shape = (28, 28, 1)
    encoder = networks.encoder(settings(activation="tanh", **changes), (), shape, 1)
    params = jax.jit(partial(networks.initial, encoder))(KEY, jnp.zeros((1, *shape)))
    x = jax.random.normal(KEY, shape)

    def logit(first, last):
        image = x.at[0, 0, 0].set(first).at[27, 27, 0].set(last)
        return networks.forward(encoder, params, image[None])[0, 0]

    mixed = jax.jit(jax.grad(jax.grad(logit), argnums=1))(0.5, -0.5)
    assert (mixed != 0) == sees


def test_a_code_as_large_as_the_image_is_refused():
    with pytest.raises(InputError, match="code_size = 28 leaves nothing to halve of images of 20x28"):
        networks.encoder(settings(code_size=28), (), (20, 28, 1), 5)


@pytest.mark.parametrize(("network", "layers"), [("resnet", 2), slow("r3gan", 6)])
def test_a_residual_network_starts_without_its_blocks(network, layers):
    x = jax.random.normal(KEY, (2, 16, 16, 1))
    residual = networks.encoder(settings(network=network), (), (16, 16, 1), 5)
    params = jax.jit(partial(networks.initial, residual))(KEY, x)
    named = [name for name in params if name.startswith("Conv")]  # a halving, then the layers of its blocks, and again
    levels, period = len(named) // (1 + layers), 1 + layers
    plain = {f"Conv_{i}": params[f"Conv_{period * i}"] for i in range(levels)} | {"Dense_0": params["Dense_0"]}
    expected = networks.forward(networks.encoder(settings(), (), (16, 16, 1), 5), plain, x)
    chex.assert_trees_all_close(jax.jit(partial(networks.forward, residual))(params, x), expected, rtol=1e-6)


@pytest.mark.slow
def test_bottlenecks_start_smaller_in_deeper_networks():
    """Of L blocks the first two layers' weights have the deviation L^(-1/4) / sqrt(inputs)."""
    network = networks.encoder(settings(network="r3gan", channels=64), (), (32, 32, 1), 5)
    params = networks.initial(network, KEY, jnp.zeros((1, 32, 32, 1)))
    blocks = 2 * 3
    kernels = [params["Conv_15"]["kernel"], params["Conv_16"]["kernel"]]  # of the last size: 1x1 and 3x3
    for kernel in kernels:
        inputs = np.prod(kernel.shape[:-1])
        np.testing.assert_allclose(np.std(kernel) * np.sqrt(inputs), blocks**-0.25, rtol=0.02)


def test_modulated_norms_act_from_the_class_alone():
    decoder = networks.decoder(settings(norm="layer"), (), (8, 8, 1), modulators=2)
    z = jnp.concatenate([jnp.ones((2, 3)), jnp.eye(2)], axis=-1)
    params = networks.initial(decoder, KEY, z)
    gains = [name for name in params if name.startswith("Dense") and params[name]["kernel"].shape[0] == 2]
    assert len(gains) == 2  # a gain and an offset of the only norm
    same = {**params, "Dense_0": {**params["Dense_0"], "kernel": params["Dense_0"]["kernel"].at[3:].set(0.0)}}
    first, second = np.asarray(networks.forward(decoder, same, z))
    np.testing.assert_array_equal(first, second)  # they start at zero
    other = {**same, gains[0]: {**params[gains[0]], "kernel": jnp.ones_like(params[gains[0]]["kernel"]).at[0].set(0.0)}}
    first, moved = np.asarray(networks.forward(decoder, other, z))
    np.testing.assert_array_equal(first, second)
    assert np.abs(moved - second).max() > 1e-3


@pytest.mark.parametrize("network", ["mlp", "dcgan"])
def test_the_batch_deviation_tells_a_collapsed_batch(network):
    encoder = networks.encoder(settings(network=network), (6,), (8, 8, 1), 1, batch_deviation=True)
    x = jax.random.normal(KEY, (4, 8, 8, 1))
    params = networks.initial(encoder, KEY, x)
    alone, beside_copies, beside_others = (
        np.asarray(networks.forward(encoder, params, batch))[0] for batch in (x[:1], jnp.stack([x[0]] * 4), x)
    )
    np.testing.assert_allclose(alone, beside_copies, atol=1e-5)
    assert np.abs(alone - beside_others) > 1e-4


def test_the_outputs_bias_is_given_per_value():
    shape = (8, 8, 1)
    values = np.random.default_rng(0).standard_normal(shape).astype(np.float32)
    decoder = networks.decoder(settings(), (), shape, networks.start_at(values))
    out, _ = decoder.init_with_output(KEY, jnp.zeros((2, 3)))
    np.testing.assert_allclose(out, np.stack([values, values]), rtol=1e-6)


@pytest.mark.parametrize("norm", ["group", "layer"])
def test_norms_leave_each_example_to_itself(norm):
    encoder = networks.encoder(settings(norm=norm), (), (8, 8, 1), 5)
    x = jax.random.normal(KEY, (3, 8, 8, 1))
    params = encoder.init(KEY, x)
    alone = jnp.concatenate([jnp.asarray(encoder.apply(params, example[None])) for example in x])
    chex.assert_trees_all_close(encoder.apply(params, x), alone, rtol=1e-5, atol=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize("network", networks.NETWORKS)
def test_bfloat16_is_close_and_keeps_float32_around_it(network):
    shape, x = (16, 16, 1), jax.random.uniform(KEY, (4, 16, 16, 1))
    smooth = settings(network=network, activation="tanh")  # a rounded input may lie on the other side of a ReLU's kink
    made = {
        precision: networks.encoder({**smooth, "precision": precision}, (32,), shape, 5)
        for precision in ("float32", "bfloat16")
    }
    params = made["bfloat16"].init(KEY, x)["params"]
    assert {leaf.dtype for leaf in jax.tree.leaves(params)} == {jnp.dtype("float32")}

    def loss(module, params):
        return jnp.mean(jnp.square(networks.forward(module, params, x)))

    half, full = (jax.value_and_grad(loss, argnums=1)(made[p], params) for p in ("bfloat16", "float32"))
    assert networks.forward(made["bfloat16"], params, x).dtype == jnp.float32
    assert {leaf.dtype for leaf in jax.tree.leaves(half)} == {jnp.dtype("float32")}
    np.testing.assert_allclose(half[0], full[0], rtol=0.01)
    a, b = (ravel_pytree(gradient)[0] for gradient in (half[1], full[1]))
    assert 0 < jnp.linalg.norm(a - b) <= 0.02 * jnp.linalg.norm(b)


@pytest.mark.parametrize("network", few_quick(["dcgan", "sndcgan", "resnet", "r3gan"], 1))
@pytest.mark.parametrize(
    ("norm", "channels", "first"), [("group", 4, False), slow("group", 16, True), ("none", 4, True)]
)
def test_a_bias_that_a_norm_takes_away_is_left_out(network, norm, channels, first):
    """Eight groups of eight channels or fewer are single channels; the gradient of a bias before them is zero."""
    chosen = {**networks.SETTINGS, "network": network, "norm": norm, "channels": channels}
    encoder = networks.encoder(chosen, (), (8, 8, 1), 3)
    params = encoder.init(jax.random.key(0), jnp.ones((1, 8, 8, 1)))["params"]
    assert ("bias" in params["Conv_0"]) is first
    x = jax.random.normal(jax.random.key(1), (2, 8, 8, 1))
    grads = jax.grad(lambda params: jnp.sum(jnp.sin(jnp.asarray(encoder.apply({"params": params}, x)))))(params)
    if first:
        assert float(jnp.abs(grads["Conv_0"]["bias"]).max()) > 1e-6


def exact_deviations(x, group):
    """Of each example's group, by definition: examples i, i + b / group, i + 2 b / group, ... are a group."""
    count = len(x) // group
    members = np.stack([x[number::count] for number in range(count)])  # [b / group, group, ...]
    deviations = np.sqrt(((members - members.mean(axis=1, keepdims=True)) ** 2).mean(axis=1) + 1e-8)
    return np.tile(deviations.reshape(count, -1).mean(axis=1), group)


@pytest.mark.parametrize(("batch", "group"), [(8, 4), (6, 2), (3, 1)])
@pytest.mark.parametrize("inner", [(2, 3, 5), (7,)])
def test_the_deviation_of_a_batch_and_its_gradient(batch, group, inner):
    """Against float64: one number for each group, the same at every position; its gradient by central differences."""
    rng = np.random.default_rng(batch)
    x, weights = rng.normal(size=(batch, *inner)), rng.normal(size=batch)
    result = append_batch_deviation(jnp.asarray(x, jnp.float32))
    np.testing.assert_array_equal(result[..., :-1], np.float32(x))
    channel = exact_deviations(x, group).reshape(-1, *[1] * (len(inner) - 1))
    np.testing.assert_allclose(result[..., -1], np.broadcast_to(channel, (batch, *inner[:-1])), rtol=1e-5, atol=1e-7)
    first = (slice(None), *[0] * (len(inner) - 1), -1)
    slopes = jax.grad(lambda x: jnp.sum(jnp.float32(weights) * append_batch_deviation(x)[first]))(jnp.float32(x))
    expected = np.zeros_like(x)
    for index in np.ndindex(x.shape):
        step = np.zeros_like(x)
        step[index] = 1e-6
        change = exact_deviations(x + step, group) - exact_deviations(x - step, group)
        expected[index] = weights @ change / 2e-6
    np.testing.assert_allclose(slopes, expected, rtol=1e-3, atol=1e-5)
