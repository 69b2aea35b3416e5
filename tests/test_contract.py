"""What every model of the table promises, whatever its family."""

from functools import cache

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from cases import (
    BATCH,
    CASES,
    DCGAN,
    RICHEST,
    SHAPE,
    SMALL,
    TRANSFORMER,
    N,
    build,
    case,
    slow,
    small_config,
    spec_of,
    stored,
)
from present import present

from genjax import config as configs
from genjax.models import FAMILIES
from genjax.training import sharding
from genjax.training import step as steps
from genjax.training.scan import make_train

RNG = jax.random.key(0)
# The families' richest cases run always.
every_case = pytest.mark.parametrize("name", [name if name in RICHEST.values() else slow(name) for name in CASES])
every_family = pytest.mark.parametrize("name", RICHEST.values())


def batch_of(c):
    """The first examples as a model sees them."""
    first = jax.tree.map(lambda leaf: leaf[:BATCH], stored(c.config))
    return steps.prepare(spec_of(c.config), RNG, first)


def batches_of(c, objective):
    """What an objective's loss sees."""
    if objective.batches == 1 or objective.accumulate:
        return batch_of(c)
    return jax.tree.map(lambda leaf: jnp.stack([leaf, leaf[::-1]]), batch_of(c))


def model_of(c, hparams=None):
    return c.functions.model(c.hparams if hparams is None else hparams, jnp.int32(0))


def test_every_family_has_a_case():
    """The table of families is the one that tests ask; the others go through the rows that tests have."""
    assert {family for family, _ in CASES.values()} == set(FAMILIES)
    assert set(SMALL) == set(RICHEST) == set(STATIC) == set(FAMILIES)


@every_case
def test_shapes(name):
    c = case(name)
    model, shape_of = model_of(c), jax.eval_shape
    batch = batch_of(c)
    params = shape_of(model.init, RNG, batch)
    overwritten = {
        part for o in model.objectives.values() for part in shape_of(o.loss, params, batches_of(c, o), RNG)[1].state
    }
    assert {part for objective in model.objectives.values() for part in objective.trains} | overwritten == set(params)
    family = FAMILIES[c.config.model.family]
    active = family.active_objectives or (lambda settings: family.objectives)
    assert tuple(model.objectives) == tuple(active(c.config.model))
    assert set(family.objectives) >= set(model.objectives)
    if model.decode is not None:
        chex.assert_shape(shape_of(model.decode, params, jnp.ones((5, model.latent))), (5, *SHAPE))
    if model.prior is not None:
        chex.assert_shape(shape_of(lambda p: present(model.prior)(p, RNG, 5), params), (5, model.latent))
    if model.infer is not None:
        chex.assert_shape(shape_of(model.infer, params, batch, RNG), (BATCH, model.latent))
    if model.rates is not None:
        chex.assert_shape(shape_of(model.rates, params, batch, RNG), (BATCH, None))
    if model.log_weights is not None:
        chex.assert_shape(shape_of(lambda p: present(model.log_weights)(p, batch, RNG, 3), params), (3, BATCH))
        assert model.likelihood is not None
    if model.log_prob is not None:
        chex.assert_shape(shape_of(model.log_prob, params, batch), (BATCH,))
        assert model.likelihood is not None
    chex.assert_shape(list(shape_of(model.evaluate, params, batch, RNG).values()), (BATCH,))
    if model.encode is not None:
        chex.assert_shape(shape_of(model.encode, params, batch), (BATCH, model.latent))
    if model.reconstruct is not None:
        chex.assert_shape(shape_of(model.reconstruct, params, batch, RNG), (BATCH, *SHAPE))
    if model.sample is not None:
        chex.assert_shape(shape_of(lambda p: present(model.sample)(p, RNG, 7), params), (7, *SHAPE))
    state = shape_of(c.functions.init, c.hparams, RNG)
    chex.assert_trees_all_equal_shapes_and_dtypes(state.params, params)
    evaluated = shape_of(c.functions.evaluate, state, stored(c.config), c.hparams, RNG)
    chex.assert_shape(list(evaluated.values()), ())
    assert model.monitor in evaluated
    assert model.monitor == FAMILIES[c.config.model.family].monitor(c.config.model)


