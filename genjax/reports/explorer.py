"""A trained model behind a page on the loopback address: sliders for its codes, interpolation, new samples."""

import base64
import io
import json
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np

from genjax.api.run import Run
from genjax.plots import to_uint8
from genjax.rng import evenly_spaced
from genjax.types import InputError

HOST = "127.0.0.1"  # no other machine can ask
LARGEST_REQUEST = 1_000_000  # bytes
MOST = 128  # sliders
CODES, SHOWN = 1000, 24  # examples that the sliders' ranges are taken from, and that are shown
POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'unsafe-inline'; connect-src 'self'"


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
        self._codes = self._own_codes(split.x[index])
        self._examples = split.x[index[evenly_spaced(SHOWN, len(index))]]
        y = split.y
        self._labels = [] if y is None or y.ndim > 1 else y[index[evenly_spaced(SHOWN, len(index))]].tolist()
        run.decode(self._codes[:1])

    def _own_codes(self, x: np.ndarray) -> np.ndarray:
        """Codes of data, or of the prior where the model has no encoder."""
        if self.run.model.encode is not None:
            return self.run.encode(x)
        import jax

        assert self.run.model.prior is not None
        return np.asarray(self.run.model.prior(self.run.params, jax.random.key(0), CODES))

    def start(self, _: dict[str, Any]) -> dict[str, Any]:
        """Where the sliders stand and reach, the dimensions that vary most first, and some examples."""
        mean, std = self._codes.mean(axis=0), self._codes.std(axis=0)
        sliders = [
            {
                "dimension": int(d),
                "mean": float(mean[d]),
                "low": float(mean[d] - 3 * std[d] - 1e-3),
                "high": float(mean[d] + 3 * std[d] + 1e-3),
            }
            for d in np.argsort(-std)
        ]
        encodes = self.run.model.encode is not None
        images = [png_uri(self._stored(x)) for x in self._examples] if encodes else []
        samples = self.run.model.sample is not None
        return {"sliders": sliders, "examples": images, "labels": self._labels, "samples": samples}

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
    from PIL import Image

    pixels = to_uint8(image)
    Image.fromarray(pixels[..., 0] if pixels.shape[-1] == 1 else pixels).save(buffer := io.BytesIO(), format="png")
    return f"data:image/png;base64,{base64.b64encode(buffer.getvalue()).decode()}"


def serve(explorer: Explorer, port: int) -> ThreadingHTTPServer:
    """A server of the page and of its questions on the loopback address; `serve_forever` of the result runs it.

    Args:
      explorer: answers.
      port: 0 for any that is free; `server_port` of the result says which.

    Raises:
      InputError: the port is taken.
    """
    questions = {f"/{name}": getattr(explorer, name) for name in ("start", "decode", "encode", "interpolate", "sample")}
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
