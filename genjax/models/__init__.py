"""The table of model families. A new family is a file beside these and a line here.

>>> sorted(FAMILIES)
['autoencoder', 'autoregressive', 'gan', 'vae']
"""

from genjax.models import autoencoder, autoregressive, gan, vae
from genjax.types import Family

FAMILIES: dict[str, Family] = {
    "autoencoder": autoencoder.FAMILY,
    "vae": vae.FAMILY,
    "gan": gan.FAMILY,
    "autoregressive": autoregressive.FAMILY,
}
"""The families by the names that `model.family` takes, `{name: Family}`."""
