"""The chunks into which steps are cut: one schedule for single runs and for sweeps."""

from collections.abc import Iterator
from typing import NamedTuple

from ml_collections import ConfigDict


class Chunk(NamedTuple):
    """Steps that one compiled program does before the host looks at the state.

    Attributes:
      length: how many steps it does.
      step: how many steps are done after it.
      evaluate: whether the state after it is evaluated.
      save: whether the state after it is saved.
    """

    length: int
    step: int
    evaluate: bool
    save: bool


def schedule(train: ConfigDict, start: int, end: int, evaluate_also_every: int = 0) -> Iterator[Chunk]:
    """Cuts the steps from `start` to `end` into chunks, the same ones wherever a run was interrupted.

    A chunk ends at every multiple of `train.log_every` and at the last step. Every state that is evaluated is saved.

    Args:
      train: the group `train` of a configuration.
      start: how many steps are done.
      end: after how many steps to stop; the last state is evaluated.
      evaluate_also_every: states after multiples of this many steps are evaluated too; 0 for none.

    Example:
      >>> from genjax import default_config
      >>> train = default_config("vae").train
      >>> train.log_every, train.evaluate_every, train.checkpoint_every = 10, 20, 10
      >>> for chunk in schedule(train, start=5, end=23):
      ...     print(chunk)
      Chunk(length=5, step=10, evaluate=False, save=True)
      Chunk(length=10, step=20, evaluate=True, save=True)
      Chunk(length=3, step=23, evaluate=True, save=True)
    """
    periods = [train.evaluate_every, *([evaluate_also_every] if evaluate_also_every else [])]
    step = start
    while step < end:
        length = min(train.log_every - step % train.log_every, end - step)
        step += length
        evaluate = step == end or any(step % period == 0 for period in periods)
        yield Chunk(length, step, evaluate, save=evaluate or step % train.checkpoint_every == 0)
