"""What items look, sound and read like, for every model with content: any number of modalities, any widths.

A missing modality is treated in one way: whatever is made of it is multiplied by a mask, so that an item without it has
a vector of zeros there, before any other layer sees it.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional

from tasks.data import Dataset
from tasks.errors import BadInput
from tasks.models.layers.cliper import FrontEnd, Fuser
from tasks.models.layers.gather import distinct
from tasks.models.solvers.standardise import standardise_features
from tasks.training import ModelConfig


class ContentOptions(ModelConfig):
    """What every gradient model with content has."""

    precision: Literal["float32", "bfloat16"] = Field(
        default="float32", description="of features and their projection; 16 bits halve their memory"
    )
    front_end: FrontEnd | None = Field(
        default=None, description="CLIPER before the model; none: modalities as they are"
    )


class Content(nn.Module):
    """Standardised features by modality, sorted by name; with a front end, the views are fused into one.

    An item that lacks a modality has zeros there: the mean of all that have it. Features are held in the precision of
    `options`. BadInput without features; `model` is named then.
    """

    def __init__(self, data: Dataset, model: str, options: ContentOptions) -> None:
        super().__init__()
        front_end, precision = options.front_end, getattr(torch, options.precision)
        if not data.features:
            raise BadInput(
                f"dataset {data.name} has no features, expected at least one modality for {model}: use bpr instead"
            )
        self.modalities = sorted(data.features)
        self.count = data.train.shape[1]
        for place, name in enumerate(self.modalities):
            rows = torch.from_numpy(standardise_features(data.features[name], name)).to(precision)
            self.register_buffer(f"features_{place}", rows, persistent=False)  # (I, width)
        self._note_who_has(data, [[name] for name in self.modalities])
        self.widths = [data.features[name].shape[1] for name in self.modalities]
        self.fuser: Fuser | None = None
        if front_end is not None:
            self._join(data, front_end)

    def _note_who_has(self, data: Dataset, sources: list[list[str]]) -> None:
        """Record which items have at least one of the `sources` of each modality."""
        for place, names in enumerate(sources):
            items = np.logical_or.reduce([data.features[name].any(axis=1) for name in names])
            mask = None if items.all() else torch.from_numpy(items.astype(np.float32)).unsqueeze(1)
            self.register_buffer(f"has_{place}", mask, persistent=False)  # (I, 1), or None: all items have it

    def mask(self, place: int, vectors: Tensor, rows: Tensor | None = None) -> Tensor:
        """What was made of modality `place` (n, d), of item numbers `rows` (n,) or all: zeros where it is missing."""
        has: Tensor | None = getattr(self, f"has_{place}")
        if has is None:
            return vectors
        return vectors * (has if rows is None else has[rows]).to(vectors.dtype)

    def _join(self, data: Dataset, front_end: FrontEnd) -> None:
        """Replace the views by a fuser."""
        views = list(front_end.views) or [name for name in self.modalities if name != front_end.picture]
        joined = [front_end.picture, *views]
        width = {name: data.features[name].shape[1] for name in joined if name in data.features}
        if not views or len(width) < len(joined) or len(set(width.values())) != 1 or len(set(joined)) < len(joined):
            widths = ", ".join(f"{name} ({matrix.shape[1]})" for name, matrix in sorted(data.features.items()))
            raise BadInput(
                f"a front end of picture {front_end.picture} and views {', '.join(views) or 'none'} found, expected a "
                f"picture and other modalities of its width among {widths}: name those of one encoder"
            )
        raw = {name: torch.from_numpy(data.features[name]) for name in joined}
        picture = raw[front_end.picture]
        pairs = [functional.cosine_similarity(raw[name], picture, eps=1e-12) for name in views]
        cosines = torch.stack(pairs, 1).masked_fill(
            ~picture.any(1, keepdim=True), 1
        )  # without an image the views have weight 1
        self.register_buffer("cosines", cosines, persistent=False)  # (I, views), 0 where a view is missing
        self._views = [self.modalities.index(name) for name in views]
        self._picture = self.modalities.index(front_end.picture)
        self.fuser = Fuser(front_end.fusion, len(views), width[front_end.picture], front_end.size)
        self._kept = [place for place in range(len(self.modalities)) if place not in self._views]
        self._note_who_has(data, [*([self.modalities[place]] for place in self._kept), joined])
        self.modalities = [self.modalities[place] for place in self._kept] + ["views"]
        self.widths = [self.widths[place] for place in self._kept] + [self.fuser.width]

    @property
    def learns(self) -> bool:
        """Whether its output changes with training."""
        return self.fuser is not None and any(True for _ in self.fuser.parameters())

    def forward(self, rows: Tensor | None = None) -> list[Tensor]:
        """Return (n, width) of each modality, for item numbers `rows` (n,) or for all items."""
        if self.fuser is None:
            return [self._rows(f"features_{place}", rows) for place in range(len(self.modalities))]
        kept = [self._rows(f"features_{place}", rows) for place in self._kept]
        views = torch.stack([self._rows(f"features_{place}", rows) for place in self._views], 1)
        picture, cosines = self._rows(f"features_{self._picture}", rows), self._rows("cosines", rows)
        fused = self.fuser(views.to(cosines.dtype), cosines, picture.to(cosines.dtype))
        return [*kept, self.mask(len(kept), fused, rows)]

    def _rows(self, name: str, rows: Tensor | None) -> Tensor:
        table: Tensor = getattr(self, name)
        return table if rows is None else functional.embedding(rows, table)


def project(rows: Tensor, weight: Tensor) -> Tensor:
    """(n, d) product of features (n, width) and a weight (width, d), in the precision of both that is less.

    The weight is laid out by columns: its gradient is then made as (gradient of the product).T @ features, which takes
    two thirds of the time of features.T @ (gradient), because the long rows are the features' own.
    """
    by_columns = weight.to(rows.dtype).T.contiguous().T
    return (rows @ by_columns).to(weight.dtype)


class Projection(nn.Linear):
    """A linear layer for features; bias and result have the precision of the weight."""

    def forward(self, rows: Tensor) -> Tensor:
        """(n, d) of (n, width)."""
        return super().forward(rows) if rows.dtype == self.weight.dtype else project(rows, self.weight.T) + self.bias


class Projections(nn.ModuleList):
    """A linear projection to `size` of each modality of `content`; zeros for items that lack it."""

    def __init__(self, content: Content, size: int) -> None:
        super().__init__(Projection(width, size) for width in content.widths)

    def forward(self, content: Content, rows: Tensor | None = None) -> list[Tensor]:
        """(n, size) of each modality, for item numbers `rows` (n,) or for all items."""
        tables = zip(self, content(rows), strict=True)
        return [content.mask(place, layer(table), rows) for place, (layer, table) in enumerate(tables)]

    def of(self, content: Content, places: Tensor) -> tuple[list[Tensor], Tensor]:
        """The same for the items in `places` (n,), each once, or for all; and where among them each place is (n,)."""
        items, rows = distinct(places, content.count)
        return self(content, items), rows


def modality_weights(given: dict[str, float] | None, content: Content, model: str) -> np.ndarray:
    """Return (modalities,) weights with sum 1, equal by default; raises BadInput for unknown or missing modalities."""
    if given is None:
        return np.full(len(content.modalities), 1 / len(content.modalities))
    if set(given) != set(content.modalities) or sum(given.values()) <= 0:
        raise BadInput(
            f"weights of {model} for {', '.join(sorted(given))} found, expected one each for "
            f"{', '.join(content.modalities)}, some above 0"
        )
    weights = np.array([given[name] for name in content.modalities])
    return weights / weights.sum()
