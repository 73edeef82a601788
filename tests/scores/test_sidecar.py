"""Scores in a file beside their transcript come back bit by bit; whatever else such a file is, it is refused."""

from __future__ import annotations

import dataclasses
import json
import math
import os
import struct
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analysis.hand_made import floats, ints, scored, shortened, two_vocabularies
from shiftlens.analysis.classify import build
from shiftlens.analysis.tokens import tokens
from shiftlens.options.pair import ClassifyOptions, PairSpec, ScoreOptions
from shiftlens.scores.arrow.read import ArrowError, open_arrow
from shiftlens.scores.arrow.table import Column, Field, Kind, blobs, lists, nothing, numbers
from shiftlens.scores.arrow.write import Batch, arrow_file
from shiftlens.scores.columns import float32_column, int32_column
from shiftlens.scores.records import ScoredResponse
from shiftlens.scores.requests import Requests
from shiftlens.scores.sidecar.about import METADATA_KEY
from shiftlens.scores.sidecar.check import why_unfit
from shiftlens.scores.sidecar.file import SidecarError, ToSave, open_sidecar, sidecar_bytes, sidecar_path
from shiftlens.scores.sidecar.rest import Prefixes
from shiftlens.scores.sidecar.rows import from_rows, to_rows
from shiftlens.transcripts.model import Transcript
from shiftlens.transcripts.read import read

TALK = "User: q\nAssistant: abc\n\nUser: r\nAssistant: ab\n"
PAIR = PairSpec(base="b", aligned="a")
OPTIONS = ScoreOptions()


def transcript(text: str = TALK) -> Transcript:
    found = read(text, filename="talk.txt")
    assert found is not None
    return found


def requests(text: str = TALK) -> Requests:
    found = transcript(text)
    return Requests(found.responses, found.format)


def of_talk() -> tuple[ScoredResponse, ScoredResponse]:
    return two_vocabularies(), shortened(scored([b"a", b"b"]), base=1)


def written(folder: Path, *responses: ScoredResponse) -> Path:
    asked = requests()
    to_save = [ToSave(at, asked.digest(at), each) for at, each in enumerate(responses or of_talk())]
    path = sidecar_path(folder / "talk.txt")
    path.write_bytes(sidecar_bytes("talk.txt", TALK, "labels", PAIR, OPTIONS, to_save))
    return path


def had(path: Path) -> list[ScoredResponse]:
    asked = requests()
    wanted = {asked.digest(at): asked[at] for at in range(len(asked))}
    return list(open_sidecar(path).scores(wanted).values())


def with_numbers(scores: ScoredResponse) -> ScoredResponse:
    """Scores with ranks of each kind, candidates that are missing and numbers that are not known."""
    rows = scores.rows
    base = dataclasses.replace(
        scores.base,
        rank=ints([0, -20, 7][:rows]),
        entropy=b"",
        top_ids=ints([10, -1] * rows),
        top_logprobs=floats([-0.25, -math.inf] * rows),
        decoded={10: "�the"},
    )
    comparison = dataclasses.replace(scores.comparison, kl=b"", base_rank_of_aligned_top=ints([0, -10, 3][:rows]))
    return dataclasses.replace(scores, base=base, comparison=comparison)


def with_others(scores: ScoredResponse) -> ScoredResponse:
    """Scores of two servers, one of which tells what its model gives the other's candidates."""
    base = dataclasses.replace(scores.base, top_ids=ints([10, -1] * scores.rows))
    base = dataclasses.replace(base, top_logprobs=floats([-0.25, -math.inf] * scores.rows))
    told = floats([-1.5, -math.inf] * scores.rows)
    comparison = dataclasses.replace(scores.comparison, base_of_aligned_top=told)
    return dataclasses.replace(scores, base=base, comparison=comparison)


