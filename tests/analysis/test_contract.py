"""The JSON that others build on, key by key."""

from __future__ import annotations

import dataclasses
import json
import math
from typing import Any

import pytest

from analysis.hand_made import (
    BASE_END_ID,
    END_ID,
    floats,
    of_parts,
    response,
    scored,
    shortened,
    side,
    two_vocabularies,
)
from shiftlens.analysis.classify import build, combine
from shiftlens.analysis.contract import SCHEMA, to_json
from shiftlens.analysis.json_values import error_json
from shiftlens.analysis.model import Analysis
from shiftlens.errors import TranscriptError
from shiftlens.options.pair import ClassifyOptions, PairSpec, ScoreOptions
from shiftlens.text.source_map import SourceMap
from shiftlens.transcripts.model import Part, PartKind, Response, Role, Trained, Transcript, Turn


def analysed(text: str, scores: Any, compat: str = "", of: Response | None = None) -> Analysis:
    options = ClassifyOptions()
    one = build(of or response(text), scores, options, compat=compat)
    return Analysis(
        transcript=Transcript("labels", "`User:` on line 1", (one.response,), problems=((7, "Not JSON."),)),
        pair=PairSpec(base="bundled:base", aligned="bundled:aligned"),
        score_options=ScoreOptions(compat=compat),
        classify_options=options,
        responses=(one,),
        summary=combine([one.summary]),
    )


def as_json(text: str, scores: Any, **options: Any) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(json.dumps(to_json(analysed(text, scores, **options), "a.txt"), allow_nan=False))
    return found


def test_a_file_names_its_schema_models_and_settings() -> None:
    found = as_json("a", scored([b"a"]))
    assert (found["schema"], found["file"], found["format"]) == ("shiftlens/1", "a.txt", "labels")
    assert found["models"] == {"base": {"name": "bundled:base"}, "aligned": {"name": "bundled:aligned"}}
    assert found["settings"]["base_context"] == "aligntds"
    assert found["settings"]["thresholds"] == [1, 3]
    assert found["problems"] == [{"line": 7, "message": "Not JSON."}]


def test_a_response_tells_its_place_prefixes_and_summary() -> None:
    found = as_json("ab", scored([b"a", b"b"], base_ranks=[1, 5, 2], boundary=[1]))["responses"][0]
    assert (found["index"], found["prompt"], found["text"]) == (0, "Why?", "ab")
    assert (found["start"], found["end"]) == (100, 102)
    assert found["prefix"]["base"] == {"text": "# Query:", "ids": [5, 6]}
    summary = found["summary"]
    assert [summary[key] for key in ("tokens", "unshifted", "marginal", "shifted", "flagged")] == [3, 1, 1, 1, 1]
    assert summary["shares_without_flagged"]["shifted"] == 0
    assert found["notes"] == ["A note."]


def test_a_token_has_its_kind_and_a_summary_the_counts_of_each() -> None:
    whole = as_json("Sure, air", scored([b"Sure", b",", b" air"], base_ranks=[9, 1, 2, 1]))
    found = whole["responses"][0]
    assert [token["kind"] for token in found["tokens"]] == ["opener", "opener", "content", "syntax"]
    by_kind = found["summary"]["by_kind"]
    assert {kind: (counts["tokens"], counts["shifted"]) for kind, counts in by_kind.items()} == {
        "content": (1, 0),
        "opener": (2, 1),
        "syntax": (1, 0),
    }
    assert by_kind["opener"]["shares"]["shifted"] == 0.5
    assert whole["summary"]["by_kind"] == by_kind
    assert whole["settings"]["word_lists"] == "package"


def test_a_token_has_every_key_of_the_contract() -> None:
    token = as_json("a", scored([b"a"], base_ranks=[4, 1], special=[0]))["responses"][0]["tokens"][0]
    wanted = {
        "index",
        "id",
        "text",
        "start",
        "end",
        "class",
        "boundary",
        "special",
        "base",
        "aligned",
        "kl",
        "jaccard@10",
    }
    assert wanted <= set(token)
    assert (token["class"], token["special"], token["boundary"]) == ("shifted", True, False)
    assert {"rank", "logprob", "prob", "top"} <= set(token["base"])
    assert "id" not in token["base"]
    assert token["base"]["top"][0] == {"id": 10, "text": " the", "prob": pytest.approx(0.5)}
    assert token["base"]["top"][1]["bytes"] == "f09f"
    assert "bytes" not in token