@every_case
def test_losses_are_pure_and_their_gradients_finite(name):
    """Traced twice: the same program. Every part that an objective trains has a gradient."""
    c = case(name)
    params = c.init(c.hparams, RNG).params
    chex.assert_tree_all_finite(params)
    for objective in model_of(c).objectives.values():
        batch = batches_of(c, objective)
        first, second = (jax.make_jaxpr(lambda *a, loss=objective.loss: loss(*a))(params, batch, RNG) for _ in range(2))
        assert str(first) == str(second)
        chex.assert_trees_all_equal(first.consts, second.consts)
        (value, aux), grads = jax.jit(jax.value_and_grad(objective.loss, has_aux=True))(params, batch, RNG)
        chex.assert_shape([value, *aux.metrics.values()], ())
        chex.assert_tree_all_finite(grads)
        for part in objective.trains:
            assert max(float(jnp.max(jnp.abs(leaf))) for leaf in jax.tree.leaves(grads[part])) > 0


@every_family
def test_losses_are_the_same_with_and_without_compilation(name):
    c = case(name)
    params = c.init(c.hparams, RNG).params
    for objective in model_of(c).objectives.values():
        batch = batches_of(c, objective)
        eager = objective.loss(params, batch, RNG)
        chex.assert_trees_all_close(jax.jit(objective.loss)(params, batch, RNG), eager, rtol=1e-5, atol=1e-5)


@pytest.mark.slow
@every_family
def test_sharded_is_unsharded(name):
    c = case(name)
    assert jax.device_count() == 2
    grid = sharding.batch_mesh(jax.devices())
    functions = make_train(c.config, spec_of(c.config), place=sharding.shard_batches(grid))

    def chunk(state, hparams, rng):
        indices = functions.indices(hparams, rng, state.step, 2, N)
        return functions.chunk(state, stored(), indices, hparams, rng)

    start = c.init(c.hparams, RNG)
    program = jax.jit(chunk).lower(sharding.replicate(grid, start), c.hparams, RNG).compile()
    assert "all-reduce" in present(program.as_text())  # each device has gradients of its own half to add
    sharded = program(sharding.replicate(grid, start), c.hparams, RNG)
    alone = c.chunk(start, c.hparams, RNG, 2)
    chex.assert_trees_all_close(jax.device_get(sharded), jax.device_get(alone), rtol=2e-4, atol=2e-5)


@every_family
def test_one_trace_serves_every_hyperparameter(name):
    c = case(name)
    chex.clear_trace_counter()
    chunk = jax.jit(chex.assert_max_traces(c.chunk.__wrapped__, n=1), static_argnames="length")
    state = c.init(c.hparams, RNG)
    for scale in (1.0, 0.5, 0.25):
        hparams = {name: value * scale for name, value in c.hparams.items()}
        state, _ = chunk(state, hparams, jax.random.key(int(4 * scale)), length=2)
    assert int(state.step) == 6


ACTING = [
    *RICHEST.values(),
    "autoencoder_gaussian",
    *(f"autoencoder_corruption_{name}" for name in ("gaussian", "masking")),
    *(f"autoencoder_code_penalty_{name}" for name in ("l1", "sparse", "contractive", "gradient", "mmd", "sliced")),
    *(f"autoencoder_bottleneck_{name}" for name in ("vq", "vq_codebook_gradient", "lfq")),
    "gan_minimax",
    "gan_wasserstein",
    "gan_relativistic_r1_r2",
    "gan_wgan_gp",
    "gan_zero_centred_lecam",
    "gan_dragan",
    "gan_consistency",
    "gan_latent_consistency_latent_diversity",
    "gan_ada",
    "gan_auxiliary",
    "gan_information",
    "vae_fixed",
    *(
        f"vae_{factor}"
        for factor in ("ciwae", "renyi", "features", "gumbel", "capacity", "free_bits", "tc", "factor", "dip", "mmd")
    ),
]
# Values that change the result even where half of the default would not.
OTHER = {
    "ema_decay": 0.05,  # an average's decay and its half-life are bounded by its early steps
    "ema_half_life": 0.1,
    "capacity": 0.0,
    "free_bits": 10.0,
    "lecam_start": 3.0,
    "ada_target": 2.0,
    "restart_share": 1.0,
    "codebook_start": 1.0,
}


