"""What a model is given before the response, as text, and what would close the response there.

`aligntds` is the fence of AlignTDS (Lin et al. 2023, repo Re-Align/AlignTDS), kept to the letter, stray spaces
included, so that figures compare with published ones. The others are the project's own.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from jinja2 import TemplateError
from jinja2.sandbox import ImmutableSandboxedEnvironment

from shiftlens.errors import ScoringError
from shiftlens.models.conversation import ContextTurn
from shiftlens.models.pair import BASE_CONTEXTS

TEMPLATE_PREFIX = "template:"

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
        return ContextText(_aligntds(turns), "```")
    if name == "raw":
        return ContextText("".join(f"{turn.text}\n\n" for turn in turns), "")
    if name == "few-shot":
        return ContextText(_few_shot(turns), "\n```")
    if name.startswith(TEMPLATE_PREFIX):
        return ContextText(_users_template(name[len(TEMPLATE_PREFIX) :], turns), "")
    known = ", ".join(BASE_CONTEXTS)
    raise ScoringError(f"There is no context called {name!r}.", f"Choose one of {known}, or `template:` and Jinja.")


def aligntds_query(query: str) -> str:
    """The base prompt of AlignTDS for one query (peculiar spaces and all)."""
    return f"# Query: \n ```{query}``` \n\n \n# Answer: \n ```"


def _aligntds(turns: Sequence[ContextTurn]) -> str:
    parts: list[str] = []
    for turn in turns:
        if turn.role == "assistant":
            parts.append(f"{turn.text}``` \n\n \n")
        elif turn.role == "user":
            parts.append(aligntds_query(turn.text))
        else:
            parts.append(f"{turn.text}\n\n")
    return "".join(parts)


def _few_shot(turns: Sequence[ContextTurn]) -> str:
    parts = [_FEW_SHOT_INTRODUCTION]
    for query, answer in _FEW_SHOT_EXAMPLES:
        parts += [_fenced_query(query), f"{answer}\n```\n\n"]
    for turn in turns:
        if turn.role == "assistant":
            parts.append(f"{turn.text}\n```\n\n")
        elif turn.role == "user":
            parts.append(_fenced_query(turn.text))
        else:
            parts.append(f"{turn.text}\n\n")
    return "".join(parts)


def _fenced_query(query: str) -> str:
    return f"# Query:\n```\n{query}\n```\n\n# Answer:\n```\n"


def _users_template(source: str, turns: Sequence[ContextTurn]) -> str:
    """Render with `messages` (role, content) and `query`, the last user turn."""
    messages = [{"role": turn.role, "content": turn.text} for turn in turns]
    query = next((turn.text for turn in reversed(turns) if turn.role == "user"), "")
    environment = ImmutableSandboxedEnvironment(autoescape=False, keep_trailing_newline=True)
    try:
        return environment.from_string(source).render(messages=messages, query=query)
    except TemplateError as error:
        raise ScoringError(
            f"The base context template does not render: {error}.",
            "Mend it: it is given `messages` (each with `role` and `content`) and `query`.",
        ) from error
