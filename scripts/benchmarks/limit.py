"""The machine's own limit for a step: its matrix products in NumPy's BLAS, and its optimiser's bytes through memory."""

from collections.abc import Callable, Iterator

import jax
import jax.numpy as jnp
import numpy as np
from jax.extend.core import Jaxpr, jaxprs_in_params
from jax.interpreters import partial_eval

from benchmarks.cases import Case, dataset
from genjax import config as configs
from genjax.data import describe
from genjax.training.scan import make_train
from genjax.types import Batch, TrainState

Product = tuple[tuple[int, int], tuple[int, int], int, int]  # shapes of both factors, and the axis that each sums over


def limit(case: Case) -> Callable[[int], None]:
    """Runs what no program for a step of each trial can do without: the products, and the bytes that Adam must move."""
    run = case.trials * ([_timed(product) for product in products(case)] + [_moved(case)])

    def steps(n: int) -> None:
        for _ in range(n):
            for part in run:
                part()

    return steps


def products(case: Case) -> list[Product]:
    """The matrix products of one training step, read off the program that genjax traces, less what it drops."""
    config = case.config()
    images = dataset(config)
    functions = make_train(config, describe(images, config.data.dynamic_binarisation))
    hparams, rng = configs.active(config), jax.random.key(0)

    def step(data):
        state = functions.init(hparams, rng)
        return functions.chunk(state, data, functions.indices(hparams, rng, state.step, 1, len(data.x)), hparams, rng)

    traced = jax.make_jaxpr(step)(Batch(jax.ShapeDtypeStruct(images.train.x.shape, jnp.uint8))).jaxpr
    needed, _ = partial_eval.dce_jaxpr(traced, [True] * len(traced.outvars))
    return list(_products(needed))


def _products(jaxpr: Jaxpr) -> Iterator[Product]:
    for equation in jaxpr.eqns:
        if equation.primitive.name == "dot_general":
            (left, right), batched = equation.params["dimension_numbers"]
            a, b = (getattr(variable.aval, "shape", ()) for variable in equation.invars)
            if min(len(a), len(b)) < 2:
                continue  # a sum, which `likelihoods` writes as a product with ones: there are other ways to add up
            if batched != ((), ()) or len(a) != 2 or len(b) != 2:
                raise NotImplementedError(f"a product that is not of two matrices: {equation}")
            yield (a[0], a[1]), (b[0], b[1]), left[0], right[0]
        for inner in jaxprs_in_params(equation.params):
            yield from _products(inner)


def _timed(product: Product) -> Callable[[], object]:
    left, right, left_axis, right_axis = product
    rng = np.random.default_rng(0)
    a, b = rng.random(left, np.float32), rng.random(right, np.float32)
    a, b = (a.T if left_axis == 0 else a), (b.T if right_axis == 1 else b)
    out = np.empty((a.shape[0], b.shape[1]), np.float32)
    return lambda: np.matmul(a, b, out=out)


def _moved(case: Case) -> Callable[[], object]:
    """A copy of as many bytes as the optimisers read (weights, gradients, moments) and write (weights, moments)."""
    state = state_of(case)
    weights, moments, average = (size(tree) for tree in (state.params, state.opt_state, state.average))
    moved = 3 * weights + 2 * moments + 2 * average
    source, target = np.ones(moved // 8, np.float32), np.ones(moved // 8, np.float32)  # a copy reads and writes
    return lambda: np.copyto(target, source)


def state_of(case: Case) -> TrainState:
    """The shapes of a case's training state."""
    config = case.config()
    functions = make_train(config, describe(dataset(config), config.data.dynamic_binarisation))
    return jax.eval_shape(lambda: functions.init(configs.active(config), jax.random.key(0)))


def size(tree: object) -> int:
    """Bytes of a tree of arrays."""
    return sum(leaf.size * leaf.dtype.itemsize for leaf in jax.tree.leaves(tree))
