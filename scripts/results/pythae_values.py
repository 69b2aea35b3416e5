"""Values of pythae; imported where it is installed."""

import numpy as np
import torch
from pythae.models import IWAE, BetaTCVAE, BetaTCVAEConfig, DisentangledBetaVAE, DisentangledBetaVAEConfig, IWAEConfig


def total_correlation(z: np.ndarray, mean: np.ndarray, log_var: np.ndarray) -> float:
    """The mean total correlation by minibatch-stratified sampling, of a batch that is all of the data."""
    config = BetaTCVAEConfig(input_dim=(2,), latent_dim=2, alpha=0.0, beta=1.0, gamma=0.0, use_mss=True)
    nothing = torch.zeros(len(z), 2)
    gaussians = (torch.tensor(values, dtype=torch.float32) for values in (mean, log_var, z))
    return float(BetaTCVAE(config).loss_function(nothing, nothing, *gaussians, len(z))[2])


def iwae(weights: np.ndarray) -> float:
    """The bound of given weights: its squared error is -log w where q(z|x) and p(z) are the same."""
    nothing = torch.zeros(1, len(weights), 1)
    decoded = torch.tensor(np.sqrt(-2 * np.log(weights)), dtype=torch.float32).reshape(1, -1, 1)
    model = IWAE(IWAEConfig(input_dim=(1,), latent_dim=1, number_samples=len(weights)))
    return -float(model.loss_function(decoded, torch.zeros(1, 1), nothing, nothing, nothing)[0])


def capacity_penalty(kl: np.ndarray, capacity: float) -> float:
    """The penalty of posteriors with unit variances and given divergences, after the capacity has grown."""
    config = DisentangledBetaVAEConfig(input_dim=(1,), latent_dim=1, beta=1.0, C=capacity, warmup_epoch=1)
    mean, nothing = torch.tensor(np.sqrt(2 * kl), dtype=torch.float32)[:, None], torch.zeros(len(kl), 1)
    return float(DisentangledBetaVAE(config).loss_function(nothing, nothing, mean, nothing, mean, epoch=10)[0])
