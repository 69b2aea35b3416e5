"""Pictures from arrays: of one run's samples, codes and learning curves, and of a sweep's axes and trials."""

from genjax.plots.curves import curves
from genjax.plots.figure import encode_png, to_uint8
from genjax.plots.images import image_grid, latent_grid, pairs, samples, thumbnail, traversal
from genjax.plots.scatters import latent_plane, points
from genjax.plots.sweep_effects import axis_effects, ranked_curves, sample_rows
from genjax.plots.sweep_maps import heat, parallel_coordinates
from genjax.plots.sweep_scales import Results

__all__ = [
    "Results",
    "axis_effects",
    "curves",
    "encode_png",
    "heat",
    "image_grid",
    "latent_grid",
    "latent_plane",
    "pairs",
    "parallel_coordinates",
    "points",
    "ranked_curves",
    "sample_rows",
    "samples",
    "thumbnail",
    "to_uint8",
    "traversal",
]
