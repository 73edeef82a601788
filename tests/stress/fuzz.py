"""One process that makes inputs until its time is over, and writes what came of them as JSON to standard output.

Run by `run.py`: `python tests/stress/fuzz.py SEED SECONDS FOLDER`. An input that fails is kept in FOLDER, with its
number, from which it can be made again: `python tests/stress/fuzz.py --again NUMBER`.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import random
import resource
import signal
import struct
import sys
import time
import traceback
import typing
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import msgspec

sys.path.insert(0, str(Path(__file__).parents[1]))

from shiftlens.engine import frames, protocol
from shiftlens.errors import TranscriptError
from shiftlens.lsp.server.wire import NotLsp, read_body
from shiftlens.page.build import build_page
from shiftlens.page.sources import sources_of
from stress.geometry import check_geometry
from stress.mutate import SEEDS, changed, mutant
from stress.readings import Wrong, check_reading, check_transcript
from transcripts.archive_checks import archive, sample_bytes

CPU_SECONDS = 20.0
"""What one input may take before it counts as a hang; the slowest take some hundredths of a second."""
_SEED_STEP = 1 << 32
_MOST_KEPT = 20


class Hang(BaseException):
    """Raised in an input that takes too long."""


def _readers(rng: random.Random) -> None:
    check_reading(mutant(rng), rng)


def _pages(rng: random.Random) -> None:
    """A page of a file's bytes: decoded, read, and laid out; archives too."""
    seed = mutant(rng)
    raw, name = seed.text.encode("utf-8", "surrogatepass"), seed.filename
    if rng.random() < 0.4:
        messages = [{"role": "user", "content": seed.text[:200]}, {"role": "assistant", "content": "a"}]
        members = {"samples/1_epoch_1.json": sample_bytes(messages), "header.json": rng.choice((b"{}", raw[:500]))}
        raw, name = archive(members, rng.choice((0, 8, 93)), rng.choice((1, 3))), "log.eval"
    for _ in range(rng.choice((0, 0, 1, 4))):
        at = rng.randint(0, len(raw))
        raw = raw[:at] + rng.choice((b"", rng.randbytes(rng.choice((1, 4))), raw[at : at + 9] * 2)) + raw[at + 1 :]
    try:
        sources = sources_of(raw, name, 1 << 20)
    except TranscriptError as error:
        if not error.problem:
            raise Wrong("a refusal without words") from None
        return
    for source in sources:
        check_transcript(source.text, source.transcript)
    build_page(sources)


_DECODERS: tuple[Callable[[bytes], object], ...] = (
    *(frames.decode_request, frames.decode_reply, frames.decode_from_client, frames.decode_from_host),
)
_STRUCTS = tuple(typing.get_args(protocol.Request) + typing.get_args(protocol.Reply))


def _frames(rng: random.Random) -> None:
    """Bodies of frames of about the right shape, frames of any length, and messages of a language client."""
    struct_type = rng.choice(_STRUCTS)
    fields: dict[str, object] = dict.fromkeys(struct_type.__struct_encode_fields__, rng.choice((0, "a", [], None, b"")))
    config = struct_type.__struct_config__
    if config.tag_field:
        fields[config.tag_field] = config.tag
    try:
        body = msgspec.msgpack.encode(changed(rng, fields) if rng.random() < 0.7 else fields)
    except (OverflowError, UnicodeEncodeError):
        body = rng.randbytes(30)
    if rng.random() < 0.3:
        at = rng.randint(0, len(body))
        body = body[:at] + rng.randbytes(2) + body[at + 1 :]
    for decode in _DECODERS:
        with contextlib.suppress(msgspec.DecodeError):
            decode(body)
    with contextlib.suppress(ValueError):
        frames.body_length(struct.pack(">I", rng.choice((0, 5, 2**31, 2**32 - 1))))
    asyncio.run(_wire(rng, body))


_HEADS = (b"Content-Length: %d", b"content-length:%d", b"Content-Length: -%d", b"X: %d", b"%d", b"Content-Length: 9%d")


async def _wire(rng: random.Random, body: bytes) -> None:
    reader = asyncio.StreamReader()
    head = rng.choice(
        (b"Content-Length: %d", b"content-length:%d", b"Content-Length: -%d", b"X: %d", b"%d", b"Content-Length: 9%d")
    )
    reader.feed_data(head % len(body) + rng.choice((b"\r\n\r\n", b"\n\n", b"\r\n", b"")) + body)
    reader.feed_eof()
    try:
        found = await read_body(reader)
    except NotLsp:
        return
    if found is not None and found not in (body, body[: len(found)]):
        raise Wrong("a message is not what was written")


KINDS: tuple[tuple[str, float, Callable[[random.Random], None]], ...] = (
    ("readers", 0.55, _readers),
    ("geometry", 0.38, check_geometry),
    ("pages", 0.05, _pages),
    ("frames", 0.02, _frames),
)


def one(number: int) -> str:
    """Make an input and look at what comes of it; its kind. Raises what it should not."""
    rng = random.Random(number)
    name, _, check = rng.choices(KINDS, [weight for _, weight, _ in KINDS])[0]
    signal.setitimer(signal.ITIMER_VIRTUAL, CPU_SECONDS)
    try:
        check(rng)
    except BaseException as error:
        error.add_note(name) if hasattr(error, "add_note") else None
        raise
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
    return name


def _on_alarm(*_: object) -> None:
    raise Hang


def run(seed: int, seconds: float, folder: Path) -> dict[str, object]:
    """Make inputs for some seconds. The examples come first, as they are."""
    for example in SEEDS:
        check_reading(example, random.Random(0))
    count: Counter[str] = Counter()
    until = time.monotonic() + seconds
    number = seed * _SEED_STEP
    slowest = 0.0
    while time.monotonic() < until:
        for _ in range(100):
            number += 1
            began = time.process_time()
            try:
                count[one(number)] += 1
            except Wrong:
                count["wrong"] += 1
                _keep(folder, number, count)
            except Hang:
                count["hung"] += 1
                _keep(folder, number, count)
            except Exception:
                count["crashed"] += 1
                _keep(folder, number, count)
            slowest = max(slowest, time.process_time() - began)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    return {"counts": count, "slowest seconds": slowest, "peak bytes": peak}


def _keep(folder: Path, number: int, count: Counter[str]) -> None:
    if count["wrong"] + count["hung"] + count["crashed"] <= _MOST_KEPT:
        told = traceback.format_exc().encode("utf-8", "backslashreplace")
        (folder / f"{number}.txt").write_bytes(told)


def main() -> int:
    signal.signal(signal.SIGVTALRM, _on_alarm)
    if sys.argv[1] == "--again":
        print(one(int(sys.argv[2])))
        return 0
    json.dump(run(int(sys.argv[1]), float(sys.argv[2]), Path(sys.argv[3])), sys.stdout)
    return 0


if __name__ == "__main__":
    sys.exit(main())
