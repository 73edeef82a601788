"""The server of llama-cpp-python that serves the bundled aligned model as a GGUF file, and a gateway before it.

It takes prompts as texts alone. The gateway makes texts of the ids that it is sent, which is what one might put there.
"""

from __future__ import annotations

import json
import subprocess
import tempfile
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from oracles.real_vllm import free_port

LLAMA_CPP_PYTHON = Path(__file__).parents[2] / "build/llama-cpp/bin/python"
"""The Python that `make oracle-llama-cpp` installs llama-cpp-python for."""

NAME = "aligned"
MOST_SECONDS = 120


@contextmanager
def llama_cpp(file: Path) -> Iterator[str]:
    """The URL of a server of this model, for as long as this lasts. Raises RuntimeError with the end of its log."""
    port = free_port()
    serve = [str(LLAMA_CPP_PYTHON.absolute()), "-m", "llama_cpp.server", "--model", str(file), "--model_alias", NAME]
    serve += ["--host", "127.0.0.1", "--port", str(port), "--n_ctx", "2048", "--n_threads", "1"]
    with tempfile.TemporaryFile() as log:
        process = subprocess.Popen(serve, stdout=log, stderr=log)
        try:
            url, end = f"http://127.0.0.1:{port}", time.monotonic() + MOST_SECONDS
            while not _is_up(url):
                if process.poll() is not None or time.monotonic() > end:
                    log.seek(0)
                    raise RuntimeError(log.read()[-5000:].decode(errors="replace"))
                time.sleep(0.5)
            yield url
        finally:
            process.kill()
            process.wait(60)


@contextmanager
def gateway(url: str, tokenizer: Any) -> Iterator[str]:
    """The URL of a server that has another one score the texts of the ids that it is sent."""

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 (of the base class)
            pass

        def do_GET(self) -> None:
            self._tell(*asked(url + self.path))

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            self._tell(*asked(url + self.path, {**body, "prompt": tokenizer.decode(body["prompt"])}))

        def _tell(self, status: int, body: bytes) -> None:
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()


def asked(url: str, body: dict[str, Any] | None = None) -> tuple[int, bytes]:
    """What a URL answers: the status and the body."""
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data, {"Content-Type": "application/json"})  # noqa: S310 (loopback)
    try:
        with urllib.request.urlopen(request, timeout=120) as answer:  # noqa: S310 (loopback)
            return int(answer.status), bytes(answer.read())
    except urllib.error.HTTPError as error:
        return error.code, error.read()


def echoed(url: str, text: str, k: int) -> tuple[Sequence[str], Sequence[dict[str, float] | None]]:
    """The tokens of a text and what the server says of each, as one asks it by hand."""
    body = {"model": NAME, "prompt": text, "echo": True, "max_tokens": 1, "logprobs": k, "temperature": 0}
    status, answer = asked(f"{url}/v1/completions", body)
    assert status == 200, answer[:500]
    told = json.loads(answer)["choices"][0]["logprobs"]
    return told["tokens"], told["top_logprobs"]


def _is_up(url: str) -> bool:
    try:
        return asked(f"{url}/v1/models")[0] == 200
    except (urllib.error.URLError, OSError):
        return False