@pytest.mark.parametrize(
    "scores",
    [
        scored([b"a", b"b"]),
        two_vocabularies(),
        with_numbers(scored([b"a", b"b"])),
        with_others(scored([b"a", b"b"])),
        shortened(scored([b"c"])),
        scored([b"a", b"b"], loss_mask=[1, 2, 0]),
    ],
)
def test_scores_come_back_from_rows_as_they_were(scores: ScoredResponse) -> None:
    rows, columns, rest = to_rows(3, scores, Prefixes())
    assert from_rows(rows, columns, rest, Prefixes.of(scores)) == scores


def test_scores_come_back_from_a_file_as_they_were(tmp_path: Path) -> None:
    assert had(written(tmp_path)) == list(of_talk())
    of_servers = [with_others(scored([b"a", b"b", b"c"])), scored([b"a", b"b"])]
    assert had(written(tmp_path, *of_servers)) == of_servers
    written(tmp_path)
    # A response that was not asked for is not needed to read those behind it.
    asked = requests()
    last = {asked.digest(1): asked[1]}
    assert list(open_sidecar(sidecar_path(tmp_path / "talk.txt")).scores(last).values()) == [of_talk()[1]]


def test_a_sidecar_says_whose_scores_it_holds_and_of_which_text(tmp_path: Path) -> None:
    sidecar = open_sidecar(written(tmp_path))
    about = sidecar.about
    assert (about.pair.base, about.pair.aligned, about.options.score_options()) == ("b", "a", OPTIONS)
    assert [each.index for each in about.responses] == [0, 1]
    assert [each.rows for each in about.responses] == [two_vocabularies().rows + two_vocabularies().base.rows, 3]
    assert sidecar.is_of_text(TALK)
    assert not sidecar.is_of_text(TALK + "\n")
    assert len(about.last_scored()) == len("2026-11-26")


def test_what_was_asked_in_another_way_has_no_scores(tmp_path: Path) -> None:
    path = written(tmp_path)
    changed = requests(TALK.replace("q", "Q"))
    # The first response's context changed, and so did that of the second, which is a conversation of its own.
    found = open_sidecar(path).scores({changed.digest(at): changed[at] for at in range(2)})
    assert list(found) == ([] if changed[1].turns[0] != requests()[1].turns[0] else [changed.digest(1)])


def test_what_needs_no_column_of_version_2_is_written_as_version_1(tmp_path: Path) -> None:
    assert open_sidecar(written(tmp_path)).about.version == 1
    assert open_sidecar(written(tmp_path, with_others(scored([b"a", b"b", b"c"])))).about.version == 2


@pytest.mark.parametrize(
    ("column", "why"), [(floats([-1.0]), "different lengths"), (floats([2.0] * 6), "have logprobs that are none")]
)
def test_logprobs_of_the_other_s_candidates_that_can_not_be_are_told(column: bytes, why: str) -> None:
    scores = scored([b"a", b"b"])
    comparison = dataclasses.replace(scores.comparison, aligned_of_base_top=column)
    assert why in why_unfit(dataclasses.replace(scores, comparison=comparison), requests()[1])


def test_the_columns_are_those_that_the_page_documents(tmp_path: Path) -> None:
    arrow = open_arrow(written(tmp_path, with_others(scored([b"a", b"b", b"c"]))).read_bytes(), 10)
    page = (Path(__file__).parents[2] / "docs" / "sidecars.md").read_text(encoding="utf-8")
    assert [each.name for each in arrow.fields[-2:] if f"`{each.name}`" not in page] == []
    arrow = open_arrow(written(tmp_path).read_bytes(), 10)
    columns = dict(zip((each.name for each in arrow.fields), arrow.columns(arrow.head(1, 100), 1 << 20), strict=True))
    assert columns["text"].values()[:2] == [b"a", b"b"]
    assert columns["side"].values() == [b"both"] * 3
    assert columns["base_rank"].valid is None
    assert columns["base_rank_above"].valid == bytes(3)
    page = (Path(__file__).parents[2] / "docs" / "sidecars.md").read_text(encoding="utf-8")
    assert [each.name for each in arrow.fields if f"`{each.name}`" not in page and "aligned_" not in each.name] == []


