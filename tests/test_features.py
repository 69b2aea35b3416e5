"""Feature maps: what they compute, what they refuse, and that the shipped classifiers are what their page says."""

import hashlib
import json
import os
import re
from pathlib import Path

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from command import environment, start
from flax.traverse_util import flatten_dict, unflatten_dict
from present import present
from safetensors.numpy import save
from sklearn.neighbors import KNeighborsClassifier

from genjax import data, features
from genjax.commands import train_features
from genjax.features import classifier, linear, training
from genjax.rng import stream
from genjax.types import InputError

RNG = np.random.default_rng(0)
IMAGES = RNG.uniform(size=(30, 28, 28, 1)).astype(np.float32)
SMALL = RNG.uniform(size=(40, 3, 2, 1)).astype(np.float32)
NAMES = sorted(classifier.assets())


def test_pixels_are_the_values():
    made = features.load("pixels", SMALL)
    assert (made.name, made.digest, made.size, made.classify) == ("pixels", "", 6, None)
    np.testing.assert_array_equal(made.extract(jnp.asarray(SMALL)), SMALL.reshape(40, 6))


def test_principal_components_are_those_of_the_singular_values():
    made = features.load("pca:4", SMALL)
    flat = SMALL.reshape(40, 6).astype(np.float64)
    _, singular, rows = np.linalg.svd(flat - flat.mean(axis=0))
    rows *= np.sign(rows[np.arange(6), np.abs(rows).argmax(axis=1)])[:, None]
    found = np.asarray(jax.jit(made.extract)(jnp.asarray(SMALL)))
    np.testing.assert_allclose(found, (flat - flat.mean(axis=0)) @ rows[:4].T, atol=1e-5)
    np.testing.assert_allclose(found.std(axis=0), singular[:4] / np.sqrt(40), rtol=1e-5)
    assert (made.size, made.classify) == (4, None)


def test_components_are_fitted_on_examples_all_over():
    x = RNG.normal(size=(2 * linear.FITTED, 3)).astype(np.float32)
    wild = x.copy()
    wild[1::2] += 5
    assert features.load("pca:2", wild).digest == features.load("pca:2", x).digest
    wild[:2] += 50
    assert features.load("pca:2", wild).digest != features.load("pca:2", x).digest


def test_a_digest_tells_maps_apart_and_not_machines():
    digest = features.load("pca:3", SMALL).digest
    assert re.fullmatch("[0-9a-f]{16}", digest)
    assert features.load("pca:3", SMALL + np.float32(1e-7) * SMALL).digest == digest
    assert features.load("pca:2", SMALL).digest != digest
    assert features.load("pca:3", SMALL[:-1]).digest != digest


@pytest.mark.parametrize(
    ("name", "x", "message"),
    [
        ("pca:0", SMALL, "from 1 to 6 here, not '0'"),
        ("pca:9999", SMALL, "from 1 to 6 here, not '9999'"),
        ("pca:5", SMALL[:4], "from 1 to 4 here"),
        ("pca:x", SMALL, "not 'x'"),
        ("pca:-1", SMALL, "not '-1'"),
        ("pca:2.5", SMALL, "not '2.5'"),
        ("pca:²", SMALL, "not '²'"),
        ("pca:" + 5000 * "9", SMALL, "not '999"),
        ("pca", SMALL, "no features 'pca'"),
        ("pca:", SMALL, "no features"),
        ("pixels:3", SMALL, "no features"),
        ("pixel", SMALL, "the nearest is 'pixels'"),
        ("clasifier:mnist", IMAGES, "the nearest is 'classifier:mnist'"),
        ("", SMALL, "'pixels', 'pca:<components>', 'classifier:<name>'"),
        ("classifier:mnits", IMAGES, "the nearest is 'mnist'"),
        ("classifier:foo", IMAGES, "no classifier 'foo': there are 'fashion_mnist', 'mnist'"),
        ("classifier:../mnist", IMAGES, "no classifier"),
        ("classifier:mnist", SMALL, r"shape \(28, 28, 1\), not data of shape \(3, 2, 1\)"),
        ("classifier:mnist", np.repeat(IMAGES, 3, axis=-1), r"not data of shape \(28, 28, 3\)"),
        ("classifier:mnist", SMALL[:, :, 0, 0], r"not data of shape \(3,\)"),
    ],
)
def test_what_is_no_feature_map_is_refused_in_one_line(name, x, message):
    with pytest.raises(InputError, match=message) as caught:
        features.load(name, x)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(("n", "batch"), [(40, 7), (40, 8), (40, 40), (3, 500), (1, 1)])
