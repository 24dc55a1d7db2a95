"""Sums and products along the edges of a graph of fixed out-degree, with gradients that need no sort."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional


@dataclass(frozen=True, eq=False)
class Edges:
    """A directed graph of fixed out-degree: `to` are the k neighbours of each item, (I, k) int64."""

    to: Tensor

    @cached_property
    def starts(self) -> Tensor:
        """(I,) start of each item's edges in the flattened list."""
        return torch.arange(0, self.to.numel(), self.to.shape[1], device=self.to.device)

    @cached_property
    def sources(self) -> Tensor:
        """(I k,) source item of each edge."""
        return torch.arange(len(self.to), device=self.to.device).repeat_interleave(self.to.shape[1])

    @cached_property
    def reverse(self) -> tuple[Tensor, Tensor, Tensor]:
        """Edges sorted by target: their positions (I k,), their sources (I k,), and each target's start (I,)."""
        flat = self.to.flatten()
        order = flat.argsort(stable=True)
        counts = torch.bincount(flat, minlength=len(self.to))
        return order, self.sources[order], counts.cumsum(0) - counts

    def sums(self, weights: Tensor, x: Tensor) -> Tensor:
        """Return (I, d): the sum of the neighbours' rows of `x` (I, d), weighted by `weights` (I, k)."""
        return functional.embedding_bag(self.to, x, per_sample_weights=weights, mode="sum")

    def reverse_sums(self, weights: Tensor, x: Tensor) -> Tensor:
        """Return the same for the transposed graph: sums over the edges that lead to an item."""
        order, sources, starts = self.reverse
        return functional.embedding_bag(sources, x, starts, per_sample_weights=weights.flatten()[order], mode="sum")

    def dots(self, one: Tensor, other: Tensor) -> Tensor:
        """Return (I, k) dot products of an item's row of `one` with its neighbours' rows of `other`, both (I, d)."""
        flat = torch.ops.aten._embedding_bag_per_sample_weights_backward(
            one.contiguous(), other.contiguous(), self.to.flatten(), self.starts, self.sources, 0
        )
        return flat.view(self.to.shape)


class _Sums(torch.autograd.Function):
    """`Edges.sums`; its gradient for x uses the reverse edges, which torch itself would sort in every step."""

    @staticmethod
    def forward(ctx: Any, edges: Edges, weights: Tensor, x: Tensor) -> Tensor:  # noqa: ANN401
        ctx.edges = edges
        ctx.save_for_backward(weights, x)
        return edges.sums(weights, x)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[None, Tensor | None, Tensor]:  # noqa: ANN401
        weights, x = ctx.saved_tensors
        by_weights = ctx.edges.dots(gradients[0], x) if ctx.needs_input_grad[1] else None
        return None, by_weights, ctx.edges.reverse_sums(weights, gradients[0].contiguous())


class _Dots(torch.autograd.Function):
    """`Edges.dots`, whose gradients are sums over edges and over reverse edges."""

    @staticmethod
    def forward(ctx: Any, edges: Edges, one: Tensor, other: Tensor) -> Tensor:  # noqa: ANN401
        ctx.edges = edges
        ctx.save_for_backward(one, other)
        return edges.dots(one, other)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[None, Tensor, Tensor]:  # noqa: ANN401
        one, other = ctx.saved_tensors
        by = gradients[0].contiguous()
        return None, ctx.edges.sums(by, other), ctx.edges.reverse_sums(by, one)


def weighted_sums(edges: Edges, weights: Tensor, x: Tensor) -> Tensor:
    """Return `Edges.sums` with gradients for weights and rows."""
    sums: Tensor = _Sums.apply(edges, weights, x)  # type: ignore[no-untyped-call]
    return sums


def products(edges: Edges, one: Tensor, other: Tensor) -> Tensor:
    """Return `Edges.dots` with gradients for both."""
    dots: Tensor = _Dots.apply(edges, one, other)  # type: ignore[no-untyped-call]
    return dots