def test_every_hyperparameter_is_tested():
    of_samples = {"truncation"}  # it moves no parameters: tests/test_gan_factors.py
    tested = {own for name in ACTING for own in case(name).hparams} | of_samples
    for family in RICHEST:
        assert set(configs.default(family).hparams) <= tested
        assert set(FAMILIES[family].hparams) <= tested


@pytest.mark.parametrize("name", [name if name in RICHEST.values() else slow(name) for name in ACTING])
def test_every_hyperparameter_acts(name):
    c = case(name)
    base, _ = c.chunk(c.init(c.hparams, RNG), c.hparams, RNG, 4)
    for key, value in c.hparams.items():
        other = OTHER.get(key, 0.5 * value + 0.01)
        changed = {**c.hparams, key: jnp.float32(other)}
        state, _ = c.chunk(c.init(changed, RNG), changed, RNG, 4)
        assert differ(state, base), f"{key} does not act"


STATIC = {
    "autoencoder": {
        "model.hidden": (7,),
        "model.latent": 4,
        "model.phi": "tanh",
        "model.likelihood": "gaussian",
        "model.corruption": "gaussian",
        "model.code_penalty": "l2",
        "model.bottleneck": "vq",
    },
    "vae": {
        "model.hidden": (7,),
        "model.latent": 4,
        "model.likelihood": "gaussian_pixel",
        "model.bound": "iwae",
        "model.samples": 2,
        "model.prior": "mixture",
        "model.posterior": "gumbel",
        "model.regulariser": "tc",
        "model.layers": 2,
        "model.condition": "label",
    },
    "gan": {
        "model.generator_hidden": (7,),
        "model.discriminator_hidden": (7,),
        "model.latent": 4,
        "model.loss": "minimax",
        "model.critic_steps": 2,
        "model.accumulate": 2,
        "model.penalties": ("r1",),
        "model.spectral_norm": True,
        "model.weight_clipping": True,
        "model.augmentation": "diffaugment",
        "model.packing": 2,
        "model.batch_deviation": True,
        "model.condition": "projection",
        "model.average": "half_life",
    },
    "autoregressive": {"model.hidden": (7,), "model.network": "transformer", "model.condition": "label"},
}
# Settings that act beside another one: {setting: (value, what it needs)}.
BESIDE = {
    "autoregressive": {
        "model.width": (6, TRANSFORMER),
        "model.depth": (2, TRANSFORMER),
        "model.heads": (1, TRANSFORMER),
    },
    "vae": {
        "model.groups": (2, {"model.bound": "miwae", "model.samples": 2}),
        "model.components": (3, {"model.prior": "mixture"}),
        "model.pseudo_inputs": ("examples", {"model.prior": "vamp"}),
        "model.couplings": (3, {"model.prior": "flow"}),
        "model.coupling_hidden": (3, {"model.prior": "flow"}),
        "model.categories": (3, {"model.posterior": "gumbel"}),
        "model.logistics": (2, {"model.likelihood": "logistic_mixture"}),
        "model.tc_estimator": ("stratified", {"model.regulariser": "tc"}),
        "model.discriminator_hidden": ((4,), {"model.regulariser": "factor"}),
        "model.dip": ("i", {"model.regulariser": "dip"}),
        "model.mmd_kernel": ("rbf", {"model.regulariser": "mmd"}),
        "model.free_bits_group": (3, {"model.regulariser": "free_bits"}),
        "model.upper_hidden": ((4,), {"model.layers": 2}),
        "model.upper_latent": (2, {"model.layers": 2}),
    },
    "gan": {
        "model.penalty_every": (2, {"model.penalties": ("r1",)}),
        "model.pixel_range": ("symmetric", {"model.penalties": ("r1",)}),
        "model.codes": (4, {"model.condition": "information"}),
        "model.generator_condition": ("norm", {**DCGAN, "model.condition": "projection"}),
        "model.discriminator_channels": (5, DCGAN),
        "model.discriminator_norm": ("layer", DCGAN),
        "model.prior": ("uniform", {}),
    },
    "autoencoder": {
        "model.psi": ("tanh", {"model.likelihood": "gaussian"}),
        "model.mmd_kernel": ("rbf", {"model.code_penalty": "mmd"}),
        "model.projections": (5, {"model.code_penalty": "sliced"}),
        "model.discriminator_hidden": ((4,), {"model.code_penalty": "adversarial"}),
        "model.codes": (5, {"model.bottleneck": "vq"}),
        "model.codebook": ("gradient", {"model.bottleneck": "vq"}),
        "model.levels": ((3,), {"model.bottleneck": "fsq", "model.latent": 16}),
        "model.positions": (2, {"model.bottleneck": "vq"}),
    },
}
# What brings a player into being: {family: {its settings: what they need}}.
AGAINST_CODES = {"model.code_penalty": "adversarial"}
ADVERSARIAL = {
    "vae": {"optim.discriminator": {"model.regulariser": "factor"}},
    "autoencoder": {"optim.discriminator": AGAINST_CODES, "optim.generator": AGAINST_CODES},
}
MLP = {"model.network": "dcgan", "model.activation": "tanh", "model.precision": "bfloat16"}
CONVOLUTIONAL = {
    "model.network": "resnet",
    "model.channels": 5,
    "model.code_size": 3,
    "model.dense": (3,),
    "model.norm": "layer",
    "model.upsampling": "nearest",
    "model.activation": "tanh",
    "model.precision": "bfloat16",
}
SHARED = {"train.batch_size": 6, "data.dynamic_binarisation": True}
OPTIM = {"optimiser": "sgd", "schedule": "exponential", "clip": True}


