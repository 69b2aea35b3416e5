"""The evaluator on small trained runs: every family, every group of metrics, and what it refuses."""

import io
import json
import shutil
import signal
from functools import cached_property
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from cases import SMALL, slow
from command import environment, start
from present import present

from genjax import config, data
from genjax.commands import arguments as command_arguments
from genjax.commands import evaluate as evaluate_command
from genjax.evaluation import evaluate as evaluator
from genjax.evaluation import samplers
from genjax.evaluation.options import Options, check
from genjax.evaluation.results import Result, averaged, merged, table
from genjax.runs import loop
from genjax.types import InputError

FAST = Options(importance_samples=20, samples=100)


def factors_file(folder: Path) -> Path:
    """Binary 8x8 images of a bar: its row and its column are the factors, each eight times."""
    grid = np.stack(np.meshgrid(np.arange(8), np.arange(8), np.arange(8), indexing="ij"), -1).reshape(-1, 3)
    x = np.zeros((len(grid), 8, 8), np.uint8)
    x[np.arange(len(grid)), grid[:, 0]] = 1
    x[np.arange(len(grid)), :, grid[:, 1]] = 1
    np.savez(folder / "bars.npz", x=x, y=grid[:, :2])
    return folder / "bars.npz"


def trained(folder: Path, family: str, **changes) -> Path:
    """The workdir of a short run."""
    chosen = config.default(family)
    with chosen.unlocked():
        chosen.update_from_flattened_dict(SMALL[family])
        short = {"train.steps": 20, "train.log_every": 10, "train.evaluate_every": 10, "train.checkpoint_every": 10}
        chosen.update_from_flattened_dict({**short, "train.devices": 1, **changes})
    assert loop.train(chosen, folder, io.StringIO()) == loop.FINISHED
    return folder


class Runs:
    """A run of each family, and one on data with factors; each is trained when it is asked for."""

    def __init__(self, root: Path):
        self.root = root

    @cached_property
    def vae(self):
        return trained(self.root / "vae", "vae")

    @cached_property
    def autoencoder(self):
        return trained(self.root / "autoencoder", "autoencoder")

    @cached_property
    def gan(self):
        return trained(self.root / "gan", "gan", **{"data.source": "ring8"})

    @cached_property
    def factors(self):
        return trained(self.root / "factors", "vae", **{"data.source": f"npz:{factors_file(self.root)}"})


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    return Runs(tmp_path_factory.mktemp("runs"))


@pytest.fixture
def silent():
    return io.StringIO()


def unevaluated(workdir: Path, folder: Path) -> Path:
    """A copy of a run without what other tests have measured."""
    copy = shutil.copytree(workdir, folder / workdir.name)
    trained_figures = json.loads((copy / "evaluation.json").read_text())
    trained_figures.pop("results", None)
    (copy / "evaluation.json").write_text(json.dumps(trained_figures))
    return copy


def by_name(groups):
    return {result.metric: result for results in groups.values() for result in results}


LIKELIHOOD = {"log_likelihood", "bits_per_dimension", "elbo", "rate", "distortion", "active_units"}
PRDC = {"precision", "recall", "density", "coverage"}
NEAREST = {"nearest_to_samples", "nearest_to_examples"}
FIDELITY = {"frechet_distance", "kernel_distance", "sliced_wasserstein"} | PRDC | NEAREST
VOTES = {"beta_vae_score", "factor_vae_score"}
DISENTANGLEMENT = VOTES | {"mig", "sap", "dci_disentanglement", "dci_completeness", "dci_informativeness"}
OF_LABELS = {"linear_probe", "nearest_neighbour_accuracy", "recognised_samples", "recognised_examples"}
EXPECTED = {
    "vae": LIKELIHOOD | FIDELITY | OF_LABELS,
    "autoencoder": FIDELITY | OF_LABELS,
    "gan": FIDELITY | {"modes_found", "good_samples"},
    "factors": LIKELIHOOD | FIDELITY | DISENTANGLEMENT,
}


