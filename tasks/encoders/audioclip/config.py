"""Sizes of an AudioCLIP model."""

from __future__ import annotations

from typing import Self

from pydantic import BaseModel, ConfigDict, Field, PositiveInt, model_validator

VOCABULARY = 49_408  # of CLIP
END = VOCABULARY - 1  # the highest id, so that argmax finds it
START = VOCABULARY - 2


class AudioCLIPConfig(BaseModel):
    """Widths and depths of the three towers; the defaults are those of the released model (Guzhov et al. 2021)."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    embed_dim: PositiveInt = 1024
    image_resolution: PositiveInt = Field(default=224, multiple_of=32)
    vision_layers: tuple[PositiveInt, PositiveInt, PositiveInt, PositiveInt] = (3, 4, 6, 3)
    vision_width: PositiveInt = Field(default=64, multiple_of=2)
    text_width: PositiveInt = 512
    text_heads: PositiveInt = 8
    text_layers: PositiveInt = 12
    context_length: PositiveInt = Field(default=77, ge=3)
    vocab_buckets: PositiveInt | None = Field(
        default=None,
        description="rows of the token embedding, shared by ids with equal remainder (hashing trick, "
        "Weinberger et al. 2009); None: one per id",
    )
    audio_layers: tuple[PositiveInt, PositiveInt, PositiveInt, PositiveInt] = (3, 4, 6, 3)
    audio_width: PositiveInt = 64
    audio_groups: PositiveInt = Field(default=32, description="cardinality of ResNeXt")
    audio_floor: float | None = Field(
        default=None,
        description="decibels that a bin has at least: what is below, such as what rounding leaves of digital silence "
        "or above half the rate of a recording, does not count; None: as released, without",
    )

    @model_validator(mode="after")
    def sizes_fit(self) -> Self:
        if self.text_width % self.text_heads:
            raise ValueError(f"text_width {self.text_width} is not a multiple of text_heads {self.text_heads}")
        if (2 * self.audio_width) % self.audio_groups:
            raise ValueError(
                f"twice audio_width {self.audio_width} is not a multiple of audio_groups {self.audio_groups}"
            )
        return self

    @property
    def vision_heads(self) -> int:
        """Number of heads of the attention pooling: 64 channels each, at least one."""
        return max(self.vision_width * 32 // 64, 1)


FULL = AudioCLIPConfig()
DEMO = AudioCLIPConfig(
    image_resolution=64,
    vision_layers=(1, 1, 1, 1),
    vision_width=8,
    text_width=64,
    text_heads=2,
    text_layers=2,
    vocab_buckets=2000,
    audio_layers=(1, 1, 1, 1),
    audio_width=8,
    audio_groups=4,
    audio_floor=-90.0,  # 18 dB above the noise of 16 bits
)
