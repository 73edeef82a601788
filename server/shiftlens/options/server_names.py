"""Names of models on servers: `vllm:URL#NAME`, `sglang:URL#NAME` and `openai:URL#NAME`.

`;tokenizer=PLACE` behind the name says where the model's tokenizer is (a folder, or a name of the hub), where the
server doesn't tell or tells a place that is not on this machine.
"""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlsplit

from shiftlens.errors import ModelError

KINDS_OF_SERVERS = ("vllm", "sglang", "openai")
_TOKENIZER = ";tokenizer="
_FORM = "Write it as in `vllm:http://localhost:8000#NAME`."


@dataclass(frozen=True, slots=True)
class ServerName:
    """A model on a server. `url` ends without a slash and without `/v1`; `tokenizer` is "" where none is named."""

    kind: str
    url: str
    model: str
    tokenizer: str = ""


def is_server_name(name: str) -> bool:
    """Whether a model's name means a server, be it well formed or not."""
    kind, colon, _ = name.partition(":")
    return bool(colon) and kind in KINDS_OF_SERVERS


def read_server_name(name: str) -> ServerName | None:
    """What a name says; None for the name of a model that is not on a server. Raises ModelError for a bad one.

    A URL with a password or a query is refused, since names are shown and logged.
    """
    if not is_server_name(name):
        return None
    kind, _, rest = name.partition(":")
    address, _, named = rest.partition("#")
    model, _, tokenizer = named.partition(_TOKENIZER)
    try:
        parts = urlsplit(address)
        port = parts.port
    except ValueError:
        raise ModelError(f"The name of a {kind} server has no valid URL.", _FORM) from None
    if parts.username is not None or parts.password is not None or parts.query:
        raise ModelError(
            f"The URL of a {kind} server holds a password or a query.",
            "Names are shown and kept; put the key of a server into the environment variable SHIFTLENS_API_KEYS.",
        )
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ModelError(f"{name} names no server: its URL must begin with http:// or https:// and a host.", _FORM)
    if not model.strip():
        raise ModelError(f"{name} names a server, but none of its models.", f"Add `#` and the model's name. {_FORM}")
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    path = parts.path.rstrip("/").removesuffix("/v1")
    url = f"{parts.scheme}://{host}{'' if port is None else f':{port}'}{path}"
    return ServerName(kind, url, model.strip(), tokenizer.strip())


def origin_of(url: str) -> str:
    """Scheme, host and port of a URL, with the usual port where none is named. Raises ValueError."""
    parts = urlsplit(url)
    port = parts.port or {"https": 443, "http": 80}.get(parts.scheme, 0)
    if not parts.hostname or not port:
        raise ValueError("no host")
    return f"{parts.scheme}://{parts.hostname}:{port}"
