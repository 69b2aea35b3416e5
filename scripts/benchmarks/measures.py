"""The evaluator's hot paths, timed: what is measured, on how much, and against which contestants."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from benchmarks.cases import CASES
from genjax.evaluation import fidelity, likelihood
from genjax.evaluation.options import Options
from genjax.evaluation.rows import over_rows
from genjax.models import FAMILIES
from genjax.nn.autoregression import NETWORKS, AutoregressiveNetwork
from genjax.runs.load import LoadedRun
from genjax.system import processes
from genjax.types import Batch, DataSpec

Work = Callable[[int], object]
POINTS, WIDTH = 10_000, 256
MAPS, POSITIONS, LEVELS = 100, 49, 240
IMPORTANCE_SAMPLES = 5_000


class Measure(NamedTuple):
    """A title, how often its work is done in a round, what once is called, and the contestants, the first genjax's."""

    title: str
    steps: int
    once: str
    contestants: tuple[str, ...]


MEASURES = {
    "log_likelihood": Measure(
        f"log p(x) with {IMPORTANCE_SAMPLES:,} importance samples, Burda VAE 784-200-200-50",
        160,
        "image",
        ("log_likelihood", "decoder_products"),
    ),
    "log_likelihood_20": Measure(
        f"log p(x) with {IMPORTANCE_SAMPLES:,} importance samples on 20 images, Burda VAE 784-200-200-50",
        20,
        "image",
        ("log_likelihood", "pythae_nll"),
    ),
    "code_samples": Measure(
        f"{MAPS} maps of 7x7 codes out of {LEVELS} from a transformer of width 64 and depth 3",
        1,
        "draw",
        ("code_samples", "code_samples_anew"),
    ),
    "kernel_distance": Measure(
        f"KID of two sets of {POINTS:,} x {WIDTH} features", 1, "distance", ("kernel_distance", "feature_products")
    ),
    "prdc": Measure(
        f"Precision, recall, density, coverage of two sets of {POINTS:,} x {WIDTH} features, k = 5",
        1,
        "measurement",
        ("prdc", "feature_products"),
    ),
}


def code_samples(measure: Measure) -> Work:
    """As `evaluate.py --sampler run:<workdir>` draws them, before they are decoded."""
    del measure
    model, module, params = _transformer()
    draw = jax.jit(lambda key: model.draw(module, params, key, MAPS, None))
    return lambda n: [draw(jax.random.key(i)).block_until_ready() for i in range(n)]


def code_samples_anew(measure: Measure) -> Work:
    """The same draws from logits of all positions, computed once for each position."""
    del measure
    model, module, params = _transformer()

    @jax.jit
    def draw(key: jax.Array) -> jax.Array:
        def place_number(numbers: jax.Array, place: jax.Array) -> tuple[jax.Array, None]:
            logits = model.logits(module, params, numbers, None)[:, place]
            return numbers.at[:, place].set(jax.random.categorical(jax.random.fold_in(key, place), logits)), None

        return jax.lax.scan(place_number, jnp.zeros((MAPS, POSITIONS), jnp.int32), jnp.arange(POSITIONS))[0]

    return lambda n: [draw(jax.random.key(i)).block_until_ready() for i in range(n)]


def _transformer() -> tuple[AutoregressiveNetwork, Any, Any]:
    settings = {**FAMILIES["autoregressive"].settings, "activation": "gelu"}
    network = NETWORKS["transformer"]
    module = network.build(settings, POSITIONS, LEVELS, np.zeros(POSITIONS))
    return network, module, network.init(module, jax.random.key(0), jnp.zeros((1, POSITIONS), jnp.int32), None)


def log_likelihood(measure: Measure) -> Work:
    """As `evaluate.py` measures it, on both cores; the parameters' values do not change a time."""
    processes.use_cores_as_devices()
    config = CASES["burda_vae"].config()
    mean = np.full((28, 28, 1), 0.5, np.float32)
    spec = DataSpec((28, 28, 1), True, 1 / 255, mean, dynamic_binarisation=True)
    model = FAMILIES["vae"].make(config.model, spec, {"beta": 1.0, "step": 0})
    params = model.init(jax.random.key(0), Batch(jnp.zeros((1, 28, 28, 1))))
    subject = LoadedRun(workdir=None, config=config, dataset=None, spec=spec, model=model, params=params, step=0)  # pyright: ignore
    options = Options(importance_samples=IMPORTANCE_SAMPLES)
    of_rows = over_rows(likelihood.per_example(subject, options), likelihood.rows_of_block())
    images = np.random.default_rng(0).integers(0, 256, (measure.steps, 28, 28, 1)).astype(np.uint8)
    return lambda n: of_rows((Batch(images[:n]), np.arange(n)), params)


def decoder_products(measure: Measure) -> Work:
    """The decoder's matrix products for as many samples, in NumPy's BLAS, an image at a time."""
    del measure
    rng = np.random.default_rng(0)
    weights = [rng.normal(size=shape).astype(np.float32) for shape in ((50, 200), (200, 200), (200, 784))]
    z = rng.normal(size=(IMPORTANCE_SAMPLES, 50)).astype(np.float32)
    outputs = [np.empty((IMPORTANCE_SAMPLES, w.shape[1]), np.float32) for w in weights]

    def work(n: int) -> None:
        for _ in range(n):
            h = z
            for w, out in zip(weights, outputs, strict=True):
                h = np.matmul(h, w, out=out)

    return work


def kernel_distance(measure: Measure) -> Work:
    """As `evaluate.py` measures it."""
    del measure
    processes.use_cores_as_devices()
    x, y = _features()
    return lambda n: [fidelity.kernel_distance(x, y) for _ in range(n)]


def prdc(measure: Measure) -> Work:
    """As `evaluate.py` measures it."""
    del measure
    processes.use_cores_as_devices()
    x, y = _features()
    return lambda n: [fidelity.prdc(x, y, 5) for _ in range(n)]


def feature_products(measure: Measure) -> Work:
    """x x^T, y y^T and x y^T in NumPy's BLAS, a thousand rows at a time."""
    del measure
    x, y = _features()
    out = np.empty((1000, POINTS), np.float32)

    def work(n: int) -> None:
        for _ in range(n):
            for a, b in ((x, x), (y, y), (x, y)):
                for start in range(0, POINTS, 1000):
                    np.matmul(a[start : start + 1000], b.T, out=out)

    return work


def _features() -> tuple[np.ndarray, np.ndarray]:
    """Two sets that are never negative, as a classifier's are."""
    rng = np.random.default_rng(0)
    x, y = (np.maximum(rng.normal(size=(POINTS, WIDTH)), 0).astype(np.float32) for _ in range(2))
    return x, y
