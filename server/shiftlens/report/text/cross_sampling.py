"""Cross-sampling as text: what was swapped at each position, and how far each arm leads from the response."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence

from shiftlens.analysis.cross_sampling import (
    ArmResult,
    Choice,
    CrossSampled,
    Sample,
    SwappedTogether,
    SwapPosition,
)
from shiftlens.analysis.facts import probability
from shiftlens.analysis.parting import Spread, distance
from shiftlens.analysis.ranks import rank_words
from shiftlens.pipeline.cross_sample import CrossSampling
from shiftlens.report.text.columns import columns
from shiftlens.report.text.lines import WIDTH, Line, Places, placed_table
from shiftlens.text.visible import harmless, visible_piece

LONGEST_TOKEN = 16
READING = (
    "Edit distances are to what the response says behind the position: 0 the same, 1 nothing in common; the mean of the"
    " drawn continuations, the least and the greatest.",
    "Effect is that of swapped less that of kept: near 0 the token did not matter, near 1 it decided the answer. Read"
    " kept first: it tells how far the aligned model strays from this response by itself.",
    "Positions count from 0, as the command takes them.",
)
"""How the numbers are read, in sentences."""
TOGETHER_READING = (
    "Each model writes the answer anew: swapped and reverse with the other model's choice, between ⟦ and ⟧, where the"
    " base rank is as great as those of the most shifted tokens of the same model's answer without swaps (kept, base).",
    "Edit distances are to the response from its beginning: 0 the same, 1 nothing in common; the mean of the drawn"
    " answers, the least and the greatest. Effect is that of swapped less that of kept. Read kept first: where it parts"
    " from the response without any swap, the effect tells little.",
)

_OPEN, _CLOSE = "⟦".encode(), "⟧".encode()
_ENDS = {
    "end": "it ends the text",
    "close": "it closes its context",
    "length": "cut",
    "room": "the model takes no more",
}
_ARM_HEAD = ("arm", "goes on", "behind", "edit distance", "greedy: the same as the response")
_TOGETHER_HEAD = ("arm", "writes", "with", "edit distance", "greedy: the same as the response")
_SUMMARY_HEAD = ("position", "token", "base's choice", "swapped", "kept", "effect")


def how_words(asked: CrossSampling, window: str = "behind the position") -> str:
    """How the continuations are drawn, and where the tokens are that are compared."""
    sampling = asked.sampling
    behind = f"{sampling.max_tokens} tokens {window}"
    if not asked.samples:
        return f"edit distance to the response over {behind}; greedy"
    seeds = f"seed {asked.seed}" if asked.samples == 1 else f"seeds {asked.seed} to {asked.seed + asked.samples - 1}"
    top_p = "" if sampling.top_p == 1.0 else f", top-p {sampling.top_p:g}"
    return f"edit distance to the response over {behind}; {seeds}, temperature {sampling.temperature:g}{top_p}"


def distances_words(arm: ArmResult | None) -> str:
    """The edit distances of an arm: the mean, the least and the greatest."""
    return "-" if arm is None else _spread(arm.spread(distance))


def same_words(arm: ArmResult | None) -> str:
    """How long the greedy continuation of an arm says what the response says."""
    if arm is None:
        return "-"
    parting = arm.greedy.parting
    return f"{parting.same_tokens} tokens, {parting.same_characters} characters" if parting.parts else "all"


def choice_words(choice: Choice, limit: int | None = LONGEST_TOKEN) -> str:
    """A token that may stand at a position."""
    return "(end)" if choice.ends else visible_piece(choice.piece, limit=limit)


def cross_sampling_lines(found: Sequence[CrossSampled], places: Places) -> Iterator[Line]:
    """All that came of some positions, for a page: a table of them where they are several, then each with its texts."""
    if len(found) > 1:
        yield Line("")
        rows = [(each.position.start, each.position.end, _summary(each)) for each in found]
        yield from placed_table(places, _SUMMARY_HEAD, rows, words=(1, 2))
    for each in found:
        yield Line("")
        yield from _position_lines(each, places)


def together_lines(found: SwappedTogether) -> Iterator[Line]:
    """All that came of swapping the most shifted tokens of a response in one go."""
    yield Line(f"Response {found.response + 1}: effect {found.effect:+.2f}")
    for note in found.notes:
        yield Line(harmless(f"Note: {note}"))
    rows = [
        (each.arm.name, each.arm.model, _choices(each), distances_words(each), same_words(each)) for each in found.arms
    ]
    yield from map(Line, columns([_TOGETHER_HEAD, *rows], words=(0, 1, 2, 4)))
    yield Line("")
    yield Line("What the response says:")
    yield from _text_lines(found.said)
    for each in found.arms:
        yield Line("")
        yield Line(f"{each.arm.name}: the {each.arm.model} model, {_choices(each)}")
        for sample in each.samples:
            yield Line(f"  {_sample_words(sample)}")
            yield from _text_lines(_marked(sample))
            yield from _swaps_lines(sample)


def together_words(most: int) -> str:
    """What is swapped in one go."""
    return f"up to {most} tokens swapped in one go, the most shifted"


def _choices(arm: ArmResult) -> str:
    """Whose choices stand among those of the model that writes, and how often."""
    if arm.arm.behind == arm.arm.model:
        return "alone"
    counts = sorted({len(sample.swapped) for sample in arm.samples})
    often = f"{counts[0]}" if len(counts) == 1 else f"{counts[0]} to {counts[-1]}"
    return f"{often} of the {arm.arm.behind} model's choices"


def _marked(sample: Sample) -> list[bytes]:
    """The tokens of a continuation, those of the other model between ⟦ and ⟧, and so its end where that is."""
    tokens = [*sample.pieces, *([b"(end)"] if len(sample.pieces) in sample.swapped else [])]
    return [_OPEN + piece + _CLOSE if at in sample.swapped else piece for at, piece in enumerate(tokens)]


def _swaps_lines(sample: Sample) -> Iterator[Line]:
    """Which tokens were swapped, and for which base ranks; nothing in an arm without swaps."""
    if not sample.from_rank:
        return
    which = " (tokens count from 0):" if sample.swaps else ": nothing"
    yield Line(f"    swapped from base rank {sample.from_rank:,} on{which}")
    for each in sample.swaps:
        ends = each.index == len(sample.pieces)
        now = "(end)" if ends else f'"{visible_piece(sample.pieces[each.index], limit=LONGEST_TOKEN)}"'
        was = f'"{visible_piece(each.replaced, limit=LONGEST_TOKEN)}"'
        yield Line(f"      token {each.index}: {now} instead of {was} (base rank {each.base_rank:,})")


def _summary(found: CrossSampled) -> tuple[str, ...]:
    position = found.position
    return (
        str(position.row),
        choice_words(position.said),
        choice_words(position.base),
        distances_words(found.arm("swapped")),
        distances_words(found.arm("kept")),
        f"{found.effect:+.2f}",
    )


def _position_lines(found: CrossSampled, places: Places) -> Iterator[Line]:
    position = found.position
    name, span = places.of(position.start, position.end)
    yield Line(
        f"{name} {_quoted(position.said)}: response {position.response + 1}, position {position.row},"
        f" {position.shift.label}, effect {found.effect:+.2f}",
        span,
    )
    yield Line(_chances(position))
    for note in found.notes:
        yield Line(harmless(f"Note: {note}"))
    yield Line("")
    arms = [
        (arm.arm.name, arm.arm.model, _behind(arm, position), distances_words(arm), same_words(arm))
        for arm in found.arms
    ]
    yield from map(Line, columns([_ARM_HEAD, *arms], words=(0, 1, 2, 4)))
    yield Line("")
    yield Line("What the response says from there on:")
    yield from _text_lines(found.said)
    for arm in found.arms:
        yield Line("")
        yield Line(f"{arm.arm.name}: the {arm.arm.model} model behind {_quoted(position.choice(arm.arm.behind))}")
        for sample in arm.samples:
            yield Line(f"  {_sample_words(sample)}")
            yield from _text_lines(sample.pieces)


def _chances(position: SwapPosition) -> str:
    base, aligned = position.base, position.aligned
    return (
        f"base rank {rank_words(position.base_rank)} ({probability(position.base_prob)}), aligned"
        f" {probability(position.aligned_prob)}; the base's choice is {_quoted(base)} ({probability(base.prob)}),"
        f" the aligned model's {_quoted(aligned)} ({probability(aligned.prob)})"
    )


def _quoted(choice: Choice) -> str:
    """A token within a sentence."""
    return choice_words(choice) if choice.ends else f'"{choice_words(choice)}"'


def _behind(arm: ArmResult, position: SwapPosition) -> str:
    return choice_words(position.choice(arm.arm.behind))


def _sample_words(sample: Sample) -> str:
    how = "greedy" if sample.seed is None else f"seed {sample.seed}"
    end = f"; {_ENDS[sample.end]}" if sample.end in _ENDS else ""
    return f"{how}, edit distance {sample.parting.edit_distance:.2f}{end}:"


def _text_lines(pieces: Sequence[bytes]) -> Iterator[Line]:
    """What tokens say, set in; a line break is shown as ⏎ and made."""
    text = harmless(b"".join(pieces).decode("utf-8", "replace"))
    for line in text.replace("\n", "⏎\n").split("\n") if text else ["(nothing)"]:
        for part in textwrap.wrap(line, WIDTH, expand_tabs=False, replace_whitespace=False, drop_whitespace=False):
            yield Line(f"    {part}")


def _spread(spread: Spread) -> str:
    if spread.count < 2:
        return f"{spread.mean:.2f}"
    return f"{spread.mean:.2f} ({spread.least:.2f}-{spread.most:.2f})"
