"""Sizes of a MiniLM. Imports no torch."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, PositiveInt

CONTEXT = 256  # tokens at most, with those of start and end: what the model card says
VOCABULARY = 30_522  # of BERT, uncased


class MiniLMConfig(BaseModel):
    """A BERT: `hidden` is the length of a vector."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    hidden: PositiveInt = 384
    layers: PositiveInt = 6
    heads: PositiveInt = 12
    inner: PositiveInt = 1536
    positions: PositiveInt = 512


FULL = MiniLMConfig()
