"""`layers.Conv` and `layers.ConvTranspose` against XLA's own convolutions, whose form they do not share on a CPU."""

import chex
import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from cases import few_quick
from jax import lax

from genjax.nn.convolution import LAYOUT, conv, conv_transpose, form
from genjax.nn.layers import UPSAMPLINGS, Conv, ConvTranspose

CASES = [  # height, width, c, kernel, o, strides, padding, dilation
    (8, 8, 1, (4, 4), 3, (2, 2), "SAME", (1, 1)),
    (7, 7, 3, (4, 4), 2, (2, 2), "SAME", (1, 1)),
    (9, 6, 2, (3, 3), 3, (1, 1), "SAME", (1, 1)),
    (9, 7, 2, (3, 2), 3, (2, 1), "SAME", (1, 1)),
    (8, 9, 2, (5, 5), 2, (3, 3), "VALID", (1, 1)),
    (6, 5, 4, (1, 1), 3, (1, 1), "VALID", (1, 1)),
    (7, 8, 2, (2, 2), 3, (3, 3), "VALID", (1, 1)),
    (10, 9, 2, (3, 3), 2, (2, 2), "SAME", (2, 2)),
    (8, 8, 2, (3, 3), 2, (1, 1), "VALID", (1, 3)),
    (7, 6, 2, (3, 4), 3, (2, 1), ((2, 0), (1, 3)), (1, 1)),
]
TRANSPOSED = [case for case in CASES if case[-1] == (1, 1)]


def ids(case):
    return "-".join(str(value).replace(" ", "") for value in case)


def native(strides, padding, dilation):
    return lambda x, kernel: lax.conv_general_dilated(
        x, kernel, strides, padding, rhs_dilation=dilation, dimension_numbers=LAYOUT
    )


def arrays(case):
    height, width, c, window, o = case[:5]
    rng = np.random.default_rng(0)
    x, kernel = rng.standard_normal((2, height, width, c)), rng.standard_normal((*window, c, o))
    return jnp.asarray(x, jnp.float32), jnp.asarray(kernel, jnp.float32)


def check_alike(ours, theirs, x, kernel):
    """Forward, both gradients, mapped over inputs and over kernels, in a scan, and second derivatives in both modes."""

    def both(f):
        def loss(x, kernel):
            return jnp.sum(jnp.sin(f(x, kernel)))

        def slope(x, kernel):
            return jnp.sum(jnp.square(jax.grad(loss)(x, kernel)))

        def carried(x, kernel):
            return lax.scan(lambda c, k: (c + jnp.mean(f(x, k + c)), None), 0.0, jnp.stack([kernel, -kernel]))[0]

        gradients = jax.grad(loss, (0, 1))
        xs, kernels = jnp.stack([x, 2 * x, -x]), jnp.stack([kernel, 0.5 * kernel])
        return (
            f(x, kernel),
            gradients(x, kernel),
            jax.vmap(gradients, (0, None))(xs, kernel),
            jax.vmap(gradients, (None, 0))(x, kernels),
            jax.grad(carried, 1)(x, kernel),
            jax.grad(slope, 1)(x, kernel),
            jax.jvp(lambda kernel: jax.grad(loss)(x, kernel), (kernel,), (jnp.cos(kernel),))[1],
        )

    with jax.default_matmul_precision("float32"):  # a GPU would round products to fewer bits
        found, expected = jax.jit(lambda: both(ours))(), jax.jit(lambda: both(theirs))()
    scaled = jax.tree.map(
        lambda a, b: a / jnp.maximum(1.0, jnp.max(jnp.abs(b))), (found, expected), (expected, expected)
    )
    chex.assert_trees_all_close(*scaled, rtol=0, atol=1e-5)


@pytest.mark.parametrize("case", few_quick(CASES, 2), ids=ids)
def test_conv_is_xlas(case):
    *_, strides, padding, dilation = case
    check_alike(lambda x, k: conv(x, k, strides, padding, dilation), native(strides, padding, dilation), *arrays(case))


@pytest.mark.parametrize("case", few_quick(TRANSPOSED, 2), ids=ids)
def test_conv_transpose_is_xlas(case):
    *_, strides, padding, _ = case
    check_alike(
        lambda x, k: conv_transpose(x, k, strides, padding),
        lambda x, k: lax.conv_transpose(x, k, strides, padding, dimension_numbers=LAYOUT),
        *arrays(case),
    )


