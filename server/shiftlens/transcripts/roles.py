"""The names under which the speakers of a conversation go."""

from __future__ import annotations

from dataclasses import dataclass

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

SYSTEM_NAMES = frozenset({"system", "system prompt"})


@dataclass(frozen=True, slots=True)
class Pair:
    """Names of the asking and of the answering side that go together in labels and headings."""

    user: frozenset[str]
    assistant: frozenset[str]

    def role(self, name: str) -> Role | None:
        """Whose name this is, in lower case; None for a name of no role in this pair."""
        if name in self.user:
            return Role.USER
        if name in self.assistant:
            return Role.ASSISTANT
        return Role.SYSTEM if name in SYSTEM_NAMES else None


PAIRS = (
    Pair(
        frozenset({"user", "human"}),
        frozenset({"assistant", "ai", "ai assistant", "bot", "chatbot", "chatgpt", "claude", "gemini", "llm"}),
    ),
    Pair(frozenset({"prompt"}), frozenset({"response", "completion"})),
    Pair(frozenset({"query"}), frozenset({"answer", "response"})),
    Pair(frozenset({"question"}), frozenset({"answer"})),
    Pair(frozenset({"instruction"}), frozenset({"response"})),
    Pair(frozenset({"q"}), frozenset({"a"})),
)


def pair_of(user_name: str) -> Pair | None:
    """The pair to which a name of the asking side belongs."""
    return next((pair for pair in PAIRS if user_name in pair.user), None)


ALL_NAMES = SYSTEM_NAMES.union(*(pair.user | pair.assistant for pair in PAIRS))
