"""Results of sweeps as arrays, for the tests of their pictures."""

import itertools

import numpy as np

from genjax.plots import sweep_scales as laid

NAN, MINUS = np.nan, "\N{MINUS SIGN}"


def results(axes, values, point=None, diverged=None, goal="min"):
    """Results of a sweep; by default every trial is a point of its own, and what is nan diverged."""
    values = np.array(values, float)
    point = np.arange(len(values)) if point is None else np.array(point)
    diverged = np.isnan(values) if diverged is None else np.array(diverged)
    return laid.Results(axes, point, values, diverged, "validation/loss", goal)


def grid(axes, seeds, objective, goal="min", seed=0):
    """A full grid; the objective `(setting, noise) -> value` diverges where it is nan."""
    rng = np.random.default_rng(seed)
    settings = [dict(zip(axes, s, strict=True)) for s in itertools.product(*axes.values()) for _ in range(seeds)]
    columns = {name: [s[name] for s in settings] for name in axes}
    values = [objective(s, rng.normal()) for s in settings]
    return results(columns, values, np.arange(len(settings)) // seeds, goal=goal)


def gan_loss(setting, noise):
    if setting["model.loss"] == "wasserstein" and setting["hparams.learning_rate"] > 1e-3:
        return NAN
    return 1e5 if noise > 2.3 else 0.1 + 0.01 * noise + 0.01 * setting["hparams.r1_weight"]


RATES = [1e-4, 3e-4, 1e-3, 3e-3]
VAE = grid(
    {"hparams.beta": [0.5, 1, 2, 4], "hparams.learning_rate": RATES}, 3, lambda s, e: s["hparams.beta"] + 0.1 * e
)
GAN = grid(
    {"model.loss": ["hinge", "wasserstein"], "hparams.r1_weight": [0, 0.1, 1, 10], "hparams.learning_rate": RATES},
    4,
    gan_loss,
)
DRAWS = np.random.default_rng(3).random((4, 100))
RANDOM = results(
    {"hparams.a": (10 ** (-5 * DRAWS[0])).tolist(), "hparams.b": DRAWS[1].tolist(), "c": DRAWS[2].round(1).tolist()},
    -100 * DRAWS[3],
    goal="max",
)
SIZES = grid(
    {
        "model.hidden": [(64,), (256, 256), (512, 512, 512, 512, 512, 512)],
        "model.latent": [2, 8, 64],
        "norm": [True, False],
    },
    1,
    lambda s, e: 10 ** (2 * e),
)
CASES = {
    "vae": VAE,
    "gan": GAN,
    "random": RANDOM,
    "sizes": SIZES,
    "one": results({"hparams.beta": [1.0]}, [3.0]),
    "one_diverged": results({"hparams.beta": [1.0]}, [NAN]),
    "all_diverged": grid({"a.x": [1, 2, 3], "b.x": ["u", "v"]}, 2, lambda s, e: NAN, "max"),
    "never_evaluated": results({"x": [1, 2], "y": [1, 2]}, [NAN, NAN], diverged=[False, False]),
    "constant": grid({"a.x": [1, 2], "b.x": [None, "$x_1$"]}, 2, lambda s, e: 0.0),
    "outlier": grid({"x": [1, 2, 3], "y": [1, 2]}, 2, lambda s, e: -1e6 if e > 2 else e, "max", seed=4),
    "infinite": results({"x": [1, 2, 3, 4], "y": [1, 1, 2, 2]}, [np.inf, -np.inf, 1, 2], diverged=[False] * 4),
    "two_hundred": results({"x": list(range(200)), "y": [str(i) for i in range(200)]}, -np.arange(200.0) * 1e6),
    "seeds_alone": results({}, [1, 2, 4], [0, 0, 0]),
}


def learning(swept, seed=0):
    """Curves `[T, 20]` that end at the trials' values, or earlier."""
    rng = np.random.default_rng(seed)
    ends = np.nan_to_num(swept.values, posinf=0, neginf=0)
    curves = ends[:, None] + 3 * np.exp(-np.arange(20) / 4) * rng.random((len(ends), 1))
    curves[np.arange(20) > rng.integers(-3, 40, (len(ends), 1))] = NAN
    return np.arange(20) * 100, curves
