"""A step of each factor of a family over a step of the plain model, in one process, in turns."""

import time
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from benchmarks.cases import CASES, dataset
from genjax import config as configs
from genjax.data import describe
from genjax.system.compiler import compiled
from genjax.training.scan import advance, make_train
from genjax.types import Batch

STEPS = 20  # of a round
OF_VAES: Mapping[str, Mapping[str, Any]] = {
    "iwae, k = 5": {"model.bound": "iwae", "model.samples": 5},
    "dreg, k = 5": {"model.bound": "dreg", "model.samples": 5},
    "stl": {"model.bound": "stl"},
    "miwae, 2 x 4": {"model.bound": "miwae", "model.samples": 4, "model.groups": 2},
    "piwae, 2 x 4": {"model.bound": "piwae", "model.samples": 4, "model.groups": 2},
    "ciwae, k = 5": {"model.bound": "ciwae", "model.samples": 5},
    "renyi, k = 5": {"model.bound": "renyi", "model.samples": 5},
    "prior: mixture of 10": {"model.prior": "mixture"},
    "prior: vamp, K = 10": {"model.prior": "vamp"},
    "two layers": {"model.layers": 2},
    "gumbel, 20 x 10": {"model.posterior": "gumbel"},
    "gaussian_shared": {"model.likelihood": "gaussian_shared"},
    "continuous_bernoulli": {"model.likelihood": "continuous_bernoulli"},
    "logistic": {"model.likelihood": "logistic"},
    "capacity": {"model.regulariser": "capacity"},
    "free_bits": {"model.regulariser": "free_bits"},
    "tc": {"model.regulariser": "tc"},
    "tc, stratified": {"model.regulariser": "tc", "model.tc_estimator": "stratified"},
    "factor, its second player included": {"model.regulariser": "factor"},
    "dip": {"model.regulariser": "dip"},
    "mmd": {"model.regulariser": "mmd"},
}
OF_GANS: Mapping[str, Mapping[str, Any]] = {
    "relativistic": {"model.loss": "relativistic"},
    "r1": {"model.penalties": ("r1",)},
    "r1, every 16th step": {"model.penalties": ("r1",), "model.penalty_every": 16},
    "r1 and r2": {"model.penalties": ("r1", "r2")},
    "wgan_gp": {"model.penalties": ("wgan_gp",)},
    "dragan": {"model.penalties": ("dragan",)},
    "lecam": {"model.penalties": ("lecam",)},
    "consistency": {"model.penalties": ("consistency",)},
    "latent consistency and diversity": {"model.penalties": ("latent_consistency", "latent_diversity")},
    "spectral norm": {"model.spectral_norm": True},
    "weight clipping": {"model.weight_clipping": True},
    "diffaugment": {"model.augmentation": "diffaugment"},
    "ada": {"model.augmentation": "ada"},
    "packing of 2": {"model.packing": 2},
    "batch deviation": {"model.batch_deviation": True},
    "infogan": {"model.condition": "information"},
    "average with a half-life": {"model.average": "half_life"},
}
OF_AUTOENCODERS: Mapping[str, Mapping[str, Any]] = {
    "noise": {"model.corruption": "gaussian"},
    "masking": {"model.corruption": "masking"},
    "l1": {"model.code_penalty": "l1"},
    "sparse": {"model.code_penalty": "sparse", "model.phi": "sigmoid"},
    "contractive, estimated": {"model.code_penalty": "contractive"},
    "RAE-L2": {"model.code_penalty": "l2"},
    "RAE-GP": {"model.code_penalty": "gradient"},
    "Wasserstein, MMD": {"model.code_penalty": "mmd"},
    "sliced Wasserstein": {"model.code_penalty": "sliced"},
    "adversarial, three objectives": {"model.code_penalty": "adversarial"},
}
OF_CODES: Mapping[str, Mapping[str, Any]] = {
    "vq, 512 codes": {"model.bottleneck": "vq"},
    "vq, 512 codes, by gradient": {"model.bottleneck": "vq", "model.codebook": "gradient"},
    "fsq, 512 codes": {"model.bottleneck": "fsq"},
    "lfq, 512 codes": {"model.bottleneck": "lfq", "model.latent": 9},
}
# {name on the command line: (the plain model's case, the factors)}
OBJECTIVES = {
    "objectives": ("mlp_vae_128", OF_VAES),
    "gan_objectives": ("dcgan", OF_GANS),
    "autoencoder_objectives": ("mlp_autoencoder", OF_AUTOENCODERS),
    "code_objectives": ("conv_autoencoder", OF_CODES),
}


def ratios(name: str, rounds: int) -> dict[str, list[float]]:
    """Each factor's time over the plain model's, round by round."""
    case, factors = OBJECTIVES[name]
    plain = _chunk(case, {})
    measured = {}
    for factor, changes in factors.items():
        chunk = _chunk(case, changes)
        measured[factor] = [_seconds(chunk) / _seconds(plain) for _ in range(rounds)]
    return measured


def _chunk(case: str, changes: Mapping[str, Any]) -> Callable[[], None]:
    """A function that goes on for `STEPS` steps; it is compiled, and has settled."""
    config = CASES[case].config()
    config.update_from_flattened_dict(changes)
    configs.check(config)
    images = dataset(config)
    train, data = make_train(config, describe(images)), Batch(jnp.asarray(images.train.x))
    hparams = {name: np.float32(value) for name, value in configs.active(config).items()}
    rng = jax.random.key(0)
    program = compiled(partial(advance, train), donate_argnums=0, static_argnums=4)
    state = jax.jit(train.init)(hparams, rng)

    def go_on() -> None:
        nonlocal state
        state, _ = program(state, data, hparams, rng, STEPS)
        jax.block_until_ready(state)

    go_on()
    go_on()
    return go_on


def _seconds(work: Callable[[], None]) -> float:
    started_at = time.perf_counter()
    work()
    return time.perf_counter() - started_at
