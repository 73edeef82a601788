"""Rendering a conversation by the aligned model's own chat template."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from jinja2 import TemplateError
from transformers import PreTrainedTokenizerFast

from shiftlens.errors import ScoringError
from shiftlens.models.conversation import ContextTurn

# A template that prints today's date would make the numbers change overnight; Llama 3 falls back to this date.
_FIXED_DATE = "26 Jul 2024"

_FAMILY_SIGNS = (
    ("chatml", "<|im_start|>"),
    ("llama3", "<|start_header_id|>"),
    ("gemma", "<start_of_turn>"),
    ("llama2", "[INST]"),
)


@dataclass(frozen=True, slots=True)
class ChatRendering:
    """A rendered context. `end` is what the template puts after the response; `notes` are for the reader."""

    prefix: str
    end: str
    notes: tuple[str, ...]


def render_chat(
    tokenizer: PreTrainedTokenizerFast,
    turns: Sequence[ContextTurn],
    response: str,
    verbatim_prefix: str | None,
) -> ChatRendering:
    """Render the turns with a generation prompt; text that already is this template is used as it stands.

    White space that the template puts between the generation prompt and an answer belongs to the prefix.
    Raises ScoringError where the model has no template, or the template refuses these turns.
    """
    if not tokenizer.chat_template:
        raise ScoringError(
            f"The aligned model {tokenizer.name_or_path} has no chat template, so it can't be given the"
            " conversation as it was trained to see it.",
            "Choose a model with a template, put a `chat_template.jinja` in its folder, or set the aligned context"
            " to `few-shot`.",
        )
    messages = [{"role": turn.role, "content": turn.text} for turn in turns]
    prompt = _apply(tokenizer, messages, generation_prompt=True)
    answered = _apply(tokenizer, [*messages, {"role": "assistant", "content": response}], generation_prompt=False)
    lead, end = _around_response(answered, prompt, response)
    family = family_of(prompt)
    notes: tuple[str, ...] = ()
    if verbatim_prefix is not None:
        written_in = family_of(verbatim_prefix)
        if written_in is not None and written_in == family:
            bos = tokenizer.bos_token if isinstance(tokenizer.bos_token, str) else ""
            missing_bos = bos if bos and prompt.startswith(bos) and not verbatim_prefix.startswith(bos) else ""
            return ChatRendering(missing_bos + verbatim_prefix, end, notes)
        notes = (
            f"The file is written in the {written_in or 'unknown'} template; it was rendered anew with the aligned"
            " model's own.",
        )
    return ChatRendering(prompt + lead, end, notes)


def family_of(text: str) -> str | None:
    """Which family of chat templates a rendered text belongs to."""
    return next((family for family, sign in _FAMILY_SIGNS if sign in text), None)


def _apply(tokenizer: PreTrainedTokenizerFast, messages: Sequence[dict[str, str]], *, generation_prompt: bool) -> str:
    dated: dict[str, Any] = {"date_string": _FIXED_DATE} if "date_string" in str(tokenizer.chat_template) else {}
    try:
        rendered = tokenizer.apply_chat_template(
            list(messages), tokenize=False, add_generation_prompt=generation_prompt, **dated
        )
    except (TemplateError, ValueError, TypeError) as error:
        roles = ", ".join(message["role"] for message in messages)
        raise ScoringError(
            f"The chat template of {tokenizer.name_or_path} refuses these turns ({roles}): {error}.",
            "Check the order of the roles in the transcript; some templates take no system or tool turn.",
        ) from error
    return str(rendered)


def _around_response(answered: str, prompt: str, response: str) -> tuple[str, str]:
    """What stands between the prompt and the response, and after the response; "" where the template trims."""
    if not answered.startswith(prompt):
        return "", ""
    rest = answered[len(prompt) :]
    at = rest.find(response)
    if at < 0 or rest[:at].strip():
        stripped = response.strip()
        at = rest.find(stripped) if stripped else -1
        if at < 0 or rest[:at].strip():
            return "", ""
        return "", rest[at + len(stripped) :]
    return rest[:at], rest[at + len(response) :]
