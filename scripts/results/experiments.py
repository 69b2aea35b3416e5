"""The experiments of docs/results.md, one table each."""

from collections.abc import Mapping

from results import codes, gans, mixtures, regularisers
from results.kinds import Column, Experiment, Row, Run

LONG = {  # of the VAE of Burda et al.: batches of 100 and a cosine, since a CPU sees an epoch so in half the time
    "train.batch_size": "100",
    "optim.elbo.schedule": "warmup_cosine",
    "hparams.learning_rate": "2e-3",
    "hparams.warmup": "0.01",
}
DYNAMIC = {
    "train.steps": "540000",
    "train.log_every": "540",
    "train.evaluate_every": "5400",
    "train.checkpoint_every": "5400",
}
FIXED = {
    "data.source": "tfds:binarized_mnist",
    "data.dynamic_binarisation": "False",
    "train.steps": "250000",
    "train.log_every": "500",
    "train.evaluate_every": "5000",
    "train.checkpoint_every": "5000",
}
NATS = "--metrics likelihood --importance-samples 5000 --checkpoint best"


def _likelihood() -> Experiment:
    at_5000 = {"importance_samples": 5000}
    return Experiment(
        "Log-likelihood: the one-layer VAE of Burda et al. on MNIST",
        "784-200-200-50 with tanh. log p(x) by importance sampling with k = 5000 on all 10,000 test images, at the "
        "checkpoint of the best validation loss. Dynamic binarisation: 1,000 epochs of 54,000 images by 100, "
        "a cosine from 2e-3 (the paper: 3,280 of 60,000 in batches of 20, eight stages from 1e-3). Fixed binarisation: "
        "500 epochs of 50,000.",
        (
            Column("log p(x), nats", "log_likelihood", at_5000),
            Column("ELBO, nats", "elbo", at_5000),
            Column("rate, nats", "rate", at_5000),
            Column("active units", "active_units", at_5000),
        ),
        (
            Row(
                "VAE, k = 1, binarised anew",
                {"burda_dynamic": Run("vae_mnist", {**LONG, **DYNAMIC}, (NATS,))},
                "-86.76 (Burda et al. 2016); -86.35 (nbip/IWAE, 100 latent dimensions)",
            ),
            Row(
                "VAE, k = 1, fixed binarisation",
                {"burda_fixed": Run("vae_mnist", {**LONG, **FIXED}, (NATS,))},
                "-88.71 (Burda et al. 2016)",
            ),
        ),
    )


EPOCHS_270 = {
    "train.steps": "145800",
    "train.log_every": "2700",
    "train.evaluate_every": "16200",
    "train.checkpoint_every": "16200",
}
K50, K5 = {"model.samples": "50"}, {"model.samples": "5"}
GROUPS = {"model.samples": "8", "model.groups": "8"}
TWO, CONDITIONAL = {"model.layers": "2", "model.latent": "100"}, {"model.condition": "label"}


def _bound(folder: str, bound: str, changes: Mapping[str, str], data: Mapping[str, str] = EPOCHS_270) -> dict[str, Run]:
    settings = {**LONG, **data, "model.bound": bound, **changes}
    return {folder: Run("vae_mnist", settings, (NATS,))}