def test_the_end_has_no_text_and_a_side_with_another_id_names_it() -> None:
    end = as_json("a", scored([b"a"]))["responses"][0]["tokens"][-1]
    assert (end["text"], end["start"], end["end"], end["id"]) == ("", 101, 101, END_ID)
    assert end["end_of_response"] is True
    assert end["base"]["id"] == BASE_END_ID
    assert "id" not in end["aligned"]


def test_parts_of_a_character_have_bytes_and_their_texts_join_to_the_response() -> None:
    tokens = as_json("a😀", scored([b"a", b"\xf0\x9f", b"\x98\x80"]))["responses"][0]["tokens"]
    assert "".join(token["text"] for token in tokens) == "a😀"
    assert [token.get("bytes") for token in tokens] == [None, "f09f", "9880", None]


def test_numbers_that_json_lacks_are_null() -> None:
    broken = side(2)
    object.__setattr__(broken, "logprob", floats([-math.inf, math.nan]))
    tokens = as_json("a", scored([b"a"], aligned=broken, kl=[math.nan, math.inf]))["responses"][0]["tokens"]
    assert [token["kl"] for token in tokens] == [None, None]
    assert [token["aligned"]["logprob"] for token in tokens] == [None, None]
    assert tokens[0]["aligned"]["prob"] == 0


def test_compat_adds_the_references_numbers() -> None:
    scores = scored([b"a"], decoded={10: "the", 11: "a"})
    token = as_json("a", scores, compat="aligntds")["responses"][0]["tokens"][0]
    assert set(token["aligntds"]) == {"KL@10", "Jaccard@10", "WS@10", "TR@10", "TP", "BTP", "nDCG", "token"}
    assert token["aligntds"]["token"] == "the"


def test_a_file_without_an_analysis_gives_its_error() -> None:
    assert error_json(SCHEMA, "a.txt", TranscriptError("No.", line=3)) == {
        "schema": "shiftlens/1",
        "file": "a.txt",
        "error": {"kind": "TranscriptError", "line": 3, "message": "No."},
    }


def test_a_position_that_did_not_see_the_whole_context_says_so_and_the_others_have_no_such_field() -> None:
    scores = scored([b"a", b"b"])
    scores = shortened(scores, base=1, aligned=2)
    tokens = as_json("ab", scores)["responses"][0]["tokens"]
    assert [token.get("context") for token in tokens] == [None, "shortened", "shortened"]
    assert [token["base"].get("context") for token in tokens] == [None, "shortened", "shortened"]
    assert [token["aligned"].get("context") for token in tokens] == [None, None, "shortened"]


def test_two_vocabularies_give_the_base_side_ids_of_its_own_and_nothing_where_there_is_no_number() -> None:
    scores = two_vocabularies()
    found = as_json("abc", scores)["responses"][0]
    one, first, second, end = found["tokens"]
    assert one["base"]["id"] == 7
    assert [candidate["id"] for candidate in one["base"]["top"]] == [70, 71]
    assert "realigned" not in one
    assert one["base_rank_of_aligned_top"] is None
    group = {"first": 1, "last": 2, "base_tokens": 3, "base_logprob": pytest.approx(-4.5)}
    for token in (first, second):
        assert token["realigned"] == group
        assert (token["base"]["id"], token["base"]["logprob"], token["base"]["prob"]) == (None, None, None)
        assert (token["base"]["rank"], token["class"]) == (9, "shifted")
    assert (second["base"]["top"], second["base"]["missing_mass"], second["jaccard@10"]) == ([], None, None)
    assert end["base"]["id"] == BASE_END_ID
    assert {token["kl"] for token in found["tokens"]} == {None}
    assert (found["summary"]["realigned"], found["summary"]["flagged"]) == (2, 2)
    assert found["summary"]["shares_without_flagged"]["tokens"] == 2


