"""`genjax explore`: a page on the loopback address, its questions, and the page in a browser without a window."""

import base64
import contextlib
import io
import json
import queue
import shutil
import socket
import subprocess
import threading
import time
import urllib.error
import urllib.request

import numpy as np
import pytest
import trained
from PIL import Image

import genjax
from genjax.commands import main
from genjax.reports import explorer
from genjax.types import InputError

pytest.importorskip("jinja2")
pytest.importorskip("plotly")
pytestmark = pytest.mark.slow
BROWSER = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return genjax.load_run(trained.train(tmp_path_factory.mktemp("explored") / "vae", hidden=(8,)))


@contextlib.contextmanager
def serving(asked):
    with explorer.serve(asked, 0) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield server
        finally:
            server.shutdown()


@pytest.fixture(scope="module")
def server(run):
    with serving(explorer.Explorer(run)) as server:
        yield server


def ask(server, path, body=None, **headers):
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(f"http://127.0.0.1:{server.server_port}{path}", data=data, headers=headers)
    with urllib.request.urlopen(request, timeout=30) as answer:
        return answer.headers, answer.read()


def answer_of(server, path, body):
    return json.loads(ask(server, path, body)[1])


def pixels(uri):
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(uri.removeprefix("data:image/png;base64,")))))


def test_it_listens_on_the_loopback_address_alone(server):
    assert server.server_address[0] == "127.0.0.1"


def test_a_code_becomes_the_models_image(server, run):
    z = [0.5, -1.0]
    image = pixels(answer_of(server, "/decode", {"z": z})["image"])
    np.testing.assert_array_equal(image, np.rint(run.decode([z])[0, ..., 0] * 255))


def test_sliders_begin_with_the_dimension_that_carries_most(server, run):
    start = answer_of(server, "/start", {})
    kl = run.rates(run.dataset.validation.x).mean(axis=0)
    assert [slider["dimension"] for slider in start["sliders"]] == np.argsort(-kl).tolist()
    np.testing.assert_allclose([slider["kl"] for slider in start["sliders"]], np.sort(kl)[::-1], atol=0.006)
    assert all(slider["low"] < slider["mean"] < slider["high"] for slider in start["sliders"])
    assert len(start["examples"]) == len(start["labels"]) == explorer.SHOWN
    np.testing.assert_allclose(start["codes"], run.encode(run.dataset.validation.x)[: explorer.PLOTTED], atol=6e-4)
    np.testing.assert_array_equal(start["codeLabels"], run.dataset.validation.y[: explorer.PLOTTED])


def test_without_a_kl_the_dimension_that_varies_most_comes_first(run):
    no_rates = genjax.Run(run.loaded._replace(model=run.model._replace(rates=None)), [])
    sliders = explorer.Explorer(no_rates).start({})["sliders"]
    std = run.encode(run.dataset.validation.x).std(axis=0)
    assert [(slider["dimension"], slider["kl"]) for slider in sliders] == [(d, None) for d in np.argsort(-std)]


def test_an_image_of_the_users_own_is_rebuilt(server, run):
    bytes_ = np.random.default_rng(0).integers(0, 256, (8, 8, 1))
    answer = answer_of(server, "/reconstruct", {"pixels": bytes_.ravel().tolist()})
    x = (bytes_[None] / 255).astype(np.float32)
    np.testing.assert_array_equal(pixels(answer["images"][0]), bytes_[..., 0])
    np.testing.assert_allclose(pixels(answer["images"][1]), run.reconstruct(x)[0, ..., 0] * 255, atol=1)
    np.testing.assert_allclose(answer["z"], run.encode(x)[0], rtol=1e-6)


def test_examples_are_encoded_and_joined(server, run):
    z = answer_of(server, "/encode", {"number": 3})["z"]
    images = answer_of(server, "/interpolate", {"a": 3, "b": 5})["images"]
    np.testing.assert_allclose(pixels(images[0]), run.decode([z])[0, ..., 0] * 255, atol=1)
    one, other = (answer_of(server, "/sample", {"seed": seed})["images"] for seed in (0, 1))
    assert one != other


def test_an_answer_takes_less_than_a_tenth_of_a_second(server):
    seconds = []
    for i in range(10):
        began = time.perf_counter()
        answer_of(server, "/decode", {"z": [0.1 * i, 0.0]})
        seconds.append(time.perf_counter() - began)
    assert sorted(seconds)[5] < 0.1


@pytest.mark.parametrize(
    ("path", "body", "headers"),
    [
        ("/decode", {"z": [0.0]}, {}),
        ("/decode", {"z": [0.0, float("nan")]}, {}),
        ("/decode", {}, {}),
        ("/encode", {"number": 99}, {}),
        ("/reconstruct", {"pixels": [0] * 63}, {}),
        ("/reconstruct", {"pixels": [256] * 64}, {}),
        ("/reconstruct", {"pixels": ["a"] * 64}, {}),
        ("/encode", {"number": "__class__"}, {}),
        ("/config.json", None, {}),
        ("/../config.json", None, {}),
        ("/loaded", {}, {}),
        ("/decode", {"z": [0.0, 0.0]}, {"Host": "example.org"}),
        ("/decode", {"z": [0.0, 0.0]}, {"Origin": "http://example.org"}),
        ("/", None, {"Host": "example.org"}),
        ("/decode", {"z": [0.0, 0.0]}, {"Content-Length": str(10**9)}),
    ],
)
def test_what_is_no_question_of_the_page_is_refused(server, path, body, headers):
    with pytest.raises(urllib.error.HTTPError) as caught:
        ask(server, path, body, **headers)
    assert caught.value.code in (400, 404)
    caught.value.close()


