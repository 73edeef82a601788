"""The open documents, and what their text was read as."""

from __future__ import annotations

import asyncio
from array import array
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from urllib.parse import unquote, urlsplit

from lsprotocol import types

from shiftlens.errors import TranscriptError
from shiftlens.lsp.client.status import State, Status
from shiftlens.lsp.documents.changes import applied
from shiftlens.lsp.documents.store import DocumentAnalysis
from shiftlens.options.pair import ClassifyOptions, PairSpec, ScoreOptions
from shiftlens.text.lines import LineIndex, Unit
from shiftlens.text.trail import Edits, Trail
from shiftlens.transcripts.model import Transcript
from shiftlens.transcripts.read import OwnTemplate, read


@dataclass(frozen=True, slots=True)
class Reading:
    """How a text is to be read: what its file is called, in which format (`""`: detect), up to what size.

    `own_template` finds the chat template of the file's aligned model. Two that are equal find the same.
    """

    filename: str
    format: str
    max_bytes: int
    own_template: OwnTemplate | None = None


@dataclass(frozen=True, slots=True)
class ParsedDocument:
    """One version of a document as a transcript.

    `transcript` is None for a file that is none, that is too large, or (`problem` says why) that can't be read.
    """

    version: int
    text: str
    reading: Reading
    transcript: Transcript | None = None
    problem: TranscriptError | None = None
    too_large: bool = False


@dataclass(frozen=True, slots=True)
class Noise:
    """The marginal and shifted tokens within the noise floor of one version, as spans of its text in order.

    It is that of the pair and options; of another text, or another pair, the floor is not known.
    """

    version: int
    pair: PairSpec
    score_options: ScoreOptions
    classify_options: ClassifyOptions
    spans: tuple[tuple[int, int], ...]

    def is_of(self, version: int, shown: DocumentAnalysis) -> bool:
        """Whether it holds for what is shown of a version."""
        return (self.version, self.pair, self.score_options, self.classify_options) == (
            version,
            shown.pair,
            shown.score_options,
            shown.classify_options,
        )


@dataclass(frozen=True, slots=True)
class EncodedTokens:
    """The colours of one version in one encoding, as sent to the client under `result_id`."""

    version: int
    analysis: DocumentAnalysis | None
    result_id: str
    data: array[int]
    noise: Noise | None = None


@dataclass(slots=True)
class OpenDocument:
    """A document the editor has open. Changed only by its handlers, on the event loop.

    `problems` are the diagnostics of what could not be read; `diagnosed` says that the editor shows any diagnostics.
    """

    uri: str
    version: int
    text: str
    parsed: ParsedDocument | None = None
    status: Status = field(default_factory=lambda: Status(State.WAITING))
    status_version: int | None = None
    problems: tuple[types.Diagnostic, ...] = ()
    diagnosed: bool = False
    debounce_seconds: float = 0.4
    encoded: EncodedTokens | None = None
    noise: Noise | None = None
    read_lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    _lines: LineIndex | None = None
    _trail: Trail = field(init=False)

    def __post_init__(self) -> None:
        self._trail = Trail(self.version)

    def noise_of(self, shown: DocumentAnalysis) -> Noise | None:
        """The tokens within the noise floor, where it is known of the present text and of what is shown."""
        return self.noise if self.noise is not None and self.noise.is_of(self.version, shown) else None

    @property
    def lines(self) -> LineIndex:
        """The line index of the present text, built when first asked for."""
        if self._lines is None:
            self._lines = LineIndex(self.text)
        return self._lines

    def update(self, version: int, changes: Iterable[types.TextDocumentContentChangeEvent], unit: Unit) -> None:
        """Take a client's changes, which lead to `version`."""
        for edit, text in applied(self.lines, changes, unit):
            self._trail.add(version, edit)
            self.text = text
            self._lines = None
        self.version = version

    def edits_since(self, analysis: DocumentAnalysis | ParsedDocument) -> Edits:
        """What became of the text that was analysed or read."""
        return self.edits_between(analysis, self.version, self.text)

    def edits_between(self, analysis: DocumentAnalysis | ParsedDocument, version: int, text: str) -> Edits:
        """What led from that text to a later one of this document."""
        return self._trail.between((analysis.version, analysis.text), (version, text))


def parse(version: int, text: str, reading: Reading) -> ParsedDocument:
    """Read a text as a transcript; one of more than `max_bytes` in UTF-8 is not looked at."""
    if len(text) > reading.max_bytes or len(text.encode("utf-8", "surrogatepass")) > reading.max_bytes:
        return ParsedDocument(version, text, reading, too_large=True)
    try:
        transcript = read(
            text, filename=reading.filename, format=reading.format or None, own_template=reading.own_template
        )
    except TranscriptError as error:
        return ParsedDocument(version, text, reading, problem=error)
    return ParsedDocument(version, text, reading, transcript)


def filename_of(uri: str) -> str:
    """The last part of a uri's path, for the detection of formats by suffix."""
    return PurePosixPath(unquote(urlsplit(uri).path)).name


def position(lines: LineIndex, offset: int, encoding: Unit) -> types.Position:
    """The LSP position of a code-point offset."""
    line, column = lines.position(offset, encoding)
    return types.Position(line=line, character=column)


def span_range(lines: LineIndex, start: int, end: int, encoding: Unit) -> types.Range:
    return types.Range(start=position(lines, start, encoding), end=position(lines, end, encoding))


def offset(lines: LineIndex, at: types.Position, encoding: Unit) -> int:
    """The code-point offset of an LSP position; one past a line's end counts as the line's end."""
    return lines.offset(at.line, at.character, encoding)
