"""`genjax report`: a page that is one file, as text and in a browser without a window."""

import base64
import csv
import gzip
import html
import io
import json
import math
import re
import shlex
import shutil
import subprocess
from pathlib import Path

import jax
import numpy as np
import pytest
import trained
from PIL import Image

import genjax
from genjax import plots
from genjax.commands import main
from genjax.reports import figures, filmstrip, run_page
from genjax.reports.page import Table, Text, render
from genjax.runs.pictures import TrainedModel, draw_samples

pytest.importorskip("plotly")
pytest.importorskip("jinja2")
BROWSER = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A run, which evaluates and draws three times, and a sweep, both with their pages."""
    folder = tmp_path_factory.mktemp("pages")
    run = trained.train(folder / "vae", steps=6, evaluate_every=2, hidden=(8,))
    sweep = trained.sweep(folder / "sweep")
    for path in (run, sweep):
        assert main.main(["report", "--workdir", str(path)]) == 0
    return folder


def page_of(path):
    """The page without the script of Plotly, which it holds compressed."""
    text = (path / "report.html").read_text()
    (script,) = re.findall(r'<script type="text/plain" id="plotly">(.*?)</script>', text)
    assert gzip.decompress(base64.b64decode(script)).startswith(b"/**")
    return text.replace(script, "")


@pytest.mark.parametrize("name", ["vae", "sweep"])
def test_nothing_outside_the_page_is_named(folder, name):
    page = page_of(folder / name)
    assert "default-src 'none'" in page
    addresses = re.findall(r"""(?:src|href)=["']([^"']{0,20})""", page)
    assert addresses
    assert all(address.startswith("data:") for address in addresses)
    assert "://" not in page


def test_the_page_of_a_run_tells_what_its_files_tell(folder):
    page = page_of(folder / "vae")
    assert "<td>model.hidden</td><td>(8,)</td><td>(512,)</td>" in page
    elbo = json.loads((folder / "vae" / "evaluation.json").read_text())["test/elbo"]
    assert f"{elbo:.5g}</td>" in page
    environment = json.loads((folder / "vae" / "environment.json").read_text())
    assert {"python", "jax", "devices"} <= environment.keys()
    assert all(f"<td>{value}</td>" in page for value in environment.values())
    (command,) = re.findall(r"genjax train --config (\S+)", page)
    assert command == str(folder / "vae" / "config.json")


@pytest.mark.slow
def test_pictures_over_training_are_those_of_every_evaluation(folder):
    images = filmstrip.read_images(folder / "vae")
    assert [step for step, _ in images["samples"]] == [2, 4, 6]
    assert all(png.startswith(b"\x89PNG") for frames in images.values() for _, png in frames)
    page = page_of(folder / "vae")
    assert all(f'alt="step {step}"' in page for step in (2, 4, 6))


def test_damaged_event_files_are_read_up_to_the_damage(folder, tmp_path):
    (path,) = (folder / "vae").glob("events.out.tfevents.*")
    whole = filmstrip.read_images(folder / "vae")["samples"]
    (tmp_path / path.name).write_bytes(path.read_bytes()[: path.stat().st_size * 2 // 3])
    part = filmstrip.read_images(tmp_path)["samples"]
    assert 0 < len(part) < len(whole)
    assert part == whole[: len(part)]


def test_the_page_of_a_sweep_has_a_row_and_a_command_for_every_trial(folder):
    page = page_of(folder / "sweep")
    commands = [html.unescape(c) for c in re.findall(r"genjax train --config \S+/base.json ([^<]*)", page)]
    assert [re.findall(r"=(\S+)", command) for command in commands] == [[b, s] for b in ("0.5", "2.0") for s in "01"]
    assert page.count("best/1-trial-") == 1
    assert page.count('alt="what the trial draws"') == 4


@pytest.mark.slow
def test_a_trials_command_trains_that_trial(folder, capsys):
    (_, command, *_) = re.findall(r"genjax (train --config \S+/base.json [^<]*)", page_of(folder / "sweep"))
    assert main.main(shlex.split(html.unescape(command))) == 0
    with (folder / "sweep" / "trials.csv").open() as file:
        (_, row, *_) = csv.DictReader(file)
    evaluation = json.loads((folder / "sweep-trial-1" / "evaluation.json").read_text())
    assert evaluation["validation/elbo"] == pytest.approx(float(row["validation/elbo"]), rel=1e-6)


def test_the_samples_of_a_trial_are_those_of_its_run(folder):
    sweep = genjax.load_sweep(folder / "sweep")
    run = sweep.best_run()
    trained = TrainedModel(run.model, run.params, run.spec, jax.random.key(run.config.seed))
    drawn = sweep.samples[sweep.best_trial["trial"]]
    np.testing.assert_allclose(drawn, draw_samples(trained, len(drawn)), atol=0.51 / 255)
    assert sweep.samples.keys() == {0, 1, 2, 3}


def test_a_thumbnail_shows_images_or_where_points_lie():
    images = np.stack([np.zeros((8, 8, 1)), np.ones((8, 8, 1))])
    pixels = np.asarray(Image.open(io.BytesIO(plots.thumbnail(images))))
    assert pixels.shape[1] > 2 * pixels.shape[0]
    assert pixels[0, 0] == 0
    assert pixels[0, -1] == 255
    points = np.concatenate([np.zeros((100, 2)), [[1.0, 1.0]], [[np.nan, 0.0]]])
    density = np.asarray(Image.open(io.BytesIO(plots.thumbnail(points + np.array([5.0, 0.0])))))
    assert density.min() == 0
    assert (density == 255).mean() > 0.95


def test_what_a_page_shows_is_escaped():
    page = render("<b>", "", [Text("a", ["<script>alert(1)</script>"]), Table("t", ["<i>"], [["</td>"]])])
    assert "<script>alert" not in page
    assert "<i>" not in page
    assert "<h1>&lt;b&gt;</h1>" in page


def test_a_section_without_content_is_left_out():
    assert "<h2>" not in render("a", "", [Text("a", []), Table("t", ["x"], [])])


def test_zero_stands_beside_values_that_span_much():
    values = [3.0, 0.0, 0.01]
    axis = figures.effect("hparams.r1_weight", values, [1.0, 2.0, 3.0], ["", "", ""], "loss")["layout"]["xaxis"]
    assert (axis["tickvals"], axis["ticktext"]) == ([0, 1, 2], ["0", "0.01", "3"])
    (trace,) = figures.parallel({"r1": values, "loss": [1.0, 2.0, 3.0]}, "loss", True)["data"]
    assert trace["dimensions"][0]["values"] == [2, 0, 1]


def test_curves_hold_the_numbers_of_the_log():
    rows = [{"step": 1, "train/loss": 2.0}, {"step": 2, "train/loss": float("nan"), "validation/loss": 1.5}]
    (figure,) = figures.curves(rows, {"loss": "nats"})
    train, validation = figure["data"]
    assert (train["x"], train["y"]) == ([1, 2], [2.0, None])
    assert (validation["x"], validation["y"], validation["mode"]) == ([2], [1.5], "markers")
    assert figure["layout"]["meta"] == {"log": True}
    assert figure["layout"]["yaxis"]["title"] == {"text": "nats"}
    assert [trace["line"]["color"] for trace in (train, validation)] == list(figures.SPLITS.values())


def test_related_curves_are_one_figure():
    rows = [{"step": s, "validation/fake_logit": 0.5, "validation/real_logit": 1.5, "train/kl": 1.5} for s in (1, 2)]
    kl, logits = figures.curves(rows, {})
    assert (kl["layout"]["title"]["text"], logits["layout"]["title"]["text"]) == ("kl", "real_logit, fake_logit")
    assert [trace["line"]["dash"] for trace in logits["data"]] == ["solid", "dash"]
    assert len({trace["line"]["color"] for trace in logits["data"]}) == 1


def test_trials_of_a_category_stand_side_by_side():
    figure = figures.effect("model.prior", ["vamp", "normal", "vamp"], [1.5, 2.0, 1.5], ["t0", "t1", "t2"], "loss")
    (trace,), axis = figure["data"], figure["layout"]["xaxis"]
    first, second, third = trace["x"]
    assert -0.5 < first < 0 < third < 0.5
    assert second == 1
    assert (axis["tickvals"], axis["ticktext"]) == ([0, 1], ["vamp", "normal"])
    assert trace["text"][1] == "prior=normal, t1"


@pytest.mark.parametrize(
    ("values", "ticks", "words"),
    [
        ([4, 2, 3, 2], [2, 3, 4], ["2", "3", "4"]),
        ([0.1, 0.001], [0.001, 0.1], ["0.001", "0.1"]),
        ([100, 101, 200, 300], [100, 200, 300], ["100", "200", "300"]),
        (list(range(9)), None, None),
    ],
)
def test_an_axis_of_few_numbers_has_ticks_at_them(values, ticks, words):
    axis = figures.effect("model.latent", values, [0.5] * len(values), [""] * len(values), "loss")["layout"]["xaxis"]
    assert (axis.get("tickvals"), axis.get("ticktext")) == (ticks, words)


def test_parallel_axes_have_ticks_at_few_values_and_at_round_numbers():
    values = [float(v) for v in np.geomspace(0.011, 90, 20)]
    columns = {"model.latent": [2, 3] * 10, "loss": values}
    latent, loss = figures.parallel(columns, "loss", True)["data"][0]["dimensions"]
    assert (latent["tickvals"], latent["ticktext"]) == ([2, 3], ["2", "3"])
    assert loss["ticktext"] == ["0.1", "1", "10"]
    np.testing.assert_allclose(loss["tickvals"], [-1, 0, 1], atol=1e-12)
    (far,) = figures.parallel({"loss": (10.0 ** np.arange(-9, 9)).tolist()}, "loss", True)["data"][0]["dimensions"]
    assert far["tickvals"] == list(range(-9, 9))


@pytest.mark.parametrize(("values", "dtick"), [([1, 1], 1), ([3, 8], 1), ([0.5, 8], None), ([0, 900], None)])
def test_counts_have_whole_ticks(values, dtick):
    layout = figures.lines("modes_found", {"a": ([1, 3], values)})["layout"]
    assert (layout["xaxis"].get("dtick"), layout["yaxis"].get("dtick")) == (1, dtick)


@pytest.mark.parametrize(
    ("file", "text", "message"),
    [
        ("config.json", None, "is not the folder of a run or a sweep: it has no config.json"),
        ("evaluation.json", "{", "evaluation.json cannot be read"),
        ("evaluation.json", '{"warnings": [1]}', "its warnings are not those of a run"),
        ("evaluation.json", '{"results": [{"metric": "a", "value": 1, "protocol": [1]}]}', "its results are not those"),
        ("trials.csv", None, "is not finished: it has no trials.csv"),
    ],
)
def test_a_folder_that_cannot_be_used_is_one_line(folder, tmp_path, capsys, file, text, message):
    copy = shutil.copytree(folder / ("sweep" if file == "trials.csv" else "vae"), tmp_path / "copy")
    (copy / file).unlink()
    if text is not None:
        (copy / file).write_text(text)
    (copy / "report.html").unlink()
    assert main.main(["report", "--workdir", str(copy)]) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1
    assert not (copy / "report.html").exists()


def test_pictures_are_png_files_of_the_folder_itself(tmp_path):
    png = b"\x89PNG\r\n\x1a\nof its own"
    (tmp_path / "secret").write_bytes(png)
    folder = tmp_path / "run"
    (folder / "a.png").mkdir(parents=True)
    (folder / "b.png").symlink_to(tmp_path / "secret")
    (folder / "c.png").write_text("a text")
    (folder / "d_e.png").write_bytes(png)
    assert run_page.pictures(folder) == [("d e", png)]


def test_the_command_of_a_run_names_its_folder_and_its_plugins(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "plugins.json").write_text('{"/a/loss.py": "00", "installed": "11"}')
    words = run_page.command(Path()).split()
    assert words[2:6] == ["--config", f"{tmp_path}/config.json", "--workdir", f"{tmp_path}-again"]
    assert words[6:] == ["--plugin", "/a/loss.py"]


@pytest.mark.parametrize(
    ("value", "text"), [(math.nan, "Infinity"), (math.inf, "Infinity"), (-math.inf, "-Infinity"), (1.5, "1.5")]
)
def test_cells_are_sorted_by_numbers_that_a_browser_reads(value, text):
    assert f'data-value="{text}"' in render("t", "", [Table("T", ["a"], [[value]])])


WATCH = """<script>
window.problems = [];
addEventListener("error", event => problems.push(String(event.message)));
addEventListener("securitypolicyviolation", event => problems.push(event.violatedDirective));
console.error = (...words) => problems.push(words.join(" "));
</script>"""
CHECK = """<script>
addEventListener("load", () => setTimeout(() => {
  const answer = (() => { %s })();
  const mark = document.createElement("pre");
  mark.id = "answer";
  mark.textContent = JSON.stringify({answer, problems, plots: document.querySelectorAll(".js-plotly-plot").length});
  document.body.replaceChildren(mark);
}, 500));
</script>"""
SLIDE = """
  const strip = document.querySelector(".strip"), slider = strip.querySelector("input");
  const shown = () => [...strip.querySelectorAll("img")].filter(image => !image.hidden).map(image => image.alt);
  const before = shown();
  slider.value = 0;
  slider.dispatchEvent(new Event("input"));
  return [before, shown(), strip.querySelector("output").textContent];
"""
SORT = """
  const table = document.querySelector("tr.clickable").closest("table");
  const column = () => [...table.querySelectorAll("tr.clickable")].map(row => row.cells[0].textContent);
  const head = table.querySelector("th button");
  head.click();
  const up = column();
  head.click();
  const row = table.querySelector("tr.clickable");
  row.click();
  const more = row.nextElementSibling;
  const picture = more.querySelector("img").src.startsWith("data:image/png");
  return [up, column(), more.hidden, more.textContent.includes("genjax train"), picture];
"""
FILTER = """
  const field = document.querySelector("details .filter");
  const rows = () => [...field.closest("section").querySelectorAll("tbody tr")];
  field.value = "learning_RATE";
  field.dispatchEvent(new Event("input"));
  return rows().filter(row => !row.hidden).map(row => row.cells[0].textContent);
"""


def in_browser(path, script, tmp_path):
    """What a script returns at the end of a page that a browser has opened, and what the browser complained about."""
    page = (path / "report.html").read_text()
    page = page.replace("<title>", WATCH + "<title>", 1).replace("</body>", CHECK % script + "</body>")
    (tmp_path / "page.html").write_text(page)
    command = [BROWSER, "--headless=new", "--no-sandbox", "--use-gl=angle", "--use-angle=swiftshader"]
    command += ["--enable-unsafe-swiftshader", "--virtual-time-budget=20000", f"--user-data-dir={tmp_path / 'profile'}"]
    command += ["--dump-dom", (tmp_path / "page.html").as_uri()]
    process = subprocess.run(command, capture_output=True, text=True, timeout=120)
    (answer,) = re.findall(r'<pre id="answer">(.*?)</pre>', process.stdout)
    return json.loads(html.unescape(answer))


@pytest.mark.slow
@pytest.mark.skipif(BROWSER is None, reason="there is no Chromium")
@pytest.mark.parametrize(
    ("name", "script", "answer"),
    [
        ("vae", SLIDE, [["step 6"], ["step 2"], "step 2"]),
        ("vae", FILTER, ["hparams.learning_rate"]),
        ("sweep", SORT, [["0", "1", "2", "3"], ["3", "2", "1", "0"], False, True, True]),
    ],
)
def test_a_page_works_in_a_browser(folder, tmp_path, name, script, answer):
    result = in_browser(folder / name, script, tmp_path)
    assert result["problems"] == []
    assert result["answer"] == answer
    assert result["plots"] >= 3
