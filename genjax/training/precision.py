"""The precision of matrix products and convolutions whose own code does not ask for one.

By JAX's default an accelerator rounds their float32 factors: an NVIDIA GPU to TF32 (10 bits of mantissa), a TPU to
bfloat16 (7 bits). A CPU rounds nothing, whatever is asked for. What has to be exact, such as distances, asks for
`highest` itself.
"""

import functools
from collections.abc import Callable
from typing import Any

import jax

from genjax.types import Model

PRECISIONS = ("default", "high", "highest")


def at_precision(function: Callable[..., Any], precision: str) -> Callable[..., Any]:
    """The function, traced with products of this precision; the function itself where that is JAX's default.

    Example:
      >>> import jax.numpy as jnp
      >>> square = at_precision(lambda x: x @ x, "highest")
      >>> "HIGHEST" in str(jax.make_jaxpr(square)(jnp.eye(2)))
      True
    """
    if precision == "default":
        return function

    @functools.wraps(function)
    def traced(*arguments: Any, **named: Any) -> Any:
        with jax.default_matmul_precision(precision):
            return function(*arguments, **named)

    return traced


def model_at_precision(model: Model, precision: str) -> Model:
    """The model with each of its functions and losses at this precision."""
    if precision == "default":
        return model
    functions = {name: at_precision(value, precision) for name, value in model._asdict().items() if callable(value)}
    objectives = {
        name: objective._replace(loss=at_precision(objective.loss, precision))
        for name, objective in model.objectives.items()
    }
    discrete = model.discrete
    if discrete is not None:
        encode, decode = (at_precision(function, precision) for function in (discrete.encode, discrete.decode))
        discrete = discrete._replace(encode=encode, decode=decode)
    return model._replace(**functions, objectives=objectives, discrete=discrete)
