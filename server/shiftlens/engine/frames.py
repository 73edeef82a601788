"""Frames on a byte stream: a 4-byte big-endian length, then that many bytes of MessagePack."""

from __future__ import annotations

import asyncio
import struct
from typing import BinaryIO, TypeVar

import msgspec

from shiftlens.engine.protocol import MAX_FRAME_BYTES, Reply, Request
from shiftlens.engine.sharing.host_protocol import FromClient, FromHost

T = TypeVar("T")

_LENGTH = struct.Struct(">I")
HEADER_BYTES = _LENGTH.size

_encoder = msgspec.msgpack.Encoder()
_request_decoder: msgspec.msgpack.Decoder[Request] = msgspec.msgpack.Decoder(Request)
_reply_decoder: msgspec.msgpack.Decoder[Reply] = msgspec.msgpack.Decoder(Reply)
_client_decoder: msgspec.msgpack.Decoder[FromClient] = msgspec.msgpack.Decoder(FromClient)
_host_decoder: msgspec.msgpack.Decoder[FromHost] = msgspec.msgpack.Decoder(FromHost)


def encode_frame(message: FromClient | FromHost, limit: int = MAX_FRAME_BYTES) -> bytes:
    """A whole frame. Raises ValueError for a message above `limit` bytes."""
    body = _encoder.encode(message)
    if len(body) > limit:
        raise ValueError(f"a message of {len(body)} bytes does not fit a frame")
    return _LENGTH.pack(len(body)) + body


def body_length(header: bytes, limit: int = MAX_FRAME_BYTES) -> int:
    """Length of the frame's body. Raises ValueError where the stream is not one of frames."""
    (length,) = _LENGTH.unpack(header)
    if length > limit:
        raise ValueError(f"a frame claims {length} bytes: the stream does not hold frames")
    return int(length)


def _decoded(decoder: msgspec.msgpack.Decoder[T], body: bytes) -> T:
    try:
        return decoder.decode(body)
    except UnicodeDecodeError as error:
        raise msgspec.DecodeError("a text is not UTF-8") from error


def decode_request(body: bytes) -> Request:
    """Raises msgspec.DecodeError for a body that is no request."""
    return _decoded(_request_decoder, body)


def decode_reply(body: bytes) -> Reply:
    """Raises msgspec.DecodeError for a body that is no reply."""
    return _decoded(_reply_decoder, body)


def decode_from_client(body: bytes) -> FromClient:
    """Raises msgspec.DecodeError for a body that no client sends."""
    return _decoded(_client_decoder, body)


def decode_from_host(body: bytes) -> FromHost:
    """Raises msgspec.DecodeError for a body that no host sends."""
    return _decoded(_host_decoder, body)


def read_request(stream: BinaryIO) -> Request | None:
    """The next request of a blocking stream; None at its end, also in the middle of a frame."""
    header = stream.read(HEADER_BYTES)
    if len(header) < HEADER_BYTES:
        return None
    length = body_length(header)
    body = stream.read(length)
    return decode_request(body) if len(body) == length else None


async def read_body(stream: asyncio.StreamReader, limit: int = MAX_FRAME_BYTES) -> bytes:
    """The body of the next frame. Raises IncompleteReadError at the end, ValueError where there are no frames."""
    return await stream.readexactly(body_length(await stream.readexactly(HEADER_BYTES), limit))