def test_models_without_codes_to_move_are_refused(run):
    points = genjax.fit(np.random.default_rng(0).normal(size=(200, 2)), "vae", latent=2, hidden=(8,), steps=1)
    with pytest.raises(InputError, match="shows images, and this model's data are points"):
        explorer.Explorer(points)
    no_decoder = run.loaded._replace(model=run.model._replace(decode=None))
    with pytest.raises(InputError, match="this model decodes none alone"):
        explorer.Explorer(genjax.Run(no_decoder, []))
    many = run.loaded._replace(model=run.model._replace(latent=1000))
    with pytest.raises(InputError, match="1000 dimensions are too many"):
        explorer.Explorer(genjax.Run(many, []))


def test_wrong_input_is_one_line(tmp_path, capsys, server, run):
    taken = str(server.server_port)
    for arguments, message in [
        (["--workdir", str(tmp_path)], "is not the folder of a run"),
        (["--workdir", str(run.workdir), "--port", "70000"], "--port=70000"),
        (["--workdir", str(run.workdir), "--port", taken], f"port {taken} of 127.0.0.1 cannot be used"),
    ]:
        assert main.main(["explore", *arguments]) == 2
        error = capsys.readouterr().err
        assert message in error
        assert error.count("\n") == 1


WATCH = """<script>
window.problems = [];
addEventListener("error", event => problems.push(String(event.message)));
addEventListener("unhandledrejection", event => problems.push(String(event.reason)));
addEventListener("securitypolicyviolation", event => problems.push(event.violatedDirective));
</script>"""
MOVE = """<script>
const wait = ms => new Promise(done => setTimeout(done, ms));
addEventListener("load", async () => {
  while (!document.querySelector("#image").src) await wait(50);
  const before = document.querySelector("#image").src, slider = document.querySelector(".sliders input");
  slider.value = slider.max;
  slider.dispatchEvent(new Event("input"));
  document.querySelector("#examples img").click();
  document.querySelectorAll("#examples img")[1].click();
  while (!document.querySelector("#between img") || document.querySelector("#image").src === before) await wait(50);
  const canvas = document.querySelector("canvas"), box = canvas.getBoundingClientRect();
  const at = {clientX: box.left + box.width / 4, clientY: box.top + box.height / 4, buttons: 1, pointerId: 1};
  canvas.setPointerCapture = () => {};
  canvas.dispatchEvent(new PointerEvent("pointerdown", at));
  const moved = [...document.querySelectorAll(".sliders input")].map(s => (s.value - s.min) / (s.max - s.min));
  const dots = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data.some(Boolean);
  const data = new DataTransfer();
  const blob = await new Promise(done => canvas.toBlob(done));
  data.items.add(new File([blob], "a.png", {type: "image/png"}));
  document.querySelector(".drop").dispatchEvent(new DragEvent("drop", {dataTransfer: data}));
  while (document.querySelectorAll("#rebuilt img").length < 2) await wait(50);
  const places = ["#samples", "#examples", "#between", "#rebuilt"];
  const counts = places.map(place => document.querySelector(place).children.length);
  await fetch("/answer", {method: "POST", body: JSON.stringify({counts, moved, dots, problems})});
});
</script>"""


@pytest.mark.skipif(BROWSER is None, reason="there is no Chromium")
def test_a_slider_moves_the_picture_in_a_browser(run, tmp_path, monkeypatch):
    page = explorer.page("vae").replace("<title>", WATCH + "<title>", 1).replace("</body>", MOVE + "</body>")
    monkeypatch.setattr(explorer, "page", lambda title: page)
    monkeypatch.setattr(explorer, "QUESTIONS", (*explorer.QUESTIONS, "answer"))
    answers, asked = queue.Queue(), explorer.Explorer(run)
    monkeypatch.setattr(asked, "answer", lambda answer: answers.put(answer) or {}, raising=False)
    command = [BROWSER, "--headless=new", "--no-sandbox", f"--user-data-dir={tmp_path / 'profile'}"]
    with serving(asked) as server:
        process = subprocess.Popen([*command, f"http://127.0.0.1:{server.server_port}/"], stderr=subprocess.DEVNULL)
        try:
            result = answers.get(timeout=240)
        finally:
            process.terminate()
            process.wait(timeout=60)
    assert result["counts"] == [16, explorer.SHOWN, 9, 2]
    np.testing.assert_allclose(result["moved"], [0.25, 0.75], atol=0.01)
    assert result["dots"]
    assert result["problems"] == []


def test_a_browser_that_leaves_before_its_answer_prints_nothing(run, capfd, monkeypatch):
    asked, is_asked, has_left = explorer.Explorer(run), threading.Event(), threading.Event()

    def sample(body):
        is_asked.set()
        assert has_left.wait(timeout=30)
        return {"images": ["x" * 10_000_000]}

    monkeypatch.setattr(asked, "sample", sample)
    with serving(asked) as server:
        browser = socket.create_connection(("127.0.0.1", server.server_port))
        host = f"Host: 127.0.0.1:{server.server_port}"
        browser.sendall(f"POST /sample HTTP/1.1\r\n{host}\r\nContent-Length: 2\r\n\r\n{{}}".encode())
        assert is_asked.wait(timeout=30)
        browser.close()
        has_left.set()
        assert answer_of(server, "/decode", {"z": [0.0, 0.0]})["image"]
    assert capfd.readouterr() == ("", "")
