"""Which pictures a run draws, and that they show what they say."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from cases import SHAPE, build, images, slow, small_config
from present import present

from genjax import config as configs
from genjax import data, plots
from genjax.rng import evenly_spaced
from genjax.runs import pictures
from genjax.training.scan import make_train
from genjax.training.step import averaged_params
from genjax.types import Batch

RNG = jax.random.key(0)
ROWS = [{"step": s, "train/loss": 1.0 / s, "validation/loss": 2.0 / s} for s in (1, 2, 3)]


def dataset():
    labels = np.arange(len(images())) % 3
    split = data.Split(images(), labels.astype(np.int32))
    return data.Dataset("noise", split, split, split, SHAPE, True, 1 / 255, ("a", "b", "c"))


def untrained(family, **changes):
    """A model and its first parameters."""
    c = build(small_config(family, {name.replace("__", "."): value for name, value in changes.items()}))
    state = c.functions.init(c.hparams, RNG)
    return c.functions.model(c.hparams, jnp.int32(0)), averaged_params(state)


@pytest.mark.parametrize(
    ("family", "latent", "expected"),
    [
        slow("vae", 3, {"curves", "samples", "reconstructions", "traversal"}),
        ("vae", 2, {"curves", "samples", "reconstructions", "latent_plane", "latent_grid"}),
        ("autoencoder", 3, {"curves", "reconstructions", "traversal"}),
        slow("gan", 3, {"curves", "samples", "traversal"}),
    ],
)
def test_pictures_of_images(tmp_path, family, latent, expected):
    model, params = untrained(family, model__latent=latent)
    digits = dataset()
    trained = pictures.TrainedModel(model, params, data.describe(digits), RNG)
    pictures.draw(tmp_path, trained, digits, Batch(digits.validation.x), ROWS)
    assert {path.stem for path in tmp_path.iterdir()} == expected
    assert all(0 < path.stat().st_size < 300_000 for path in tmp_path.iterdir())


def test_pictures_of_points(tmp_path):
    ring = data.load("ring8")
    settings = configs.default("gan")
    functions = make_train(settings, data.describe(ring))
    hparams = configs.active(settings)
    state = functions.init(hparams, RNG)
    model = functions.model(hparams, state.step)
    trained = pictures.TrainedModel(model, averaged_params(state), data.describe(ring), RNG)
    pictures.draw(tmp_path, trained, ring, Batch(ring.validation.x), ROWS)
    assert {path.stem for path in tmp_path.iterdir()} == {"curves", "points"}


def test_snapshots_show_inputs_over_their_reconstructions():
    model, params = untrained("autoencoder")
    spec = data.describe(dataset())
    grids = pictures.snapshots(pictures.TrainedModel(model, params, spec, RNG), Batch(images()))
    assert set(grids) == {"reconstructions"}
    tile = grids["reconstructions"][: SHAPE[0], : SHAPE[1]]
    np.testing.assert_array_equal(tile, images()[0])
    below = grids["reconstructions"][SHAPE[0] + 1 : 2 * SHAPE[0] + 1, : SHAPE[1]]
    example = Batch(jnp.asarray(images()[:1] / np.float32(255)))
    np.testing.assert_array_equal(
        below, plots.to_uint8(np.asarray(present(model.reconstruct)(params, example, RNG)[0]))
    )


def test_shown_examples_come_from_all_over_a_sorted_split():
    assert list(evenly_spaced(4, 100)) == [0, 25, 50, 75]
    assert list(evenly_spaced(12, 5)) == [0, 1, 2, 3, 4]
