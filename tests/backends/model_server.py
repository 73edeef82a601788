"""An HTTP server that answers as vLLM, SGLang or OpenAI's older completions are documented to, with a model's scores.

What it gets wrong is set by a test: a `twist` of the rows of an answer, `failures` for the next requests for scores,
`get_failures` for the next others, or `fails_at`, which says by its ids what becomes of a text.

`named_tokens` says whether it gives logprobs of tokens that a request names, as vLLM's `/inference/v1/generate`: "" for
a server without the path, "disabled" and "v1" for what vLLM answers where it was not started with that or can't do it,
and "on". `named_fails_at` says by a request what becomes of it, and `named_twist` makes of their logprobs what is
written as an array, or None for null.
"""

from __future__ import annotations

import base64
import io
import json
import socket
import struct
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer


@dataclass(frozen=True)
class Row:
    """A token of the prompt, its logprob and rank, and the k most likely tokens; None for what a server leaves out."""

    own: int
    logprob: float | None
    rank: int
    top: dict[int, float] | None


_NAMED_TOKENS = "/inference/v1/generate"
_NO_NAMED_TOKENS: dict[str, tuple[dict[str, object], int]] = {
    "": ({"detail": "Not Found"}, 404),
    "disabled": ({"error": {"message": "Restart vllm serve with --enable-scale-out", "code": 403}}, 403),
    "v1": ({"error": {"message": "prompt_logprob_token_ids requires the V2 model runner", "code": 400}}, 400),
}

Rows = list[Row | None]
Twist = Callable[[Rows], Rows]


@dataclass
class ModelServer:
    """Models by the names that they are served under, each with its folder."""

    kind: str
    folders: dict[str, Path]
    max_logprobs: int = 20
    max_model_len: int = 2048
    version: str = "1.2.3"
    key: str = ""
    token_ids: bool = True
    compact: bool = True
    off_by: int = 0
    named_tokens: str = ""
    named_fails_at: Callable[[dict[str, Any]], Callable[[_Handler], None] | None] = lambda _: None
    named_twist: Callable[[np.ndarray[Any, Any]], object] = lambda values: values
    places: dict[str, str] = field(default_factory=dict)
    parents: dict[str, str] = field(default_factory=dict)
    twist: Twist = list
    failures: list[Callable[[_Handler], None]] = field(default_factory=list)
    get_failures: list[Callable[[_Handler], None]] = field(default_factory=list)
    fails_at: Callable[[Sequence[int]], Callable[[_Handler], None] | None] = lambda _: None
    on_score: Callable[[], None] = lambda: None
    asked: list[dict[str, Any]] = field(default_factory=list)
    authorizations: list[str | None] = field(default_factory=list)
    left: threading.Event = field(default_factory=threading.Event)
    hung: threading.Event = field(default_factory=threading.Event)
    port: int = 0

    def __post_init__(self) -> None:
        self._lock = threading.Lock()
        self._models: dict[str, Any] = {}
        self._tokenizer: Any = None
        self._http: ThreadingHTTPServer | None = None
        self._open: set[socket.socket] = set()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def name(self, model: str) -> str:
        return f"{self.kind}:{self.url}#{model}"

    def start(self) -> None:
        handler = type("Handler", (_Handler,), {"served": self})
        self._http = _Http(("127.0.0.1", self.port), handler)
        self.port = self._http.server_address[1]
        threading.Thread(target=self._http.serve_forever, args=(0.02,), daemon=True).start()

    def stop(self) -> None:
        """As a killed process does: every connection is broken off."""
        if self._http is not None:
            self._http.shutdown()
            self._http.server_close()
            self._http = None
        for each in list(self._open):
            with _closing():
                each.shutdown(socket.SHUT_RDWR)

    def logprobs(self, model: str, ids: Sequence[int]) -> Any:
        """Of all tokens, in the place of each but the first."""
        with self._lock, torch.inference_mode():
            if model not in self._models:
                loaded = AutoModelForCausalLM.from_pretrained(self.folders[model], dtype=torch.float32)
                self._models[model] = loaded.train(False)
            every = self._models[model](torch.tensor([list(ids)])).logits[0].float().log_softmax(-1)
            # Row i of the logits is of what comes behind token i.
            return every[[max(0, at + self.off_by) for at in range(len(ids) - 1)]]

    def rows(self, model: str, ids: Sequence[int], k: int) -> Rows:
        """Of every token, the first of which has none."""
        every = self.logprobs(model, ids)
        rows: Rows = [None]
        for own, logprobs in zip(ids[1:], every, strict=True):
            best = logprobs.topk(k)
            top = dict(zip(best.indices.tolist(), best.values.tolist(), strict=True))
            rows.append(Row(own, float(logprobs[own]), int((logprobs >= logprobs[own]).sum()), top))
        return self.twist(rows)

    def text_of(self, model: str, token: int) -> str:
        if self.token_ids:
            return f"token_id:{token}"
        if self._tokenizer is None:
            self._tokenizer = AutoTokenizer.from_pretrained(self.folders[model])
        return str(self._tokenizer.decode([token]))


