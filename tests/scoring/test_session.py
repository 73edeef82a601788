"""A session: models loaded once for all that share them, kept while they fit, and results as plain values."""

from __future__ import annotations

import gc
import weakref
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from transformers import AutoModelForCausalLM

from shiftlens.errors import ModelError
from shiftlens.options.pair import PairSpec, ScoreOptions
from shiftlens.scores.description import scoring_model
from shiftlens.scores.requests import ContextTurn, ResponseToScore, one_text
from shiftlens.scoring.events import Opened, Progress, Refused, Scored
from shiftlens.scoring.opening.device_memory import LIMIT_VARIABLE, model_limit
from shiftlens.scoring.opening.model_cache import ModelsInUse
from shiftlens.scoring.running.run import Run
from shiftlens.scoring.session import Session
from tiny_adapters import save_adapter
from tiny_models import byte_level_tokenizer, save_model, save_pair

SENTENCE = "Because air scatters blue light more than red light. "


@pytest.fixture(scope="module")
def others(tiny_pair: PairSpec, tmp_path_factory: pytest.TempPathFactory) -> list[PairSpec]:
    """Two pairs with the base model of the tiny pair."""
    folder = tmp_path_factory.mktemp("tuned")
    tuned = [save_model(folder / str(seed), byte_level_tokenizer(), seed=seed) for seed in (7, 8)]
    return [replace(tiny_pair, aligned=str(each)) for each in tuned]


def response(text: str = SENTENCE) -> ResponseToScore:
    return ResponseToScore(turns=(ContextTurn.of("user", "Why?"),), parts=one_text(text), source_format="labels")


def opened(session: Session, spec: PairSpec) -> None:
    with session.open(spec):
        pass


def bytes_of(spec: PairSpec) -> int:
    session = Session()
    opened(session, spec)
    return sum(model.nbytes for model in session.models())


def names(session: Session) -> list[str]:
    return [model.name for model in session.models()]


def test_a_base_that_three_tuned_models_share_is_loaded_once(tiny_pair: PairSpec, others: list[PairSpec]) -> None:
    session = Session()
    for spec in (tiny_pair, *others, tiny_pair):
        opened(session, spec)
    assert session.loads == 4
    assert names(session) == [tiny_pair.base, tiny_pair.aligned, *(other.aligned for other in others)]