def test_all_examples_go_through_one_program(n, batch):
    traced = []

    def extract(x):
        traced.append(x.shape)
        return x.sum(axis=(1, 2, 3))[:, None] * jnp.array([[1.0, 2.0]])

    found = features.extract_all(features.Features("sum", "", 2, extract), SMALL[:n], batch)
    np.testing.assert_allclose(found, SMALL[:n].sum(axis=(1, 2, 3))[:, None] * [1, 2], rtol=1e-5)
    assert traced == [(batch, 3, 2, 1)]


@pytest.mark.parametrize("name", NAMES)
def test_logits_are_linear_in_a_classifiers_features(name):
    made, stored = features.load(f"classifier:{name}", IMAGES), read_asset(name)
    assert (made.name, made.digest, made.size) == (f"classifier:{name}", stored.sha256[:16], 128)
    assert made.classify is not None
    found = features.extract_all(made, IMAGES, batch=20)
    chex.assert_shape(found, (30, 128))
    assert found.min() == 0
    last = stored.params["last"]
    logits = features.over_batches(made.classify, IMAGES, batch=20)
    np.testing.assert_allclose(logits, found @ last["kernel"] + last["bias"][None], rtol=1e-4, atol=1e-4)


def read_asset(name):
    return classifier.read(Path(str(classifier.assets()[name])))


@pytest.mark.parametrize("name", NAMES)
def test_the_page_states_what_the_files_hold(name):
    file = Path(str(classifier.assets()[name]))
    stored, page = read_asset(name), (file.parent / "README.md").read_text()
    assert len(file.read_bytes()) < 600_000
    assert hashlib.sha256(file.read_bytes()).hexdigest() == stored.sha256
    (row,) = [line for line in page.splitlines() if line.startswith(f"| `{name}` ")]
    cells = [cell.strip().strip("`") for cell in row.strip("|").split("|")]
    percents = [f"{100 * stored.metadata[key]:.2f}%" for key in ("test_accuracy", "binarised_test_accuracy")]
    facts = [stored.metadata[key] for key in ("source", "seed", "steps", "jax")]
    assert cells == [name, *map(str, facts), *percents, stored.sha256]
    assert training.Recipe(**stored.metadata["recipe"]) == training.RECIPES[name]


@pytest.mark.slow
@pytest.mark.skipif("TFDS_DATA_DIR" not in os.environ, reason="needs the real data")
@pytest.mark.parametrize("name", NAMES)
def test_the_stated_accuracy_is_found_on_real_images(name):
    test, stated = data.load(f"tfds:{name}").test, read_asset(name).metadata["test_accuracy"]
    made = features.load(f"classifier:{name}", test.x)
    assert made.classify is not None
    logits = features.over_batches(made.classify, test.x[:2000].astype(np.float32) / 255)
    found = np.mean(logits.argmax(axis=1) == present(test.y)[:2000])
    assert abs(found - stated) < 4 * np.sqrt(stated * (1 - stated) / 2000)


@pytest.fixture(scope="module")
def fresh():
    shapes = {name: RNG.normal(size=shape).astype(np.float32) for name, shape in classifier.expected_shapes().items()}
    return unflatten_dict(shapes, sep="/")


