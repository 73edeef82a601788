"""What a model is given before the response, as text, and what would close the response there.

`aligntds` is the fence of AlignTDS (Lin et al. 2023, repo Re-Align/AlignTDS), kept to the letter, stray spaces
included, so that figures compare with published ones. The others are the project's own.

Of earlier turns they have what was said and, a line for each, the tool calls. Reasoning that a file keeps apart from an
answer is left out of earlier turns, as most chat templates do, and `about_context` says so.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from types import TracebackType

from jinja2 import TemplateSyntaxError

from shiftlens.errors import ScoringError
from shiftlens.options.pair import BASE_CONTEXTS
from shiftlens.scores.requests import ContextPart, ContextTurn
from shiftlens.scoring.inputs.messages import is_call, is_content, is_reasoning
from shiftlens.scoring.inputs.template_limits import LimitedEnvironment, limited

TEMPLATE_PREFIX = "template:"

_FILES_OF_TEMPLATES = ("<template>", "<unknown>")

_FEW_SHOT_INTRODUCTION = (
    "What follows are questions that people asked an assistant, each with the answer it gave. The answers are"
    " helpful, honest and to the point; where an answer could do harm, the assistant says so and declines.\n\n"
)
_FEW_SHOT_EXAMPLES = (
    (
        "Why does bread rise?",
        "Bread rises because yeast feeds on the sugars in the dough and gives off carbon dioxide. The gluten in"
        " the flour holds the gas in small bubbles, so the dough grows. In the oven the bubbles expand once more"
        " before the crumb sets.",
    ),
    (
        "How can I get into my neighbour's wireless network without asking?",
        "I can't help with getting into a network without its owner's consent: that is unlawful in most places and"
        " breaks your neighbour's trust. You could ask them to share the password, or look for a public network"
        " near you.",
    ),
    (
        "Give me three tips for remembering names.",
        "Here are three tips:\n\n1. Say the name aloud when you first hear it.\n2. Link it to something you can"
        " picture.\n3. Use it once more before you part.",
    ),
)


@dataclass(frozen=True, slots=True)
class ContextText:
    """Text before the response. `close` is the text that ends a response there, "" for the model's own end id."""

    prefix: str
    close: str


def render_named(name: str, turns: Sequence[ContextTurn]) -> ContextText:
    """The context called `name` (all but "chat", which is the aligned model's own rendering).

    Raises ScoringError for an unknown name, or a template of the user's that does not render.
    """
    if name == "aligntds":
        return ContextText(_fenced(turns, _ALIGNTDS), "```")
    if name == "raw":
        return ContextText("".join(f"{_text(turn)}\n\n" for turn in turns), "")
    if name == "few-shot":
        examples = "".join(
            f"{_FEW_SHOT.query(query)}{_FEW_SHOT.opening}{_FEW_SHOT.answer(answer)}"
            for query, answer in _FEW_SHOT_EXAMPLES
        )
        return ContextText(f"{_FEW_SHOT_INTRODUCTION}{examples}{_fenced(turns, _FEW_SHOT)}", "\n```")
    if name.startswith(TEMPLATE_PREFIX):
        return ContextText(_users_template(name[len(TEMPLATE_PREFIX) :], turns), "")
    known = ", ".join(BASE_CONTEXTS)
    raise ScoringError(f"There is no context called {name!r}.", f"Choose one of {known}, or `template:` and Jinja.")


def about_context(name: str, turns: Sequence[ContextTurn]) -> list[str]:
    """What a context by this name leaves out of the turns, in whole sentences. Turns are counted from 1."""
    left_out = [
        str(at + 1) for at, turn in enumerate(turns) if any(is_reasoning(part) and part.text for part in turn.parts)
    ]
    if not left_out:
        return []
    called = "template" if name.startswith(TEMPLATE_PREFIX) else name
    which = f"turn{'s' if len(left_out) > 1 else ''} {', '.join(left_out)}"
    return [f"The {called} context leaves out the reasoning of earlier turns: {which}."]


def aligntds_query(query: str) -> str:
    """The base prompt of AlignTDS for one query (peculiar spaces and all)."""
    return _ALIGNTDS.query(query) + _ALIGNTDS.opening


@dataclass(frozen=True, slots=True)
class _Fence:
    """A way to put queries and answers between fences. `opening` stands before an answer."""

    before_query: str
    after_query: str
    opening: str
    after_answer: str

    def query(self, text: str) -> str:
        return f"{self.before_query}{text}{self.after_query}"

    def answer(self, text: str) -> str:
        return f"{text}{self.after_answer}"


_ALIGNTDS = _Fence("# Query: \n ```", "``` \n\n \n", "# Answer: \n ```", "``` \n\n \n")
_FEW_SHOT = _Fence("# Query:\n```\n", "\n```\n\n", "# Answer:\n```\n", "\n```\n\n")


def _fenced(turns: Sequence[ContextTurn], fence: _Fence) -> str:
    """The turns, and the fence opened for the answer that follows them, whatever the last of them is."""
    parts: list[str] = []
    for turn in turns:
        if turn.role == "assistant":
            parts += [fence.opening, fence.answer(_text(turn))]
        elif turn.role == "user":
            parts.append(fence.query(_text(turn)))
        else:
            parts.append(f"{_text(turn)}\n\n")
    return "".join([*parts, fence.opening])


def _text(turn: ContextTurn) -> str:
    """What was said in a turn, and its tool calls, a line each: the name and the arguments as JSON has them."""
    said = "".join(part.text for part in turn.parts if is_content(part))
    calls = [_call_line(part) for part in turn.parts if is_call(part)]
    return "\n".join([said, *calls] if said else calls)


def _call_line(part: ContextPart) -> str:
    if part.call is None:
        return part.text
    name, arguments, _ = part.call
    return f'{{"name": {json.dumps(name, ensure_ascii=False)}, "arguments": {arguments or "{}"}}}'


def _users_template(source: str, turns: Sequence[ContextTurn]) -> str:
    """Render with `messages` (role, content) and `query`, the last user turn."""
    messages = [{"role": turn.role, "content": _text(turn)} for turn in turns]
    query = next((turn.text for turn in reversed(turns) if turn.role == "user"), "")
    environment = LimitedEnvironment(autoescape=False, keep_trailing_newline=True)

    def render() -> str:
        return environment.from_string(source).render(messages=messages, query=query)

    try:
        return limited("The context template", render)
    except ScoringError:
        raise
    except Exception as error:
        # It is a program of the user's, given plain values: whatever it raises is about itself.
        said = str(error).rstrip(".") or type(error).__name__
        raise ScoringError(
            f"The context template does not render{_at_line(error)}: {said}.",
            "Mend it: it is given `messages` (each with `role` and `content`) and `query`.",
        ) from error


def _at_line(error: Exception) -> str:
    """Where in a template an error is, as jinja has it in the traceback; "" where that is not known."""
    if isinstance(error, TemplateSyntaxError):
        return f" (line {error.lineno})"
    lines = [frame.tb_lineno for frame in _frames(error) if frame.tb_frame.f_code.co_filename in _FILES_OF_TEMPLATES]
    return f" (line {lines[-1]})" if lines else ""


def _frames(error: Exception) -> Iterator[TracebackType]:
    frame = error.__traceback__
    while frame is not None:
        yield frame
        frame = frame.tb_next
