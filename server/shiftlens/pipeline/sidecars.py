"""Which scores a file beside a transcript gives for it, and whether those or the chosen models are to be had."""

from __future__ import annotations

import shlex
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from shiftlens.engine.installed import why_no_models
from shiftlens.model_files.fingerprint import model_fingerprint
from shiftlens.options.pair import PairSpec, ScoreOptions
from shiftlens.options.server_names import is_server_name
from shiftlens.scores.description import ModelDescription
from shiftlens.scores.records import ScoredResponse
from shiftlens.scores.requests import Requests
from shiftlens.scores.sidecar.about import About, Model
from shiftlens.scores.sidecar.file import SUFFIX, Sidecar, SidecarError, open_sidecar, sidecar_path

_MOST_OPEN = 8

Stamp = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Beside:
    """What the sidecar of a transcript has of it as it is now: scores by the digest of what was asked.

    `problem` says why a file that is there is not used; without a file, there is nothing of all this.
    """

    sidecar: Sidecar | None = None
    scores: Mapping[bytes, ScoredResponse] = field(default_factory=dict)
    problem: str = ""

    def source(self) -> str:
        """Whose scores they are, in a few words: "scored by X and Y on DATE, from FILE"."""
        if self.sidecar is None:
            return ""
        about = self.sidecar.about
        models = about.models
        return (
            f"scored by {models.base.name} and {models.aligned.name} on {about.last_scored()},"
            f" from {self.sidecar.path.name}"
        )


NOTHING = Beside()


class Sidecars:
    """The sidecars that were looked at last, which are read again only when their files change. Methods block."""

    def __init__(self) -> None:
        self._open: OrderedDict[Path, tuple[Stamp, Sidecar]] = OrderedDict()

    def beside(self, transcript: Path, requests: Requests) -> Beside:
        """What there is beside the file of a transcript whose responses are these. Does not raise."""
        path = sidecar_path(transcript)
        try:
            sidecar = self._opened(path)
            if sidecar is None:
                return NOTHING
            wanted = {requests.digest(at): at for at in range(len(requests))}
            scores = sidecar.scores({digest: requests[at] for digest, at in wanted.items() if sidecar.has(digest)})
        except SidecarError as error:
            return Beside(problem=str(error))
        if not scores:
            return Beside(sidecar, scores, _of_another_text(sidecar))
        return Beside(sidecar, scores)

    def _opened(self, path: Path) -> Sidecar | None:
        try:
            stat = path.stat()
        except (OSError, ValueError):
            # ValueError: no file has a name with half a character or NUL, which the URI of a document may have.
            self._open.pop(path, None)
            return None
        try:
            stamp = (stat.st_mtime_ns, stat.st_size)
            known = self._open.get(path)
            if known is None or known[0] != stamp:
                self._open[path] = known = (stamp, open_sidecar(path))
        except OSError:
            self._open.pop(path, None)
            return None
        self._open.move_to_end(path)
        while len(self._open) > _MOST_OPEN:
            self._open.popitem(last=False)
        return known[1]


@dataclass(frozen=True, slots=True)
class Decided:
    """The pair and options to show, and the sidecar to take scores from (NOTHING for none).

    `why_not` says why the pair is not to be loaded, "" where it may be; `remark` what the user should know besides.
    """

    pair: PairSpec | None
    options: ScoreOptions
    beside: Beside
    why_not: str = ""
    remark: str = ""


NO_SIDECAR = Decided(None, ScoreOptions(), NOTHING)
"""What is decided where no sidecar is looked at."""


def decide(
    beside: Beside,
    pair: PairSpec | None,
    options: ScoreOptions,
    *,
    use: str,
    why_not_loadable: Callable[[PairSpec], str],
) -> Decided:
    """Whether the scores of a sidecar are shown.

    They are where they are of the chosen pair, and in place of a pair that is not chosen or can't be loaded; `use` is
    "auto" for that, "always" for the sidecar before the chosen pair, "never" for none of it. Models that only a sidecar
    names are never loaded: a file does not decide what is run.
    """
    sidecar = beside.sidecar
    if use == "never":
        return Decided(pair, options, NOTHING)
    if sidecar is None or not beside.scores:
        return Decided(pair, options, NOTHING, remark=beside.problem)
    own, own_options = sidecar.about.pair, sidecar.about.options.score_options()
    if pair is None:
        why_not = why_not_loadable(own) or "No pair of models is chosen here."
        return Decided(own, own_options, beside, why_not)
    if use == "always":
        return Decided(own, own_options, beside, "Scores beside a file are shown before those of the chosen pair.")
    why_not = why_not_loadable(pair)
    same = is_of_pair(sidecar.about, pair)
    if same and own_options == options:
        return Decided(pair, options, beside, why_not)
    if why_not:
        return Decided(own, own_options, beside, why_not)
    difference = "with other options" if same else f"by {own.base} and {own.aligned}"
    remark = f"{sidecar.path.name} holds scores {difference}; `shiftlens.sidecars` (`--sidecars`) always shows them."
    return Decided(pair, options, NOTHING, remark=remark)


def is_of_pair(about: About, pair: PairSpec) -> bool:
    """Whether a sidecar's scores are of these models."""
    return _is_model(about.models.base, pair.base) and _is_model(about.models.aligned, pair.aligned)


def _is_model(model: Model, name: str) -> bool:
    """The name of a folder says nothing on another machine; others mean one model everywhere."""
    if model.name == name and not Path(name).expanduser().is_dir():
        return True
    return bool(model.fingerprint) and model_fingerprint(name) == model.fingerprint


def why_not_loadable(pair: PairSpec) -> str:
    """Why a pair can't be loaded on this machine, "" where it can, as far as that is known beforehand."""
    if (missing := why_no_models()) is not None:
        return str(missing)
    for name in (pair.base, pair.aligned):
        if not is_server_name(name) and not pair.allow_download and model_fingerprint(name) is None:
            return f"{name} is not on this machine."
    return ""


def how_to_score_anew(beside: Beside) -> str:
    """What writes a sidecar anew."""
    return "" if beside.sidecar is None else _how_to_score_anew(beside.sidecar)


def _how_to_score_anew(sidecar: Sidecar) -> str:
    # What a sidecar says of its models is anybody's, and no part of a command that is copied.
    name = shlex.quote(sidecar.path.name.removesuffix(SUFFIX))
    return (
        f"Score anew where the models are: `shiftlens analyze {name} --save`, with --base and --aligned (or --bundled)"
        " where the file does not name them."
    )


def description_of(model: Model) -> ModelDescription:
    """What a sidecar says of a model, as loaded ones are described."""
    told = {name: getattr(model, name) for name in model.__struct_fields__}
    return ModelDescription(path="", max_positions=None, **told)


def words_on_source(beside: Beside, from_sidecar: int, missing: int, total: int) -> str:
    """Which responses have their scores from the sidecar, in sentences; "" where none has."""
    if not from_sidecar or beside.sidecar is None:
        return ""
    source = beside.source()
    if from_sidecar == total:
        return f"{source[0].upper()}{source[1:]}."
    words = f"{from_sidecar} of {total} responses: {source}."
    if missing:
        are = "has" if missing == 1 else "have"
        words += f" {missing} {are} changed since, or {'was' if missing == 1 else 'were'} not scored."
        return f"{words} {_how_to_score_anew(beside.sidecar)}"
    return f"{words} The others were scored here."


def _of_another_text(sidecar: Sidecar) -> str:
    return (
        f"{sidecar.path.name} is stale: all responses, or what stands before them, changed since it was written."
        f" {_how_to_score_anew(sidecar)}"
    )
