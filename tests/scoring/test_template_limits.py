"""Templates that go on for ever, write without end, or fail: they are stopped, and it is said whose fault it is."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from transformers.utils.chat_template_utils import render_jinja_template

from shiftlens.errors import ScoringError
from shiftlens.scores.requests import ContextTurn
from shiftlens.scoring.inputs.contexts import render_named
from shiftlens.scoring.inputs.messages import Dialect
from shiftlens.scoring.inputs.template_limits import LimitedEnvironment, limited, template_budget
from shiftlens.scoring.inputs.template_rendering import ChatTemplate

LOOP = "{% for i in range(10**5) %}{% for j in range(10**5) %}{% endfor %}{% endfor %}"
QUESTION = ContextTurn.of("user", "Why?")


class Cancelled(BaseException):
    """As the engine's own: no Exception."""


class Tokenizer:
    """As far as a template asks of one."""

    bos_token = ""
    name_or_path = "a/model"

    def apply_chat_template(self, messages: object, *, chat_template: str, **_: object) -> str:
        rendered = render_jinja_template([messages], chat_template=chat_template)[0]  # type: ignore[list-item]
        return str(rendered[0])


def user(template: str) -> str:
    return render_named(f"template:{template}", (QUESTION,)).prefix


def model(template: str) -> str:
    return ChatTemplate(Tokenizer(), template).render((QUESTION,), Dialect())  # type: ignore[arg-type]


@pytest.mark.parametrize("render", [user, model])
def test_a_template_that_loops_is_stopped(render: Callable[[str], str]) -> None:
    with template_budget(lambda: None, seconds=0.1), pytest.raises(ScoringError, match="takes too long"):
        render(LOOP)


@pytest.mark.parametrize("render", [user, model])
def test_a_template_that_loops_obeys_a_cancel(render: Callable[[str], str]) -> None:
    asked = threading.Event()

    def check() -> None:
        if asked.is_set():
            raise Cancelled
        asked.set()

    with template_budget(check, seconds=1e9), pytest.raises(Cancelled):
        render(LOOP)


def test_the_templates_of_one_response_share_their_time() -> None:
    with template_budget(lambda: None, seconds=0.1):
        for _ in range(3):
            with pytest.raises(ScoringError, match="takes too long"):
                user(LOOP)
        # No time is left, but what needs none still renders.
        assert user("{{ query }}") == "Why?"
    assert user("{{ query }}") == "Why?"


@pytest.mark.slow
def test_a_stop_reaches_nothing_but_the_template() -> None:
    for _ in range(30):
        with template_budget(lambda: None, seconds=0.0), pytest.raises(ScoringError):
            limited("It", lambda: "".join(str(number) for number in iter(int, 1)))
        assert sum(range(1000)) == 499500


AFTER_A_STOP = """
import sys
from shiftlens.errors import ScoringError
from shiftlens.scoring.inputs.contexts import render_named
from shiftlens.scoring.inputs.template_limits import template_budget
try:
    with template_budget(lambda: None, 0.2):
        render_named("template:{% for i in range(99999) %}{% for j in range(99999) %}{% endfor %}{% endfor %}", ())
except ScoringError as error:
    print("stopped")
def trace(frame, event, argument):
    return trace
def work():
    return sum(i for i in range(1000))
sys.settrace(trace)
print(work())
"""


def test_after_a_stop_python_goes_on_as_before() -> None:
    # With an exception that was taken back, CPython 3.11 would trace for ever: hence a process, and its time limit.
    done = subprocess.run([sys.executable, "-c", AFTER_A_STOP], capture_output=True, text=True, timeout=120, check=True)
    assert done.stdout.split() == ["stopped", "499500"]


def test_a_template_that_writes_too_much_is_refused() -> None:
    with pytest.raises(ScoringError, match="writes 18,000,000 characters"):
        user('{% for i in range(300) %}{{ "a" * 60000 }}{% endfor %}')
    with pytest.raises(ScoringError, match="writes 18,000,000 characters"):
        model('{% for i in range(300) %}{{ "a" * 60000 }}{% endfor %}')


@pytest.mark.parametrize(
    "template",
    [
        '{{ "a" * 300000000 }}',
        "{{ [1] * 300000000 }}",
        "{{ 300000000 * 'a' }}",
        "{{ 10 ** 999999999 }}",
        "{% set n = namespace(x=7) %}{% for i in range(40) %}{% set n.x = n.x * n.x %}{% endfor %}",
        "{{ '%1000000000d' % 1 }}",
        "{{ '%*d' % (1000000000, 1) }}",
        "{{ range(10 ** 9) }}",
    ],
)
def test_a_users_template_makes_nothing_enormous(template: str) -> None:
    with pytest.raises(ScoringError, match=r"does not render \(line 2\)"):
        user(f"\n{template}")


@pytest.mark.parametrize(
    ("template", "why"),
    [
        ("{{ query + 1 }}", "concatenate|str"),
        ("{{ 1 / 0 }}", "division by zero"),
        ("{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}", "recursion"),
        ("{{ query.nothing.more }}", "no attribute"),
        ("{{ query|round }}", "round|float|type"),
        ("{% if %}", "Expected an expression"),
        ("{{ query.__class__.__mro__ }}", "unsafe|undefined"),
    ],
)
def test_an_error_in_a_users_template_is_told_with_its_line(template: str, why: str) -> None:
    with pytest.raises(ScoringError, match=rf"does not render \(line 3\): .*(?:{why})"):
        user(f"\n\n{template}")


@pytest.mark.parametrize("template", ["{{ 1 / 0 }}", "{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}"])
def test_an_error_in_a_models_template_is_a_refusal(template: str) -> None:
    with pytest.raises(ScoringError, match="a/model refuses these turns"):
        model(template)


@given(st.integers(-5, 5), st.integers(0, 50), st.text(max_size=5))
def test_ordinary_products_and_formats_are_as_ever(number: int, times: int, text: str) -> None:
    given = {"n": number, "t": times, "s": text}
    render = LimitedEnvironment().from_string("{{ n * t }},{{ s * t }},{{ n ** t }},{{ '%5d' % t }}").render
    assert render(given) == f"{number * times},{text * times},{number**times},{times:5d}"


def test_a_watcher_that_ends_for_want_of_memory_keeps_no_template_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    def out_of_memory(_: threading.Thread) -> None:
        raise MemoryError

    monkeypatch.setattr(threading.Thread, "_bootstrap", out_of_memory)
    assert limited("The template", lambda: "written") == "written"
