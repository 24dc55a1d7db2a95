"""Gradient models with content: what they are told, and which rows of it a batch needs."""

from __future__ import annotations

from typing import Literal

import torch
from pydantic import Field
from torch import Tensor, nn

from tasks.data import Dataset
from tasks.models.families.gradient import GradientModel
from tasks.models.layers.cliper import FrontEnd
from tasks.models.layers.content import Content
from tasks.training import GradientConfig


class ContentConfig(GradientConfig):
    """What every model with content can be told."""

    precision: Literal["float32", "bfloat16"] = Field(
        default="float32", description="of features and their projection; 16 bits halve their memory"
    )
    front_end: FrontEnd | None = Field(
        default=None, description="CLIPER before the model; none: modalities as they are"
    )


class ContentModel(GradientModel):
    """A gradient model with `content`."""

    uses_content = True
    config: ContentConfig

    def __init__(self, config: ContentConfig, data: Dataset) -> None:
        super().__init__(config, data)
        self.content = Content(data, self.name, config.front_end, getattr(torch, config.precision))

    def initialise(self, generator: torch.Generator) -> None:
        """Xavier-uniform matrices, no biases."""
        for parameter in self.parameters():
            if parameter.ndim > 1:
                nn.init.xavier_uniform_(parameter, generator=generator)
            else:
                nn.init.zeros_(parameter)

    def distinct(self, places: Tensor) -> tuple[Tensor | None, Tensor]:
        """The items in `places` (n,), each once, and where among them every place is (n,).

        Where these are most items, none and `places`: copying the features of most costs more than projecting all.
        """
        items, rows = torch.unique(places, return_inverse=True)
        return (None, places) if len(items) > 0.75 * self.data.train.shape[1] else (items, rows)

    def content_of(self, places: Tensor) -> tuple[list[Tensor], Tensor]:
        """Features by modality of the `distinct` items in `places` (n,), or of all, and where there they are (n,)."""
        items, rows = self.distinct(places)
        return self.content(items), rows