def test_what_is_written_is_read_as_half_precision_holds_it(tmp_path, fresh):
    for name in ("a", "b"):
        classifier.write(tmp_path / name, fresh, {"source": "x", "test_accuracy": 0.5})
    stored = classifier.read(tmp_path / "a")
    assert stored.metadata == {"architecture": classifier.ARCHITECTURE, "source": "x", "test_accuracy": 0.5}
    chex.assert_trees_all_equal(stored.params, jax.tree.map(lambda leaf: leaf.astype(np.float16).astype("f4"), fresh))
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
    assert [path.name for path in sorted(tmp_path.iterdir())] == ["a", "b"]


def notes(**metadata):
    return {"genjax": json.dumps({"architecture": classifier.ARCHITECTURE, **metadata})}


@pytest.mark.parametrize(
    ("change", "metadata", "message"),
    [
        ({}, notes(architecture=0), "holds no network of architecture 1 but of 0; train it again"),
        ({"last/bias": np.zeros(11, np.float16)}, notes(), "train it again"),
        ({"stranger": np.zeros(1, np.float16)}, notes(), "train it again"),
        ({}, None, "no classifier of genjax"),
        ({}, notes(shape=[28, 28, 3]), "train it again"),
        ({}, notes(shape=[28, 10**9, 1]), "train it again"),
        ({}, notes(shape="28"), "train it again"),
        ({}, notes(outputs=9), "train it again"),
        ({}, {"genjax": "{"}, "no classifier of genjax"),
        ({}, {"genjax": "3"}, "no classifier of genjax"),
    ],
    ids=[
        "architecture",
        "shape",
        "array too many",
        "no metadata",
        "channels",
        "huge",
        "text",
        "outputs",
        "metadata cut",
        "metadata no object",
    ],
)
def test_files_of_another_kind_are_refused(tmp_path, fresh, change, metadata, message):
    arrays = {name: np.asarray(leaf, np.float16) for name, leaf in flatten_dict(fresh, sep="/").items()}
    (tmp_path / "it").write_bytes(save({**arrays, **change}, metadata=metadata))
    with pytest.raises(InputError, match=message) as caught:
        classifier.read(tmp_path / "it")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "contents", [b"", b"\x80\x04K\x01.", b"\xff" * 100, None], ids=["none", "pickle", "ff", "gone"]
)
def test_damaged_files_are_refused(tmp_path, contents):
    if contents is not None:
        (tmp_path / "it").write_bytes(contents)
    with pytest.raises(InputError, match="no such file" if contents is None else "no classifier of genjax"):
        classifier.read(tmp_path / "it")


def varied(**changes):
    recipe = training.Recipe(1, **{"shift": 0, **changes})
    return np.asarray(training.varied(jax.random.key(1), jnp.asarray(IMAGES), recipe))


def test_examples_are_varied_as_the_recipe_says():
    np.testing.assert_array_equal(varied(), IMAGES)
    np.testing.assert_array_equal(varied(flipped=1.0), IMAGES[:, :, ::-1])
    assert set(np.unique(varied(binarised=1.0))) == {0, 1}
    assert abs(varied(binarised=1.0).mean() - IMAGES.mean()) < 0.02
    half = np.isin(varied(binarised=0.5), (0, 1)).all(axis=(1, 2, 3))
    assert 5 < half.sum() < 25
    np.testing.assert_array_equal(varied(binarised=0.5)[~half], IMAGES[~half])


def test_examples_move_by_chance_of_their_own_and_zeros_move_in():
    wide, moves = np.pad(IMAGES, ((0, 0), (2, 2), (2, 2), (0, 0))), []
    for image, moved in zip(wide, varied(shift=2), strict=True):
        places = [(i, j) for i in range(5) for j in range(5) if (image[i : i + 28, j : j + 28] == moved).all()]
        moves += places
    assert len(moves) == len(IMAGES)
    assert len(set(moves)) > 8


