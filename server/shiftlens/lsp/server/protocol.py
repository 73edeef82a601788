"""pygls' protocol, with the edges that were found sharp taken off."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Generator
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import attrs
from lsprotocol import types
from pygls.capabilities import get_capability
from pygls.exceptions import JsonRpcException, JsonRpcInvalidParams, JsonRpcInvalidRequest
from pygls.protocol import LanguageServerProtocol, lsp_method

from shiftlens.lsp.jobs.pages import PAGE_SCHEME
from shiftlens.scores.continuations import DEFAULT_SAMPLES, DEFAULT_TOKENS

if TYPE_CHECKING:
    from cattrs import Converter

_INTERNAL_ERROR = -32603


@attrs.define
class DocumentParams:
    """Parameters of `shiftlens/analysis`, `shiftlens/survey` and `shiftlens/tokens`."""

    uri: str


@attrs.define
class TokenParams:
    """Parameters of `shiftlens/token`."""

    uri: str
    position: types.Position


@attrs.define
class NextParams:
    """Parameters of `shiftlens/next`: where from, to what ("token" or "run"), which way ("next" or "previous")."""

    uri: str
    position: types.Position
    of: str = "token"
    direction: str = "next"


@attrs.define
class ContinueParams:
    """Parameters of `shiftlens/continue`: where, with which voices, and the token of partial results."""

    uri: str
    position: types.Position
    alpha: float | None = None
    samples: int = 0
    seed: int = 0
    temperature: float = 1.0
    top_p: float = 1.0
    max_tokens: int = DEFAULT_TOKENS
    partial_result_token: str | int | None = None


@attrs.define
class CrossSampleParams:
    """Parameters of `shiftlens/crossSample`: where, or how many of the response there (each by itself, or together),
    and how samples are drawn."""

    uri: str
    position: types.Position
    most: int | None = None
    together: bool = False
    samples: int = DEFAULT_SAMPLES
    seed: int = 0
    temperature: float = 1.0
    top_p: float = 1.0
    max_tokens: int = DEFAULT_TOKENS
    partial_result_token: str | int | None = None
    work_done_token: str | int | None = None


@attrs.define
class ContextsParams:
    """Parameters of `shiftlens/contexts`: which base contexts (None: all that have names), and a token of progress."""

    uri: str
    contexts: list[str] | None = None
    work_done_token: str | int | None = None


@attrs.define
class NoiseFloorParams:
    """Parameters of `shiftlens/noiseFloor`: another dtype ("": one that differs), "int8" or a GGUF file; a token of
    progress."""

    uri: str
    against: str = ""
    work_done_token: str | int | None = None


@attrs.define
class RankParams:
    """Parameters of `shiftlens/rank`: where, and the text to score there."""

    uri: str
    position: types.Position
    text: str


_Params = TypeVar("_Params")


@attrs.define
class OwnRequest(Generic[_Params]):
    """A request of our own. Its handler answers with a plain object or null."""

    id: int | str
    params: _Params
    method: str
    jsonrpc: str = "2.0"


_OWN_MESSAGES: dict[str, type[Any]] = {
    "shiftlens/analysis": OwnRequest[DocumentParams],
    "shiftlens/contexts": OwnRequest[ContextsParams],
    "shiftlens/continue": OwnRequest[ContinueParams],
    "shiftlens/crossSample": OwnRequest[CrossSampleParams],
    "shiftlens/next": OwnRequest[NextParams],
    "shiftlens/noiseFloor": OwnRequest[NoiseFloorParams],
    "shiftlens/rank": OwnRequest[RankParams],
    "shiftlens/survey": OwnRequest[DocumentParams],
    "shiftlens/token": OwnRequest[TokenParams],
    "shiftlens/tokens": OwnRequest[DocumentParams],
}


# What is offered to clients that say they have a use for it. Not here are symbols and highlights: some clients ask for
# these without having said so (Helix does).
_NEEDED = {
    "code_lens_provider": "text_document.code_lens",
    "folding_range_provider": "text_document.folding_range",
    "inlay_hint_provider": "text_document.inlay_hint",
    "inline_completion_provider": "text_document.inline_completion",
    "selection_range_provider": "text_document.selection_range",
}


class ShiftLensProtocol(LanguageServerProtocol):
    """Types our own requests, tells the client no tracebacks, and keeps its books short."""

    _begun = False

    @property
    def was_shut_down(self) -> bool:
        """Whether the client asked for `shutdown`."""
        return bool(self._shutdown)

    @property
    def converter(self) -> Converter:
        """What makes plain values of the protocol's types."""
        return self._converter

    @property
    def pending(self) -> int:
        """Number of requests and notifications in flight, either way."""
        return len(self._request_futures)

    @functools.lru_cache  # noqa: B019 (as the method it overrides; there is one protocol per process)
    def get_message_type(self, method: str) -> type[Any] | None:
        return _OWN_MESSAGES.get(method) or super().get_message_type(method)

    def take(self, sent: object) -> None:
        """Handle one message. A request that can't be read is answered with why; other such messages are dropped.

        pygls leaves requests with wrong parameters, and those after `shutdown`, without an answer.
        Raises JsonRpcException for a message that was dropped.
        """
        if not isinstance(sent, dict) or sent.get("jsonrpc") != self.VERSION:
            self._turn_down(sent, types.ErrorCodes.InvalidRequest, "This is no message of JSON-RPC 2.0.")
            raise JsonRpcInvalidRequest
        if self._shutdown and sent.get("method") != types.EXIT:
            self._turn_down(sent, types.ErrorCodes.InvalidRequest, "The session was shut down.")
            return
        try:
            message = self.structure_message(sent)
        except JsonRpcException:
            self._turn_down(sent, types.ErrorCodes.InvalidParams, "The parameters are not those of this method.")
            raise
        self.handle_message(message)

    def _turn_down(self, sent: object, code: types.ErrorCodes, message: str) -> None:
        """Answer with an error, where it is a request that can be answered."""
        if not isinstance(sent, dict) or "method" not in sent:
            return
        name = sent.get("id")
        if isinstance(name, (int, str)) and not isinstance(name, bool):
            self._send_response(name, None, types.ResponseError(code=code, message=message))

    def _send_response(
        self, msg_id: int | str, result: Any | None = None, error: types.ResponseError | None = None
    ) -> None:
        # The message and the traceback that pygls would send name local paths and may quote the document.
        if error is not None and error.code == _INTERNAL_ERROR:
            error = types.ResponseError(code=error.code, message="Internal error; the server's log has the details.")
        super()._send_response(msg_id, result, error)

    def _handle_response(
        self, msg_id: int | str, result: Any | None = None, error: types.ResponseError | None = None
    ) -> None:
        future = self._request_futures.get(msg_id)
        if future is not None and future.done():
            # We gave up waiting before the answer came; pygls would raise.
            del self._request_futures[msg_id]
            return
        super()._handle_response(msg_id, result, error)

    def _handle_request(self, msg_id: int | str, method_name: str, params: Any) -> None:
        refusal = self._refusal(method_name)
        if refusal is not None:
            self._send_response(msg_id, None, refusal)
            return
        self._begun = True
        super()._handle_request(msg_id, method_name, params)

    def _refusal(self, method: str) -> types.ResponseError | None:
        """A session begins with `initialize`, once."""
        if self._begun == (method != types.INITIALIZE):
            return None
        code = types.ErrorCodes.InvalidRequest if self._begun else types.ErrorCodes.ServerNotInitialized
        said = "`initialize` was asked for already." if self._begun else "The first request must be `initialize`."
        return types.ResponseError(code=code, message=said)

    def _handle_notification(self, method_name: str, params: Any) -> None:
        if not self._begun and method_name != types.EXIT:
            return
        super()._handle_notification(method_name, params)
        # pygls keeps the future of every notification for ever.
        for msg_id in [key for key, future in self._request_futures.items() if future.done()]:
            del self._request_futures[msg_id]

    @lsp_method(types.INITIALIZE)
    def lsp_initialize(self, params: types.InitializeParams) -> Generator[Any, Any, types.InitializeResult]:
        """As pygls has it, but of what the client can show, and with what pygls has no place for.

        That is whose content the server writes: pygls knows the request, but not the answer.
        """
        result: types.InitializeResult = yield from super().lsp_initialize(params)
        workspace = result.capabilities.workspace or types.WorkspaceOptions()
        workspace.text_document_content = types.TextDocumentContentOptions(schemes=[PAGE_SCHEME])
        result.capabilities.workspace = workspace
        for provider, needed in _NEEDED.items():
            if get_capability(params.capabilities, needed) is None:
                setattr(result.capabilities, provider, None)
        return result

    @lsp_method(types.WORKSPACE_EXECUTE_COMMAND)
    def lsp_workspace__execute_command(self, params: types.ExecuteCommandParams) -> Generator[Any, Any, Any]:
        """As pygls has it; more or fewer arguments than a command takes are the client's error."""
        handler = self.fm.commands.get(params.command)
        if handler is not None:
            try:
                # What pygls wraps takes the server before its arguments.
                inspect.signature(getattr(handler, "func", handler)).bind(self, *(params.arguments or ()))
            except TypeError as error:
                raise JsonRpcInvalidParams(f"{params.command}: {error}") from error
        return (yield from super().lsp_workspace__execute_command(params))

    @lsp_method(types.TEXT_DOCUMENT_DID_CHANGE)
    def lsp_text_document__did_change(self, params: types.DidChangeTextDocumentParams) -> Generator[Any, Any, None]:
        """Without pygls' own copy of the text, which it would get wrong; see `changes`."""
        if (handler := self.fm.features.get(types.TEXT_DOCUMENT_DID_CHANGE)) is not None:
            yield handler, (params,), None

    @lsp_method(types.SHUTDOWN)
    def lsp_shutdown(self, *args: Any) -> Generator[Any, Any, None]:
        """As pygls has it, but futures whose callbacks change the table may be in flight."""
        if (handler := self.fm.features.get(types.SHUTDOWN)) is not None:
            yield handler, args, None
        current = self.msg_id
        for msg_id, future in list(self._request_futures.items()):
            if msg_id != current and not future.done():
                future.cancel()
        self._shutdown = True
