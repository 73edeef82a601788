"""One page of a site: a response with what AlignTDS's page of it shows, and its curves."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from shiftlens import __version__
from shiftlens.analysis.aligntds import SHOWN, measures_at, measures_of_candidates
from shiftlens.analysis.contract import Described
from shiftlens.analysis.curves import Distances
from shiftlens.analysis.facts import ABSENT
from shiftlens.analysis.model import Analysis, ResponseAnalysis, Token
from shiftlens.analysis.words import number_words
from shiftlens.report.figures import LineChart, line_chart
from shiftlens.report.scores import Pieces, spans_of_rows
from shiftlens.report.sections import ResponseSection, shown
from shiftlens.report.stages import StagesNamed, StagesOfResponse
from shiftlens.report.templates import as_json, asset, policy, template
from shiftlens.text.visible import harmless

GENERATOR = "ShiftLens site"

_STEPS = (0.1, 1.0, 3.0)
"""From which differences of logprobs on a token is drawn stronger, in nats."""


@dataclass(frozen=True, slots=True)
class Heat:
    """A piece of the response's text with the difference of its logprobs, as a look and in words."""

    text: str
    look: str
    says: str


@dataclass(frozen=True, slots=True)
class Page:
    """What a page shows besides its response. `previous`, `next`: IDs of the pages beside it, None for no such page."""

    id: int
    file: str
    previous: int | None
    next: int | None
    models: tuple[tuple[str, str, Described | None], ...]
    measured: str
    kl: LineChart | None
    js: LineChart | None
    difference: LineChart | None
    heat: tuple[Heat, ...]
    moved: StagesOfResponse | None
    gaps: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Subject:
    """A response with all of its tokens and where it comes from. `models` has the keys "base" and "aligned"; `moved` is
    what stages of tuning moved, and `gaps` say why they are not compared."""

    id: int
    file: str
    of: Analysis
    found: ResponseAnalysis
    rows: tuple[Token, ...]
    distances: tuple[Distances, ...]
    models: Mapping[str, Described | None]
    moved: StagesOfResponse | None = None
    gaps: tuple[str, ...] = ()


def render_page(subject: Subject, stages: StagesNamed | None, *, is_last: bool) -> str:
    """The page of a response, in a folder beside that of the data, of a site with these stages.

    Raises ValueError for scores of one model alone.
    """
    of, found, rows = subject.of, subject.found, subject.rows
    pieces = Pieces()

    def scores(columns: object) -> Markup:
        own = _own_columns(found, rows, of.score_options.compat)
        return as_json({**columns, **own} if isinstance(columns, dict) else columns)

    response = ResponseSection.of(found, rows, of, "page", pieces, scores)
    style, script = asset("page.css") + asset("site.css"), asset("page.js")
    count = f"{len(rows):,}"
    page = Page(
        id=subject.id,
        file=subject.file,
        previous=subject.id - 1 if subject.id else None,
        next=None if is_last else subject.id + 1,
        models=(
            ("base", of.pair.base, subject.models.get("base")),
            ("aligned", of.pair.aligned, subject.models.get("aligned")),
        ),
        measured=_measured(of, found),
        kl=line_chart(
            "KL(aligned || base) at each position, in nats", "kl", [d.kl for d in subject.distances], ("", count)
        ),
        js=line_chart(
            "Jensen-Shannon divergence at each position, at least (nats)",
            "js",
            [d.js_at_least for d in subject.distances],
            ("", count),
        ),
        difference=line_chart(
            "Logprob of each token, aligned less base (nats)",
            "difference",
            [d.logprob_difference for d in subject.distances],
            ("", count),
        ),
        heat=_heat(found, rows, subject.distances),
        moved=subject.moved,
        gaps=subject.gaps,
    )
    return template("site_page.html.jinja").render(
        version=__version__,
        generator=GENERATOR,
        policy=policy(style, script),
        style=Markup(style),  # noqa: S704 (the package's own files)
        script=Markup(script),  # noqa: S704 (the package's own file)
        page=page,
        stages=stages,
        response=response,
        analysis=of,
        pieces=as_json(pieces.texts),
    )


def _own_columns(found: ResponseAnalysis, rows: Sequence[Token], compat: str) -> dict[str, object]:
    """What a page's script has beside a report's columns: `measures` by name, `said`, the text of each position, and
    `from`, the number of the first position, which AlignTDS counts from 0."""
    scored = found.pair_scores
    return {
        "from": 0 if compat == "aligntds" else 1,
        "measures": _measures(found, rows, compat),
        "said": [harmless(row.text) for row in rows],
        "prefixes": {"base": harmless(scored.base.prefix_text), "aligned": harmless(scored.aligned.prefix_text)},
    }


def _measures(found: ResponseAnalysis, rows: Sequence[Token], compat: str) -> dict[str, list[str]]:
    """The numbers of each position in words, by name: the reference's own, or the same formulae over what was kept."""
    if compat == "aligntds":
        each = [measures_at(found.pair_scores, row.index) for row in rows]
        return {name: [number_words(name, values[name]) for values in each] for name in (each[0] if each else ())}
    by_bytes = found.pair_scores.comparison.alignment is not None
    compared = [
        measures_of_candidates(row.base.top if row.base else (), row.aligned.top, by_bytes=by_bytes) for row in rows
    ]
    at = min(SHOWN, found.pair_scores.base.k, found.pair_scores.aligned.k)
    names = {f"KL@{at}": "kl", f"Jaccard@{at}": "jaccard", f"WS@{at}": "weighted_sum"}
    return {
        name: [ABSENT if one is None else number_words(name, getattr(one, field)) for one in compared]
        for name, field in names.items()
    }


def _measured(of: Analysis, found: ResponseAnalysis) -> str:
    if of.score_options.compat == "aligntds":
        return "KL, Jaccard, WS and the others are the numbers of the AlignTDS code."
    kept = min(found.pair_scores.base.k, found.pair_scores.aligned.k)
    same = "bytes" if found.pair_scores.comparison.alignment is not None else "ids"
    return (
        f"KL, Jaccard and WS follow AlignTDS's formulae, over the {kept} candidates kept, which are compared by {same};"
        " the AlignTDS code has 30 and compares strings (--compat aligntds does as it does)."
    )


def _heat(found: ResponseAnalysis, rows: Sequence[Token], distances: Sequence[Distances]) -> tuple[Heat, ...]:
    made, row = [], 0
    for span, size in spans_of_rows(found, rows):
        # Of a character that several tokens share, the logprob of all of them together.
        difference = math.fsum(distances[at].logprob_difference for at in range(row, row + size))
        known = math.isfinite(difference)
        says = f"{difference:+.2f} nats" if known else "not known"
        made.append(Heat(shown(span).text, _look(difference) if known else "unknown", says))
        row += size
    return tuple(made)


def _look(difference: float) -> str:
    strength = sum(abs(difference) >= step for step in _STEPS)
    return f"{'up' if difference > 0 else 'down'}{strength}" if strength else ""
