"""MiniLM: the vectors of transformers' BERT, whose figures are stored here, and texts of all lengths."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tasks.encoders import load_encoder
from tasks.encoders.base import ModalityEncoder
from tasks.encoders.minilm.config import CONTEXT
from tasks.encoders.minilm.decoding import END, PAD, START, decode_tokens
from tasks.encoders.minilm.vocabulary import PACKAGE, word_pieces
from tasks.encoders.minilm.weights import load_model, save_model
from tasks.errors import BadInput, Corrupt
from tasks.media import BadMedia
from tasks.store import Store
from tests.encoders.small import random_minilm

pytestmark = pytest.mark.skipif(not PACKAGE.installed, reason=f"{PACKAGE.name} is not installed")

# What transformers 5.24.0 gives (BertTokenizer, BertModel, the mean over the mask, length 1): number of tokens, the
# first of them, the first eight numbers of the vector, and the sum of all.
TRANSFORMERS = {
    "A ship that cannot sink meets an iceberg.": (
        12,
        [101, 1037, 2911, 2008, 3685, 7752, 6010, 2019, 3256, 4059, 1012, 102],
        [-0.030198, 0.018201, -0.020220, 0.112732, -0.037461, -0.039784, -0.068758, 0.060172],
        0.044542,
    ),
    "Größenwahn — l'été, 東京 & naïve café!!": (
        21,
        [101, 24665, 2080, 17499, 2078, 4213, 7295, 1517, 1048, 1005, 3802, 2063, 1010, 1879],
        [0.031480, 0.024053, 0.033367, -0.010873, -0.035783, 0.044946, 0.078123, -0.009068],
        -0.160028,
    ),
    "Two detectives hunt a killer. " * 20: (
        122,
        [101, 2048, 18145, 5690, 1037, 6359, 1012, 2048, 18145, 5690, 1037, 6359, 1012, 2048],
        [-0.004753, -0.020529, -0.005681, -0.060752, 0.021907, 0.010526, -0.059730, -0.024058],
        -0.632585,
    ),
}
ITS_OWN = """
import json, sys
sys.modules["torchaudio"] = None  # transformers imports it if it is there, and PyPI's fits no torch for CPUs
import torch
from transformers import AutoTokenizer, BertModel
folder, texts = sys.argv[1], json.loads(sys.argv[2])
tokenizer = AutoTokenizer.from_pretrained(folder)
model = BertModel.from_pretrained(folder, local_files_only=True).eval()
vectors = []
for text in texts:
    with torch.inference_mode():
        batch = tokenizer([text], return_tensors="pt")
        mask, states = batch["attention_mask"][..., None], model(**batch).last_hidden_state
        vectors += torch.nn.functional.normalize((states * mask).sum(1) / mask.sum(1)).tolist()
print(json.dumps(vectors))
"""


@pytest.fixture
def encoder(folder_store: Store) -> ModalityEncoder:
    """The one with real weights."""
    return load_encoder(folder_store, "minilm")["text"]


@pytest.mark.parametrize("text", TRANSFORMERS, ids=["plain", "foreign", "long"])
def test_tokens_and_vectors_are_those_of_transformers(text: str, encoder: ModalityEncoder) -> None:
    """With the weights of the package."""
    count, tokens, first, total = TRANSFORMERS[text]
    (context,) = decode_tokens(text.encode())
    assert np.count_nonzero(context) == count
    assert context[: len(tokens)].tolist() == tokens
    (vector,) = encoder.encode([context[None]])
    np.testing.assert_allclose(vector[:8], first, atol=2e-6)
    assert vector.sum() == pytest.approx(total, abs=2e-5)
    assert np.linalg.norm(vector) == pytest.approx(1)


@pytest.mark.slow
@pytest.mark.skipif(importlib.util.find_spec("transformers") is None, reason="transformers is not installed")
def test_all_numbers_are_those_that_transformers_computes_now(encoder: ModalityEncoder) -> None:
    """Its own code on the same weights, in a process of its own."""
    texts = [*TRANSFORMERS, "Shark!", "An epic of the desert, 1962; 227 minutes."]
    folder = PACKAGE.path(PACKAGE.weights).parent
    words = [sys.executable, "-c", ITS_OWN, str(folder), json.dumps(texts)]
    done = subprocess.run(words, capture_output=True, text=True, check=True)
    ours = encoder.encode([encoder.decode(text.encode()) for text in texts])
    np.testing.assert_allclose(ours, json.loads(done.stdout.splitlines()[-1]), atol=2e-6)


@pytest.mark.parametrize(("words", "contexts"), [(1, 1), (254, 1), (255, 2), (508, 2), (509, 3), (2000, 8)])
def test_nothing_of_a_long_text_is_lost(words: int, contexts: int) -> None:
    """It has contexts of nearly the same length, each with start and end."""
    rows = decode_tokens(("ship " * words).encode())
    assert rows.shape == (contexts, CONTEXT)
    lengths = (rows != PAD).sum(axis=1)
    assert lengths.sum() == words + 2 * contexts
    assert np.ptp(lengths) <= 1
    assert (rows[:, 0] == START).all()
    assert [row[length - 1] for row, length in zip(rows, lengths, strict=True)] == [END] * contexts


def test_a_long_text_is_the_mean_of_its_contexts(encoder: ModalityEncoder) -> None:
    """Of unit vectors, and a unit vector again."""
    rows = decode_tokens(("ship " * 200 + "desert " * 200).encode())
    single = encoder.encode([row[None] for row in rows])
    (whole,) = encoder.encode([rows])
    mean = single.mean(axis=0)
    np.testing.assert_allclose(whole, mean / np.linalg.norm(mean), atol=1e-6)


def test_a_token_that_ends_texts_is_a_word_like_others_in_one() -> None:
    """A stranger's text cannot end itself or hide its rest as padding."""
    (row,) = decode_tokens(b"the end [SEP] and more [PAD] of it [MASK]")
    tokens = row[row != PAD].tolist()
    assert tokens.count(START) == tokens.count(END) == 1
    assert tokens[-1] == END
    assert word_pieces().decode(tokens, skip_special_tokens=True).endswith("of it [ mask ]")


@pytest.mark.parametrize("text", ["🎬🎬", "\U00010348 \U00010349"])
def test_a_text_without_a_known_word_is_refused(text: str) -> None:
    """All of them would have one vector."""
    with pytest.raises(BadMedia, match="no word in the text that the vocabulary knows"):
        decode_tokens(text.encode())


def test_vectors_tell_meaning(encoder: ModalityEncoder) -> None:
    """A film about the same in other words is nearer than one about something else."""
    texts = (
        b"A ship that cannot sink meets an iceberg.",
        b"An ocean liner goes down in cold water.",
        b"A chef opens a diner.",
    )
    same, drowned, cook = encoder.encode([encoder.decode(text) for text in texts])
    assert same @ drowned > same @ cook + 0.2


@pytest.mark.parametrize(("config", "error"), [("{}", BadInput), ('{"heads": 0}', Corrupt), ("no", Corrupt)])
def test_weights_of_another_size_are_refused(config: str, error: type[Exception], tmp_path: Path) -> None:
    """A config that is none, or not that of the tensors."""
    save_model(random_minilm(), tmp_path)
    (tmp_path / "config.json").write_text(config, encoding="utf-8")
    with pytest.raises(error, match=r"config\.json is not a MiniLMConfig|expected the \d+ of MiniLM: missing"):
        load_model(tmp_path)
