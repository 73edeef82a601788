"""Sidecars as files: `NAME.shiftlens.arrow` beside the transcript `NAME`."""

from __future__ import annotations

import datetime
import stat
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from shiftlens import __version__
from shiftlens.errors import ShiftLensError
from shiftlens.options.pair import PairSpec, ScoreOptions
from shiftlens.scores.description import ModelDescription
from shiftlens.scores.records import ScoredResponse
from shiftlens.scores.requests import ResponseToScore
from shiftlens.scores.sidecar.about import (
    METADATA_KEY,
    About,
    Model,
    Models,
    Options,
    ResponseOf,
    TextOf,
    read_about,
    text_digest,
)
from shiftlens.scores.sidecar.bad import BadSidecar
from shiftlens.scores.sidecar.check import rows_at_most, why_unfit
from shiftlens.scores.sidecar.rest import REST_KEY, Prefixes, pack_rest, prefixes_of, unpack_rest
from shiftlens.scores.sidecar.rows import from_rows, has_others, to_rows
from shiftlens.scores.sidecar.schema import FIELDS_OF_VERSION, names_of

if TYPE_CHECKING:
    from shiftlens.scores.arrow.read import ArrowFile
    from shiftlens.scores.arrow.table import Column

SUFFIX = ".shiftlens.arrow"
MOST_FILE_BYTES = 256 << 20
MOST_RESPONSES = 100_000
MOST_ROWS = 1 << 24
_MOST_BYTES_OF_RESPONSE = 96 << 20
_MOST_BYTES_OF_ROW = 4096
_MOST_BYTES_OF_FILE = 512 << 20
"""What may be unpacked of all responses together."""
_MOST_BYTES_OF_RESTS = 256 << 20
_MOST_PREFIXES = 256 << 20


class SidecarError(ShiftLensError):
    """A file that is named as a sidecar can't be used as one."""


@dataclass(frozen=True, slots=True)
class ToSave:
    """The scores of a response, with the digest of what was asked; `scored_at` is when, None for now."""

    index: int
    digest: bytes
    scored: ScoredResponse
    scored_at: str | None = None


def sidecar_path(transcript: Path) -> Path:
    """Where the sidecar of a transcript is."""
    return transcript.with_name(transcript.name + SUFFIX)


def sidecar_bytes(
    name: str,
    text: str,
    transcript_format: str,
    pair: PairSpec,
    options: ScoreOptions,
    responses: Sequence[ToSave],
    descriptions: tuple[ModelDescription | None, ModelDescription | None] = (None, None),
) -> bytes:
    """A sidecar of these responses, which are in the order of the transcript; `name` is that of its file."""
    from shiftlens.scores.arrow.write import Batch, arrow_file

    now = datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds")
    before = Prefixes()
    batches: list[Batch] = []
    version = 2 if any(has_others(each.scored) for each in responses) else 1
    fields = FIELDS_OF_VERSION[version]
    for each in responses:
        rows, columns, rest = to_rows(each.index, each.scored, before)
        batches.append(Batch(rows, [columns[name] for name in names_of(fields)], {REST_KEY: pack_rest(rest)}))
        before = Prefixes.of(each.scored)
    first = responses[0].scored
    about = About(
        version=version,
        shiftlens=__version__,
        written=now,
        transcript=TextOf(name=name, format=transcript_format, sha256=text_digest(text)),
        models=Models(
            base=Model.of(pair.base, first.base.model, descriptions[0]),
            aligned=Model.of(pair.aligned, first.aligned.model, descriptions[1]),
        ),
        options=Options.of(options),
        responses=tuple(
            ResponseOf(index=each.index, request=each.digest.hex(), rows=batch.rows, scored=each.scored_at or now)
            for each, batch in zip(responses, batches, strict=True)
        ),
    )
    return arrow_file(fields, {METADATA_KEY: msgspec.json.encode(about).decode("utf-8")}, batches)


def open_sidecar(path: Path) -> Sidecar:
    """Read what a sidecar says of itself. Raises SidecarError, FileNotFoundError."""
    arrow, about = _read(path)
    if len(arrow.batches) != len(about.responses):
        raise _unusable(path, "has another number of responses than it says")
    return Sidecar(path, about)


