"""CLIP's byte-pair encoding, and the packing of texts into contexts."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tasks.encoders.audioclip.config import END, START
from tasks.encoders.audioclip.tokenizer import (
    LONGEST_WORD,
    SENTENCE,
    byte_letters,
    contexts,
    tokenize,
    vocabulary,
    vocabulary_file,
)
from tasks.errors import Corrupt

WORDS = ["a", "film", "of", "night", "and", "rain", "—", "l'été", "1942,", "naïve", "東京", "🎬", "unbelievably"]
TEXTS = st.text(st.characters(codec="utf-8", exclude_categories=["Cs", "Cc"]), max_size=300)
SENTENCES = st.lists(
    st.lists(st.sampled_from(WORDS), max_size=120).map(" ".join),
    max_size=6,
).map(". ".join)


def decoded(ids: list[int]) -> str:
    """Text of token ids, words apart."""
    units = {place: unit for unit, place in vocabulary()[0].items()}
    letters = {letter: byte for byte, letter in byte_letters().items()}
    words = "".join(units[place] for place in ids).split("</w>")
    return b" ".join(bytes(letters[letter] for letter in word) for word in words).decode().strip()


@pytest.fixture(scope="module")
def open_clip() -> Callable[[str], list[int]]:
    """The tokenizer of open_clip, loaded as a file: the package around it wants torchvision."""
    path = vocabulary_file().parent / "tokenizer.py"
    spec = importlib.util.spec_from_file_location("open_clip_tokenizer", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    encode: Callable[[str], list[int]] = module.SimpleTokenizer().encode
    return encode


def test_known_ids() -> None:
    """The ids that CLIP gives a well-known sentence."""
    assert tokenize("a photo of a cat") == [320, 1125, 539, 320, 2368]
    assert tokenize("  A  Photo\nof a CAT ") == [320, 1125, 539, 320, 2368]


@settings(max_examples=150, deadline=None)
@given(text=TEXTS)
def test_ids_are_those_of_open_clip(open_clip: Callable[[str], list[int]], text: str) -> None:
    """Any text without special tokens or endless words is encoded as another implementation does."""
    if "<start_of_text>" not in text and "<end_of_text>" not in text:
        assert tokenize(text) == open_clip(text)


@pytest.mark.parametrize("token", ["<|endoftext|>", "<|startoftext|>", "<end_of_text>", "&lt;|endoftext|&gt;"])
def test_a_special_token_in_a_text_is_only_letters(token: str) -> None:
    """It would end the text where a stranger wrote it: what follows would not count."""
    ids = tokenize(f"before {token} after")
    assert not {START, END} & set(ids)
    found = contexts(f"before {token} after", 77)
    assert found[0].argmax() == len(ids) + 1


def test_an_endless_word_is_encoded_in_pieces_and_nothing_is_lost(caplog: pytest.LogCaptureFixture) -> None:
    """Merging takes time quadratic in a word: a long one is cut, which is said, and every letter is there."""
    word = "abcdefghij" * 2000
    with caplog.at_level("INFO"):
        ids = tokenize(word)
    assert decoded(ids).replace(" ", "") == word
    assert "1 words of more than 200 letters" in caplog.text
    whole = "z" * LONGEST_WORD
    caplog.clear()
    assert decoded(tokenize(whole)) == whole
    assert not caplog.text


@settings(max_examples=60, deadline=None)
@given(text=st.one_of(TEXTS, SENTENCES), length=st.sampled_from([5, 20, 77]))
def test_nothing_is_lost_in_packing(text: str, length: int) -> None:
    """All contexts together hold the tokens of all sentences in order, each between one start and one end."""
    found = contexts(text, length)
    assert found.dtype == np.int64
    assert found.shape[1:] == (length,)
    inner: list[int] = []
    for row in found:
        end = int(row.argmax())
        assert row[0] == START
        assert row[end] == END
        assert not row[end + 1 :].any()
        assert end > 1
        inner += row[1:end].tolist()
    assert inner == [token for sentence in SENTENCE.split(text) for token in tokenize(sentence)]


def test_sentences_that_fit_are_not_cut() -> None:
    """A context takes as many whole sentences as it has room for; only one longer than a context is cut."""
    short, long = "one two three four. ", "rain " * 100
    sentence = tokenize(short)
    rows = contexts(short * 40, 77)
    room = 75 // len(sentence) * len(sentence)
    assert {int(row.argmax()) - 1 for row in rows[:-1]} == {room}
    assert [int(row.argmax()) - 1 for row in contexts(long, 77)] == [75, 25]


def test_a_text_without_words_has_no_context() -> None:
    """Its vector would be the same for all of them."""
    assert contexts(" \n ", 77).shape == (0, 77)


def test_another_vocabulary_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file of that name with other content would give other ids in silence."""
    (tmp_path / "open_clip").mkdir()
    (tmp_path / "open_clip" / "__init__.py").touch()
    (tmp_path / "open_clip" / "bpe_simple_vocab_16e6.txt.gz").write_bytes(b"another")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(Corrupt, match="expected 924691ac"):
        vocabulary_file()
