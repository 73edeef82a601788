"""From the files of a corpus to their responses, one row at a time, from any place on."""

from __future__ import annotations

import functools
import itertools
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import PurePath

from shiftlens.corpora.files import CorpusFile
from shiftlens.corpora.raw_rows import RawRow, open_text, raw_rows, whole_row
from shiftlens.corpora.tables import table_rows
from shiftlens.errors import TranscriptError
from shiftlens.options.pair import SCORE_PARTS
from shiftlens.options.settings import read_front_matter_values
from shiftlens.pipeline.unscored import why_nothing
from shiftlens.scores.requests import Requests
from shiftlens.transcripts.archives import FORMAT_NAME as ARCHIVED
from shiftlens.transcripts.archives import members, read_member
from shiftlens.transcripts.file_bytes import read_bytes
from shiftlens.transcripts.files import is_archive
from shiftlens.transcripts.model import Response, Transcript
from shiftlens.transcripts.read import OwnTemplate, read
from shiftlens.transcripts.registry import json_formats

_ROWS_OF_HEAD, _CHARACTERS_OF_HEAD = 50, 200_000
LEFT_OUT, IN_PART, REFUSED, NOTE = "left out", "in part", "refused", "note"
_IDS = ("id", "uuid", "_id", "prompt_id", "conversation_id", "idx")


class NoTranscriptError(TranscriptError):
    """A file that is no transcript, so far as can be told."""


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """Where the next thing to read is: by the number of its file, of the row there, and of the response in the row."""

    file: int = 0
    row: int = 0
    response: int = 0


START = Place()


@dataclass(frozen=True, slots=True)
class Problem:
    """What was not read of a row, or of a file (`row` None).

    `kind`: "left out" where nothing of it is in the output, "in part" where some of it is, "refused"
    where it is there without scores, "note" for what is no loss.
    """

    file: str
    row: int | None
    line: int | None
    why: str
    kind: str = LEFT_OUT


@dataclass(frozen=True, slots=True)
class Found:
    """A response of a corpus, and where. `at` is its own place, `number` that in `requests`; `id` is the row's own."""

    at: Place
    file: str
    line: int | None
    id: str | None
    format: str
    response: Response
    requests: Requests
    number: int


@dataclass(frozen=True, slots=True)
class Reached:
    """A step of reading: responses or problems of one row, and where reading goes on after them.

    `done` is how much of the corpus is read by then, from 0 to 1.
    """

    responses: tuple[Found, ...]
    problems: tuple[Problem, ...]
    then: Place
    done: float


