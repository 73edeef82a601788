"""Coloured responses as a LaTeX document.

It is made for pdfLaTeX, LuaLaTeX and XeLaTeX alike, with packages that every distribution has (iftex, color, fontenc,
textcomp). What a token, a prompt or a name says reaches the document as characters alone: each of LaTeX's own signs is
spelled out, so that no text ends a group, begins a command or reads a file.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from shiftlens.analysis.classify import shares
from shiftlens.analysis.contract import prompt_of
from shiftlens.analysis.model import CLASSES, Analysis, ResponseAnalysis, ShiftClass
from shiftlens.analysis.words import positions_words, turn_words
from shiftlens.report.scores import Span, spans
from shiftlens.report.sections import labels_of, shown
from shiftlens.text.visible import harmless, harmless_name

HEAD = r"""% Written by ShiftLens: which tokens of responses alignment shifted. For pdfLaTeX, LuaLaTeX and XeLaTeX.
\documentclass[a4paper]{article}
\usepackage{iftex}
\ifpdftex
  \usepackage[T1]{fontenc}
  \usepackage{textcomp}
  % pdfLaTeX has no sign for most of Unicode: there, such a character stands as its code point.
  \newcommand{\slchar}[2]{{\ttfamily\footnotesize U+#1}}
\else
  % What the font has no sign for stands as its code point too, instead of not at all.
  \newcommand{\slchar}[2]{\iffontchar\font"#1 #2\else{\ttfamily\footnotesize U+#1}\fi}
\fi
\usepackage{color}
\definecolor{slshifted}{rgb}{0.70,0.09,0.11}
\definecolor{slmarginal}{rgb}{0.54,0.35,0}
\definecolor{slunshifted}{rgb}{0.23,0.37,0.58}
% Not by colour alone: shifted is bold as well, marginal italic.
\newcommand{\slshifted}[1]{{\bfseries\color{slshifted}#1}}
\newcommand{\slmarginal}[1]{{\itshape\color{slmarginal}#1}}
\newcommand{\slunshifted}[1]{{\color{slunshifted}#1}}
\newcommand{\slunknown}[1]{#1}
\newcommand{\slflagged}[1]{#1\textsuperscript{b}}
\setlength{\parindent}{0pt}
\setlength{\parskip}{0.5em plus 0.2em}
\emergencystretch=3em
\begin{document}
"""
FOOT = "\\end{document}\n"

_SPECIAL = {
    "\\": r"\textbackslash{}",
    "{": r"\{",
    "}": r"\}",
    "$": r"\$",
    "&": r"\&",
    "#": r"\#",
    "%": r"\%",
    "_": r"\_",
    "^": r"\textasciicircum{}",
    "~": r"\textasciitilde{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    '"': r"\textquotedbl{}",
    "'": r"\textquotesingle{}",
    "`": r"\textasciigrave{}",
    # Apart from each other, or two of them become one dash, and three another.
    "-": r"-{}",
    "!": r"!{}",
    "?": r"?{}",
    ",": r",{}",
    "*": r"*{}",
    "[": r"{[}",
    "]": r"{]}",
    "\t": r"\ \ \ \ ",
}
_DECLARED = frozenset("ÀÁÂÃÄÅÆÇÈÉÊËÌÍÎÏÑÒÓÔÕÖØÙÚÛÜÝßàáâãäåæçèéêëìíîïñòóôõöøùúûüýÿŒœŠšŽžŁłĆćŃńĘęŚśŹźŻżĄąČčĚěŘřŮů")
"""Letters that pdfLaTeX knows with T1 fonts."""
_NAMED = {
    "‘": r"\textquoteleft{}",
    "’": r"\textquoteright{}",
    "“": r"\textquotedblleft{}",
    "”": r"\textquotedblright{}",
    "–": r"\textendash{}",
    "—": r"\textemdash{}",
    "…": r"\ldots{}",
    "•": r"\textbullet{}",
    "⏎": r"$\hookleftarrow$",
    "■": r"\rule{0.6em}{0.6em}",
    "\u00a0": r"\ ",
}


def latex_of_file(file: str, analysis: Analysis) -> Iterator[str]:
    """The document's lines on one file: its responses, coloured, with their shares. Goes between HEAD and FOOT."""
    yield f"\\section*{{{escaped(harmless_name(file))}}}\n"
    base, aligned = analysis.model_names
    alone = bool(analysis.responses) and all(found.is_of_one_model for found in analysis.responses)
    pair = f"model {aligned or 'not named in the file'}" if alone else f"base {base}, aligned {aligned}"
    yield f"{escaped(harmless_name(pair))}\n\n"
    labels = labels_of(alone=alone)
    low, high = analysis.classify_options.thresholds
    middle = f"\\slmarginal{{{labels['marginal']}}} {low + 1} to {high}, " if high > low else ""
    rank = "the model's own rank" if alone else "base rank"
    flagged = "" if alone else ", \\slflagged{} boundary"
    yield (
        f"\\slunshifted{{{labels['unshifted']}}}: {escaped(rank)} {'1' if low == 1 else f'1 to {low}'}, {middle}"
        f"\\slshifted{{{labels['shifted']}}} above {high}{flagged}\n"
    )
    for found in analysis.responses:
        yield from _response(found, analysis)


def escaped(text: str) -> str:
    """Text as LaTeX that typesets just these characters, on one line or, with line feeds, on several."""
    lines = harmless(text).split("\n")
    return "\\newline\n".join(_line(line) for line in lines)


def _line(line: str) -> str:
    if not line:
        return r"\mbox{}"
    found: list[str] = []
    before = ""
    for character in line:
        # A space at the start of a line, or behind another one, is none to LaTeX unless it is spelled out.
        found.append(r"\ " if character == " " and before in ("", " ") else _character(character))
        before = character
    return "".join(found)


def _character(character: str) -> str:
    if character in _SPECIAL:
        return _SPECIAL[character]
    if character.isascii() or character in _DECLARED:
        return character
    if character in _NAMED:
        return _NAMED[character]
    return f"\\slchar{{{ord(character):04X}}}{{{character}}}"


def _response(found: ResponseAnalysis, of: Analysis) -> Iterator[str]:
    turn = turn_words(found.response, of.transcript)
    title = f"Response {found.response.index + 1}" + (f" ({turn})" if turn else "")
    yield f"\n\\subsection*{{{escaped(harmless_name(title))}}}\n"
    prompt = prompt_of(found.response).strip("\n")
    if prompt:
        yield f"\\begin{{quote}}\n{escaped(prompt)}\n\\end{{quote}}\n"
    yield f"{_coloured(spans(found))}\n\n"
    counted = shares(found.summary)
    labels = labels_of(alone=found.is_of_one_model)
    told = ", ".join(f"{counted.percent(shift)} {labels[shift.label]}" for shift in reversed(CLASSES))
    unknown = f"; {positions_words(found.summary.unknown)} without a class" if found.summary.unknown else ""
    yield f"{escaped(f'{positions_words(counted.tokens)}: {told}{unknown}')}\n\n"
    for note in found.notes:
        yield f"{escaped(harmless_name(note))}\n\n"


def _coloured(found: Sequence[Span]) -> str:
    return "%\n".join(_span(span) for span in found) or r"\mbox{}"


def _span(span: Span) -> str:
    """A span in the colour of its class, a command for each line of it."""
    heading = f"\\par\\textsc{{{escaped(span.heading)}}}\\par\n" if span.heading else ""
    return heading + "\\newline\n".join(_pieces(shown(span)))


def _pieces(span: Span) -> Iterable[str]:
    lines = harmless(span.text).split("\n")
    for number, line in enumerate(lines):
        if not line:
            yield r"\mbox{}"
            continue
        is_last = number == len(lines) - 1
        piece = f"\\sl{span.shift.label}{{{_line(line)}}}" if span.shift is not ShiftClass.UNKNOWN else _line(line)
        yield f"\\slflagged{{{piece}}}" if span.flagged and is_last else piece