def in_parts() -> Response:
    """An answer that stands in the file before the reasoning that led to it, and a call that is not scored."""
    parts = [(PartKind.REASONING, "hm", 40), (PartKind.TEXT, "yes", 20), (PartKind.TOOL_CALL, "{}", 60)]
    each = tuple(Part(kind, text, SourceMap.verbatim(at, len(text))) for kind, text, at in parts)
    return Response(
        3, (), Turn(Role.ASSISTANT, each), conversation=2, turn_index=5, label="chosen", notes=("Read so.",)
    )


def test_a_response_of_parts_names_them_all_and_its_tokens_name_theirs() -> None:
    scores = of_parts(scored([b"hm", b"yes"], with_end=False, base_ranks=[9, 1]), (0, 1))
    whole = as_json("", scores, of=in_parts())
    found = whole["responses"][0]
    assert (found["conversation"], found["turn"], found["label"]) == (2, 5, "chosen")
    assert found["parts"] == [
        {"kind": "reasoning", "start": 40, "end": 42},
        {"kind": "answer", "start": 20, "end": 23},
        {"kind": "tool_call", "start": 60, "end": 62, "scored": False},
    ]
    assert (found["text"], found["start"], found["end"]) == ("hmyes", 20, 62)
    assert [token.get("part") for token in found["tokens"]] == ["reasoning", None]
    assert not any(token.get("end_of_response") for token in found["tokens"])
    by_part = found["summary"]["by_part"]
    assert {kind: (part["tokens"], part["shifted"]) for kind, part in by_part.items()} == {
        "answer": (1, 0),
        "reasoning": (1, 1),
    }
    assert (found["summary"]["tokens"], found["summary"]["shifted"]) == (2, 1)
    assert whole["summary"]["by_part"] == by_part
    assert found["notes"] == ["Read so.", "A note."]


def test_a_response_that_is_an_answer_alone_says_nothing_of_parts() -> None:
    whole = as_json("a", scored([b"a"]))
    found = whole["responses"][0]
    assert (found["conversation"], found["turn"]) == (0, 0)
    assert not {"parts", "label"} & set(found)
    assert "by_part" not in found["summary"]
    assert "by_part" not in whole["summary"]
    assert whole["settings"]["score_parts"] == ["answer", "reasoning"]


def test_a_response_says_whether_it_is_trained_on_where_the_file_does() -> None:
    one = in_parts()
    scores = of_parts(scored([b"hm", b"yes"], with_end=False), (0, 1))
    assert "trained" not in as_json("", scores, of=one)["responses"][0]
    masked = dataclasses.replace(one, turn=dataclasses.replace(one.turn, trained=Trained.NO))
    assert as_json("", scores, of=masked)["responses"][0]["trained"] == "no"


def test_settings_that_the_reference_does_not_go_by_are_null_under_compat() -> None:
    settings = as_json("a", scored([b"a"], decoded={10: "the", 11: "a"}), compat="aligntds")["settings"]
    assert {key for key, value in settings.items() if value is None} == {
        "base_context",
        "aligned_context",
        "classify_by",
        "top_k",
    }
    assert settings["compat"] == "aligntds"


def test_a_token_tells_whether_the_template_marks_it_and_a_summary_the_counts_where_one_does() -> None:
    whole = as_json("abc", scored([b"a", b"b", b"c"], base_ranks=[9, 1, 1, 9], loss_mask=[1, 0, 2, 1]))
    found = whole["responses"][0]
    assert [token["loss_mask"] for token in found["tokens"]] == [True, False, None, True]
    by_loss_mask = found["summary"]["by_loss_mask"]
    assert {mask: (counts["tokens"], counts["shifted"]) for mask, counts in by_loss_mask.items()} == {
        "counted": (2, 2),
        "left_out": (1, 0),
        "unknown": (1, 0),
    }
    assert whole["summary"]["by_loss_mask"] == by_loss_mask
    without = as_json("a", scored([b"a"]))["responses"][0]
    assert "loss_mask" not in without["tokens"][0]
    assert "by_loss_mask" not in without["summary"]
