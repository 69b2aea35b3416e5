"""The check that freezes a step: both of its forms see every number, and a GPU gets one reduction."""

import jax
import jax.numpy as jnp
import pytest

from genjax.training.finite import all_finite, leaf_by_leaf, overlaid

TREE = {"kernel": jnp.ones((3, 4)), "bias": jnp.zeros(4), "scale": jnp.float32(2.0), "count": jnp.int32(7)}
FORMS = (leaf_by_leaf, overlaid, lambda *leaves: all_finite(leaves))
every_form = pytest.mark.parametrize("form", FORMS, ids=["leaf_by_leaf", "overlaid", "all_finite"])


@every_form
def test_a_tree_of_numbers_is_finite(form):
    assert bool(form(*jax.tree.leaves(TREE)))


@every_form
@pytest.mark.parametrize("number", [jnp.nan, jnp.inf, -jnp.inf])
@pytest.mark.parametrize(("name", "place"), [("kernel", (0, 0)), ("kernel", (2, 3)), ("bias", (3,)), ("scale", ())])
def test_one_number_is_enough(form, number, name, place):
    assert not bool(form(*jax.tree.leaves({**TREE, name: TREE[name].at[place].set(number)})))


@every_form
def test_trials_are_checked_apart(form):
    stacked = jax.tree.map(lambda leaf: jnp.stack([leaf] * 3), TREE)
    stacked["bias"] = stacked["bias"].at[1, 2].set(jnp.nan)
    finite = jax.vmap(lambda tree: form(*jax.tree.leaves(tree)))(stacked)
    assert finite.tolist() == [True, False, True]


def test_nothing_is_finite():
    assert bool(all_finite({}))


@pytest.mark.parametrize(("platform", "reductions"), [("cpu", len(TREE) + 1), ("cuda", 1), ("rocm", 1)])
def test_a_gpu_reduces_once(platform, reductions):
    text = jax.jit(all_finite).trace(TREE).lower(lowering_platforms=(platform,)).as_text()
    assert text.count("stablehlo.reduce") == reductions
