"""What a sweep tries: axes over the settings of a base configuration, and how they combine into trials."""

from genjax.sweeps.axes import Axis, choice, integers, log_uniform, together, uniform, values
from genjax.sweeps.settings import default

__all__ = ["Axis", "choice", "default", "integers", "log_uniform", "together", "uniform", "values"]
