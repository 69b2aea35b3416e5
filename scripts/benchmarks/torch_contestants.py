"""The same nets and losses in PyTorch; imported where PyTorch is."""

import itertools
import math
from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from ml_collections import ConfigDict
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from benchmarks.cases import Case, dataset, planned
from genjax import config as configs

Steps = Callable[[int], None]


class Player(NamedTuple):
    """What is trained, by which loss of a batch, and how fast."""

    parameters: list
    loss: Callable
    learning_rate: float
    b1: float


def mlp(widths: list[int], activation: Callable[[], nn.Module]) -> nn.Sequential:
    layers: list[nn.Module] = []
    for i, (a, b) in enumerate(itertools.pairwise(widths)):
        layers += [nn.Linear(a, b)] + ([activation()] if i < len(widths) - 2 else [])
    return nn.Sequential(*layers)


class Residual(nn.Module):
    """x + f(x), where f is two 3x3 convolutions."""

    def __init__(self, channels: int, activation: Callable[[], nn.Module]):
        super().__init__()
        first, second = (nn.Conv2d(channels, channels, 3, padding=1) for _ in range(2))
        self.inner = nn.Sequential(first, activation(), second)

    def forward(self, x):
        return x + self.inner(x)


def conv_encoder(channels: int, features: int, activation: Callable[[], nn.Module], deep: bool) -> nn.Sequential:
    layers: list[nn.Module] = []
    for a, b in ((1, channels), (channels, 2 * channels)):
        layers += [nn.Conv2d(a, b, 4, 2, 1), activation()] + ([Residual(b, activation)] if deep else [])
    return nn.Sequential(*layers, nn.Flatten(), nn.Linear(49 * 2 * channels, features))


def conv_decoder(channels: int, latent: int, activation: Callable[[], nn.Module], deep: bool) -> nn.Sequential:
    layers: list[nn.Module] = [nn.Linear(latent, 49 * 2 * channels), nn.Unflatten(1, (2 * channels, 7, 7))]
    for a, b in ((2 * channels, channels), (channels, 1)):
        layers += [activation()] + ([Residual(a, activation)] if deep else []) + [nn.ConvTranspose2d(a, b, 4, 2, 1)]
    return nn.Sequential(*layers)


def vae(config, shape: tuple[int, ...]) -> list[Player]:
    model, latent, pixels = config.model, config.model.latent, math.prod(shape)
    activation = {"relu": nn.ReLU, "tanh": nn.Tanh}[model.activation]
    if model.network != "mlp":
        deep = model.network == "resnet"
        encoder = conv_encoder(model.channels, 2 * latent, activation, deep)
        decoder = conv_decoder(model.channels, latent, activation, deep)
    else:
        encoder = nn.Sequential(nn.Flatten(), mlp([pixels, *model.hidden, 2 * latent], activation))
        decoder = nn.Sequential(mlp([latent, *model.hidden[::-1], pixels], activation), nn.Unflatten(1, shape))

    def loss(x):
        x = torch.bernoulli(x) if config.data.dynamic_binarisation else x
        mean, log_var = encoder(x).chunk(2, 1)
        logits = decoder(mean + torch.exp(0.5 * log_var) * torch.randn_like(mean))
        recon = F.binary_cross_entropy_with_logits(logits, x, reduction="sum") / len(x)
        kl = 0.5 * (mean.square() + log_var.exp() - 1 - log_var).sum() / len(x)
        return recon + kl

    return [Player([encoder, decoder], loss, config.hparams.learning_rate, config.hparams.b1)]


def one_layer(config) -> list[Player]:
    encoder, decoder = nn.Linear(64, config.model.latent), nn.Linear(config.model.latent, 64)

    def loss(x):
        x = x.flatten(1)
        error = F.binary_cross_entropy_with_logits(decoder(torch.sigmoid(encoder(x))), x, reduction="sum") / len(x)
        return error + config.hparams.lambda_w * (encoder.weight.square().sum() + decoder.weight.square().sum())

    return [Player([encoder, decoder], loss, config.hparams.learning_rate, config.hparams.b1)]


