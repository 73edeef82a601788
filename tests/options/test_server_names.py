"""Names of models on servers, and who may choose them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shiftlens.backends.keys import key_for
from shiftlens.errors import ModelError
from shiftlens.model_files.fingerprint import model_fingerprint
from shiftlens.options.pair_choice import choose_pair
from shiftlens.options.server_names import ServerName, read_server_name
from shiftlens.options.settings import Settings

SERVER = "vllm:http://gpu:8000#org/tuned"


@pytest.mark.parametrize(
    ("name", "found"),
    [
        (SERVER, ServerName("vllm", "http://gpu:8000", "org/tuned")),
        ("openai:https://api.example/v1/#m", ServerName("openai", "https://api.example", "m")),
        ("sglang:http://[::1]:30000/x#m", ServerName("sglang", "http://[::1]:30000/x", "m")),
        ("vllm:http://h#m;tokenizer=/a folder", ServerName("vllm", "http://h", "m", "/a folder")),
        ("org/model", None),
        ("bundled:base", None),
        ("/a/vllm:folder", None),
    ],
)
def test_a_name_says_kind_url_model_and_tokenizer(name: str, found: ServerName | None) -> None:
    assert read_server_name(name) == found


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("vllm:", "must begin with http"),
        ("vllm:gpu:8000#m", "must begin with http"),
        ("vllm:ftp://gpu#m", "must begin with http"),
        ("vllm:http://gpu:8000", "none of its models"),
        ("vllm:http://gpu:99999#m", "no valid URL"),
        ("vllm:http://me:secret@gpu#m", "a password"),
        ("openai:http://gpu/?key=secret#m", "a query"),
    ],
)
def test_a_bad_name_is_refused_with_the_reason_and_without_its_secrets(name: str, said: str) -> None:
    with pytest.raises(ModelError) as refused:
        read_server_name(name)
    assert said in str(refused.value)
    assert "secret" not in str(refused.value)


@given(kind=st.sampled_from(["vllm", "sglang", "openai"]), rest=st.text())
def test_any_name_of_a_server_is_read_or_refused(kind: str, rest: str) -> None:
    try:
        found = read_server_name(f"{kind}:{rest}")
    except ModelError:
        return
    assert found is not None
    assert found.model
    assert found.url.startswith("http")


@pytest.mark.parametrize("key", ["base", "aligned"])
@pytest.mark.parametrize("name", [SERVER, f" {SERVER}", "openai:"])
def test_front_matter_names_no_server(key: str, name: str) -> None:
    choice = choose_pair(Settings(base="b", aligned="a"), {key: name}, None, trusted=True)
    assert choice.pair is not None
    assert (choice.pair.base, choice.pair.aligned) == ("b", "a")
    (problem,) = choice.problems
    assert f"`{key}` names a model server, which a file may not choose" in problem


def test_settings_name_a_server_and_an_untrusted_workspace_does_not_reach_it() -> None:
    settings = Settings(base=SERVER, aligned="a")
    trusted = choose_pair(settings, {}, None, trusted=True)
    assert trusted.pair is not None
    assert trusted.pair.base == SERVER
    assert choose_pair(settings, {}, None, trusted=False).only_stored


def test_a_model_on_a_server_has_no_fingerprint_so_that_its_scores_are_not_kept() -> None:
    assert model_fingerprint(SERVER) is None


def test_a_key_belongs_to_one_scheme_host_and_port() -> None:
    environment = {"SHIFTLENS_API_KEYS": "https://gpu=a=b http://gpu:8000=c"}
    assert key_for("https://gpu:443/x", environment) == "a=b"
    assert key_for("http://gpu:8000", environment) == "c"
    assert key_for("http://gpu", environment) is None
    assert key_for("https://gpu.example", environment) is None


@pytest.mark.parametrize("entry", ["secret", "gpu=secret", "https://gpu=", "https://:1=secret", "https://gpu:x=secret"])
def test_an_entry_that_is_no_key_is_told_by_its_number_alone(entry: str) -> None:
    with pytest.raises(ModelError, match="Entry 2 ") as refused:
        key_for("https://gpu", {"SHIFTLENS_API_KEYS": f"https://other=k {entry}"})
    assert "secret" not in str(refused.value)
