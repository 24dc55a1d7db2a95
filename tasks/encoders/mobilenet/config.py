"""Sizes of a MobileNetV2. Imports no torch."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, PositiveInt

Block = tuple[PositiveInt, PositiveInt, PositiveInt, PositiveInt]  # expansion t, channels c, repetitions n, stride s


class MobileNetConfig(BaseModel):
    """Table 2 of the paper: channels of the first and the last convolution, and the blocks between them."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    first: PositiveInt = 32
    blocks: tuple[Block, ...] = (
        (1, 16, 1, 1),
        (6, 24, 2, 2),
        (6, 32, 3, 2),
        (6, 64, 4, 2),
        (6, 96, 3, 1),
        (6, 160, 3, 2),
        (6, 320, 1, 1),
    )
    last: PositiveInt = 1280


FULL = MobileNetConfig()