@pytest.mark.parametrize("name", ["vae", "gan", slow("autoencoder"), slow("factors")])
def test_every_metric_that_applies_is_measured(runs, silent, tmp_path, name):
    workdir = unevaluated(getattr(runs, name), tmp_path)
    before = json.loads((workdir / "evaluation.json").read_text())
    found = by_name(evaluator.evaluate(workdir, FAST, silent))
    assert found.keys() == EXPECTED[name]
    assert all(np.isfinite(result.value) for result in found.values())
    assert all({"seed", "step"} <= result.protocol.keys() for result in found.values())
    kept = json.loads((workdir / "evaluation.json").read_text())
    assert {result["metric"] for result in kept.pop("results")} == EXPECTED[name]
    assert kept == before  # what training wrote stays


@pytest.mark.slow
def test_the_same_numbers_again(runs, silent, tmp_path):
    vae = unevaluated(runs.vae, tmp_path)
    once, again = (evaluator.evaluate(vae, FAST, silent) for _ in range(2))
    assert once == again
    results = json.loads((vae / "evaluation.json").read_text())["results"]
    assert len(results) == len(EXPECTED["vae"])  # what is measured again takes the place of what was there
    other = evaluator.evaluate(vae, FAST._replace(seed=1), silent)
    assert by_name(other)["log_likelihood"].value != by_name(once)["log_likelihood"].value
    assert len(json.loads((vae / "evaluation.json").read_text())["results"]) == 2 * len(EXPECTED["vae"])


def test_the_bound_and_its_parts_belong_together(runs, silent):
    found = by_name(evaluator.evaluate(runs.vae, FAST._replace(metrics=("likelihood",)), silent))
    assert found["log_likelihood"].value >= found["elbo"].value
    assert -found["elbo"].value == pytest.approx(found["rate"].value + found["distortion"].value)
    bits = -found["log_likelihood"].value / np.log(2) / 64
    assert found["bits_per_dimension"].value == pytest.approx(bits)
    assert len(found["active_units"].details["kl_per_dimension"]) == SMALL["vae"]["model.latent"]
    assert sum(found["active_units"].details["kl_per_dimension"]) == pytest.approx(found["rate"].value, rel=1e-5)
    assert found["log_likelihood"].unit == "nats (cross-entropy)"  # grey digits under a Bernoulli decoder


@pytest.mark.slow
def test_binary_images_have_a_likelihood(runs, silent):
    found = by_name(evaluator.evaluate(runs.factors, FAST._replace(metrics=("likelihood",)), silent))
    assert found["log_likelihood"].unit == "nats"


@pytest.mark.slow
def test_bounds_are_measured_on_request(runs, silent):
    chosen = FAST._replace(metrics=("bounds",), annealing_steps=10, chains=2)
    found = by_name(evaluator.evaluate(runs.vae, chosen, silent))
    assert found["simulated_lower_bound"].value < found["simulated_upper_bound"].value
    assert found["lower_bound"].protocol["split"] == "test"
    assert {result.unit for result in found.values()} == {"nats", "nats (cross-entropy)"}


@pytest.mark.slow
def test_bits_of_a_density_are_of_stored_values(tmp_path, silent):
    """A Gaussian decoder's density of x = s v is, as one of v, s times as great: -log2 s bits more for each pixel."""
    workdir = trained(tmp_path / "vae", "vae", **{"model.likelihood": "gaussian_shared"})
    found = by_name(evaluator.evaluate(workdir, FAST._replace(metrics=("likelihood",)), silent))
    expected = -found["log_likelihood"].value / np.log(2) / 64 - np.log2(data.load("digits").scale)
    assert found["bits_per_dimension"].value == pytest.approx(expected)