def test_what_was_used_least_recently_makes_room(tiny_pair: PairSpec, others: list[PairSpec]) -> None:
    # Three models of one shape.
    session = Session(bytes_of(tiny_pair) * 3 // 2)
    for spec in (tiny_pair, others[0], others[1]):
        opened(session, spec)
    assert names(session) == [tiny_pair.base, others[0].aligned, others[1].aligned]
    opened(session, others[0])
    assert session.loads == 4
    opened(session, tiny_pair)
    assert session.loads == 5
    assert names(session) == [tiny_pair.base, others[0].aligned, tiny_pair.aligned]


def test_room_is_made_before_anything_is_loaded(
    tiny_pair: PairSpec, others: list[PairSpec], monkeypatch: pytest.MonkeyPatch
) -> None:
    session = Session(bytes_of(tiny_pair))
    with session.open(tiny_pair) as pair:
        gone = weakref.ref(pair.aligned.loaded.model)
    del pair
    alive: list[bool] = []
    load: Any = AutoModelForCausalLM.from_pretrained

    def watched(*arguments: Any, **more: Any) -> object:
        alive.append(gone() is not None)
        return load(*arguments, **more)

    monkeypatch.setattr(AutoModelForCausalLM, "from_pretrained", watched)
    opened(session, others[0])
    assert alive == [False]


def test_a_pair_larger_than_the_bound_is_loaded_all_the_same(tiny_pair: PairSpec, others: list[PairSpec]) -> None:
    session = Session(1)
    opened(session, tiny_pair)
    opened(session, others[0])
    assert names(session) == [tiny_pair.base, others[0].aligned]


def test_where_memory_runs_out_all_else_is_let_go_of_and_the_loading_tried_again(
    tiny_pair: PairSpec, others: list[PairSpec], monkeypatch: pytest.MonkeyPatch
) -> None:
    session = Session()
    opened(session, tiny_pair)
    load: Any = AutoModelForCausalLM.from_pretrained

    def short_of_memory(*arguments: Any, **more: Any) -> object:
        if len(session.models()) > 1:
            raise MemoryError
        return load(*arguments, **more)

    monkeypatch.setattr(AutoModelForCausalLM, "from_pretrained", short_of_memory)
    opened(session, others[0])
    assert names(session) == [tiny_pair.base, others[0].aligned]
    with pytest.raises(ModelError, match="not enough memory"), session.open(others[0]):
        opened(session, others[1])


def test_models_in_use_are_not_let_go_of(tiny_pair: PairSpec, others: list[PairSpec]) -> None:
    session = Session(bytes_of(tiny_pair))
    with session.open(tiny_pair):
        assert session.outlook(others[0]).waits
        opened(session, others[0])
        assert session.loads == 3
    assert not session.outlook(others[0]).waits


def test_an_outlook_tells_what_opening_would_take(tiny_pair: PairSpec, others: list[PairSpec]) -> None:
    session = Session(bytes_of(tiny_pair))
    nothing = session.outlook(tiny_pair)
    assert nothing.loads
    assert not nothing.evicts
    with session.open(tiny_pair) as pair:
        units = pair.units
        (aligned,) = pair.aligned.units
    assert session.outlook(tiny_pair).units == units
    assert not session.outlook(tiny_pair).loads
    assert session.outlook(others[0]).evicts == {aligned}
    assert not session.outlook(replace(tiny_pair, base="/no/such/model")).evicts
    assert session.loads == 2


def test_unloading_lets_go_of_all_but_what_is_in_use_and_of_that_in_the_end(tiny_pair: PairSpec) -> None:
    session = Session()
    with session.open(tiny_pair) as pair:
        model = weakref.ref(pair.base.loaded.model)
        session.unload()
        assert len(session.models()) == 2
    del pair
    assert session.models() == ()
    gc.collect()
    assert model() is None


def test_an_adapter_is_not_put_into_a_model_that_is_in_use(tmp_path: Path) -> None:
    base = save_model(tmp_path / "base", byte_level_tokenizer(), seed=0)
    for seed, name in enumerate(("first", "second"), start=1):
        save_adapter(tmp_path / name, base, seed=seed)
    first, second = (
        PairSpec(base=str(base), aligned=str(tmp_path / name), device="cpu") for name in ("first", "second")
    )
    session = Session()
    with session.open(first):
        assert session.outlook(second).joins
        with pytest.raises(ModelsInUse):
            opened(session, second)
    opened(session, second)
    with session.open(first), session.open(second):
        pass
    assert session.loads == 1


def test_a_model_that_changed_on_the_disk_is_read_anew_when_its_pair_is_chosen_again(
    tmp_path: Path, tiny_pair: PairSpec
) -> None:
    base, aligned = save_pair(tmp_path)
    spec = PairSpec(base=str(base), aligned=str(aligned), device="cpu")
    session = Session()
    with session.open(spec) as pair:
        before = pair.fingerprints
    opened(session, tiny_pair)
    save_model(aligned, byte_level_tokenizer(), seed=9)
    with session.open(spec) as pair:
        assert pair.fingerprints[0] == before[0]
        assert pair.fingerprints[1] != before[1]
    assert session.loads == 5


def test_what_is_kept_for_edits_goes_with_either_model(tiny_pair: PairSpec, others: list[PairSpec]) -> None:
    session = Session(bytes_of(tiny_pair))
    list(session.score(tiny_pair, ScoreOptions(), [response(SENTENCE * 3)]))
    assert session.kv_bytes > 0
    opened(session, others[0])
    assert session.kv_bytes == 0


def test_what_is_kept_for_edits_of_all_pairs_is_bounded_as_a_whole(tiny_pair: PairSpec, others: list[PairSpec]) -> None:
    session = Session()
    list(session.score(tiny_pair, ScoreOptions(), [response(SENTENCE * 3)]))
    one = session.kv_bytes
    session._memories.limit_bytes = one * 2
    for other in others:
        list(session.score(other, ScoreOptions(), [response(SENTENCE * 3)]))
    assert one < session.kv_bytes <= one * 2


def test_events_tell_what_was_opened_how_far_it_is_and_each_result(tiny_pair: PairSpec) -> None:
    session = Session()
    found = list(session.score(tiny_pair, ScoreOptions(), [response(), response(""), response("No.")]))
    assert isinstance(found[0], Opened)
    assert (found[0].base.name, found[0].aligned_model.name) == (tiny_pair.base, tiny_pair.aligned)
    assert [event.index for event in found if isinstance(event, Refused)] == [1]
    whole = [event for event in found if isinstance(event, Scored) and not event.partial]
    assert sorted(event.index for event in whole) == [0, 2]
    models = [(event.scored.base.model, event.scored.aligned.model) for event in whole]
    assert set(models) == {(scoring_model(found[0].base), scoring_model(found[0].aligned_model))}
    assert [event for event in found if isinstance(event, Progress)][-1].fraction == 1.0


def test_what_the_check_raises_stops_the_work(tiny_pair: PairSpec) -> None:
    class Stopped(Exception):
        pass

    def check() -> None:
        raise Stopped

    session = Session()
    with pytest.raises(Stopped):
        list(session.score(tiny_pair, ScoreOptions(), [response()], check=check))
    assert not session.pinned()


def test_between_two_passes_no_model_is_in_use(tiny_pair: PairSpec) -> None:
    session = Session()
    run = Run(ScoreOptions(), [response(SENTENCE * 20), response("Air. " * 200)])
    pinned = [bool(session.pinned()) for _events in session.steps(tiny_pair, run)]
    assert True in pinned
    at = pinned.index(True)
    assert False in pinned[at : len(pinned) - pinned[::-1].index(True)]
    assert pinned[-1] is False


def test_a_request_that_remembers_nothing_leaves_nothing(tiny_pair: PairSpec) -> None:
    session = Session()
    for _events in session.steps(tiny_pair, Run(ScoreOptions(), [response(SENTENCE * 3)], remember=False)):
        pass
    assert session.kv_bytes == 0


def test_the_environment_can_bound_the_models(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(LIMIT_VARIABLE, "1000")
    assert model_limit("cpu") == 1000
    monkeypatch.delenv(LIMIT_VARIABLE)
    assert model_limit("cpu") > 1000