@dataclass(frozen=True, slots=True)
class CorpusReader:
    """Reads files as `shiftlens analyze` would, but row by row. Of files of rows, the first rows tell the format.

    `format_name` is the format that the user named; a row, or a file that is one, may have up to `max_bytes` bytes.
    """

    files: Sequence[CorpusFile]
    format_name: str | None
    max_bytes: int
    own_template: OwnTemplate | None = None

    def read(self, start: Place = Place()) -> Iterator[Reached]:
        """All from a place on, in order. Raises ShiftLensError where what reads a file is not installed."""
        total = sum(file.size for file in self.files) or 1
        before = sum(file.size for file in self.files[: start.file])
        for number in range(start.file, len(self.files)):
            file = self.files[number]
            first = start if number == start.file else Place(number)
            try:
                for row in self._rows(file, first):
                    done = (before + row.done * file.size) / total
                    yield self._reached(file, number, row, first, done)
            except TranscriptError as error:
                # A folder may hold other files as well.
                kind = NOTE if isinstance(error, NoTranscriptError) and not file.is_named else LEFT_OUT
                problem = Problem(file.name, None, error.line, f"{error.problem} {error.remedy}".strip(), kind)
                yield Reached((), (problem,), Place(number + 1), (before + file.size) / total)
            before += file.size

    def _rows(self, file: CorpusFile, first: Place) -> Iterator[_Row]:
        path = file.path
        if path.suffix.lower() in (".parquet", ".arrow"):
            rows_from = functools.partial(table_rows, path, self.max_bytes)
            yield from self._of_rows(file, rows_from(), first, rows_from=rows_from)
            return
        if _starts_as_archive(file):
            for number, member in enumerate(members(read_bytes(file.name, b"", self.max_bytes), path.name)):
                if number >= first.row:
                    archived = read_member(member)
                    yield _Row(RawRow(number, None, archived.text, name=member.name), ARCHIVED, archived.transcript)
            return
        with open_text(path) as opened:
            if opened.shape == "whole":
                if first.row == 0:
                    yield self._whole(file, whole_row(opened, self.max_bytes))
                return
            yield from self._of_rows(file, raw_rows(opened, self.max_bytes), first, opened.shape == "list")

    def _of_rows(
        self,
        file: CorpusFile,
        rows: Iterator[RawRow],
        first: Place,
        is_list: bool = False,
        rows_from: Callable[[int], Iterator[RawRow]] | None = None,
    ) -> Iterator[_Row]:
        """Rows in the format of the first ones; a file that is one conversation is one row.

        `rows_from` reads rows from a number on, where a file has them at places that are known.
        """
        head: list[RawRow] = []
        size = 0
        for row in rows:
            head.append(row)
            size += len(row.text)
            if len(head) == _ROWS_OF_HEAD or size > _CHARACTERS_OF_HEAD:
                break
        name, is_one = self._format_of(head, is_list)
        if is_one:
            if first.row == 0:
                with open_text(file.path) as opened:
                    yield self._whole(file, whole_row(opened, self.max_bytes))
            return
        if rows_from is not None and first.row > len(head):
            head, rows = [], rows_from(first.row)
        for row in itertools.chain(head, rows):
            if row.number >= first.row:
                yield _Row(row, name)

    def _format_of(self, head: Sequence[RawRow], is_list: bool) -> tuple[str, bool]:
        """The format of rows by the first of them, and whether all rows are one thing. Raises TranscriptError."""
        texts = [row.text for row in head if row.text]
        if not texts:
            why = head[0].problem if head else "It has no rows."
            raise TranscriptError(f"Nothing of this file could be read. {why}", line=head[0].line if head else None)
        text = f"[{','.join(texts)}]" if is_list else "\n".join(texts)
        named = self.format_name
        if named is None:
            suffix = ".json" if is_list else ".jsonl"
            transcript = read(text, filename=f"head{suffix}")
            if transcript is None:
                raise _no_transcript()
            named = transcript.format
        found = next((each for each in json_formats() if each.name == named), None)
        if found is None:
            return named, True
        return named, found.whole_file or (is_list and _matches_as_list(found.matches, text))

    def _whole(self, file: CorpusFile, row: RawRow) -> _Row:
        name = PurePath(file.name.removesuffix(".gz").removesuffix(".zst")).name
        transcript = read(row.text, filename=name, format=self.format_name, own_template=self.own_template)
        if transcript is None:
            raise _no_transcript()
        return _Row(row, transcript.format, transcript)

    def _reached(self, file: CorpusFile, number: int, row: _Row, first: Place, done: float) -> Reached:
        raw = row.raw
        here = Place(number, raw.number)
        then = Place(number, raw.number + 1)
        if raw.problem:
            return Reached((), (Problem(file.name, raw.number, raw.line, raw.problem),), then, done)
        transcript = row.transcript
        try:
            if transcript is None:
                transcript = read(raw.text, filename="row.json", format=row.format)
            why = None if transcript is None else why_nothing(transcript, SCORE_PARTS)
        except TranscriptError as error:
            line = raw.line if raw.line is None else raw.line + (error.line or 1) - 1
            return Reached((), (Problem(file.name, raw.number, line, error.problem),), then, done)
        if transcript is None or not transcript.responses:
            told = why or ("The row is empty.", None)
            if transcript is not None and transcript.problems:
                line, message = transcript.problems[0]
                told = message, line
            line = None if raw.line is None else raw.line + (told[1] or 1) - 1
            return Reached((), (Problem(file.name, raw.number, line, told[0]),), then, done)
        is_rest = here == replace(first, response=0) and first.response > 0
        problems = () if is_rest else tuple(_problems(file.name, raw, transcript))
        requests = Requests(transcript.responses, transcript.format)
        own = raw.name or (own_id(raw.text) if raw.line is None or row.transcript is None else None)
        found = tuple(
            Found(replace(here, response=at), file.name, raw.line, own, transcript.format, response, requests, at)
            for at, response in enumerate(transcript.responses)
            if not is_rest or at >= first.response
        )
        return Reached(found, problems, then, done)


@dataclass(frozen=True, slots=True)
class _Row:
    """A row and its format; `transcript` where it is read already."""

    raw: RawRow
    format: str
    transcript: Transcript | None = None

    @property
    def done(self) -> float:
        return self.raw.done


def own_id(text: str) -> str | None:
    """What a record calls itself: its first member, if any, of `id`, `uuid` and the like that is a string or number."""
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return None
    if isinstance(value, dict):
        for key in _IDS:
            own = value.get(key)
            if isinstance(own, (str, int)) and not isinstance(own, bool):
                return str(own)
    return None


def _problems(file: str, raw: RawRow, transcript: Transcript) -> Iterator[Problem]:
    for line, message in transcript.problems:
        yield Problem(file, raw.number, raw.line if raw.line is None else raw.line + line - 1, message, IN_PART)
    chosen, _ = read_front_matter_values(transcript.front_matter)
    if chosen:
        yield Problem(
            file,
            raw.number,
            raw.line,
            f"Its front matter chooses {', '.join(sorted(chosen))}, which is not followed: a corpus is scored with one"
            " choice for all, that of the command line.",
            NOTE,
        )


def _matches_as_list(matches: object, text: str) -> bool:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return False
    return callable(matches) and bool(matches(value))


def _starts_as_archive(file: CorpusFile) -> bool:
    try:
        with file.path.open("rb") as opened:
            return is_archive(opened.read(4))
    except OSError:
        return False


def _no_transcript() -> NoTranscriptError:
    return NoTranscriptError(
        "This is not a transcript in any format that shiftlens knows.",
        "If it is one, name its format with --transcript-format.",
    )
