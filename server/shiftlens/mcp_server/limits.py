"""How much one call of a tool takes and gives; `docs/agents.md` states it, and an answer says what it leaves out."""

MOST_RESPONSES = 20
"""Responses that one call scores."""

MOST_LISTED = 100
DEFAULT_LISTED = 20
"""Tokens that one call lists."""

MOST_SENTENCES = 20
LONGEST_SENTENCE = 500
"""Notes and problems in an answer, and the characters of each."""

LONGEST_TOKEN = 200
LONGEST_EXCERPT = 200
"""Characters of a token's text, and of a prompt or of the text before a token."""

MOST_WRITTEN = 256
DEFAULT_WRITTEN = 40
MOST_DRAWN = 5
"""Tokens of a continuation, and how many are drawn beside the greedy one."""

LONGEST_RANKED = 2000
"""Characters of a text whose rank is asked for."""

DEFAULT_MAX_BYTES = 1_000_000
"""Bytes of a text or a file, unless the user says otherwise."""
