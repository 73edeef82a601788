"""What scores have beside their rows, in the metadata of each batch: what the models were given, and how they ran."""

from __future__ import annotations

import base64
import binascii
import sys
from collections.abc import Sequence

import msgspec

from shiftlens.scores.records import ScoredResponse, ScoringModel, SideScores
from shiftlens.scores.sidecar.bad import BadSidecar

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

REST_KEY = "shiftlens.rest"
MOST_REST_BYTES = 64 << 20


class SideRest(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What `SideScores` has beside its columns.

    The prefix of a response begins as that of the response before it, in the sidecar, often does: with so many
    characters and ids of that one. `pieces` are token bytes that no row names.
    """

    model: ScoringModel
    end_id: int
    k: int
    parts: tuple[int, ...]
    full_context_rows: int | None = None
    has_entropy: bool = True
    text_kept: int = 0
    text: str = ""
    ids_kept: int = 0
    ids: tuple[int, ...] = ()
    pieces: dict[int, bytes] = {}
    decoded: dict[int, str] = {}


class Rest(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a `ScoredResponse` has beside its columns. `aligned_rows` are the first ones of a batch of two vocabularies,
    None where a row is of both models. `loss_mask` is that of `Comparison`."""

    base: SideRest
    aligned: SideRest
    notes: tuple[str, ...] = ()
    has_kl: bool = True
    aligned_rows: int | None = None
    loss_mask: bytes = b""


class Prefixes(msgspec.Struct, frozen=True):
    """What base and aligned model were given before a response: the texts and the ids."""

    texts: tuple[str, str] = ("", "")
    ids: tuple[tuple[int, ...], tuple[int, ...]] = ((), ())

    @classmethod
    def of(cls, scored: ScoredResponse) -> Prefixes:
        base, aligned = scored.base, scored.aligned
        return cls((base.prefix_text, aligned.prefix_text), (base.prefix_ids, aligned.prefix_ids))


_encoder = msgspec.msgpack.Encoder()
_rests = msgspec.msgpack.Decoder(Rest)


def side_rest(side: SideScores, named: dict[int, bytes], before_text: str, before_ids: tuple[int, ...]) -> SideRest:
    """`named` are the token bytes that the rows have, `before_*` the prefix of the response before."""
    text_kept = _common(before_text, side.prefix_text)
    ids_kept = _common(before_ids, side.prefix_ids)
    return SideRest(
        model=side.model,
        end_id=side.end_id,
        k=side.k,
        parts=side.parts,
        full_context_rows=side.full_context_rows,
        has_entropy=bool(side.entropy),
        text_kept=text_kept,
        text=side.prefix_text[text_kept:],
        ids_kept=ids_kept,
        ids=side.prefix_ids[ids_kept:],
        pieces={token: piece for token, piece in side.pieces.items() if token not in named},
        decoded=side.decoded,
    )


def prefixes_of(rest: Rest, before: Prefixes) -> Prefixes:
    """What the models were given before this response. Raises BadSidecar where that can't be."""
    texts, ids = [], []
    for side, text, known in zip((rest.base, rest.aligned), before.texts, before.ids, strict=True):
        if not 0 <= side.text_kept <= len(text) or not 0 <= side.ids_kept <= len(known):
            raise BadSidecar("lacks the context of a response")
        texts.append(text[: side.text_kept] + side.text)
        ids.append(known[: side.ids_kept] + side.ids)
    return Prefixes((texts[0], texts[1]), (ids[0], ids[1]))


def _common(one: Sequence[object], other: Sequence[object]) -> int:
    """How many items two sequences begin with alike."""
    most = min(len(one), len(other))
    # The prefix of a conversation's next response begins with the whole of this one's, which is told quickly.
    if one[:most] == other[:most]:
        return most
    return next(at for at in range(most) if one[at] != other[at])


def pack_rest(rest: Rest) -> str:
    return base64.b64encode(zstd.compress(_encoder.encode(rest))).decode("ascii")


def unpack_rest(text: str, most_bytes: int) -> tuple[Rest, int]:
    """The rest, and how many bytes it takes unpacked. Raises BadSidecar where that is more, or it is damaged."""
    try:
        decompressor = zstd.ZstdDecompressor()
        most = min(most_bytes, MOST_REST_BYTES)
        raw = decompressor.decompress(base64.b64decode(text, validate=True), max_length=most)
        if not decompressor.eof:
            raise BadSidecar("has a context of a response that is too long, or cut off")
        return _rests.decode(raw), len(raw)
    except (binascii.Error, zstd.ZstdError, EOFError, msgspec.DecodeError, RecursionError, UnicodeError) as error:
        raise BadSidecar("has damaged metadata of a response") from error
