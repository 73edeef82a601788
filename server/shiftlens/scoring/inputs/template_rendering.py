"""A model's chat template: what it writes, and what it makes of each turn.

Templates are programs, and no rule tells what one does with a turn. So a template is asked: it renders the same
conversation with stand-ins for its texts. Where these stand in what it writes tells which turns it leaves out, which
fields it reads, and what it puts around an answer.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from jinja2 import TemplateError
from transformers import PreTrainedTokenizerFast
from transformers.utils.chat_template_utils import render_jinja_template

from shiftlens.errors import ScoringError
from shiftlens.scores.requests import ContextPart, ContextTurn
from shiftlens.scores.template_date import TEMPLATE_DATE
from shiftlens.scoring.inputs.messages import (
    REASONING_KEYS,
    Dialect,
    is_call,
    is_content,
    messages_of,
    reasoning_of,
    tools_of,
)
from shiftlens.scoring.inputs.template_date import with_fixed_date
from shiftlens.scoring.inputs.template_limits import limited

_REFUSALS = (
    TemplateError,
    ValueError,
    TypeError,
    AttributeError,
    LookupError,
    ArithmeticError,
    RecursionError,
    MemoryError,
)
_STRUCTURES_KEPT = 256
_MARKS = re.compile(r"\{%[-+]?\s*generation\s*[-+]?%\}")


@dataclass(frozen=True, slots=True)
class Probe:
    """What a template makes of a conversation of one structure, seen on stand-ins.

    - dialect: the way of giving it messages that loses least.
    - generation_prompt: what it writes more where an answer is to follow.
    - missing: the stand-ins that it does not write.
    - shows_tools: whether it writes the tools, where there are some.
    - refusal: why it took the messages in no way, None where it did.
    """

    dialect: Dialect
    generation_prompt: str = ""
    missing: frozenset[str] = frozenset()
    shows_tools: bool = True
    refusal: Exception | None = None


@dataclass(frozen=True, slots=True)
class Marked:
    """What a template writes, and the spans [start, past) of it that it marks as the assistant's, in code points."""

    text: str
    spans: tuple[tuple[int, int], ...]


class ChatTemplate:
    """The chat template of a tokenizer."""

    def __init__(self, tokenizer: PreTrainedTokenizerFast, text: str) -> None:
        self._tokenizer = tokenizer
        self.text = with_fixed_date(text)
        self._keys = [key for key in REASONING_KEYS if re.search(rf"\b{key}\b", self.text)]
        self.bos = tokenizer.bos_token if isinstance(tokenizer.bos_token, str) else ""
        self.probe = lru_cache(maxsize=_STRUCTURES_KEPT)(self._probe)

    def render(
        self, turns: Sequence[ContextTurn], dialect: Dialect, tools: str = "", *, generation_prompt: bool = False
    ) -> str:
        """What the template writes. Raises ScoringError where it refuses the turns."""
        try:
            return self._apply(turns, dialect, tools, generation_prompt=generation_prompt)
        except _REFUSALS as error:
            raise self.refused(turns, error) from error

    def marked(self, turns: Sequence[ContextTurn], dialect: Dialect, tools: str = "") -> Marked | None:
        """What the template writes, with what it marks by `{% generation %}`.

        None where it has no such tag, or refuses the turns.
        """
        if not _MARKS.search(self.text):
            return None
        spans: list[tuple[int, int]] = []

        def render() -> str:
            rendered: Any = render_jinja_template(
                conversations=[messages_of(turns, dialect)],
                tools=self._offered(tools, dialect),
                chat_template=self.text,
                return_assistant_tokens_mask=True,
                **{**self._tokenizer.special_tokens_map, **self._dated()},
            )
            texts, found = rendered
            spans.extend((int(start), int(past)) for start, past in found[0])
            return str(texts[0])

        try:
            return Marked(limited(self._whose, render), tuple(spans))
        except _REFUSALS:
            return None

    def refused(self, turns: Sequence[ContextTurn], error: Exception) -> ScoringError:
        roles = ", ".join(turn.role for turn in turns)
        return ScoringError(
            f"The chat template of {self._tokenizer.name_or_path} refuses these turns ({roles}): {error}.",
            "Check the order of the roles in the transcript; some templates take no system or tool turn.",
        )

    def _probe(self, turns: tuple[ContextTurn, ...], tools: str) -> Probe:
        """What the template makes of these turns, the last of which is an answer; all are stand-ins (`stand_ins`)."""
        wanted = names_in(turns)
        best: Probe | None = None
        first_error: Exception | None = None
        for dialect in self._dialects(turns, bool(tools)):
            try:
                written = self._apply(turns, dialect, tools)
                shows_tools = not tools or (dialect.with_tools and written != self._apply(turns, dialect, ""))
            except _REFUSALS as error:
                first_error = first_error or error
                continue
            missing = frozenset(name for name in wanted if name not in written)
            if best is None or _lost(missing, shows_tools) < _lost(best.missing, best.shows_tools):
                best = Probe(dialect, self._generation_prompt(turns[:-1], dialect), missing, shows_tools)
            if not _lost(missing, shows_tools):
                break
        return best or Probe(Dialect(), refusal=first_error)

    def _dialects(self, turns: Sequence[ContextTurn], has_tools: bool) -> Iterator[Dialect]:
        """The ways of giving messages to a template, the usual ones first."""
        calls = any(is_call(part) for turn in turns for part in turn.parts)
        keys = [*self._keys, ""] if any(reasoning_of(turn.parts) for turn in turns) else [""]
        either, one = (True, False), (True,)
        for with_tools, with_calls, parts_list, key, as_text in itertools.product(
            either if has_tools else one,
            either if calls else one,
            (False, True),
            keys,
            (False, True) if calls else (False,),
        ):
            yield Dialect(parts_list, as_text, key, with_calls, with_tools)

    def _generation_prompt(self, turns: Sequence[ContextTurn], dialect: Dialect) -> str:
        try:
            asked = self._apply(turns, dialect, "", generation_prompt=True)
            bare = self._apply(turns, dialect, "")
        except _REFUSALS:
            return ""
        differs = (at for at, (one, other) in enumerate(zip(asked, bare, strict=False)) if one != other)
        return asked[next(differs, min(len(asked), len(bare))) :]

    def _apply(
        self, turns: Sequence[ContextTurn], dialect: Dialect, tools: str, *, generation_prompt: bool = False
    ) -> str:
        messages = messages_of(turns, dialect)
        offered = self._offered(tools, dialect)

        def render() -> str:
            written = self._tokenizer.apply_chat_template(
                messages,
                chat_template=self.text,
                tools=offered,
                tokenize=False,
                add_generation_prompt=generation_prompt,
                **self._dated(),
            )
            return str(written)

        return limited(self._whose, render)

    @property
    def _whose(self) -> str:
        return f"The chat template of {self._tokenizer.name_or_path}"

    def _dated(self) -> dict[str, Any]:
        """The day, for templates that are given it."""
        return {"date_string": TEMPLATE_DATE.strftime("%d %b %Y")} if "date_string" in self.text else {}

    def _offered(self, tools: str, dialect: Dialect) -> list[dict[Any, Any] | Callable[..., Any]] | None:
        return tools_of(tools) if dialect.with_tools else None


