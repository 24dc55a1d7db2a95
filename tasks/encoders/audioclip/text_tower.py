"""CLIP's text transformer (Radford et al. 2021): causal, pre-norm, pooled at the end-of-text token.

Letters of shapes: B batch, T tokens, D width.
"""

from __future__ import annotations

from collections import OrderedDict

import torch
from torch import Tensor, nn

from tasks.encoders.audioclip.config import START


class QuickGELU(nn.Module):
    """x sigma(1.702 x), the approximation of GELU that CLIP was trained with."""

    def forward(self, x: Tensor) -> Tensor:
        """Same shape."""
        return x * torch.sigmoid(1.702 * x)


class Block(nn.Module):
    """Attention and a two-layer perceptron, each with pre-norm and a residual connection."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.attn = nn.MultiheadAttention(width, heads, batch_first=True)
        self.ln_1 = nn.LayerNorm(width)
        self.mlp = nn.Sequential(
            OrderedDict(c_fc=nn.Linear(width, 4 * width), gelu=QuickGELU(), c_proj=nn.Linear(4 * width, width))
        )
        self.ln_2 = nn.LayerNorm(width)

    def forward(self, x_BTD: Tensor, mask_TT: Tensor) -> Tensor:
        """Same shape."""
        y = self.ln_1(x_BTD)
        x_BTD = x_BTD + self.attn(y, y, y, need_weights=False, attn_mask=mask_TT)[0]
        out_BTD: Tensor = x_BTD + self.mlp(self.ln_2(x_BTD))
        return out_BTD


class TextTransformer(nn.Module):
    """The blocks; embeddings and projection are in the model, because their names in the released weights are flat."""

    def __init__(self, width: int, heads: int, layers: int) -> None:
        super().__init__()
        self.resblocks = nn.ModuleList([Block(width, heads) for _ in range(layers)])

    def forward(self, x_BTD: Tensor) -> Tensor:
        """Return the same shape; a token attends to itself and earlier tokens."""
        length = x_BTD.shape[1]
        mask_TT = torch.full((length, length), float("-inf"), dtype=x_BTD.dtype, device=x_BTD.device).triu(1)
        for block in self.resblocks:
            x_BTD = block(x_BTD, mask_TT)
        return x_BTD


def rows_of(tokens_BT: Tensor, buckets: int | None) -> Tensor:
    """Return rows of the token embedding for token ids: the ids, or their remainders, with separate special tokens."""
    if buckets is None:
        return tokens_BT
    special = tokens_BT >= START
    return torch.where(special, tokens_BT - START + buckets, tokens_BT % buckets)
