"""The experiments on autoencoders: every kind of code, with every sampler that draws from it."""

from collections.abc import Mapping

from results.kinds import Column, Experiment, Row, Run

MLP = {
    "model.hidden": "(512,256)",
    "model.latent": "16",
    "model.likelihood": "gaussian",
    "train.steps": "20000",
    "train.log_every": "500",
    "train.evaluate_every": "5000",
    "train.checkpoint_every": "5000",
}
# What each kind of code changes of the plain autoencoder.
CONTINUOUS: Mapping[str, Mapping[str, str]] = {
    "denoising, masks of a quarter": {"model.corruption": "masking"},
    "l1": {"model.code_penalty": "l1", "hparams.l1_weight": "0.01"},
    "contractive": {"model.code_penalty": "contractive", "hparams.contraction_weight": "0.01"},
    "RAE-L2": {"model.code_penalty": "l2"},
    "RAE-GP": {"model.code_penalty": "gradient"},
    "Wasserstein, MMD": {"model.code_penalty": "mmd"},
    "sliced Wasserstein": {"model.code_penalty": "sliced"},
    "adversarial": {"model.code_penalty": "adversarial"},
}
DISCRETE = {  # a config, and the side of its map of codes
    "codebook of 256, 7x7": ("ae_vq_mnist", 7),
    "codebook of 256, 4x4": ("ae_vq_mnist", 4),
    "FSQ of 8 x 6 x 5, 7x7": ("ae_fsq_mnist", 7),
    "FSQ of 8 x 6 x 5, 4x4": ("ae_fsq_mnist", 4),
}
PUBLISHED = {"500": "-94.5 (karpathy/pytorch-made)", "1000": "-86.64 (Germain et al. 2015, their best)"}
PRIOR = "_prior"  # ends the name of the run that has learned how a run's codes are distributed
PRIORS = {"Wasserstein, MMD", "sliced Wasserstein", "adversarial"}
SAMPLERS = ("reconstruction", "prior", "gaussian", "mixture:10", "run")


def sampler_table(data: str, title: str) -> Experiment:
    """Returns the table of autoencoders on a data set, one column a sampler."""
    rows = [Row(name, {_folder(data, name): _continuous(data, name)}) for name in CONTINUOUS]
    for name, (config, side) in DISCRETE.items():
        folder = _folder(data, f"{config.removesuffix('_mnist')} {side}x{side}")
        rows.append(Row(name, {folder: _discrete(data, folder, config, side)}))
    return Experiment(
        f"Autoencoders with every sampler on {title}",
        "Fréchet distance between 10,000 samples and the test images in the features of the frozen classifier. "
        "Continuous codes: 784-512-256-16, squared error, 20,000 steps of 128. Discrete codes: convolutions, "
        "cross-entropy, 5,000 steps of 128; their autoregressive prior is a transformer of width 64 and depth 3, "
        "10,000 steps of 64. A map of 7x7 codes holds more than one of 4x4, and is harder to draw from. Weights are "
        "the defaults, but for l1 and contractive, which have 0.01. The distortion of a test image is the squared "
        "error of continuous codes, and the cross-entropy in nats of discrete ones; their rate is -log p of the "
        "image's codes under the prior. Continuous codes have no noise, so their rate has no limit.",
        (
            *(
                Column("autoregressive prior" if name == "run" else name, "frechet_distance", {"sampler": name}, i > 0)
                for i, name in enumerate(SAMPLERS)
            ),
            Column("distortion", "test/recon"),
            Column("rate, nats", "test/loss", optional=True, of=PRIOR),
        ),
        tuple(rows),
    )


def pixels() -> Experiment:
    """Returns the table of exact likelihoods on binarised MNIST."""
    return Experiment(
        "Exact likelihood on binarised MNIST",
        "log p(x) of all 10,000 test images, fixed binarisation, pixels row by row; a masked MLP with direct "
        "connections, 20,000 steps of 100 on 50,000 images, at the best checkpoint. Published: one order, one hidden "
        "layer of 500 (karpathy/pytorch-made); the best of the paper has two hidden layers of 8,000 and averages over "
        "32 masks (Germain et al. 2015).",
        (Column("log p(x), nats", "log_likelihood"), Column("bits per dimension", "bits_per_dimension")),
        tuple(
            Row(
                f"masked MLP, {width} hidden units",
                {
                    f"made_{width}": Run(
                        "autoregressive_mnist",
                        {"model.hidden": f"({width},)"},
                        ("--metrics likelihood --checkpoint best",),
                    )
                },
                published,
            )
            for width, published in PUBLISHED.items()
        ),
    )


def _folder(data: str, name: str) -> str:
    return f"{data}_{name.partition(',')[0].replace(' ', '_').replace('-', '_').lower()}"


def _fidelity(*samplers: str) -> tuple[str, ...]:
    return tuple(f"--metrics fidelity --sampler {sampler}" for sampler in samplers)


def _continuous(data: str, name: str) -> Run:
    samplers = SAMPLERS[:4] if name in PRIORS else ("reconstruction", "gaussian", "mixture:10")
    return Run("ae_digits", {"data.source": f"tfds:{data}", **MLP, **CONTINUOUS[name]}, _fidelity(*samplers))


def _discrete(data: str, folder: str, config: str, side: int) -> Run:
    prior = Run("autoregressive_codes_mnist", {"data.source": f"codes:{{runs}}/{folder}"}, ())
    samplers = ("reconstruction", f"run:{{runs}}/{folder}{PRIOR}")
    if config == "ae_fsq_mnist":  # of a codebook's 784 dimensions a mixture takes long, and says little
        samplers = ("reconstruction", "gaussian", "mixture:10", f"run:{{runs}}/{folder}{PRIOR}")
    settings = {"data.source": f"tfds:{data}", "model.code_size": str(side)}
    return Run(config, settings, _fidelity(*samplers), {f"{folder}{PRIOR}": prior})
