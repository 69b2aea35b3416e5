"""Autoregressive models: a distribution that sums to one, in an order that nothing breaks, with its own draws."""

import itertools
import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.stats
from cases import few_quick, slow
from present import present

from genjax.models.autoregressive import FAMILY
from genjax.training import optimisers
from genjax.training.scan import advance, make_train
from genjax.types import Batch, DataSpec, InputError

KEY = jax.random.key(0)
NETWORKS = {
    "made": {"network": "made", "hidden": (9, 7)},
    "made_without_hidden_layers": {"network": "made", "hidden": ()},
    "transformer": {"network": "transformer", "width": 8, "depth": 2, "heads": 2},
}
every_network = pytest.mark.parametrize("network", NETWORKS)
made_quick = pytest.mark.parametrize("network", few_quick(list(NETWORKS), 2))


def spec_of(shape, levels, classes=0):
    return DataSpec(shape, True, 1 / (levels - 1), np.full(shape, 0.4, np.float32), classes=classes, levels=levels)


def make(network, spec, **changes):
    return FAMILY.make({**FAMILY.settings, **NETWORKS[network], **changes}, spec, {})


def random_params(model, batch):
    """Parameters that are not small anywhere, so that nothing is hidden by a start at zero."""
    params = model.init(KEY, batch)
    leaves, tree = jax.tree.flatten(params)
    keys = jax.random.split(KEY, len(leaves))
    noise = [0.7 * jax.random.normal(key, leaf.shape) for key, leaf in zip(keys, leaves, strict=True)]
    return jax.tree.unflatten(tree, [leaf + more for leaf, more in zip(leaves, noise, strict=True)])


def every_example(shape, levels):
    """All examples of a shape, `[levels ** positions, *shape]`, with values in [0, 1]."""
    rows = np.array(list(itertools.product(range(levels), repeat=math.prod(shape))), np.float32)
    return jnp.asarray(rows / (levels - 1)).reshape(-1, *shape)


@every_network
@pytest.mark.parametrize("levels", [slow(2), 3])
def test_probabilities_of_all_images_sum_to_one(network, levels):
    shape = (2, 2, 1) if levels == 3 else (2, 3, 1)
    x = every_example(shape, levels)
    model = make(network, spec_of(shape, levels))
    log_p = present(model.log_prob)(random_params(model, Batch(x)), Batch(x))
    np.testing.assert_allclose(np.exp(np.asarray(log_p, np.float64)).sum(), 1.0, rtol=1e-5)
    assert np.ptp(log_p) > 0.5  # and it is not uniform
    np.testing.assert_allclose(model.evaluate(random_params(model, Batch(x)), Batch(x), KEY)["loss"], -log_p)


@every_network
@pytest.mark.parametrize("levels", [2, slow(4)])
def test_no_output_depends_on_its_own_or_a_later_value(network, levels):
    """Every bit of the logits up to a position stays when the value there changes, and some later logit moves."""
    settings = {**FAMILY.settings, **NETWORKS[network]}
    row = FAMILY.choices["network"][settings["network"]]  # pyright: ignore
    module = row.build(settings, 6, levels, np.zeros(6))
    numbers = jax.random.randint(KEY, (5, 6), 0, levels)
    params = row.init(module, KEY, numbers, None)
    params = jax.tree.map(lambda leaf: leaf + 0.3, params)
    logits = np.asarray(row.logits(module, params, numbers, None))
    for place in range(6):
        changed = numbers.at[:, place].set((numbers[:, place] + 1) % levels)
        after = np.asarray(row.logits(module, params, changed, None))
        np.testing.assert_array_equal(after[:, : place + 1], logits[:, : place + 1])
        assert place == 5 or np.abs(after[:, place + 1 :] - logits[:, place + 1 :]).max() > 1e-4


