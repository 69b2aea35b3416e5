"""Sweeps that are planned, and not run."""

from pathlib import Path

from genjax.sweeps import default, plan, settings, values

CONFIGS = Path(__file__).parents[1] / "configs"
BETA, RATE, LATENT, HIDDEN = "hparams.beta", "hparams.learning_rate", "model.latent", "model.hidden"
BETAS, RATES = values(BETA, 0.5, 1.0), values(RATE, 1e-3, 1e-2)
RANDOM, SOBOL = {"strategy": "random", "points": 4}, {"strategy": "sobol", "points": 4}


def sweep(*swept, base="vae_digits", **changes):
    """A sweep whose settings are changed: `population__every` is `population.every`."""
    made = default(CONFIGS / f"{base}.py")
    made.axes = swept
    made.update_from_flattened_dict({name.replace("__", "."): value for name, value in changes.items()})
    return made


def planned(made):
    settings.check(made)
    return plan.make_trials(made, plan.make_points(made))
