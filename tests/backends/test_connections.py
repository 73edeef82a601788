"""Over which connections a model server is asked: how old ones, whose certificates are trusted, through which proxy."""

from __future__ import annotations

import asyncio
import ssl
import subprocess
import sys
import threading
from collections.abc import Callable, Coroutine, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import trustme

from shiftlens.backends.connections import Patience
from shiftlens.backends.exchange import Exchange, Unanswered
from shiftlens.errors import ModelError

BODY = {"prompt": [5, 6]}


class Place(ThreadingHTTPServer):
    """A server that answers with the path that it was asked for. `asked` has the paths by connection."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.asked: list[list[str]] = []

    @property
    def where(self) -> str:
        return f"127.0.0.1:{self.server_address[1]}"

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that does not trust the server is no fault of it."""


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Place

    def setup(self) -> None:
        super().setup()
        self.paths: list[str] = []
        self.server.asked.append(self.paths)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 (of the base class)
        pass

    def do_GET(self) -> None:
        self.paths.append(self.path)
        self.rfile.read(int(self.headers["Content-Length"] or 0))
        self.send_response(200)
        self.send_header("Content-Length", str(len(self.path)))
        self.end_headers()
        self.wfile.write(self.path.encode())

    do_POST = do_GET  # noqa: N815 (of the base class)


@pytest.fixture
def place() -> Iterator[Place]:
    with Place() as found:
        threading.Thread(target=found.serve_forever, args=(0.02,), daemon=True).start()
        yield found
        found.shutdown()


@pytest.fixture(autouse=True)
def _no_proxy_and_no_authority_of_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy", "ssl_cert_file", "ssl_cert_dir"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


def told(url: str, ask: Callable[[Exchange], Coroutine[Any, Any, bytes | None]], idle: float = 3.0) -> bytes | None:
    async def asked() -> bytes | None:
        exchange = Exchange(url, None, Patience(idle=idle))
        try:
            return await ask(exchange)
        finally:
            await exchange.close()

    return asyncio.run(asked())


async def of_path(exchange: Exchange) -> bytes | None:
    return await exchange.get("/a")


async def asked_and_sent_twice(exchange: Exchange) -> bytes:
    for path in ("/a", "/b"):
        await exchange.get(path)
    for path in ("/c", "/d"):
        found = await exchange.ask("POST", path, BODY)
    assert (exchange.opened, exchange.lost) == (1, 0)
    return found


@pytest.mark.parametrize(("idle", "texts"), [(60.0, [["/c", "/d"]]), (-1.0, [["/c"], ["/d"]])])
def test_no_text_is_sent_over_a_connection_that_a_server_may_be_about_to_close(
    idle: float, texts: list[list[str]], place: Place
) -> None:
    assert told(f"http://{place.where}", asked_and_sent_twice, idle) == b"/d"
    assert place.asked == [["/a", "/b"], *texts]


def test_a_server_is_trusted_by_the_authority_that_the_user_names_and_by_no_other(
    place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    authority = trustme.CA()
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    place.socket = context.wrap_socket(place.socket, server_side=True)
    url = f"https://{place.where}"
    with pytest.raises(ModelError, match=r"The certificate of https://127\.0\.0\.1:\d+ can't be verified: ") as refused:
        told(url, of_path)
    assert "SSL_CERT_FILE" in refused.value.remedy
    authority.cert_pem.write_to_path(tmp_path / "authority.pem")
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "authority.pem"))
    assert told(url, of_path) == b"/a"


@pytest.mark.parametrize("kind", ["http://", ""])
def test_a_proxy_of_the_environment_is_asked_unless_the_server_is_left_out(
    kind: str, place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", f"{kind}{place.where}")
    # The name is the proxy's to look up.
    assert told("http://models.invalid:8000", of_path) == b"http://models.invalid:8000/a"
    monkeypatch.setenv("no_proxy", "models.invalid")
    with pytest.raises(Unanswered, match="can't be reached"):
        told("http://models.invalid:8000", of_path)


def test_a_proxy_whose_address_is_none_is_told_as_one_that_can_not_be_reached(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "127.0.0.1:99999")
    with pytest.raises(Unanswered, match="can't be reached"):
        told("http://models.invalid:8000", of_path)


def test_a_proxy_of_another_kind_is_refused_with_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("all_proxy", "socks5://user:secret@localhost:1080")
    with pytest.raises(ModelError, match="is of the kind socks5") as refused:
        told("http://models.invalid:8000", of_path)
    assert "NO_PROXY" in refused.value.remedy
    assert "secret" not in str(refused.value)


ENDING = """
import asyncio, sys
from shiftlens.backends.connections import Patience
from shiftlens.backends.exchange import Exchange
from shiftlens.backends.io_loop import io_loop
from shiftlens.backends.server import ServerBackend
from shiftlens.backends.vllm import VLLM
from shiftlens.options.server_names import read_server_name

name = f"vllm:{sys.argv[1]}#a"
exchange = Exchange(sys.argv[1], None, Patience())
backend = ServerBackend(name, read_server_name(name), VLLM(), exchange, allow_download=False)
asked = exchange.ask("POST", "/a", {})
print(asyncio.run_coroutine_threadsafe(asked, io_loop()).result())
"""


def test_a_process_that_ends_says_nothing_of_its_connections(place: Place) -> None:
    line = [sys.executable, "-X", "dev", "-c", ENDING, f"http://{place.where}"]
    done = subprocess.run(line, capture_output=True, check=True, text=True)
    assert (done.stdout, done.stderr) == ("b'/a'\n", "")


def test_an_engine_that_asks_no_server_does_not_load_what_asks_them() -> None:
    loaded = "import sys, shiftlens.engine.worker.jobs; print('aiohttp' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", loaded], capture_output=True, check=True, text=True)
    assert done.stdout == "False\n"