@lru_cache(maxsize=4)
def _template(tokenizer: PreTrainedTokenizerFast, text: str) -> ChatTemplate:
    return ChatTemplate(tokenizer, text)


def chat_template_of(tokenizer: PreTrainedTokenizerFast, *, with_tools: bool = False) -> ChatTemplate:
    """The template of a tokenizer; some have another one for conversations with tools.

    Raises ScoringError where it has none.
    """
    if not tokenizer.chat_template:
        raise ScoringError(
            f"The aligned model {tokenizer.name_or_path} has no chat template, so it can't be given the"
            " conversation as it was trained to see it.",
            "Choose a model with a template, put a `chat_template.jinja` in its folder, or set the aligned context"
            " to `few-shot`.",
        )
    try:
        text = tokenizer.get_chat_template(tools=[] if with_tools else None)
    except ValueError as error:
        raise ScoringError(
            f"The aligned model {tokenizer.name_or_path} has several chat templates and names none the default.",
            "Put the one to be used as `chat_template.jinja` into its folder.",
        ) from error
    return _template(tokenizer, text)


def stand_in(turn: int, what: str) -> str:
    """The word that stands for a text of a turn: `what` is "said", "thought" or "call" with its number."""
    return f"zq{turn}{what}qz"


def stand_ins(turns: Sequence[ContextTurn]) -> tuple[ContextTurn, ...]:
    """The same turns with a word in place of each text."""
    return tuple(_stand_ins(at, turn) for at, turn in enumerate(turns))


def _stand_ins(at: int, turn: ContextTurn) -> ContextTurn:
    parts: list[ContextPart] = []
    if reasoning_of(turn.parts):
        parts.append(ContextPart("reasoning", stand_in(at, "thought")))
    if any(is_content(part) and part.text for part in turn.parts):
        parts.append(ContextPart("tool_result" if turn.role == "tool" else "text", stand_in(at, "said")))
    for number, part in enumerate(calls_of(turn)):
        name, word = part.call[0] if part.call else "", stand_in(at, f"call{number}")
        parts.append(
            ContextPart("tool_call", word, call=(name, f'{{"zq": "{word}"}}', part.call[2] if part.call else ""))
        )
    return ContextTurn(turn.role, tuple(parts), turn.name, turn.call_id)


def calls_of(turn: ContextTurn) -> list[ContextPart]:
    """The calls of a turn that could be read and have a field of their own."""
    return [part for part in turn.parts if is_call(part) and part.call is not None]


def names_in(turns: Sequence[ContextTurn]) -> list[str]:
    """The stand-ins of turns that a template should write; of reasoning, that of the last turn alone."""
    words = [part.text for turn in turns[:-1] for part in turn.parts if part.kind != "reasoning"]
    return words + [part.text for part in turns[-1].parts]


def _lost(missing: frozenset[str], shows_tools: bool) -> int:
    return len(missing) + (not shows_tools)
