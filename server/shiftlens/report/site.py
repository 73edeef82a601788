"""A folder of pages: an index of all responses with a search, and a page for each, without a network or a server.

    index.html, figures.json      what all responses are together, and its numbers
    pages/0.html, pages/1.html    a response each, by its ID
    data/0.csv, data/1.csv        a row for each of its positions (docs/exports.md)

All links are relative, and each page's content security policy lets nothing in but its own style and script. Pages are
written one by one as responses come: in memory are the lines of the index and counts.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from markupsafe import Markup

from shiftlens import __version__
from shiftlens.analysis.classify import Shares, shares
from shiftlens.analysis.contract import Described, prompt_of, summary_json
from shiftlens.analysis.corpus import Bin, CorpusSummary, CorpusTally, counted
from shiftlens.analysis.curves import RankHistogram, RanksTally, distances
from shiftlens.analysis.json_values import finite
from shiftlens.analysis.model import Analysis
from shiftlens.analysis.position_table import columns, rows_of_response
from shiftlens.analysis.stages import combine_stages
from shiftlens.analysis.stages_contract import summary_json as stages_summary_json
from shiftlens.analysis.stages_of_file import NotCompared, ResponseStages
from shiftlens.analysis.tokens import tokens
from shiftlens.analysis.words import turn_words
from shiftlens.report.corpus import CorpusTables
from shiftlens.report.corpus_figures import curves, share_bars
from shiftlens.report.delimited import DelimitedWriter
from shiftlens.report.sections import SummaryTable, labels_of
from shiftlens.report.site_page import GENERATOR, Subject, render_page
from shiftlens.report.stages import StagesBeside, StagesNamed, StagesOfResponse
from shiftlens.report.templates import as_json, asset, policy, template
from shiftlens.report.text.stages import moved_words
from shiftlens.text.visible import harmless, one_line, visible_piece

SCHEMA = "shiftlens-figures/1"
SEARCHED = 500
"""How many characters of a query and of a response the search of the index looks at."""
ONE_MODEL = "has the scores of one model alone, and pages compare two; it is in `shiftlens report`."
_LONGEST_QUERY = 160
_MARK = f'<meta name="generator" content="{GENERATOR} '
_TOKENS = 100


@dataclass(frozen=True, slots=True)
class Entry:
    """A line of the index, and what its search looks at."""

    id: int
    query: str
    file: str
    number: int
    turn: str
    shares: Shares
    text: str


@dataclass(frozen=True, slots=True)
class Told:
    """Sentences on responses of a file: those that have no page, and those that are not compared under all stages."""

    without_page: tuple[str, ...]
    not_compared: tuple[str, ...]


class SiteWriter:
    """Writes a site into an empty folder, file by file. `finish` writes the index, without which it is not whole."""

    def __init__(self, folder: Path, stages: StagesNamed | None = None) -> None:
        """`stages` are those that every file is compared under, None for none."""
        self.folder = folder
        self._stages = stages
        self._moved = combine_stages((), len(stages.names) if stages else 0)
        self._entries: list[Entry] = []
        self._remarks: list[tuple[str, str]] = []
        self._failed: list[tuple[str, str]] = []
        self._corpus = CorpusTally()
        self._ranks = RanksTally()
        self._waiting: Subject | None = None
        for name in ("pages", "data"):
            (folder / name).mkdir()

    @property
    def pages(self) -> int:
        """How many responses there are so far."""
        return len(self._entries)

    def add(
        self,
        file: str,
        of: Analysis,
        models: Mapping[str, Described | None],
        remarks: tuple[str, ...],
        compared: Iterable[ResponseStages | NotCompared] = (),
    ) -> Told:
        """Write the pages of a file. `remarks` are sentences on what of it is not there; `compared` are its responses
        under the stages, in their order. Raises OSError.

        A response with the scores of one model alone has no page, and a remark of its own.
        """
        alone: list[str] = []
        gaps: list[str] = []
        self._remarks += ((file, remark) for remark in remarks)
        beside = StagesBeside(self._stages.names if self._stages else (), compared)
        for found in of.responses:
            stages, why = beside.of(found.response.index)
            gaps += why
            if found.is_of_one_model:
                alone.append(f"response {found.response.index + 1} {ONE_MODEL}")
                continue
            if stages is not None:
                self._moved = combine_stages((self._moved, stages.summary), len(self._moved.moved_by))
            rows = tuple(tokens(found))
            which = distances(found, rows)
            # Of the others, which may be read from disk each time, nothing is kept.
            of_this = replace(of, responses=(found,), summary=found.summary)
            moved = None if stages is None else StagesOfResponse.of(stages)
            subject = Subject(len(self._entries), file, of_this, found, rows, which, models, moved, why)
            # A page says which is the next, so that it waits for that one.
            self._write_waiting(is_last=False)
            self._waiting = subject
            columns = ([each.js_at_least for each in which], [each.logprob_difference for each in which])
            self._corpus.add(counted(file, of.pair, found, *columns))
            self._ranks.add(found)
            query = prompt_of(found.response)
            self._entries.append(
                Entry(
                    id=subject.id,
                    query=one_line(query, _LONGEST_QUERY),
                    file=file,
                    number=found.response.index + 1,
                    turn=turn_words(found.response, of.transcript),
                    shares=shares(found.summary),
                    text=f"{file}\n{query[:SEARCHED]}\n{found.text[:SEARCHED]}",
                )
            )
        gaps += beside.rest()
        self._remarks += ((file, remark) for remark in (*alone, *gaps))
        return Told(tuple(alone), tuple(gaps))

    def add_failed(self, file: str, message: str) -> None:
        """Tell of a file that could not be analysed."""
        self._failed.append((file, message))

    def finish(self) -> None:
        """Write the last page and the index. Raises OSError."""
        self._write_waiting(is_last=True)
        corpus, ranks = self._corpus.summary(), self._ranks.histogram()
        _write(self.folder / "figures.json", json.dumps(self._figures(corpus, ranks), indent=1, allow_nan=False) + "\n")
        style, script = asset("page.css") + asset("site.css"), asset("site_index.js")
        page = template("site_index.html.jinja").render(
            version=__version__,
            generator=GENERATOR,
            policy=policy(style, script),
            style=Markup(style),  # noqa: S704 (the package's own files)
            script=Markup(script),  # noqa: S704 (the package's own file)
            entries=self._entries,
            texts=as_json([harmless(entry.text) for entry in self._entries]),
            failed=self._failed,
            remarks=self._remarks,
            searched=SEARCHED,
            whole=SummaryTable.of(corpus.whole),
            corpus=CorpusTables.of(corpus),
            labels=labels_of(alone=False),
            bars=share_bars(corpus, ranks),
            lines=curves(corpus),
            stages=self._stages,
            moved=moved_words(self._moved) if self._moved.positions else "",
        )
        _write(self.folder / "index.html", page)

    def _figures(self, corpus: CorpusSummary, ranks: RankHistogram) -> dict[str, object]:
        found = _figures(corpus, ranks)
        if self._stages is not None:
            named = {"names": list(self._stages.names), "min_change": self._stages.min_change}
            found["stages"] = {**named, **stages_summary_json(self._moved)}
        return found

    def _write_waiting(self, *, is_last: bool) -> None:
        subject, self._waiting = self._waiting, None
        if subject is None:
            return
        _write(self.folder / "pages" / f"{subject.id}.html", render_page(subject, self._stages, is_last=is_last))
        compat = subject.of.score_options.compat
        with (self.folder / "data" / f"{subject.id}.csv").open("w", encoding="utf-8", newline="") as out:
            table = DelimitedWriter(out, columns(compat), ",")
            table.write(rows_of_response(subject.file, subject.of.model_names, subject.found, compat, subject.rows))


def why_not_ours(folder: Path) -> str | None:
    """Why a folder that is there must not be replaced by a site: what is in it. None where it is empty or such a site
    alone. Raises OSError."""
    known = {"index.html", "figures.json", "pages", "data"}
    found = sorted(path.name for path in folder.iterdir())
    if not found:
        return None
    strange = [name for name in found if name not in known]
    strange += (f"pages/{path.name}" for path in _inside(folder / "pages") if not _is_numbered(path, ".html"))
    strange += (f"data/{path.name}" for path in _inside(folder / "data") if not _is_numbered(path, ".csv"))
    if strange:
        return f"it has {harmless(strange[0])}, which is no part of a site of ShiftLens"
    index = folder / "index.html"
    if not index.is_file() or _MARK.encode() not in index.read_bytes()[:4096]:
        return "it is no site of ShiftLens"
    return None


def _inside(folder: Path) -> list[Path]:
    return sorted(folder.iterdir()) if folder.is_dir() else []


def _is_numbered(path: Path, suffix: str) -> bool:
    return path.suffix == suffix and path.stem.isdecimal() and path.is_file() and not path.is_symlink()


def _write(path: Path, text: str) -> None:
    with path.open("w", encoding="utf-8", newline="\n") as file:
        file.write(text)


def _figures(corpus: CorpusSummary, ranks: RankHistogram) -> dict[str, object]:
    """The numbers of the index's figures. Positions count from 0, `past` is null where there is no end."""
    return {
        "schema": SCHEMA,
        "summary": summary_json(corpus.whole),
        "by_tenth": [_bin(of) for of in corpus.by_tenth],
        "by_position": [_bin(of) for of in corpus.by_position],
        "base_rank": {"bins": [asdict(each) for each in ranks.bins], "inexact": ranks.inexact},
        "tokens": [
            {"text": visible_piece(each.piece), "bytes": each.piece.hex(), "shifted": each.shifted, "said": each.said}
            for each in corpus.tokens[:_TOKENS]
        ],
    }


def _bin(of: Bin) -> dict[str, object]:
    counts = {name: getattr(of, name) for name in ("first", "past", "tokens", "unshifted", "marginal", "shifted")}
    return {
        **counts,
        "mean_kl": finite(of.mean_kl),
        "mean_js_at_least": finite(of.mean_js),
        "mean_logprob_difference": finite(of.mean_difference),
    }
