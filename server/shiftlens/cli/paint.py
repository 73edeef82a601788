"""Analyses as text for a terminal: coloured, or with marks where there are no colours."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import IO, Protocol

from rich.console import Console
from rich.text import Text

from shiftlens.analysis.classify import Shares, in_own_text, shares, shares_without_flagged
from shiftlens.analysis.contract import prompt_of
from shiftlens.analysis.highlights import Highlight, highlights
from shiftlens.analysis.model import CLASSES, Analysis, ResponseAnalysis, ShiftClass, Summary
from shiftlens.analysis.profile import by_training
from shiftlens.analysis.words import part_words, positions_words, trained_words, turn_words
from shiftlens.cli.reference import print_reference
from shiftlens.options.pair import FROM_MODELS
from shiftlens.text.visible import harmless, harmless_name, one_line
from shiftlens.transcripts.model import Trained

COLORS = ("auto", "always", "never")

# Not by colour alone: what is shifted is bold and underlined as well, what is marginal underlined.
STYLES = {
    ShiftClass.UNSHIFTED: "blue",
    ShiftClass.MARGINAL: "underline yellow",
    ShiftClass.SHIFTED: "bold underline red",
    ShiftClass.UNKNOWN: "",
}
MARKS = {
    ShiftClass.UNSHIFTED: ("", ""),
    ShiftClass.MARGINAL: ("⟨", "⟩"),
    ShiftClass.SHIFTED: ("⟦", "⟧"),
    ShiftClass.UNKNOWN: ("", ""),
}

_GREY_STYLE, _GREY_MARKS = "dim", ("~", "~")

_TRAINED = {
    Trained.YES: "Trained on",
    Trained.PARTLY: "Trained on in part",
    Trained.NO: "Not trained on",
    Trained.UNKNOWN: "Trained on or not, the file does not say",
}


class Range(Protocol):
    """Offsets into the text at hand."""

    @property
    def start(self) -> int: ...
    @property
    def end(self) -> int: ...


class Span(Range, Protocol):
    """A highlight, with its class."""

    @property
    def shift(self) -> ShiftClass: ...


@dataclass(frozen=True, slots=True)
class Painter:
    """Writes to one console. Without `colored` there are no escape sequences but marks around tokens."""

    console: Console
    colored: bool
    greyed: bool = False
    """Whether what has no class is dim, or between `~`."""

    def line(self, text: Text | str = "") -> None:
        """Write a line as it is: no markup, no emoji codes, no wrapping of our own."""
        self.console.print(text if isinstance(text, Text) else Text(text), soft_wrap=True, highlight=False)

    def title(self, text: str) -> None:
        self.line(Text(text, style="bold"))

    def response(self, analysis: ResponseAnalysis) -> None:
        """The response's own text, painted; parts of several kinds each under its name."""
        text, spans = analysis.text, highlights(in_own_text(analysis))
        if not analysis.summary.is_of_parts:
            self.spans(text, spans)
            return
        for part in analysis.parts:
            if part.text_end > part.text_start:
                self.line(Text(f"[{part_words(part.kind)}]", style="dim" if self.colored else ""))
                inside = [_cut(span, part.text_start, part.text_end) for span in spans]
                self.spans(text[part.text_start : part.text_end], [span for span in inside if span.start < span.end])

    def page(self, text: str, headings: Iterable[Range], responses: Iterable[ResponseAnalysis]) -> None:
        """A page of turns: its headings bold, its responses painted."""
        every: list[Range] = [item for response in responses for item in highlights(response)]
        painted = Text()
        at = 0
        for span in sorted((*every, *headings), key=lambda item: item.start):
            painted.append(harmless(text[at : span.start]))
            if isinstance(span, Highlight):
                self._append(painted, text[span.start : span.end], span.shift)
            else:
                painted.append(harmless(text[span.start : span.end]), style="bold")
            at = span.end
        painted.append(harmless(text[at:].rstrip("\n")))
        self.line(painted)

    def spans(self, text: str, spans: Iterable[Span]) -> None:
        """A text and its highlights, which are in order; what is between them stays plain."""
        painted = Text()
        at = 0
        for span in spans:
            painted.append(harmless(text[at : span.start]))
            self._append(painted, text[span.start : span.end], span.shift)
            at = span.end
        painted.append(harmless(text[at:]))
        self.line(painted)

    def legend(self, *, alone: bool = False) -> None:
        """What the colours, or the marks, mean; in scores of one model `alone` they mean something else."""
        legend = Text("Legend: ")
        for shift in (ShiftClass.SHIFTED, ShiftClass.MARGINAL, ShiftClass.UNSHIFTED):
            legend.append("  " if shift is not ShiftClass.SHIFTED else "")
            self._append(legend, shift.own_label if alone else shift.label, shift)
        if alone:
            legend.append("  to the model itself, by its own rank of each token")
        self.line(legend)

    def summary(self, name: str, summary: Summary, *, alone: bool = False) -> None:
        """Shares by class, and those without the positions flagged `boundary` where there are any."""
        line = f"{name}: {positions_words(summary.tokens)}, {_percentages(shares(summary), alone=alone)}"
        if summary.flagged:
            rest = shares_without_flagged(summary)
            line += f"; without {summary.flagged} flagged: {_percentages(rest)}"
        if summary.unknown:
            whose = "the model's own" if alone else "their base"
            line += f"; {summary.unknown} without a class, since too little is known of {whose} rank"
        self.line(line)
        if summary.is_of_parts:
            for kind, part in summary.by_part:
                said = _percentages(shares(part), alone=alone)
                self.line(f"  {part_words(kind)}: {positions_words(part.tokens)}, {said}")
        for line in kind_lines(summary, alone=alone):
            self.line(f"  {line}")
        for mask, of in summary.by_loss_mask:
            self.line(
                f"  loss mask {mask.words}: {positions_words(of.tokens)}, {_percentages(shares(of), alone=alone)}"
            )

    def _append(self, painted: Text, token: str, shift: ShiftClass) -> None:
        shown = harmless(token)
        if shift in (ShiftClass.MARGINAL, ShiftClass.SHIFTED):
            # A line break has no shape of its own to be coloured.
            shown = shown.replace("\n", "⏎\n")
        if self.colored:
            painted.append(shown, style=_GREY_STYLE if self._is_grey(shift) else STYLES[shift])
        else:
            before, behind = _GREY_MARKS if self._is_grey(shift) else MARKS[shift]
            painted.append(f"{before}{shown}{behind}")

    def _is_grey(self, shift: ShiftClass) -> bool:
        return self.greyed and shift is ShiftClass.UNKNOWN