@made_quick
def test_draws_have_the_probabilities_of_the_model(network):
    """20,000 draws of the 16 images of 2x2 bits against exp(log p), by a chi-squared test at 0.001."""
    shape = (2, 2, 1)
    x = every_example(shape, 2)
    model = make(network, spec_of(shape, 2))
    params = random_params(model, Batch(x))
    expected = np.exp(np.asarray(present(model.log_prob)(params, Batch(x)), np.float64))
    draws = np.asarray(jax.jit(lambda params: present(model.sample)(params, KEY, 20_000))(params))
    assert draws.shape == (20_000, *shape)
    index = draws.reshape(-1, 4).astype(int) @ np.array([8, 4, 2, 1])
    counts = np.bincount(index, minlength=16)
    rare = expected * 20_000 < 5
    seen, hoped = (np.append(v[~rare], v[rare].sum()) for v in (counts, expected * 20_000))
    assert scipy.stats.chisquare(seen[hoped > 0], hoped[hoped > 0] * 20_000 / hoped.sum()).pvalue > 0.001


@made_quick
def test_a_conditional_model_draws_its_classes(network):
    """Each class of a model is a distribution of its own, and its draws are of it."""
    shape = (1, 2, 1)
    x = every_example(shape, 2)
    labels = jnp.zeros(len(x), jnp.int32)
    model = make(network, spec_of(shape, 2, classes=2), condition="label")
    params = random_params(model, Batch(x, labels))
    of_class = [np.exp(np.asarray(present(model.log_prob)(params, Batch(x, labels + y)))) for y in (0, 1)]
    np.testing.assert_allclose([p.sum() for p in of_class], 1.0, rtol=1e-5)
    assert np.abs(of_class[0] - of_class[1]).max() > 0.05
    for y in (0, 1):
        draws = np.asarray(present(model.sample_class)(params, KEY, jnp.full(4000, y)))
        share = np.bincount(draws.reshape(-1, 2).astype(int) @ np.array([2, 1]), minlength=4) / 4000
        np.testing.assert_allclose(share, of_class[y], atol=0.04)


@pytest.mark.parametrize("network", ["made", slow("transformer")])
def test_a_markov_source_is_learnt_to_its_entropy(network):
    """x_1 is a fair bit, and x_i repeats x_(i-1) with probability 0.9: log 2 + 7 H(0.9) nats."""
    rng = np.random.default_rng(0)
    x = np.empty((4000, 8), np.float32)
    x[:, 0] = rng.random(4000) < 0.5
    for i in range(1, 8):
        x[:, i] = np.where(rng.random(4000) < 0.9, x[:, i - 1], 1 - x[:, i - 1])
    config = {
        "model": {**FAMILY.settings, **NETWORKS[network]},
        "optim": {"autoregressive": {**optimisers.SETTINGS, "schedule": "warmup_cosine"}},
        "train": {"steps": 1500, "batch_size": 200, "evaluate_batch_size": 4000},
    }
    functions = make_train(config, spec_of((1, 8, 1), 2), family=FAMILY)
    hparams = {name: jnp.float32(value) for name, value in {**optimisers.HPARAMS, "learning_rate": 0.01}.items()}
    data = Batch(jnp.asarray(x.reshape(-1, 1, 8, 1)))
    run = jax.jit(lambda rng: advance(functions, functions.init(hparams, rng), data, hparams, rng, 1500))
    state, _ = run(KEY)
    reached = float(functions.evaluate(state, data, hparams, KEY)["loss"])
    share = np.mean(x[:, 1:] == x[:, :-1])  # what the sample says, instead of 0.9
    first = np.mean(x[:, 0])
    bits = [first, *[share] * 7]
    entropy = sum(-p * math.log(p) - (1 - p) * math.log(1 - p) for p in bits)
    assert entropy - 0.03 < reached < entropy + 0.03
    assert reached < 8 * math.log(2) - 2


@pytest.mark.parametrize(
    ("changes", "spec", "message"),
    [
        ({}, DataSpec((2,), False, 1.0, np.zeros(2, np.float32)), "needs values with levels"),
        ({"network": "transformer", "width": 6, "heads": 4}, spec_of((2, 2, 1), 2), "does not divide model.width = 6"),
        ({"condition": "label"}, spec_of((2, 2, 1), 2), "needs data with one label"),
    ],
)
def test_what_has_no_meaning_is_refused_in_one_line(changes, spec, message):
    with pytest.raises(InputError, match=message) as error:
        FAMILY.make({**FAMILY.settings, **changes}, spec, {})
    assert "\n" not in str(error.value)
