"""What AlignTDS's `data_prep.py` makes of two models' logits, as JSON: a prompt, an answer, candidates of both."""

from __future__ import annotations

import re
from collections.abc import Iterator

from shiftlens.text.source_map import slice_of
from shiftlens.transcripts.conversation import Conversation, Said
from shiftlens.transcripts.format import Example, JsonFormat
from shiftlens.transcripts.json.record import Record, each
from shiftlens.transcripts.json.saved import with_saved
from shiftlens.transcripts.json.template_text import answer_text
from shiftlens.transcripts.model import Role, SavedKind, SavedLogprobs, Turn

_SIDES = ("formatted_base", "formatted_inst")
# The base model's prompt, in which the query stands between fences.
_FENCED = re.compile(r"\A# Query: \n ```(.*)``` \n\n \n# Answer: \n ```\Z", re.DOTALL)


def _matches(value: object) -> bool:
    return (
        isinstance(value, dict)
        and all(isinstance(value.get(side), dict) for side in _SIDES)
        and any(isinstance(value.get(key), str) for key in ("instruct_output", "probe_text"))
    )


def _read(record: Record) -> Iterator[Conversation]:
    prompt = record.string("prompt")
    answer = record.string("instruct_output") or record.string("probe_text")
    record.skip("probe_text", "instruct_output")
    if answer is None:
        return
    sides = [record.member(side) for side in _SIDES]
    pieces = tuple(record.text[node.start : node.end] for node in sides if node is not None)
    start = min(node.start for node in sides if node is not None)
    asked: tuple[Said, ...] = ()
    if prompt is not None:
        fenced = _FENCED.match(prompt[0])
        query = prompt if fenced is None else slice_of(*prompt, *fenced.span(1))
        asked = (Said(Turn.of(Role.USER, *query)),)
    said = answer_text(*answer)
    yield Conversation((*asked, *with_saved((said,), (SavedLogprobs(SavedKind.ALIGNTDS, pieces, "", start),))))


FORMAT = JsonFormat(
    name="aligntds-positions",
    summary='AlignTDS\'s positions as JSON: {"prompt", "formatted_base", "formatted_inst", "instruct_output"}',
    examples=(
        Example(
            "positions.json",
            '[{"id": 0, "prompt": "# Query: \\n ```Why?``` \\n\\n \\n# Answer: \\n ```", "probe_text": "Air.</s>",\n'
            '  "formatted_base": {"position_0": {"selected_token": "The", "prefix": "Why?", "candidates":'
            ' [{"token_id": 5, "token": "The", "logit": 2.0, "prob": 0.5}]}},\n'
            '  "formatted_inst": {"position_0": {"selected_token": "Air.", "prefix": "Why?", "candidates":'
            ' [{"token_id": 6, "token": "Air.", "logit": 3.0, "prob": 0.6}]}}, "instruct_output": "Air.</s>"}]\n',
        ),
    ),
    evidence='"formatted_base" and "formatted_inst"',
    marks=(('"formatted_inst"',),),
    matches=_matches,
    read=each(_read),
)