def test_a_file_that_is_no_sidecar_is_refused_by_name_and_with_what_to_do(tmp_path: Path) -> None:
    path = written(tmp_path)
    whole = path.read_bytes()
    for data, why in (
        (b"", "is no Arrow file"),
        (b"PAR1" * 20, "is no Arrow file"),
        (whole[:-1], "is cut off"),
        (whole[:100] + whole[-100:], "has a broken end"),
        (arrow_file([Field("a", Kind.INT32)], {}, []), "is no sidecar of ShiftLens"),
        (arrow_file([Field("a", Kind.INT32)], {METADATA_KEY: "{}"}, []), "is no sidecar of ShiftLens"),
        (_with_about(whole, version=3), "is of format version 3, and this ShiftLens reads up to version 2"),
        (_with_about(whole, version=2), "has other columns than a sidecar"),
        (_with_about(whole, version=0), "has other columns than a sidecar"),
        (_with_about(whole, responses=[]), "has another number of responses than it says"),
    ):
        path.write_bytes(data)
        with pytest.raises(SidecarError, match=why) as refused:
            open_sidecar(path)
        assert "talk.txt.shiftlens.arrow" in refused.value.problem
        assert "shiftlens analyze FILE --save" in refused.value.remedy


def _with_about(data: bytes, **changed: object) -> bytes:
    arrow = open_arrow(data, 10)
    about = json.loads(arrow.metadata[METADATA_KEY]) | changed
    return arrow_file(arrow.fields, {METADATA_KEY: json.dumps(about)}, _batches(data))


def _batches(data: bytes) -> list[Batch]:
    arrow = open_arrow(data, 10)
    heads = [arrow.head(at, 1000) for at in range(len(arrow.batches))]
    return [Batch(head.rows, arrow.columns(head, 1 << 20), head.metadata) for head in heads]


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="Windows has no pipes in folders")
def test_what_is_no_ordinary_file_is_not_waited_for(tmp_path: Path) -> None:
    path = sidecar_path(tmp_path / "talk.txt")
    os.mkfifo(path)
    with pytest.raises(SidecarError, match="is no ordinary file"):
        open_sidecar(path)


def test_a_sidecar_that_changes_between_two_looks_is_told(tmp_path: Path) -> None:
    path = written(tmp_path)
    sidecar = open_sidecar(path)
    path.write_bytes(_with_about(path.read_bytes(), written="2001-01-01"))
    asked = requests()
    with pytest.raises(SidecarError, match="changed while it was read"):
        sidecar.scores({asked.digest(0): asked[0]})
    path.unlink()
    with pytest.raises(SidecarError, match="is gone"):
        sidecar.scores({asked.digest(0): asked[0]})


def test_scores_of_another_response_are_refused(tmp_path: Path) -> None:
    # The digests say that they are of this one, and the scores have tokens where it has no text.
    path = written(tmp_path, scored([b"a", b"b", b"c"]), scored([b"a", b"b", b"c"]))
    with pytest.raises(SidecarError, match="its scores of response 2 have tokens where it has no text"):
        had(path)


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        ({"logprob": floats([math.nan, -1, -1])}, "have logprobs that are none"),
        ({"logprob": floats([3, -1, -1])}, "have logprobs that are none"),
        ({"top_logprobs": floats([700] * 6)}, "have logprobs that are none"),
        ({"entropy": floats([math.inf, 1, 1])}, "have numbers that are none"),
        ({"ids": ints([-1, 2, 3])}, "name tokens that no model has"),
        ({"byte_ends": ints([2, 1, 2])}, "have tokens where it has no text"),
        ({"parts": (0, 1)}, "are of other parts of it for each model"),
        ({"special": b""}, "have columns of different lengths"),
        ({"k": 5000}, "have an impossible number of candidates"),
        ({"full_context_rows": -1}, "have an impossible number of rows with the whole context"),
    ],
)
def test_scores_that_can_not_be_are_told(changed: dict[str, object], why: str) -> None:
    scores = scored([b"a", b"b"])
    asked = requests()[1]
    assert why_unfit(scores, asked) == ""
    side = dataclasses.replace(scores.aligned, **changed)  # type: ignore[arg-type]
    assert why_unfit(dataclasses.replace(scores, aligned=side), asked) == why