def painter(file: IO[str], color: str, *, greyed: bool = False) -> Painter:
    """A painter that decides by `color` (one of COLORS), the environment (NO_COLOR) and the file."""
    wanted = color == "always" or (color == "auto" and file.isatty() and not os.environ.get("NO_COLOR"))
    console = Console(
        file=file,
        force_terminal=wanted,
        color_system=("auto" if file.isatty() else "standard") if wanted else None,
        no_color=not wanted,
        markup=False,
        emoji=False,
        highlight=False,
    )
    return Painter(console, wanted and console.color_system is not None, greyed)


def kind_lines(summary: Summary, *, alone: bool = False) -> list[str]:
    """A line for each kind of token: its shares, and its part of all that is shifted. One kind alone has none."""
    if len(summary.by_kind) < 2:
        return []
    lines = []
    for kind, of in summary.by_kind:
        label = ShiftClass.SHIFTED.own_label if alone else ShiftClass.SHIFTED.label
        part = f"; {of.shifted / summary.shifted:.1%} of all {label}" if summary.shifted else ""
        lines.append(f"kind {kind.words}: {positions_words(of.tokens)}, {_percentages(shares(of), alone=alone)}{part}")
    return lines


def print_analysis(paint: Painter, file: str, analysis: Analysis) -> None:
    """All responses of a file, with what the reader must know of them."""
    paint.title(harmless_name(file))
    transcript = analysis.transcript
    alone = bool(analysis.responses) and all(response.is_of_one_model for response in analysis.responses)
    paint.line(harmless_name(f"{transcript.format} ({transcript.detected_by}); {_models_words(analysis)}"))
    paint.legend(alone=alone)
    if analysis.scores != FROM_MODELS:
        paint.line("Scores are those that the file holds; no model was run.")
    if analysis.score_options.compat == "aligntds":
        paint.line("Classes are those of AlignTDS: they follow the aligned model's first choice at each position.")
    elif analysis.scores == FROM_MODELS and analysis.classify_options.classify_by == "aligned-top1":
        paint.line("Classes follow the aligned model's first choice at each position, not the response's token.")
    for response in analysis.responses:
        paint.line()
        turn = harmless(turn_words(response.response, transcript))
        which = f"Response {response.response.index + 1}{f' ({turn})' if turn else ''}"
        paint.title(f"{which}: {one_line(prompt_of(response.response))}")
        paint.response(response)
        paint.line()
        paint.summary("Summary", response.summary, alone=response.is_of_one_model)
        if analysis.score_options.compat == "aligntds":
            print_reference(paint, response)
        if trained := trained_words(response.response):
            paint.line(f"Training: {trained}.")
        for note in response.notes:
            paint.line(f"Note: {harmless(note)}")
    if len(analysis.responses) > 1:
        paint.line()
        paint.summary("All responses", analysis.summary, alone=alone)
        for trained_on, summary in by_training(analysis.responses):
            paint.summary(_TRAINED[trained_on], replace(summary, by_part=(), by_kind=(), by_loss_mask=()), alone=alone)


def _cut(span: Highlight, start: int, end: int) -> Highlight:
    """What of a span lies in [start, end), in offsets from `start`."""
    return replace(span, start=max(span.start, start) - start, end=min(span.end, end) - start)


def _models_words(analysis: Analysis) -> str:
    base, aligned = analysis.model_names
    if analysis.scores == FROM_MODELS:
        return f"base {base}, aligned {aligned}"
    if not all(response.is_of_one_model for response in analysis.responses):
        return "a base and an aligned model that the file does not name"
    return f"model {aligned}" if aligned else "of a model that the file does not name"


def _percentages(of: Shares, *, alone: bool = False) -> str:
    return ", ".join(f"{of.percent(shift)} {shift.own_label if alone else shift.label}" for shift in CLASSES)
