"""CLIP's byte-pair encoding (Radford et al. 2021; Sennrich et al. 2016), and long texts packed into contexts."""

from __future__ import annotations

import gzip
import hashlib
import html
import importlib.util
import logging
from collections.abc import Sequence
from functools import cache, lru_cache
from itertools import pairwise
from pathlib import Path

import ftfy
import numpy as np
import regex

from tasks.encoders.audioclip.config import END, START, VOCABULARY
from tasks.errors import Corrupt, NotFound

log = logging.getLogger(__name__)
VOCABULARY_SHA256 = "924691ac288e54409236115652ad4aa250f48203de50a9e4722a6ecd48d6804a"
MERGES = VOCABULARY - 512 - 2
# Special tokens are not recognised in a text: in an untrusted file, one could end the text early.
WORD = regex.compile(r"'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+", regex.IGNORECASE)
SENTENCE = regex.compile(r"(?<=[.!?…])\s+|\n+")
LONGEST_WORD = 200  # letters; merging is quadratic in them, so a longer word is encoded in pieces
END_OF_WORD = "</w>"


def tokenize(text: str) -> list[int]:
    """Return the token ids of a text, without start and end tokens."""
    clean = html.unescape(html.unescape(ftfy.fix_text(text)))
    clean = regex.sub(r"\s+", " ", clean).strip().lower()
    letters, ids = byte_letters(), vocabulary()[0]
    tokens: list[int] = []
    words = WORD.findall(clean)
    long = sum(len(word) > LONGEST_WORD for word in words)
    if long:
        log.info("%d words of more than %d letters are encoded in pieces", long, LONGEST_WORD)
    for word in words:
        for start in range(0, len(word), LONGEST_WORD):
            piece = "".join(letters[b] for b in word[start : start + LONGEST_WORD].encode())
            tokens += [ids[unit] for unit in merge(piece)]
    return tokens


def contexts(text: str, length: int) -> np.ndarray:
    """Return (chunks, length) int64: sentences packed greedily into contexts of `length` tokens with start and end.

    No token is lost: a sentence that is too long for one context is split between tokens. Rows are padded with zeros.
    """
    room = length - 2
    chunks: list[list[int]] = [[]]
    for sentence in SENTENCE.split(text):
        tokens = tokenize(sentence)
        if len(chunks[-1]) + len(tokens) > room and chunks[-1]:
            chunks.append([])
        for start in range(0, len(tokens), room):
            piece = tokens[start : start + room]
            if len(chunks[-1]) + len(piece) > room:
                chunks.append([])
            chunks[-1] += piece
    return pack([chunk for chunk in chunks if chunk], length)


def pack(chunks: Sequence[Sequence[int]], length: int) -> np.ndarray:
    """Return (chunks, length) int64 with start and end tokens around each chunk, padded with zeros."""
    rows = np.zeros((len(chunks), length), dtype=np.int64)
    for row, chunk in zip(rows, chunks, strict=True):
        row[: len(chunk) + 2] = [START, *chunk, END]
    return rows


@lru_cache(maxsize=65_536)
def merge(word: str) -> tuple[str, ...]:
    """Return the units of a word: adjacent units are merged, the highest-ranked pair first, until none is left."""
    ranks = vocabulary()[1]
    units = [*word[:-1], word[-1] + END_OF_WORD]
    while len(units) > 1:
        best = min(pairwise(units), key=lambda pair: ranks.get(pair, MERGES))
        if best not in ranks:
            break
        merged: list[str] = []
        place = 0
        while place < len(units):
            if tuple(units[place : place + 2]) == best:
                merged.append(units[place] + units[place + 1])
                place += 2
            else:
                merged.append(units[place])
                place += 1
        units = merged
    return tuple(units)


@cache
def byte_letters() -> dict[int, str]:
    """Return byte -> a printable letter: the byte itself if printable, else one from code point 256 on."""
    plain = [*range(ord("!"), ord("~") + 1), *range(ord("¡"), ord("¬") + 1), *range(ord("®"), ord("ÿ") + 1)]
    others = [byte for byte in range(256) if byte not in plain]
    return {byte: chr(byte) for byte in plain} | {byte: chr(256 + place) for place, byte in enumerate(others)}


@cache
def vocabulary() -> tuple[dict[str, int], dict[tuple[str, str], int]]:
    """Return unit -> token id, and pair -> rank of its merge."""
    lines = gzip.decompress(vocabulary_file().read_bytes()).decode("utf-8").split("\n")
    merges = [(left, right) for left, right in (line.split() for line in lines[1 : MERGES + 1])]
    letters = list(byte_letters().values())
    units = [*letters, *(letter + END_OF_WORD for letter in letters), *("".join(pair) for pair in merges)]
    return {unit: place for place, unit in enumerate(units)}, {pair: rank for rank, pair in enumerate(merges)}


def vocabulary_file() -> Path:
    """Return the file of merges in open_clip; the package itself, which needs torchvision, is not imported."""
    spec = importlib.util.find_spec("open_clip")
    if spec is None or spec.origin is None:
        raise NotFound(
            "package open_clip_torch is absent, expected it for CLIP's vocabulary: install requirements-tasks.txt"
        )
    path = Path(spec.origin).parent / "bpe_simple_vocab_16e6.txt.gz"
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    if digest != VOCABULARY_SHA256:
        raise Corrupt(
            f"CLIP's vocabulary {path.name} has sha256 {digest}, expected {VOCABULARY_SHA256}: "
            "reinstall open_clip_torch"
        )
    return path