def test_the_log_likelihood_of_an_example_is_its_own(runs, silent, monkeypatch):
    """Each example has a key by its number: neither the blocks nor the devices that they fall to change its value."""
    from genjax.evaluation import likelihood

    chosen = FAST._replace(metrics=("likelihood",))
    once = by_name(evaluator.evaluate(runs.vae, chosen, silent))["log_likelihood"]
    monkeypatch.setattr(likelihood, "ROWS", {"cpu": 7})
    again = by_name(evaluator.evaluate(runs.vae, chosen, silent))["log_likelihood"]
    assert once.value == pytest.approx(again.value, rel=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize("sampler", ["mixture:3", "gaussian", "reconstruction"])
def test_an_autoencoder_draws_from_what_is_fitted(runs, silent, sampler):
    chosen = FAST._replace(metrics=("fidelity",), sampler=sampler)
    found = by_name(evaluator.evaluate(runs.autoencoder, chosen, silent))
    assert found["frechet_distance"].protocol["sampler"] == sampler
    name = sampler.replace(":", "-")
    assert (runs.autoencoder / f"samples-{name}.png").exists()
    saved = runs.autoencoder / "samplers" / f"{name}-step-20-seed-0.npz"
    assert saved.exists() == (sampler != "reconstruction")


def test_a_fitted_sampler_is_kept_and_verified(runs, silent):
    chosen = FAST._replace(metrics=("fidelity",), sampler="gaussian")
    once = by_name(evaluator.evaluate(runs.autoencoder, chosen, silent))["frechet_distance"]
    path = runs.autoencoder / "samplers" / "gaussian-step-20-seed-0.npz"
    with np.load(path) as arrays:
        changed = {**arrays, "means": arrays["means"] + 5}
    content = path.read_bytes()
    np.savez(path, **changed)
    assert by_name(evaluator.evaluate(runs.autoencoder, chosen, silent))["frechet_distance"].value > 2 * once.value
    path.write_bytes(content[:100])
    with pytest.raises(InputError, match="delete it, and it is fitted again"):
        evaluator.evaluate(runs.autoencoder, chosen, silent)
    path.write_bytes(content)


@pytest.mark.parametrize("name", ["gaussian", "mixture:3"])
def test_a_fitted_sampler_has_the_moments_of_the_codes(name):
    rng = np.random.default_rng(0)
    z = (rng.normal(size=(4000, 3)) @ rng.normal(size=(3, 3)) + [5, 0, -2]).astype(np.float32)
    z[:2000, 0] += 20
    mixture = samplers.fit(z, name, seed=0)
    drawn = np.asarray(samplers.draw_codes(mixture, jax.random.key(0), 20_000))
    np.testing.assert_allclose(drawn.mean(0), z.mean(0), atol=0.3)
    np.testing.assert_allclose(np.cov(drawn.T), np.cov(z.T), rtol=0.1, atol=0.3)
    in_the_gap = np.mean(np.abs(drawn[:, 0] - z[:, 0].mean()) < 3)
    assert in_the_gap > 0.05 if name == "gaussian" else in_the_gap < 0.05


def test_a_code_that_never_varies_can_be_fitted():
    z = np.random.default_rng(0).normal(size=(100, 3)).astype(np.float32)
    z[:, 1] = 4.0
    drawn = samplers.draw_codes(samplers.fit(z, "gaussian", 0), jax.random.key(0), 100)
    np.testing.assert_allclose(drawn[:, 1], 4.0, atol=0.05)
    with pytest.raises(InputError, match="5 codes are too few"):
        samplers.fit(z[:5], "mixture:6", 0)


SAMPLES = {"metrics": ("fidelity",)}
REFUSED = {
    "likelihood of a GAN": ("gan", {"metrics": ("likelihood",)}, "needs a model with a likelihood"),
    "bounds of a GAN": ("gan", {"metrics": ("bounds",)}, "needs a model that simulates examples"),
    "modes of digits": ("vae", {"metrics": ("modes",)}, "needs data whose modes are known"),
    "latent of a GAN": ("gan", {"metrics": ("latent",)}, "needs a model with an encoder"),
    "prior of an autoencoder": (
        "autoencoder",
        {"metrics": ("fidelity",), "sampler": "prior"},
        "has no prior to sample from",
    ),
    "fitted codes of a GAN": (
        "gan",
        {"metrics": ("modes",), "sampler": "gaussian"},
        "a model without an encoder has none",
    ),
    "reconstructions of a GAN": (
        "gan",
        {"metrics": ("modes",), "sampler": "reconstruction"},
        "needs a model that reconstructs",
    ),
    "codes of what was trained on": ("vae", {"metrics": ("latent",), "split": "train"}, "measure it on test"),
    "too few samples": ("vae", {"metrics": ("fidelity",), "samples": 5}, "5 samples are too few"),
    "unknown features": ("vae", {"metrics": ("fidelity",), "features": ("pixel",)}, "the nearest is 'pixels'"),
    "unknown features, nothing asked for by name": ("vae", {"features": ("foo",)}, "no features 'foo'"),
    "no components": ("vae", {"features": ("pca:0",)}, "pca:0"),
    "a prior that is not there": ("autoencoder", {"sampler": "prior"}, "has no prior to sample from"),
    "more neighbours than samples": ("vae", {"neighbours": 99_999}, "99999 nearest neighbours need more"),
    "features of other images": ("vae", {"metrics": ("fidelity",), "features": ("classifier:mnist",)}, "28"),
}


@pytest.mark.parametrize(("name", "changes", "message"), REFUSED.values(), ids=REFUSED)
def test_what_cannot_be_measured_is_refused(runs, silent, name, changes, message):
    with pytest.raises(InputError, match=message) as error:
        evaluator.evaluate(getattr(runs, name), FAST._replace(**changes), silent)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"metrics": ("likelyhood",)}, "the nearest is 'likelihood'"),
        ({"checkpoint": "last"}, "no checkpoint 'last'"),
        ({"split": "tests"}, "the nearest is 'test'"),
        ({"sampler": "mixture"}, "no sampler 'mixture'"),
        ({"sampler": "mixture:0"}, "no sampler 'mixture:0'"),
        ({"sampler": "mixture:<components>"}, "no sampler"),
        ({"importance_samples": 0}, "--importance-samples must be at least 1"),
        ({"seed": -1}, "--seed=-1 must be at least 0"),
    ],
)
def test_options_are_checked_before_anything_is_read(changes, message):
    with pytest.raises(InputError, match=message):
        check(Options(**changes))


