"""The summary of a scored corpus as one HTML page, which holds counts and tokens but no text of a conversation.

Nothing in it comes from elsewhere and nothing in it runs: its content security policy lets in its own style alone.
"""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup

from shiftlens import __version__
from shiftlens.corpora.summary import RowsSummary
from shiftlens.report.corpus import CorpusTables
from shiftlens.report.corpus_figures import curves, share_bars
from shiftlens.report.sections import SummaryTable, labels_of
from shiftlens.report.templates import asset, policy, template

GENERATOR = "ShiftLens corpus summary"


def render_corpus(found: RowsSummary, outputs: Sequence[str], limit: int) -> str:
    """The page, with the first `limit` tokens and files. `outputs` are the files that it sums up, by name."""
    corpus = found.corpus
    style = asset("page.css")
    return template("corpus_page.html.jinja").render(
        version=__version__,
        generator=GENERATOR,
        policy=policy(style, None),
        style=Markup(style),  # noqa: S704 (the package's own file)
        outputs=outputs,
        responses=found.responses,
        refused=found.refused,
        not_scored=found.not_scored,
        pair=corpus.by_pair[0][0] if len(corpus.by_pair) == 1 else None,
        files=len(corpus.by_file),
        alone=found.alone,
        one_model=found.one_model,
        whole=SummaryTable.of(corpus.whole, alone=found.alone),
        corpus=CorpusTables.of(corpus, most_tokens=limit, most_files=limit),
        labels=labels_of(alone=found.alone),
        # Their titles are of shifts.
        bars=[] if found.alone else share_bars(corpus),
        lines=curves(corpus),
    )
