"""The pictures of a sweep: what each axis does, how trials learned and ranked, what they draw."""

from genjax.sweep_plots.effects import axis_effects, ranked_curves, sample_rows
from genjax.sweep_plots.maps import heat, parallel_coordinates
from genjax.sweep_plots.points import Results

__all__ = ["Results", "axis_effects", "heat", "parallel_coordinates", "ranked_curves", "sample_rows"]
