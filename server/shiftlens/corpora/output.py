"""The output of a corpus: rows that are appended beside it until all are there, then put in its place.

While a run goes on, its rows stand in a file of their own, `OUT.part`: as JSON lines for a JSONL output, and for a
Parquet one as JSON lines in frames of Zstandard, of which the Parquet file is made at the end. A Parquet file that is
cut off has no end, and nothing of it can be read.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, cast

import msgspec

from shiftlens.corpora.record import CorpusRow
from shiftlens.errors import ShiftLensError

if sys.version_info >= (3, 14):
    from compression.zstd import ZstdFile, compress
else:
    from backports.zstd import ZstdFile, compress

FORMATS = (".jsonl", ".parquet")

_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(CorpusRow)


def encoded(row: CorpusRow) -> bytes:
    """A row as a line of JSON, in UTF-8, with its line break."""
    return _encoder.encode(row) + b"\n"


@dataclass(frozen=True, slots=True)
class Output:
    """The files of an output, which has one of FORMATS as its suffix."""

    path: Path

    @property
    def part(self) -> Path:
        return self.path.with_name(f"{self.path.name}.part")

    @property
    def journal(self) -> Path:
        return self.path.with_name(f"{self.path.name}.journal")

    @property
    def is_parquet(self) -> bool:
        return self.path.suffix.lower() == ".parquet"

    def appending(self, size: int) -> IO[bytes]:
        """The file of rows, cut to its first `size` bytes, which are committed. Raises OSError, ShiftLensError."""
        has = self.part.stat().st_size if self.part.exists() else 0
        if has < size:
            raise ShiftLensError(
                f"{self.part} has {has:,} bytes, of which {size:,} were written: it is not the file that"
                f" {self.journal.name} tells of.",
                "Put it back, or begin anew with --restart.",
            )
        file = self.part.open("r+b" if self.part.exists() else "w+b")
        file.truncate(size)
        file.seek(size)
        return file

    def append(self, file: IO[bytes], lines: Sequence[bytes]) -> int:
        """Write rows for good; the size of the file then."""
        rows = b"".join(lines)
        return self.append_as_it_is(file, compress(rows, 3) if rows and self.is_parquet else rows)

    def append_as_it_is(self, file: IO[bytes], raw: bytes) -> int:
        """The same of bytes that `append` wrote elsewhere."""
        if raw:
            file.write(raw)
            file.flush()
            os.fsync(file.fileno())
        return file.tell()

    def finish(self) -> None:
        """Put the rows in the place of the output. May be done again where it was cut short."""
        if not self.part.exists():
            # It was put there before, and the process ended before it could say so.
            return
        if not self.is_parquet:
            self.part.replace(self.path)
            return
        from shiftlens.corpora.parquet import write_parquet

        fresh = self.path.with_name(f".{self.path.name}.new")
        with cast(IO[bytes], ZstdFile(self.part)) as file:
            write_parquet(fresh, rows_of(file))
        fresh.replace(self.path)

    def tidy(self) -> None:
        """Remove what is needed no more once all is committed."""
        self.part.unlink(missing_ok=True)


def rows_of(lines: Iterable[bytes]) -> Iterator[CorpusRow]:
    """The rows of JSON lines. Raises msgspec.DecodeError."""
    return (_decoder.decode(line) for line in lines)


def read_output(path: Path) -> Iterator[CorpusRow]:
    """The rows of an output, as a stream. Raises ShiftLensError where it is none."""
    try:
        if path.suffix.lower() == ".parquet":
            from shiftlens.corpora.parquet import read_parquet

            yield from read_parquet(path)
            return
        with path.open("rb") as file:
            yield from rows_of(file)
    except OSError as error:
        raise ShiftLensError(f"{path} can't be read: {error.strerror or error}.") from None
    except msgspec.DecodeError as error:
        raise ShiftLensError(
            f"{path} is no output of `shiftlens corpus`: {error}.", "Name a file that this command has written."
        ) from None
