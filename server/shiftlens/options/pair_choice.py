"""Which pair scores a document, and with what options: the file's front matter, the settings, the session."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from shiftlens.options.pair import (
    BUNDLED_ALIGNED,
    BUNDLED_BASE,
    FROM_MODELS,
    NO_PAIR,
    ClassifyOptions,
    PairSpec,
    ScoreOptions,
    pickle_allowed,
)
from shiftlens.options.settings import SECTION, TEMPLATE_PREFIX, Settings, read_front_matter_values
from shiftlens.options.word_lists import WordListError, read_word_lists

BUNDLED_NAMES = (BUNDLED_BASE, BUNDLED_ALIGNED)
_UNTRUSTED = "This workspace is not trusted, so that only the bundled models are loaded."


@dataclass(frozen=True, slots=True)
class Choice:
    """The pair, or None and in `why_not` a sentence on what is missing; `problems` of the front matter.

    `scores` is one of `options.pair.SCORES`; where they are those of the file itself, the pair is of no matter.
    With `only_stored` the pair is not to be loaded, and `why_not` says why; its stored scores may be shown.
    """

    pair: PairSpec | None
    score_options: ScoreOptions
    classify_options: ClassifyOptions
    why_not: str = ""
    problems: tuple[str, ...] = ()
    only_stored: bool = False
    scores: str = FROM_MODELS


def choose_pair(
    settings: Settings,
    front_matter: Mapping[str, object],
    session_pair: tuple[str, str] | None,
    *,
    trusted: bool,
) -> Choice:
    """Front matter goes before settings; where they give no pair, the one the user chose for the session does.

    In an untrusted workspace only bundled models are loaded, the contexts must be named ones, and no file of word lists
    is read, whoever asks, since the server can't tell the workspace's settings from the user's. The pair of the
    settings still tells which stored scores to show; a file's own front matter names no pair there. Nor does it ever
    name a pickle to be opened.
    """
    values, problems = read_front_matter_values(front_matter)
    chosen = dataclasses.replace(settings, **values)  # type: ignore[arg-type]
    base, aligned = chosen.base, chosen.aligned
    why_not = _why_not(base, aligned)
    only_stored = False
    if not trusted:
        chosen = _restricted(chosen)
        if not why_not and not {base, aligned} <= set(BUNDLED_NAMES):
            only_stored = (base, aligned) == (settings.base, settings.aligned)
            why_not = _UNTRUSTED
    if why_not and session_pair is not None:
        base, aligned = session_pair
        why_not, only_stored = "", False
    pair = None
    if not why_not or only_stored:
        pair = PairSpec(
            base=base,
            aligned=aligned,
            device=chosen.device,
            dtype=chosen.dtype,
            matrix_library=chosen.matrix_library,
            allow_download=chosen.allow_download,
            allow_pickle=pickle_allowed(chosen.allow_pickle, (base, aligned), (settings.base, settings.aligned)),
        )
    classify_options, bad_lists = _with_word_lists(chosen)
    told = (*problems, *bad_lists)
    return Choice(pair, chosen.score_options, classify_options, why_not, told, only_stored, chosen.scores)


@dataclass(frozen=True, slots=True)
class StagesChoice:
    """The stages that are shown beside a pair; where the user named some and none are, `why_not` says why.

    Those in `only_stored` are not to be loaded, and `why_only_stored` says why; their stored scores may be shown.
    """

    names: tuple[str, ...] = ()
    why_not: str = ""
    only_stored: tuple[str, ...] = ()
    why_only_stored: str = ""


def choose_stages(settings: Settings, pair: PairSpec, *, trusted: bool) -> StagesChoice:
    """The stages of the settings, for a document that is scored with `pair`.

    They were tuned from the base model of the settings, so that they are no stages of another. Front matter names none:
    each costs the time and the memory of a model. In an untrusted workspace only bundled models are loaded.
    """
    if not settings.stages:
        return StagesChoice()
    if pair == NO_PAIR:
        return StagesChoice(why_not=f"No stages (`{SECTION}.stages`): the scores are those that the file holds.")
    if pair.base != settings.base:
        why = (
            f"No stages: those of `{SECTION}.stages` are of the base model in the settings (`{SECTION}.base`), and this"
            " file is scored with another."
        )
        return StagesChoice(why_not=why)
    only_stored = () if trusted else tuple(name for name in settings.stages if name not in BUNDLED_NAMES)
    return StagesChoice(settings.stages, only_stored=only_stored, why_only_stored=_UNTRUSTED if only_stored else "")


def _with_word_lists(settings: Settings) -> tuple[ClassifyOptions, tuple[str, ...]]:
    """The options with the lists of the user's file, where one is named, and a sentence where it can't be used."""
    options = settings.classify_options
    if not settings.word_lists:
        return options, ()
    try:
        lists = read_word_lists(Path(settings.word_lists))
    except WordListError as error:
        return options, (f"The setting `{SECTION}.wordLists`: {error} The package's own lists are used.",)
    return dataclasses.replace(options, word_lists=lists), ()


def _restricted(settings: Settings) -> Settings:
    def named(context: str, default: str) -> str:
        return default if context.startswith(TEMPLATE_PREFIX) else context

    return dataclasses.replace(
        settings,
        allow_download=False,
        allow_pickle=False,
        word_lists="",
        base_context=named(settings.base_context, "aligntds"),
        aligned_context=named(settings.aligned_context, "chat"),
    )


def _why_not(base: str, aligned: str) -> str:
    if base and aligned:
        return ""
    if base or aligned:
        missing = "aligned" if base else "base"
        return f"Only one model is named: `shiftlens.{missing}` is missing."
    return "No model pair is chosen."
