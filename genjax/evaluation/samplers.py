"""Sampling after training: codes from the prior, or from what is fitted to the training codes (Ghosh et al. 2020).

An autoencoder defines no distribution. A Gaussian or a mixture of Gaussians that is fitted to its codes gives it one,
kept in the run's folder, under `samplers/`, for the checkpoint that it was fitted to. So does another run that models
its discrete codes (van den Oord et al. 2017).
"""

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from genjax.data.source import parse
from genjax.evaluation.examples import batch_of, chosen_examples, codes, finite, key_of, row_keys, split_of
from genjax.evaluation.options import Options
from genjax.evaluation.rows import over_rows
from genjax.rng import stream
from genjax.runs.load import CODES, LoadedRun, load_run
from genjax.system.files import read_arrays, write_atomically
from genjax.training.precision import at_precision
from genjax.training.step import prepare
from genjax.types import Array, Batch, InputError, Key, Params

FITTED_ON = 20_000  # training codes at most
AT_ONCE = 50  # samples of one key
RUN = "run:"  # the sampler that is another run, of this one's discrete codes
BLOCK = 10  # keys at a time on each device


class Mixture(NamedTuple):
    """Gaussians over codes: `weights: [M]`, `means: [M, latent]`, covariances L L^T with L in `factors`."""

    weights: np.ndarray
    means: np.ndarray
    factors: np.ndarray


def default(subject: LoadedRun) -> str:
    """The prior where the model has one, else a mixture of ten, as of Ghosh et al."""
    return "prior" if subject.model.sample is not None else "mixture:10"


def file_name(sampler: str) -> str:
    """A sampler as a part of a file's name: `mixture-10`, and of a run's folder its last part, `run-prior`."""
    kind, _, detail = sampler.partition(":")
    return f"{kind}-{Path(detail).name}" if detail else kind