@contextmanager
def serving(server: ModelServer) -> Iterator[ModelServer]:
    """The server, for as long as this lasts."""
    server.start()
    try:
        yield server
    finally:
        server.stop()


@contextmanager
def _closing() -> Iterator[None]:
    try:
        yield
    except OSError:
        return


class _Http(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 64

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that left is no fault of the server."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    served: ModelServer
    ids: list[int]

    def setup(self) -> None:
        super().setup()
        self.served._open.add(self.connection)

    def finish(self) -> None:
        self.served._open.discard(self.connection)
        super().finish()

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 (of the base class)
        pass

    def do_GET(self) -> None:
        server = self.served
        if server.get_failures:
            server.get_failures.pop(0)(self)
        elif self.path == "/v1/models":
            self.answer({"object": "list", "data": [self._card(name) for name in server.folders]})
        elif self.path == "/version" and server.kind == "vllm":
            self.answer({"version": server.version})
        elif self.path == "/get_model_info" and server.kind == "sglang":
            first = str(next(iter(server.folders.values())))
            self.answer({"model_path": first, "tokenizer_path": first, "is_generation": True})
        elif self.path == "/get_server_info" and server.kind == "sglang":
            self.answer({"version": server.version, "tp_size": 1})
        else:
            self.answer({"detail": "Not Found"}, status=404)

    def do_POST(self) -> None:
        server = self.served
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if self.path == _NAMED_TOKENS and server.named_tokens != "on":
            self.answer(*_NO_NAMED_TOKENS[server.named_tokens])
            return
        server.authorizations.append(self.headers["Authorization"])
        server.asked.append(body)
        server.on_score()
        self.ids = body.get("prompt") or body.get("input_ids") or body.get("token_ids") or []
        at_this = server.fails_at(self.ids)
        if server.key and self.headers["Authorization"] != f"Bearer {server.key}":
            self.answer({"error": "Unauthorized"}, status=401)
        elif server.failures:
            server.failures.pop(0)(self)
        elif at_this is not None:
            at_this(self)
        elif self.path == "/generate":
            self.answer(self._generate(body))
        elif self.path == "/v1/completions":
            self._completions(body)
        elif self.path == _NAMED_TOKENS:
            (server.named_fails_at(body) or (lambda _: self._named_tokens(body)))(self)
        else:
            self.answer({"detail": "Not Found"}, status=404)

    def answer(self, value: object, status: int = 200, headers: dict[str, str] | None = None) -> None:
        body = json.dumps(value).encode()
        self.send_response(status)
        for name, said in {
            "Content-Type": "application/json",
            "Content-Length": str(len(body)),
            **(headers or {}),
        }.items():
            self.send_header(name, said)
        self.end_headers()
        self.wfile.write(body)

    def _card(self, name: str) -> dict[str, object]:
        server = self.served
        root = server.places.get(name, str(server.folders[name]))
        parent = server.parents.get(name)
        return {"id": name, "object": "model", "root": root, "parent": parent, "max_model_len": server.max_model_len}

    def _completions(self, body: dict[str, Any]) -> None:
        server, ids = self.served, body["prompt"]
        k = body.get("prompt_logprobs") or body["logprobs"]
        if k > server.max_logprobs:
            said = f"Requested prompt logprobs of {k}, which is greater than max allowed: {server.max_logprobs}"
            self.answer({"error": {"message": said, "type": "BadRequestError", "code": 400}}, status=400)
            return
        if len(ids) + 1 > server.max_model_len:
            said = f"This model's maximum context length is {server.max_model_len} tokens."
            self.answer({"error": {"message": said, "type": "BadRequestError", "code": 400}}, status=400)
            return
        rows = server.rows(body["model"], ids, k)
        choice: dict[str, Any] = {"index": 0, "text": "x", "finish_reason": "length"}
        if "prompt_logprobs" in body:
            choice.update(
                self._vllm(rows), prompt_token_ids=[ids[0], *(row.own for row in rows[1:] if row is not None)]
            )
            if len(choice["prompt_token_ids"]) != len(ids):
                del choice["prompt_token_ids"]
        else:
            choice.update(logprobs=self._echoed(body["model"], ids, rows))
        usage = {"prompt_tokens": len(rows), "completion_tokens": 1, "total_tokens": len(rows) + 1}
        self.answer({"object": "text_completion", "model": body["model"], "choices": [choice], "usage": usage})

    def _named_tokens(self, body: dict[str, Any]) -> None:
        server, ids, sampling = self.served, body["token_ids"], body["sampling_params"]
        asked, start = sampling["prompt_logprob_token_ids"], sampling["prompt_logprob_start"]
        width = max(len(row) for row in asked)
        if width > server.max_logprobs or len(asked) != len(ids) - 1 - start:
            said = f"Requested {width} token ids per row in prompt_logprob_token_ids, or {len(asked)} rows."
            self.answer({"error": {"message": said, "type": "BadRequestError", "code": 400}}, status=400)
            return
        tokens = torch.tensor([[*row, *[-1] * (width - len(row))] for row in asked])
        values = server.logprobs(body["model"], ids)[start:].gather(1, tokens.clamp(min=0))
        written = server.named_twist(values.masked_fill(tokens < 0, -torch.inf).numpy())
        found = {
            "request_id": "1",
            "model": body["model"],
            "prompt_logprobs": None,
            "prompt_token_id_logprobs": written if written is None or isinstance(written, str) else npy(written),
            "prompt_token_ids": ids if body.get("return_token_ids") else None,
            "output_mode": "tokens",
            "choices": [{"index": 0, "finish_reason": "length", "token_ids": [5], "logprobs": None}],
        }
        self.answer(found)

    def _vllm(self, rows: Rows) -> dict[str, Any]:
        def entry(row: Row | None) -> dict[str, object] | None:
            if row is None or row.top is None:
                return None
            # Its own token first with the kernel's rank, then the others in the order of their ranks; one key is one.
            found = {} if row.logprob is None else {row.own: (row.logprob, row.rank)}
            found.update({token: (value, at) for at, (token, value) in enumerate(row.top.items(), start=1)})
            return {str(t): {"logprob": v, "rank": r, "decoded_token": "?"} for t, (v, r) in found.items()}

        return {"prompt_logprobs": [entry(row) for row in rows]}

    def _echoed(self, model: str, ids: Sequence[int], rows: Rows) -> dict[str, Any]:
        def text(token: int) -> str:
            return self.served.text_of(model, token)

        tops: list[dict[str, float] | None] = []
        for row in rows:
            if row is None or row.top is None:
                tops.append(None)
                continue
            top = {text(token): value for token, value in row.top.items()}
            tops.append(top if row.logprob is None else {**top, text(row.own): row.logprob})
        own = [None if row is None else row.logprob for row in rows]
        # The token that was generated stands behind.
        return {
            "tokens": [text(ids[0]), *(text(row.own if row else 0) for row in rows[1:]), text(5)],
            "token_logprobs": [*own, -0.5],
            "top_logprobs": [*tops, {text(5): -0.5}],
            "text_offset": [0] * (len(rows) + 1),
        }

    def _generate(self, body: dict[str, Any]) -> dict[str, Any]:
        server, ids, start = self.served, body["input_ids"], body["logprob_start_len"]
        model = body.get("lora_path") or next(iter(server.folders))
        rows = server.rows(model, ids, body["top_logprobs_num"])
        own: list[list[Any]] = [[None, ids[start], None]]
        tops: list[Any] = [None]
        for row in rows[start + 1 :]:
            own.append([None, 0, None] if row is None else [row.logprob, row.own, None])
            tops.append(None if row is None or row.top is None else [[v, t, None] for t, v in row.top.items()])
        meta = {"prompt_tokens": len(rows), "cached_tokens": 0, "input_token_logprobs": own}
        if server.compact and body.get("return_flat_raw_top_logprobs_b64"):
            meta.update(_compact(tops, body["top_logprobs_num"]))
        else:
            meta["input_top_logprobs"] = tops
        return {"text": "", "meta_info": meta}


def _compact(tops: list[Any], k: int) -> dict[str, Any]:
    """Candidates as SGLang writes them without nested lists: the nulls in front are counted, and others not allowed."""
    nulls = next((at for at, top in enumerate(tops) if top is not None), len(tops))
    rows = tops[nulls:]
    if any(row is None or len(row) != k for row in rows):
        return {"input_top_logprobs": tops}
    values = b"".join(struct.pack("<f", value) for row in rows for value, _, _ in row)
    ids = b"".join(struct.pack("<i", token) for row in rows for _, token, _ in row)
    return {
        "input_top_logprobs_val_flat_b64": base64.b64encode(values).decode(),
        "input_top_logprobs_idx_flat_b64": base64.b64encode(ids).decode(),
        "input_top_logprobs_val_flat_b64_dtype": "float32",
        "input_top_logprobs_idx_flat_b64_dtype": "int32",
        "input_top_logprobs_shape": [len(rows), k],
        "input_top_logprobs_null_prefix": nulls,
    }


def npy(array: object) -> str:
    """An array as vLLM writes it into JSON."""
    file = io.BytesIO()
    np.save(file, np.asarray(array), allow_pickle=False)
    return base64.b64encode(file.getvalue()).decode()


def status(code: int, **headers: str) -> Callable[[_Handler], None]:
    """A failure with this status."""
    return lambda handler: handler.answer({"error": {"message": "not now"}}, code, headers)


def cut(handler: _Handler) -> None:
    """The beginning of an answer, and then the end of the connection."""
    handler.send_response(200)
    handler.send_header("Content-Length", "5000")
    handler.end_headers()
    handler.wfile.write(b'{"choices": [')
    handler.close_connection = True


def hang(handler: _Handler) -> None:
    """No answer, until the client leaves."""
    handler.served.hung.set()
    handler.connection.settimeout(60)
    if handler.connection.recv(1) == b"":
        handler.served.left.set()
    handler.close_connection = True


def ends_with(folder: Path, text: str) -> Callable[[Sequence[int]], bool]:
    """Whether ids are of a text with this end, and have the end of a response behind it."""
    tail = AutoTokenizer.from_pretrained(folder)(text, add_special_tokens=False)["input_ids"]
    return lambda ids: list(ids[-1 - len(tail) : -1]) == tail


def empty(handler: _Handler) -> None:
    """200, and nothing."""
    handler.send_response(200)
    handler.send_header("Content-Length", "0")
    handler.end_headers()


def page(handler: _Handler) -> None:
    """What a proxy answers with."""
    handler.send_response(200)
    body = b"<html>Sign in</html>"
    handler.send_header("Content-Length", str(len(body)))
    handler.end_headers()
    handler.wfile.write(body)
