"""Coloured responses as LaTeX: what a text says is typeset as its characters and does nothing else."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analysis.hand_made import response, scored, whole
from analysis.test_one_model import analysed, of_file
from shiftlens.analysis.classify import build
from shiftlens.analysis.model import Analysis
from shiftlens.options.pair import ClassifyOptions
from shiftlens.report.latex import FOOT, HEAD, escaped, latex_of_file
from shiftlens.text.visible import harmless

HOSTILE = r"\input{/etc/passwd}\end{document}}}{{ 50% of $x_1^2$ & #1 ~ ^^5c[2em] --- ?`!` << >> ``x'' \\*[x]"
WIDE = "é ü Ł € → 漢字 😀 שלום \u202e\u0301\u200d\x1b\x00"

# What a spelled-out sign says, to read the LaTeX back by other means than those that wrote it.
SIGNS = {
    r"\textbackslash": "\\",
    r"\textasciicircum": "^",
    r"\textasciitilde": "~",
    r"\textless": "<",
    r"\textgreater": ">",
    r"\textbar": "|",
    r"\textquotedbl": '"',
    r"\textquotesingle": "'",
    r"\textasciigrave": "`",
    r"\textquoteleft": "‘",
    r"\textquoteright": "’",
    r"\textquotedblleft": "“",
    r"\textquotedblright": "”",
    r"\textendash": "–",
    r"\textemdash": "—",
    r"\ldots": "…",
    r"\textbullet": "•",
}
TOKEN = re.compile(
    r"\\slchar\{(?P<code>[0-9A-F]{4,6})\}\{(?P<char>.)\}|(?P<sign>\\text[a-z]+|\\ldots)\{\}|\{(?P<group>[\[\]])\}"
    r"|\\(?P<own>[{}$&#%_ ])|(?P<plain>[-!?,*])\{\}|(?P<break>\\newline\n)|(?P<empty>\\mbox\{\})"
    r"|(?P<hook>\$\\hookleftarrow\$)|(?P<rule>\\rule\{0\.6em\}\{0\.6em\})|(?P<other>[^\\{}$&#%_^~\n])",
    re.DOTALL,
)


def read_back(latex: str) -> str:
    """The characters that LaTeX of this project's making typesets; fails on anything else."""
    found, at = [], 0
    while at < len(latex):
        match = TOKEN.match(latex, at)
        assert match is not None, f"this is not plain text: {latex[at : at + 40]!r}"
        at = match.end()
        group = match.groupdict()
        if group["code"]:
            assert ord(group["char"]) == int(group["code"], 16)
            found.append(group["char"])
        elif group["sign"]:
            found.append(SIGNS[group["sign"]])
        elif group["break"]:
            found.append("\n")
        elif group["hook"]:
            found.append("⏎")
        elif group["rule"]:
            found.append("■")
        elif not group["empty"]:
            found.append(group["group"] or group["own"] or group["plain"] or group["other"])
    return "".join(found)


@given(st.text(max_size=60) | st.text(alphabet="\\{}[]$&#%_^~<>|\"'`-!?,* \n\t\r", max_size=40))
def test_any_text_is_typeset_as_its_characters_and_is_no_command(text: str) -> None:
    # A tab is four spaces, and a space that does not break is one that does not either.
    wanted = harmless(text).replace("\t", "    ").replace("\u00a0", " ")
    assert read_back(escaped(text)).replace("\u00a0", " ") == wanted


def test_spaces_that_latex_would_swallow_are_spelled_out() -> None:
    assert escaped(" a  b") == r"\ a \ b"


def of(pieces: list[bytes]) -> Analysis:
    text = b"".join(pieces).decode()
    ranks = [*[9, 2, *[1] * len(pieces)][: len(pieces)], 1]
    return whole(
        build(
            response(text, question=HOSTILE + WIDE),
            scored(pieces, base_ranks=ranks, boundary=(0,)),
            ClassifyOptions(),
        )
    )


def test_each_token_has_the_command_of_its_class() -> None:
    said = "".join(latex_of_file("talk.txt", of([b"Great", b" question", b"!\n", b"Yes."])))
    assert r"\slflagged{\slshifted{Great}}" in said
    assert r"\slmarginal{\ question}" in said
    assert "\\slunshifted{!{}}\\newline\n\\mbox{}%\n\\slunshifted{Yes.}" in said
    assert r"5 positions: 20.0\% shifted,{} 20.0\% marginal,{} 60.0\% unshifted" in said
    assert r"A note." in said


def test_scores_of_one_model_alone_are_told_in_the_words_of_a_surprise() -> None:
    said = "".join(latex_of_file("a.json", of_file(analysed())))
    assert r"\slshifted{surprising} above 3" in said
    assert r"3 positions: 33.3\% surprising,{} 33.3\% less expected,{} 33.3\% expected; 2 positions without" in said
    assert "base" not in said


def test_braces_of_a_document_balance_whatever_a_token_says() -> None:
    said = "".join(latex_of_file(HOSTILE, of([HOSTILE.encode(), b"}", b"{", b"\\", b"%", WIDE.encode()])))
    depth = 0
    for sign in re.findall(r"\\.|[{}]", said, re.DOTALL):
        depth += {"{": 1, "}": -1}.get(sign, 0)
        assert depth >= 0
    assert depth == 0


@pytest.mark.slow
@pytest.mark.parametrize("engine", ["pdflatex", "lualatex", "xelatex"])
def test_a_document_of_hostile_text_compiles_without_an_error(tmp_path: Path, engine: str) -> None:
    if shutil.which(engine) is None:
        pytest.skip(f"{engine} is not installed")
    signs = [bytes([code]) for code in range(1, 127)] * 2
    pieces = [HOSTILE.encode(), WIDE.encode(), b"\n", b"\n\n", b"  ", b"\t", *signs, *[sign * 3 for sign in signs]]
    body = "".join("".join(latex_of_file(name, of(pieces))) for name in (HOSTILE, WIDE))
    (tmp_path / "made.tex").write_text(HEAD + body + FOOT, encoding="utf-8")
    command = [engine, "-interaction=nonstopmode", "-halt-on-error", "-no-shell-escape", "made.tex"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, timeout=250, check=False)
    assert done.returncode == 0, done.stdout.decode("utf-8", "replace")[-2000:]
    assert "Missing character" not in (tmp_path / "made.log").read_text(encoding="utf-8", errors="replace")
