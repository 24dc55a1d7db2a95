"""What a feature or a log was like, in a few numbers: the record."""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import BaseModel, ConfigDict, Field


class Sketch(BaseModel):
    """What vectors look like, in little.

    scale and fourier: bandwidth, and mean (COMPONENTS,) of random Fourier features of the unit vectors. neighbours:
    item -> its nearest others among the sampled items, nearest first.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    scale: float = 0.0
    fourier: list[float] = Field(default_factory=list)
    neighbours: Mapping[str, list[str]] = Field(default_factory=dict)


class Profile(BaseModel):
    """What one subject is like: a feature by its name, or `log`.

    origin: identity of the encoder, or prefix of the ready-made matrix; only of the same origin vectors are compared.
    measures: number by name.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    subject: str
    origin: str = ""
    measures: Mapping[str, float]
    sketch: Sketch = Sketch()
