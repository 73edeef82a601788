"""Frames: whatever bytes come, they are a message or are refused as the reader of the stream expects."""

from __future__ import annotations

import contextlib

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shiftlens.engine import frames

DECODERS = (frames.decode_request, frames.decode_reply, frames.decode_from_client, frames.decode_from_host)


@given(st.sampled_from(DECODERS), st.binary(max_size=60))
def test_any_body_is_a_message_or_no_message(decode: object, body: bytes) -> None:
    assert callable(decode)
    with contextlib.suppress(msgspec.DecodeError):
        decode(body)


@pytest.mark.parametrize("decode", DECODERS)
def test_a_text_that_is_not_utf_8_is_no_message(decode: object) -> None:
    assert callable(decode)
    with pytest.raises(msgspec.DecodeError):
        decode(b"\x81\xa2\xff\xfe\x01")
