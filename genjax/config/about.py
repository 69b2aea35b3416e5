"""A line about each setting of a configuration, as `genjax train --config NAME --help` prints them."""

from ml_collections import ConfigDict

from genjax.config.defaults import active, active_objectives, flatten
from genjax.models import FAMILIES
from genjax.training import optimisers
from genjax.training.schedules import LEARNING_RATES, WEIGHTS

ABOUT = {
    "seed": "of everything that is random in the run",
    "data.source": "where the data come from, with options after a `#`; `genjax data` lists the sources",
    "data.dynamic_binarisation": "draw pixels anew, as Bernoulli variables, each time they are seen",
    "data.resident_bytes": "a training split larger than this stays on the host and is sent chunk by chunk",
    "train.batch_size": "examples of a batch",
    "train.steps": "how many there are",
    "train.log_every": "steps of a compiled chunk, and of a row of the log",
    "train.evaluate_every": "steps between evaluations of the validation split; a multiple of log_every",
    "train.checkpoint_every": "steps between checkpoints; a multiple of log_every",
    "train.evaluate_batch_size": "examples that are evaluated at a time",
    "train.devices": "how many devices a batch is split over; 0 for all",
    "train.deterministic": "ask a GPU's compiler for operations that give the same bits each time",
    "train.matmul_precision": "of products on an accelerator: default, high or highest",
    "train.gradient_norms": "log the norm of each objective's gradient",
    "train.trackers": "a set of tensorboard, wandb, mlflow, where numbers and pictures go beside metrics.jsonl",
    "train.init_from": "the folder of a run or an export whose parameters training starts from; empty: they are drawn",
    "train.init_parts": "the parts of the parameters that are taken from it, such as encoder; all if none is named",
    "train.patience": "evaluations without a better monitored metric, after which the run, or a trial of a sweep, stops"
    " (0: never)",
    "train.least_steps": "steps before which it does not stop early",
    "train.smallest_change": "of the monitored metric that counts as better",
    "optim.optimiser": f"one of {', '.join(optimisers.OPTIMISERS)}",
    "optim.schedule": f"of the learning rate: one of {', '.join(LEARNING_RATES)}",
    "optim.clip": "whether gradients are clipped to clip_norm",
    "hparams.learning_rate": "of the optimiser, before its schedule",
    "hparams.b1": "decay of Adam's first moment",
    "hparams.b2": "decay of Adam's second moment",
    "hparams.eps": "added to the denominator of Adam, and to the second moment within the root of RMSprop",
    "hparams.momentum": "of SGD",
    "hparams.decay": "of RMSprop's second moment",
    "hparams.weight_decay": "of AdamW, on kernels alone",
    "hparams.clip_norm": "the largest norm of a gradient",
    "hparams.warmup": "share of the run in which the learning rate rises",
    "hparams.final_factor": "the learning rate at the end over that of the settings",
    "hparams.start": "factor of the schedule at the beginning",
    "hparams.cycles": "how often the schedule begins again",
    "hparams.duration": "share of the run that the schedule takes",
}


def describe(config: ConfigDict) -> dict[str, tuple[str, str]]:
    """The settings that act, `{name: (value, a line)}`.

    Example:
      >>> from genjax.config import default
      >>> describe(default("vae"))["model.latent"]
      ('20', 'dimensions of z')
    """
    kind = FAMILIES[config.model.family]
    idle = {f"model.{name}" for name in kind.unused_settings(config.model)} | {"model.family"}
    idle |= {f"hparams.{name}" for name in config.hparams.keys() - active(config).keys()}
    idle |= {f"optim.{name}" for name in set(config.optim) - set(active_objectives(config))}
    described = {}
    for name, value in flatten({**config.to_dict(), "hparams": {**config.hparams, **active(config)}}).items():
        if name not in idle and name.rpartition(".")[0] not in idle:
            described[name] = (str(value), _line(name, config))
    return described


def _line(name: str, config: ConfigDict) -> str:
    """A sentence about a setting, by its full name."""
    group, _, rest = name.partition(".")
    about = FAMILIES[config.model.family].about
    if group in ("model", "hparams") and rest in about:
        return about[rest]
    if group == "optim":
        objective, _, setting = rest.partition(".")
        return f"{ABOUT[f'optim.{setting}']} (objective {objective})"
    if group == "schedules":
        return f"schedule of {rest}: one of {', '.join(WEIGHTS)}"
    if name in ABOUT:
        return ABOUT[name]
    return _own_line(rest, config)


def _own_line(name: str, config: ConfigDict) -> str:
    """A sentence about a hyperparameter of one objective, or about a number of a schedule."""
    for owner in (*config.optim, *config.schedules):
        knob = name.removeprefix(f"{owner}_")
        if knob != name and f"hparams.{knob}" in ABOUT:
            return f"{ABOUT[f'hparams.{knob}']} ({owner})"
    return "of a plugin"