@pytest.mark.slow
def test_a_loss_by_contrast_by_hand(fresh):
    """-log of the partner's share among all other views, each with weight exp(cosine / 0.5), by loops in float64."""
    recipe = training.choose_recipe("anything", "contrastive", len(IMAGES))
    x, key = jnp.asarray(IMAGES[:3]), jax.random.key(2)
    params = jax.tree.map(lambda leaf: jnp.asarray(0.1 * leaf), fresh)
    views = [training.view(stream(key, name), x, recipe) for name in ("first view", "second view")]
    z = np.concatenate([np.asarray(classifier.classified(params, each), np.float64) for each in views])
    z /= np.linalg.norm(z, axis=1, keepdims=True)
    losses = []
    for i in range(6):
        weights = {j: np.exp(z[i] @ z[j] / 0.5) for j in range(6) if j != i}
        losses.append(-np.log(weights[(i + 3) % 6] / sum(weights.values())))
    value = training.contrast(params, x, None, recipe, key)
    np.testing.assert_allclose(value, np.mean(losses), rtol=1e-4)


@pytest.mark.slow
def test_views_are_crops_and_differ(monkeypatch):
    """A crop of 70% to all of each side: the grey of the crop grows so much more slowly."""
    monkeypatch.setattr(training, "change_colour", lambda rng, x: x)
    recipe = training.choose_recipe("anything", "contrastive", len(IMAGES))
    x = jnp.ones((64, 8, 10, 3)) * jnp.linspace(0, 1, 10)[None, None, :, None]  # grey that grows from left to right
    views = np.asarray(training.view(jax.random.key(0), x, recipe))
    chex.assert_shape(views, (64, 8, 10, 3))
    assert views.min() >= 0
    assert views.max() <= 1
    slopes = np.abs(np.diff(views, axis=2))[:, :, 2:-2].mean(axis=(1, 2, 3)) * 9  # of a whole image 1
    assert slopes.min() > 0.65
    assert slopes.max() < 1.01
    assert slopes.std() > 0.05


def test_small_data_are_seen_more_often_by_contrast():
    assert training.choose_recipe("digits", "contrastive", 1439).epochs == 84  # 1,000 steps of 12 an epoch
    assert training.choose_recipe("mnist", "contrastive", 54_000).epochs == 8
    assert training.choose_recipe("mnist", "classification", 54_000) == training.RECIPES["mnist"]
    assert training.choose_recipe("digits", "contrastive", 1439, epochs=2).epochs == 2


@pytest.mark.slow
def test_images_without_labels_give_features_in_which_classes_are_apart(tmp_path, capsys):
    digits = data.load("digits")
    np.savez(tmp_path / "unlabelled.npz", x=digits.train.x * np.float32(digits.scale))
    command = ["--source", f"npz:{tmp_path / 'unlabelled.npz'}", "--epochs", "40", "--out", str(tmp_path)]
    assert train_features.main(command) == 0
    assert "objective: contrastive" in capsys.readouterr().out
    train, test = (split.x.astype(np.float32) * digits.scale for split in (digits.train, digits.test))
    own = features.load(f"network:{tmp_path / 'unlabelled.safetensors'}", train)
    assert own.classify is None
    near = KNeighborsClassifier(5).fit(features.extract_all(own, train), digits.train.y)
    assert near.score(features.extract_all(own, test), digits.test.y) > 0.93


@pytest.mark.slow
def test_a_network_of_the_users_own_takes_its_own_shape(tmp_path):
    params = classifier.init(jax.random.key(0), (12, 10, 3), 7)
    classifier.write(tmp_path / "own.safetensors", params, {"shape": [12, 10, 3], "outputs": 7})
    x = RNG.random((5, 12, 10, 3)).astype(np.float32)
    own = features.load(f"network:{tmp_path / 'own.safetensors'}", x)
    chex.assert_shape(features.extract_all(own, x), (5, 128))
    assert own.classify is not None
    chex.assert_shape(own.classify(jnp.asarray(x)), (5, 7))
    with pytest.raises(InputError, match=r"takes images of shape \(12, 10, 3\), not data of shape \(28, 28, 1\)"):
        features.load(f"network:{tmp_path / 'own.safetensors'}", IMAGES)


