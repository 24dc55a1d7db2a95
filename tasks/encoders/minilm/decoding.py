"""What the network is given of a text. Imports no torch: it runs in processes of its own.

A change here must change PREPROCESSING, and so every cache key.
"""

from __future__ import annotations

import math

import numpy as np

from tasks.encoders.minilm.config import CONTEXT
from tasks.encoders.minilm.vocabulary import word_pieces
from tasks.media import BadMedia
from tasks.media.text import decode_text

PAD, UNKNOWN, START, END = 0, 100, 101, 102
ROOM = CONTEXT - 2


def decode_tokens(data: bytes) -> np.ndarray:
    """Return (contexts, CONTEXT) int64 of a file, padded with PAD. Raises BadMedia.

    A text of more than ROOM tokens has several contexts, of nearly the same number of tokens, so that each counts as
    much as another; nothing is cut off. A text without any known piece is refused: all such would have one vector.
    """
    tokens = word_pieces().encode(decode_text(data), add_special_tokens=False).ids
    if all(token == UNKNOWN for token in tokens):
        raise BadMedia("no word in the text that the vocabulary knows")
    parts = np.array_split(np.array(tokens, dtype=np.int64), math.ceil(len(tokens) / ROOM))
    rows = np.full((len(parts), CONTEXT), PAD, dtype=np.int64)
    for row, part in zip(rows, parts, strict=True):
        row[: len(part) + 2] = [START, *part, END]
    return rows
