"""What items look, sound and read like, for every model with content: any number of modalities, any widths."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from tasks.data import Dataset
from tasks.errors import BadInput
from tasks.models.layers.cliper import FrontEnd, Fuser
from tasks.models.solvers.features import standardised


class Content(nn.Module):
    """Standardised features by modality, in the order of their names; with a front end, views joined into one more.

    An item that lacks a modality has zeros there: the mean of all that have it. Features are held in `precision`.
    """

    def __init__(
        self, data: Dataset, model: str, front_end: FrontEnd | None, precision: torch.dtype = torch.float32
    ) -> None:
        super().__init__()
        if not data.features:
            raise BadInput(
                f"dataset {data.name} has no features, expected at least one modality for {model}: use bpr instead"
            )
        self.modalities = sorted(data.features)
        for place, name in enumerate(self.modalities):
            rows = torch.from_numpy(standardised(data.features[name], name)).to(precision)
            self.register_buffer(f"features_{place}", rows, persistent=False)  # (I, width)
        self._note_who_has(data, [[name] for name in self.modalities])
        self.widths = [data.features[name].shape[1] for name in self.modalities]
        self.fuser: Fuser | None = None
        if front_end is not None:
            self._join(data, front_end)

    def _note_who_has(self, data: Dataset, sources: list[list[str]]) -> None:
        """Which items have at least one of the `sources` of each modality."""
        for place, names in enumerate(sources):
            items = np.logical_or.reduce([data.features[name].any(axis=1) for name in names])
            mask = None if items.all() else torch.from_numpy(items.astype(np.float32)).unsqueeze(1)
            self.register_buffer(f"has_{place}", mask, persistent=False)  # (I, 1), or None: all items have it

    def having(self, place: int, rows: Tensor | None = None) -> Tensor | None:
        """(n, 1) ones where item numbers `rows` (n,), or all, have modality `place`, zeros elsewhere; None: all."""
        has: Tensor | None = getattr(self, f"has_{place}")
        return has if has is None or rows is None else has[rows]

    def of_those_that_have(self, place: int, found: Tensor, rows: Tensor | None = None) -> Tensor:
        """What was made of modality `place` (n, d), of item numbers `rows` (n,) or all: zeros of those that lack it."""
        has = self.having(place, rows)
        return found if has is None else found * has.to(found.dtype)

    def _join(self, data: Dataset, front_end: FrontEnd) -> None:
        """Put a fuser in the place of the views."""
        views = list(front_end.views) or [name for name in self.modalities if name != front_end.picture]
        joined = [front_end.picture, *views]
        width = {name: data.features[name].shape[1] for name in joined if name in data.features}
        if not views or len(width) < len(joined) or len(set(width.values())) != 1 or len(set(joined)) < len(joined):
            raise BadInput(
                f"a front end of picture {front_end.picture} and views {', '.join(views) or 'none'} found, expected a "
                f"picture and other modalities of its width among {_widths(data)}: name those of one encoder"
            )
        raw = {name: torch.from_numpy(data.features[name]) for name in joined}
        picture = raw[front_end.picture]
        pairs = [functional.cosine_similarity(raw[name], picture, eps=1e-12) for name in views]
        cosines = torch.stack(pairs, 1).masked_fill(~picture.any(1, keepdim=True), 1)  # without a picture views count
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
        """Whether what it gives changes with training."""
        return self.fuser is not None and any(True for _ in self.fuser.parameters())

    def forward(self, rows: Tensor | None = None) -> list[Tensor]:
        """(n, width) of each modality, for item numbers `rows` (n,) or for all items."""
        if self.fuser is None:
            return [self._rows(f"features_{place}", rows) for place in range(len(self.modalities))]
        kept = [self._rows(f"features_{place}", rows) for place in self._kept]
        views = torch.stack([self._rows(f"features_{place}", rows) for place in self._views], 1)
        picture, cosines = self._rows(f"features_{self._picture}", rows), self._rows("cosines", rows)
        fused = self.fuser(views.to(cosines.dtype), cosines, picture.to(cosines.dtype))
        return [*kept, self.of_those_that_have(len(kept), fused, rows)]

    def _rows(self, name: str, rows: Tensor | None) -> Tensor:
        table: Tensor = getattr(self, name)
        return table if rows is None else functional.embedding(rows, table)


def projected(rows: Tensor, weight: Tensor) -> Tensor:
    """(n, d) product of features (n, width) and a weight (width, d), in the precision of both that is less."""
    return rows @ weight if rows.dtype == weight.dtype else (rows @ weight.to(rows.dtype)).to(weight.dtype)


class Projection(nn.Linear):
    """A linear layer for features; its bias is added, and its result given, in the precision of its weight."""

    def forward(self, rows: Tensor) -> Tensor:
        """(n, d) of (n, width)."""
        return super().forward(rows) if rows.dtype == self.weight.dtype else projected(rows, self.weight.T) + self.bias


def _widths(data: Dataset) -> str:
    return ", ".join(f"{name} ({matrix.shape[1]})" for name, matrix in sorted(data.features.items()))


def modality_weights(given: dict[str, float] | None, content: Content, model: str) -> np.ndarray:
    """(modalities,) weights that sum to 1, equal unless given; BadInput for others than those there are."""
    if given is None:
        return np.full(len(content.modalities), 1 / len(content.modalities))
    if set(given) != set(content.modalities) or sum(given.values()) <= 0:
        raise BadInput(
            f"weights of {model} for {', '.join(sorted(given))} found, expected one each for "
            f"{', '.join(content.modalities)}, some above 0"
        )
    found = np.array([given[name] for name in content.modalities])
    return found / found.sum()