def network_changes(family):
    """What changes an MLP and a convolutional network, where a family builds its networks from `nn.networks`."""
    return (MLP, CONVOLUTIONAL) if "channels" in FAMILIES[family].settings else ({"model.activation": "tanh"}, {})


def static_changes():
    for family, settings in STATIC.items():
        optim = {f"optim.{o}.{name}": value for o in FAMILIES[family].objectives for name, value in OPTIM.items()}
        needed = ADVERSARIAL.get(family, {})
        mlp, convolutional = network_changes(family)
        for name, value in {**settings, **mlp, **SHARED, **optim}.items():
            context = needed.get(name.rpartition(".")[0], {})
            yield pytest.param(family, context, name, value, id=f"{family}-{name}")
        for name, (value, context) in BESIDE.get(family, {}).items():
            yield pytest.param(family, context, name, value, id=f"{family}-{name}")
        for name, value in convolutional.items():
            yield pytest.param(family, DCGAN, name, value, id=f"{family}-dcgan-{name}")


@cache
def program(family, *changes):
    """The whole of a training chunk as JAX traces it: a setting that nothing reads leaves it as it is."""
    c = build(small_config(family, dict(changes)))

    def train(hparams, rng):
        indices = c.functions.indices(hparams, rng, jnp.int32(0), 2, N)
        return c.functions.chunk(c.functions.init(hparams, rng), stored(c.config), indices, hparams, rng)

    return str(jax.make_jaxpr(train)(configs.default(family).hparams.to_dict(), RNG))


@pytest.mark.parametrize(
    ("family", "context", "name", "value"),
    [change._replace(marks=[pytest.mark.slow] * (i % 3 > 0)) for i, change in enumerate(static_changes())],
)
def test_every_static_setting_acts(family, context, name, value):
    base = tuple(context.items())
    assert program(family, *base, (name, value)) != program(family, *base), f"{name} does not act"


@pytest.mark.parametrize("family", STATIC)
def test_a_program_depends_on_its_settings_alone(family):
    same = program(family, ("train.batch_size", BATCH))
    assert same == program(family)


def test_every_static_setting_is_tested():
    for family, settings in STATIC.items():
        tested = settings.keys() | BESIDE.get(family, {}).keys() | set().union(*network_changes(family))
        assert {f"model.{name}" for name in FAMILIES[family].settings} <= tested


@every_family
def test_the_seed_acts(name):
    c = case(name)
    first, second = (c.chunk(c.init(c.hparams, RNG), c.hparams, jax.random.key(seed), 2)[0] for seed in (0, 1))
    assert differ(first.params, second.params)


def differ(a, b) -> bool:
    """Whether two trees have other shapes or other values."""
    if jax.tree.structure(a) != jax.tree.structure(b):
        return True
    pairs = zip(jax.tree.leaves(a), jax.tree.leaves(b), strict=True)
    return any(x.shape != y.shape or not np.array_equal(x, y) for x, y in pairs)
