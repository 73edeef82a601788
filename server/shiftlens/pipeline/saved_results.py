"""Scores on disk, as an event loop uses them: it waits for what it reads, and for what it writes only at the end."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Mapping

from shiftlens.options.pair import PairSpec, ScoreOptions
from shiftlens.scores.description import ModelDescription
from shiftlens.scores.outcomes import ContentKey
from shiftlens.scores.pair_results import PairResults, open_pair_results
from shiftlens.scores.records import ScoredResponse
from shiftlens.scores.requests import ResponseToScore
from shiftlens.scores.store import ResultStore

_MOST_NOTES = 10_000


class SavedResults:
    """Reads and writes one store, and notes which scores are not written yet.

    The caller says when to write. An editor does so when a file is opened, saved or scored by command, not at each
    edit: a state of the text that was only passed through is worth no room on the disk.
    """

    def __init__(self, store: ResultStore) -> None:
        self._store = store
        self._unwritten: OrderedDict[ContentKey, bytes] = OrderedDict()
        self._undescribed: dict[PairSpec, tuple[PairResults, ModelDescription | None, ModelDescription | None]] = {}
        self._writing: set[asyncio.Task[None]] = set()

    async def recall(
        self, pair: PairSpec, options: ScoreOptions, wanted: Mapping[ContentKey, ResponseToScore]
    ) -> tuple[PairResults | None, dict[ContentKey, ScoredResponse]]:
        """The results of a pair (None where they can't be told from another's), and those of them that are wanted."""

        def read() -> tuple[PairResults | None, dict[ContentKey, ScoredResponse]]:
            results = open_pair_results(self._store, pair)
            keys = tuple(wanted)
            found = {} if results is None else results.recall(options, wanted.values())
            return results, {keys[at]: scored for at, scored in found.items()}

        return await asyncio.to_thread(read)

    def note(self, key: ContentKey, store_key: bytes) -> None:
        """Remember that the scores of `key` are complete, and are to be written under `store_key`."""
        self._unwritten[key] = store_key
        while len(self._unwritten) > _MOST_NOTES:
            self._unwritten.popitem(last=False)

    def note_descriptions(
        self, results: PairResults, base: ModelDescription | None, aligned: ModelDescription | None
    ) -> None:
        """Remember what models said of themselves, to be written with their scores."""
        self._undescribed[results.pair] = (results, base, aligned)

    def write(self, complete: Mapping[ContentKey, ScoredResponse]) -> None:
        """Begin to write those of these scores that were noted and are not written yet, and what the models said."""
        fresh = [(self._unwritten.pop(key), scored) for key, scored in complete.items() if key in self._unwritten]
        described, self._undescribed = tuple(self._undescribed.values()), {}

        def put() -> None:
            self._store.put_all(fresh)
            for results, base, aligned in described:
                results.store_descriptions(base, aligned)

        if fresh or described:
            task = asyncio.get_running_loop().create_task(asyncio.to_thread(put))
            self._writing.add(task)
            task.add_done_callback(self._writing.discard)

    async def clear(self) -> int:
        """Remove every result; how many there were. Raises ShiftLensError."""
        await self.close()
        self._unwritten.clear()
        return await asyncio.to_thread(self._store.clear)

    async def close(self) -> None:
        """Wait for what is being written."""
        await asyncio.gather(*self._writing, return_exceptions=True)