@pytest.mark.slow
def test_an_option_that_cannot_be_is_refused_where_its_group_was_not_asked_for(runs, silent):
    with pytest.raises(InputError, match="5 samples are too few"):
        evaluator.evaluate(runs.vae, FAST._replace(samples=5), silent)


@pytest.mark.slow
def test_a_training_split_has_no_distance_to_itself(runs, silent):
    found = evaluator.evaluate(runs.vae, FAST._replace(split="train"), silent)
    assert found.keys() == {"likelihood", "fidelity", "recognition"}
    assert "latent is left out: " in silent.getvalue()
    assert "nearest_to_examples" not in by_name(found)


def test_folders_that_are_no_runs(runs, tmp_path, silent):
    with pytest.raises(InputError, match="not the folder of a run"):
        evaluator.evaluate(tmp_path, FAST, silent)
    shutil.copy(runs.vae / "config.json", tmp_path / "config.json")
    with pytest.raises(InputError, match="no checkpoint"):
        evaluator.evaluate(tmp_path, FAST, silent)
    (tmp_path / "config.json").write_text('{"base.model.family": "vae"}')
    with pytest.raises(InputError, match="is a sweep"):
        evaluator.evaluate(tmp_path, FAST, silent)
    (tmp_path / "config.json").write_text("{")
    with pytest.raises(InputError, match=r"config\.json"):
        evaluator.evaluate(tmp_path, FAST, silent)


def test_the_best_checkpoint_is_the_best(runs, silent):
    """Of the validation losses that the log holds, the least; the newest is the last."""
    rows = [json.loads(line) for line in (runs.vae / "metrics.jsonl").read_text().splitlines()]
    losses = {row["step"]: row["validation/loss"] for row in rows if "validation/loss" in row}
    chosen = FAST._replace(metrics=("latent",))
    for which, step in (("best", min(losses, key=losses.__getitem__)), ("newest", max(losses))):
        found = by_name(evaluator.evaluate(runs.vae, chosen._replace(checkpoint=which), silent))
        assert found["linear_probe"].protocol["step"] == step


@pytest.mark.slow
def test_training_goes_on_beside_an_evaluation(runs, tmp_path, silent):
    """An evaluation leaves a finished run finished, and an unfinished one unfinished."""
    shutil.copytree(runs.vae, tmp_path / "vae")
    settings = config.load(tmp_path / "vae" / "config.json")
    assert loop.train(settings, tmp_path / "vae", silent) == loop.FINISHED
    (tmp_path / "vae" / "evaluation.json").unlink()
    evaluator.evaluate(tmp_path / "vae", FAST._replace(metrics=("latent",)), silent)
    assert loop.train(settings, tmp_path / "vae", silent) == loop.FINISHED
    written = json.loads((tmp_path / "vae" / "evaluation.json").read_text())
    assert written["step"] == 20
    assert {result["protocol"]["step"] for result in written["results"]} == {20}  # each result has its own step


