"""Where the settings come from: pulled from the editor where it answers, else what it pushed."""

from __future__ import annotations

from collections.abc import Mapping

from lsprotocol import types

from shiftlens.lsp.client.editor import Editor
from shiftlens.options.settings import SECTION, Settings, read_settings


class Configuration:
    """The settings of each document, asked for once and again after a change."""

    def __init__(self, editor: Editor) -> None:
        self._editor = editor
        self._pushed: object = None
        self._cached: dict[str, Settings] = {}
        self._told: set[str] = set()
        self._generation = 0

    def push(self, pushed: object) -> None:
        """Take what a client sent (the section itself, or an object that holds it), and ask anew for the rest."""
        if isinstance(pushed, Mapping) and SECTION in pushed:
            pushed = pushed[SECTION]
        if pushed is not None:
            self._pushed = pushed
        self._generation += 1
        self._cached.clear()

    def forget(self, uri: str) -> None:
        self._cached.pop(uri, None)

    async def settings(self, uri: str) -> Settings:
        cached = self._cached.get(uri)
        if cached is not None:
            return cached
        generation = self._generation
        raw = await self._editor.configuration(uri) if self._editor.answers_configuration else self._pushed
        settings, problems = read_settings(raw)
        for problem in problems:
            self.tell_once(problem)
        if generation == self._generation:
            self._cached[uri] = settings
        return settings

    def tell_once(self, problem: str) -> None:
        """Say what is wrong with a setting, once per session."""
        if problem not in self._told:
            self._told.add(problem)
            self._editor.show_message(types.MessageType.Warning, problem)
