"""AlignTDS's positions as JSON: both models' candidates, classed as the reference classes them."""

from __future__ import annotations

import json

from jsonschema import Draft202012Validator

from shiftlens.analysis.classify import build, combine
from shiftlens.analysis.contract import to_json
from shiftlens.analysis.model import Analysis
from shiftlens.analysis.schema import schema
from shiftlens.analysis.tokens import tokens
from shiftlens.options.pair import FROM_FILE, NO_PAIR, ClassifyOptions, ScoreOptions
from shiftlens.pipeline.saved_work import plan_saved_work
from shiftlens.scores.columns import Above
from shiftlens.scores.outcomes import Refusal
from shiftlens.scores.records import ScoredResponse
from shiftlens.transcripts.model import Transcript
from shiftlens.transcripts.read import read

PROMPT = "# Query: \n ```Why?``` \n\n \n# Answer: \n ```"
WORDS = ("Thank", " you", "!", "</s>")
# For each position, the base model's candidates and the aligned model's, the most likely first.
BASE = (("The", "Thank", "I"), ("you", "God", "s"), (".", ",", "for"), ("```", "``", "`"))
ALIGNED = (("Thank", "The", "I"), ("you", "s", "God"), ("!", ".", ","), ("</s>", "I", "We"))
IDS = {text: at for at, text in enumerate(dict.fromkeys(text for row in (*BASE, *ALIGNED) for text in row), 3)}


def side(candidates: tuple[tuple[str, ...], ...], prompt: str) -> dict[str, object]:
    probabilities, logits = (0.5, 0.25, 0.125), (3.0, 2.306853, 1.613706)
    return {
        f"position_{at}": {
            "selected_token": row[0],
            "prefix": prompt + (" " if at else "") + "".join(WORDS[:at]),
            "candidates": [
                {"token_id": IDS[text], "token": text, "logit": logit, "prob": prob}
                for text, logit, prob in zip(row, logits, probabilities, strict=True)
            ],
        }
        for at, row in enumerate(candidates)
    }


def record(**changed: object) -> str:
    value = {
        "id": 0,
        "prompt": PROMPT,
        "probe_text": "".join(WORDS),
        "formatted_base": side(BASE, PROMPT),
        "formatted_inst": side(ALIGNED, "<s>[INST] Why? [/INST]"),
        "instruct_output": "".join(WORDS),
    }
    return json.dumps([{**value, **changed}])


def transcript_of(text: str) -> Transcript:
    found = read(text, filename="a.json")
    assert found is not None
    assert found.format == "aligntds-positions"
    return found


def test_both_models_and_the_classes_of_the_reference_are_shown() -> None:
    transcript = transcript_of(record())
    assert transcript.problems == ()
    assert transcript.responses[0].context[0].text == "Why?"
    work = plan_saved_work(transcript, ScoreOptions())
    (known,) = work.result_of_each()
    assert known is not None
    assert isinstance(known.outcome, ScoredResponse)
    assert work.options.compat == "aligntds"
    found = build(transcript.responses[0], known.outcome, ClassifyOptions(), compat="aligntds")
    positions = list(tokens(found))
    assert [(item.text, item.shift.label) for item in positions] == [
        ("Thank", "marginal"),
        (" you", "unshifted"),
        ("!", "shifted"),
        ("", "shifted"),
    ]
    assert found.has_end
    ranks = [(item.base.rank if item.base is not None else None, item.aligned.rank) for item in positions]
    assert ranks == [(2, 1), (1, 1), (Above(3), 1), (Above(3), 1)]
    assert [item.base_rank_of_aligned_top for item in positions] == [2, 1, Above(3), Above(3)]
    assert round(positions[0].aligned.top[1].prob, 4) == 0.25
    analysis = Analysis(
        transcript=transcript,
        pair=NO_PAIR,
        score_options=work.options,
        classify_options=ClassifyOptions(),
        responses=(found,),
        summary=combine([found.summary]),
        scores=FROM_FILE,
    )
    value = json.loads(json.dumps(to_json(analysis, "a.json"), allow_nan=False))
    Draft202012Validator(schema()).validate(value)
    assert value["responses"][0]["tokens"][0]["aligntds"]["TR@10"] == 1
    assert value["responses"][0]["tokens"][0]["kl"] is None
    assert value["responses"][0]["prefix"]["base"] == {"text": PROMPT, "ids": []}


def test_a_string_that_two_candidates_have_leaves_the_rank_open() -> None:
    twice = (("The", "Thank", "Thank"), *BASE[1:])
    transcript = transcript_of(record(formatted_base=side(twice, PROMPT)))
    (known,) = plan_saved_work(transcript, ScoreOptions()).result_of_each()
    assert known is not None
    assert isinstance(known.outcome, ScoredResponse)
    found = build(transcript.responses[0], known.outcome, ClassifyOptions(), compat="aligntds")
    first = next(iter(tokens(found)))
    assert first.base is not None
    assert first.base.rank is None


def test_texts_that_do_not_go_on_are_refused() -> None:
    broken = side(ALIGNED, "<s>")
    position = broken["position_2"]
    assert isinstance(position, dict)
    position["prefix"] = "other"
    (known,) = plan_saved_work(transcript_of(record(formatted_inst=broken)), ScoreOptions()).result_of_each()
    assert known is not None
    assert isinstance(known.outcome, Refusal)
    assert "does not go on" in known.outcome.problem