def write_npz(path, **changes):
    """Forty black images of one class, or what is given in their place."""
    arrays = {"x": np.zeros((40, 28, 28), np.uint8), "y": np.zeros(40, int)} | changes
    np.savez(path, **{name: array for name, array in arrays.items() if array is not None})
    return f"npz:{path}"


@pytest.mark.slow
def test_the_command_trains_and_states_what_the_file_does(tmp_path, capsys):
    y = np.arange(300) % 2
    x = np.zeros((300, 28, 28), np.uint8)
    x[y == 0, :14], x[y == 1, 14:] = 255, 255
    source = write_npz(tmp_path / "halves.npz", x=x, y=y)
    assert train_features.main(["--source", source, "--epochs", "8", "--out", str(tmp_path)]) == 0
    stored = classifier.read(tmp_path / "halves.safetensors")
    out, err = capsys.readouterr()
    assert f"sha256: {stored.sha256}" in out
    assert [line.split("  ")[0] for line in err.splitlines()] == [f"epoch {epoch}/8" for epoch in range(1, 9)]
    assert (stored.metadata["source"], stored.metadata["seed"], stored.metadata["steps"]) == (source, 0, 16)
    assert stored.metadata["test_accuracy"] == 1


@pytest.mark.parametrize(
    ("arguments", "changes", "message"),
    [
        (["--epochs", "0"], {}, "--epochs=0 must be at least 1"),
        (["--epochs", "x"], {}, "invalid int value"),
        (["--out", "nowhere"], {}, "--out nowhere: no such folder"),
        (["--strange"], {}, "unrecognized arguments: --strange"),
        (
            [],
            {"x": np.zeros((40, 6, 8), np.uint8)},
            r"takes images of at least 8x8 pixels, not data of shape \(6, 8, 1\)",
        ),
        (["--objective", "contrast"], {}, "the nearest is 'contrastive'"),
        (["--objective", "classification"], {"y": None}, "needs one label for each image"),
        (["--objective", "classification"], {"y": np.zeros((40, 2), int)}, "needs one label for each image"),
        (["--objective", "classification"], {"y": np.ones(40, int)}, "of two or more; --objective contrastive"),
        ([], {"y": np.arange(40) + 5000}, "labels from 0 to 4095"),
    ],
)
def test_the_command_refuses_what_it_cannot_use(tmp_path, arguments, changes, message, capsys):
    assert train_features.main(["--source", write_npz(tmp_path / "a.npz", **changes), *arguments]) == 2
    error = capsys.readouterr().err
    assert re.search(message, error)
    assert error.count("\n") == 1


@pytest.mark.parametrize(
    ("source", "name"),
    [
        ("digits", "digits"),
        ("tfds:mnist", "mnist"),
        ("tfds:mnist:3.0.1", "mnist"),
        ("tfds:mnist#resize=14", "mnist-resize-14"),
        ("stacked:tfds:mnist", "stacked-mnist"),
        ("hf:uoft-cs/cifar100#labels=fine_label", "uoft-cs-cifar100-labels-fine_label"),
        ("folder:faces.v1", "faces.v1"),
        ("folder:.", "place"),
        ("npz:faces.v1/a.npz", "a"),
    ],
)
def test_a_file_is_called_after_its_source(tmp_path, monkeypatch, source, name):
    (tmp_path / "place" / "faces.v1").mkdir(parents=True)
    (tmp_path / "place" / "faces.v1" / "a.npz").touch()
    monkeypatch.chdir(tmp_path / "place")
    assert train_features.name_of(source) == name


def test_images_of_one_class_have_features_by_contrast():
    digits = data.load("digits")
    one = digits._replace(train=digits.train._replace(y=np.zeros(len(digits.train.x), int)))
    assert train_features.has_classes(digits)
    assert not train_features.has_classes(one)


@pytest.mark.slow
def test_the_script_says_it_in_one_line(tmp_path):
    process = start(environment(), tmp_path, "--source", "digit", script="train_features.py")
    out, err = process.communicate(timeout=120)
    assert (process.returncode, out) == (2, "")
    assert re.fullmatch("error: no data source 'digit': the nearest is 'digits'.*\n", err)