def _bounds() -> Experiment:
    at_5000, nbip = {"importance_samples": 5000}, "(nbip/IWAE, 100 latent dimensions)"
    vamp = {"model.prior": "vamp", "model.components": "500"}
    rainforth = "(Rainforth et al. 2018, 64 draws)"
    return Experiment(
        "Log-likelihood: bounds, layers, labels and priors on MNIST",
        "784-200-200-50 with tanh; with two layers 784-200-200-100 and 100-100-100-50. log p(x), or log p(x|y) of a "
        "conditional model, by importance sampling with k = 5000 on all 10,000 test images, at the checkpoint of the "
        "best validation loss. "
        "Dynamic binarisation, 270 epochs of 54,000 images by 100, a cosine from 2e-3: the published figures have ten "
        "times as many. VampPrior: fixed binarisation, 290 epochs of 50,000.",
        (Column("log p(x), nats", "log_likelihood", at_5000), Column("active units", "active_units")),
        (
            Row("VAE, k = 1", _bound("bound_elbo", "elbo", {}), "-86.76 (Burda et al. 2016)"),
            Row("IWAE, k = 50", _bound("bound_iwae_50", "iwae", K50), f"-84.78 (Burda et al. 2016); -84.59 {nbip}"),
            Row("DReG, k = 50", _bound("bound_dreg_50", "dreg", K50), f"-84.32 {nbip}"),
            Row("IWAE, k = 5", _bound("bound_iwae_5", "iwae", K5), f"-85.54 (Burda et al. 2016); -85.18 {nbip}"),
            Row("DReG, k = 5", _bound("bound_dreg_5", "dreg", K5), f"-84.90 {nbip}"),
            Row("two layers, k = 1", _bound("two_layers_1", "iwae", TWO), f"-85.33 (Burda et al. 2016); -84.83 {nbip}"),
            Row(
                "two layers, IWAE, k = 50",
                _bound("two_layers_50", "iwae", {**TWO, **K50}),
                f"-82.90 (Burda et al. 2016); -82.82 {nbip}",
            ),
            Row(
                "conditional, IWAE, k = 50", _bound("conditional_50", "iwae", {**CONDITIONAL, **K50}), f"-80.78 {nbip}"
            ),
            Row(
                "VampPrior, K = 500, fixed binarisation",
                _bound("vamp", "elbo", vamp, {**FIXED, **EPOCHS_270}),
                "-85.57 (Tomczak & Welling 2018)",
            ),
            Row("MIWAE, 8 x 8", _bound("bound_miwae", "miwae", GROUPS), f"-84.97 {rainforth}; -85.09 {nbip}"),
            Row("PIWAE, 8 x 8", _bound("bound_piwae", "piwae", GROUPS), f"-84.46 {rainforth}; -84.58 {nbip}"),
            Row(
                "CIWAE .05, k = 64",
                _bound("bound_ciwae", "ciwae", {"model.samples": "64"}),
                f"-84.57 {rainforth}; -84.74 {nbip}",
            ),
            Row(
                "two layers, IWAE, k = 5",
                _bound("two_layers_5", "iwae", {**TWO, **K5}),
                f"-83.89 (Burda et al. 2016); -83.48 {nbip}",
            ),
            Row("conditional, k = 1", _bound("conditional_1", "iwae", CONDITIONAL), f"-82.32 {nbip}"),
            Row("conditional, IWAE, k = 5", _bound("conditional_5", "iwae", {**CONDITIONAL, **K5}), f"-81.41 {nbip}"),
        ),
    )


AE = {
    "data.source": "tfds:mnist",
    "model.hidden": "(512,256)",
    "model.latent": "16",
    "train.steps": "20000",
    "train.batch_size": "128",
    "train.log_every": "500",
    "train.evaluate_every": "5000",
    "train.checkpoint_every": "5000",
}
SAMPLED = tuple(f"--metrics fidelity --sampler {name}" for name in ("reconstruction", "gaussian", "mixture:10"))
PENALTIES = ("0.0", "1e-5", "1e-4", "1e-3")


def _autoencoder(source: str, penalty: str) -> Run:
    settings = {**AE, "data.source": source, "model.likelihood": "gaussian", "hparams.lambda_w": penalty}
    return Run("ae_digits", settings, SAMPLED)


def _vae(source: str) -> Run:
    settings = {**AE, "data.source": source, "model.likelihood": "gaussian_shared"}
    return Run("vae_normal_digits", settings, (*SAMPLED, "--metrics fidelity --sampler prior"))


def _samplers() -> Experiment:
    """One column a sampler: the distance of each."""
    runs = {
        **{f"AE, lambda = {p}": {f"ae_mnist_{p}": _autoencoder("tfds:mnist", p)} for p in PENALTIES},
        "VAE, learned variance": {"vae_mnist_gaussian": _vae("tfds:mnist")},
    }
    published = {
        "AE, lambda = 0.0": "12.95 / 58.73 / 10.66",
        "AE, lambda = 1e-4": "RAE-L2: 10.53 / 22.22 / 8.69",
        "VAE, learned variance": "18.26 / not given / 17.66; prior 19.21",
    }
    names = ("reconstruction", "gaussian", "mixture:10")
    columns = tuple(Column(name, "frechet_distance", {"sampler": name}) for name in names)
    return Experiment(
        "Samplers: what an autoencoder draws from codes fitted afterwards",
        "Fréchet distance between 10,000 samples and the test images in the features of the frozen MNIST classifier; "
        "784-512-256-16, 20,000 steps of 128. Published: Ghosh et al. 2020, Inception FID (reconstruction / Gaussian / "
        "mixture of ten), comparable in order only. The VAE's own prior is in the next table but one.",
        columns,
        tuple(Row(label, runs[label], published.get(label, "")) for label in runs),
    )


