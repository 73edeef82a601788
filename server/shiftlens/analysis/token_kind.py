"""The kinds of tokens and the rule of each, from which `docs/kinds.md` is made. `analysis.kinds` follows them."""

from __future__ import annotations

from enum import IntEnum


class TokenKind(IntEnum):
    """What kind of token a position has, in the order in which views show them."""

    CONTENT = 0
    FORMAT = 1
    CONNECTIVE = 2
    HEDGE = 3
    OPENER = 4
    CLOSER = 5
    SYNTAX = 6
    REASONING = 7

    @property
    def label(self) -> str:
        """The name in JSON."""
        return self.name.lower()

    @property
    def words(self) -> str:
        """The name as it is said."""
        return "special or tool syntax" if self is TokenKind.SYNTAX else self.label


RULES: dict[TokenKind, str] = {
    TokenKind.CONTENT: "everything else: what is said, function words and its punctuation included, and code",
    TokenKind.FORMAT: (
        "white space alone; Markdown's marks (headings, bullets, quotes, emphasis, tables, links, rules, fences with"
        " what stands on their line); the number of a list item; tags of HTML; a colon at the end of a line;"
        " punctuation with a line break in the same token"
    ),
    TokenKind.CONNECTIVE: 'a word or phrase of the list "connectives" (however, in addition)',
    TokenKind.HEDGE: (
        'a word or phrase of the list "hedges": what makes a claim weaker, warns, or says what a model is or can\'t do'
    ),
    TokenKind.OPENER: 'a phrase of the list "openers" (sure, great question) in the first two sentences of the answer',
    TokenKind.CLOSER: 'a phrase of the list "closers" (I hope this helps) in the last three sentences of the answer',
    TokenKind.SYNTAX: (
        "special tokens of the tokenizer, the end of the response, tool calls, and the marks around reasoning and calls"
    ),
    TokenKind.REASONING: "what stands in the reasoning of a turn, whatever it says",
}
"""Which positions are of a kind, in words."""