def samples(subject: LoadedRun, options: Options, n: int, use: str) -> np.ndarray:
    """`[n, *shape]`: images as means of p(x|z), in [0, 1]; points as draws from the prior's, means at fitted codes.

    Args:
      subject: the model.
      options: `sampler` and `seed` are read.
      n: how many.
      use: what they are for; another use draws others.

    Raises:
      InputError: the model has no such sampler.
    """
    if options.sampler == "reconstruction":
        return _reconstructions(subject, options, n)
    draw, shared = draw_function(subject, options, fit_or_read)
    keys = np.arange(-(-n // AT_ONCE))
    root = key_of(options, f"samples for {use}")

    def draw_block(numbers: Array, shared: Any) -> Array:
        return jax.vmap(lambda key: draw(shared, key))(row_keys(root, numbers))  # [b, AT_ONCE, *shape]

    values = over_rows(draw_block, BLOCK)(keys, shared)
    values = values.reshape(-1, *subject.spec.shape)[:n]
    return _clip_images(subject, values)


def _clip_images(subject: LoadedRun, values: np.ndarray) -> np.ndarray:
    """Samples as they are compared and drawn: finite, and of images within [0, 1]."""
    values = finite(subject, "samples", values)
    return np.clip(values, 0, 1) if subject.spec.bounded else values


def draw_function(
    subject: LoadedRun, options: Options, fit_mixture: Callable[[LoadedRun, Options], Mixture]
) -> tuple[Callable[[Any, Key], Array], Any]:
    """A pure `(shared, key) -> [AT_ONCE, *shape]`, and the shared arrays, of which every device has all.

    Args:
      subject: the model.
      options: `sampler` and `seed` are read; the sampler is no `reconstruction`.
      fit_mixture: gives the mixture of a sampler that is fitted: `fit_or_read`, or `fit_to_codes`, which keeps no file.

    Raises:
      InputError: the model has no such sampler.
    """
    model = subject.model
    if options.sampler == "prior":
        if model.sample is None:
            raise InputError("an autoencoder has no prior to sample from: use the sampler 'gaussian' or 'mixture:10'")
        sample = model.sample
        return lambda params, key: sample(params, key, AT_ONCE), subject.params
    if options.sampler.startswith(RUN):
        return _draw_codes_of_run(subject, Path(options.sampler.removeprefix(RUN)))
    decode = model.decode
    if decode is None:
        raise InputError(f"the sampler {options.sampler!r} draws codes, and the model has no decoder of codes")
    mixture = fit_mixture(subject, options)
    return lambda shared, key: decode(shared[0], draw_codes(shared[1], key, AT_ONCE)), (subject.params, mixture)


def _draw_codes_of_run(subject: LoadedRun, workdir: Path) -> tuple[Callable[[Any, Key], Array], Any]:
    """Draws maps of discrete codes from a model of them, the run in another folder, and decodes them."""
    discrete = subject.model.discrete
    if discrete is None:
        raise InputError(f"the sampler '{RUN}{workdir}' draws discrete codes, and the model has none")
    prior = load_run(workdir)
    source = prior.config.data.source
    if not source.startswith(CODES) or Path(parse(source).location).resolve() != subject.workdir.resolve():
        raise InputError(f"{workdir} models {source}, and not the codes of {subject.workdir}")
    sample = prior.model.sample
    if sample is None:
        raise InputError(f"the model of {workdir} has nothing to sample from")

    def draw(shared: Any, key: Key) -> Array:
        x = sample(shared[1], key, AT_ONCE)  # in [0, 1]
        numbers = jnp.round(x * (discrete.size - 1)).astype(jnp.int32)
        return discrete.decode(shared[0], numbers.reshape(AT_ONCE, *discrete.grid))

    return draw, (subject.params, prior.params)


def draw_codes(mixture: Mixture, rng: Key, n: int) -> Array:
    """z = m_c + L_c eps with c from the weights and eps ~ N(0, I), `[n, latent]`."""
    component_key, noise_key = jax.random.split(rng)
    c = jax.random.categorical(component_key, jnp.log(mixture.weights), shape=(n,))
    eps = jax.random.normal(noise_key, (n, mixture.means.shape[1]))
    return mixture.means[c] + jnp.einsum("nij,nj->ni", mixture.factors[c], eps)


def fit_or_read(subject: LoadedRun, options: Options) -> Mixture:
    """The sampler of this checkpoint's training codes: from its file, or fitted now and saved."""
    path = subject.workdir / "samplers" / _file_name(subject, options)
    if path.is_file():
        return _read(path, subject)
    mixture = fit_to_codes(subject, options)
    path.parent.mkdir(exist_ok=True)
    np.savez(buffer := io.BytesIO(), weights=mixture.weights, means=mixture.means, factors=mixture.factors)
    write_atomically(path, buffer.getvalue())
    return mixture


def fit_to_codes(subject: LoadedRun, options: Options) -> Mixture:
    """The sampler, fitted to this checkpoint's training codes."""
    return fit(_training_codes(subject, options), options.sampler, options.seed)


def _file_name(subject: LoadedRun, options: Options) -> str:
    return f"{file_name(options.sampler)}-step-{subject.step}-seed-{options.seed}.npz"


def fit(z: np.ndarray, name: str, seed: int) -> Mixture:
    """A Gaussian (a mixture of one), or a mixture by scikit-learn's EM, to codes `[n, latent]`.

    Raises:
      InputError: too few codes for so many components.
    """
    from sklearn.mixture import GaussianMixture

    count = int(name.partition(":")[2] or 1)
    if len(z) < max(2, count):
        raise InputError(f"{name}: {len(z)} codes are too few for it")
    exact = z.astype(np.float64)
    # A code dimension that never varies would make a covariance singular: a share of the codes' own scale is added.
    ridge = 1e-6 * max(float(exact.var()), 1e-12)
    try:
        model = GaussianMixture(count, reg_covar=ridge, random_state=seed, max_iter=300, tol=1e-3).fit(exact)
        factors = np.linalg.cholesky(model.covariances_)
    except ValueError as error:  # of linear algebra as well
        raise InputError(f"{name} cannot be fitted to the codes: {' '.join(str(error).split())}") from error
    return Mixture(*(np.asarray(part, np.float32) for part in (model.weights_, model.means_, factors)))


def _training_codes(subject: LoadedRun, options: Options) -> np.ndarray:
    """Codes of training examples: draws from q(z|x) where there is one, since the decoder was trained on those."""
    model = subject.model
    if model.encode is None:
        raise InputError(f"the sampler {options.sampler!r} is fitted to codes, and a model without an encoder has none")
    examples = batch_of(subject, chosen_examples(subject.dataset.train, FITTED_ON))
    infer = model.infer
    if infer is None:
        return codes(subject, examples, options)
    root = key_of(options, "aggregate posterior")

    def draw(rows: tuple[Batch, Array], params: Params) -> Array:
        def draw_row(key: Key, stored: Batch) -> Array:
            prepared = prepare(subject.spec, stream(key, "binarise"), stored)
            return infer(params, jax.tree.map(lambda leaf: leaf[None], prepared), stream(key, "noise"))[0]

        return jax.vmap(draw_row)(row_keys(root, rows[1]), rows[0])

    draw = at_precision(draw, "highest")  # a sampler is fitted to these codes in double precision
    return finite(subject, "codes", over_rows(draw, 250)((examples, np.arange(len(examples.x))), subject.params))


def _reconstructions(subject: LoadedRun, options: Options, n: int) -> np.ndarray:
    """Reconstructions of at most n examples: the best that the decoder could do."""
    model = subject.model
    if model.reconstruct is None:
        raise InputError("the sampler 'reconstruction' needs a model that reconstructs")
    reconstruct = model.reconstruct
    examples = batch_of(subject, chosen_examples(split_of(subject, options), n))
    root = key_of(options, "reconstruction")

    def rebuild(rows: tuple[Batch, Array], params: Params) -> Array:
        def rebuild_row(key: Key, stored: Batch) -> Array:
            prepared = prepare(subject.spec, stream(key, "binarise"), stored)
            return reconstruct(params, jax.tree.map(lambda leaf: leaf[None], prepared), stream(key, "noise"))[0]

        return jax.vmap(rebuild_row)(row_keys(root, rows[1]), rows[0])

    return _clip_images(subject, over_rows(rebuild, 250)((examples, np.arange(len(examples.x))), subject.params))


def _read(path: Path, subject: LoadedRun) -> Mixture:
    try:
        arrays = read_arrays(path)
        mixture = Mixture(arrays["weights"], arrays["means"], arrays["factors"])
    except (InputError, KeyError) as error:
        raise InputError(f"{path} cannot be read; delete it, and it is fitted again") from error
    (components, latent), weights = np.shape(mixture.means), np.asarray(mixture.weights)
    if latent != subject.model.latent or mixture.factors.shape != (components, latent, latent):
        raise InputError(f"{path} is of another model; delete it, and it is fitted again")
    if weights.shape != (components,) or not (weights >= 0).all() or not _are_finite(mixture):
        raise InputError(f"{path} holds no mixture; delete it, and it is fitted again")
    return mixture


def _are_finite(mixture: Mixture) -> bool:
    return all(np.issubdtype(part.dtype, np.floating) and np.isfinite(part).all() for part in mixture)