def _sprites() -> Experiment:
    settings = {
        "data.source": "sprites32",
        "model.hidden": "(512,512)",
        "model.latent": "10",
        "train.steps": "8000",
        "train.batch_size": "128",
        "train.log_every": "500",
        "train.evaluate_every": "4000",
        "train.checkpoint_every": "4000",
    }

    def runs(beta: str) -> Mapping[str, Run]:
        return {
            f"sprites_beta{beta}_{seed}": Run(
                "vae_normal_digits",
                {**settings, "hparams.beta": beta, "seed": str(seed)},
                ("--metrics latent likelihood --importance-samples 100",),
            )
            for seed in range(2)
        }

    return Experiment(
        "Disentanglement against reconstruction: beta on sprites",
        "Sprites of 32x32 pixels over a full grid of five factors; 1024-512-512-10, 8,000 steps of 128, two seeds.",
        (
            Column("distortion, nats", "distortion"),
            Column("rate, nats", "rate"),
            Column("active units", "active_units"),
            Column("MIG", "mig"),
            Column("SAP", "sap"),
            Column("DCI disentanglement", "dci_disentanglement"),
            Column("beta-VAE score", "beta_vae_score"),
        ),
        tuple(Row(f"beta = {beta}", runs(beta)) for beta in ("1", "2", "4", "8", "16")),
    )


def _families(data: str, title: str) -> Experiment:
    source, features = f"tfds:{data}", f"classifier:{data}"
    prior = {"sampler": "prior", "features": features}
    mixture = {"sampler": "mixture:10", "features": features}
    short = "mnist" if data == "mnist" else "fashion"
    return Experiment(
        f"Three families under one evaluator: {title}",
        "10,000 samples against the 10,000 test images in the features of the frozen classifier; images as stored, a "
        "VAE's and an autoencoder's samples are decoder means. The last column: the mean distance to the nearest "
        "training image, pixel by pixel. The logit of the DCGAN's discriminator is a sum of scores of patches of 10x10 "
        "pixels, so it judges strokes rather than whole shapes. With dense layers 256 units behind the map see the "
        "whole image; its penalty comes every fourth step, and both rates fall along a cosine.",
        (
            Column("Fréchet", "frechet_distance"),
            Column("KID", "kernel_distance"),
            Column("precision", "precision"),
            Column("recall", "recall"),
            Column("density", "density"),
            Column("coverage", "coverage"),
            Column("nearest", "nearest_to_samples"),
        ),
        (
            *gans.rows(source, f"gan_{short}", prior),
            Row("VAE, prior", {f"vae_{short}_gaussian": _vae(source)}, protocol=prior),
            Row("VAE, mixture of ten", {f"vae_{short}_gaussian": _vae(source)}, protocol=mixture),
            Row(
                "AE, lambda = 1e-4, mixture of ten",
                {f"ae_{short}_1e-4": _autoencoder(source, "1e-4")},
                protocol=mixture,
            ),
            Row(
                "AE, its reconstructions",
                {f"ae_{short}_1e-4": _autoencoder(source, "1e-4")},
                protocol={"sampler": "reconstruction", "features": features},
            ),
        ),
    )


EXPERIMENTS = {
    "likelihood": _likelihood(),
    "bounds": _bounds(),
    "ring8": mixtures.points(
        "ring8", "GAN 1, 99.3 and VEEGAN 8, 52.9 (Srivastava et al. 2017); PacGAN2 7.9, 95.6 (Lin et al. 2018)"
    ),
    "grid25": mixtures.points(
        "grid25", "GAN 3.3, 0.5 and VEEGAN 24.6, 40 (Srivastava et al. 2017); PacGAN2 23.8, 91.3 (Lin et al. 2018)"
    ),
    "gan_losses_ring8": mixtures.losses_and_penalties(
        "ring8", "GAN 6.3, 98.2, 0.45; PacGAN2 7.9, 95.6, 0.07 (Lin et al. 2018)", ()
    ),
    "gan_losses_grid25": mixtures.losses_and_penalties(
        "grid25",
        "GAN 17.3, 94.8, 0.70; PacGAN2 23.8, 91.3, 0.13; PacGAN4 24.8, 93.6, 0.04 (Lin et al. 2018)",
        ("minimax", ("zero_centred",)),
    ),
    "gan_packing_grid25": mixtures.packing(),
    "stacked_mnist": gans.modes(),
    "samplers": _samplers(),
    "mnist": _families("mnist", "MNIST"),
    "fashion": _families("fashion_mnist", "Fashion-MNIST"),
    "autoencoders_mnist": codes.sampler_table("mnist", "MNIST"),
    "autoencoders_fashion": codes.sampler_table("fashion_mnist", "Fashion-MNIST"),
    "pixels": codes.pixels(),
    "sprites": _sprites(),
    "regularisers": regularisers.experiment(),
}
