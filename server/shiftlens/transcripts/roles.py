"""The names under which the speakers of a conversation go."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

from shiftlens.transcripts.model import Role

TEMPLATE_ROLES = {
    "system": Role.SYSTEM,
    "developer": Role.SYSTEM,
    "user": Role.USER,
    "human": Role.USER,
    "assistant": Role.ASSISTANT,
    "model": Role.ASSISTANT,
    "gpt": Role.ASSISTANT,
    "tool": Role.TOOL,
    "function": Role.TOOL,
    "ipython": Role.TOOL,
    "observation": Role.TOOL,
}
"""Role names in chat templates and JSON messages."""

SYSTEM_NAMES = frozenset(
    {"system", "system prompt", "systemprompt", "système", "sistema", "systeem", "система"}
    | {"系统", "系統", "システム", "시스템"}
)

REASONING_NAMES = frozenset(
    {"thinking", "thought", "thoughts", "thought process", "reasoning", "chain of thought", "internal reasoning"}
)
CALL_NAMES = frozenset({"tool call", "tool calls", "tool use", "function call", "function calls"})
RESULT_NAMES = frozenset(
    {"tool", "tool result", "tool results", "tool output", "tool response", "function", "function result"}
    | {"function output", "function response", "observation"}
)
ANSWER_HEADINGS = frozenset({"answer", "final answer", "response", "final response", "reply", "output"})
"""What may stand over the answer itself, below an assistant's heading, after a heading for its reasoning."""


@dataclass(frozen=True, slots=True)
class Pair:
    """Names of the asking and of the answering side that go together in labels and headings, in lower case."""

    user: frozenset[str]
    assistant: frozenset[str]

    def role(self, name: str) -> Role | None:
        """Whose name this is, in lower case; None for a name of no role in this pair."""
        if name in self.user:
            return Role.USER
        if name in self.assistant:
            return Role.ASSISTANT
        return Role.SYSTEM if name in SYSTEM_NAMES else None


_PRODUCTS = {"chatgpt", "claude", "gemini", "copilot", "github copilot", "deepseek", "grok", "gpt", "llm"}
_SPEAKERS = Pair(
    frozenset(
        {"user", "human", "you", "me", "you said"}
        | {"benutzer", "benutzerin", "nutzer", "nutzerin", "anwender"}
        | {"utilisateur", "utilisatrice", "usuario", "usuaria", "utente", "usuário", "usuária", "utilizador"}
        | {"gebruiker", "пользователь", "用户", "用戶", "使用者", "人类", "ユーザー", "ユーザ", "사용자", "유저"}
    ),
    frozenset(
        {"assistant", "ai", "ai assistant", "bot", "chatbot", "model", "agent", *_PRODUCTS}
        | {f"{name} said" for name in _PRODUCTS}
        | {"assistent", "assistentin", "ki", "assistante", "ia", "asistente", "assistente", "ассистент", "помощник"}
        | {"ии", "助手", "助理", "人工智能", "ai助手", "アシスタント", "어시스턴트", "도우미"}
    ),
)
PAIRS = (
    _SPEAKERS,
    Pair(frozenset({"prompt"}), frozenset({"response", "completion"})),
    Pair(frozenset({"query"}), frozenset({"answer", "response"})),
    Pair(frozenset({"question"}), frozenset({"answer", "réponse"})),
    Pair(frozenset({"instruction"}), frozenset({"response"})),
    Pair(frozenset({"q"}), frozenset({"a"})),
    Pair(frozenset({"frage"}), frozenset({"antwort"})),
    Pair(frozenset({"pregunta", "pergunta"}), frozenset({"respuesta", "resposta"})),
    Pair(frozenset({"domanda"}), frozenset({"risposta"})),
    Pair(frozenset({"vraag"}), frozenset({"antwoord"})),
    Pair(frozenset({"вопрос"}), frozenset({"ответ"})),
    Pair(frozenset({"问", "問", "问题", "問題", "質問", "질문"}), frozenset({"答", "回答", "답변"})),
)
COMMON_WORDS = frozenset({"model", "agent"})
"""Names that are keys of configurations as well: a plain `Model:` is no label."""


@dataclass(frozen=True, slots=True)
class Speakers:
    """The names that a user gave to the two sides, as the file spells them; "" for the usual ones."""

    user: str = ""
    assistant: str = ""

    @property
    def pairs(self) -> tuple[Pair, ...]:
        """The pairs of names to look for."""
        if not self.user and not self.assistant:
            return PAIRS
        user = frozenset({self.user.lower()}) if self.user else _SPEAKERS.user
        return (Pair(user, frozenset({self.assistant.lower()}) if self.assistant else _SPEAKERS.assistant),)


def pair_of(user_name: str, pairs: tuple[Pair, ...] = PAIRS) -> Pair | None:
    """The pair to which a name of the asking side belongs, in lower case."""
    return next((pair for pair in pairs if user_name in pair.user), None)


@cache
def spellings() -> Mapping[str, str]:
    """Every spelling of every name in labels, with the name in lower case that it spells."""
    sides = [pair.user | pair.assistant for pair in PAIRS]
    names = SYSTEM_NAMES.union(REASONING_NAMES, CALL_NAMES, RESULT_NAMES, *sides)
    return {spelling: name for name in names for spelling in _spellings(name)}


_USUAL = {
    "ai": "AI", "chatgpt": "ChatGPT", "github": "GitHub", "deepseek": "DeepSeek", "gpt": "GPT", "llm": "LLM",
    "ki": "KI", "ia": "IA", "ии": "ИИ", "ai助手": "AI助手",
}  # fmt: skip


def _spellings(name: str) -> set[str]:
    if len(name) == 1:
        return {name.upper()}
    first, *others = name.split(" ")
    begin = _USUAL.get(first, first.capitalize())
    sentence = " ".join([begin, *(_USUAL.get(word, word) for word in others)])
    title = " ".join([begin, *(_USUAL.get(word, word.capitalize()) for word in others)])
    return {name, name.upper(), name.capitalize(), name.title(), sentence, title}
