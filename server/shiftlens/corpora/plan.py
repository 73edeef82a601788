"""What a run is to do, and whether the one that is there under this name does the same."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Sequence
from typing import Any

import msgspec

from shiftlens import __version__
from shiftlens.corpora.files import CorpusFile
from shiftlens.corpora.journal import Journal, Plan, begin, go_on
from shiftlens.corpora.output import Output
from shiftlens.corpora.record import SCHEMA
from shiftlens.errors import ShiftLensError
from shiftlens.model_files.fingerprint import model_fingerprint
from shiftlens.options.choice import Choice
from shiftlens.options.pair import FROM_MODELS
from shiftlens.scores.keys import SCORING_VERSION


def plan_of(
    output: Output, files: Sequence[CorpusFile], choice: Choice, format_name: str | None, max_bytes: int
) -> Plan:
    """What a run with these choices does. Reads the models' files, as far as they are on this machine."""
    lists = choice.classify_options.word_lists
    values: dict[str, Any] = {
        "ShiftLens": f"{__version__}, scoring {SCORING_VERSION}, {SCHEMA}",
        **{name: value for name, value in dataclasses.asdict(choice.pair).items() if not name.startswith("allow_")},
        "base's files": _fingerprint(choice.pair.base),
        "aligned's files": _fingerprint(choice.pair.aligned),
        **dataclasses.asdict(choice.score_options),
        "classify_by": choice.classify_options.classify_by,
        "thresholds": choice.classify_options.thresholds,
        "word_lists": "" if lists is None else hashlib.sha256(repr(lists).encode()).hexdigest(),
        "transcript_format": format_name or "",
        "max_bytes": max_bytes,
    }
    if choice.scores != FROM_MODELS:
        values["scores"] = choice.scores
    # As it is read back.
    values = msgspec.json.decode(msgspec.json.encode(values))
    return Plan(output=output.path.name, choice=values, files=[(file.name, file.size, file.changed) for file in files])


def _fingerprint(model: str) -> str:
    return (model_fingerprint(model) or "") if model else ""


def open_journal(output: Output, plan: Plan, *, restart: bool = False) -> Journal:
    """The journal of a run that is there, which this plan goes on with, or of a new one.

    Raises ShiftLensError where there is an output that this run would not go on with, and OSError.
    """
    if not restart and output.journal.exists():
        journal = go_on(output.journal)
        try:
            _check_same(output, journal.plan, plan)
            if journal.progress.is_end and not output.path.exists():
                raise ShiftLensError(
                    f"{output.journal} says that {output.path.name} is complete, but it is gone.",
                    "Put it back, or begin anew with --restart.",
                )
        except BaseException:
            journal.close()
            raise
        return journal
    if not restart and output.path.exists():
        raise ShiftLensError(
            f"{output.path} is there, and no journal beside it tells what of.",
            "Name another output, or write over it with --restart.",
        )
    journal = begin(output.journal, plan)
    output.part.unlink(missing_ok=True)
    return journal


def _check_same(output: Output, before: Plan, now: Plan) -> None:
    others = [name for name in {**before.choice, **now.choice} if before.choice.get(name) != now.choice.get(name)]
    remedy = "Ask for the same as then, name another output, or begin anew with --restart."
    if others:
        said = ", ".join(f"{_named(name)} was {_shown(before, name)} and is {_shown(now, name)}" for name in others)
        raise ShiftLensError(f"{output.path} was begun with other choices: {said}.", remedy)
    if before.files != now.files:
        old, new = set(before.files), set(now.files)
        changed = sorted({name for name, _, _ in old ^ new})
        what = "the order of its files" if not changed else ", ".join(changed[:3])
        more = f" and {len(changed) - 3:,} more" if len(changed) > 3 else ""
        raise ShiftLensError(f"{output.path} was begun with other files: {what}{more} changed since.", remedy)


def _named(name: str) -> str:
    return name.replace("_", " ")


def _shown(plan: Plan, name: str) -> str:
    value = plan.choice.get(name)
    return "not there" if value in (None, "") else str(value)[:60]
