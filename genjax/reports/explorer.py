"""A trained model behind a page on the loopback address: sliders for its codes, interpolation, new samples."""

import base64
import contextlib
import json
import math
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np

from genjax.api.run import Run
from genjax.plots import encode_png, to_uint8
from genjax.plots.ticks import latent_name
from genjax.rng import evenly_spaced
from genjax.types import InputError

HOST = "127.0.0.1"  # no other machine can ask
LARGEST_REQUEST = 1_000_000  # bytes
MOST = 128  # sliders
CODES, SHOWN = 1000, 24  # examples that the sliders' ranges are taken from, and that are shown
PLOTTED = 500  # codes on the plane
QUESTIONS = ("start", "decode", "encode", "interpolate", "reconstruct", "sample")
POLICY = (
    "default-src 'none'; img-src data: blob:; style-src 'unsafe-inline'; script-src 'unsafe-inline'; connect-src 'self'"
)


class Explorer:
    """What the page asks for; each answer is a dictionary for JSON.

    Example:
      >>> Explorer(run).decode({"z": [0.0, 0.0]})["image"][:22]
      'data:image/png;base64,'
    """

    def __init__(self, run: Run):
        """Encodes some examples, and compiles what the page will ask for.

        Raises:
          InputError: the model decodes no codes, or its data are no images.
        """
        if run.model.decode is None or run.model.latent is None:
            raise InputError(f"{run.workdir}: the explorer moves codes, and this model decodes none alone")
        if len(run.spec.shape) != 3:
            raise InputError(f"{run.workdir}: the explorer shows images, and this model's data are points")
        if run.model.latent > MOST:
            raise InputError(f"{run.workdir}: {run.model.latent} dimensions are too many for sliders, {MOST} the most")
        self.run = run
        split = run.dataset.validation
        index = evenly_spaced(CODES, len(split.x))
        places_of_examples = evenly_spaced(SHOWN, len(index))
        self._codes, self._carried = self._own_codes(split.x[index]), self._divergences(split.x[index])
        self._examples = split.x[index[places_of_examples]]
        labels = None if split.y is None or split.y.ndim > 1 else split.y[index]
        self._labels = [] if labels is None else labels[places_of_examples].tolist()
        self._plane_labels = [] if labels is None or run.model.encode is None else labels[:PLOTTED].tolist()
        run.decode(self._codes[:1])

    def _own_codes(self, x: np.ndarray) -> np.ndarray:
        """Codes of data, or of the prior where the model has no encoder."""
        if self.run.model.encode is not None:
            return self.run.encode(x)
        import jax

        assert self.run.model.prior is not None
        return np.asarray(self.run.model.prior(self.run.params, jax.random.key(0), CODES))

    def _divergences(self, x: np.ndarray) -> np.ndarray | None:
        """The KL of each dimension in nats, averaged over data; None where the model has none for each."""
        if self.run.model.rates is None:
            return None
        rates = self.run.rates(x).mean(axis=0)
        return rates if len(rates) == self.run.model.latent else None

    def start(self, _: dict[str, Any]) -> dict[str, Any]:
        """The sliders, those first that carry most, codes to plot, some examples, and what else can be asked."""
        mean, std, model = self._codes.mean(axis=0), self._codes.std(axis=0), self.run.model
        sliders = [
            {
                "dimension": int(d),
                "name": latent_name(int(d)),
                "mean": float(mean[d]),
                "low": float(mean[d] - 3 * std[d] - 1e-3),
                "high": float(mean[d] + 3 * std[d] + 1e-3),
                "kl": None if self._carried is None else round(float(self._carried[d]), 2),
            }
            for d in np.argsort(-(std if self._carried is None else self._carried))
        ]
        return {
            "sliders": sliders,
            "codes": self._codes[:PLOTTED].astype(np.float64).round(3).tolist(),
            "codeLabels": self._plane_labels,
            "examples": [] if model.encode is None else [png_uri(self._stored(x)) for x in self._examples],
            "labels": self._labels,
            "samples": model.sample is not None,
            "shape": list(self.run.spec.shape) if model.encode and model.reconstruct else None,
        }

    def decode(self, question: dict[str, Any]) -> dict[str, Any]:
        """The image of a code `z`."""
        return {"image": png_uri(self.run.decode([self._code(question["z"])])[0])}

    def encode(self, question: dict[str, Any]) -> dict[str, Any]:
        """The code of a shown example, by its `number`."""
        return {"z": self.run.encode(self._examples[[self._number(question["number"])]])[0].tolist()}

    def interpolate(self, question: dict[str, Any]) -> dict[str, Any]:
        """Images between two shown examples, by their numbers `a` and `b`."""
        a, b = (self._examples[self._number(question[name])] for name in "ab")
        return {"images": [png_uri(image) for image in self.run.interpolate(a, b, steps=9, path="linear")]}

    def reconstruct(self, question: dict[str, Any]) -> dict[str, Any]:
        """Of an image, `pixels` from 0 to 255 row by row: how the model sees it, how it rebuilds it, and the code."""
        pixels = np.asarray(question["pixels"])
        if pixels.shape != (math.prod(self.run.spec.shape),) or not ((pixels >= 0) & (pixels <= 255)).all():
            raise InputError(f"pixels are {math.prod(self.run.spec.shape)} numbers from 0 to 255")
        x = (pixels / 255).astype(np.float32).reshape(1, *self.run.spec.shape)
        rebuilt = self.run.reconstruct(x)[0]
        return {"images": [png_uri(x[0]), png_uri(rebuilt)], "z": self.run.encode(x)[0].tolist()}

    def sample(self, question: dict[str, Any]) -> dict[str, Any]:
        """New samples with a `seed`."""
        return {"images": [png_uri(image) for image in self.run.sample(16, seed=int(question["seed"]) % 2**31)]}

    def _code(self, z: Any) -> np.ndarray:
        code = np.asarray(z, np.float32)
        if code.shape != (self.run.model.latent,) or not np.isfinite(code).all():
            raise InputError(f"z is {self.run.model.latent} finite numbers")
        return code

    def _number(self, number: Any) -> int:
        if type(number) is not int or not 0 <= number < len(self._examples):
            raise InputError(f"examples are numbered from 0 to {len(self._examples) - 1}")
        return number

    def _stored(self, x: np.ndarray) -> np.ndarray:
        return x.astype(np.float32) * np.float32(self.run.spec.scale)


