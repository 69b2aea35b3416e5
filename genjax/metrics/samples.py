"""What samples alone tell of a model, measured at every evaluation: metrics that a family or a data set names."""

from collections.abc import Callable

import jax.numpy as jnp

from genjax.metrics.mixtures import mode_coverage
from genjax.metrics.neighbours import precision_recall_coverage
from genjax.metrics.wasserstein import sliced_wasserstein
from genjax.rng import stream
from genjax.types import Array, DataSpec, Key

COUNT = 2500
NEAR_COUNT, NEIGHBOURS = 1000, 5  # of `nearness`, whose work and memory grow with the square of the count

# `(rng, n) -> [n, *shape]` samples, and `(rng, n) -> [m, *shape]` of the data's own examples, m at most n.
Draw = Callable[[Key, int], Array]
SampleMetric = Callable[[Draw, Draw, DataSpec, Key], dict[str, Array]]


def distance(sample: Draw, examples: Draw, spec: DataSpec, rng: Key) -> dict[str, Array]:
    """The sliced Wasserstein distance between examples and as many samples.

    A VAE's samples of images are means of p(x|z): beside binary examples they stay at a distance even at the optimum.
    """
    real = examples(stream(rng, "real"), COUNT)
    samples = sample(stream(rng, "sample"), real.shape[0])  # [n, *shape]
    return {"sliced_wasserstein": sliced_wasserstein(stream(rng, "directions"), samples, real)}


def modes(sample: Draw, examples: Draw, spec: DataSpec, rng: Key) -> dict[str, Array]:
    """How many modes of a known mixture 2,500 samples find, and how many of them are good."""
    assert spec.modes is not None, "the metric 'modes' needs data whose modes are known"
    samples = sample(stream(rng, "modes"), COUNT)
    return mode_coverage(samples, jnp.asarray(spec.modes.centres), spec.modes.sigma)


def nearness(sample: Draw, examples: Draw, spec: DataSpec, rng: Key) -> dict[str, Array]:
    """Precision, recall and coverage of 1,000 samples, by pixels or by points: a collapse has a small coverage."""
    real = examples(stream(rng, "near examples"), NEAR_COUNT)
    samples = sample(stream(rng, "near samples"), real.shape[0])
    x, y = (values.reshape(real.shape[0], -1) for values in (real, samples))
    return precision_recall_coverage(x, y, min(NEIGHBOURS, real.shape[0] - 1))


SAMPLE_METRICS: dict[str, SampleMetric] = {
    "sliced_wasserstein": distance,
    "modes": modes,
    "precision_recall_coverage": nearness,
}