def test_means_have_the_error_of_their_examples():
    values = np.array([1.0, 2.0, 3.0, 6.0])
    result = averaged("x", values, "nats", {"seed": 0})
    assert (result.value, result.error) == (3.0, pytest.approx(np.std(values, ddof=1) / 2))
    assert averaged("x", values[:1], "", {}).error is None


def test_results_are_told_apart_by_their_protocol():
    a, b = (
        Result("fd", value, None, "", {"seed": 0, "sampler": s}) for value, s in ((1.0, "prior"), (2.0, "gaussian"))
    )
    held = merged(merged([], [a, b]), [a._replace(value=3.0)])
    assert [each["value"] for each in held] == [3.0, 2.0]
    broken = merged([], [a._replace(value=float("nan"))])
    assert json.loads(json.dumps(broken, allow_nan=False))[0]["value"] == "nan"


def test_the_table_says_once_what_all_share():
    results = [Result("fd", 12.3456789, 0.5, "", {"seed": 0, "n": 1000}), Result("kl", 2.0, None, "nats", {"seed": 0})]
    assert table({"fidelity": results}) == (
        "fidelity: seed 0\n  fd  12.346  ± 0.5        n 1,000\n  kl       2         nats"
    )


@pytest.mark.slow
def test_the_command_prints_a_table_and_refuses_in_one_line(runs, tmp_path):
    env = environment()
    arguments = ["--workdir", str(runs.vae), "--metrics", "latent"]
    process = start(env, tmp_path, *arguments, script="evaluate.py")
    out, err = process.communicate(timeout=180)
    assert process.returncode == 0, err
    assert [line.split()[0] for line in out.splitlines()] == ["latent:", "linear_probe", "nearest_neighbour_accuracy"]
    assert "\r" not in err  # no bar into a pipe
    process = start(env, tmp_path, *arguments, "--split", "tset", script="evaluate.py")
    out, err = process.communicate(timeout=180)
    assert (process.returncode, out) == (2, "")
    assert err == "error: no split 'tset': the nearest is 'test'\n"


@pytest.mark.parametrize("arguments", [[], ["--workdir"], ["--workdir", "x", "--samples", "many"], ["--nonsense"]])
def test_wrong_arguments_are_one_line(arguments, capsys):
    assert evaluate_command.main(arguments) == command_arguments.BAD_INPUT
    assert capsys.readouterr().err.startswith("error: ")


@pytest.mark.slow
def test_ctrl_c_ends_it_quietly(runs, tmp_path):
    process = start(
        environment(),
        tmp_path,
        "--workdir",
        str(runs.vae),
        "--importance-samples",
        "100000",
        script="evaluate.py",
    )
    assert present(process.stderr).readline().startswith(str(runs.vae))
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == -signal.SIGINT
    assert "Traceback" not in err


def test_draws_of_rows_are_those_of_one_device(runs):
    """What rows are shared out over does not change them: the same function by hand."""
    from genjax.evaluation.rows import over_rows

    told = []
    doubled = over_rows(lambda rows, whole: rows * whole, 3, told.append)(np.arange(11.0), jnp.float32(2))
    np.testing.assert_array_equal(doubled, 2 * np.arange(11.0))
    assert sum(told) == 11


def test_a_terminal_gets_short_rows_under_what_they_share_and_a_file_one_line_each():
    shared = {"split": "test", "samples": 179, "features": "pca:64 (cccc635fca4a438b)"}
    found = [
        Result("precision", 0.5, 0.04, "", {**shared, "error": "over 179 examples, given the other set"}),
        Result("recall", 0.25, 0.03, "", {**shared, "error": "over 179 examples, given the other set"}),
        Result("distance", 3.0, None, "nats", shared),
    ]
    assert table({"fidelity": found}, 40).splitlines() == [
        "fidelity: split test, samples 179,",
        "  features pca:64 (cccc635fca4a438b)",
        "    distance      3          nats",
        "  error over 179 examples, given the",
        "    other set",
        "    precision   0.5  ± 0.04",
        "    recall     0.25  ± 0.03",
    ]
    assert len(table({"fidelity": found}).splitlines()) == 1 + len(found)
