"""pythae's own trainer and likelihood; imported where pythae is."""

import tempfile

import torch
import torch.nn.functional as F
from torch import nn

from benchmarks.cases import Case
from benchmarks.measures import IMPORTANCE_SAMPLES, Measure
from benchmarks.torch_contestants import Steps, images, mlp


def pythae(case: Case) -> Steps:
    """pythae's own trainer over its own VAE, an epoch of as many batches as a round has steps."""
    from pythae.data.datasets import BaseDataset
    from pythae.models import VAE, VAEConfig
    from pythae.models.base.base_utils import ModelOutput
    from pythae.models.nn import BaseDecoder, BaseEncoder
    from pythae.trainers import BaseTrainer, BaseTrainerConfig

    config = case.config()
    (width,), latent, batch = config.model.hidden, config.model.latent, config.train.batch_size

    class Encoder(BaseEncoder):
        def __init__(self):
            super().__init__()
            self.hidden, self.mean, self.log_var = (
                nn.Linear(784, width),
                nn.Linear(width, latent),
                nn.Linear(width, latent),
            )

        def forward(self, x):
            h = F.relu(self.hidden(x.flatten(1)))
            return ModelOutput(embedding=self.mean(h), log_covariance=self.log_var(h))

    class Decoder(BaseDecoder):
        def __init__(self):
            super().__init__()
            self.net = nn.Sequential(nn.Linear(latent, width), nn.ReLU(), nn.Linear(width, 784), nn.Sigmoid())

        def forward(self, z):
            return ModelOutput(reconstruction=self.net(z).reshape(-1, 1, 28, 28))

    settings = VAEConfig(input_dim=(1, 28, 28), latent_dim=latent, reconstruction_loss="bce")
    x = images(config)[: case.steps * batch]
    trainer = BaseTrainer(
        VAE(settings, encoder=Encoder(), decoder=Decoder()),
        train_dataset=BaseDataset(x, torch.zeros(len(x))),
        training_config=BaseTrainerConfig(
            output_dir=tempfile.mkdtemp(),
            num_epochs=1,
            per_device_train_batch_size=batch,
            learning_rate=config.hparams.learning_rate,
            optimizer_cls="Adam",
            no_cuda=True,
        ),
    )
    trainer.prepare_training()

    def steps(n: int) -> None:
        assert n == case.steps
        trainer.train_step(1)

    return steps


def pythae_nll(measure: Measure) -> Steps:
    """pythae's importance sampling over its own VAE, an image at a time, a hundred samples at a time as by default."""
    from pythae.models import VAE, VAEConfig
    from pythae.models.base.base_utils import ModelOutput
    from pythae.models.nn import BaseDecoder, BaseEncoder

    class Encoder(BaseEncoder):
        def __init__(self):
            super().__init__()
            self.net = nn.Sequential(mlp([784, 200, 200], nn.Tanh), nn.Tanh())
            self.mean, self.log_var = nn.Linear(200, 50), nn.Linear(200, 50)

        def forward(self, x):
            h = self.net(x.flatten(1))
            return ModelOutput(embedding=self.mean(h), log_covariance=self.log_var(h))

    class Decoder(BaseDecoder):
        def __init__(self):
            super().__init__()
            self.net = nn.Sequential(mlp([50, 200, 200, 784], nn.Tanh), nn.Sigmoid())

        def forward(self, z):
            return ModelOutput(reconstruction=self.net(z).reshape(-1, 1, 28, 28))

    settings = VAEConfig(input_dim=(1, 28, 28), latent_dim=50, reconstruction_loss="bce")
    model = VAE(settings, encoder=Encoder(), decoder=Decoder())
    x = torch.bernoulli(torch.full((measure.steps, 1, 28, 28), 0.5))

    def steps(n: int) -> None:
        with torch.no_grad():
            model.get_nll(x[:n], n_samples=IMPORTANCE_SAMPLES)

    return steps
