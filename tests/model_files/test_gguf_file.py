"""The beginning of a GGUF file is read by itself, and what is no whole file is told for what it is."""

from __future__ import annotations

import contextlib
from pathlib import Path

import gguf
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shiftlens.model_files.fingerprint import model_fingerprint
from shiftlens.model_files.gguf_file import gguf_path, read_gguf
from shiftlens.model_files.local import Where, find_local, model_folder


def written(file: Path) -> Path:
    writer = gguf.GGUFWriter(file, "llama")
    writer.add_context_length(64)
    writer.add_chat_template("{{ messages }}")
    writer.add_token_list(["a", "b", "c"])
    writer.add_tensor("token_embd.weight", np.zeros((3, 8), dtype=np.float32))
    writer.add_tensor("output_norm.weight", np.zeros(8, dtype=np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return file


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return written(tmp_path / "model.gguf")


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    return written(tmp_path_factory.mktemp("gguf") / "model.gguf").read_bytes()


def test_a_file_tells_its_kind_its_template_and_its_size(file: Path) -> None:
    found = read_gguf(file)
    assert found.text("general.architecture") == "llama"
    assert found.text("tokenizer.chat_template") == "{{ messages }}"
    assert found.number("llama.context_length") == 64
    assert found.number("tokenizer.ggml.tokens") == 3
    assert (found.tensors, found.elements) == (2, 32)


def test_a_file_is_a_model_on_this_machine_and_no_folder(file: Path) -> None:
    found = find_local(str(file))
    assert (found.where, found.size) == (Where.FILE, file.stat().st_size)
    assert model_folder(str(file)) is None
    assert find_local(str(file.with_name("other.gguf"))).where is Where.MISSING


def test_a_folder_whose_name_ends_like_a_file_s_is_a_folder(tmp_path: Path) -> None:
    folder = tmp_path / "model.gguf"
    folder.mkdir()
    (folder / "config.json").write_text('{"architectures": ["LlamaForCausalLM"]}')
    (folder / "model.safetensors").write_bytes(bytes(8))
    assert gguf_path(str(folder)) is None
    assert model_folder(str(folder)) == folder
    assert find_local(str(folder)).where is Where.FOLDER
    assert model_fingerprint(str(folder)) is not None


@pytest.mark.parametrize("name", ["a\0b.gguf", "x" * 5000 + ".gguf"])
def test_a_name_that_no_file_can_have_is_of_a_file_that_is_not_there(name: str) -> None:
    assert gguf_path(name) == Path(name)


def test_the_fingerprint_follows_the_file(file: Path) -> None:
    before = model_fingerprint(str(file))
    content = bytearray(file.read_bytes())
    content[-1] ^= 1
    file.write_bytes(content)
    assert before is not None
    assert model_fingerprint(str(file)) not in (None, before)
    file.unlink()
    assert model_fingerprint(str(file)) is None


def test_a_name_is_that_of_a_file_by_its_ending() -> None:
    assert gguf_path("models/Some.GGUF") == Path("models/Some.GGUF")
    assert gguf_path("owner/Some-GGUF") is None


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:4d\n", "Git LFS"),
        (b"PK\x03\x04 and more than eight bytes", "does not begin"),
        (b"GGUF\x01\x00\x00\x00" + bytes(16), "version 1"),
        (b"GGUF\x03\x00\x00\x00" + b"\xff" * 16, "entries"),
        (b"GGUF", "ends before"),
    ],
)
def test_what_is_no_such_file_is_told_for_what_it_is(tmp_path: Path, content: bytes, said: str) -> None:
    file = tmp_path / "model.gguf"
    file.write_bytes(content)
    with pytest.raises(ValueError, match=said):
        read_gguf(file)


@settings(max_examples=60)
@given(data=st.data())
def test_no_part_of_a_file_passes_for_the_whole_and_no_change_hangs_or_crashes(
    whole: bytes, tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    file = tmp_path_factory.mktemp("changed") / "model.gguf"
    head = len(whole) - 128
    file.write_bytes(whole[: data.draw(st.integers(0, head))])
    with pytest.raises(ValueError, match="it "):
        read_gguf(file)
    at, value = data.draw(st.integers(4, head)), data.draw(st.integers(0, 255))
    file.write_bytes(whole[:at] + bytes([value]) + whole[at + 1 :])
    with contextlib.suppress(ValueError):
        read_gguf(file)
