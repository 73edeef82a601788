"""What comes of several base contexts, and of a noise floor: JSON as that of the commands, with places, and a page."""

from __future__ import annotations

from collections.abc import Sequence

from shiftlens.analysis import contexts_contract, noise_floor_contract
from shiftlens.analysis.contexts import FileContexts
from shiftlens.analysis.noise_floor import FileNoise, as_what
from shiftlens.analysis.words import base_context_of
from shiftlens.lsp.views.requests import Json, range_in
from shiftlens.lsp.views.text_page import page_json, text_page
from shiftlens.options.pair import PairSpec
from shiftlens.pipeline.analyse import Analysed
from shiftlens.pipeline.unscored import CHOOSE_PARTS
from shiftlens.report.text.contexts import contexts_lines, not_compared_lines
from shiftlens.report.text.lines import Places
from shiftlens.report.text.noise_floor import is_greyed, noise_lines
from shiftlens.text.lines import Unit

Command = tuple[str, Sequence[str]]

# Members of the JSON of the commands that the client need not be told.
_OF_FILES = ("schema", "file")


def contexts_answer(
    found: FileContexts, first: Analysed, name: str, command: Command | None, places: Places, unit: Unit
) -> Json:  # fmt: skip
    """`shiftlens/contexts`. `first` is the analysis under the first context, `name` what the page calls the file."""
    value = _own(contexts_contract.to_json(found, name, not_scored=first.not_scored, tokens=False))
    value["responses"] = [
        {
            **contexts_contract.response_json(response, ()),
            "tokens": [
                {**contexts_contract.token_json(row), "range": _range(places, row.start, row.end, unit)}
                for row in response.changed
            ],
        }
        for response in found.responses
    ]
    head = [
        f"Base contexts side by side: {name}",
        f"{models_words(found.analyses[0].pair)}; the aligned model is given the same in each",
        *_gaps(first),
        *not_compared_lines(found),
    ]
    page = text_page(head, command, contexts_lines(found, places))
    return {**value, **page_json(page, places.lines, unit)}


def noise_answer(
    found: FileNoise, real: Analysed, name: str, command: Command | None, places: Places, unit: Unit
) -> Json:  # fmt: skip
    """`shiftlens/noiseFloor`; `real` is the analysis of the pair."""
    value = _own(noise_floor_contract.to_json(found, real.analysis, name, not_scored=real.not_scored, tokens=False))
    value["responses"] = [
        {
            **noise_floor_contract.response_json(response, ()),
            "tokens": [
                {**noise_floor_contract.token_json(each), "range": _range(places, each.start, each.end, unit)}
                for each in response.positions
                if is_greyed(each)
            ],
        }
        for response in found.responses
    ]
    told = {index for index, _ in real.refused}
    head = [
        f"Noise floor: {name}",
        f"{models_words(real.analysis.pair)}; base context {_context_name(real)}",
        f"Noise is what the aligned model moves by {as_what(found.dtypes[1])}, from {found.dtypes[0]}, in nats.",
        "Listed are marginal and shifted tokens that base and aligned model tell no further apart than that. Positions"
        " count from 0.",
        *_gaps(real),
        *(f"response {index + 1}: {message}" for index, message in real.refused),
        *(
            f"response {index + 1} is not measured: {message}"
            for index, message in found.not_measured
            if index not in told
        ),
    ]
    page = text_page(head, command, noise_lines(found, places))
    return {**value, **page_json(page, places.lines, unit)}


def models_words(pair: PairSpec) -> str:
    """The models of a pair, by their names."""
    return f"base {pair.base}, aligned {pair.aligned}"


def _context_name(found: Analysed) -> str:
    """A template by that word alone: its text is long."""
    return base_context_of(found.analysis.score_options).partition(":")[0]


def _gaps(found: Analysed) -> list[str]:
    """What of the file is not in its analysis, but responses that could not be scored."""
    problems = [f"line {line}: {message}" for line, message in found.analysis.transcript.problems]
    left_out = [f"{found.left_out} {CHOOSE_PARTS}"] if found.left_out else []
    return [*problems, *found.problems, *left_out]


def _own(value: Json) -> Json:
    return {key: each for key, each in value.items() if key not in _OF_FILES}


def _range(places: Places, start: int, end: int, unit: Unit) -> Json | None:
    span = places.now(start, end)
    return None if span is None else range_in(places.lines, span, unit)
