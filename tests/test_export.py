"""An exported model: its files, its programs with JAX alone, and that it loads back as the run that it was."""

import json
import re
import shutil
import subprocess
import sys

import jax
import jax.export
import jax.numpy as jnp
import numpy as np
import pytest
import trained
from present import present

from genjax import fit, load_run
from genjax.api.export import DRAWS, export
from genjax.commands.main import main
from genjax.types import InputError

pytest.importorskip("flatbuffers")
pytestmark = pytest.mark.slow
SMALL = {
    "vae": {"hidden": (4,)},
    "vae of a class": {"hidden": (4,), "condition": "label"},
    "vae of images": {"network": "dcgan", "channels": 4, "posterior": "gumbel", "latent": 2},
    "autoencoder": {"hidden": (4,)},
    "gan": {"generator_hidden": (4,), "discriminator_hidden": (4,), "condition": "projection"},
    "autoregressive": {"hidden": (4,)},
}
PROGRAMS = {
    "vae": ["decoder", "encoder", "sampler"],
    "vae of a class": ["encoder", "sampler"],
    "vae of images": ["decoder", "encoder", "sampler"],
    "autoencoder": ["decoder", "encoder"],
    "gan": ["decoder", "sampler"],
    "autoregressive": ["sampler"],
}


@pytest.fixture(scope="module", params=SMALL)
def exported(request, tmp_path_factory):
    """A run of a family, and the folder that it was exported to."""
    folder = tmp_path_factory.mktemp("export")
    settings = SMALL[request.param]
    run = load_run(trained.train(folder / "run", request.param.split()[0], **settings))
    assert main(["export", "--workdir", str(folder / "run"), "--to", str(folder / "out")]) == 0
    return request.param, run, folder / "out"


def program(folder, name):
    return jax.export.deserialize((folder / f"{name}.stablehlo").read_bytes())


def test_the_programs_compute_what_the_run_does_for_any_number_of_examples(exported):
    family, run, folder = exported
    signatures = json.loads((folder / "signatures.json").read_text())
    assert list(signatures) == PROGRAMS[family] == sorted(path.stem for path in folder.glob("*.stablehlo"))
    for name, signature in signatures.items():
        assert program(folder, name).platforms == ("cpu", "cuda", "tpu") == tuple(signature["platforms"])
    x = run.dataset.test.x[:3].astype(np.float32) * np.float32(run.spec.scale)
    if "encoder" in signatures:
        label = np.arange(3, dtype=np.int32) if "label" in signatures["encoder"]["inputs"] else None
        for n in (1, 3):
            classes = () if label is None else (label[:n],)
            found = program(folder, "encoder").call(x[:n], *classes)
            np.testing.assert_allclose(found, run.encode(x[:n], *classes), atol=1e-5)
    if "decoder" in signatures:
        z = jax.random.normal(jax.random.key(0), (3, run.model.latent))
        expected = run.model.decode(run.params, z)
        np.testing.assert_allclose(program(folder, "decoder").call(z), expected, atol=1e-5)
    if "sampler" in signatures:
        key = jax.random.key(3)
        label = jnp.arange(DRAWS) % 10
        arguments = [label] if run.model.sample_class is not None else []
        draw = run.model.sample_class or run.model.sample
        expected = draw(run.params, key, *(arguments or [DRAWS]))
        drawn = program(folder, "sampler").call(jax.random.key_data(key), *arguments)
        np.testing.assert_allclose(drawn, expected, atol=1e-5)


def test_it_loads_back_as_the_run(exported):
    _, run, folder = exported
    again = load_run(folder)
    assert again.step == run.step
    assert jax.tree.all(jax.tree.map(lambda a, b: bool((a == b).all()), again.params, run.params))
    assert again.params["generator" if "generator" in run.params else next(iter(run.params))].keys()


def test_the_layout_is_that_of_a_repository_of_a_hub(exported):
    family, _, folder = exported
    card = (folder / "README.md").read_text()
    header, body = present(re.fullmatch(r"---\n(.*?)\n---\n(.*)", card, flags=re.DOTALL)).groups()
    assert header.splitlines()[0] == "library_name: genjax"
    assert f"- {family.split()[0]}" in header.splitlines()
    named = set(re.findall(r"`([\w.]+\.(?:stablehlo|json))`|\]\(([\w.]+)\)", body))
    assert all((folder / (first or second)).is_file() for first, second in named)
    assert "test/" in body


def test_the_example_of_the_card_runs_with_jax_alone(exported):
    _, _, folder = exported
    (example,) = re.findall(r"```python\n(.*?)```", (folder / "README.md").read_text(), flags=re.DOTALL)
    code = f"import sys\nsys.modules['genjax'] = sys.modules['flax'] = None\n{example}\nprint(x.shape)"
    done = subprocess.run([sys.executable, "-c", code], cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert re.fullmatch(r"\(\d+, .*8, 8, 1\)\n|\(\d+, \d+\)\n", done.stdout)


def test_the_card_of_a_fit_says_where_its_array_has_to_be(tmp_path):
    x = np.random.default_rng(0).integers(0, 256, size=(60, 8, 8), dtype=np.uint8)
    run = fit(x, "autoencoder", latent=2, hidden=(4,), steps=2, batch_size=8)
    export(run, tmp_path / "out")
    card = (tmp_path / "out" / "README.md").read_text()
    assert "`genjax.load_run(folder, data_source='npz:FILE')`" in card
    assert "`genjax train --config config.json --data npz:FILE --workdir again`" in card
    np.savez(tmp_path / "mine.npz", x=x)
    again = load_run(tmp_path / "out", data_source=f"npz:{tmp_path / 'mine.npz'}")
    np.testing.assert_allclose(again.encode(x), run.encode(x), atol=1e-6)


def test_an_export_is_written_anew_and_nothing_else_is_written_over(exported, tmp_path):
    _, run, folder = exported
    assert export(run, folder) == sorted(path.name for path in folder.iterdir())
    names = export(run, tmp_path / "out")
    (tmp_path / "out" / "again").mkdir()
    (tmp_path / "out" / "again" / "config.json").write_text("mine")
    (tmp_path / "out" / "other.stablehlo").write_text("of a model that the run no longer is")
    assert export(run, tmp_path / "out") == names
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == sorted([*names, "again"])
    assert (tmp_path / "out" / "again" / "config.json").read_text() == "mine"
    shutil.rmtree(tmp_path / "out")
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(InputError, match="holds something else"):
        export(run, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


@pytest.mark.parametrize("damage", [b"", b"\xff" * 50])
def test_damaged_weights_are_one_line(exported, tmp_path, damage, capsys):
    _, run, _ = exported
    export(run, tmp_path / "out")
    (tmp_path / "out" / "model.safetensors").write_bytes(damage)
    assert main(["evaluate", "--workdir", str(tmp_path / "out")]) == 2
    assert capsys.readouterr().err.startswith("error: ")
