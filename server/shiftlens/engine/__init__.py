"""The process that loads the models and scores, and the light client that talks to it."""

DEFAULT_IDLE_MINUTES = 30
"""How long a shared engine keeps its models without work, while there are clients."""
