"""A row of the output beside the JSON of an analysis, which has the same numbers."""

from __future__ import annotations

import msgspec
import pytest

from analysis.hand_made import response, scored, two_vocabularies, whole
from shiftlens.analysis.classify import build
from shiftlens.analysis.contract import to_json
from shiftlens.corpora.reading import Found, Place
from shiftlens.corpora.record import Columns, CorpusRow, scored_row
from shiftlens.options.pair import ClassifyOptions, PairSpec
from shiftlens.scores.records import ScoredResponse
from shiftlens.scores.requests import Requests

PAIR = PairSpec(base="b", aligned="a")
SPLIT = [b"So", b" \xf0\x9f", b"\x98\x80", b"!"]


def row_of(text: str, scores: ScoredResponse) -> tuple[CorpusRow, dict[str, object]]:
    """The row of a response, and its object in the JSON of an analysis."""
    one = response(text)
    analysis = build(one, scores, ClassifyOptions())
    found = Found(Place(0, 3, 0), "f", 4, "x", "openai", one, Requests((one,), "openai"), 0)
    document = to_json(whole(analysis), "f")
    assert isinstance(document["responses"], list)
    return scored_row(found, PAIR, analysis), document["responses"][0]


@pytest.mark.parametrize(
    ("text", "scores"),
    [
        ("So 😀!", scored(SPLIT, base_ranks=[1, 2, 9, 0, -30], kl=[0.5, 1e-7, float("nan"), 2, 3], boundary=[0])),
        ("ab", scored([b"a", b"b"], special=[1], aligned_ranks=[1, -10, 2])),
        ("ab", scored([b"a", b"b"], loss_mask=[1, 0, 2])),
    ],
)
def test_each_column_has_what_the_json_has_at_its_position(text: str, scores: ScoredResponse) -> None:
    row, document = row_of(text, scores)
    tokens = document["tokens"]
    assert isinstance(tokens, list)
    assert (row.text, row.prompt, row.notes) == (document["text"], document["prompt"], document["notes"])
    columns = msgspec.to_builtins(row.tokens)
    same = ("id", "text", "class", "kind", "special", "boundary", "off_greedy", "base_rank_of_aligned_top")
    for name in same:
        assert columns[name] == [token[name] for token in tokens], name
    assert columns["part"] == ["answer"] * len(tokens)
    masks = [token["loss_mask"] for token in tokens if "loss_mask" in token]
    assert (columns["loss_mask"] or []) == masks
    assert columns["kl"] == pytest.approx([token["kl"] for token in tokens])
    for side in ("base", "aligned"):
        for name in ("rank", "logprob", "entropy"):
            assert columns[f"{side}_{name}"] == [token[side][name] for token in tokens]
        above = [token[side].get("rank_above") for token in tokens]
        assert columns[f"{side}_rank_above"] == (above if any(above) else None)
    assert {each.position: each.bytes for each in row.split} == {
        token["index"]: token["bytes"] for token in tokens if "bytes" in token
    }
    summary = document["summary"]
    assert isinstance(summary, dict)
    assert row.summary.shifted == summary["shifted"]
    assert msgspec.to_builtins(row.shares) == {
        name: summary["shares"][name] for name in ("unshifted", "marginal", "shifted")
    }


def test_a_pair_of_two_vocabularies_has_neither_kl_nor_js() -> None:
    scores = two_vocabularies()
    size = scores.byte_ends[-1]
    text = b"".join(scores.piece(row) for row in range(scores.rows - 1)).decode()[:size]
    row, document = row_of(text, scores)
    tokens = document["tokens"]
    assert isinstance(tokens, list)
    assert set(row.tokens.kl) == set(row.tokens.js_at_least) == {None}
    assert row.tokens.realigned == ["realigned" in token for token in tokens]
    assert row.tokens.base_logprob == [token["base"]["logprob"] for token in tokens]
    assert row.tokens.base_rank == [token["base"]["rank"] for token in tokens]
    assert row.tokens.base_entropy == [token["base"]["entropy"] for token in tokens]


def test_every_column_is_as_long_as_the_response() -> None:
    row, _ = row_of("So 😀!", scored(SPLIT))
    lengths = {len(column) for name in Columns.__struct_fields__ if (column := getattr(row.tokens, name)) is not None}
    assert lengths == {len(SPLIT) + 1}


def test_the_fields_of_parquet_are_those_of_a_row_in_their_order() -> None:
    pytest.importorskip("pyarrow", reason="the extra `corpora` is not installed")
    from shiftlens.corpora.parquet import schema

    fields = schema()
    assert fields.names == list(CorpusRow.__struct_encode_fields__)
    for name, struct in (("tokens", Columns), ("summary", type(row_of("a", scored([b"a"]))[0].summary))):
        assert [field.name for field in fields.field(name).type] == list(struct.__struct_encode_fields__)
