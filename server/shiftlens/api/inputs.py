"""What the functions of the Python API are given, as the other rooms have it, and what they share."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Coroutine, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypedDict, TypeVar

from shiftlens.chat_templates.own import model_template
from shiftlens.engine.client import EngineClient
from shiftlens.errors import ModelError, ScoringError, TranscriptError
from shiftlens.options.choice import Choice
from shiftlens.options.pair import FROM_MODELS, ClassifyOptions, PairSpec, ScoreOptions, parts_named
from shiftlens.options.word_lists import read_word_lists
from shiftlens.pipeline.analyse import Analysed
from shiftlens.report.results import TranscriptAnalysis
from shiftlens.transcripts.files import decode
from shiftlens.transcripts.model import Transcript
from shiftlens.transcripts.read import read

T = TypeVar("T")
Message = Mapping[str, object]
"""A message as chat APIs have it: {"role": "user", "content": "..."}."""
Source = str | Path | Message | Sequence[Message]


class ScoringOptions(TypedDict, total=False):
    """What changes how a transcript is read, scored and classified; see `analyze`."""

    base_context: str
    aligned_context: str
    classify_by: str
    thresholds: tuple[int, int]
    top_k: int
    score_parts: Sequence[str]
    word_lists: Path | None
    compat: str
    device: str
    dtype: str
    matrix_library: str
    allow_download: bool
    allow_pickle: bool
    transcript_format: str | None


_OF_PAIR = ("device", "dtype", "matrix_library", "allow_download", "allow_pickle")
_OF_SCORES = ("base_context", "aligned_context", "top_k", "compat")
_OF_CLASSES = ("classify_by", "thresholds")


def choice_of(base: str, aligned: str, options: ScoringOptions, scores: str = FROM_MODELS) -> Choice:
    """The pair and options as the other rooms have them. Raises ScoringError and WordListError."""

    def given(names: Sequence[str]) -> dict[str, Any]:
        return {name: value for name, value in options.items() if name in names}

    of_scores, of_classes, lists = given(_OF_SCORES), given(_OF_CLASSES), options.get("word_lists")
    if "score_parts" in options:
        of_scores["parts"] = _parts(options["score_parts"])
    if lists is not None:
        of_classes["word_lists"] = read_word_lists(lists)
    return Choice(
        pair=PairSpec(base=base, aligned=aligned, **given(_OF_PAIR)),
        score_options=ScoreOptions(**of_scores),
        classify_options=ClassifyOptions(**of_classes),
        problems=(),
        scores=scores,
    )


@dataclass(frozen=True, slots=True)
class Asked:
    """A transcript with the name of its file ("" for none) and its text, and the pair and options for it."""

    name: str
    text: str
    transcript: Transcript
    choice: Choice


def asked_of(function: str, source: Source, base: str, aligned: str, options: ScoringOptions) -> Asked:
    """What a function that takes one pair is given. Raises as `analyze`, and TypeError for an option that is none."""
    if strange := options.keys() - ScoringOptions.__annotations__.keys():
        raise TypeError(f"{function}() got an unexpected keyword argument {min(strange)!r}")
    if not isinstance(aligned, str):
        raise ValueError("`aligned` is one model here.")
    if not (base and aligned):
        raise ModelError("A pair needs both `base` and `aligned`.", "Name both.")
    choice = choice_of(base, aligned, options)
    return Asked(*transcript_of(source, options.get("transcript_format"), aligned), choice)


def transcript_of(source: Source, transcript_format: str | None, aligned: str) -> tuple[str, str, Transcript]:
    """The name of the file, "" for none, its text, and its transcript. Raises TranscriptError."""
    named = transcript_format
    if isinstance(source, Path):
        name, text = str(source), decode(source.read_bytes())
    elif isinstance(source, str):
        name, text = "", source
    else:
        name, text, named = "", _json(source), transcript_format or "openai"
    found = read(
        text, filename=name or None, format=named, own_template=lambda _: model_template(aligned) if aligned else None
    )
    if found is None:
        raise TranscriptError(
            "This is not a transcript in any format that shiftlens knows.",
            "If it is one, name its format with `transcript_format`.",
        )
    return name, text, found


def _json(messages: Message | Sequence[Message]) -> str:
    record = dict(messages) if isinstance(messages, Mapping) else {"messages": [*map(_message, messages)]}
    try:
        return json.dumps(record, ensure_ascii=False)
    except (TypeError, ValueError) as error:
        raise TranscriptError(f"These messages can't be written as JSON: {error}.") from None


def _message(message: object) -> dict[str, object]:
    if not isinstance(message, Mapping):
        raise TranscriptError(
            f"A message is a mapping with a role and a content, and this is {type(message).__name__}.",
            'Give messages as [{"role": "user", "content": "..."}, {"role": "assistant", "content": "..."}].',
        )
    return dict(message)


def _parts(names: Sequence[str]) -> tuple[str, ...]:
    try:
        return parts_named((names,) if isinstance(names, str) else names)
    except ValueError as error:
        raise ScoringError(f"`score_parts` must be {error}.") from None


def with_an_engine(work: Callable[[EngineClient], Coroutine[object, object, T]]) -> T:
    async def run() -> T:
        engine = EngineClient()
        try:
            return await work(engine)
        finally:
            await engine.close()

    # Notebooks run a loop on the calling thread already, so this one gets another thread.
    with ThreadPoolExecutor(max_workers=1) as thread:
        return thread.submit(asyncio.run, run()).result()


def named(done: Analysed, name: str, text: str) -> TranscriptAnalysis:
    """Raises ScoringError where a response has no scores."""
    if done.refused:
        index, message = done.refused[0]
        raise ScoringError(f"Response {index + 1} ({done.analysis.pair.aligned}): {message}")
    return TranscriptAnalysis.of(done, name, text)
