"""Inputs that coverage guides: libFuzzer, by way of Atheris, goes on from those that reach new code.

Run by `run.py`: `python tests/stress/guided.py KIND SEED SECONDS FOLDER`, KIND being `readers` or `geometry`. What
reached new code is kept in FOLDER/corpus-KIND, for the next run to begin with. It ends at the first input that fails,
which is kept in FOLDER; `python tests/stress/guided.py KIND --again FILE` takes it once more.
"""

from __future__ import annotations

import random
import sys
from collections.abc import Callable
from pathlib import Path

import atheris

sys.path.insert(0, str(Path(__file__).parents[1]))

# Coverage is of these rooms alone: that of more would make each input slower.
with atheris.instrument_imports(include=["shiftlens.text", "shiftlens.transcripts"]):
    from stress.geometry import check_geometry
    from stress.mutate import SEEDS, Seed, mutated
    from stress.readings import check_reading

HANG_SECONDS = 20
MOST_BYTES = 20_000
MOST_MIB = 2048
_NAMES = tuple(dict.fromkeys(seed.filename for seed in SEEDS))


class Drawn(random.Random):
    """Chance that is read from bytes, so that whoever chooses the bytes chooses what happens; 0 behind their end."""

    def __init__(self, data: bytes) -> None:
        super().__init__(0)
        self._data, self._at = data, 0

    def getrandbits(self, k: int, /) -> int:
        size = (k + 7) // 8
        drawn = int.from_bytes(self._data[self._at : self._at + size], "little")
        self._at += size
        return drawn & ((1 << k) - 1)

    def random(self) -> float:
        return self.getrandbits(16) / (1 << 16)


def _readers(data: bytes) -> None:
    check_reading(_seed(data), random.Random(len(data)))


def _geometry(data: bytes) -> None:
    check_geometry(Drawn(data))


def _seed(data: bytes) -> Seed:
    """The first byte says which name the file has."""
    name = _NAMES[data[0] % len(_NAMES)] if data else _NAMES[0]
    return Seed(name, data[1:].decode("utf-8", "replace"))


def _bytes(seed: Seed) -> bytes:
    return bytes([_NAMES.index(seed.filename)]) + seed.text.encode("utf-8", "replace")


def _change(data: bytes, most: int, number: int) -> bytes:
    """One change: of bytes, as libFuzzer makes them, or of what a format has."""
    rng = random.Random(number)
    if rng.random() < 0.5:
        return bytes(atheris.Mutate(data, most))
    return _bytes(mutated(rng, _seed(data)))[:most]


KINDS: dict[str, Callable[[bytes], None]] = {"readers": _readers, "geometry": _geometry}


def main() -> None:
    kind, *rest = sys.argv[1:]
    check = KINDS[kind]
    if rest[0] == "--again":
        check(Path(rest[1]).read_bytes())
        return
    seed, seconds, folder = int(rest[0]), int(float(rest[1])), Path(rest[2])
    corpus = folder / f"corpus-{kind}"
    corpus.mkdir(parents=True, exist_ok=True)
    if kind == "readers":
        for number, example in enumerate(SEEDS):
            (corpus / f"example-{number}").write_bytes(_bytes(example)[:MOST_BYTES])
    options = (
        *(f"-seed={seed % (1 << 32)}", f"-max_total_time={seconds}", f"-max_len={MOST_BYTES}", "-print_final_stats=1"),
        *(f"-timeout={HANG_SECONDS}", f"-rss_limit_mb={MOST_MIB}", f"-artifact_prefix={folder}/guided-{kind}-"),
    )
    how = {"custom_mutator": _change} if kind == "readers" else {}
    atheris.Setup([sys.argv[0], *options, str(corpus)], check, **how)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