def png_uri(image: np.ndarray) -> str:
    """An image `[height, width, channels]` in [0, 1] as the address of a PNG."""
    return f"data:image/png;base64,{base64.b64encode(encode_png(to_uint8(image))).decode()}"


def serve(explorer: Explorer, port: int) -> ThreadingHTTPServer:
    """A server of the page and of its questions on the loopback address; `serve_forever` of the result runs it.

    Args:
      explorer: answers.
      port: 0 for any that is free; `server_port` of the result says which.

    Raises:
      InputError: the port is taken.
    """
    questions = {f"/{name}": getattr(explorer, name) for name in QUESTIONS}
    title = explorer.run.workdir.absolute().name
    try:
        return ThreadingHTTPServer((HOST, port), _handler(questions, title))
    except OSError as error:
        raise InputError(f"port {port} of {HOST} cannot be used: {error.strerror}") from error


def _handler(questions: dict[str, Callable[[dict[str, Any]], dict[str, Any]]], title: str) -> type:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if self.path != "/" or not self._is_local():
                self._answer(404, "text/plain", b"there is one page, /")
                return
            self._answer(200, "text/html; charset=utf-8", page(title).encode())

        def do_POST(self) -> None:
            length = self.headers.get("Content-Length", "")
            is_small = length.isdigit() and int(length) <= LARGEST_REQUEST
            if not (is_small and self._is_local() and self.path in questions):
                self._answer(400, "text/plain", b"no such question")
                return
            try:
                answer = questions[self.path](json.loads(self.rfile.read(int(length))))
            except (InputError, ValueError, KeyError, TypeError) as error:
                self._answer(400, "text/plain", str(error).encode())
                return
            self._answer(200, "application/json", json.dumps(answer).encode())

        def _is_local(self) -> bool:
            """Whether the page itself asks: a page of another site would name its own host or origin."""
            own = {f"{name}:{self.server.server_port}" for name in (HOST, "localhost")}  # pyright: ignore
            origin = self.headers.get("Origin")
            return self.headers.get("Host") in own and origin in (None, *(f"http://{name}" for name in own))

        def _answer(self, code: int, kind: str, body: bytes) -> None:
            self.send_response(code)
            headers = {"Content-Type": kind, "Content-Length": str(len(body)), "Content-Security-Policy": POLICY}
            for name, value in headers.items():
                self.send_header(name, value)
            with contextlib.suppress(BrokenPipeError, ConnectionResetError):  # the page was closed meanwhile
                self.end_headers()
                self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:
            """Prints nothing for each question."""

    return Handler


def page(title: str) -> str:
    """The page as HTML.

    Raises:
      InputError: a library is missing.
    """
    from genjax.reports.page import template

    return template("explorer.html").render(title=title)


def start_line(workdir: Path, port: int) -> str:
    """What a user is told."""
    return f"{workdir} is at http://{HOST}:{port}/; Ctrl-C ends it"
