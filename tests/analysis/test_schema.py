"""The JSON schema says what the contract's objects are, and nothing else passes."""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from analysis import hand_made
from analysis.hand_made import asked, scored, side, two_vocabularies
from analysis.test_contract import analysed, as_json
from json_schema import assert_fits, fits
from shiftlens.analysis.contract import SCHEMA, to_json
from shiftlens.analysis.json_values import error_json
from shiftlens.analysis.schema import schema
from shiftlens.errors import TranscriptError
from shiftlens.scores.description import ModelDescription
from shiftlens.text.source_map import SourceMap
from shiftlens.transcripts.model import Part, PartKind, Response, Role, Trained, Turn


def of_parts() -> Response:
    kinds = ((PartKind.REASONING, "Hm"), (PartKind.TEXT, "ab"), (PartKind.TOOL_CALL, "c()"))
    parts = tuple(Part(kind, text, SourceMap.verbatim(10 * at, len(text))) for at, (kind, text) in enumerate(kinds))
    return Response(0, (asked("Why?"),), Turn(Role.ASSISTANT, parts, trained=Trained.PARTLY), label="chosen")


def shortened() -> Any:
    return hand_made.shortened(scored([b"a", b"b"]), base=1, aligned=2)


def with_parts() -> Any:
    return hand_made.of_parts(scored([b"Hm", b"a", b"b"], with_end=False), (0, 1))


def without_numbers() -> Any:
    broken = side(2, logprobs=[[-1.0, -math.inf]] * 2)
    return scored([b"a"], aligned=broken, kl=[math.nan, math.inf])


def with_others() -> Any:
    scores = scored([b"a"], base=side(2, tops=[[10, 11]] * 2), aligned=side(2, tops=[[11, 12]] * 2))
    told = hand_made.floats([-0.5, -9.0] * 2)
    comparison = dataclasses.replace(scores.comparison, base_of_aligned_top=told, aligned_of_base_top=told)
    return dataclasses.replace(scores, comparison=comparison)


OBJECTS: dict[str, Callable[[], dict[str, Any]]] = {
    "an answer": lambda: as_json("ab", scored([b"a", b"b"], base_ranks=[1, 5, 2], boundary=[1], special=[0])),
    "a character of several tokens": lambda: as_json("a😀", scored([b"a", b"\xf0\x9f", b"\x98\x80"])),
    "numbers that JSON lacks": lambda: as_json("a", without_numbers()),
    "a shortened context": lambda: as_json("ab", shortened()),
    "several parts": lambda: as_json("Hmab", with_parts(), of=of_parts()),
    "ranks that are not known": lambda: as_json("abc", scored([b"a", b"b", b"c"], base_ranks=[0, -20, -1, 1])),
    "the other's candidates": lambda: as_json("a", with_others()),
    "two vocabularies": lambda: as_json("abc", two_vocabularies()),
    "a loss mask": lambda: as_json("ab", scored([b"a", b"b"], loss_mask=[1, 0, 2])),
    "the reference's numbers": lambda: as_json("a", scored([b"a"], decoded={10: "the", 11: "a"}), compat="aligntds"),
    "a file without an analysis": lambda: error_json(SCHEMA, "a.txt", TranscriptError("No.", line=3)),
}


@pytest.mark.parametrize("name", OBJECTS)
def test_what_the_contract_writes_is_as_the_schema_says(name: str) -> None:
    assert_fits(OBJECTS[name]())


def test_models_that_are_described_responses_that_are_refused_and_those_not_scored_are_as_the_schema_says() -> None:
    model = ModelDescription(
        name="base",
        path="/models/base",
        architecture="LlamaForCausalLM",
        parameters=10,
        vocabulary=320,
        max_positions=None,
        device="cpu",
        dtype="float32",
        fingerprint="",
        adapter_of="whole",
        matrix_library="onednn",
    )
    models = {"base": model, "aligned": None}
    analysis = analysed("a", scored([b"a"]))
    assert_fits(json.loads(json.dumps(to_json(analysis, "a", models=models, refused=[(1, "No.")], not_scored=[2]))))


def test_a_model_on_a_server_has_null_for_what_it_does_not_tell() -> None:
    model = ModelDescription(
        name="vllm:http://a#b",
        path="b",
        architecture="",
        parameters=0,
        vocabulary=0,
        max_positions=512,
        device="vllm",
        dtype="",
        fingerprint="",
    )
    found = json.loads(json.dumps(to_json(analysed("a", scored([b"a"])), "a", models={"base": model, "aligned": None})))
    assert_fits(found)
    assert [found["models"]["base"][key] for key in ("parameters", "vocabulary")] == [None, None]


def objects_of(schema_part: object) -> Iterator[dict[str, Any]]:
    if isinstance(schema_part, dict):
        if schema_part.get("type") == "object":
            yield schema_part
        for part in schema_part.values():
            yield from objects_of(part)
    elif isinstance(schema_part, list):
        for part in schema_part:
            yield from objects_of(part)


def test_the_schema_is_a_schema_and_leaves_no_object_open() -> None:
    Draft202012Validator.check_schema(schema())
    every = list(objects_of(schema()))
    assert len(every) > 15
    # `by_part` and `by_kind` have kinds as their keys; every other object names all its fields.
    loose = [part for part in every if part.get("additionalProperties") is not False]
    assert [part["additionalProperties"] for part in loose] == [{"$ref": "#/$defs/part_summary"}] * 2


def token_of(found: dict[str, Any]) -> dict[str, Any]:
    token: dict[str, Any] = found["responses"][0]["tokens"][0]
    return token


WRONGS: dict[str, Callable[[dict[str, Any]], object]] = {
    "a file's field too many": lambda found: found.update(more=1),
    "a token's field too many": lambda found: token_of(found).update(more=1),
    "a candidate's field too many": lambda found: token_of(found)["base"]["top"][0].update(more=1),
    "a field too few": lambda found: token_of(found).pop("kl"),
    "another schema": lambda found: found.update(schema="shiftlens/2"),
    "another kind": lambda found: token_of(found).update(kind="moved"),
    "shares of another kind": lambda found: found["summary"]["by_kind"].update(moved={}),
    "another class": lambda found: token_of(found).update({"class": "moved"}),
    "a rank of 0": lambda found: token_of(found)["base"].update(rank=0),
    "a probability above 1": lambda found: token_of(found)["base"].update(prob=1.5),
    "text at the end": lambda found: token_of(found).update(end_of_response=True),
    "a group with a logprob": lambda found: token_of(found).update(
        realigned={"first": 0, "last": 0, "base_tokens": 2, "base_logprob": -1.0}
    ),
    "none of the numbers of the reference": lambda found: found["settings"].update(compat="aligntds"),
    "no context where ours are the numbers": lambda found: found["settings"].update(base_context=None),
    "an error beside an analysis": lambda found: found.update(error={"kind": "E", "line": None, "message": "m"}),
}


@pytest.mark.parametrize("name", WRONGS)
def test_an_object_that_is_not_of_the_contract_does_not_fit(name: str) -> None:
    found = as_json("ab", scored([b"a", b"b"]))
    assert fits(found)
    WRONGS[name](found)
    assert not fits(found)
