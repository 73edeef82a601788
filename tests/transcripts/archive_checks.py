"""ZIP archives as Inspect writes them, made by hand so that any method, frame and fault can be put in."""

from __future__ import annotations

import json
import struct
import sys
import zlib
from collections.abc import Mapping, Sequence

from shiftlens.transcripts import Part, PartKind
from shiftlens.transcripts.archives import ArchivedTranscript

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

STORED, DEFLATED, ZSTANDARD = 0, 8, 93


def compressed(content: bytes, method: int, frames: int = 1) -> bytes:
    if method == STORED:
        return content
    if method == DEFLATED:
        deflate = zlib.compressobj(wbits=-zlib.MAX_WBITS)
        return deflate.compress(content) + deflate.flush()
    size = max(1, -(-len(content) // frames))
    return b"".join(zstd.compress(content[at : at + size]) for at in range(0, max(1, len(content)), size))


def archive(members: Mapping[str, bytes], method: int = ZSTANDARD, frames: int = 1, **fault: int) -> bytes:
    """A ZIP archive. `fault` overrides `crc`, `size`, `flags` or `named` (the method) in the directory."""
    body, directory = b"", b""
    for name, content in members.items():
        data, at, spelled = compressed(content, method, frames), len(body), name.encode()
        crc, size = fault.get("crc", zlib.crc32(content)), fault.get("size", len(content))
        common = struct.pack(
            "<HHHHHIIIHH", 63, fault.get("flags", 0x800), fault.get("named", method), 0, 33, crc, len(data), size,
            len(spelled), 0,
        )  # fmt: skip
        body += b"PK\x03\x04" + common + spelled + data
        directory += b"PK\x01\x02" + struct.pack("<H", 63) + common + struct.pack("<HHHII", 0, 0, 0, 0, at) + spelled
    end = struct.pack("<HHHHIIH", 0, 0, len(members), len(members), len(directory), len(body), 0)
    return body + directory + b"PK\x05\x06" + end


def sample(messages: Sequence[object], **more: object) -> dict[str, object]:
    return {"id": 1, "epoch": 1, "input": "i", "target": "t", "messages": list(messages), **more}


def sample_bytes(messages: Sequence[object], **more: object) -> bytes:
    return json.dumps(sample(messages, **more), ensure_ascii=False).encode("utf-8", "surrogatepass")


def spoken(found: ArchivedTranscript, number: int = 0) -> list[object]:
    """What was said, as [role, [[kind, text], ...]]; calls as the standard library writes their arguments.

    What stands between marks such as `<think>` is text to Inspect, as it is here.
    """
    turns = found.transcript.conversations[number]
    return [[turn.role.value, _as_the_log_has_them(turn.parts)] for turn in turns]


def _as_the_log_has_them(parts: Sequence[Part]) -> list[list[str]]:
    shown: list[list[str]] = []
    end = -1
    for part in parts:
        if part.kind is PartKind.TOOL_CALL and not part.marked:
            shown.append([part.kind.value, json.dumps(json.loads(part.text))])
        elif shown and part.source.source_start == end:
            shown[-1][1] += part.text
        else:
            shown.append(["text" if part.marked else part.kind.value, part.text])
        end = part.source.source_end
    return shown