def gan(config) -> list[Player]:
    channels, latent, hparams = config.model.channels, config.model.latent, config.hparams
    generator = conv_decoder(channels, latent, lambda: nn.LeakyReLU(0.2), deep=False)
    discriminator = conv_encoder(channels, 1, lambda: nn.LeakyReLU(0.2), deep=False)

    def discriminator_logits(x):
        return discriminator(2 * x - 1)

    def critic(x):
        with torch.no_grad():
            fake = torch.sigmoid(generator(torch.randn(len(x), latent)))
        if not config.model.penalties:
            real, fake = discriminator_logits(torch.cat([x, fake])).chunk(2)
            return (F.softplus(-real) + F.softplus(fake)).mean()
        x = x.clone().requires_grad_()
        real, fake = discriminator_logits(x), discriminator_logits(fake)
        (slope,) = torch.autograd.grad(real.sum(), x, create_graph=True)
        r1 = 0.5 * slope.square().flatten(1).sum(1).mean()
        return (F.softplus(-real) + F.softplus(fake)).mean() + hparams.r1_weight * r1

    def forger(x):
        return F.softplus(-discriminator_logits(torch.sigmoid(generator(torch.randn(len(x), latent))))).mean()

    return [
        Player([discriminator], critic, hparams.discriminator_learning_rate, hparams.b1),
        Player([generator], forger, hparams.generator_learning_rate, hparams.b1),
    ]


def players(config, x: torch.Tensor) -> list[Player]:
    """Who is trained on the images `x`."""
    if config.model.family == "gan":
        return gan(config)
    if config.model.family == "autoencoder":
        return one_layer(config)
    return vae(config, tuple(x.shape[1:]))


def images(config) -> torch.Tensor:
    """All examples as one float tensor, `[n, 1, h, w]`."""
    data = dataset(config)
    return torch.from_numpy(data.train.x.astype(np.float32) * data.scale).permute(0, 3, 1, 2).contiguous()


def draw_batches(x: torch.Tensor, batch: int) -> Iterator[torch.Tensor]:
    """Batches by index from the one tensor: the fastest there is."""
    while True:
        yield x[torch.randint(0, len(x), (batch,))]


def load_batches(x: torch.Tensor, batch: int) -> Iterator[torch.Tensor]:
    loader = DataLoader(TensorDataset(x), batch, shuffle=True, drop_last=True)
    while True:
        for (examples,) in loader:
            yield examples


def run(config, batches: Iterator[torch.Tensor], competing: list[Player], fused: bool = False) -> Steps:
    modules = [module for player in competing for module in player.parameters]
    weights = [[w for module in player.parameters for w in module.parameters()] for player in competing]
    hparams = configs.active(config)
    optimisers = [
        torch.optim.Adam(parameters, player.learning_rate, (player.b1, hparams["b2"]), hparams["eps"], fused=fused)
        for parameters, player in zip(weights, competing, strict=True)
    ]

    def steps(n: int) -> None:
        for _ in range(n):
            x = next(batches)
            for player, optimiser in zip(competing, optimisers, strict=True):
                if len(competing) > 1:  # no gradient for whoever does not move
                    for module in modules:
                        module.requires_grad_(module in player.parameters)
                optimiser.zero_grad()
                player.loss(x).backward()
                optimiser.step()

    return steps


def in_a_row(case: Case, start: Callable[[ConfigDict], Steps]) -> Steps:
    """Every trial of a case, one after another."""
    started = [start(trial.config) for trial in planned(case)]

    def steps(n: int) -> None:
        for run_trial in started:
            run_trial(n)

    return steps


def torch_eager(case: Case) -> Steps:
    x = images(case.config())
    return in_a_row(case, lambda config: run(config, draw_batches(x, config.train.batch_size), players(config, x)))


def torch_loader(case: Case) -> Steps:
    config = case.config()
    x = images(config)
    return run(config, load_batches(x, config.train.batch_size), players(config, x))


def torch_tuned(case: Case) -> Steps:
    """Eager with Adam fused and convolutions in PyTorch's faster layout."""
    x = images(case.config()).contiguous(memory_format=torch.channels_last)

    def start(config) -> Steps:
        competing = players(config, x)
        for player in competing:
            for module in player.parameters:
                module.to(memory_format=torch.channels_last)
        return run(config, draw_batches(x, config.train.batch_size), competing, fused=True)

    return in_a_row(case, start)


def torch_compile(case: Case) -> Steps:
    config = case.config()
    x = images(config)
    compiled = [player._replace(loss=torch.compile(player.loss)) for player in players(config, x)]
    return run(config, draw_batches(x, config.train.batch_size), compiled)