def _read(path: Path) -> tuple[ArrowFile, About]:
    from shiftlens.scores.arrow.read import ArrowError, open_arrow

    try:
        found = path.stat()
        # What is no ordinary file may have no end, or nobody who writes it.
        if not stat.S_ISREG(found.st_mode):
            raise _unusable(path, "is no ordinary file")
        if found.st_size > MOST_FILE_BYTES:
            raise _unusable(path, f"has more than {MOST_FILE_BYTES:,} bytes")
        with path.open("rb") as file:
            data = file.read(MOST_FILE_BYTES)
    except FileNotFoundError:
        raise
    except OSError as error:
        raise _unusable(path, f"can't be read ({error.strerror})") from None
    try:
        arrow = open_arrow(data, MOST_RESPONSES)
        about = read_about(arrow.metadata)
    except (ArrowError, BadSidecar) as error:
        raise _unusable(path, str(error)) from None
    if arrow.fields != FIELDS_OF_VERSION.get(about.version):
        raise _unusable(path, "has other columns than a sidecar")
    return arrow, about


class Sidecar:
    """An opened sidecar. Scores are read when they are asked for, and kept as long as this is."""

    def __init__(self, path: Path, about: About) -> None:
        self.path, self.about, self._left = path, about, _MOST_BYTES_OF_FILE
        self._decoded: dict[str, ScoredResponse] = {}
        self._at = {each.request: at for at, each in enumerate(about.responses)}

    def has(self, digest: bytes) -> bool:
        """Whether there are scores of the request with this digest."""
        return digest.hex() in self._at

    def scored_at(self, digest: bytes) -> str:
        """When they were had, in UTC."""
        return self.about.responses[self._at[digest.hex()]].scored

    def is_of_text(self, text: str) -> bool:
        """Whether a text is the one that was scored."""
        return self.about.transcript.sha256 == text_digest(text)

    def scores(self, wanted: Mapping[bytes, ResponseToScore]) -> dict[bytes, ScoredResponse]:
        """The scores of those of the requests, by their digests, that there are. Raises SidecarError."""
        new = {digest: request for digest, request in wanted.items() if self.has(digest)}
        missing = {digest.hex(): each for digest, each in new.items() if digest.hex() not in self._decoded}
        if missing:
            self._decode(missing)
        return {digest: self._decoded[digest.hex()] for digest in new}

    def _decode(self, wanted: Mapping[str, ResponseToScore]) -> None:
        from shiftlens.scores.arrow.read import ArrowError

        try:
            arrow, about = _read(self.path)
            if about != self.about:
                raise BadSidecar("changed while it was read")
            before, carried, left = Prefixes(), 0, _MOST_BYTES_OF_RESTS
            last = max(self._at[digest] for digest in wanted)
            for at, of in enumerate(self.about.responses[: last + 1]):
                head = arrow.head(at, MOST_ROWS)
                rest, size = unpack_rest(head.metadata.get(REST_KEY, ""), left)
                left -= size
                before = prefixes_of(rest, before)
                carried += sum(map(len, before.texts)) + 8 * sum(map(len, before.ids))
                if carried > _MOST_PREFIXES:
                    raise BadSidecar("repeats more context than fits in memory")
                request = wanted.get(of.request)
                if request is None:
                    continue
                if head.rows > rows_at_most(request):
                    raise BadSidecar("has more tokens than the text of the response has bytes")
                most = min(_MOST_BYTES_OF_RESPONSE, self._left, _MOST_BYTES_OF_ROW * rows_at_most(request))
                columns = dict(zip(names_of(arrow.fields), arrow.columns(head, most), strict=True))
                self._left -= sum(map(_bytes_in, columns.values()))
                scored = from_rows(head.rows, columns, rest, before)
                if why := why_unfit(scored, request):
                    raise BadSidecar(f"can't be used: its scores of response {of.index + 1} {why}")
                self._decoded[of.request] = scored
        except FileNotFoundError:
            raise _unusable(self.path, "is gone") from None
        except (ArrowError, BadSidecar) as error:
            raise _unusable(self.path, str(error)) from None
        except (ValueError, TypeError, KeyError, IndexError, OverflowError):
            raise _unusable(self.path, "is damaged") from None


def _bytes_in(column: Column) -> int:
    own = len(column.data) + len(column.offsets) + len(column.valid or b"")
    return own if column.items is None else own + _bytes_in(column.items)


def _unusable(path: Path, why: str) -> SidecarError:
    return SidecarError(
        f"{path.name} {why}.",
        "Its scores are not used; delete it, or have it written anew with `shiftlens analyze FILE --save`.",
    )