@pytest.mark.parametrize(
    ("mask", "why"), [(b"\0", "have columns of different lengths"), (b"\0\1\3", "have a loss mask that is none")]
)
def test_a_loss_mask_that_can_not_be_is_told(mask: bytes, why: str) -> None:
    scores = scored([b"a", b"b"])
    comparison = dataclasses.replace(scores.comparison, loss_mask=mask)
    assert why_unfit(dataclasses.replace(scores, comparison=comparison), requests()[1]) == why


def test_tokens_of_two_models_that_align_in_no_way_are_told() -> None:
    scores, asked = two_vocabularies(), requests()[0]
    assert why_unfit(scores, asked) == ""
    assert scores.comparison.alignment is not None
    for name in ("first", "base_first", "base_tokens"):
        alignment = dataclasses.replace(scores.comparison.alignment, **{name: ints([0, 1, 1, 1 << 30])})
        comparison = dataclasses.replace(scores.comparison, alignment=alignment)
        assert "in no possible way" in why_unfit(dataclasses.replace(scores, comparison=comparison), asked)


@given(st.data())
def test_a_damaged_sidecar_is_refused_or_shown_and_nothing_else(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    path = written(tmp_path_factory.mktemp("damaged"))
    damaged = bytearray(path.read_bytes())
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, len(damaged) - 8))
        value = data.draw(st.one_of(st.binary(min_size=1, max_size=8), st.integers(-(2**63), 2**63 - 1).map(_int64)))
        damaged[at : at + len(value)] = value
    path.write_bytes(damaged)
    try:
        found = had(path)
    except SidecarError:
        return
    for response in transcript().responses:
        for scores in found:
            if why_unfit(scores, requests()[response.index]) == "":
                list(tokens(build(response, scores, ClassifyOptions())))


def _int64(value: int) -> bytes:
    return struct.pack("<q", value)


FIELDS = [Field("n", Kind.INT32), Field("t", Kind.UTF8), Field("l", Kind.FLOAT32, True), Field("b", Kind.BINARY, True)]


@given(st.lists(st.tuples(st.none() | st.integers(0, 99), st.none() | st.text(), st.lists(st.floats(width=32)))))
def test_columns_come_back_from_an_arrow_file(rows: list[tuple[int | None, str | None, list[float]]]) -> None:
    flat = [each for _, _, items in rows for each in items]
    lengths = [len(items) for _, _, items in rows]
    n = len(rows)
    columns: list[Column] = [
        numbers(int32_column(value or 0 for value, _, _ in rows), n, (value is not None for value, _, _ in rows)),
        blobs([None if text is None else text.encode() for _, text, _ in rows]),
        lists(lengths, numbers(float32_column(flat), len(flat))),
        nothing(FIELDS[3], n),
    ]
    arrow = open_arrow(arrow_file(FIELDS, {"k": "v"}, [Batch(n, columns, {"of": "batch"})]), 1)
    head = arrow.head(0, n)
    assert (arrow.fields, arrow.metadata, head.metadata) == (tuple(FIELDS), {"k": "v"}, {"of": "batch"})
    assert arrow.columns(head, 1 << 20) == columns


def test_a_file_that_unpacks_to_more_than_is_allowed_is_refused() -> None:
    zeros = numbers(bytes(4 << 20), 1 << 20)
    data = arrow_file([Field("n", Kind.INT32)], {}, [Batch(1 << 20, [zeros])])
    arrow = open_arrow(data, 1)
    assert len(data) < 10_000
    with pytest.raises(ArrowError, match="more memory than it is given"):
        arrow.columns(arrow.head(0, 1 << 20), 1 << 20)
    with pytest.raises(ArrowError, match="rows where 1,000 are the most"):
        arrow.head(0, 1000)
    with pytest.raises(ArrowError, match="1 batches, and 0 are the most"):
        open_arrow(data, 0)