def conv_by_definition(x, kernel, strides, pads, dilation):
    """y[b, i, j] = sum_{u, v} x[b, s i + d u - p, s j + d v - p] @ kernel[u, v], in float64."""
    x = np.pad(x, ((0, 0), *pads, (0, 0)))
    reach = [(k - 1) * d for k, d in zip(kernel.shape[:2], dilation, strict=True)]
    height, width = ((n - r - 1) // s + 1 for n, r, s in zip(x.shape[1:3], reach, strides, strict=True))
    y = np.zeros((len(x), height, width, kernel.shape[3]))
    for u, v in np.ndindex(*kernel.shape[:2]):
        rows = slice(u * dilation[0], u * dilation[0] + (height - 1) * strides[0] + 1, strides[0])
        columns = slice(v * dilation[1], v * dilation[1] + (width - 1) * strides[1] + 1, strides[1])
        y += x[:, rows, columns] @ kernel[u, v]
    return y


def conv_transpose_by_definition(x, kernel, strides, pads, dilation):
    """The same of an image with s - 1 zeros between its values."""
    b, height, width, c = x.shape
    spread = np.zeros((b, (height - 1) * strides[0] + 1, (width - 1) * strides[1] + 1, c))
    spread[:, :: strides[0], :: strides[1]] = x
    return conv_by_definition(spread, kernel, (1, 1), pads, dilation)


def gradients_by_definition(f, x, kernel):
    """Of sum(sin(f)), which is linear in x and in the kernel: sum_y cos(y) f(basis), for each vector of a basis."""
    slope = np.cos(f(x, kernel))
    of_x = [f(unit.reshape(x.shape[1:])[None], kernel)[0] for unit in np.eye(x[0].size)]
    of_kernel = [f(x, unit.reshape(kernel.shape)) for unit in np.eye(kernel.size)]
    by_x = np.einsum("byxo,nyxo->bn", slope, np.stack(of_x))
    by_kernel = np.einsum("byxo,nbyxo->n", slope, np.stack(of_kernel))
    return by_x.reshape(x.shape), by_kernel.reshape(kernel.shape)


PADDED = [  # height, width, c, kernel, o, strides, padding, dilation
    (9, 7, 2, (3, 2), 3, (2, 1), ((0, 2), (1, 1)), (1, 1)),
    (5, 4, 2, (2, 3), 2, (1, 2), ((1, 3), (3, 1)), (1, 1)),  # where a gradient of lax.conv_transpose is wrong
    (4, 8, 2, (5, 5), 1, (2, 3), ((6, 3), (7, 1)), (1, 1)),  # and here, where zeros outnumber the taps
    (8, 8, 1, (3, 3), 2, (1, 2), ((2, 1), (0, 3)), (2, 1)),
]
FORMS = {"conv": (conv, conv_by_definition), "conv_transpose": (conv_transpose, conv_transpose_by_definition)}


@pytest.mark.parametrize("case", PADDED, ids=ids)
@pytest.mark.parametrize("form", FORMS)
def test_a_convolution_and_its_gradients_are_those_of_its_definition(form, case):
    *_, strides, pads, dilation = case
    if form == "conv_transpose":
        dilation = (1, 1)
    ours, definition = FORMS[form]
    options = (strides, pads, dilation) if form == "conv" else (strides, pads)
    x, kernel = arrays(case)

    def loss(x, kernel):
        y = ours(x, kernel, *options)
        return jnp.sum(jnp.sin(y)), y

    found, y = jax.jit(jax.grad(loss, (0, 1), has_aux=True))(x, kernel)
    exact = [np.asarray(array, np.float64) for array in (x, kernel)]
    np.testing.assert_allclose(y, definition(*exact, strides, pads, dilation), rtol=0, atol=1e-5)
    expected = gradients_by_definition(lambda x, k: definition(x, k, strides, pads, dilation), *exact)
    for gradient, by_definition in zip(found, expected, strict=True):
        np.testing.assert_allclose(gradient, by_definition, rtol=1e-5, atol=3e-5)


@pytest.mark.parametrize("shape", few_quick([(0, 6, 6, 2), (2, 2, 5, 2)], 1))
def test_a_convolution_may_have_no_outputs(shape):
    x, kernel = jnp.ones(shape), jnp.ones((3, 3, 2, 4))
    for strides in ((1, 1), (2, 2)):
        expected = jax.eval_shape(native(strides, "VALID", (1, 1)), x, kernel)
        chex.assert_equal_shape([conv(x, kernel, strides, "VALID"), expected])
    assert conv_transpose(jnp.ones((0, 4, 4, 2)), kernel, (2, 2), "SAME").shape == (0, 8, 8, 4)


def test_half_precision_is_rounded_once():
    """The taps of both axes are added after a product from many channels to few."""
    x, kernel = (array.astype(jnp.bfloat16) for array in arrays((9, 9, 64, (4, 4), 2)))
    exact = conv(x.astype(jnp.float32), kernel.astype(jnp.float32), (1, 1), "SAME")
    np.testing.assert_array_equal(conv(x, kernel, (1, 1), "SAME"), exact.astype(jnp.bfloat16))


def test_an_unknown_padding_is_refused():
    x, kernel = arrays(CASES[0])
    with pytest.raises(ValueError, match="'SAME', 'VALID' or pairs, not 'HALF'"):
        conv_transpose(x, kernel, (2, 2), "HALF")


@pytest.mark.slow
@pytest.mark.parametrize("case", CASES, ids=ids)
def test_layers_have_flax_parameters(case):
    _, _, _, window, o, strides, padding, dilation = case
    x, _ = arrays(case)
    pairs = [
        (
            Conv(o, window, strides, padding, dilation),
            nn.Conv(o, window, strides, padding, kernel_dilation=dilation),
        ),
        (ConvTranspose(o, window, strides, padding), nn.ConvTranspose(o, window, strides, padding)),
        (Conv(o, window, use_bias=False), nn.Conv(o, window, use_bias=False)),
    ]
    for ours, theirs in pairs:
        variables = theirs.init(jax.random.key(1), x)
        variables = jax.tree.map(lambda leaf: leaf + 0.1, variables)  # biases that are not zero
        chex.assert_trees_all_equal_shapes_and_dtypes(ours.init(jax.random.key(1), x), variables)
        chex.assert_trees_all_close(ours.apply(variables, x), theirs.apply(variables, x), rtol=1e-5, atol=1e-5)


def test_a_cpu_multiplies_matrices():
    """No convolution is left in the program for a CPU, forward or backward; the other platforms' keeps it."""
    x, kernel = arrays(CASES[0])
    gradient = jax.jit(jax.grad(lambda kernel: jnp.sum(jnp.square(conv(x, kernel, (2, 2), "SAME")))))
    lowered = {p: gradient.trace(kernel).lower(lowering_platforms=(p,)).as_text() for p in ("cpu", "cuda", "tpu")}
    assert {p: "stablehlo.convolution" in text for p, text in lowered.items()} == {
        "cpu": False,
        "cuda": True,
        "tpu": True,
    }


def test_products_can_be_asked_for_on_every_platform():
    x, kernel = arrays(CASES[0])

    @jax.jit
    def there_and_back(kernel):
        return conv_transpose(conv(x, kernel, (2, 2), "SAME"), kernel.swapaxes(2, 3), (2, 2), "SAME")

    def count_convolutions():
        text = there_and_back.trace(kernel).lower(lowering_platforms=("cuda",)).as_text()
        return text.count("stablehlo.convolution")

    assert count_convolutions() == 2
    with form("products"):
        assert count_convolutions() == 0
    assert count_convolutions() == 2


class Doubled(nn.Module):
    how: str

    @nn.compact
    def __call__(self, x):
        return UPSAMPLINGS[self.how](x, 5, True, jnp.float32)


@pytest.mark.parametrize("how", UPSAMPLINGS)
def test_upsampling_doubles_the_size(how):
    x = jnp.ones((2, 3, 4, 6))
    y, _ = Doubled(how).init_with_output(jax.random.key(0), x)
    chex.assert_shape(y, (2, 6, 8, 5))


def test_nearest_repeats_pixels():
    x = jax.random.normal(jax.random.key(0), (1, 3, 3, 1))
    centre = jnp.zeros((3, 3, 1, 5)).at[1, 1].set(1.0)  # a kernel that copies
    y = Doubled("nearest").apply({"params": {"Conv_0": {"kernel": centre, "bias": jnp.zeros(5)}}}, x)
    np.testing.assert_array_equal(np.asarray(y)[0, :, :, 0], np.kron(x[0, :, :, 0], np.ones((2, 2))))


def test_subpixel_puts_channels_side_by_side():
    x = jnp.ones((1, 1, 1, 1))
    kernel = jnp.zeros((3, 3, 1, 20)).at[1, 1, 0].set(jnp.arange(20.0))
    y = Doubled("subpixel").apply({"params": {"Conv_0": {"kernel": kernel, "bias": jnp.zeros(20)}}}, x)
    np.testing.assert_array_equal(y[0], np.arange(20).reshape(2, 2, 5))
